//! What Node's own tests say of workers that use UDP, asserted of this primary over Node workers.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod socket_support;

use serde_json::json;
use socket_support::{BOTH, DEADLINE, SINCE_22, SOME, start, start_children};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use tine_cluster::{Event, ListeningAddress};
use tine_testkit::{Runtime, ports};

fn ours() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

/// Receives so many datagrams, and counts them by their senders.
async fn received(socket: UdpSocket, count: usize) -> BTreeMap<SocketAddr, usize> {
    socket_support::meanwhile(move || {
        let mut senders = BTreeMap::new();
        for _ in 0..count {
            let (_, sender) = socket.recv_from(&mut [0; 64]).unwrap();
            *senders.entry(sender).or_default() += 1;
        }
        senders
    })
    .await
}

/// Each takes ten datagrams and leaves.
const TAKES_TEN: &str = "const socket = dgram.createSocket('udp4');
    let received = 0;
    socket.on('message', () => {
        if (++received < 10) return;
        if (received > 10) throw new Error('too many');
        say(received);
        socket.close();
        process.disconnect();
    });";

/// node: test-cluster-dgram-1
#[tokio::test]
async fn workers_share_a_udp_port() {
    let text = format!("{TAKES_TEN} socket.bind(+env.PORT);");
    for node in SOME {
        for policy in BOTH {
            let port = ports::free_udp();
            let mut run = start(node, &text, |setup| {
                setup.policy(policy).env("PORT", port.to_string());
            });
            for _ in 0..4 {
                run.fork();
            }
            let expected = ListeningAddress::Udp((Ipv4Addr::UNSPECIFIED, port).into());
            for _ in 0..4 {
                assert_eq!(run.listening().await.1, expected, "{}", run.what());
            }
            let socket = ours();
            for _ in 0..40 {
                socket
                    .send_to(b"hello", (Ipv4Addr::LOCALHOST, port))
                    .unwrap();
            }
            // Every worker has got ten, or it would not leave.
            assert_eq!(run.all_end_well(4).await, [10; 4], "{}", run.what());
        }
    }
}

/// node: test-cluster-dgram-bind-fd
#[tokio::test]
async fn workers_bind_a_udp_descriptor_of_the_primary() {
    let text = format!("{TAKES_TEN} socket.bind({{fd: 30}});");
    for node in Runtime::NODES {
        let offered = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = offered.local_addr().unwrap();
        let mut run = start(node, &text, |setup| {
            setup.offer_descriptor(30, offered);
        });
        for _ in 0..4 {
            run.fork();
        }
        for _ in 0..4 {
            let listening = run.listening().await.1;
            assert_eq!(listening, ListeningAddress::Udp(address), "{}", run.what());
        }
        let socket = ours();
        for _ in 0..40 {
            socket.send_to(b"hello", address).unwrap();
        }
        assert_eq!(run.all_end_well(4).await, [10; 4], "{}", run.what());
    }
}

/// node: test-cluster-dgram-2
#[tokio::test]
async fn workers_send_from_a_udp_port_that_they_share() {
    let text = "const socket = dgram.createSocket('udp4');
        socket.bind(0);
        for (let i = 0; i < 10; i++) socket.send('hello', +env.PORT, '127.0.0.1');";
    for node in SOME {
        let socket = ours();
        let port = socket.local_addr().unwrap().port();
        let mut run = start(node, text, |setup| {
            setup.env("PORT", port.to_string());
        });
        for _ in 0..4 {
            run.fork();
        }
        let senders = received(socket, 40).await;
        assert_eq!(
            senders.into_values().collect::<Vec<_>>(),
            [40],
            "{}",
            run.what()
        );
        for worker in run.cluster.workers() {
            worker.disconnect();
        }
        run.all_end_well(4).await;
    }
}

/// node: test-cluster-child-index-dgram
#[tokio::test]
async fn sockets_on_port_0_can_close_and_bind_anew_in_their_callbacks() {
    let text = "let closed = 0;
        const done = () => { if (++closed === 4) process.exit(0); };
        for (let i = 0; i < 2; i++) {
            const first = dgram.createSocket('udp4');
            first.bind(0, () => process.nextTick(() => {
                first.close(done);
                const second = dgram.createSocket('udp4');
                second.bind(0, () => process.nextTick(() => second.close(done)));
            }));
        }";
    for node in Runtime::NODES {
        let mut run = start(node, text, |_| {});
        run.fork();
        run.all_end_well(1).await;
        assert_eq!(run.cluster.addresses(), [], "{}", run.what());
    }
}

/// node: test-cluster-dgram-ipv6only
#[tokio::test]
async fn an_ipv6_only_udp_socket_leaves_its_port_to_ipv4() {
    let text = "const six = dgram.createSocket({type: 'udp6', ipv6Only: true});
        const four = dgram.createSocket('udp4');
        let open = 2;
        const closed = () => { if (--open === 0) cluster.worker.disconnect(); };
        six.bind({port: 0, address: '::'}, () => {
            const {port} = six.address();
            four.bind({port, address: '0.0.0.0'}, () => process.nextTick(() => {
                assert.strictEqual(four.address().port, port);
                six.close(closed);
                four.close(closed);
            }));
        });";
    for node in SOME {
        let mut run = start(node, text, |_| {});
        run.fork();
        run.all_end_well(1).await;
    }
}

/// node: test-cluster-dgram-reuse
#[tokio::test]
async fn one_worker_binds_a_port_twice_with_reuse_addr() {
    let text = "const one = dgram.createSocket({type: 'udp4', reuseAddr: true});
        const two = dgram.createSocket({type: 'udp4', reuseAddr: true});
        let open = 2;
        const closed = () => { if (--open === 0) cluster.worker.disconnect(); };
        one.bind(0, () => two.bind(one.address().port, () => process.nextTick(() => {
            assert.strictEqual(one.address().port, two.address().port);
            one.close(closed);
            two.close(closed);
        })));";
    for node in SOME {
        let mut run = start(node, text, |_| {});
        run.fork();
        run.all_end_well(1).await;
        assert_eq!(run.cluster.addresses(), [], "{}", run.what());
    }
}

/// node: test-cluster-dgram-reuseport
#[tokio::test]
async fn a_udp_socket_that_reuses_its_port_asks_nobody() {
    let text = "cluster._getServer = never('_getServer');
        const one = dgram.createSocket({type: 'udp4', reusePort: true});
        const two = dgram.createSocket({type: 'udp4', reusePort: true});
        let open = 2;
        const closed = () => { if (--open === 0) cluster.worker.disconnect(); };
        one.bind(0, () => two.bind(one.address().port, () => process.nextTick(() => {
            one.close(closed);
            two.close(closed);
        })));";
    for node in SINCE_22 {
        let mut run = start(node, text, |_| {});
        run.fork();
        run.all_end_well(1).await;
        assert_eq!(run.count("listening"), 0, "{node:?}");
    }
}

/// node: test-child-process-dgram-reuseport
#[tokio::test]
async fn workers_share_a_udp_port_with_the_primarys_own_program_by_reuse_port() {
    let text = "const socket = dgram.createSocket({type: 'udp4', reusePort: true});
        socket.bind(+env.PORT, '127.0.0.1', () => { socket.close(); process.disconnect(); });";
    for node in SINCE_22 {
        let options = tine_sys::socket::UdpOptions {
            reuse_address: false,
            reuse_port: true,
            only_v6: None,
        };
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let ours = tine_sys::socket::udp_bind(address, &options).unwrap();
        let port = tine_sys::socket::local_address(ours.as_fd())
            .unwrap()
            .port();
        let mut run = start_children(node, text, |setup| {
            setup.env("PORT", port.to_string());
        });
        run.fork();
        run.fork();
        run.all_end_well(2).await;
    }
}

/// node: test-dgram-cluster-bind-error
#[tokio::test]
async fn a_refused_bind_is_an_error_and_leaves_the_socket_unbound() {
    let text = "const socket = dgram.createSocket('udp4');
        socket.once('error', (e) => {
            say([e.code, e.syscall]);
            process.nextTick(() => {
                // Not bound: it can be bound elsewhere.
                socket.bind(0, () => { socket.close(); cluster.worker.disconnect(); });
            });
        });
        socket.bind(+env.PORT, '127.0.0.1');";
    for node in SOME {
        let taken = ours();
        let port = taken.local_addr().unwrap().port();
        let mut run = start(node, text, |setup| {
            setup.env("PORT", port.to_string());
        });
        run.fork();
        assert_eq!(run.refused().await, ErrorKind::AddrInUse, "{}", run.what());
        let said = run.all_end_well(1).await;
        assert_eq!(said, [json!(["EADDRINUSE", "bind"])], "{}", run.what());
    }
}

/// node: test-dgram-cluster-close-during-bind
/// node: test-dgram-bind-socket-close-before-cluster-reply
#[tokio::test]
async fn a_socket_that_closes_before_the_answer_leaves_the_port_free() {
    // Closed before the question is asked, or between the question and its answer.
    let text = "const socket = dgram.createSocket('udp4');
        const ask = cluster._getServer;
        cluster._getServer = function(self, options, callback) {
            cluster._getServer = ask;
            const question = () => ask.call(this, self, options, (error, handle) => {
                assert.strictEqual(error, 0);
                const close = handle.close;
                handle.close = function() {
                    setImmediate(again);
                    return close.call(this);
                };
                callback(error, handle);
            });
            if (env.BEFORE) return socket.close(question);
            question();
            socket.close();
        };
        const again = () => {
            const other = dgram.createSocket('udp4');
            other.bind(+env.PORT, () => {
                say('bound');
                other.close(() => cluster.worker.disconnect());
            });
        };
        socket.bind(+env.PORT, never('bound'));";
    for node in SOME {
        for policy in BOTH {
            let port = ports::free_udp();
            let mut run = start(node, text, |setup| {
                setup.policy(policy).env("PORT", port.to_string());
            });
            for before in ["", "1"] {
                run.fork_with("BEFORE", before);
                assert_eq!(run.all_end_well(1).await, ["bound"], "{}", run.what());
                assert_eq!(run.cluster.addresses(), [], "{}", run.what());
                drop(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
            }
        }
    }
}

/// node: test-dgram-cluster-close-in-listening
#[tokio::test]
async fn sockets_can_close_as_they_begin_to_listen() {
    let text = "const socket = dgram.createSocket('udp4');
        socket.on('listening', () => socket.close());
        socket.on('close', () => cluster.worker.disconnect());
        socket.bind(0);";
    for node in SOME {
        let mut run = start(node, text, |_| {});
        for _ in 0..3 {
            run.fork();
        }
        run.all_end_well(3).await;
        assert_eq!(run.cluster.addresses(), [], "{}", run.what());
    }
}

/// node: test-dgram-exclusive-implicit-bind
#[tokio::test]
async fn only_who_binds_shares_a_port_and_who_just_sends_has_one_of_its_own() {
    let text = "const source = dgram.createSocket('udp4');
        if (env.BOUND) source.bind(0); else source.unref();
        source.send('abc', 0, 3, +env.PORT, '127.0.0.1');";
    for node in SOME {
        let socket = ours();
        let port = socket.local_addr().unwrap().port();
        let mut run = start(node, text, |setup| {
            setup.env("PORT", port.to_string());
        });
        run.fork();
        run.fork();
        run.fork_with("BOUND", "1");
        run.fork_with("BOUND", "1");
        let senders = received(socket, 4).await;
        let counts: BTreeSet<_> = senders.values().copied().collect();
        assert_eq!(
            (senders.len(), counts),
            (3, [1, 2].into()),
            "{}",
            run.what()
        );
        for worker in run.cluster.workers() {
            worker.disconnect();
        }
        run.all_end_well(4).await;
    }
}

/// node: test-dgram-unref-in-cluster
#[tokio::test]
async fn a_socket_that_was_unreferenced_before_its_bind_holds_nothing() {
    let text = "const socket = dgram.createSocket('udp4');
        socket.unref();
        socket.bind();
        socket.on('listening', () => {
            say(process.getActiveResourcesInfo().filter((name) => name === 'UDPWrap'));
            process.disconnect();
        });";
    for node in SINCE_22 {
        let mut run = start(node, text, |_| {});
        run.fork();
        assert_eq!(run.all_end_well(1).await, [json!([])], "{}", run.what());
    }
}

/// node: test-dgram-bind-shared-ports
#[tokio::test]
async fn a_shared_udp_port_can_be_had_by_all_and_an_exclusive_one_by_the_first() {
    let text = "const [one, two] = [dgram.createSocket('udp4'), dgram.createSocket('udp4')];
        one.on('error', (e) => say('one: ' + e.code));
        two.on('error', (e) => say('two: ' + e.code));
        one.bind({address: '127.0.0.1', port: +env.PORT, exclusive: false}, () =>
            two.bind({port: +env.OTHER, exclusive: true}, () => say('both')));";
    for node in SOME {
        let (port, other) = (ports::free_udp(), ports::free_udp());
        let mut run = start(node, text, |setup| {
            setup
                .env("PORT", port.to_string())
                .env("OTHER", other.to_string());
        });
        run.fork();
        assert_eq!(run.said().await, "both", "{}", run.what());
        run.fork();
        assert_eq!(run.said().await, "two: EADDRINUSE", "{}", run.what());
        assert_eq!(run.count("listening"), 2, "{}", run.what());
    }
}

/// A known issue of Node, and of ours: the two asked for different addresses.
///
/// node: test-dgram-bind-shared-ports-after-port-0
#[tokio::test]
async fn a_udp_port_that_was_given_for_port_0_is_not_shared_by_its_number() {
    let text = "const socket = dgram.createSocket('udp4');
        socket.on('error', (e) => { say(e.code); process.disconnect(); });
        socket.bind({address: '127.0.0.1', port: +env.PORT || 0, exclusive: false}, () =>
            say(socket.address().port));";
    for node in SOME {
        let mut run = start(node, text, |_| {});
        run.fork();
        let port = run.said().await;
        run.fork_with("PORT", &port.to_string());
        assert_eq!(run.said().await, "EADDRINUSE", "{}", run.what());
        run.all_end_well(1).await;
    }
}

/// Whoever binds a taken port by a number that others do not know of is told so.
#[tokio::test]
async fn who_was_refused_a_udp_port_is_said_to_our_program() {
    let text = "dgram.createSocket('udp4').on('error', () => process.disconnect())
        .bind(+env.PORT, '127.0.0.1');";
    let taken = ours();
    let address = taken.local_addr().unwrap();
    let mut run = start(Runtime::Node26, text, |setup| {
        setup.env("PORT", address.port().to_string());
    });
    let worker = run.fork();
    let failed = run.until(|event| match event {
        Event::ListenFailed {
            worker, address, ..
        } => Some((worker.clone(), address.clone())),
        _ => None,
    });
    assert_eq!(failed.await, (worker, ListeningAddress::Udp(address)));
    run.all_end_well(1).await;
}
