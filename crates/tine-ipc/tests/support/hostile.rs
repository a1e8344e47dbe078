//! A peer that sends anything at all.

use super::Choices;
use super::witness::Witness;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tine_ipc::encode::{self, NativeKind};
use tine_ipc::{Body, Channel, Dialect, Event, Limits, ProtocolError, Serialization, Token};

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

/// The same in V8's format.
const FRAMES: [&[u8]; 20] = [
    b"\0\0\0\x1b\xff\x0fo\"\x03cmd\"\x0fNODE_HANDLE_ACK{\x01",
    b"\0\0\0\x1c\xff\x0fo\"\x03cmd\"\x10NODE_HANDLE_NACK{\x01",
    b"\0\0\0\x35\xff\x0fo\"\x03cmd\"\x0bNODE_HANDLE\"\x04type\"\x0anet.Socket\"\x03msgI\x02{\x03",
    b"\0\0\0\x37\xff\x0fo\"\x03cmd\"\x0bNODE_HANDLE\"\x04type\"\x0anet.Socket\"\x03msgo^\x00{\x03",
    b"\0\0\0\x17\xff\x0fo\"\x03cmd\"\x0bNODE_HANDLE{\x01",
    b"\0\0\0\x24\xff\x0fo\"\x03cmd\"\x0cNODE_CLUSTER\"\x03act\"\x06online{\x02",
    b"\0\0\0\x04\xff\x0fI\x02",
    b"\0\0\0\x04\xff\x10I\x02",
    b"\0\0\0\x04\xff\x0d_\0",
    b"\0\0\0\x02\xff\x0f",
    b"\0\0\0\x03\xff\x0fV",
    b"\0\0\0\x03\xff\x11_",
    b"\0\0\0\x01",
    b"\0\0\0\0",
    b"\0\0\x01\0\xff\x0f\"\x80\x80\x01",
    b"\xff\x0f",
    b"\0",
    b"\0\0\0\x40",
    b"\x7f\xff\xff\xff",
    b"\0\0\0\x05\xff\x0f\"\x01x",
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
    let limits = Limits::default()
        .message(8 + usize::from(choices.byte()) * 4)
        .unclaimed_handles(1 + usize::from(choices.byte() % 5))
        .unread_answers(1 + usize::from(choices.byte() % 32));
    let flags = choices.byte();
    let on_their_way = u64::from(flags % 4);
    let (how, pieces) = match flags & 4 {
        0 => (Serialization::Json, &PIECES),
        _ => (Serialization::Advanced, &FRAMES),
    };
    let mut channel = waiting(limits, how, on_their_way);
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
            0 => pieces[usize::from(choices.byte()) % pieces.len()],
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
        // With the length in front.
        assert!(channel.half_received() <= limits.message + 4);
        witnesses.retain(|witness| !witness.is_closed());
        assert!(witnesses.len() <= limits.unclaimed_handles);
        assert!(channel.half_received() > 0 || witnesses.is_empty());
    }
    let (taken, refused) = answers(&mut channel);
    assert_eq!(taken, handles);
    assert!(taken + refused <= limits.unread_answers);
    // Without descriptors the cuts must make no difference at all.
    if !data.is_empty() {
        let mut pieces = waiting(limits, how, on_their_way);
        let mut whole = waiting(limits, how, on_their_way);
        let length = 1 + data.len() % 7;
        let one = heard_from(&mut pieces, stream.chunks(length));
        let other = heard_from(&mut whole, std::iter::once(&stream[..]));
        assert_eq!(one, other);
        assert_eq!(answers(&mut pieces), answers(&mut whole));
    }
}

/// A channel that has written so many handles and heard of none.
fn waiting(limits: Limits, how: Serialization, handles: u64) -> Channel {
    let mut channel = Channel::with(limits, Dialect::Node, how).unwrap();
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
    while !text.is_empty() {
        let known = [
            (&b"{\"cmd\":\"NODE_HANDLE_ACK\"}\n"[..], true),
            (b"{\"cmd\":\"NODE_HANDLE_NACK\"}\n", false),
            (FRAMES[0], true),
            (FRAMES[1], false),
        ];
        let found = known.iter().find(|(answer, _)| text.starts_with(answer));
        let (answer, is_taken) = found.expect("nothing else was to be sent");
        text.drain(..answer.len());
        *(if *is_taken { &mut taken } else { &mut refused }) += 1;
    }
    (taken, refused)
}
