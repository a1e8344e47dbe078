//! A peer that sends anything at all.

use super::Choices;
use super::witness::Witness;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tine_ipc::encode::{self, NativeKind};
use tine_ipc::{Body, Channel, Event, Limits, ProtocolError, Token};

/// Pieces out of which nearly right messages can be made.
const PIECES: [&[u8]; 20] = [
    b"\n",
    b"}\n",
    b"{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":",
    b"{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"key\":\"6::::0\",\"msg\":",
    b"{\"cmd\":\"NODE_HANDLE\"",
    b"{\"cmd\":\"NODE_CLUSTER\",\"act\":\"newconn\",\"key\":\"k\",\"seq\":1}",
    b"\x02{\"act\":\"newconn\",\"key\":\"k\",\"$hasHandle\":true,\"seq\":1}",
    b"{\"cmd\":\"NODE_HANDLE_ACK\"}",
    b"{\"cmd\":\"NODE_HANDLE_NACK\"}\n",
    b"{\"cmd\":\"NODE_HANDLE_ACK\"}\n",
    b"{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{}}\n",
    b"\x02",
    b"null",
    b"[\"NODE_HANDLE\",\"net.Native\"]\n",
    b"{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"address\":null,\"port\":1e3,\"fd\":",
    b"\"\\ud800\"",
    b"\xff\xfe\xf0\x9f",
    b"9999999999999999999999",
    b"{\"cmd\":",
    b"[[[[[[[[[[[[",
];

#[derive(Debug, PartialEq)]
struct Heard {
    events: Vec<String>,
    error: Option<ProtocolError>,
}

/// Gives a channel the reads that arbitrary bytes spell.
///
/// # Panics
/// When the channel holds more than its limits allow, answers wrongly, or depends on where the
/// bytes were cut.
pub(crate) fn play(data: &[u8]) {
    let mut choices = Choices(data);
    let limits = Limits {
        message: 8 + usize::from(choices.byte()) * 4,
        unclaimed_handles: 1 + usize::from(choices.byte() % 5),
        unread_answers: 1 + usize::from(choices.byte() % 32),
    };
    let on_their_way = u64::from(choices.byte() % 4);
    let mut channel = waiting(limits, on_their_way);
    let mut witnesses: Vec<Witness> = Vec::new();
    let mut stream = Vec::new();
    let mut heard = Heard {
        events: Vec::new(),
        error: None,
    };
    let (mut handles, mut next_token) = (0, 0);
    while !choices.is_empty() && stream.len() < 1 << 16 {
        let how = choices.byte();
        let bytes = match how & 1 {
            0 => PIECES[usize::from(choices.byte()) % PIECES.len()],
            _ => {
                let length = usize::from(choices.byte());
                choices.bytes(length)
            }
        };
        stream.extend_from_slice(bytes);
        for _ in 0..(how >> 1 & 7).saturating_sub(3) {
            let (witness, fd) = Witness::pair();
            witnesses.push(witness);
            channel.receive_fd(fd);
        }
        if how & 0x70 == 0x70 {
            channel.receive_lost_fd();
        }
        let result = channel.receive(bytes);
        if let Some(error) = &heard.error {
            assert_eq!(result.as_ref(), Err(error), "it gets no better");
        }
        heard.error = result.err();
        while let Some(event) = channel.poll_event() {
            heard.events.push(format!("{event:?}"));
            handles += usize::from(check(event, &mut next_token).is_some());
        }
        assert!(next_token <= on_their_way);
        assert!(channel.half_received() <= limits.message);
        witnesses.retain(|witness| !witness.is_closed());
        assert!(witnesses.len() <= limits.unclaimed_handles);
        assert!(channel.half_received() > 0 || witnesses.is_empty());
    }
    let (taken, refused) = answers(&mut channel);
    assert_eq!(taken, handles);
    assert!(taken + refused <= limits.unread_answers);
    // Without descriptors the cuts must make no difference at all.
    if !data.is_empty() {
        let mut pieces = waiting(limits, on_their_way);
        let mut whole = waiting(limits, on_their_way);
        let length = 1 + data.len() % 7;
        let one = heard_from(&mut pieces, stream.chunks(length));
        let other = heard_from(&mut whole, std::iter::once(&stream[..]));
        assert_eq!(one, other);
        assert_eq!(answers(&mut pieces), answers(&mut whole));
    }
}

/// A channel that has written so many handles and heard of none.
fn waiting(limits: Limits, handles: u64) -> Channel {
    let mut channel = Channel::new(limits);
    let fd: Arc<OwnedFd> = Arc::new(std::fs::File::open("/dev/null").unwrap().into());
    for number in 0..handles {
        let message = encode::new_connection("\"k\"", 1);
        let kind = NativeKind::TcpConnection;
        channel.send_cluster_handle(&message, kind, Arc::clone(&fd), Token(number));
        let length = channel.poll_transmit().unwrap().bytes.len();
        channel.transmitted(length);
    }
    channel
}

fn check(event: Event, next_token: &mut u64) -> Option<OwnedFd> {
    match event {
        Event::Cluster(_, fd) => fd,
        Event::Message { body, handle, .. } => {
            if let Some(json) = body.as_json() {
                assert!(!json.contains('\n'));
                assert!(Body::from_json(json).is_ok(), "{json}");
            }
            super::values::look_at(&body);
            handle.map(|handle| handle.fd)
        }
        Event::HandleTaken(token) | Event::HandleRefused(token) => {
            assert_eq!(token, Token(*next_token));
            *next_token += 1;
            None
        }
        other => panic!("{other:?} is new"),
    }
}

fn heard_from<'a>(channel: &mut Channel, reads: impl Iterator<Item = &'a [u8]>) -> Heard {
    let mut heard = Heard {
        events: Vec::new(),
        error: None,
    };
    for bytes in reads {
        heard.error = channel.receive(bytes).err();
        while let Some(event) = channel.poll_event() {
            heard.events.push(format!("{event:?}"));
        }
    }
    heard
}

/// How many ACKs and NACKs are queued; nothing else may be.
fn answers(channel: &mut Channel) -> (usize, usize) {
    let (mut taken, mut refused) = (0, 0);
    let mut text = Vec::new();
    while let Some(next) = channel.poll_transmit() {
        assert!(next.fd.is_none());
        let count = next.bytes.len();
        text.extend_from_slice(next.bytes);
        channel.transmitted(count);
    }
    for line in String::from_utf8(text).unwrap().lines() {
        match line {
            r#"{"cmd":"NODE_HANDLE_ACK"}"# => taken += 1,
            r#"{"cmd":"NODE_HANDLE_NACK"}"# => refused += 1,
            other => panic!("{other} was never to be sent"),
        }
    }
    (taken, refused)
}
