//! A worker and the other end of its channel, step by step.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod claims;
mod primary;
mod trouble;

use super::{ListenOptions, Reason, Worker};
use crate::error::SendError;
use futures_core::Stream;
use primary::{ADDRESS, is_ready, listening, pair, within};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tine_ipc::encode::{self, NativeKind};
use tine_ipc::{Act, Body, Event, Serialization, Token};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_connection_is_taken_when_the_program_takes_it_and_goes_back_when_it_does_not() {
    let (worker, mut primary) = pair(Some(1));
    let (mut listener, key) = listening(&worker, &mut primary).await;
    assert_eq!(
        listener.local_addr().unwrap(),
        ADDRESS.parse::<SocketAddr>().unwrap()
    );
    assert!(!is_ready(pin!(listener.accept())));
    let client = primary.pass_on(&key, 7).await;
    let (_, address) = within("a connection", listener.accept()).await.unwrap();
    assert_eq!(address, client.local_addr().unwrap());
    let answer = primary.answer().await;
    assert_eq!(answer.ack, Some(7));
    assert!(matches!(answer.act, Act::Reply(reply) if reply.accepted == Some(true)));

    let _second = primary.pass_on(&key, 8).await;
    assert!(matches!(primary.event().await, Some(Event::HandleTaken(_))));
    drop(listener);
    let answer = primary.answer().await;
    assert_eq!(answer.ack, Some(8));
    assert!(matches!(answer.act, Act::Reply(reply) if reply.accepted == Some(false)));
    assert!(matches!(primary.answer().await.act, Act::Close { key: closed } if closed == key));
    // What comes after that is nobody's.
    let _third = primary.pass_on(&key, 9).await;
    let answer = primary.answer().await;
    assert!(matches!(answer.act, Act::Reply(reply) if reply.accepted == Some(false)));
}

#[tokio::test]
async fn what_is_granted_to_nobody_is_given_back() {
    let (worker, mut primary) = pair(Some(1));
    let mut asked = Box::pin(worker.listen(ADDRESS.parse().unwrap()));
    assert!(!is_ready(asked.as_mut()));
    let (ack, key) = primary.question().await;
    // Once it is not waited for when the answer comes …
    drop(asked);
    primary.grant_round_robin(ack, &key).await;
    assert!(matches!(primary.cluster().await.act, Act::Listening(_)));
    assert!(matches!(primary.cluster().await.act, Act::Close { .. }));
    // … and once it is dropped with the answer in hand.
    let mut asked = Box::pin(worker.listen(ADDRESS.parse().unwrap()));
    assert!(!is_ready(asked.as_mut()));
    let (ack, key) = primary.question().await;
    primary.grant_round_robin(ack, &key).await;
    assert!(matches!(primary.cluster().await.act, Act::Listening(_)));
    drop(asked);
    assert!(matches!(primary.cluster().await.act, Act::Close { .. }));
}

#[tokio::test]
async fn a_real_socket_is_handed_out_and_one_that_is_not_bound_to_the_port_is_in_use() {
    let (worker, mut primary) = pair(Some(1));
    for right in [true, false] {
        let bound: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let fd =
            tine_sys::socket::tcp_bind(bound, &tine_sys::socket::TcpOptions::default()).unwrap();
        let address = tine_sys::socket::local_address(fd.as_fd()).unwrap();
        let asked = tokio::spawn({
            let worker = worker.clone();
            let port = if right {
                address.port()
            } else {
                address.port() ^ 1
            };
            async move { worker.listen(([127, 0, 0, 1], port).into()).await }
        });
        let (ack, key) = primary.question().await;
        let reply = encode::shared_reply(&key, ack, 0, None);
        primary.channel.send_cluster_handle(
            &reply,
            NativeKind::TcpListener,
            Arc::new(fd),
            Token(1),
        );
        primary.write_all().await;
        let listener = within("an answer", asked).await.unwrap();
        if !right {
            let error = listener.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            assert!(matches!(primary.answer().await.act, Act::Close { .. }));
            continue;
        }
        assert!(matches!(primary.answer().await.act, Act::Listening(_)));
        let mut listener = listener.unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        // What somebody else has left behind comes beside it.
        let other = primary.pass_on(&key, 5).await;
        let mut seen = Vec::new();
        for _ in 0..2 {
            seen.push(within("a connection", listener.accept()).await.unwrap().1);
        }
        let mut expected = [client.local_addr().unwrap(), other.local_addr().unwrap()];
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected);
        assert!(matches!(primary.answer().await.act, Act::Reply(_)));
        let own = listener.into_std().unwrap();
        assert_eq!(own.local_addr().unwrap(), address);
        let _passed = primary.pass_on(&key, 6).await;
        let answer = primary.answer().await;
        assert!(matches!(answer.act, Act::Reply(reply) if reply.accepted == Some(false)));
        let client = std::net::TcpStream::connect(address).unwrap();
        assert_eq!(own.accept().unwrap().1, client.local_addr().unwrap());
    }
    let (listener, _) = listening(&worker, &mut primary).await;
    assert!(listener.into_std().is_err());
}

#[tokio::test]
async fn a_disconnect_of_its_own_is_said_in_nodes_order() {
    let (worker, mut primary) = pair(Some(1));
    let (mut listener, key) = listening(&worker, &mut primary).await;
    let _client = primary.pass_on(&key, 3).await;
    assert!(matches!(primary.event().await, Some(Event::HandleTaken(_))));
    let mut leaving = Box::pin(worker.disconnect());
    assert!(!is_ready(leaving.as_mut()));
    let answer = primary.cluster().await;
    assert!(matches!(answer.act, Act::Reply(reply) if reply.accepted == Some(false)));
    assert!(matches!(primary.cluster().await.act, Act::Close { .. }));
    let told = primary.cluster().await;
    assert!(matches!(told.act, Act::ExitedAfterDisconnect));
    assert!(worker.is_connected());
    assert_eq!(worker.exited_after_disconnect(), Some(true));
    let error = listener.accept().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    let late = worker.listen(ADDRESS.parse().unwrap()).await.unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::NotConnected);
    primary
        .channel
        .send_cluster(&encode::acknowledge(told.seq.unwrap(), 9));
    primary.write_all().await;
    within("the end", leaving).await;
    assert!(!worker.is_connected());
    assert!(primary.event().await.is_none());
    within("shutdown", worker.shutdown()).await;
    assert_eq!(worker.shutdown_reason(), Some(Reason::OwnWish));
    assert!(matches!(worker.send(&1).await, Err(SendError::Closed)));
    within("a second time", worker.disconnect()).await;
}

#[tokio::test]
async fn the_channel_closes_with_the_last_listener_and_after_the_last_acknowledgement() {
    let (worker, mut primary) = pair(Some(1));
    let shutdown = worker.shutdown();
    let (mut listener, _) = listening(&worker, &mut primary).await;
    let (_mine, yours) = std::os::unix::net::UnixStream::pair().unwrap();
    let given = worker.send_with_handle(&"yours", yours);
    primary.channel.send_cluster(&encode::disconnect(1));
    primary.write_all().await;
    within("shutdown", shutdown).await;
    assert_eq!(worker.shutdown_reason(), Some(Reason::Disconnect));
    // A program that has asked for it decides itself when it stops.
    assert!(!is_ready(pin!(listener.accept())));
    drop(listener);
    assert!(worker.is_connected());
    within("the acknowledgement", async {
        let event = primary.event().await;
        assert!(
            matches!(
                event,
                Some(Event::Message {
                    handle: Some(_),
                    ..
                })
            ),
            "{event:?}"
        );
        assert!(matches!(primary.cluster().await.act, Act::Close { .. }));
        assert!(primary.event().await.is_none());
    })
    .await;
    given.await.unwrap();
    assert!(!worker.is_connected());
}

/// A server that is shut down as it accepts would cut the client off.
#[tokio::test]
async fn nothing_is_accepted_by_a_program_that_has_been_told_to_leave() {
    let (worker, mut primary) = pair(Some(1));
    let shutdown = worker.shutdown();
    let any = "127.0.0.1:0".parse().unwrap();
    let fd = tine_sys::socket::tcp_bind(any, &tine_sys::socket::TcpOptions::default()).unwrap();
    let address = tine_sys::socket::local_address(fd.as_fd()).unwrap();
    let asked = tokio::spawn({
        let worker = worker.clone();
        async move { worker.listen(address).await }
    });
    let (ack, key) = primary.question().await;
    let reply = encode::shared_reply(&key, ack, 0, None);
    let fd = Arc::new(fd);
    primary
        .channel
        .send_cluster_handle(&reply, NativeKind::TcpListener, fd.clone(), Token(1));
    primary.write_all().await;
    let mut listener = within("the listener", asked).await.unwrap().unwrap();
    let _first = TcpStream::connect(address).await.unwrap();
    within("a connection", listener.accept()).await.unwrap();
    primary.channel.send_cluster(&encode::disconnect(1));
    primary.write_all().await;
    within("shutdown", shutdown).await;
    let late = TcpStream::connect(address).await.unwrap();
    assert!(!is_ready(pin!(listener.accept())));
    let next = std::future::poll_fn(|cx| Pin::new(&mut listener).poll_next(cx));
    assert!(within("the end of the stream", next).await.is_none());
    drop(listener);
    // Whoever has the socket too gets it.
    let accepted = tine_sys::socket::accept(fd.as_fd()).unwrap().unwrap();
    let accepted = std::net::TcpStream::from(accepted);
    assert_eq!(accepted.peer_addr().unwrap(), late.local_addr().unwrap());
}

#[tokio::test]
async fn a_program_that_never_asks_when_to_leave_has_its_listeners_closed() {
    let (worker, mut primary) = pair(Some(1));
    let (mut listener, _) = listening(&worker, &mut primary).await;
    primary.channel.send_cluster(&encode::disconnect(1));
    primary.write_all().await;
    let next = std::future::poll_fn(|cx| Pin::new(&mut listener).poll_next(cx));
    assert!(within("the end of the stream", next).await.is_none());
    assert!(matches!(primary.cluster().await.act, Act::Close { .. }));
    assert!(primary.event().await.is_none());
}

#[tokio::test]
async fn a_send_is_done_when_it_is_written_and_goes_also_if_nobody_waits() {
    let (worker, mut primary) = pair(None);
    let big = "x".repeat(1 << 20);
    drop(worker.send(&"first"));
    let mut sending = worker.send(&big);
    let dropped = worker.send(&"dropped");
    // The socket does not take a megabyte.
    assert!(!is_ready(Pin::new(&mut sending)));
    drop(dropped);
    let last = worker.send(&"last");
    assert_eq!(primary.message().await, "first");
    assert_eq!(primary.message().await, big.as_str());
    within("the send", sending).await.unwrap();
    assert_eq!(primary.message().await, "dropped");
    assert_eq!(primary.message().await, "last");
    within("the last", last).await.unwrap();
    let unwritten = worker.send(&big);
    drop(primary);
    assert!(matches!(
        within("the end", unwritten).await,
        Err(SendError::Closed)
    ));
    let error = worker.send_with_handle(
        &1,
        std::fs::File::open("/dev/null")
            .map(|file| crate::Handle::Other(file.into()))
            .unwrap(),
    );
    assert!(matches!(error.await, Err(SendError::Handle { .. })));
}

#[tokio::test]
async fn without_a_reader_the_oldest_go_and_connections_go_on() {
    let (worker, mut primary) = pair(Some(1));
    let (mut listener, key) = listening(&worker, &mut primary).await;
    let total = 10_500u64;
    primary.say(&json!({ "tine:request": 5, "value": 0 })).await;
    for number in 1..total {
        primary.say(&json!(number)).await;
    }
    let _client = primary.pass_on(&key, 1).await;
    within("a connection", listener.accept()).await.unwrap();
    // The asker is not left waiting.
    let refusal = primary.message().await;
    assert_eq!(refusal["tine:reply"], 5);
    assert!(refusal["error"].is_string());
    let mut messages = worker.messages();
    let dropped = messages.dropped();
    assert_eq!(dropped, total - 9_999);
    for number in dropped..total {
        let message = within("a message", messages.next()).await.unwrap();
        assert_eq!(message.read::<u64>().unwrap(), number);
    }
}

#[tokio::test]
async fn a_slow_reader_holds_up_the_channel_and_loses_nothing() {
    let (worker, mut primary) = pair(Some(1));
    let mut messages = worker.messages();
    let text = "y".repeat(100_000);
    let body = Body::write(&text, Serialization::Json).unwrap();
    for _ in 0..100 {
        primary.channel.send(&body).unwrap();
    }
    within("the worker to stop reading", async {
        while !worker.shared.lock().is_paused() {
            assert!(!primary.write(), "all of it was read");
            tokio::task::yield_now().await;
        }
    })
    .await;
    let left = primary.channel.queued();
    assert!(left > 4 << 20, "{left} bytes were not taken");
    // What the program itself waits for comes through.
    let asked = tokio::spawn({
        let worker = worker.clone();
        async move { worker.request::<_, u32>(&"how many?").await }
    });
    primary
        .channel
        .send(&Body::from_json(r#"{"tine:reply":0,"value":3}"#).unwrap())
        .unwrap();
    primary.write_all().await;
    assert_eq!(within("the answer", asked).await.unwrap().unwrap(), 3);
    for _ in 0..100 {
        let message = within("a message", messages.next()).await.unwrap();
        assert_eq!(message.read::<String>().unwrap(), text);
    }
    assert_eq!(messages.dropped(), 0);
}

#[tokio::test]
async fn the_end_of_the_primary_is_noticed_also_when_nothing_is_read() {
    let (worker, mut primary) = pair(Some(1));
    let mut messages = worker.messages();
    let body = Body::write(&0, Serialization::Json).unwrap();
    for _ in 0..10_001 {
        primary.channel.send(&body).unwrap();
    }
    primary.write_all().await;
    drop(primary);
    within("shutdown", worker.shutdown()).await;
    assert_eq!(worker.shutdown_reason(), Some(Reason::PrimaryGone));
    assert_eq!(worker.exited_after_disconnect(), Some(false));
    let mut count = 0;
    while within("a message", messages.next()).await.is_some() {
        count += 1;
    }
    assert_eq!(count, 10_001);
}

#[tokio::test]
async fn a_late_answer_to_a_request_that_was_given_up_is_no_message() {
    let (worker, mut primary) = pair(None);
    let mut messages = worker.messages();
    drop(worker.request::<_, u32>(&"first"));
    assert_eq!(primary.message().await["tine:request"], 0);
    primary.say(&json!({ "tine:reply": 0, "value": 1 })).await;
    // One that nobody has asked for is.
    primary.say(&json!({ "tine:reply": 17, "value": 1 })).await;
    let message = within("a message", messages.next()).await.unwrap();
    assert_eq!(message.read::<Value>().unwrap()["tine:reply"], 17);
    let asked = worker.request::<_, u32>(&"second");
    drop(primary);
    let error = within("the end", asked).await.unwrap_err();
    assert!(matches!(error, crate::RequestError::Closed), "{error:?}");
}

#[tokio::test]
async fn a_child_that_is_no_cluster_worker_says_nothing_by_itself_and_cannot_listen() {
    let (worker, mut primary) = pair(None);
    let error = worker.listen_with(ListenOptions::any(0)).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    worker.send(&"hello").await.unwrap();
    assert_eq!(primary.message().await, "hello");
    within("the end", worker.disconnect()).await;
    assert!(primary.event().await.is_none());
}

#[tokio::test]
async fn what_is_not_the_protocol_is_the_end_of_the_primary() {
    let (worker, primary) = pair(Some(1));
    primary.socket.writable().await.unwrap();
    primary.socket.try_write(b"this is no JSON\n").unwrap();
    within("shutdown", worker.shutdown()).await;
    assert_eq!(worker.shutdown_reason(), Some(Reason::PrimaryGone));
    assert!(!worker.is_connected());
}

#[test]
fn a_runtime_that_ends_closes_the_channel_and_kills_nobody() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let worker = runtime.block_on(async {
        Worker::new(OwnedFd::from(theirs), Some(1), Serialization::Json).unwrap()
    });
    drop(runtime);
    assert!(!worker.is_connected());
    let mut messages = worker.messages();
    let mut next = pin!(messages.next());
    let polled = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(None)));
    drop(ours);
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn axum_serves_on_a_listener_and_stops_with_one_line() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (worker, mut primary) = pair(Some(1));
    let (listener, key) = listening(&worker, &mut primary).await;
    let app = axum::Router::new().route("/", axum::routing::get(|| async { "hello" }));
    let shutdown = worker.shutdown();
    let serving = tokio::spawn(async move {
        axum::serve(listener, app)
            .with_graceful_shutdown(shutdown)
            .await
    });
    let mut client = primary.pass_on(&key, 1).await;
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    within("a response", client.read_to_string(&mut text))
        .await
        .unwrap();
    assert!(text.ends_with("\r\n\r\nhello"), "{text}");
    primary.channel.send_cluster(&encode::disconnect(1));
    primary.write_all().await;
    within("axum to stop", serving).await.unwrap().unwrap();
    assert!(matches!(primary.answer().await.act, Act::Reply(_)));
    assert!(matches!(primary.answer().await.act, Act::Close { .. }));
    assert!(primary.event().await.is_none());
}
