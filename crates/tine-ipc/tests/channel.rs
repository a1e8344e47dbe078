//! `Channel` without any socket: whatever the link does, everything arrives once and in order.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use proptest::prelude::*;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::operations::{DIALECTS, Operation, World};
use support::witness::{Name, Witness};
use support::{hostile, noise, operations};
use tine_ipc::encode::{self, NativeKind};
use tine_ipc::v8::Value;
use tine_ipc::{
    Act, Body, BodyError, Channel, Dialect, Event, HandleType, JsScalar, Limits, Mark,
    NoCommonSerialization, ProtocolError, QueryServer, SentHandle, Serialization, Token, v8,
};

fn operation() -> impl Strategy<Value = Operation> {
    let side = 0..2usize;
    let length = prop_oneof![1..8usize, 1..400usize, Just(usize::MAX)];
    prop_oneof![
        2 => (side.clone(), any::<u8>(), 0..300usize)
            .prop_map(|(side, choice, size)| Operation::Say { side, choice, size }),
        2 => (side.clone(), any::<u8>(), 0..50usize)
            .prop_map(|(side, choice, size)| Operation::Hand { side, choice, size }),
        4 => (side.clone(), length.clone())
            .prop_map(|(side, at_most)| Operation::Write { side, at_most }),
        4 => (side, length, prop::bool::weighted(0.1))
            .prop_map(|(side, at_most, lose)| Operation::Read { side, at_most, lose }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_arrives_once_and_in_order(
        dialects in proptest::sample::select(&DIALECTS),
        advanced: bool,
        capacity in prop_oneof![1..64usize, 64..10_000usize],
        operations in proptest::collection::vec(operation(), 0..120),
    ) {
        let mut world = World::new(dialects, advanced, capacity);
        for operation in operations {
            world.step(operation);
        }
        world.finish();
    }

    #[test]
    fn hostile_bytes_neither_panic_nor_grow(data in proptest::collection::vec(any::<u8>(), 0..600)) {
        hostile::play(&data);
    }

    #[test]
    fn a_users_message_passes_as_it_stood(
        text in "\\PC{0,40}",
        key in "cmd|act|seq|ack|\\$hasHandle|type|msg|fd|[a-z]{1,4}",
        cut in 1..30usize,
    ) {
        let json = serde_json::json!({ &key: &text, "deep": [[{ &key: null }]] }).to_string();
        let internal = key == "cmd" && tine_ipc::is_internal(&text);
        let mut channel = Channel::new(Limits::default());
        for piece in format!("{json}\n").as_bytes().chunks(cut) {
            channel.receive(piece).unwrap();
        }
        match channel.poll_event() {
            Some(Event::Message { body, internal: called, handle: None }) => {
                prop_assert_eq!(body.as_json(), Some(json.as_str()));
                prop_assert_eq!(called, internal);
            }
            other => prop_assert!(false, "{:?}", other),
        }
        prop_assert!(channel.poll_event().is_none());
        prop_assert_eq!(channel.queued(), 0);
    }
}

/// The targets of `fuzz/`, on bytes that are the same at every run, for a bounded time.
fn for_a_while(target: impl Fn(&[u8])) -> usize {
    let end = Instant::now() + Duration::from_secs(2);
    let mut count = 0;
    while count < 200 || (count < 20_000 && Instant::now() < end) {
        target(&noise(count as u64, 40 + count % 1500));
        count += 1;
    }
    count
}

#[test]
fn seeded_noise_as_operations_loses_nothing() {
    let totals = std::cell::Cell::new([0; 3]);
    for_a_while(|data| {
        for ledger in operations::play(data) {
            let [arrived, taken, refused] = totals.get();
            totals.set([
                arrived + ledger.arrived,
                taken + ledger.taken,
                refused + ledger.refused,
            ]);
        }
    });
    let [arrived, taken, refused] = totals.get();
    assert!(
        arrived > 1000 && taken > 500 && refused > 50,
        "the noise hardly does anything: {arrived} {taken} {refused}"
    );
}

#[test]
fn seeded_noise_as_reads_does_no_harm() {
    for_a_while(hostile::play);
}

#[test]
fn seeded_noise_as_values_does_no_harm() {
    let decoded = std::cell::Cell::new(0);
    for_a_while(|data| {
        decoded.set(decoded.get() + usize::from(support::values::play(data)));
    });
    assert!(decoded.get() > 50, "only {} were right", decoded.get());
}

/// Gives a channel one read.
fn read(channel: &mut Channel, bytes: impl AsRef<[u8]>) {
    channel.receive(bytes.as_ref()).unwrap();
}

fn text_of(body: &Body) -> String {
    body.as_json().unwrap().to_owned()
}

fn send(channel: &mut Channel, json: &str) -> Mark {
    channel.send(&Body::from_json(json).unwrap()).unwrap()
}

fn queued_text(channel: &mut Channel) -> String {
    let mut text = Vec::new();
    while let Some(next) = channel.poll_transmit() {
        text.extend_from_slice(next.bytes);
        let count = next.bytes.len();
        channel.transmitted(count);
    }
    String::from_utf8(text).unwrap()
}

const ACK: &str = "{\"cmd\":\"NODE_HANDLE_ACK\"}\n";
const NACK: &str = "{\"cmd\":\"NODE_HANDLE_NACK\"}\n";

fn envelope(message: &str) -> String {
    format!("{{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"key\":\"k\",\"msg\":{message}}}\n")
}

/// node: test-child-process-recv-handle
#[test]
fn the_handle_belongs_to_the_message_between_glued_ones() {
    let (witness, fd) = Witness::pair();
    let mut channel = Channel::new(Limits::default());
    channel.receive_fd(fd);
    read(&mut channel, format!("\"one\"\n{}", envelope("\"two\"")));
    read(&mut channel, "\"three\"\n");
    let mut came = Vec::new();
    while let Some(event) = channel.poll_event() {
        let Event::Message { body, handle, .. } = event else {
            panic!("{event:?}");
        };
        if let Some(handle) = &handle {
            assert_eq!(handle.kind, HandleType::NetSocket);
            assert_eq!(handle.key.as_deref(), Some("k"));
            assert_eq!(Name::of(handle.fd.as_fd()), witness.name);
        }
        came.push((text_of(&body), handle.is_some()));
    }
    let expected = [("\"one\"", false), ("\"two\"", true), ("\"three\"", false)];
    assert_eq!(
        came,
        expected.map(|(json, handle)| (json.to_owned(), handle))
    );
    assert_eq!(queued_text(&mut channel), ACK);
}

#[test]
fn a_lost_descriptor_is_not_replaced_by_the_next_one() {
    let (lost, first) = (envelope("\"first\""), envelope("\"second\""));
    let (head, tail) = lost.split_at(10);
    let (_witness, fd) = Witness::pair();
    let mut channel = Channel::new(Limits::default());
    channel.receive_lost_fd();
    read(&mut channel, head);
    channel.receive_fd(fd);
    read(&mut channel, format!("{tail}{first}"));
    match channel.poll_event() {
        Some(Event::Message { body, handle, .. }) => {
            assert_eq!(text_of(&body), "\"second\"");
            assert!(handle.is_some());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(queued_text(&mut channel), format!("{NACK}{ACK}"));
}

#[test]
fn a_descriptor_that_no_message_claims_is_closed_and_given_to_no_other() {
    let ((first, one), (second, two)) = (Witness::pair(), Witness::pair());
    let mut channel = Channel::new(Limits::default());
    channel.receive_fd(one);
    channel.receive_fd(two);
    read(&mut channel, "{\"plain\":");
    assert!(
        !first.is_closed(),
        "its message may be the one that has begun"
    );
    read(&mut channel, "1}\n{\"cmd\":\"NODE_HAN");
    assert!(first.is_closed() && second.is_closed());
    read(&mut channel, "DLE\",\"msg\":1}\n");
    assert_eq!(queued_text(&mut channel), NACK);
}

#[test]
fn a_spurious_acknowledgement_is_let_pass() {
    let mut channel = Channel::new(Limits::default());
    read(&mut channel, format!("{ACK}{NACK}"));
    assert!(channel.poll_event().is_none());
    let (witness, fd) = Witness::pair();
    let text = encode::new_connection("\"k\"", 1);
    channel.send_cluster_handle(&text, NativeKind::TcpConnection, Arc::new(fd), Token(9));
    read(&mut channel, ACK);
    assert!(channel.poll_event().is_none(), "it is not even written");
    queued_text(&mut channel);
    assert_eq!(channel.in_flight(), 1);
    assert!(!witness.is_closed(), "kept until it is acknowledged");
    read(&mut channel, format!("{ACK}{ACK}"));
    assert!(matches!(
        channel.poll_event(),
        Some(Event::HandleTaken(Token(9)))
    ));
    assert!(channel.poll_event().is_none());
    assert!(witness.is_closed());
}

#[test]
fn a_retransmission_of_node_is_wrapped_twice_and_acknowledged_once() {
    let (_witness, fd) = Witness::pair();
    let mut channel = Channel::new(Limits::default());
    channel.receive_fd(fd);
    let inner = envelope("{\"hello\":1}");
    let text = format!(
        "{{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{}}}\n",
        inner.trim_end()
    );
    read(&mut channel, text);
    match channel.poll_event() {
        Some(Event::Message { body, handle, .. }) => {
            assert_eq!(text_of(&body), "{\"hello\":1}");
            assert_eq!(
                handle.map(|handle| handle.kind),
                Some(HandleType::NetSocket)
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(queued_text(&mut channel), ACK);
}

#[test]
fn an_array_is_never_a_message_of_the_protocol() {
    let (_witness, fd) = Witness::pair();
    let mut channel = Channel::new(Limits::default());
    let text = encode::new_connection("\"k\"", 1);
    channel.send_cluster_handle(&text, NativeKind::TcpConnection, Arc::new(fd), Token(9));
    queued_text(&mut channel);
    for text in [
        "[\"NODE_HANDLE_ACK\"]",
        "[\"NODE_CLUSTER\",\"online\",0]",
        " [\"NODE_HANDLE\"]",
    ] {
        read(&mut channel, format!("{text}\n"));
        match channel.poll_event() {
            Some(Event::Message { body, internal, .. }) => {
                assert_eq!(text_of(&body), text);
                assert!(!internal);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((channel.in_flight(), channel.queued()), (1, 0));
}

#[test]
fn what_is_not_json_ends_the_channel_but_not_what_came_before() {
    for bad in [
        "",
        "{",
        "{\"a\":1}{}",
        "hello",
        "\u{2}",
        "'x'",
        "{\"cmd\":\"NODE_HANDLE\",}",
    ] {
        let mut channel = Channel::new(Limits::default());
        let (witness, fd) = Witness::pair();
        channel.receive_fd(fd);
        let result = channel.receive(format!("1\n{bad}\n2\n").as_bytes());
        assert!(
            matches!(result, Err(ProtocolError::NotJson { .. })),
            "{bad:?}: {result:?}"
        );
        assert_eq!(channel.receive(b"3\n"), result);
        assert!(witness.is_closed());
        match channel.poll_event() {
            Some(Event::Message { body, .. }) => assert_eq!(text_of(&body), "1"),
            other => panic!("{other:?}"),
        }
        assert!(channel.poll_event().is_none());
    }
}

#[test]
fn limits_hold() {
    let limits = Limits::default()
        .message(10)
        .unclaimed_handles(2)
        .unread_answers(3);
    let mut channel = Channel::new(limits);
    assert_eq!(
        channel.receive(b"12345678901"),
        Err(ProtocolError::TooLong { limit: 10 })
    );
    assert_eq!(channel.half_received(), 0);

    let limits = limits.message(1000);
    let mut channel = Channel::new(limits);
    let (witnesses, fds): (Vec<_>, Vec<_>) = (0..5).map(|_| Witness::pair()).unzip();
    for fd in fds {
        channel.receive_fd(fd);
    }
    let open = witnesses.iter().filter(|witness| !witness.is_closed());
    assert_eq!(open.count(), 2);

    let mut channel = Channel::new(limits);
    read(&mut channel, envelope("1").repeat(3));
    let result = channel.receive(envelope("1").as_bytes());
    assert_eq!(result, Err(ProtocolError::DoesNotRead { limit: 3 }));

    let mut channel = Channel::new(limits);
    for _ in 0..10 {
        read(&mut channel, envelope("1").repeat(3));
        assert_eq!(queued_text(&mut channel), NACK.repeat(3));
    }
}

fn advanced(limits: Limits) -> Channel {
    Channel::with(limits, Dialect::Node, Serialization::Advanced).unwrap()
}

/// node: test-child-process-fork-advanced-header-serialization
#[test]
fn a_length_with_nothing_behind_it_does_no_harm() {
    for (length, error) in [
        (0, Some(ProtocolError::NotV8 { begin: Vec::new() })),
        (1, Some(ProtocolError::NotV8 { begin: Vec::new() })),
        (2, None),
        (256 << 20, None),
        (
            0x7fff_ffff,
            Some(ProtocolError::TooLong { limit: 256 << 20 }),
        ),
        (
            0x8000_0000,
            Some(ProtocolError::TooLong { limit: 256 << 20 }),
        ),
        (u32::MAX, Some(ProtocolError::TooLong { limit: 256 << 20 })),
    ] {
        let mut channel = advanced(Limits::default());
        let result = channel.receive(&length.to_be_bytes());
        assert_eq!(result.err(), error, "{length:#x}");
        assert!(channel.poll_event().is_none());
        // The same with every byte in a read of its own.
        let mut channel = advanced(Limits::default());
        let result: Result<(), _> = length
            .to_be_bytes()
            .iter()
            .try_for_each(|byte| channel.receive(&[*byte]));
        assert_eq!(result.err(), error, "{length:#x}");
    }
}

#[test]
fn what_is_not_v8s_format_ends_the_channel_at_once() {
    for (bytes, begin) in [
        (&b"\x00\x00\x10\x00{"[..], &b"{"[..]),
        (b"\x00\x00\x10\x00\xff\x0c", b"\xff\x0c"),
        (b"\x00\x00\x10\x00\xff\x11", b"\xff\x11"),
        // What Bun sends first in its own format.
        (b"\x01\x02\x00\x00\x00\x02", b"\x00"),
    ] {
        let mut channel = advanced(Limits::default());
        let begin = begin.to_vec();
        assert_eq!(channel.receive(bytes), Err(ProtocolError::NotV8 { begin }));
    }
    assert_eq!(
        Channel::with(Limits::default(), Dialect::Bun, Serialization::Advanced).err(),
        Some(NoCommonSerialization)
    );
}

#[test]
fn every_version_from_13_to_16_is_read_and_a_value_without_sense_harms_only_itself() {
    let mut channel = advanced(Limits::default());
    for version in 13..=16 {
        read(&mut channel, [0, 0, 0, 4, 0xff, version, b'I', 14]);
        match channel.poll_event() {
            Some(Event::Message { body, .. }) => {
                assert_eq!(body.read(), Ok(7), "{version}");
                // It goes on in a version that every peer reads.
                let mark = channel.send(&body).unwrap();
                let sent = channel.poll_transmit().unwrap().bytes.to_vec();
                assert_eq!(sent[..4], [0, 0, 0, 4]);
                assert!((13..=15).contains(&sent[5]), "{sent:?}");
                channel.transmitted(sent.len());
                assert_eq!(channel.written(), mark);
            }
            other => panic!("{other:?}"),
        }
    }
    for (bytes, name) in [
        (&b"V"[..], "ArrayBuffer"),
        (b"u\x00", "SharedArrayBuffer"),
        (b"w\x00", "WebAssembly module"),
        (b"", "end"),
        (b"\x80", "tag"),
        (b"I\x02I\x02", "more than one"),
        (b"o{\x01", "count"),
        (b"\"\x05abc", "string"),
        (b"A\xff\xff\xff\xff\x0f", "array"),
        (b"^\x00", "object 0"),
    ] {
        let body = support::advanced_body(bytes).unwrap();
        let error = body.read::<()>().unwrap_err();
        assert!(error.to_string().contains(name), "{bytes:?}: {error}");
    }
}

#[test]
fn nesting_is_limited_and_what_is_allowed_needs_little_stack() {
    let wrap: [(&[u8], &[u8]); 6] = [
        (b"A\x01", b"$\x00\x01"),
        (b"o\"\x01a", b"{\x01"),
        (b";_", b":\x02"),
        (b"'", b",\x01"),
        (b"rc", b"."),
        (b"\\\x01", b""),
    ];
    for (open, close) in wrap {
        let nested = |depth: usize| {
            let bytes = [open.repeat(depth), b"I\x02".to_vec(), close.repeat(depth)].concat();
            support::advanced_body(&bytes).unwrap()
        };
        let deepest = nested(v8::MAX_DEPTH);
        let value = deepest.value().unwrap();
        assert_eq!(Body::from_value(&value).as_ref(), Ok(&deepest));
        let _ = deepest.to_json();
        assert!(deepest.read::<serde::de::IgnoredAny>().is_ok());
        // Into a type: no deeper than JSON.
        assert!(deepest.read::<serde_json::Value>().is_err() || open == b"\\\x01");
        for depth in [v8::MAX_DEPTH + 1, 100_000] {
            let error = nested(depth).value().err();
            assert_eq!(error, Some(v8::Error::TooDeep.into()), "{open:?} {depth}");
        }
        let mut value = value;
        value = Value::Array(vec![value]);
        assert_eq!(Body::from_value(&value), Err(v8::Error::TooDeep.into()));
    }
}

/// node: test-child-process-send-returns-boolean
#[test]
fn a_mark_is_reached_when_all_up_to_it_is_written() {
    for how in [Serialization::Json, Serialization::Advanced] {
        let mut channel = Channel::with(Limits::default(), Dialect::Node, how).unwrap();
        let nothing = channel.written();
        let (_witness, fd) = Witness::pair();
        let body = Body::write("a message", how).unwrap();
        let first = channel.send(&body).unwrap();
        let second = channel
            .send_with_handle(&body, SentHandle::Socket, Arc::new(fd), Token(1))
            .unwrap();
        let third = channel.send(&body).unwrap();
        assert!(nothing < first && first < second && second < third);
        assert_eq!(channel.written(), nothing);
        let framing = if how == Serialization::Json { 1 } else { 4 };
        channel.transmitted(body.len() + framing - 1);
        assert!(nothing < channel.written() && channel.written() < first);
        channel.transmitted(1);
        assert_eq!(channel.written(), first);
        let length = channel.poll_transmit().unwrap().bytes.len();
        channel.transmitted(1);
        channel.transmitted(length - 1);
        // Written, though nobody has acknowledged the handle.
        assert_eq!((channel.written(), channel.in_flight()), (second, 1));
        channel.transmitted(usize::MAX);
        assert_eq!((channel.written(), channel.queued()), (third, 0));
    }
}

#[test]
fn a_body_is_converted_or_refused() {
    let mut json = Channel::new(Limits::default());
    let mut v8 = advanced(Limits::default());
    let body = Body::from_json(r#"{"a":[1,"\ud800",null]}"#).unwrap();
    v8.send(&body).unwrap();
    let frame = v8.poll_transmit().unwrap().bytes.to_vec();
    read(&mut v8, frame);
    match v8.poll_event() {
        Some(Event::Message { body, .. }) => {
            assert_eq!(body.serialization(), Serialization::Advanced);
            json.send(&body).unwrap();
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(queued_text(&mut json), "{\"a\":[1,\"\u{fffd}\",null]}\n");
    let circular = Body::from_value(&Value::Array(vec![Value::Reference(0)])).unwrap();
    let refused = [
        (circular, "circular"),
        (
            Body::from_value(&Value::BigInt(1u64.into())).unwrap(),
            "BigInt",
        ),
        (Body::from_value(&Value::Undefined).unwrap(), "undefined"),
    ];
    for (body, why) in refused {
        let error = json.send(&body).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        let (witness, fd) = Witness::pair();
        let result = json.send_with_handle(&body, SentHandle::Socket, Arc::new(fd), Token(1));
        assert_eq!(result, Err(error));
        assert!(witness.is_closed());
        assert_eq!(json.queued(), 0);
    }
    let (_witness, fd) = Witness::pair();
    let mut bun = Channel::with_dialect(Limits::default(), Dialect::Bun);
    let native = SentHandle::Native(NativeKind::TcpListener);
    let result = bun.send_with_handle(&body, native, Arc::new(fd), Token(1));
    assert_eq!(result, Err(BodyError::Handle("net.Native")));
}

#[test]
fn bun_is_recognised_and_answered_in_its_dialect() {
    let mut channel = Channel::new(Limits::default());
    assert_eq!(channel.dialect(), Dialect::Node);
    read(
        &mut channel,
        "\x02{\"act\":\"queryServer\",\"port\":80,\"address\":null,\"addressType\":4,\"seq\":1}\n",
    );
    assert_eq!(channel.dialect(), Dialect::Bun);
    match channel.poll_event() {
        Some(Event::Cluster(message, None)) => match message.act {
            Act::QueryServer(query) => assert_eq!(query.key(), "null:80:4:undefined"),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    let (_witness, fd) = Witness::pair();
    channel.send_cluster(&encode::error_reply("k", 1, 2, -98));
    send(&mut channel, "{\"mine\":1}");
    let kind = NativeKind::TcpConnection;
    let text = encode::new_connection("\"k\"", 3);
    channel.send_cluster_handle(&text, kind, Arc::new(fd), Token(1));
    let text = queued_text(&mut channel);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("\u{2}{"), "{text}");
    assert_eq!(lines[1], "{\"mine\":1}");
    assert!(
        lines[2].starts_with("\u{2}{") && !lines[2].contains("NODE_HANDLE"),
        "{text}"
    );
    read(&mut channel, ACK);
    assert!(matches!(
        channel.poll_event(),
        Some(Event::HandleTaken(Token(1)))
    ));
    // A flat message with a descriptor, as a primary of Bun sends it: without `cmd`.
    let (witness, fd) = Witness::pair();
    channel.receive_fd(fd);
    read(
        &mut channel,
        "\x02{\"act\":\"newconn\",\"key\":\"k\",\"$hasHandle\":true,\"seq\":1}\n",
    );
    match channel.poll_event() {
        Some(Event::Cluster(_, Some(fd))) => assert_eq!(Name::of(fd.as_fd()), witness.name),
        other => panic!("{other:?}"),
    }
    assert_eq!(queued_text(&mut channel), ACK);
    // What this crate does not know behind the prefix is Bun's own, not the user's.
    read(&mut channel, "\x02{\"new\":1}\n");
    assert!(matches!(
        channel.poll_event(),
        Some(Event::Message { internal: true, .. })
    ));
}

#[test]
fn the_flat_form_counts_only_behind_the_prefix() {
    let mut channel = Channel::new(Limits::default());
    read(
        &mut channel,
        "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\",\"$hasHandle\":true}\n",
    );
    assert!(matches!(
        channel.poll_event(),
        Some(Event::Cluster(_, None))
    ));
    assert_eq!(
        channel.queued(),
        0,
        "Node dies of an answer to what is no handle"
    );
}

#[test]
fn deno_gets_no_handle_behind_anything_unread() {
    let offer = |channel: &Channel| {
        let next = channel.poll_transmit().unwrap();
        (next.fd.is_some(), next.only_when_drained)
    };
    let (_witness, fd) = Witness::pair();
    let fd: Arc<OwnedFd> = Arc::new(fd);
    let mut channel = Channel::with_dialect(Limits::default(), Dialect::Deno);
    let text = encode::new_connection("\"k\"", 3);
    let hand = |channel: &mut Channel| {
        let fd = Arc::clone(&fd);
        channel.send_cluster_handle(&text, NativeKind::TcpConnection, fd, Token(1));
    };
    let all = |channel: &mut Channel| {
        let count = channel.poll_transmit().unwrap().bytes.len();
        channel.transmitted(count);
    };
    hand(&mut channel);
    assert_eq!(
        offer(&channel),
        (true, false),
        "nothing has been written before"
    );
    all(&mut channel);
    hand(&mut channel);
    assert_eq!(
        offer(&channel),
        (true, false),
        "handles may follow each other"
    );
    // Cut inside: the rest is plain bytes, and the next read may begin with them.
    channel.transmitted(5);
    assert_eq!(offer(&channel), (false, false));
    all(&mut channel);
    hand(&mut channel);
    assert_eq!(offer(&channel), (true, true));
    channel.drained();
    assert_eq!(offer(&channel), (true, false));
    all(&mut channel);
    send(&mut channel, "1");
    channel.transmitted(1);
    channel.drained();
    all(&mut channel);
    hand(&mut channel);
    assert_eq!(
        offer(&channel),
        (true, true),
        "its second half was written since"
    );
}

#[test]
fn a_question_survives_being_written_and_read() {
    let query = QueryServer {
        index: 2,
        address: JsScalar::Text("/tmp/\u{e9}\n".to_owned()),
        port: JsScalar::Other("1.5".to_owned()),
        address_type: JsScalar::Null,
        fd: JsScalar::Undefined,
        flags: 5,
        backlog: Some(128),
        readable_all: true,
        writable_all: false,
        data: Some(serde_json::value::RawValue::from_string("{\n\"a\":1}".to_owned()).unwrap()),
    };
    let mut sender = Channel::new(Limits::default());
    sender.send_cluster(&encode::query_server(&query, 4));
    let text = queued_text(&mut sender);
    let mut receiver = Channel::new(Limits::default());
    read(&mut receiver, text);
    match receiver.poll_event() {
        Some(Event::Cluster(message, None)) => match message.act {
            Act::QueryServer(arrived) => {
                assert_eq!(arrived.key(), query.key());
                assert_eq!(arrived.port, query.port);
                assert_eq!(
                    (arrived.index, arrived.flags, arrived.backlog),
                    (2, 5, Some(128))
                );
                assert!(arrived.readable_all && !arrived.writable_all);
                assert_eq!(arrived.data.unwrap().get(), "{ \"a\":1}");
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}
