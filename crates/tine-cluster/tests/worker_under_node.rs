//! A Rust worker under real Node primaries: every version, both policies.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod worker_support;

use worker_support::{Setting, run};

#[track_caller]
fn every_setting(body: &str) {
    for setting in Setting::all("talk", &["json", "advanced"]) {
        run(&setting, body);
    }
}

/// For what does not depend on how messages are written.
#[track_caller]
fn json_settings(body: &str) {
    for setting in Setting::all("talk", &["json"]) {
        run(&setting, body);
    }
}

/// node: test-cluster-listening-port
/// node: test-cluster-disconnect
/// node: test-cluster-net-listen
#[test]
fn workers_share_a_port_and_port_0_is_one_for_all() {
    every_setting(
        r#"
        const peers = [new Peer(), new Peer()];
        for (const peer of peers) await peer.online;
        const port = await freePort();
        for (const peer of peers) {
            const said = event(peer.worker, 'listening');
            assert.deepStrictEqual(await peer.ask({ do: 'listen', port, host: '127.0.0.1' }), { listening: port });
            const address = await said;
            assert.deepStrictEqual(Object.keys(address).sort(), ['address', 'addressType', 'fd', 'port']);
            assert.strictEqual(address.port, port);
            assert.strictEqual(address.address, '127.0.0.1');
            assert.strictEqual(address.addressType, 4);
        }
        await bothServe(peers, () => net.connect(port, '127.0.0.1'));
        // The nth port 0 is the same in both.
        const ports = [];
        for (const peer of peers) {
            const one = await peer.ask({ do: 'listen', port: 0 });
            const two = await peer.ask({ do: 'listen', port: 0 });
            ports.push([one.listening, two.listening]);
        }
        assert.deepStrictEqual(ports[0], ports[1]);
        assert.ok(ports[0][0] > 0 && ports[0][0] !== ports[0][1]);
        "#,
    );
}

/// node: test-cluster-bind-twice
/// node: test-cluster-shared-handle-bind-error
/// node: test-cluster-eaccess
#[test]
fn an_address_in_use_is_the_error_of_listen_with_its_number() {
    json_settings(
        r#"
        const { EADDRINUSE, EADDRNOTAVAIL } = require('os').constants.errno;
        const peer = new Peer();
        await peer.online;
        const taken = net.createServer();
        await listening(taken, 0, '127.0.0.1');
        const { port } = taken.address();
        assert.strictEqual((await peer.ask({ do: 'listen', port, host: '127.0.0.1' })).errno, EADDRINUSE);
        assert.strictEqual((await peer.ask({ do: 'listen', port: 0, host: '192.0.2.1' })).errno, EADDRNOTAVAIL);
        // Not for ever.
        await new Promise((resolve) => taken.close(resolve));
        assert.deepStrictEqual(await peer.ask({ do: 'listen', port, host: '127.0.0.1' }), { listening: port });
        const udp = dgram.createSocket('udp4');
        await new Promise((resolve) => udp.bind(0, '127.0.0.1', resolve));
        const udpPort = udp.address().port;
        assert.strictEqual((await peer.ask({ do: 'udp', port: udpPort, host: '127.0.0.1' })).errno, EADDRINUSE);
        udp.close();
        const path = `${require('os').tmpdir()}/tine-in-use-${process.pid}.sock`;
        const unix = net.createServer();
        await listening(unix, path);
        assert.strictEqual((await peer.ask({ do: 'listenUnix', path })).errno, EADDRINUSE);
        unix.close();
        "#,
    );
}

/// node: test-cluster-http-pipe
/// node: test-cluster-net-listen-relative-path
/// node: test-cluster-listen-pipe-readable-writable
#[test]
fn unix_sockets_are_shared_by_absolute_and_relative_paths() {
    json_settings(
        r#"
        const os = require('os');
        process.chdir(fs.mkdtempSync(`${os.tmpdir()}/tine-unix-`));
        const peers = [new Peer(), new Peer()];
        for (const peer of peers) await peer.online;
        const path = `${process.cwd()}/here.sock`;
        assert.deepStrictEqual(await peers[0].ask({ do: 'listenUnix', path, open: true }), { listening: path });
        const relative = { do: 'listenUnix', path: './x/../here.sock', open: true };
        assert.deepStrictEqual(await peers[1].ask(relative), { listening: path });
        if (!none) assert.strictEqual(fs.statSync(path).mode & 0o666, 0o666);
        await bothServe(peers, () => net.connect(path));
        await peers[0].ask({ do: 'close', name: path });
        await peers[1].ask({ do: 'close', name: './x/../here.sock' });
        // The primary has removed it.
        while (fs.existsSync(path)) await new Promise(setImmediate);
        "#,
    );
}

/// node: test-cluster-dgram-1
/// node: test-cluster-dgram-reuse
/// node: test-cluster-dgram-ipv6only
/// node: test-cluster-net-listen-ipv6only-none
/// node: test-cluster-net-listen-ipv6only-rr
/// node: test-cluster-net-listen-ipv6only-false
#[test]
fn udp_is_shared_and_ipv6_alone_leaves_ipv4_alone() {
    json_settings(
        r#"
        const peers = [new Peer(), new Peer()];
        for (const peer of peers) await peer.online;
        const { bound } = await peers[0].ask({ do: 'udp', port: 0, host: '127.0.0.1' });
        assert.deepStrictEqual(await peers[1].ask({ do: 'udp', port: 0, host: '127.0.0.1' }), { bound });
        for (let n = 0; n < 20; n++) assert.match(await datagram(bound), /^worker [12]$/);
        const port = await freePort();
        for (const peer of peers) {
            assert.deepStrictEqual(await peer.ask({ do: 'listen', port, host: '::', onlyV6: true }), { listening: port });
            assert.deepStrictEqual(await peer.ask({ do: 'udp', port, host: '::', onlyV6: true }), { bound: port });
        }
        assert.match(await read(net.connect(port, '::1')), /^worker/);
        const other = net.createServer();
        await listening(other, port, '127.0.0.1');
        other.close();
        assert.deepStrictEqual(await peers[0].ask({ do: 'udp', port, host: '0.0.0.0' }), { bound: port });
        // Without it, one port for both.
        const both = (await peers[0].ask({ do: 'listen', port: 0, host: '::' })).listening;
        assert.deepStrictEqual(await read(net.connect(both, '127.0.0.1')), 'worker 1');
        assert.deepStrictEqual(await read(net.connect(both, '::1')), 'worker 1');
        // Node's listen(port): both families under one name.
        const any = (await peers[0].ask({ do: 'listen', port: 0 })).listening;
        assert.deepStrictEqual(await read(net.connect(any, '127.0.0.1')), 'worker 1');
        // Two sockets of one worker on one port.
        const reuse = { do: 'udp', port: (await freePort()), host: '127.0.0.1', reuse: true };
        assert.deepStrictEqual(await peers[0].ask(reuse), { bound: reuse.port });
        assert.deepStrictEqual(await peers[0].ask(reuse), { bound: reuse.port });
        "#,
    );
}

/// Connections that the first worker never takes go to the second when it closes.
///
/// node: test-cluster-worker-handle-close
/// node: test-cluster-net-server-drop-connection
#[test]
fn what_a_worker_does_not_take_goes_to_another() {
    for setting in Setting::all("talk", &["json"]) {
        if setting.policy == "none" {
            continue; // The kernel's queue belongs to all.
        }
        run(
            &setting,
            r#"
            const [lazy, other] = [new Peer(), new Peer()];
            await lazy.online; await other.online;
            const port = await freePort();
            await lazy.ask({ do: 'listen', port, host: '127.0.0.1', hold: true });
            const client = read(net.connect(port, '127.0.0.1'));
            const early = await Promise.race([client, lazy.ask({ do: 'state' })]);
            assert.strictEqual(early.connected, true);
            await other.ask({ do: 'listen', port, host: '127.0.0.1' });
            await lazy.ask({ do: 'close', name: `${port}` });
            assert.strictEqual(await client, `worker ${other.worker.id}`);
            "#,
        );
    }
}

/// node: test-cluster-worker-disconnect
/// node: test-cluster-worker-isconnected
/// node: test-cluster-worker-isdead
/// node: test-cluster-worker-wait-server-close
/// node: test-cluster-concurrent-disconnect
#[test]
fn the_primary_disconnects_a_worker() {
    every_setting(
        r#"
        const peer = new Peer();
        await peer.online;
        const { listening } = await peer.ask({ do: 'listen', port: 0, host: '127.0.0.1' });
        assert.ok(peer.worker.isConnected() && !peer.worker.isDead());
        const disconnected = event(peer.worker, 'disconnect').then(() => {
            assert.strictEqual(peer.worker.exitedAfterDisconnect, true);
            assert.strictEqual(peer.worker.isConnected(), false);
        });
        assert.strictEqual(peer.worker.disconnect(), peer.worker);
        assert.deepStrictEqual(await peer.exit, { code: 0, signal: null });
        await disconnected;
        assert.strictEqual(peer.worker.exitedAfterDisconnect, true);
        assert.ok(peer.worker.isDead());
        await assert.rejects(read(net.connect(listening, '127.0.0.1')));
        await said(/worker Some\(1\) leaves: Some\(Disconnect\).* meant Some\(true\)/);
        "#,
    );
}

/// node: test-cluster-disconnect-exitedAfterDisconnect-race
/// node: test-cluster-kill-disconnect
/// node: test-cluster-call-and-destroy
#[test]
fn a_worker_disconnects_itself_and_lives_on_to_its_own_end() {
    every_setting(
        r#"
        const peer = new Peer();
        await peer.online;
        await peer.ask({ do: 'listen', port: 0, host: '127.0.0.1' });
        const disconnected = event(peer.worker, 'disconnect');
        peer.worker.send({ do: 'disconnect' });
        await disconnected;
        assert.strictEqual(peer.worker.exitedAfterDisconnect, true);
        assert.deepStrictEqual(await peer.exit, { code: 0, signal: null });
        assert.strictEqual(peer.worker.exitedAfterDisconnect, true);
        await said(/leaves: Some\(OwnWish\), connected false, meant Some\(true\)/);
        "#,
    );
}

/// node: test-cluster-process-disconnect
/// node: test-child-process-disconnect
#[test]
fn a_worker_that_only_closes_its_channel_is_not_taken_for_meant() {
    json_settings(
        r#"
        const peer = new Peer();
        await peer.online;
        peer.worker.send({ do: 'closeChannel' });
        assert.deepStrictEqual(await peer.exit, { code: 0, signal: null });
        assert.strictEqual(peer.worker.exitedAfterDisconnect, false);
        await said(/leaves: Some\(OwnWish\), connected false, meant Some\(false\)/);
        "#,
    );
}

/// node: test-cluster-worker-forced-exit
#[test]
fn a_channel_that_the_primary_closes_without_a_word_ends_the_worker() {
    every_setting(
        r#"
        const peer = new Peer();
        await peer.online;
        peer.worker.process.disconnect();
        assert.deepStrictEqual(await peer.exit, { code: 0, signal: null });
        assert.strictEqual(peer.worker.exitedAfterDisconnect, false);
        await said(/leaves: Some\(PrimaryGone\), connected false, meant Some\(false\)/);
        // One that never asked when to leave is ended by its own SIGTERM.
        const ordinary = new Peer(['--ordinary']);
        await ordinary.online;
        assert.strictEqual(await ordinary.ask('up'), 'up');
        ordinary.worker.process.disconnect();
        assert.deepStrictEqual(await ordinary.exit, { code: null, signal: 'SIGTERM' });
        "#,
    );
}

#[test]
fn a_disconnect_closes_the_listeners_of_a_program_that_never_asks_when_to_leave() {
    json_settings(
        r#"
        const ordinary = new Peer(['--ordinary']);
        await ordinary.online;
        const { listening } = await ordinary.ask({ do: 'listen', port: 0, host: '127.0.0.1' });
        const disconnected = event(ordinary.worker, 'disconnect');
        ordinary.worker.disconnect();
        await disconnected;
        await assert.rejects(read(net.connect(listening, '127.0.0.1')), { code: 'ECONNREFUSED' });
        await said(/worker Some\(1\) has read all/);
        ordinary.worker.process.kill();
        assert.deepStrictEqual(await ordinary.exit, { code: null, signal: 'SIGTERM' });
        "#,
    );
}

/// node: test-cluster-worker-exit
/// node: test-cluster-worker-death
/// node: test-cluster-worker-kill
/// node: test-cluster-worker-kill-signal
#[test]
fn exit_codes_and_signals_reach_the_primary() {
    json_settings(
        r#"
        const peer = new Peer();
        await peer.online;
        await peer.ask({ do: 'listen', port: 0, host: '127.0.0.1' });
        peer.worker.send({ do: 'exit', code: 42 });
        assert.deepStrictEqual(await peer.exit, { code: 42, signal: null });
        assert.strictEqual(peer.worker.exitedAfterDisconnect, false);
        const killed = new Peer();
        await killed.online;
        killed.worker.process.kill('SIGKILL');
        assert.deepStrictEqual(await killed.exit, { code: null, signal: 'SIGKILL' });
        // A worker that heeds SIGTERM leaves in order.
        const told = new Peer();
        await told.online;
        await told.ask('up');
        told.worker.process.kill();
        assert.deepStrictEqual(await told.exit, { code: 0, signal: null });
        await said(/leaves: Some\(Terminate\), connected true, meant None/);
        "#,
    );
}

/// node: test-cluster-primary-kill
/// node: test-cluster-primary-error
#[test]
fn no_worker_outlives_a_killed_primary() {
    for setting in Setting::all("talk", &["json", "advanced"]) {
        let primary = worker_support::start(
            &setting,
            r#"
            for (const args of [[], ['--ordinary']]) {
                const peer = new Peer(args);
                await peer.online;
                await peer.ask({ do: 'listen', port: 0, host: '127.0.0.1' });
            }
            console.log('workers ' + Object.values(cluster.workers).map((worker) => worker.process.pid).join(' '));
            await new Promise(() => setInterval(() => {}, 1000));
            "#,
        );
        let line = primary.wait_for_line(
            |line| line.text.starts_with("workers "),
            "workers",
            worker_support::DEADLINE,
        );
        let pids: Vec<u32> = line.text["workers ".len()..]
            .split(' ')
            .map(|pid| pid.parse().unwrap())
            .collect();
        assert_eq!(pids.len(), 2);
        primary.signal(tine_testkit::Signal::KILL);
        for pid in pids {
            tine_testkit::until("a worker to leave", worker_support::DEADLINE, || {
                !tine_testkit::process::is_alive(pid)
            });
        }
    }
}
