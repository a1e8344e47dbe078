//! What Node's own tests say of sockets that travel with messages, asserted of this primary over
//! Node workers.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod socket_support;

use serde_json::{Value, json};
use socket_support::{DEADLINE, SOME, meanwhile, start, start_children};
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use tine_cluster::{Cluster, Handle, Serialization, Stdio};
use tine_testkit::Runtime;

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The next connection, in time.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    listener.set_nonblocking(true).unwrap();
    let listener = listener.try_clone().unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let accepted = tokio::time::timeout(DEADLINE, listener.accept()).await;
    let (stream, peer) = accepted.expect("a connection in time").unwrap();
    (stream.into_std().unwrap(), peer)
}

/// Both ends of a connection: who connected, and who accepted.
fn connection() -> (TcpStream, TcpStream) {
    let (listener, address) = listener();
    let client = TcpStream::connect(address).unwrap();
    (client, listener.accept().unwrap().0)
}

/// A connection that came with a message, blocking.
fn stream(handle: Option<Handle>) -> TcpStream {
    match handle {
        Some(Handle::TcpStream(stream)) => {
            stream.set_nonblocking(false).unwrap();
            stream
        }
        other => panic!("no connection, but {other:?}"),
    }
}

fn port(said: Value) -> u16 {
    said.as_u64().unwrap().try_into().unwrap()
}

fn all_of(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// node: test-cluster-send-deadlock
#[tokio::test]
async fn sockets_sent_both_ways_at_once_all_arrive() {
    const COUNT: usize = 8;
    let text = "process.on('message', (message, handle) => {
            if (handle) return say('reply', handle);
            let open = message.count;
            for (let i = 0; i < message.count; i++) {
                net.connect(message.port, '127.0.0.1').on('close', () => {
                    if (--open === 0) cluster.worker.disconnect();
                }).resume();
            }
        });";
    for node in Runtime::NODES {
        let mut run = start(node, text, |_| {});
        let worker = run.fork();
        let (listener, address) = listener();
        let message = json!({"port": address.port(), "count": COUNT});
        worker.send(&message).await.unwrap();
        let mut sends = Vec::new();
        for _ in 0..COUNT {
            let (stream, _) = accept(&listener).await;
            let worker = worker.clone();
            sends.push(tokio::spawn(async move {
                worker.send_with_handle("handle", stream).await.unwrap();
            }));
        }
        let mut back = Vec::new();
        for _ in 0..COUNT {
            let (_, said, handle) = run.handed().await;
            assert_eq!(said, "reply");
            back.push(stream(handle));
        }
        for send in sends {
            send.await.unwrap();
        }
        // Nobody else has them: the clients hear the end.
        drop(back);
        run.all_end_well(1).await;
    }
}

/// node: test-cluster-send-handle-twice
#[tokio::test]
async fn a_socket_that_is_sent_twice_arrives_once() {
    let text = "const server = net.createServer((socket) => {
            say('first', socket);
            say('second', socket);
        });
        server.listen(0, () => {
            const client = net.connect(server.address().port, '127.0.0.1');
            client.on('close', () => cluster.worker.disconnect());
            process.on('message', () => client.end());
        });";
    for node in Runtime::NODES {
        let mut run = start(node, text, |_| {});
        let worker = run.fork();
        let (_, said, handle) = run.handed().await;
        assert_eq!(said, "first");
        let socket = stream(handle);
        let (_, said, handle) = run.handed().await;
        assert_eq!(said, "second");
        assert!(handle.is_none(), "{node:?}: {handle:?}");
        worker.send("end").await.unwrap();
        assert_eq!(meanwhile(move || all_of(socket)).await, "");
        // It asks what became of the socket of its server before it leaves.
        run.all_end_well(1).await;
    }
}

/// node: test-cluster-send-handle-large-payload
#[tokio::test]
async fn a_message_of_800_kilobytes_with_a_socket_goes_both_ways() {
    let text = "process.on('message', (message, handle) => {
            assert(handle instanceof net.Socket);
            say(message, handle);
            process.channel.unref();
        });";
    for node in Runtime::NODES {
        for serialization in [Serialization::Json, Serialization::Advanced] {
            let mut run = start(node, text, |setup| {
                setup.serialization(serialization);
            });
            let worker = run.fork();
            let payload = json!({"payload": "a".repeat(800_004)});
            let (client, accepted) = connection();
            worker.send_with_handle(&payload, accepted).await.unwrap();
            let (_, said, handle) = run.handed().await;
            assert!(said == payload, "{node:?} {serialization}: another payload");
            let back = stream(handle);
            assert_eq!(back.peer_addr().unwrap(), client.local_addr().unwrap());
            worker.disconnect();
            run.all_end_well(1).await;
        }
    }
}

/// node: test-cluster-send-socket-to-worker-http-server
#[tokio::test]
async fn a_socket_can_be_given_to_an_http_server_of_the_worker() {
    let text = "const server = http.createServer((request, response) => {
            response.end('served');
            response.on('finish', () => cluster.worker.disconnect());
        });
        server.on('connection', (socket) => assert.strictEqual(socket.server, server));
        process.on('message', (message, socket) => server.emit('connection', socket));";
    for node in SOME {
        let mut run = start(node, text, |_| {});
        let worker = run.fork();
        let (mut client, accepted) = connection();
        worker.send_with_handle("socket", accepted).await.unwrap();
        let answer = meanwhile(move || {
            client
                .write_all(b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
                .unwrap();
            all_of(client)
        });
        assert!(answer.await.contains("served"), "{node:?}");
        run.all_end_well(1).await;
    }
}

/// node: test-child-process-fork-net-socket
#[tokio::test]
async fn a_connection_is_answered_by_the_worker_it_was_sent_to() {
    let text = "process.on('message', (message, socket) => {
            assert.strictEqual(message.what, 'socket');
            socket.end('echo');
            socket.on('close', () => process.disconnect());
            socket.resume();
        });";
    for node in SOME {
        let mut run = start_children(node, text, |_| {});
        let worker = run.fork();
        let (client, accepted) = connection();
        let message = json!({"what": "socket"});
        worker.send_with_handle(&message, accepted).await.unwrap();
        assert_eq!(meanwhile(move || all_of(client)).await, "echo", "{node:?}");
        run.all_end_well(1).await;
    }
}

/// node: test-child-process-fork-net-server
#[tokio::test]
async fn a_listener_that_was_sent_accepts_on_both_sides() {
    let text = "process.on('message', (message, server) => {
            if (message === 'close') {
                return process.server.close(() => { say('closed'); process.disconnect(); });
            }
            process.server = server;
            server.on('connection', (socket) => { say('connection'); socket.destroy(); });
            say('accepts');
        });";
    for node in SOME {
        let mut run = start_children(node, text, |_| {});
        let worker = run.fork();
        let (ours, address) = listener();
        let theirs = ours.try_clone().unwrap();
        worker.send_with_handle("server", theirs).await.unwrap();
        assert_eq!(run.said().await, "accepts");
        // While nobody accepts here, there.
        let client = TcpStream::connect(address).unwrap();
        assert_eq!(run.said().await, "connection");
        assert_eq!(meanwhile(move || all_of(client)).await, "");
        worker.send("close").await.unwrap();
        assert_eq!(run.said().await, "closed");
        run.all_end_well(1).await;
        // The worker has closed its own: ours goes on.
        let client = TcpStream::connect(address).unwrap();
        let (accepted, peer) = accept(&ours).await;
        assert_eq!(peer, client.local_addr().unwrap());
        drop(accepted);
    }
}

/// node: test-child-process-fork-dgram
#[tokio::test]
async fn datagrams_reach_both_sides_of_a_udp_socket_that_was_sent() {
    let text = "process.on('message', (message, socket) => {
            assert(socket instanceof dgram.Socket);
            socket.once('message', (data) => {
                socket.close();
                say(data.toString());
                process.disconnect();
            });
            say('receives');
        });";
    for node in SOME {
        let mut run = start_children(node, text, |_| {});
        let worker = run.fork();
        let ours = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = ours.local_addr().unwrap();
        let theirs = ours.try_clone().unwrap();
        worker.send_with_handle("server", theirs).await.unwrap();
        assert_eq!(run.said().await, "receives");
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        // While nobody receives here, there.
        client.send_to(b"for you", address).unwrap();
        assert_eq!(run.said().await, "for you", "{node:?}");
        run.all_end_well(1).await;
        client.send_to(b"for us", address).unwrap();
        ours.set_nonblocking(false).unwrap();
        ours.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut data = [0; 16];
        let (count, _) = ours.recv_from(&mut data).unwrap();
        assert_eq!(&data[..count], b"for us");
    }
}

/// The worker sends one end of a connection and keeps the other.
const SENDS_SOCKETS: &str = "const server = net.createServer((c) => {
        process.once('message', (message) => {
            assert.strictEqual(message, 'got');
            c.end('hello');
        });
        connected();
    });
    let socket, ends = 0;
    const connected = () => { if (++ends === 2) say('handle', socket); };
    server.listen({port: 0, host: '127.0.0.1', exclusive: true}, () => {
        socket = net.connect(server.address().port, '127.0.0.1', connected);
    });
    process.on('disconnect', () => server.close());";

/// node: test-cluster-net-send
/// node: test-child-process-pass-fd
#[tokio::test]
async fn sockets_of_many_workers_stay_open_on_their_way_here() {
    const WORKERS: usize = 8;
    for node in SOME {
        let mut run = start_children(node, SENDS_SOCKETS, |_| {});
        for _ in 0..WORKERS {
            run.fork();
        }
        let mut read = Vec::new();
        for _ in 0..WORKERS {
            let (worker, said, handle) = run.handed().await;
            assert_eq!(said, "handle");
            let socket = stream(handle);
            let worker = run.cluster.worker(worker).unwrap();
            worker.send("got").await.unwrap();
            read.push(meanwhile(move || all_of(socket)));
        }
        for read in read {
            assert_eq!(read.await, "hello", "{node:?}");
        }
        for worker in run.cluster.workers() {
            worker.close_channel();
        }
        run.all_end_well(WORKERS).await;
    }
}

/// node: test-child-process-recv-handle
#[tokio::test]
async fn a_handle_comes_with_its_own_message_when_several_are_read_at_once() {
    // Reading its input it reads nothing else, and messages pile up.
    let text = "say('reads its input');
        fs.readSync(0, Buffer.alloc(1));
        const seen = [];
        process.on('message', (message, handle) => {
            seen.push([message, handle instanceof net.Socket]);
            if (seen.length < 3) return;
            say(seen);
            process.exit(0);
        });";
    for node in Runtime::NODES {
        for serialization in [Serialization::Json, Serialization::Advanced] {
            let mut run = start_children(node, text, |setup| {
                setup.serialization(serialization).stdio(0, Stdio::Piped);
            });
            let worker = run.fork();
            let input = worker.take_stdin().unwrap();
            assert_eq!(run.said().await, "reads its input");
            let (client, accepted) = connection();
            let sent = tokio::join!(
                worker.send("one"),
                worker.send_with_handle("two", accepted),
                worker.send("three"),
                async { input.try_write(b"!").unwrap() }
            );
            sent.0.unwrap();
            sent.1.unwrap();
            // It may be gone when this has come through.
            let _ = sent.2;
            let seen = json!([["one", false], ["two", true], ["three", false]]);
            let said = run.all_end_well(1).await;
            assert_eq!(said, [seen], "{node:?} {serialization}");
            drop(client);
        }
    }
}

/// node: test-child-process-send-keep-open
#[tokio::test]
async fn a_duplicate_of_a_sent_socket_can_be_used_here() {
    let text = "process.on('message', (message, socket) => {
            assert.strictEqual(message, 'socket');
            socket.write('worker', () => say('done'));
        });";
    for node in SOME {
        let mut run = start_children(node, text, |_| {});
        let worker = run.fork();
        let (client, accepted) = connection();
        let mut ours = accepted.try_clone().unwrap();
        worker.send_with_handle("socket", accepted).await.unwrap();
        assert_eq!(run.said().await, "done");
        // `O_NONBLOCK` is one for all duplicates; so little is written at once all the same.
        ours.write_all(b" primary").unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let said = meanwhile(move || all_of(client)).await;
        assert_eq!(said, "worker primary", "{node:?}");
        worker.close_channel();
        run.all_end_well(1).await;
    }
}

/// node: test-child-process-server-close
#[tokio::test]
async fn a_unix_connection_can_be_a_stream_of_a_worker() {
    for node in SOME {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let (cluster, _) = Cluster::builder()
            .exec(node.path())
            .args(["-v"])
            .stdio(1, OwnedFd::from(accepted))
            .start()
            .unwrap();
        let worker = cluster.fork().unwrap();
        let status = worker.exited().await.unwrap();
        assert_eq!(status, tine_cluster::ExitStatus::Code(0));
        // The settings hold the connection for the next worker.
        cluster.setup(|setup| {
            setup.stdio(1, Stdio::Inherit);
        });
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert_eq!(said, format!("v{}\n", node.version()));
    }
}

/// node: test-child-process-http-socket-leak
#[tokio::test]
async fn a_worker_that_sends_the_socket_of_a_request_keeps_nothing_of_it() {
    let text = "const server = http.createServer((request, response) => {
            const {socket} = response;
            const timeout = Object.getOwnPropertySymbols(socket)
                .find((symbol) => symbol.description === 'timeout');
            say(request.url, socket);
            server.close();
            process.on('message', () => {
                say([socket[timeout] && socket[timeout]._idleTimeout, socket.parser,
                     socket._httpMessage]);
                process.disconnect();
            });
        });
        server.timeout = 60_000;
        server.listen(0, () => say(server.address().port));";
    for node in SOME {
        let mut run = start_children(node, text, |_| {});
        let worker = run.fork();
        let port = port(run.said().await);
        let answer = meanwhile(move || {
            let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            client
                .write_all(b"GET /path HTTP/1.1\r\nhost: here\r\n\r\n")
                .unwrap();
            all_of(client)
        });
        let (_, url, handle) = run.handed().await;
        assert_eq!(url, "/path");
        let mut socket = stream(handle);
        socket
            .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nfrom here")
            .unwrap();
        drop(socket);
        assert!(answer.await.ends_with("from here"), "{node:?}");
        worker.send("answered").await.unwrap();
        assert_eq!(run.said().await, json!([-1, null, null]), "{node:?}");
        run.all_end_well(1).await;
    }
}

/// A Node server that sends its connections here counts them here, and closes when the last of
/// them is closed here.
///
/// node: test-child-process-fork-getconnections
/// node: test-child-process-fork-net
/// node: test-internal-socket-list-receive
#[tokio::test]
async fn a_server_counts_the_sockets_it_has_sent_here_and_closes_after_the_last() {
    const COUNT: usize = 12;
    let text = "const kept = [];
        const server = net.createServer((socket) => {
            // Every third stays.
            if (++server.seen % 3 === 0) { kept.push(socket); say('kept'); }
            else say('socket', socket);
        });
        server.seen = 0;
        server.listen(0, () => say(server.address().port));
        process.on('message', (message) => {
            if (message === 'close') {
                kept.forEach((socket) => socket.destroy());
                return server.close(() => { say('closed'); process.disconnect(); });
            }
            server.getConnections((error, count) => say([error, count]));
        });";
    for node in SOME {
        let mut run = start_children(node, text, |_| {});
        let worker = run.fork();
        let port = port(run.said().await);
        let mut clients = Vec::new();
        let mut taken = Vec::new();
        for number in 1..=COUNT {
            clients.push(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap());
            if number % 3 == 0 {
                assert_eq!(run.said().await, "kept");
            } else {
                taken.push(stream(run.handed().await.2));
            }
        }
        worker.send("count").await.unwrap();
        assert_eq!(run.said().await, json!([null, COUNT]), "{node:?}");
        taken.drain(2..);
        worker.send("count").await.unwrap();
        assert_eq!(run.said().await, json!([null, 2 + COUNT / 3]), "{node:?}");
        worker.send("close").await.unwrap();
        // It is answered in order: by then the server would have closed.
        worker.send("count").await.unwrap();
        assert_eq!(run.said().await[0], Value::Null, "{node:?}");
        taken[0].write_all(b"still open").unwrap();
        drop(taken);
        assert_eq!(run.said().await, "closed", "{node:?}");
        run.all_end_well(1).await;
    }
}
