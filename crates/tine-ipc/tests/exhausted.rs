//! A receiver without free descriptors. Alone in its process, because all its descriptors are
//! used up.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use tine_ipc::encode::{self, NativeKind};
use tine_ipc::unix::{Flushed, Received, flush, receive};
use tine_ipc::{Act, Channel, Event, Limits, Token};

#[test]
fn a_receiver_without_free_descriptors_refuses_and_recovers() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut sender = Channel::new(Limits::default());
    let mut receiver = Channel::new(Limits::default());
    let connection = Arc::new(File::open("/dev/null").unwrap().into());
    let mut hand = |number: i64| {
        let key = format!("\"key {number}\"");
        let text = encode::new_connection(&key, number);
        let token = Token(number.unsigned_abs());
        sender.send_cluster_handle(
            &text,
            NativeKind::TcpConnection,
            Arc::clone(&connection),
            token,
        );
        sender.send_message("\"between\"");
        let flushed = flush(ours.as_fd(), &mut sender, |_| Ok(0)).unwrap();
        assert_eq!(flushed, Flushed::All);
    };
    // Nothing below may open or allocate descriptors but the kernel for us.
    let limit = getrlimit(Resource::Nofile);
    let low = Rlimit {
        current: Some(64),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, low).unwrap();
    let mut fillers = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        fillers.push(file);
    }
    assert!(fillers.len() > 10);
    hand(1);
    hand(2);
    let mut buffer = [0; 4096];
    let mut came = Vec::new();
    let mut receive_all = |receiver: &mut Channel, came: &mut Vec<String>| {
        loop {
            match receive(theirs.as_fd(), receiver, &mut buffer).unwrap() {
                Received::Bytes(_) => {}
                Received::WouldBlock => break,
                Received::Closed => panic!("nobody has closed"),
            }
            while let Some(event) = receiver.poll_event() {
                came.push(match event {
                    Event::Message {
                        json, handle: None, ..
                    } => json,
                    Event::Cluster(message, Some(_)) => match message.act {
                        Act::NewConnection { key } => key,
                        other => panic!("{other:?}"),
                    },
                    other => panic!("{other:?}"),
                });
            }
        }
    };
    receive_all(&mut receiver, &mut came);
    fillers.clear();
    hand(3);
    receive_all(&mut receiver, &mut came);
    assert_eq!(came, ["\"between\"", "\"between\"", "key 3", "\"between\""]);

    let flushed = flush(theirs.as_fd(), &mut receiver, |_| Ok(0)).unwrap();
    assert_eq!(flushed, Flushed::All);
    receive(ours.as_fd(), &mut sender, &mut [0; 4096]).unwrap();
    assert!(matches!(
        sender.poll_event(),
        Some(Event::HandleRefused(Token(1)))
    ));
    assert!(matches!(
        sender.poll_event(),
        Some(Event::HandleRefused(Token(2)))
    ));
    assert!(matches!(
        sender.poll_event(),
        Some(Event::HandleTaken(Token(3)))
    ));
    assert!(sender.poll_event().is_none());
}
