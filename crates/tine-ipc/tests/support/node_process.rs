//! A Node process with a channel: its standard input, which `NODE_CHANNEL_FD=0` says.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::disallowed_methods)]

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tine_ipc::unix::{Received, flush, receive};
use tine_ipc::{Body, Channel, Dialect, Event, Limits, Mark, Serialization};
use tine_testkit::Runtime;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A Node process that runs one of the fixtures, and our end of its channel.
pub(crate) struct Node {
    child: Child,
    pub(crate) socket: UnixStream,
    pub(crate) channel: Channel,
    events: VecDeque<Event>,
    buffer: Vec<u8>,
}

impl Node {
    pub(crate) fn start(runtime: Runtime, how: Serialization, fixture: &str) -> Self {
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
        let mut node = Self {
            child,
            socket,
            channel: Channel::with(Limits::default(), Dialect::Node, how).unwrap(),
            events: VecDeque::new(),
            buffer: vec![0; 64 * 1024],
        };
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
