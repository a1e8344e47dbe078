//! What a Rust worker and a Node primary say to each other: every version, both serializations.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod worker_support;

use worker_support::{Setting, run};

/// How connections are shared makes no difference to messages.
#[track_caller]
fn both_serializations(body: &str) {
    for setting in Setting::all("talk", &["json", "advanced"]) {
        if setting.policy == "rr" {
            run(&setting, body);
        }
    }
}

/// node: test-cluster-message
/// node: test-cluster-worker-init
/// node: test-cluster-basic
#[test]
fn messages_of_every_shape_come_back_as_they_went() {
    both_serializations(
        r#"
        const peer = new Peer();
        await peer.online;
        for (const shape of [0, -1, 1.5, 1e300, 2 ** 53, true, false, '', 'text', 'é漢😀\u2028\0\n"\\',
            [], {}, [null], { a: { b: [1, 2, { c: null }] } }, { '': 1 }, { seq: 'x', ack: [1], cmd: 5 },
            { cmd: 'NODE_' }, { cmd: 'fooNODE_' }, ['NODE_CLUSTER'], { 'tine:reply': 99 },
            { big: 'x'.repeat(100000) }, Array.from({ length: 5000 }, (_, i) => i)]) {
            const came = await peer.ask(shape);
            assert.deepStrictEqual(came, shape);
        }
        if (advanced) {
            const loop = { name: 'loop' };
            loop.self = loop;
            for (const shape of [new Map([[1, { a: 2 }]]), new Set(['x']), new Date(0), 12345678901234567890n,
                Buffer.from('bytes'), new Uint8Array([1, 2, 3]), [1, , 3], NaN, -0, /x/g, loop, undefined]) {
                const came = await peer.ask({ shape });
                assert.deepStrictEqual(came, { shape });
            }
        }
        const [worker] = Object.values(cluster.workers);
        assert.deepStrictEqual(await peer.ask({ do: 'state' }),
            { id: worker.id, connected: true, meant: null, reason: null });
        "#,
    );
}

/// node: test-child-process-send-utf8
#[test]
fn ten_megabytes_go_and_come() {
    both_serializations(
        r#"
        const peer = new Peer();
        await peer.online;
        const text = 'é漢😀x'.repeat(1 << 20);
        assert.ok(Buffer.byteLength(text) > 10e6);
        const came = await peer.ask({ text });
        assert.ok(came.text === text);
        "#,
    );
}

#[test]
fn a_hundred_thousand_messages_keep_their_order_both_ways() {
    both_serializations(
        r#"
        const peer = new Peer();
        await peer.online;
        const to = 100000;
        peer.worker.send({ do: 'collect', to });
        for (let n = 0; n < to; n++) {
            // Node's own writes pile up in its memory; give it time to write.
            if (!peer.worker.send({ n })) await new Promise(setImmediate);
        }
        assert.deepStrictEqual(await peer.message(), { collected: to, inOrder: true });
        peer.worker.send({ do: 'count', to });
        for (let n = 0; n < to; n++) {
            const message = await peer.message();
            if (message.n !== n) assert.fail(`${JSON.stringify(message)} instead of ${n}`);
        }
        "#,
    );
}

/// node: test-child-process-fork-net-server
/// node: test-child-process-fork-net-socket
/// node: test-child-process-fork-dgram
/// node: test-cluster-net-send
#[test]
fn handles_go_to_the_worker() {
    both_serializations(
        r#"
        const peer = new Peer();
        await peer.online;
        const hello = `worker ${peer.worker.id} says hello`;
        // A server: the worker accepts.
        const server = net.createServer();
        await listening(server, 0, '127.0.0.1');
        const { port } = server.address();
        assert.deepStrictEqual(await peer.ask({ what: 'server' }, server), { what: 'server' });
        server.close();
        assert.strictEqual(await read(net.connect(port, '127.0.0.1')), hello);
        // A connection.
        const front = net.createServer({ pauseOnConnect: true }, (socket) => peer.worker.send({ what: 'socket' }, socket));
        await listening(front, 0, '127.0.0.1');
        assert.strictEqual(await read(net.connect(front.address().port, '127.0.0.1')), hello);
        assert.deepStrictEqual(await peer.message(), { what: 'socket' });
        // It closes only when the worker has said that it holds none of its sockets.
        await new Promise((resolve) => front.close(resolve));
        // A unix connection.
        const path = `${require('os').tmpdir()}/tine-handles-${process.pid}.sock`;
        const unix = net.createServer({ pauseOnConnect: true }, (socket) => peer.worker.send({ what: 'unix' }, socket));
        await listening(unix, path);
        assert.strictEqual(await read(net.connect(path)), hello);
        assert.deepStrictEqual(await peer.message(), { what: 'unix' });
        await new Promise((resolve) => unix.close(resolve));
        // A UDP socket.
        const udp = dgram.createSocket('udp4');
        await new Promise((resolve) => udp.bind(0, '127.0.0.1', resolve));
        const udpPort = udp.address().port;
        assert.deepStrictEqual(await peer.ask({ what: 'udp' }, udp), { what: 'udp' });
        udp.close();
        assert.strictEqual(await datagram(udpPort), hello);
        "#,
    );
}

/// node: test-child-process-send-keep-open
#[test]
fn handles_come_from_the_worker() {
    both_serializations(
        r#"
        const peer = new Peer();
        await peer.online;
        const given = async (task) => {
            peer.worker.send({ do: 'give', ...task });
            const [message, handle] = await peer.next();
            assert.deepStrictEqual(message, { given: task.what });
            assert.deepStrictEqual(await peer.message(), { acknowledged: task.what });
            return handle;
        };
        const server = await given({ what: 'server' });
        assert.ok(server instanceof net.Server);
        server.on('connection', (socket) => socket.end('from the primary'));
        assert.strictEqual(await read(net.connect(server.address().port, '127.0.0.1')), 'from the primary');
        server.close();
        const mine = net.createServer();
        await listening(mine, 0, '127.0.0.1');
        const accepted = new Promise((resolve) => mine.once('connection', resolve));
        const socket = await given({ what: 'socket', port: mine.address().port });
        assert.ok(socket instanceof net.Socket);
        socket.end('through a given socket');
        assert.strictEqual(await read(await accepted), 'through a given socket');
        mine.close();
        const unix = await given({ what: 'unix' });
        assert.strictEqual(await read(unix), 'from the other end');
        const udp = await given({ what: 'udp' });
        udp.on('message', (_, from) => udp.send('from the primary', from.port, from.address));
        assert.strictEqual(await datagram(udp.address().port), 'from the primary');
        udp.close();
        "#,
    );
}

/// node: test-cluster-send-deadlock
#[test]
fn handles_both_ways_at_once_do_not_deadlock() {
    both_serializations(
        r#"
        const peer = new Peer();
        await peer.online;
        const server = net.createServer();
        await listening(server, 0, '127.0.0.1');
        const theirs = [];
        server.on('connection', (socket) => theirs.push(socket));
        const rounds = 40;
        let here = 0, there = 0, acknowledged = 0;
        const clients = [];
        for (let round = 0; round < rounds; round++) {
            peer.worker.send({ do: 'give', what: 'udp' });
            const client = net.connect(server.address().port, '127.0.0.1');
            clients.push(client);
            await new Promise((resolve) => client.once('connect', resolve));
            while (!theirs.length) await new Promise(setImmediate);
            peer.worker.send({ round }, theirs.pop());
        }
        while (here < rounds || there < rounds || acknowledged < rounds) {
            const [message, handle] = await peer.next();
            if (handle) { here++; handle.close(); }
            else if ('round' in message) there++;
            else acknowledged++;
        }
        for (const client of clients) assert.match(await read(client), /says hello/);
        server.close();
        "#,
    );
}

#[test]
fn requests_are_answered_and_refused_both_ways() {
    both_serializations(
        r#"
        const peer = new Peer();
        await peer.online;
        assert.deepStrictEqual(await peer.ask({ 'tine:request': 7, value: 21 }), { 'tine:reply': 7, value: 42 });
        assert.deepStrictEqual(await peer.ask({ 'tine:request': 8, value: 'x' }),
            { 'tine:reply': 8, error: 'that is no number' });
        peer.worker.send({ do: 'ask', question: 'how many?' });
        const asked = await peer.message();
        assert.strictEqual(asked.value, 'how many?');
        peer.worker.send({ 'tine:reply': asked['tine:request'], value: [1, 2] });
        assert.deepStrictEqual(await peer.message(), { answer: [1, 2] });
        peer.worker.send({ do: 'ask', question: 'why?' });
        peer.worker.send({ 'tine:reply': (await peer.message())['tine:request'], error: 'because' });
        assert.match((await peer.message()).refused, /because/);
        "#,
    );
}

/// node: test-cluster-invalid-message
/// node: test-child-process-internal
#[test]
fn what_is_internal_and_unknown_is_ignored() {
    both_serializations(
        r#"
        const peer = new Peer();
        await peer.online;
        peer.worker.send({ cmd: 'NODE_CLUSTER', ack: -1 });
        peer.worker.send({ cmd: 'NODE_CLUSTER', act: 'no such act', seq: 5 });
        peer.worker.send({ cmd: 'NODE_foo', n: 1 });
        assert.deepStrictEqual(await peer.ask({ cmd: 'NODE_', n: 2 }), { cmd: 'NODE_', n: 2 });
        "#,
    );
}

/// A child of `child_process.fork` has a channel and no cluster.
///
/// node: test-child-process-fork
/// node: test-child-process-stdin-ipc
#[test]
fn a_forked_child_talks_and_cannot_listen() {
    both_serializations(
        r#"
        const child = require('child_process').fork('none', [], {
            execPath: process.env.WORKER, execArgv: [], serialization: process.env.SERIALIZATION,
        });
        const next = () => new Promise((resolve) => child.once('message', resolve));
        const came = next();
        child.send('hello');
        assert.strictEqual(await came, 'hello');
        const refused = next();
        child.send({ do: 'listen', port: 0 });
        assert.strictEqual((await refused).kind, 'Unsupported');
        const exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
        child.disconnect();
        assert.deepStrictEqual(await exited, { code: 0, signal: null });
        "#,
    );
}
