//! Against Node itself, every version: the channel is the child's standard input, which
//! `NODE_CHANNEL_FD=0` says.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::disallowed_methods)]

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tine_ipc::encode::NativeKind;
use tine_ipc::unix::{Received, flush, receive};
use tine_ipc::{Channel, Event, HandleType, Limits, Token};
use tine_testkit::Runtime;

const DEADLINE: Duration = Duration::from_secs(60);

/// A Node process that runs `fixtures/echo.js`, and our end of its channel.
struct Node {
    child: Child,
    socket: UnixStream,
    channel: Channel,
    events: VecDeque<Event>,
    buffer: Vec<u8>,
}

impl Node {
    fn start(runtime: Runtime) -> Self {
        let (socket, theirs) = UnixStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/echo.js");
        let child = Command::new(runtime.path())
            .arg(script)
            .env("NODE_CHANNEL_FD", "0")
            .env_remove("NODE_CHANNEL_SERIALIZATION_MODE")
            .env_remove("NODE_UNIQUE_ID")
            .env_remove("NODE_OPTIONS")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        let mut node = Self {
            child,
            socket,
            channel: Channel::new(Limits::default()),
            events: VecDeque::new(),
            buffer: vec![0; 64 * 1024],
        };
        assert_eq!(node.message(), r#"{"env":[]}"#);
        node
    }

    /// The next thing it sends; `None` when it has closed the channel. Writes what is queued
    /// meanwhile.
    fn event(&mut self) -> Option<Event> {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            flush(self.socket.as_fd(), &mut self.channel, |_| Ok(0)).unwrap();
            let received = receive(self.socket.as_fd(), &mut self.channel, &mut self.buffer);
            while let Some(event) = self.channel.poll_event() {
                self.events.push_back(event);
            }
            match received.unwrap() {
                Received::Bytes(_) => continue,
                Received::Closed => {
                    assert!(self.events.is_empty());
                    return None;
                }
                Received::WouldBlock => {}
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "nothing came from Node within {DEADLINE:?}"
            );
            let mut wanted = PollFlags::IN;
            if self.channel.queued() > 0 {
                wanted |= PollFlags::OUT;
            }
            let timeout = Timespec::try_from(left).unwrap();
            poll(&mut [PollFd::new(&self.socket, wanted)], Some(&timeout)).unwrap();
        }
    }

    /// The next message of the user without a handle.
    fn message(&mut self) -> String {
        match self.event() {
            Some(Event::Message {
                json,
                internal: false,
                handle: None,
            }) => json,
            other => panic!("{other:?}"),
        }
    }

    /// Lets it disconnect and come to its end, which closes the channel (libuv leaves open what
    /// is standard input). It must exit with 0, which it does not after a single wrong answer.
    fn end(mut self) {
        self.channel.send_message(r#"{"do":"disconnect"}"#);
        assert!(self.event().is_none());
        assert_eq!((self.channel.queued(), self.channel.in_flight()), (0, 0));
        let status =
            tine_testkit::until("Node to exit", DEADLINE, || self.child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `JSON.stringify` makes of the values in `fixtures/echo.js`, in their order.
const SHAPES: &[&str] = &[
    "null",
    "null",
    "0",
    "1.5e+300",
    "true",
    r#""text""#,
    r#""""#,
    "[]",
    "{}",
    "null",
    "{}",
    "[null,null,null]",
    "[1,null,3]",
    r#""1970-01-01T00:00:00.000Z""#,
    r#"{"type":"Buffer","data":[104,105]}"#,
    r#"{"0":1,"1":2}"#,
    "{}",
    "{}",
    "{}",
    "{}",
    "{}",
    r#""used""#,
    r#""boxed""#,
    r#"{"x":1}"#,
    "{}",
    r#""\ud800""#,
    r#"{"\udfff":"\ud83d"}"#,
    r#""é漢😀""#,
    "\"a\\nb\u{2028}\\u0000\\\\\\\"\"",
    r#"{"cmd":"NODE_"}"#,
    r#"{"cmd":"fooNODE_"}"#,
    r#"{"cmd":"node_bar"}"#,
    r#"{"cmd":5}"#,
    r#"["NODE_HANDLE_ACK"]"#,
    r#"["NODE_CLUSTER","online",0]"#,
    r#"{"seq":"x","ack":[1],"fd":{},"sockname":7,"msg":null}"#,
];

fn every_shape_arrives_and_returns(node: &mut Node) {
    node.channel.send_message(r#"{"do":"shapes"}"#);
    for shape in SHAPES {
        assert_eq!(node.message(), format!("{{\"value\":{shape}}}"));
    }
    for top in [r#""top""#, "7", "false", "[1]", "{}", r#""done""#] {
        assert_eq!(node.message(), top);
    }
    for shape in SHAPES {
        node.channel.send_message(&format!("{{\"value\":{shape}}}"));
    }
    for shape in SHAPES {
        assert_eq!(node.message(), format!("{{\"value\":{shape}}}"));
    }
    node.channel.send_message("{\n \"several\":\n [1,\n2]\r\n}");
    assert_eq!(node.message(), r#"{"several":[1,2]}"#);
}

fn internal_is_what_node_calls_internal(node: &mut Node) {
    node.channel.send_message(r#"{"do":"internal"}"#);
    match node.event() {
        Some(Event::Message { json, internal, .. }) => {
            assert_eq!(json, r#"{"cmd":"NODE_bar","n":1}"#);
            assert!(internal);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(node.message(), r#"{"cmd":"fooNODE_","n":2}"#);
    assert_eq!(node.message(), r#""done""#);
    node.channel.send_message(r#"{"cmd":"NODE_test"}"#);
    assert_eq!(node.message(), r#"{"internal":{"cmd":"NODE_test"}}"#);
}

fn ten_megabytes_arrive_and_return(node: &mut Node) {
    // Characters of two, three and four bytes, so that reads cut through them.
    let text = format!("\"{}\"", "é漢😀x".repeat(1024 * 1024));
    assert!(text.len() > 10_000_000);
    node.channel.send_message(&text);
    assert!(node.message() == text, "it came back changed");
}

fn ten_thousand_messages_keep_their_order(node: &mut Node) {
    for number in 0..10_000 {
        node.channel.send_message(&format!("{{\"n\":{number}}}"));
    }
    node.channel.send_message(r#"{"do":"count","to":10000}"#);
    for number in 0..10_000 {
        assert_eq!(node.message(), format!("{{\"n\":{number}}}"));
    }
    for number in 0..10_000 {
        assert_eq!(node.message(), number.to_string());
    }
}

fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    (client, listener.accept().unwrap().0)
}

fn node_takes_connections(node: &mut Node) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // All at once: nothing waits for an acknowledgement.
    let mut clients = Vec::new();
    for number in 0..20u64 {
        let (client, ours) = connection(&listener);
        clients.push(client);
        node.channel.send_cluster_handle(
            format!("{{\"n\":{number}}}").as_bytes(),
            NativeKind::TcpConnection,
            Arc::new(ours.into()),
            Token(number),
        );
        node.channel
            .send_message(&format!("{{\"behind\":{number}}}"));
    }
    let (mut taken, mut answered, mut behind) = (0, 0, 0);
    while taken < 20 || answered < 20 || behind < 20 {
        match node.event() {
            Some(Event::HandleTaken(token)) => {
                assert_eq!(token, Token(taken));
                taken += 1;
            }
            Some(Event::Message { json, .. }) if json.starts_with("{\"answered\"") => {
                assert_eq!(json, format!("{{\"answered\":{{\"n\":{answered}}}}}"));
                answered += 1;
            }
            Some(Event::Message { json, .. }) => {
                assert_eq!(json, format!("{{\"behind\":{behind}}}"));
                behind += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    for (number, mut client) in clients.into_iter().enumerate() {
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("{{\"n\":{number}}}"));
    }
}

fn node_gives_a_connection_and_a_listener(node: &mut Node) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    node.channel
        .send_message(&format!("{{\"do\":\"connect\",\"port\":{port}}}"));
    let Some(Event::Message {
        json,
        handle: Some(handle),
        ..
    }) = node.event()
    else {
        panic!("no handle came");
    };
    assert_eq!(json, format!("{{\"yours\":{port}}}"));
    assert_eq!(handle.kind, HandleType::NetSocket);
    let mut theirs = listener.accept().unwrap().0;
    let ours = TcpStream::from(handle.fd);
    (&ours).write_all(b"from Rust").unwrap();
    drop(ours);
    // The end comes only when Node has closed its copy too, which it does on our ACK.
    node.channel.send_message("\"and?\"");
    assert_eq!(node.message(), "\"and?\"");
    theirs.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut text = String::new();
    theirs.read_to_string(&mut text).unwrap();
    assert_eq!(text, "from Rust");

    node.channel.send_message(r#"{"do":"listen"}"#);
    let Some(Event::Message {
        json,
        handle: Some(handle),
        ..
    }) = node.event()
    else {
        panic!("no handle came");
    };
    assert_eq!(handle.kind, HandleType::NetServer);
    let listener = TcpListener::from(handle.fd);
    let port = listener.local_addr().unwrap().port();
    assert_eq!(json, format!("{{\"port\":{port}}}"));
}

fn all(runtime: Runtime) {
    let mut node = Node::start(runtime);
    every_shape_arrives_and_returns(&mut node);
    internal_is_what_node_calls_internal(&mut node);
    ten_megabytes_arrive_and_return(&mut node);
    ten_thousand_messages_keep_their_order(&mut node);
    node_takes_connections(&mut node);
    node_gives_a_connection_and_a_listener(&mut node);
    node.end();
}

#[test]
fn node_18() {
    all(Runtime::Node18);
}

#[test]
fn node_20() {
    all(Runtime::Node20);
}

#[test]
fn node_22() {
    all(Runtime::Node22);
}

#[test]
fn node_24() {
    all(Runtime::Node24);
}

#[test]
fn node_26() {
    all(Runtime::Node26);
}
