//! The same through real sockets, with `unix::receive` and `unix::flush`.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use proptest::prelude::*;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg, sockopt};
use std::cell::Cell;
use std::io::{ErrorKind, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use support::ledger::Ledger;
use support::witness::Witness;
use tine_ipc::encode::{self, NativeKind};
use tine_ipc::unix::{ChannelError, Flushed, Received, flush, receive};
use tine_ipc::{
    Body, Channel, Dialect, Event, HandleType, Limits, ProtocolError, Serialization, Token,
};

/// A socket pair whose both ends do not block. `send_buffer` is in bytes; the kernel doubles it
/// and has a minimum of its own (socket(7)).
fn sockets(send_buffer: Option<usize>) -> [UnixStream; 2] {
    let (one, other) = UnixStream::pair().unwrap();
    for end in [&one, &other] {
        end.set_nonblocking(true).unwrap();
        if let Some(bytes) = send_buffer {
            sockopt::set_socket_send_buffer_size(end, bytes).unwrap();
        }
    }
    [one, other]
}

/// Two channels at the ends of a socket pair.
struct Pair {
    sockets: [UnixStream; 2],
    channels: [Channel; 2],
    ledgers: [Ledger; 2],
    buffer: Vec<u8>,
    /// Whether a handle ever came with a read that began with something else.
    handle_behind_other_bytes: bool,
    most_in_flight: usize,
}

impl Pair {
    fn new(
        dialects: [Dialect; 2],
        advanced: bool,
        send_buffer: Option<usize>,
        read_buffer: usize,
    ) -> Self {
        Self {
            sockets: sockets(send_buffer),
            channels: support::channels(dialects, advanced),
            ledgers: [Ledger::default(), Ledger::default()],
            buffer: vec![0; read_buffer],
            handle_behind_other_bytes: false,
            most_in_flight: 0,
        }
    }

    fn say(&mut self, side: usize, choice: u8, size: usize) {
        self.ledgers[side].say(&mut self.channels[side], choice, size);
    }

    fn hand(&mut self, side: usize, choice: u8, size: usize) {
        self.ledgers[side].hand(&mut self.channels[side], choice, size);
    }

    fn flush(&mut self, side: usize) -> bool {
        let before = self.channels[side].queued();
        let peer = &self.sockets[1 - side];
        let unread =
            |_: BorrowedFd<'_>| Ok(usize::try_from(rustix::io::ioctl_fionread(peer)?).unwrap());
        let channel = &mut self.channels[side];
        let flushed = flush(self.sockets[side].as_fd(), channel, unread).unwrap();
        assert_eq!(flushed == Flushed::All, channel.queued() == 0);
        self.most_in_flight = self.most_in_flight.max(channel.in_flight());
        channel.queued() < before
    }

    fn receive(&mut self, side: usize) -> bool {
        let socket = self.sockets[side].as_fd();
        let begun = self.channels[side].half_received() > 0;
        match receive(socket, &mut self.channels[side], &mut self.buffer).unwrap() {
            Received::Bytes(_) | Received::All(_) => {}
            Received::WouldBlock => return false,
            Received::Closed => panic!("nobody has closed"),
        }
        let mut first = !begun;
        while let Some(event) = self.channels[side].poll_event() {
            match event {
                Event::HandleTaken(token) => self.ledgers[side].acknowledged(token, true),
                Event::HandleRefused(token) => self.ledgers[side].acknowledged(token, false),
                other => {
                    let brings = matches!(
                        other,
                        Event::Cluster(_, Some(_))
                            | Event::Message {
                                handle: Some(_),
                                ..
                            }
                    );
                    self.handle_behind_other_bytes |= brings && !first;
                    self.ledgers[1 - side].delivered(other);
                }
            }
            first = false;
        }
        true
    }

    fn finish(mut self) -> Self {
        loop {
            let mut moved = false;
            for side in [0, 1] {
                moved |= self.flush(side);
                while self.receive(1 - side) {
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        for channel in &self.channels {
            assert_eq!((channel.queued(), channel.in_flight()), (0, 0));
            assert_eq!(channel.half_received(), 0);
        }
        for ledger in &mut self.ledgers {
            ledger.check_complete();
        }
        self
    }
}

#[derive(Debug, Clone)]
enum Step {
    Say(usize, u8, usize),
    Hand(usize, u8, usize),
    Flush(usize),
    Receive(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let side = 0..2usize;
    let size = prop_oneof![5 => 0..100usize, 1 => 0..20_000usize];
    prop_oneof![
        2 => (side.clone(), any::<u8>(), size).prop_map(|(side, choice, size)| Step::Say(side, choice, size)),
        2 => (side.clone(), any::<u8>(), 0..3000usize).prop_map(|(side, choice, size)| Step::Hand(side, choice, size)),
        2 => side.clone().prop_map(Step::Flush),
        3 => side.prop_map(Step::Receive),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_arrives_once_and_in_order(
        dialects in proptest::sample::select(&support::operations::DIALECTS),
        advanced: bool,
        send_buffer in proptest::option::of(1..20_000usize),
        read_buffer in prop_oneof![1..200usize, Just(64 * 1024)],
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        let mut pair = Pair::new(dialects, advanced, send_buffer, read_buffer);
        for step in steps {
            match step {
                Step::Say(side, choice, size) => pair.say(side, choice, size),
                Step::Hand(side, choice, size) => pair.hand(side, choice, size),
                Step::Flush(side) => {
                    pair.flush(side);
                }
                Step::Receive(side) => {
                    pair.receive(side);
                }
            }
        }
        pair.finish();
    }

    #[test]
    fn deno_finds_every_handle_at_the_beginning_of_a_read(
        advanced: bool,
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        // Its reads are 64 KiB long, and a message with a handle is shorter.
        let mut pair = Pair::new([Dialect::Deno, Dialect::Node], advanced, None, 64 * 1024);
        for step in steps {
            match step {
                Step::Say(_, choice, size) => pair.say(0, choice, size),
                Step::Hand(_, choice, size) => pair.hand(0, choice, size),
                Step::Flush(side) => {
                    pair.flush(side);
                }
                Step::Receive(side) => {
                    pair.receive(side);
                }
            }
        }
        prop_assert!(!pair.finish().handle_behind_other_bytes);
    }
}

#[test]
fn node_may_find_a_handle_behind_other_bytes() {
    // So the test above could fail.
    let mut pair = Pair::new([Dialect::Node, Dialect::Node], false, None, 64 * 1024);
    pair.say(0, 8, 1);
    pair.hand(0, 0, 1);
    assert!(pair.finish().handle_behind_other_bytes);
}

/// node: test-child-process-send-utf8
/// node: sequential/test-cluster-send-handle-large-payload
#[test]
fn ten_megabytes_pass_through_the_smallest_buffers() {
    for advanced in [false, true] {
        let mut pair = Pair::new([Dialect::Node; 2], advanced, Some(1), 4096);
        for side in [0, 1] {
            pair.say(side, 8, 1);
            // Characters of three bytes, in V8's format of two.
            pair.say(side, 10, 10 * 1024 * 1024 / 3);
            pair.hand(side, 0, 100_000);
            pair.hand(side, 20 + 1, 100_000);
            pair.say(side, 8, 1);
        }
        assert!(pair.channels[0].queued() > 6_000_000);
        pair.finish();
    }
}

#[test]
fn ten_thousand_messages_keep_their_order() {
    for advanced in [false, true] {
        let mut pair = Pair::new([Dialect::Node; 2], advanced, None, 64 * 1024);
        for number in 0..10_000u32 {
            pair.say(0, (number % 16) as u8, 3);
        }
        pair.finish();
    }
}

#[test]
fn many_handles_follow_each_other_unacknowledged() {
    let mut pair = Pair::new([Dialect::Node; 2], false, None, 64 * 1024);
    for _ in 0..300 {
        pair.hand(0, 0, 10);
    }
    let pair = pair.finish();
    assert!(
        pair.most_in_flight > 50,
        "only {} at once",
        pair.most_in_flight
    );
    assert_eq!(pair.ledgers[0].taken, 300);
}

fn nobody_asks(_: BorrowedFd<'_>) -> std::io::Result<usize> {
    panic!("only peers that need it are asked for")
}

fn take(socket: &UnixStream, channel: &mut Channel) -> Result<Received, ChannelError> {
    receive(socket.as_fd(), channel, &mut [0; 4096])
}

#[test]
fn a_peer_that_closes_is_the_end_and_no_error() {
    let [ours, theirs] = sockets(None);
    let mut channel = Channel::new(Limits::default());
    assert_eq!(take(&ours, &mut channel).unwrap(), Received::WouldBlock);
    (&theirs).write_all(b"1\n{\"half\":").unwrap();
    drop(theirs);
    assert_eq!(take(&ours, &mut channel).unwrap(), Received::All(10));
    assert_eq!(take(&ours, &mut channel).unwrap(), Received::Closed);
    assert_eq!(channel.half_received(), 8);
    assert!(matches!(channel.poll_event(), Some(Event::Message { .. })));
}

#[test]
fn a_peer_that_closes_with_unread_bytes_is_the_end_too() {
    let [ours, theirs] = sockets(None);
    (&ours).write_all(b"1\n").unwrap();
    drop(theirs);
    let mut channel = Channel::new(Limits::default());
    assert_eq!(take(&ours, &mut channel).unwrap(), Received::Closed);
}

#[test]
fn writing_to_a_closed_peer_is_epipe_and_frees_the_handles() {
    let [ours, theirs] = sockets(None);
    let mut channel = Channel::new(Limits::default());
    let mut witnesses = Vec::new();
    let text = encode::new_connection("\"k\"", 1);
    for number in 0..20 {
        let (witness, fd) = Witness::pair();
        witnesses.push(witness);
        let kind = NativeKind::TcpConnection;
        channel.send_cluster_handle(&text, kind, Arc::new(fd), Token(number));
        if number == 9 {
            assert_eq!(
                flush(ours.as_fd(), &mut channel, nobody_asks).unwrap(),
                Flushed::All
            );
        }
    }
    drop(theirs);
    for _ in 0..2 {
        match flush(ours.as_fd(), &mut channel, nobody_asks) {
            Err(ChannelError::Socket(error)) => assert_eq!(error.kind(), ErrorKind::BrokenPipe),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(channel.in_flight(), 10);
    assert!(witnesses.iter().all(|witness| !witness.is_closed()));
    drop(channel);
    assert!(witnesses.iter().all(Witness::is_closed));
}

#[test]
fn a_full_socket_is_no_error() {
    let [ours, _theirs] = sockets(Some(1));
    let mut channel = Channel::new(Limits::default());
    let text = "x".repeat(1 << 20);
    channel
        .send(&Body::write(&text, Serialization::Json).unwrap())
        .unwrap();
    let flushed = flush(ours.as_fd(), &mut channel, nobody_asks).unwrap();
    assert_eq!(flushed, Flushed::WouldBlock);
    assert!(channel.queued() > 0 && channel.queued() < 1 << 20);
}

#[test]
fn deno_is_asked_for_and_its_failure_is_told() {
    let [ours, _theirs] = sockets(None);
    let mut channel = Channel::with_dialect(Limits::default(), Dialect::Deno);
    channel.send(&Body::from_json("1").unwrap()).unwrap();
    let text = encode::new_connection("\"k\"", 1);
    let (_witness, fd) = Witness::pair();
    channel.send_cluster_handle(&text, NativeKind::TcpConnection, Arc::new(fd), Token(1));
    let asked = Cell::new(0);
    let unread = |_: BorrowedFd<'_>| {
        asked.set(asked.get() + 1);
        match asked.get() {
            1 => Ok(2),
            2 => Err(ErrorKind::Unsupported.into()),
            _ => Ok(0),
        }
    };
    let mut flush_now = || flush(ours.as_fd(), &mut channel, unread);
    assert_eq!(flush_now().unwrap(), Flushed::PeerMustRead);
    assert!(matches!(flush_now(), Err(ChannelError::Socket(_))));
    assert_eq!(flush_now().unwrap(), Flushed::All);
    assert_eq!(asked.get(), 3);
}

#[test]
fn a_read_into_nothing_is_a_mistake_and_not_the_end() {
    let [ours, _theirs] = sockets(None);
    let result = receive(ours.as_fd(), &mut Channel::new(Limits::default()), &mut []);
    assert!(matches!(result, Err(ChannelError::Socket(_))), "{result:?}");
}

#[test]
fn what_is_not_json_is_told_apart_from_a_failing_socket() {
    let [ours, theirs] = sockets(None);
    (&theirs).write_all(b"x\n").unwrap();
    let result = take(&ours, &mut Channel::new(Limits::default()));
    let Err(ChannelError::Protocol(ProtocolError::NotJson { begin })) = result else {
        panic!("{result:?}");
    };
    assert_eq!(begin, "x");
}

/// Sends as no good peer does.
fn send_with(socket: &UnixStream, bytes: &[u8], fds: &[OwnedFd]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds: Vec<BorrowedFd<'_>> = fds.iter().map(|fd| fd.as_fd()).collect();
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
    let count = sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut ancillary,
        SendFlags::empty(),
    );
    assert_eq!(count, Ok(bytes.len()));
}

const ENVELOPE: &[u8] = b"{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":1}\n";

#[test]
fn of_two_descriptors_with_one_message_the_second_is_closed() {
    let [ours, theirs] = sockets(None);
    let mut channel = Channel::new(Limits::default());
    let (witnesses, fds): (Vec<_>, Vec<_>) = (0..2).map(|_| Witness::pair()).unzip();
    send_with(&theirs, ENVELOPE, &fds);
    drop(fds);
    take(&ours, &mut channel).unwrap();
    let Some(Event::Message { handle, .. }) = channel.poll_event() else {
        panic!("the message was lost");
    };
    let handle = handle.unwrap();
    assert_eq!(handle.kind, HandleType::NetNative);
    let flags = rustix::io::fcntl_getfd(&handle.fd).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    assert!(!witnesses[0].is_closed() && witnesses[1].is_closed());
}

#[test]
fn more_descriptors_than_can_be_taken_are_refused_and_closed() {
    let [ours, theirs] = sockets(None);
    let mut channel = Channel::new(Limits::default());
    let (witnesses, fds): (Vec<_>, Vec<_>) = (0..16).map(|_| Witness::pair()).unzip();
    // Two messages: which of the descriptors that fit were meant for the second, nobody knows.
    send_with(&theirs, &[ENVELOPE, ENVELOPE].concat(), &fds);
    drop(fds);
    take(&ours, &mut channel).unwrap();
    assert!(channel.poll_event().is_none());
    assert!(witnesses.iter().all(Witness::is_closed));
    let answer = channel.poll_transmit().unwrap().bytes;
    assert_eq!(answer, b"{\"cmd\":\"NODE_HANDLE_NACK\"}\n".repeat(2));
}
