//! What becomes of those who wait when something goes wrong?

use super::super::state::Blocked;
use super::super::{UdpOptions, Worker};
use super::primary::{Primary, is_ready, listening, pair, within};
use serde::{Serialize, Serializer};
use serde_json::json;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tine_ipc::encode::{self, NativeKind};
use tine_ipc::{Act, Body, Event, QueryServer, Serialization, Token};

/// As when a thread of the program meets `ETOOMANYREFS`, which root never does.
#[tokio::test]
async fn what_another_thread_could_not_write_is_written_a_moment_later() {
    let (worker, mut primary) = pair(None);
    worker.send(&"before").await.unwrap();
    assert_eq!(primary.message().await, "before");
    for number in 0..3 {
        // The task sleeps, and knows of nothing.
        tokio::task::yield_now().await;
        let body = Body::write(&number, Serialization::Json).unwrap();
        worker.shared.with(|state| {
            state.channel.send(&body).unwrap();
            state.blocked = Some(Blocked::TooManyHandles);
        });
        assert_eq!(primary.message().await, number);
    }
}

/// Says more than may wait, and waits until the worker reads no more.
async fn is_held_up(worker: &Worker, primary: &mut Primary) {
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
}

#[tokio::test]
async fn a_request_that_was_given_up_does_not_end_back_pressure() {
    let (worker, mut primary) = pair(None);
    let _messages = worker.messages();
    let mut never_answered = Box::pin(worker.request::<_, u32>(&"first"));
    assert!(!is_ready(never_answered.as_mut()));
    drop(never_answered);
    is_held_up(&worker, &mut primary).await;
}

struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("this cannot be written"))
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_is_not_waited_for() {
    let (worker, mut primary) = pair(None);
    let _messages = worker.messages();
    // The future is kept: not its end is what counts.
    let mut unsent = Box::pin(worker.request::<_, u32>(&Unwritable));
    is_held_up(&worker, &mut primary).await;
    assert!(is_ready(unsent.as_mut()));
}

/// Something of the program whose own `Serialize` waits for a thread that uses the worker.
struct Looks(Worker);

impl Serialize for Looks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (done, is_done) = std::sync::mpsc::channel();
        let worker = self.0.clone();
        std::thread::spawn(move || done.send(worker.is_connected()));
        let looked = is_done.recv_timeout(Duration::from_secs(5));
        serializer.serialize_bool(looked.is_ok())
    }
}

#[tokio::test]
async fn what_is_sent_may_use_the_worker_as_it_is_written() {
    let (worker, mut primary) = pair(None);
    drop(worker.request::<_, u32>(&Looks(worker.clone())));
    let asked = primary.message().await;
    assert_eq!(asked, json!({ "tine:request": 0, "value": true }));
}

#[tokio::test]
async fn without_a_reader_big_messages_make_room_for_themselves() {
    let (worker, mut primary) = pair(None);
    for number in 0..1000 {
        primary.say(&json!(number)).await;
    }
    let big = "x".repeat(1 << 20);
    for _ in 0..8 {
        primary.say(&json!(big)).await;
    }
    primary.say(&json!({ "tine:request": 5, "value": 0 })).await;
    // Each of them is refused, also when one message makes many go.
    for number in 6..9 {
        let request = json!({ "tine:request": number, "value": 0 });
        primary.say(&request).await;
    }
    primary.say(&json!("x".repeat(4 << 20))).await;
    for number in 5..9 {
        assert_eq!(primary.message().await["tine:reply"], number);
    }
    let mut messages = worker.messages();
    assert_eq!(messages.dropped(), 1012);
    let message = within("a message", messages.next()).await.unwrap();
    assert_eq!(message.body().len(), (4 << 20) + 2);
}

#[tokio::test]
async fn a_close_gives_back_what_was_not_accepted() {
    let (worker, mut primary) = pair(Some(1));
    let (mut listener, key) = listening(&worker, &mut primary).await;
    let _client = primary.pass_on(&key, 3).await;
    assert!(matches!(primary.event().await, Some(Event::HandleTaken(_))));
    let closing = tokio::spawn({
        let worker = worker.clone();
        async move { worker.close().await }
    });
    let answer = primary.cluster().await;
    assert_eq!(answer.ack, Some(3));
    assert!(matches!(answer.act, Act::Reply(reply) if reply.accepted == Some(false)));
    assert!(primary.event().await.is_none());
    within("the end", closing).await.unwrap();
    let error = within("an error", listener.accept()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

/// The primary gives to another worker what has had no answer when the channel ends.
#[tokio::test]
async fn a_connection_that_was_not_answered_for_has_no_owner_here() {
    let (worker, mut primary) = pair(Some(1));
    let (mut listener, key) = listening(&worker, &mut primary).await;
    let _client = primary.pass_on(&key, 3).await;
    assert!(matches!(primary.event().await, Some(Event::HandleTaken(_))));
    drop(primary);
    // Also before the end of the channel is noticed.
    let error = within("an error", listener.accept()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    let (worker, mut primary) = pair(Some(1));
    let (mut listener, key) = listening(&worker, &mut primary).await;
    let _client = primary.pass_on(&key, 3).await;
    assert!(matches!(primary.event().await, Some(Event::HandleTaken(_))));
    drop(primary);
    let mut closed = worker.shared.closed.subscribe();
    within("the end", closed.wait_for(|closed| *closed))
        .await
        .unwrap();
    let error = within("an error", listener.accept()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_shutdown_that_is_waited_for_elsewhere_comes_also_when_the_runtime_ends() {
    let build = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let runtime = build();
    let (_ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let worker = runtime.block_on(async {
        Worker::new(OwnedFd::from(theirs), Some(1), Serialization::Json).unwrap()
    });
    worker.outlive_primary();
    let shutdown = worker.shutdown();
    drop(runtime);
    build().block_on(async {
        within("shutdown", shutdown).await;
        within("a later shutdown", worker.shutdown()).await;
    });
    assert!(worker.shutdown_reason().is_some());
}

#[test]
fn a_first_shutdown_after_the_end_of_the_runtime_comes_too() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (_ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let worker = runtime.block_on(async {
        Worker::new(OwnedFd::from(theirs), Some(1), Serialization::Json).unwrap()
    });
    worker.outlive_primary();
    drop(runtime);
    assert!(is_ready(pin!(worker.shutdown())));
}

#[tokio::test]
async fn a_loop_of_sends_lets_other_tasks_go_on() {
    let (worker, _primary) = pair(None);
    let went_on = Arc::new(AtomicBool::new(false));
    tokio::spawn({
        let went_on = went_on.clone();
        async move { went_on.store(true, Ordering::Relaxed) }
    });
    // More than tokio lets a task do in a row, and less than the socket takes.
    for number in 0..150 {
        let sending = worker.send(&number);
        assert_eq!(worker.shared.lock().channel.queued(), 0);
        sending.await.unwrap();
    }
    assert!(went_on.load(Ordering::Relaxed));
}

/// The question for a UDP socket, and a socket to answer it with.
async fn datagram(primary: &mut Primary) -> (QueryServer, i64, OwnedFd) {
    let message = loop {
        let message = primary.cluster().await;
        if !matches!(message.act, Act::Online) {
            break message;
        }
    };
    let Act::QueryServer(query) = message.act else {
        panic!("{:?}", message.act);
    };
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    (query, message.seq.unwrap(), socket.into())
}

#[tokio::test]
async fn a_udp_address_that_is_granted_to_nobody_is_given_back() {
    let (worker, mut primary) = pair(Some(1));
    for number in 0..2 {
        let options = UdpOptions::new("127.0.0.1:0".parse().unwrap());
        let mut asked = Box::pin(worker.bind_udp_with(options));
        assert!(!is_ready(asked.as_mut()));
        let (query, ack, fd) = datagram(&mut primary).await;
        // As if nothing had been asked before.
        assert_eq!(query.index, 0, "{number}");
        let address = tine_sys::socket::local_address(fd.as_fd()).unwrap();
        let reply = encode::shared_reply(&query.key(), ack, 0, None);
        let fd = Arc::new(fd);
        let token = Token(number);
        primary
            .channel
            .send_cluster_handle(&reply, NativeKind::Datagram, fd, token);
        primary.write_all().await;
        let said = primary.answer().await;
        assert!(matches!(said.act, Act::Listening(_)), "{said:?}");
        // With the answer in hand.
        drop(asked);
        let said = primary.answer().await;
        assert!(matches!(said.act, Act::Close { key } if key == query.key()));
        std::net::UdpSocket::bind(address).unwrap();
    }
}
