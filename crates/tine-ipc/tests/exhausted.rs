//! A receiver without free descriptors. Alone in its process, because all its descriptors are
//! used up.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use tine_ipc::encode::{self, NativeKind};
use tine_ipc::unix::{Flushed, Received, flush, receive};
use tine_ipc::{Act, Body, Channel, Event, Limits, Token};

struct Receiver {
    socket: UnixStream,
    channel: Channel,
    came: Vec<String>,
}

impl Receiver {
    /// Reads once, at most so many bytes.
    fn read(&mut self, at_most: usize) -> bool {
        let mut buffer = vec![0; at_most];
        match receive(self.socket.as_fd(), &mut self.channel, &mut buffer).unwrap() {
            Received::Bytes(_) | Received::All(_) => {}
            Received::WouldBlock => return false,
            Received::Closed => panic!("nobody has closed"),
        }
        while let Some(event) = self.channel.poll_event() {
            self.came.push(match event {
                Event::Message {
                    body, handle: None, ..
                } => body.to_json().unwrap(),
                Event::Cluster(message, Some(_)) => match message.act {
                    Act::NewConnection { key } => key,
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            });
        }
        true
    }

    fn read_all(&mut self) {
        while self.read(4096) {}
    }
}

/// Opens files until no more can be opened.
fn exhaust() -> Vec<File> {
    let mut fillers = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        fillers.push(file);
    }
    assert!(!fillers.is_empty());
    fillers
}

#[test]
fn a_receiver_without_free_descriptors_refuses_and_recovers() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut sender = Channel::new(Limits::default());
    let mut receiver = Receiver {
        socket: theirs,
        channel: Channel::new(Limits::default()),
        came: Vec::new(),
    };
    let connection: Arc<OwnedFd> = Arc::new(File::open("/dev/null").unwrap().into());
    let hand = |sender: &mut Channel, number: i64| {
        let text = encode::new_connection(&format!("\"key {number}\""), number);
        let token = Token(number.unsigned_abs());
        let kind = NativeKind::TcpConnection;
        sender.send_cluster_handle(&text, kind, Arc::clone(&connection), token);
        sender
            .send(&Body::from_json("\"between\"").unwrap())
            .unwrap();
        let flushed = flush(ours.as_fd(), sender, |_| Ok(0)).unwrap();
        assert_eq!(flushed, Flushed::All);
    };
    let limit = Rlimit {
        current: Some(64),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    setrlimit(Resource::Nofile, limit).unwrap();

    let fillers = exhaust();
    hand(&mut sender, 1);
    hand(&mut sender, 2);
    receiver.read_all();
    drop(fillers);
    hand(&mut sender, 3);
    receiver.read_all();

    // The descriptor is lost with the first part of its message. The rest of it comes in one
    // read with the next descriptor, which must not be taken for it.
    let fillers = exhaust();
    hand(&mut sender, 4);
    assert!(receiver.read(20));
    drop(fillers);
    hand(&mut sender, 5);
    receiver.read_all();

    let between = "\"between\"";
    assert_eq!(
        receiver.came,
        [
            between, between, "key 3", between, between, "key 5", between
        ]
    );
    let flushed = flush(receiver.socket.as_fd(), &mut receiver.channel, |_| Ok(0)).unwrap();
    assert_eq!(flushed, Flushed::All);
    receive(ours.as_fd(), &mut sender, &mut [0; 4096]).unwrap();
    let fates: Vec<(u64, bool)> = std::iter::from_fn(|| sender.poll_event())
        .map(|event| match event {
            Event::HandleTaken(Token(number)) => (number, true),
            Event::HandleRefused(Token(number)) => (number, false),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        fates,
        [(1, false), (2, false), (3, true), (4, false), (5, true)]
    );
}
