//! Against Node itself, every version, in the serialization `advanced`.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/generated.rs"]
mod generated;
#[macro_use]
#[path = "support/node_process.rs"]
mod node_process;

use node_process::{DEADLINE, Node};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, OnceLock};
use tine_ipc::encode::{self, NativeKind};
use tine_ipc::v8::{TypedArrayKind, Value};
use tine_ipc::{Body, BodyError, Event, Handle, HandleType, SentHandle, Serialization, Token};
use tine_testkit::Runtime;

fn start(runtime: Runtime) -> Node {
    Node::start(runtime, Serialization::Advanced, "advanced.js")
}

fn send(node: &mut Node, value: &Value) {
    node.send_body(&Body::from_value(value).unwrap());
}

fn every_shape_is_read_and_written_as_node_does(node: &mut Node, runtime: Runtime) {
    node.send(r#"{"do":"shapes"}"#);
    let mut names = Vec::new();
    loop {
        let body = node.body();
        let value = body.value().unwrap();
        if value == Value::from("done") {
            break;
        }
        let name = value.get("name").unwrap().as_str().unwrap().to_owned();
        let again = Body::from_value(&value).unwrap();
        // Before 22 the cause came in front of the stack.
        if name != "caused" || !matches!(runtime, Runtime::Node18 | Runtime::Node20) {
            assert_eq!(again.as_bytes(), body.as_bytes(), "{name}");
        }
        let Value::Object(mut properties) = value else {
            panic!("{name}");
        };
        properties.push(("do".into(), "compare".into()));
        send(node, &Value::Object(properties));
        names.push(name);
    }
    assert!(names.len() > 45, "{names:?}");
    for name in names {
        #[derive(Deserialize)]
        struct Verdict {
            name: String,
            same: bool,
        }
        let verdict: Verdict = node.body().read().unwrap();
        assert_eq!(verdict.name, name);
        assert!(verdict.same, "{name} came back changed");
    }
}

fn values() -> &'static [Value] {
    static VALUES: OnceLock<Vec<Value>> = OnceLock::new();
    VALUES.get_or_init(|| generated::samples(generated::value(), 3000))
}

fn generated_values_return_from_node(node: &mut Node, _: Runtime) {
    let values = values();
    for value in values {
        // Not at the top, where `process.send` refuses some.
        send(node, &Value::object([("v", value.clone())]));
    }
    let mut references = 0;
    for value in values {
        references += usize::from(format!("{value:?}").contains("Reference("));
        let sent = generated::received(Value::object([("v", value.clone())]));
        let sent = Body::from_value(&sent).unwrap();
        let returned = generated::received(node.body().value().unwrap());
        let returned = Body::from_value(&returned).unwrap();
        assert!(
            sent == returned,
            "sent {:?}\ncame back {:?}",
            sent.value().unwrap(),
            returned.value().unwrap()
        );
    }
    assert!(references > 100, "only {references} with references");
}

#[derive(Serialize)]
struct Everything<'a> {
    small: i64,
    negative: i8,
    big: u64,
    bigger: i128,
    safe: i64,
    ratio: f64,
    single: f32,
    nan: f64,
    minus_zero: f64,
    text: &'a str,
    letter: char,
    none: Option<u8>,
    some: Option<u8>,
    unit: (),
    pair: (u8, &'a str),
    list: Vec<f64>,
    bytes: Bytes<'a>,
    numbers: BTreeMap<u32, &'a str>,
    truths: BTreeMap<bool, u8>,
    variants: Vec<Variant>,
    unknown: Unknown,
}

#[derive(Serialize)]
struct Bytes<'a>(#[serde(serialize_with = "bytes")] &'a [u8]);

fn bytes<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Variant {
    Unit,
    Newtype(u8),
    Tuple(u8, String),
    Struct { x: i32 },
}

/// A sequence that does not say how long it is.
struct Unknown(usize);

impl Serialize for Unknown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            (0..)
                .take_while(|index| *index < self.0)
                .map(|_| "\u{6f22}"),
        )
    }
}

fn values_of_rust_are_what_javascript_expects(node: &mut Node, _: Runtime) {
    let everything = Everything {
        small: 7,
        negative: -128,
        big: u64::MAX,
        bigger: -(1 << 100),
        safe: (1 << 53) - 1,
        ratio: 0.1,
        single: 0.5,
        nan: f64::NAN,
        minus_zero: -0.0,
        text: "é漢😀",
        letter: '\u{e9}',
        none: None,
        some: Some(1),
        unit: (),
        pair: (1, "x"),
        list: vec![1.0, 2.5],
        bytes: Bytes(b"hi"),
        numbers: BTreeMap::from([(7, "x"), (10, "y")]),
        truths: BTreeMap::from([(true, 1)]),
        variants: vec![
            Variant::Unit,
            Variant::Newtype(1),
            Variant::Tuple(2, "t".to_owned()),
            Variant::Struct { x: 3 },
        ],
        unknown: Unknown(300),
    };
    let tests = [
        "v.small === 7 && v.negative === -128",
        "v.big === 2n ** 64n - 1n && v.bigger === -(2n ** 100n)",
        "v.safe === Number.MAX_SAFE_INTEGER && v.ratio === 0.1 && v.single === 0.5",
        "Object.is(v.nan, NaN) && Object.is(v.minus_zero, -0)",
        "v.text === 'é漢😀' && v.letter === 'é'",
        "v.none === null && v.some === 1 && v.unit === null",
        "v.pair[0] === 1 && v.pair[1] === 'x' && v.pair.length === 2",
        "JSON.stringify(v.list) === '[1,2.5]'",
        "Buffer.isBuffer(v.bytes) && v.bytes.toString() === 'hi'",
        "Object.keys(v.numbers).join() === '7,10' && v.truths.true === 1",
        r#"JSON.stringify(v.variants) ===
            '["Unit",{"Newtype":1},{"Tuple":[2,"t"]},{"Struct":{"x":3}}]'"#,
        "v.unknown.length === 300 && v.unknown.every((text) => text === '漢')",
    ];
    let value = Body::write(&everything, Serialization::Advanced).unwrap();
    let value = value.value().unwrap();
    for test in tests {
        let order = Value::object([
            ("do", Value::from("check")),
            ("test", Value::from(test)),
            ("value", value.clone()),
        ]);
        send(node, &order);
    }
    for test in tests {
        let answer = node.body().value().unwrap();
        assert_eq!(answer.get("result"), Some(&Value::Bool(true)), "{test}");
    }
}

fn eight_megabytes_four_times_arrive_and_return(node: &mut Node, _: Runtime) {
    node.send(r#"{"do":"large"}"#);
    let expected: Vec<u8> = (0..8u32 << 20)
        .map(|index| ((index * 7) ^ (index >> 8)) as u8)
        .collect();
    let kinds = [
        Some(TypedArrayKind::Uint8Array),
        Some(TypedArrayKind::Int16Array),
        Some(TypedArrayKind::Float64Array),
        None,
    ];
    for (index, kind) in kinds.into_iter().enumerate() {
        let value = node.body().value().unwrap();
        match (&value, kind) {
            (Value::TypedArray { kind, bytes }, Some(wanted)) => {
                assert!(*kind == wanted && *bytes == expected);
            }
            (Value::Buffer(bytes), None) => assert!(*bytes == expected),
            _ => panic!("number {index} is not {kind:?}"),
        }
        let order = Value::object([
            ("do", Value::from("compareLarge")),
            ("index", Value::Int(index as i32)),
            ("value", value),
        ]);
        send(node, &order);
    }
    for index in 0..4 {
        let expected = format!("{{\"index\":{index},\"same\":true}}");
        assert_eq!(node.message(), expected);
    }
}

fn lengths_may_be_split_over_reads(node: &mut Node, runtime: Runtime) {
    node.send(r#"{"do":"lengths","count":10,"length":65521}"#);
    for number in 0..10 {
        assert_eq!(node.body().value(), Ok(Value::Buffer(vec![number; 65521])));
    }
    // Node 18 does not read what it may itself write (nodejs/node#55834).
    if runtime != Runtime::Node18 {
        for number in 0..10 {
            send(node, &Value::Buffer(vec![number; 65521]));
        }
        for number in 0..10 {
            assert_eq!(node.body().value(), Ok(Value::Buffer(vec![number; 65521])));
        }
    }
}

fn internal_is_what_node_calls_internal(node: &mut Node, _: Runtime) {
    node.send(r#"{"do":"internal"}"#);
    for (number, expected) in [(1, true), (2, true), (3, false), (4, false), (5, false)] {
        match node.event() {
            Some(Event::Message { internal, .. }) => assert_eq!(internal, expected, "{number}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(node.message(), r#""done""#);
    node.send(r#"{"cmd":"NODE_test"}"#);
    assert_eq!(node.message(), r#"{"internal":{"cmd":"NODE_test"}}"#);
}

fn what_cannot_be_cloned_harms_nobody(node: &mut Node, _: Runtime) {
    node.send(r#"{"do":"uncloneable"}"#);
    for _ in 0..3 {
        assert!(node.message().contains("could not be cloned"));
    }
    let Value::Object(properties) = node.body().value().unwrap() else {
        panic!("no object");
    };
    assert!(!properties.is_empty());
    assert_eq!(node.message(), r#""done""#);
}

fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    let ours = listener.accept().unwrap().0;
    ours.set_nonblocking(true).unwrap();
    (client, ours)
}

fn read_all(mut stream: TcpStream) -> String {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn node_takes_handles_with_any_message(node: &mut Node, runtime: Runtime) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut clients = Vec::new();
    for number in 0..20u32 {
        let (client, ours) = connection(&listener);
        clients.push(client);
        let mut message = vec![
            ("words".into(), {
                let word = format!("word {number} é漢");
                Value::Map(vec![(Value::from("first"), Value::from(word))])
            }),
            ("odd".into(), Value::from("x".repeat(number as usize))),
        ];
        if number % 2 == 1 {
            message.push(("self".into(), Value::Reference(0)));
            message.push(("words again".into(), Value::Reference(1)));
        }
        let body = Body::from_value(&Value::Object(message)).unwrap();
        let token = Token(u64::from(number));
        node.channel
            .send_with_handle(&body, SentHandle::Socket, Arc::new(ours.into()), token)
            .unwrap();
        send(node, &Value::Int(number as i32));
    }
    let (mut taken, mut answered, mut behind) = (0, 0, 0);
    while taken < 20 || answered < 20 || behind < 20 {
        match node.event() {
            Some(Event::HandleTaken(token)) => {
                assert_eq!(token, Token(taken));
                taken += 1;
            }
            Some(Event::Message { body, .. }) => match body.value().unwrap() {
                Value::Int(number) => {
                    assert_eq!(number, behind);
                    behind += 1;
                }
                value => {
                    let message = value.get("answered").unwrap();
                    if answered % 2 == 1 {
                        // Inside the answer it is object 1, and its map 2.
                        assert_eq!(message.get("self"), Some(&Value::Reference(1)));
                        assert_eq!(message.get("words again"), Some(&Value::Reference(2)));
                    }
                    assert_eq!(
                        message.get("odd").unwrap().as_str().unwrap().len(),
                        answered
                    );
                    answered += 1;
                }
            },
            other => panic!("{other:?}"),
        }
    }
    for (number, client) in clients.into_iter().enumerate() {
        assert_eq!(read_all(client), format!("word {number} é漢"));
    }

    // As cluster does.
    let (client, ours) = connection(&listener);
    let text = encode::new_connection("\"k\"", 1);
    let kind = NativeKind::TcpConnection;
    node.channel
        .send_cluster_handle(&text, kind, Arc::new(ours.into()), Token(20));
    assert!(matches!(node.event(), Some(Event::HandleTaken(Token(20)))));
    drop(client);

    let ours = TcpListener::bind("127.0.0.1:0").unwrap();
    ours.set_nonblocking(true).unwrap();
    let address = ours.local_addr().unwrap();
    // Node 18 asks its primary for such a server, which is not here.
    if runtime != Runtime::Node18 {
        let body = Body::write("l", Serialization::Advanced).unwrap();
        node.channel
            .send_with_handle(&body, SentHandle::Server, Arc::new(ours.into()), Token(21))
            .unwrap();
        assert!(matches!(node.event(), Some(Event::HandleTaken(Token(21)))));
        assert_eq!(node.message(), r#"{"serving":"l"}"#);
        assert_eq!(read_all(TcpStream::connect(address).unwrap()), "served");
    }

    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(DEADLINE)).unwrap();
    let theirs = UdpSocket::bind("127.0.0.1:0").unwrap();
    theirs.set_nonblocking(true).unwrap();
    let message = Value::object([("port", Value::Int(udp.local_addr().unwrap().port().into()))]);
    let body = Body::from_value(&message).unwrap();
    let kind = SentHandle::Datagram { udp6: false };
    node.channel
        .send_with_handle(&body, kind, Arc::new(theirs.into()), Token(22))
        .unwrap();
    assert!(matches!(node.event(), Some(Event::HandleTaken(Token(22)))));
    let mut buffer = [0; 100];
    let count = udp.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"from Node");
}

fn handle_of(node: &mut Node) -> (Body, Handle) {
    match node.event() {
        Some(Event::Message {
            body,
            handle: Some(handle),
            internal: false,
        }) => (body, handle),
        other => panic!("{other:?}"),
    }
}

fn node_gives_handles_with_any_message(node: &mut Node, _: Runtime) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    node.send(&format!("{{\"do\":\"connect\",\"port\":{port}}}"));
    let (body, handle) = handle_of(node);
    let expected = Value::object([
        ("yours", Value::Int(port.into())),
        (
            "when",
            Value::Map(vec![(Value::Int(port.into()), Value::BigInt(1u64.into()))]),
        ),
        ("self", Value::Reference(0)),
    ]);
    assert_eq!(body.value(), Ok(expected));
    assert_eq!(handle.kind, HandleType::NetSocket);
    assert_eq!(handle.key, None);
    let theirs = listener.accept().unwrap().0;
    let ours = TcpStream::from(handle.fd);
    (&ours).write_all(b"from Rust").unwrap();
    drop(ours);
    // The end comes only when Node has closed its copy too, which it does on our ACK.
    node.send("\"and?\"");
    assert_eq!(node.message(), "\"and?\"");
    assert_eq!(read_all(theirs), "from Rust");

    // A server whose connections are passed on closes only when it is told that they are closed.
    node.send(r#"{"do":"accept"}"#);
    let port: u16 = node.body().read().unwrap();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (_, handle) = handle_of(node);
    let key = handle.key.unwrap();
    match node.event() {
        Some(Event::Message {
            body,
            internal: true,
            handle: None,
        }) => {
            let body = body.to_json().unwrap();
            let expected = encode::socket_notify_close(&key);
            let expected: serde_json::Value = expected.read().unwrap();
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&body).unwrap(),
                expected
            );
        }
        other => panic!("{other:?}"),
    }
    node.send_body(&encode::socket_all_closed(&key));
    assert_eq!(node.message(), r#""closed""#);
    drop(client);

    node.send(r#"{"do":"datagram"}"#);
    let (body, handle) = handle_of(node);
    assert_eq!(handle.kind, HandleType::DatagramSocket);
    assert_eq!(handle.datagram_type.as_deref(), Some("udp4"));
    let socket = UdpSocket::from(handle.fd);
    let port = socket.local_addr().unwrap().port();
    assert_eq!(body.to_json().unwrap(), format!("{{\"port\":{port}}}"));
}

/// A message is read only when all three are there.
fn three_messages_in_one_read_are_told_apart(_: &mut Node, runtime: Runtime) {
    let two = {
        let words = vec![(Value::from("first"), Value::BigInt(2u64.into()))];
        Body::from_value(&Value::object([("words", Value::Map(words))])).unwrap()
    };
    node_process::three_messages(runtime, Serialization::Advanced, "advanced.js", &two);
}

/// What `JSON.stringify` says of a value is what a channel in the other serialization would send.
fn the_json_text_of_a_value_is_that_of_node(node: &mut Node, _: Runtime) {
    let values = values();
    let order =
        |value: &Value| Value::object([("do", Value::from("stringify")), ("value", value.clone())]);
    for value in values {
        send(node, &order(value));
    }
    let (mut texts, mut refusals) = (0, 0);
    for value in values {
        let ours = Body::from_value(&order(value)).unwrap().to_json();
        let theirs = node.body().value().unwrap();
        match (ours, theirs) {
            (Ok(ours), Value::String(theirs)) => {
                assert_eq!(ours, theirs);
                texts += 1;
            }
            (Err(BodyError::NoJson(_)), Value::Bool(false)) => refusals += 1,
            (ours, theirs) => panic!("{value:?}: {ours:?}, {theirs:?}"),
        }
    }
    assert!(texts > 1000 && refusals > 300, "{texts} {refusals}");
}

for_every_node! {
    /// node: test-child-process-advanced-serialization
    /// node: test-cluster-advanced-serialization
    every_shape_is_read_and_written_as_node_does,
    generated_values_return_from_node,
    values_of_rust_are_what_javascript_expects,
    /// node: test-child-process-advanced-serialization-largebuffer
    eight_megabytes_four_times_arrive_and_return,
    /// node: test-child-process-advanced-serialization-splitted-length-field
    lengths_may_be_split_over_reads,
    internal_is_what_node_calls_internal,
    what_cannot_be_cloned_harms_nobody,
    node_takes_handles_with_any_message,
    node_gives_handles_with_any_message,
    three_messages_in_one_read_are_told_apart,
    the_json_text_of_a_value_is_that_of_node,
}
