//! Lengths and counts that are not true. Alone in its process, whose memory is limited.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tine_ipc::v8::{BigInt, Value};
use tine_ipc::{Act, Body, Channel, Dialect, Event, Limits, Serialization};

fn body(bytes: &[u8]) -> Body {
    let mut channel =
        Channel::with(Limits::default(), Dialect::Node, Serialization::Advanced).unwrap();
    let length = u32::try_from(bytes.len() + 2).unwrap().to_be_bytes();
    channel
        .receive(&[&length[..], &[0xff, 15], bytes].concat())
        .unwrap();
    match channel.poll_event() {
        Some(Event::Message { body, .. }) => body,
        other => panic!("{other:?}"),
    }
}

/// What a channel makes of a whole message.
fn event(value: &Value) -> Event {
    let mut channel =
        Channel::with(Limits::default(), Dialect::Node, Serialization::Advanced).unwrap();
    let body = Body::from_value(value).unwrap();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    channel.receive(&length).unwrap();
    channel.receive(body.as_bytes()).unwrap();
    channel.poll_event().unwrap()
}

/// One megabyte, and a reference of three bytes to each of a thousand more. `number` is that of
/// the first object in it.
fn megabytes(number: u32) -> Value {
    let first = Value::StringObject("x".repeat(1 << 20));
    let again = std::iter::repeat_n(Value::Reference(number + 1), 1000);
    Value::array([first].into_iter().chain(again))
}

fn references_take_no_memory() {
    let body = Body::from_value(&megabytes(0)).unwrap();
    let error = body.to_json().unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
    assert!(body.read::<serde_json::Value>().is_err());
    assert!(body.read::<Vec<String>>().is_err());

    // Of a cluster message only its fields are looked at, whatever else is in it.
    let cluster = |name: &str, more: Value| {
        event(&Value::object([
            ("cmd", "NODE_CLUSTER".into()),
            ("act", "online".into()),
            ("seq", 7.into()),
            (name, more),
        ]))
    };
    for more in [
        megabytes(1),
        BigInt::from(1i128).into(),
        Value::Reference(0),
    ] {
        match cluster("more", more) {
            Event::Cluster(message, None) => {
                assert!(matches!(message.act, Act::Online));
                assert_eq!(message.seq, Some(7));
            }
            other => panic!("{other:?}"),
        }
    }
    // In a field that is looked at, it is no cluster message.
    let small = Value::Buffer(vec![1; 48]);
    assert!(matches!(cluster("data", small), Event::Cluster(..)));
    let large = Value::Buffer(vec![1; 1 << 20]);
    for more in [megabytes(1), large, BigInt::from(1i128).into()] {
        match cluster("data", more) {
            Event::Message { internal, .. } => assert!(internal),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_only_claimed_takes_no_memory() {
    let limit = Rlimit {
        current: Some(512 << 20),
        maximum: getrlimit(Resource::As).maximum,
    };
    setrlimit(Resource::As, limit).unwrap();
    assert!(
        Vec::<u8>::new().try_reserve_exact(1 << 30).is_err(),
        "the limit is not in force"
    );

    let claims = [0x7f, 0xffff, 0x0fff_ffff, 0x7fff_ffff, 0xffff_fff0u32];
    for claim in claims {
        let mut varint = Vec::new();
        let mut rest = claim;
        while rest >= 0x80 {
            varint.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        varint.push(rest as u8);
        for head in [
            &b"A"[..],
            b"\"",
            b"c",
            b"S",
            b"B",
            b"Z",
            b"z",
            b"s\"",
            b"R\"",
            b"\\\x00\x0a",
            b"\\\x00\x08",
            b"~",
            b"rm\"",
            b"o\"",
        ] {
            let body = body(&[head, &varint, b"I\x02"].concat());
            assert!(body.value().is_err(), "{head:?} {claim:#x}");
            assert!(body.to_json().is_err());
        }
        // Gaps are not memory, until they are asked for one by one.
        let body = body(&[b"a", &varint[..], b"@\x00", &varint].concat());
        assert!(body.value().is_ok());
        let small = claim < 1 << 22;
        assert_eq!(body.to_json().is_ok(), small, "{claim:#x}");
        assert_eq!(body.read::<Vec<()>>().is_ok(), small, "{claim:#x}");
    }

    references_take_no_memory();

    // A frame that never comes.
    for length in [255u32 << 20, 256 << 20] {
        let mut channels: Vec<Channel> = Vec::new();
        for _ in 0..100 {
            let mut channel =
                Channel::with(Limits::default(), Dialect::Node, Serialization::Advanced).unwrap();
            channel.receive(&length.to_be_bytes()).unwrap();
            channel.receive(&[0xff, 15, b'"', 0xff]).unwrap();
            channels.push(channel);
        }
        assert!(channels.iter().all(|channel| channel.half_received() == 8));
    }
}
