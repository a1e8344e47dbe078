//! What Node's own tests say of workers that listen, asserted of this primary over Node workers:
//! unix sockets, what becomes of connections, and sockets that are asked for by no address.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod socket_support;

use serde_json::json;
use socket_support::{BOTH, DEADLINE, SINCE_20, SINCE_22, SOME, THREE, meanwhile, start};
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use tine_cluster::{Event, ListeningAddress, Policy};
use tine_testkit::Runtime;

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

/// node: test-cluster-eaccess
#[tokio::test]
async fn a_path_that_a_child_of_the_worker_has_is_refused() {
    // The error travels as the program sends it: as JSON.
    let text = "if (env.HOLDER) {
            net.createServer().listen(env.SOCKET, () => say('held'));
            process.on('message', () => process.exit(0));
        } else {
            const child = require('child_process').fork(__filename, {env: {...env, HOLDER: '1'}});
            child.on('message', () => {
                net.createServer().listen(env.SOCKET, never('listening')).on('error', (e) => {
                    child.send('end');
                    say(e);
                });
            });
        }";
    for node in SOME {
        for policy in BOTH {
            let folder = tempfile::tempdir().unwrap();
            let mut run = start(node, text, |setup| {
                setup
                    .policy(policy)
                    .env("SOCKET", folder.path().join("held"));
            });
            let worker = run.fork();
            assert_eq!(run.said().await["code"], "EADDRINUSE", "{}", run.what());
            worker.disconnect();
            run.all_end_well(1).await;
        }
    }
}

/// node: test-cluster-http-pipe
#[tokio::test]
async fn http_over_a_unix_socket_has_no_addresses() {
    let text = "const server = http.createServer((request, response) => {
            const {remoteAddress, localAddress} = request.socket;
            say([remoteAddress === undefined, localAddress === undefined]);
            response.end('OK');
        });
        server.listen(env.SOCKET, () => {
            http.get({socketPath: env.SOCKET, path: '/'}, (response) => {
                response.resume();
                response.on('end', () => { say('done'); process.disconnect(); });
            });
        });";
    for node in SOME {
        for policy in BOTH {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("http");
            let mut run = start(node, text, |setup| {
                setup.policy(policy).env("SOCKET", &path);
            });
            run.fork();
            let listening = run.listening().await.1;
            assert_eq!(listening, ListeningAddress::Unix(path.clone()));
            assert_eq!(
                run.all_end_well(1).await,
                [json!([true, true]), json!("done")]
            );
            assert!(!path.exists(), "{}", run.what());
        }
    }
}

/// node: test-cluster-listen-pipe-readable-writable
#[tokio::test]
async fn a_unix_socket_is_as_open_as_its_server_wants() {
    let text = "const server = net.createServer();
        server.listen({path: env.SOCKET, readableAll: true, writableAll: true}, () => {
            say(fs.statSync(env.SOCKET).mode & 0o777);
            server.close();
            process.disconnect();
        });";
    for node in SOME {
        for policy in BOTH {
            let folder = tempfile::tempdir().unwrap();
            let mut run = start(node, text, |setup| {
                setup
                    .policy(policy)
                    .env("SOCKET", folder.path().join("open"));
            });
            run.fork();
            assert_eq!(run.all_end_well(1).await, [json!(0o777)], "{}", run.what());
        }
    }
}

/// node: test-cluster-net-listen-relative-path
#[tokio::test]
async fn a_relative_path_works_where_the_absolute_one_is_too_long() {
    let text = "process.chdir('folder');
        net.createServer().listen(env.NAME, () => {
            say(fs.existsSync(env.NAME));
            process.disconnect();
        });";
    for node in SOME {
        for policy in BOTH {
            let folder = tempfile::tempdir().unwrap();
            let name = "A".repeat(91);
            let inside = folder.path().join("folder");
            std::fs::create_dir(&inside).unwrap();
            let path = inside.join(&name);
            // What fits into `sun_path`, unix(7).
            assert!(path.as_os_str().len() > 107);
            let mut run = start(node, text, |setup| {
                setup.policy(policy).env("NAME", &name).cwd(folder.path());
            });
            run.fork();
            assert_eq!(run.all_end_well(1).await, [json!(true)], "{}", run.what());
            assert!(!path.exists(), "{}", run.what());
        }
    }
}

/// node: test-cluster-net-server-drop-connection
#[tokio::test]
async fn what_a_full_worker_refuses_goes_to_the_others() {
    let text = "const server = net.createServer(() => say('connection'));
        server.maxConnections = +env.MAX;
        server.listen(env.SOCKET);
        process.on('message', () => process.disconnect());";
    for node in SINCE_22 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("full");
        let mut run = start(node, text, |setup| {
            setup.policy(Policy::RoundRobin).env("SOCKET", &path);
        });
        let maxima = [0, 1, 9];
        let workers = maxima.map(|max| run.fork_with("MAX", &max.to_string()));
        for _ in &workers {
            run.listening().await;
        }
        let clients: Vec<_> = (0..10)
            .map(|_| UnixStream::connect(&path).unwrap())
            .collect();
        let mut taken = [0; 3];
        for _ in &clients {
            let (worker, _, _) = run.handed().await;
            taken[worker.0 as usize - 1] += 1;
        }
        assert_eq!(taken, maxima, "{node:?}");
        for worker in &workers {
            worker.send("leave").await.unwrap();
        }
        run.all_end_well(3).await;
    }
}

/// node: test-http-server-drop-connections-in-cluster
#[tokio::test]
async fn what_a_worker_drops_goes_to_nobody_else() {
    let text = "const server = http.createServer(never('a request'));
        server.maxConnections = 0;
        server.dropMaxConnection = true;
        server.on('drop', () => { say('drop'); process.disconnect(); });
        server.listen(0);";
    for node in SINCE_22 {
        let mut run = start(node, text, |setup| {
            setup.policy(Policy::RoundRobin);
        });
        run.fork();
        let port = run.port().await;
        let said = all_that_is_said_on(v4(port)).await;
        assert!(said.is_err() || said.unwrap().is_empty(), "{node:?}");
        assert_eq!(run.all_end_well(1).await, ["drop"], "{node:?}");
    }
}

/// node: test-cluster-shared-leak
#[tokio::test]
async fn a_connection_that_races_with_disconnect_keeps_nobody() {
    let text = "net.createServer((c) => {
            c.on('error', (e) => { if (e.code !== 'ECONNRESET') throw e; });
            c.end('bye');
        }).listen(0);";
    for node in SOME {
        for policy in THREE {
            let mut run = start(node, text, |setup| {
                setup.policy(policy);
            });
            let first = run.fork();
            let port = run.port().await;
            let second = run.fork();
            second.online().await.unwrap();
            let client = meanwhile(move || TcpStream::connect(v4(port)).unwrap()).await;
            first.disconnect();
            second.disconnect();
            let said = meanwhile(move || all_that_is_said(client));
            run.all_end_well(2).await;
            assert_eq!(run.cluster.addresses(), [], "{}", run.what());
            // Whoever had it ends it; what nobody had is reset.
            if let Ok(said) = said.await {
                assert!(
                    ["", "bye"].contains(&said.as_str()),
                    "{}: {said}",
                    run.what()
                );
            }
        }
    }
}

/// node: test-cluster-worker-handle-close
#[tokio::test]
async fn a_connection_that_comes_as_the_server_closes_is_closed_by_all() {
    let text = "const server = net.createServer(never('a connection')).listen(0);
        process.prependListener('internalMessage', (message, handle) => {
            if (message.act !== 'newconn') return;
            server.close();
            const close = handle.close;
            handle.close = () => close.call(handle, () => process.exit(0));
        });";
    for node in Runtime::NODES {
        let mut run = start(node, text, |setup| {
            setup.policy(Policy::RoundRobin);
        });
        run.fork();
        let port = run.port().await;
        let client = tokio::spawn(all_that_is_said_on(v4(port)));
        run.all_end_well(1).await;
        // Nobody else listens there: the client is not kept waiting.
        let said = client.await.unwrap();
        assert!(said.is_err() || said.unwrap().is_empty(), "{node:?}");
        assert_eq!(run.cluster.addresses(), [], "{node:?}");
    }
}

/// node: test-net-listen-handle-in-cluster-1
#[tokio::test]
async fn a_listener_sent_to_a_worker_is_a_server_there() {
    let text = "process.on('message', (message, server) => {
            assert.strictEqual(message, null);
            assert(server instanceof net.Server);
            process.exit(0);
        });";
    for node in SINCE_20 {
        let mut run = start(node, text, |_| {});
        let worker = run.fork();
        let listener = TcpListener::bind(v4(0)).unwrap();
        worker.send_with_handle(&(), listener).await.unwrap();
        run.all_end_well(1).await;
    }
    // Node 18 asks its primary for a socket that it has, which nobody can give it.
    let text = "process.on('message', never('a message'));
        process.on('uncaughtException', (e) => { say(e.code); process.exit(0); });";
    let mut run = start(Runtime::Node18, text, |_| {});
    let worker = run.fork();
    let listener = TcpListener::bind(v4(0)).unwrap();
    worker.send_with_handle(&(), listener).await.unwrap();
    assert_eq!(run.all_end_well(1).await, ["EINVAL"]);
}

/// node: test-net-listen-handle-in-cluster-2
#[tokio::test]
async fn a_worker_that_listens_on_a_handle_of_its_own_asks_nobody() {
    let text = "const {TCP, constants} = process.binding('tcp_wrap');
        const handle = new TCP(constants.SOCKET);
        assert.strictEqual(handle.bind('0.0.0.0', 0), 0);
        net.createServer().listen(handle, () => process.exit(0));";
    for node in SINCE_20 {
        let mut run = start(node, text, |_| {});
        run.fork();
        run.all_end_well(1).await;
        assert_eq!(run.count("listen"), 0, "{node:?}");
    }
}

/// node: test-listen-fd-cluster
#[tokio::test]
async fn a_worker_listens_on_a_descriptor_of_the_primary() {
    let text = "http.createServer((request, response) => response.end('hello'))
            .on('error', (e) => say(e.code))
            .listen({fd: 30}, () => say('listening'));";
    for node in Runtime::NODES {
        for policy in BOTH {
            let socket = TcpListener::bind(v4(0)).unwrap();
            let port = socket.local_addr().unwrap().port();
            let mut run = start(node, text, |setup| {
                setup.policy(policy).offer_descriptor(30, socket);
            });
            let workers = [run.fork(), run.fork()];
            assert_eq!(run.port().await, port, "{}", run.what());
            for _ in &workers {
                assert_eq!(run.said().await, "listening", "{}", run.what());
            }
            let answer = meanwhile(move || tine_testkit::get(port, "/").unwrap()).await;
            assert_eq!(answer.text(), "hello", "{}", run.what());
            for worker in &workers {
                worker.disconnect();
            }
            run.all_end_well(2).await;
        }
    }
    let mut run = start(Runtime::Node22, text, |_| {});
    run.fork();
    // Not any number of ours, as in Node: only what is offered.
    let failed = run.until(|event| match event {
        Event::ListenFailed { address, error, .. } => Some((address.clone(), error.raw_os_error())),
        _ => None,
    });
    let bad = rustix::io::Errno::BADF.raw_os_error();
    assert_eq!(failed.await, (ListeningAddress::Descriptor(30), Some(bad)));
    assert_eq!(run.said().await, "EBADF");
}

/// node: test-tls-ticket-cluster
#[tokio::test]
async fn a_tls_session_of_one_worker_is_known_to_all() {
    let text = "const tls = require('tls');
        const read = (name) => fs.readFileSync(path.join(env.KEYS, name));
        const keys = {key: read('key.pem'), cert: read('cert.pem')};
        if (env.CLIENT) {
            let session, left = 12, reused = 0;
            const shoot = () => {
                const c = tls.connect(+env.CLIENT, {session, rejectUnauthorized: false});
                c.on('secureConnect', () => { if (c.isSessionReused()) reused++; });
                c.once('session', (fresh) => { session = session || fresh; });
                c.on('end', () => c.end());
                c.on('close', () => { if (--left > 0) shoot(); else say(reused); });
                c.resume();
            };
            shoot();
        } else {
            tls.createServer(keys, (c) => { say(['by', c.isSessionReused()]); c.end('x'); }).listen(0);
        }";
    let keys = tempfile::tempdir().unwrap();
    // Of `openssl req -x509 -newkey ec -nodes`, for these tests alone.
    let (key, certificate) = (
        include_str!("socket_support/key.pem"),
        include_str!("socket_support/cert.pem"),
    );
    std::fs::write(keys.path().join("key.pem"), key).unwrap();
    std::fs::write(keys.path().join("cert.pem"), certificate).unwrap();
    for node in SOME {
        for policy in BOTH {
            let mut run = start(node, text, |setup| {
                setup.policy(policy).env("KEYS", keys.path());
            });
            for _ in 0..3 {
                run.fork();
            }
            let port = run.port().await;
            run.port().await;
            run.port().await;
            let client = run.fork_with("CLIENT", &port.to_string()).id();
            let (mut reused, mut by_the_client) = (Vec::new(), None);
            while by_the_client.is_none() || reused.len() < 12 {
                match run.handed().await {
                    (who, reused, _) if who == client => by_the_client = Some(reused),
                    (who, said, _) => reused.push((who, said[1] == true)),
                }
            }
            // The first handshake is the only full one, whoever serves the others.
            assert_eq!(by_the_client, Some(json!(11)), "{}", run.what());
            let full = reused.iter().filter(|(_, reused)| !reused).count();
            assert_eq!((reused.len(), full), (12, 1), "{}", run.what());
            if policy == Policy::RoundRobin {
                let mut served: Vec<_> = reused.iter().map(|(who, _)| who.0).collect();
                served.sort_unstable();
                assert_eq!(served, [[1; 4], [2; 4], [3; 4]].concat());
            }
        }
    }
}

/// What is shown of a cluster is short, and says nothing of messages and environments.
#[tokio::test]
async fn events_show_no_secrets() {
    let text = "net.createServer().on('error', () => process.disconnect()).listen({fd: 30});";
    let mut run = start(Runtime::Node26, text, |setup| {
        setup.env("TOKEN", "secret");
    });
    run.fork();
    let shown = run.until(|event| match event {
        Event::ListenFailed { .. } => Some(format!("{event:?}")),
        _ => None,
    });
    let shown = shown.await;
    assert!(
        shown.contains("WorkerProcess { id: WorkerId(1), pid: "),
        "{shown}"
    );
    assert!(shown.len() < 300, "{shown}");
    let shown = format!("{:?} {:?}", run.cluster, run.cluster.settings());
    assert!(
        shown.contains("TOKEN") && !shown.contains("secret"),
        "{shown}"
    );
    run.all_end_well(1).await;
}
