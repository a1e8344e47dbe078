//! What Node's own tests say of workers that listen, asserted of this primary over Node workers.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod socket_support;

use serde_json::json;
use socket_support::{
    BOTH, DEADLINE, SINCE_20, SINCE_22, SOME, THREE, meanwhile, start, start_children,
};
use std::io::{ErrorKind, Read as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use tine_cluster::ListeningAddress;
use tine_testkit::{Runtime, ports};

/// Connects, and waits until the other side ends the connection: what it said, or how it ended.
async fn all_that_is_said_on(address: SocketAddr) -> std::io::Result<String> {
    meanwhile(move || all_that_is_said(TcpStream::connect_timeout(&address, DEADLINE)?)).await
}

fn all_that_is_said(mut stream: TcpStream) -> std::io::Result<String> {
    stream.set_read_timeout(Some(DEADLINE))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn v4(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn v6(port: u16) -> SocketAddr {
    (Ipv6Addr::LOCALHOST, port).into()
}

/// node: test-cluster-bind-privileged-port
/// node: test-cluster-shared-handle-bind-privileged-port
#[tokio::test]
async fn a_privileged_port_is_refused_when_the_primary_has_no_privilege() {
    const PORT: u16 = 42;
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    assert!(
        first.trim().parse::<u16>().unwrap() > PORT,
        "all ports are free for all here"
    );
    // Capabilities are a thread's, and this is the one that the cluster works in.
    let mut mine = rustix::thread::capabilities(None).unwrap();
    mine.effective
        .remove(rustix::thread::CapabilitySet::NET_BIND_SERVICE);
    rustix::thread::set_capabilities(None, mine).unwrap();
    let text = "net.createServer().listen(42, never('listening')).on('error', (e) => {
        say([e.code, e.syscall, e.port]);
        process.disconnect();
    });";
    for node in SOME {
        for policy in THREE {
            let mut run = start(node, text, |setup| {
                setup.policy(policy);
            });
            run.fork();
            assert_eq!(
                run.refused().await,
                ErrorKind::PermissionDenied,
                "{}",
                run.what()
            );
            assert_eq!(run.all_end_well(1).await, [json!(["EACCES", "bind", PORT])]);
        }
    }
}

/// node: test-cluster-bind-twice
/// node: test-cluster-shared-handle-bind-error
#[tokio::test]
async fn a_port_that_another_cluster_has_is_refused() {
    let text = "const server = http.createServer(never('a request'));
        server.on('error', (e) => { say(e.code); process.disconnect(); });
        server.listen(+env.PORT, () => say('ready'));";
    for node in SOME {
        for policy in THREE {
            let port = ports::free_tcp().to_string();
            let set = |setup: &mut tine_cluster::Setup| {
                setup.policy(policy).env("PORT", &port);
            };
            let mut one = start(node, text, set);
            let first = one.fork();
            assert_eq!(one.said().await, "ready");
            let mut two = start(node, text, set);
            two.fork();
            assert_eq!(two.refused().await, ErrorKind::AddrInUse, "{}", two.what());
            assert_eq!(two.all_end_well(1).await, ["EADDRINUSE"]);
            first.disconnect();
            one.all_end_well(1).await;
        }
    }
}

/// node: test-cluster-child-index-net
#[tokio::test]
async fn servers_on_port_0_can_close_and_listen_anew_in_their_callbacks() {
    let text = "let closed = 0;
        const done = () => { if (++closed === 4) process.exit(0); };
        for (let i = 0; i < 2; i++) {
            const first = net.createServer().listen(0, () => {
                first.close(done);
                const second = net.createServer().listen(0, () => second.close(done));
            });
        }";
    for node in Runtime::NODES {
        for policy in THREE {
            let mut run = start(node, text, |setup| {
                setup.policy(policy);
            });
            run.fork();
            run.all_end_well(1).await;
            assert_eq!(run.cluster.addresses(), [], "{}", run.what());
        }
    }
}

/// node: test-cluster-listening-port
#[tokio::test]
async fn whoever_listens_on_port_0_is_said_to_listen_on_the_real_port() {
    let text = "const server = net.createServer().listen(0, () => say(server.address().port));";
    for node in SOME {
        for policy in THREE {
            let mut run = start(node, text, |setup| {
                setup.policy(policy);
            });
            let worker = run.fork();
            let port = run.port().await;
            assert_ne!(port, 0);
            assert_eq!(run.said().await, port, "{}", run.what());
            assert_eq!(run.cluster.addresses().len(), 1);
            worker.disconnect();
            run.all_end_well(1).await;
        }
    }
}

/// The backlog that the kernel granted to this process's listener on a port.
fn backlog(port: u16) -> Option<u32> {
    let me = rustix::process::getpid();
    let me = rustix::process::pidfd_open(me, rustix::process::PidfdFlags::empty()).unwrap();
    let numbers = std::fs::read_dir("/proc/self/fd").unwrap();
    let numbers = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.into_iter().find_map(|number: i32| {
        let flags = rustix::process::PidfdGetfdFlags::empty();
        // Other tests of this process open and close theirs meanwhile.
        let fd = rustix::process::pidfd_getfd(&me, number, flags).ok()?;
        let address = tine_sys::socket::local_address(fd.as_fd()).ok()?;
        let queue = tine_sys::socket::queue(fd.as_fd()).ok()?;
        (address.port() == port).then_some(queue.limit)
    })
}

/// node: test-cluster-net-listen-backlog
#[tokio::test]
async fn the_kernel_is_asked_for_the_backlog_of_the_worker() {
    let text = "net.createServer().listen({host: '127.0.0.1', port: 0, backlog: 127});";
    for node in SOME {
        for policy in BOTH {
            let mut run = start(node, text, |setup| {
                setup.policy(policy);
            });
            let worker = run.fork();
            let port = run.port().await;
            assert_eq!(backlog(port), Some(127), "{}", run.what());
            worker.disconnect();
            run.all_end_well(1).await;
        }
    }
}

/// node: test-cluster-net-listen
#[tokio::test]
async fn a_server_can_listen_without_a_port() {
    for node in SOME {
        for policy in THREE {
            let text = "net.createServer().listen(() => process.exit(0));";
            let mut run = start(node, text, |setup| {
                setup.policy(policy);
            });
            run.fork();
            run.all_end_well(1).await;
        }
    }
}

/// node: test-cluster-net-listen-ipv6only-false
#[tokio::test]
async fn an_unspecified_ipv6_address_takes_ipv4_too_and_is_shared_by_all() {
    let text = "net.createServer((c) => c.end('hello')).listen({host: '::', port: 0});";
    for node in SOME {
        for policy in THREE {
            let mut run = start(node, text, |setup| {
                setup.policy(policy);
            });
            let workers = [run.fork(), run.fork(), run.fork()];
            let (_, address) = run.listening().await;
            assert_eq!(run.listening().await.1, address, "{}", run.what());
            assert_eq!(run.listening().await.1, address, "{}", run.what());
            let ListeningAddress::Tcp(address) = address else {
                panic!("it listens on {address}");
            };
            assert_eq!(address.ip(), Ipv6Addr::UNSPECIFIED);
            for address in [v4(address.port()), v6(address.port())] {
                assert_eq!(all_that_is_said_on(address).await.unwrap(), "hello");
            }
            workers.iter().for_each(|worker| worker.disconnect());
            run.all_end_well(3).await;
        }
    }
}

/// node: test-cluster-net-listen-ipv6only-rr
/// node: test-cluster-net-listen-ipv6only-none
#[tokio::test]
async fn an_ipv6_only_server_leaves_its_port_free_for_ipv4() {
    let text = "net.createServer().listen({host: '::', port: +env.PORT, ipv6Only: true});";
    for node in SOME {
        for policy in THREE {
            let port = ports::free_tcp();
            let mut run = start(node, text, |setup| {
                setup.policy(policy).env("PORT", port.to_string());
            });
            let workers = [run.fork(), run.fork(), run.fork()];
            for _ in &workers {
                let expected = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
                assert_eq!(run.listening().await.1, ListeningAddress::Tcp(expected));
            }
            drop(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
            workers.iter().for_each(|worker| worker.disconnect());
            run.all_end_well(3).await;
        }
    }
}

/// node: test-cluster-net-reuseport
#[tokio::test]
async fn a_server_that_reuses_its_port_asks_nobody() {
    let text = "const [one, two] = [net.createServer(), net.createServer()];
        cluster._getServer = never('_getServer');
        let open = 2;
        const closed = () => { if (--open === 0) cluster.worker.disconnect(); };
        one.listen({port: 0, host: '127.0.0.1', reusePort: true}, () => {
            const {port} = one.address();
            two.listen({port, host: '127.0.0.1', reusePort: true}, () => {
                one.close(closed);
                two.close(closed);
            });
        });";
    for node in SINCE_22 {
        let mut run = start(node, text, |_| {});
        run.fork();
        run.all_end_well(1).await;
        assert_eq!(run.count("listening"), 0, "{node:?}");
    }
}

/// node: test-child-process-net-reuseport
#[tokio::test]
async fn workers_share_a_port_with_the_primarys_own_program_by_reuse_port() {
    let text = "const options = {port: +env.PORT, host: '127.0.0.1', reusePort: true};
        const server = net.createServer().listen(options, () => {
            server.close();
            process.disconnect();
        });";
    for node in SINCE_22 {
        let options = tine_sys::socket::TcpOptions {
            reuse_port: true,
            only_v6: None,
        };
        let ours = tine_sys::socket::tcp_bind(v4(0), &options).unwrap();
        tine_sys::socket::listen(ours.as_fd(), 511).unwrap();
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

/// node: test-cluster-server-restart-rr
/// node: test-cluster-server-restart-none
#[tokio::test]
async fn a_server_closes_and_listens_again_while_another_worker_has_the_port() {
    let text = "const server = net.createServer();
        server.listen(0, () => {
            if (cluster.worker.id !== 2) return;
            server.close(() => server.listen(0, () => server.close(() => process.disconnect())));
        });";
    for node in SOME {
        for policy in THREE {
            let mut run = start(node, text, |setup| {
                setup.policy(policy);
            });
            let first = run.fork();
            run.port().await;
            run.fork();
            run.all_end_well(1).await;
            first.disconnect();
            run.all_end_well(1).await;
        }
    }
}

/// node: test-cluster-port-reuse-between-workers
#[tokio::test]
async fn after_a_second_listen_has_failed_a_port_can_be_had_again() {
    let text = "const listen = () => new Promise((resolve, reject) => {
            const server = net.createServer().on('error', reject);
            server.listen({port: +env.PORT, host: '::'}, () => resolve(server));
        });
        const closed = (server) => new Promise((resolve) => server.close(resolve));
        (async () => {
            const server = await listen();
            if (env.SECOND) return say('second listens');
            const failure = await listen().catch((e) => e.code);
            assert.strictEqual(failure, 'EADDRINUSE');
            await closed(server);
            say('closed');
            process.once('message', async () => {
                await closed(await listen());
                say('closed again');
            });
        })();";
    for node in Runtime::NODES {
        for policy in THREE {
            let port = ports::free_tcp().to_string();
            let mut run = start(node, text, |setup| {
                setup.policy(policy).env("PORT", &port);
            });
            let first = run.fork();
            assert_eq!(run.said().await, "closed", "{}", run.what());
            let second = run.fork_with("SECOND", "1");
            assert_eq!(run.said().await, "second listens", "{}", run.what());
            first.send("listen again").await.unwrap();
            assert_eq!(run.said().await, "closed again", "{}", run.what());
            for worker in [first, second] {
                worker.disconnect();
            }
            run.all_end_well(2).await;
        }
    }
}

/// node: test-net-listen-twice
#[tokio::test]
async fn a_server_that_is_told_to_listen_twice_listens_once() {
    let text = "const server = net.createServer();
        server.listen();
        server.listen();
        let answers = 0;
        process.on('internalMessage', (message) => {
            if (message.cmd !== 'NODE_CLUSTER' || ++answers !== 2) return;
            setImmediate(() => server.close(() => { say('closed'); process.disconnect(); }));
        });
        server.once('listening', () => server.on('listening', never('listening twice')));";
    // Node 18 calls it twice, whoever the primary is.
    for node in SINCE_20 {
        for policy in THREE {
            let mut run = start(node, text, |setup| {
                setup.policy(policy);
            });
            run.fork();
            assert_eq!(run.all_end_well(1).await, ["closed"], "{}", run.what());
            assert_eq!(run.cluster.addresses(), [], "{}", run.what());
        }
    }
}

/// node: test-net-listen-exclusive-random-ports
#[tokio::test]
async fn exclusive_servers_on_port_0_have_ports_of_their_own() {
    let text = "const server = net.createServer();
        server.listen({port: 0, exclusive: true}, () => say(server.address().port));";
    for node in SOME {
        let mut run = start(node, text, |_| {});
        let workers = [run.fork(), run.fork()];
        let (one, two) = (run.said().await, run.said().await);
        assert!(one.is_u64() && two.is_u64(), "{one} {two}");
        assert_ne!(one, two);
        assert_eq!(run.count("listening"), 0, "{node:?}");
        for worker in &workers {
            worker.kill(rustix::process::Signal::TERM).unwrap();
            worker.exited().await;
        }
    }
}

/// node: test-net-listen-shared-ports
#[tokio::test]
async fn a_shared_port_can_be_had_by_all_and_an_exclusive_one_by_the_first() {
    let text = "const [one, two] = [net.createServer(), net.createServer()];
        one.on('error', (e) => say('one: ' + e.code));
        two.on('error', (e) => say('two: ' + e.code));
        one.listen({host: '127.0.0.1', port: +env.PORT, exclusive: false}, () =>
            two.listen({port: +env.OTHER, exclusive: true}, () => say('both')));";
    for node in SOME {
        for policy in THREE {
            let (port, other) = (ports::free_tcp(), ports::free_tcp());
            let mut run = start(node, text, |setup| {
                setup
                    .policy(policy)
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
}

/// node: test-net-server-close-before-ipc-response
#[tokio::test]
async fn a_server_that_closes_before_the_answer_leaves_the_port_free() {
    let text = "const server = net.createServer();
        server.listen(+env.PORT, never('listening'));
        server.close();
        process.once('internalMessage', () => setImmediate(() => {
            say('answered');
            cluster.worker.disconnect();
        }));";
    for node in SINCE_22 {
        for policy in THREE {
            let port = ports::free_tcp();
            let mut run = start(node, text, |setup| {
                setup.policy(policy).env("PORT", port.to_string());
            });
            run.fork();
            assert_eq!(run.said().await, "answered", "{}", run.what());
            run.all_end_well(1).await;
            assert_eq!(run.count("listening"), 0, "{}", run.what());
            assert_eq!(run.cluster.addresses(), [], "{}", run.what());
            drop(TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap());
        }
    }
}
