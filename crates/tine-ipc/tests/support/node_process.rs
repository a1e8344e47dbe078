//! A Node process with a channel: its standard input, which `NODE_CHANNEL_FD=0` says.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::disallowed_methods)]

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tine_ipc::unix::{Flushed, Received, flush, receive};
use tine_ipc::{Body, Channel, Dialect, Event, Limits, Mark, SentHandle, Serialization, Token};
use tine_testkit::Runtime;

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A Node process that runs one of the fixtures, and our end of its channel.
pub(crate) struct Node {
    child: Child,
    pub(crate) socket: UnixStream,
    pub(crate) channel: Channel,
    events: VecDeque<Event>,
    buffer: Vec<u8>,
}

impl Node {
    /// A process that is there and has not come to read anything.
    pub(crate) fn spawn(runtime: Runtime, how: Serialization, fixture: &str) -> Self {
        let (socket, theirs) = UnixStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let script = format!("{}/tests/fixtures/{fixture}", env!("CARGO_MANIFEST_DIR"));
        let child = Command::new(runtime.path())
            .arg(script)
            .env("NODE_CHANNEL_FD", "0")
            .env("NODE_CHANNEL_SERIALIZATION_MODE", how.as_str())
            .env_remove("NODE_UNIQUE_ID")
            .env_remove("NODE_OPTIONS")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        Self {
            child,
            socket,
            channel: Channel::with(Limits::default(), Dialect::Node, how).unwrap(),
            events: VecDeque::new(),
            buffer: vec![0; 64 * 1024],
        }
    }

    /// A process that has said how it found its environment.
    pub(crate) fn start(runtime: Runtime, how: Serialization, fixture: &str) -> Self {
        let mut node = Self::spawn(runtime, how, fixture);
        assert_eq!(node.message(), r#"{"env":[]}"#);
        node
    }

    /// The next thing it sends; `None` when it has closed the channel. Writes what is queued
    /// meanwhile.
    pub(crate) fn event(&mut self) -> Option<Event> {
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
                Received::Bytes(_) | Received::All(_) => continue,
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
    pub(crate) fn body(&mut self) -> Body {
        match self.event() {
            Some(Event::Message {
                body,
                internal: false,
                handle: None,
            }) => body,
            other => panic!("{other:?}"),
        }
    }

    /// The same as JSON.
    pub(crate) fn message(&mut self) -> String {
        self.body().to_json().unwrap()
    }

    pub(crate) fn send(&mut self, json: &str) -> Mark {
        self.send_body(&Body::from_json(json).unwrap())
    }

    pub(crate) fn send_body(&mut self, body: &Body) -> Mark {
        self.channel.send(body).unwrap()
    }

    /// Lets it disconnect and come to its end, which closes the channel (libuv leaves open what
    /// is standard input). It must exit with 0, which it does not after a single wrong answer.
    pub(crate) fn end(mut self) {
        self.send(r#"{"do":"disconnect"}"#);
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

/// Sends three messages, the second one with a connection, before anybody reads; and has as many
/// sent back.
pub(crate) fn three_messages(runtime: Runtime, how: Serialization, fixture: &str, two: &Body) {
    let mut node = Node::spawn(runtime, how, fixture);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let ours = listener.accept().unwrap().0;
    ours.set_nonblocking(true).unwrap();
    node.send("\"one\"");
    node.channel
        .send_with_handle(two, SentHandle::Socket, Arc::new(ours.into()), Token(77))
        .unwrap();
    let three = node.send("\"three\"");
    // Long before the process has come so far as to read.
    let flushed = flush(node.socket.as_fd(), &mut node.channel, |_| Ok(0)).unwrap();
    assert_eq!(flushed, Flushed::All);
    assert!(node.channel.written() >= three);
    let mut came = Vec::new();
    while came.len() < 5 {
        came.push(match node.event() {
            Some(Event::Message { body, handle, .. }) => {
                assert!(handle.is_none());
                body.to_json().unwrap()
            }
            Some(Event::HandleTaken(Token(77))) => "taken".to_owned(),
            other => panic!("{other:?}"),
        });
    }
    let taken = came.iter().position(|what| what == "taken");
    came.remove(taken.unwrap());
    assert_eq!(
        (came[0].as_str(), came[1].as_str()),
        ("{\"env\":[]}", "\"one\"")
    );
    assert!(came[2].starts_with("{\"answered\":"), "{came:?}");
    assert_eq!(came[3], "\"three\"");
    // To its end: a reset would be an error in Node.
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    assert!(client.read_to_end(&mut Vec::new()).unwrap() > 0);
    drop(client);

    node.send(&format!(
        "{{\"do\":\"triple\",\"port\":{}}}",
        address.port()
    ));
    let flushed = flush(node.socket.as_fd(), &mut node.channel, |_| Ok(0)).unwrap();
    assert_eq!(flushed, Flushed::All);
    // The third it sends when we have taken the second.
    tine_testkit::until("two messages to be unread", DEADLINE, || {
        let unread = rustix::io::ioctl_fionread(&node.socket).unwrap();
        (unread > 50).then_some(())
    });
    for (expected, with) in [("\"one\"", false), ("\"two\"", true), ("\"three\"", false)] {
        match node.event() {
            Some(Event::Message { body, handle, .. }) => {
                assert_eq!(body.to_json().unwrap(), expected);
                assert_eq!(handle.is_some(), with, "with {expected}");
            }
            other => panic!("{other:?}"),
        }
    }
    node.end();
}

/// Makes of each function a test for every version, with a process that `start` has started and
/// that must end well.
macro_rules! for_every_node {
    ($($(#[$documentation:meta])* $test:ident),* $(,)?) => {$(
        $(#[$documentation])*
        mod $test {
            use tine_testkit::Runtime;

            fn on(runtime: Runtime) {
                let mut node = super::start(runtime);
                super::$test(&mut node, runtime);
                node.end();
            }

            #[test]
            fn node_18() {
                on(Runtime::Node18);
            }

            #[test]
            fn node_20() {
                on(Runtime::Node20);
            }

            #[test]
            fn node_22() {
                on(Runtime::Node22);
            }

            #[test]
            fn node_24() {
                on(Runtime::Node24);
            }

            #[test]
            fn node_26() {
                on(Runtime::Node26);
            }
        }
    )*};
}
