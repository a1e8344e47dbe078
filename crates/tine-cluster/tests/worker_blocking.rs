//! A Rust worker without async under real Node primaries.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod worker_support;

use worker_support::{Setting, run};

fn every_setting(body: &str) {
    for setting in Setting::all("blocking", &["json"]) {
        run(&setting, body);
    }
    let advanced = Setting::all("blocking", &["advanced"]).pop().unwrap();
    run(&advanced, body);
}

#[test]
fn threads_serve_a_port_that_several_workers_share_and_talk() {
    every_setting(
        r#"
        const PORT = await freePort();
        const peers = [new Peer([], { PORT }), new Peer([], { PORT })];
        for (const peer of peers) assert.strictEqual(await peer.message(), 'up');
        await bothServe(peers, () => net.connect(PORT, '127.0.0.1'));
        const texts = await Promise.all(Array.from({ length: 100 }, () => read(net.connect(PORT, '127.0.0.1'))));
        for (const text of texts) assert.match(text, /^worker [12]$/);
        const big = { text: 'x'.repeat(1 << 20) };
        assert.deepStrictEqual(await peers[0].ask(big), big);
        assert.deepStrictEqual(await peers[0].ask({ 'tine:request': 1, value: 4 }), { 'tine:reply': 1, value: 8 });
        assert.deepStrictEqual(await peers[0].ask({ 'tine:request': 2, value: [] }),
            { 'tine:reply': 2, error: 'that is no number' });
        "#,
    );
}

/// Threads that wait in `accept` do not keep the process.
#[test]
fn a_worker_of_waiting_threads_leaves_when_it_is_to() {
    every_setting(
        r#"
        const PORT = await freePort();
        const ends = {
            Disconnect: (peer) => peer.worker.disconnect(),
            Terminate: (peer) => peer.worker.process.kill(),
            Interrupt: (peer) => peer.worker.process.kill('SIGINT'),
            PrimaryGone: (peer) => peer.worker.process.disconnect(),
        };
        for (const [reason, end] of Object.entries(ends)) {
            const peer = new Peer([], { PORT });
            assert.strictEqual(await peer.message(), 'up');
            assert.strictEqual(await read(net.connect(PORT, '127.0.0.1')), `worker ${peer.worker.id}`);
            end(peer);
            assert.deepStrictEqual(await peer.exit, { code: 0, signal: null }, reason);
            await said(new RegExp(`worker Some\\(${peer.worker.id}\\) leaves: ${reason}`));
            assert.strictEqual(peer.worker.exitedAfterDisconnect, reason === 'Disconnect');
        }
        "#,
    );
}

#[test]
fn an_address_in_use_is_the_error_of_listen() {
    every_setting(
        r#"
        const taken = net.createServer();
        await listening(taken, 0, '0.0.0.0');
        const peer = new Peer([], { PORT: taken.address().port });
        peer.worker.process.stderr.on('data', (text) => { output += text; outputNews(); });
        assert.deepStrictEqual(await peer.exit, { code: 1, signal: null });
        await said(/AddrInUse/);
        "#,
    );
}
