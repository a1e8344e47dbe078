//! What was sent one way, to be compared with what arrives.

use super::witness::{Name, Witness};
use std::collections::{HashSet, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use tine_ipc::encode::{self, NativeKind};
use tine_ipc::v8::Value;
use tine_ipc::{Act, Body, Channel, Cluster, Event, SentHandle, Serialization, Token};

/// What one message must look like when it arrives.
#[derive(Debug)]
enum What {
    User { body: Body, internal: bool },
    Cluster { seq: i64 },
}

/// One direction: messages in the order in which they were sent, and who watches their handles.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    expected: VecDeque<(What, Option<Name>)>,
    tokens: VecDeque<(Token, Name)>,
    lost: HashSet<Name>,
    witnesses: Vec<Witness>,
    count: i64,
    pub(crate) arrived: usize,
    pub(crate) taken: usize,
    pub(crate) refused: usize,
}

impl Ledger {
    /// Queues a message of the shape `choice`, with about `size` characters where that shape has
    /// a text.
    pub(crate) fn say(&mut self, channel: &mut Channel, choice: u8, size: usize) {
        self.count += 1;
        let seq = self.count;
        let cluster = match choice % 16 {
            0 => encode::online(seq),
            1 => encode::accepted(7, true, seq),
            2 => encode::close("null:3000:4:undefined", seq),
            3 => encode::round_robin_reply(&"k\u{20ac}\n".repeat(size), 1, seq, None, None),
            4 => encode::error_reply("k", 1, seq, -98),
            _ => {
                let (body, internal) = user(channel.serialization(), choice, seq, size);
                let before = (channel.written(), channel.queued());
                let mark = channel.send(&body).unwrap();
                assert!(mark > before.0, "nothing of it can be written yet");
                assert!(channel.queued() > before.1);
                self.expected
                    .push_back((What::User { body, internal }, None));
                return;
            }
        };
        channel.send_cluster(&cluster);
        self.expected.push_back((What::Cluster { seq }, None));
    }

    /// Queues a message with a handle.
    pub(crate) fn hand(&mut self, channel: &mut Channel, choice: u8, size: usize) {
        self.count += 1;
        let seq = self.count;
        let (witness, fd) = Witness::pair();
        let name = witness.name;
        self.witnesses.push(witness);
        let token = Token(seq.unsigned_abs());
        let what = if choice.is_multiple_of(2) {
            let key = format!("\"{}\"", "k".repeat(size));
            let text = encode::new_connection(&key, seq);
            channel.send_cluster_handle(&text, NativeKind::TcpConnection, Arc::new(fd), token);
            What::Cluster { seq }
        } else {
            let (body, internal) = user(channel.serialization(), choice / 2, seq, size);
            channel
                .send_with_handle(&body, SentHandle::Socket, Arc::new(fd), token)
                .unwrap();
            What::User { body, internal }
        };
        self.expected.push_back((what, Some(name)));
        self.tokens.push_back((token, name));
    }

    /// The descriptor that came with a read could not be taken.
    pub(crate) fn lose(&mut self, fd: OwnedFd) {
        self.lost.insert(Name::of(fd.as_fd()));
    }

    /// A message has arrived at the other end.
    ///
    /// # Panics
    /// When it is not the next one.
    pub(crate) fn delivered(&mut self, event: Event) {
        self.skip_lost();
        let (what, name) = self
            .expected
            .pop_front()
            .expect("more arrived than was sent");
        let fd = match (event, what) {
            (Event::Cluster(message, fd), What::Cluster { seq }) => {
                check_cluster(&message, seq);
                fd
            }
            (
                Event::Message {
                    body,
                    internal,
                    handle,
                },
                What::User {
                    body: sent,
                    internal: sent_internal,
                },
            ) => {
                assert!(
                    body == sent,
                    "came in as {:.200}, was sent as {:.200}",
                    format!("{body:?}"),
                    format!("{sent:?}")
                );
                assert_eq!(internal, sent_internal);
                handle.map(|handle| handle.fd)
            }
            (event, what) => panic!("{event:?} is not {what:?}"),
        };
        assert_eq!(fd.as_ref().map(|fd| Name::of(fd.as_fd())), name);
        self.arrived += 1;
    }

    /// The sender has heard of a handle.
    ///
    /// # Panics
    /// When it is not the oldest one on its way, or its fate was another.
    pub(crate) fn acknowledged(&mut self, token: Token, taken: bool) {
        let (oldest, name) = self.tokens.pop_front().expect("nothing is on its way");
        assert_eq!(token, oldest);
        assert_eq!(taken, !self.lost.contains(&name), "of {token:?}");
        if taken {
            self.taken += 1;
        } else {
            self.refused += 1;
        }
    }

    /// Everything has arrived, everything is acknowledged, and nobody holds a handle any more.
    pub(crate) fn check_complete(&mut self) {
        self.skip_lost();
        assert!(
            self.expected.is_empty(),
            "never arrived: {:?}",
            self.expected.front()
        );
        assert!(
            self.tokens.is_empty(),
            "never acknowledged: {:?}",
            self.tokens.front()
        );
        assert_eq!(self.refused, self.lost.len());
        for witness in &self.witnesses {
            assert!(witness.is_closed(), "{:?} is still held", witness.name);
        }
    }

    fn skip_lost(&mut self) {
        while let Some((_, Some(name))) = self.expected.front()
            && self.lost.contains(name)
        {
            self.expected.pop_front();
        }
    }
}

fn check_cluster(message: &Cluster, seq: i64) {
    assert_eq!(message.seq, Some(seq));
    assert!(!matches!(message.act, Act::Unknown(_)), "{message:?}");
}

/// A message that cluster has nothing to do with, and whether Node would call it internal.
fn user(how: Serialization, choice: u8, seq: i64, size: usize) -> (Body, bool) {
    if how == Serialization::Json {
        let (text, internal) = json(choice, seq, size);
        return (Body::from_json(text).unwrap(), internal);
    }
    if choice.is_multiple_of(3) {
        return (Body::from_value(&rich(seq, size)).unwrap(), false);
    }
    // Nested no deeper than is read as JSON.
    let (text, internal) = json(
        choice,
        seq,
        if choice % 11 == 7 { size % 100 } else { size },
    );
    let value = Body::from_json(text).unwrap().value().unwrap();
    (Body::from_value(&value).unwrap(), internal)
}

/// A value that JSON has nothing for: inside itself, with characters at even and odd places.
fn rich(seq: i64, size: usize) -> Value {
    Value::object([
        ("self", Value::Reference(0)),
        ("bytes", Value::Buffer(vec![7; size])),
        ("text", Value::from(format!("\u{6f22}{seq}"))),
        ("seq", Value::BigInt(seq.into())),
        (
            "map",
            Value::Map(vec![(Value::Reference(1), Value::Date(0.5))]),
        ),
    ])
}

/// A JSON text, and whether Node would call it internal.
fn json(choice: u8, seq: i64, size: usize) -> (String, bool) {
    let filler = ["x", "\u{e9}", "\u{6f22}", "\u{1f600}"][choice as usize % 4].repeat(size);
    match choice % 11 {
        0 => (
            format!(r#"{{"cmd":"NODE_bar","n":{seq},"x":"{filler}"}}"#),
            true,
        ),
        1 => (
            format!(r#"["NODE_CLUSTER","online",{seq},"{filler}"]"#),
            false,
        ),
        2 => (format!(r#"["NODE_HANDLE_ACK",{seq}]"#), false),
        3 => (format!(r#"{{"cmd":"fooNODE_","n":{seq}}}"#), false),
        4 => (seq.to_string(), false),
        5 => (format!("{{\n\"n\":\n{seq},\"x\":\"{filler}\"\r\n}}"), false),
        6 => (format!(r#""{seq} \ud800 \n \u0000""#), false),
        7 => (
            format!("{}{seq}{}", "[".repeat(size), "]".repeat(size)),
            false,
        ),
        8 => ("null".to_owned(), false),
        9 => (
            format!(r#"{{"seq":"{seq}","ack":[],"act":{{}},"fd":null,"key":"{filler}"}}"#),
            false,
        ),
        _ => (format!(r#"{{"n":{seq},"x":"{filler}"}}"#), false),
    }
}
