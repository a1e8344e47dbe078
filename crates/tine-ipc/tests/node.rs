//! Against Node itself, every version, in the serialization `json`.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/generated.rs"]
mod generated;
#[macro_use]
#[path = "support/node_process.rs"]
mod node_process;

use node_process::{DEADLINE, Node};
use proptest::{collection, prelude::*};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use tine_ipc::encode::NativeKind;
use tine_ipc::{Body, Event, HandleType, SentHandle, Serialization, Token};
use tine_testkit::Runtime;

fn start(runtime: Runtime) -> Node {
    Node::start(runtime, Serialization::Json, "echo.js")
}

/// What `JSON.stringify` makes of the values in `fixtures/echo.js`, in their order.
const SHAPES: &[&str] = &[
    "null",
    "null",
    "0",
    "1.5e+300",
    "true",
    r#""text""#,
    r#""""#,
    "[]",
    "{}",
    "null",
    "{}",
    "[null,null,null]",
    "[1,null,3]",
    r#""1970-01-01T00:00:00.000Z""#,
    r#"{"type":"Buffer","data":[104,105]}"#,
    r#"{"0":1,"1":2}"#,
    "{}",
    "{}",
    "{}",
    "{}",
    "{}",
    r#""used""#,
    r#""boxed""#,
    r#"{"x":1}"#,
    "{}",
    r#""\ud800""#,
    r#"{"\udfff":"\ud83d"}"#,
    r#""é漢😀""#,
    "\"a\\nb\u{2028}\\u0000\\\\\\\"\"",
    r#"{"cmd":"NODE_"}"#,
    r#"{"cmd":"fooNODE_"}"#,
    r#"{"cmd":"node_bar"}"#,
    r#"{"cmd":5}"#,
    r#"["NODE_HANDLE_ACK"]"#,
    r#"["NODE_CLUSTER","online",0]"#,
    r#"{"seq":"x","ack":[1],"fd":{},"sockname":7,"msg":null}"#,
];

fn every_shape_arrives_and_returns(node: &mut Node, _: Runtime) {
    node.send(r#"{"do":"shapes"}"#);
    for shape in SHAPES {
        assert_eq!(node.message(), format!("{{\"value\":{shape}}}"));
    }
    for top in [r#""top""#, "7", "false", "[1]", "{}", r#""done""#] {
        assert_eq!(node.message(), top);
    }
    for shape in SHAPES {
        node.send(&format!("{{\"value\":{shape}}}"));
    }
    for shape in SHAPES {
        assert_eq!(node.message(), format!("{{\"value\":{shape}}}"));
    }
    node.send("{\n \"several\":\n [1,\n2]\r\n}");
    assert_eq!(node.message(), r#"{"several":[1,2]}"#);
}

fn internal_is_what_node_calls_internal(node: &mut Node, _: Runtime) {
    node.send(r#"{"do":"internal"}"#);
    match node.event() {
        Some(Event::Message { body, internal, .. }) => {
            assert_eq!(body.as_json().unwrap(), r#"{"cmd":"NODE_bar","n":1}"#);
            assert!(internal);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(node.message(), r#"{"cmd":"fooNODE_","n":2}"#);
    assert_eq!(node.message(), r#""done""#);
    node.send(r#"{"cmd":"NODE_test"}"#);
    assert_eq!(node.message(), r#"{"internal":{"cmd":"NODE_test"}}"#);
}

fn ten_megabytes_arrive_and_return(node: &mut Node, _: Runtime) {
    // Characters of two, three and four bytes, so that reads cut through them.
    let text = format!("\"{}\"", "é漢😀x".repeat(1024 * 1024));
    assert!(text.len() > 10_000_000);
    node.send(&text);
    assert!(node.message() == text, "it came back changed");
}

fn ten_thousand_messages_keep_their_order(node: &mut Node, _: Runtime) {
    for number in 0..10_000 {
        node.send(&format!("{{\"n\":{number}}}"));
    }
    node.send(r#"{"do":"count","to":10000}"#);
    for number in 0..10_000 {
        assert_eq!(node.message(), format!("{{\"n\":{number}}}"));
    }
    for number in 0..10_000 {
        assert_eq!(node.message(), number.to_string());
    }
}

fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    (client, listener.accept().unwrap().0)
}

fn node_takes_connections(node: &mut Node, _: Runtime) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // All at once: nothing waits for an acknowledgement.
    let mut clients = Vec::new();
    for number in 0..20u64 {
        let (client, ours) = connection(&listener);
        clients.push(client);
        node.channel.send_cluster_handle(
            format!("{{\"n\":{number}}}").as_bytes(),
            NativeKind::TcpConnection,
            Arc::new(ours.into()),
            Token(number),
        );
        node.send(&format!("{{\"behind\":{number}}}"));
    }
    let (mut taken, mut answered, mut behind) = (0, 0, 0);
    while taken < 20 || answered < 20 || behind < 20 {
        match node.event() {
            Some(Event::HandleTaken(token)) => {
                assert_eq!(token, Token(taken));
                taken += 1;
            }
            Some(Event::Message { body, .. })
                if body.as_json().unwrap().starts_with("{\"answered\"") =>
            {
                assert_eq!(
                    body.as_json().unwrap(),
                    format!("{{\"answered\":{{\"n\":{answered}}}}}")
                );
                answered += 1;
            }
            Some(Event::Message { body, .. }) => {
                assert_eq!(body.as_json().unwrap(), format!("{{\"behind\":{behind}}}"));
                behind += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    for (number, mut client) in clients.into_iter().enumerate() {
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("{{\"n\":{number}}}"));
    }
}

fn node_gives_a_connection_and_a_listener(node: &mut Node, _: Runtime) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    node.send(&format!("{{\"do\":\"connect\",\"port\":{port}}}"));
    let Some(Event::Message {
        body,
        handle: Some(handle),
        ..
    }) = node.event()
    else {
        panic!("no handle came");
    };
    assert_eq!(body.as_json().unwrap(), format!("{{\"yours\":{port}}}"));
    assert_eq!(handle.kind, HandleType::NetSocket);
    let mut theirs = listener.accept().unwrap().0;
    let ours = TcpStream::from(handle.fd);
    (&ours).write_all(b"from Rust").unwrap();
    drop(ours);
    // The end comes only when Node has closed its copy too, which it does on our ACK.
    node.send("\"and?\"");
    assert_eq!(node.message(), "\"and?\"");
    theirs.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut text = String::new();
    theirs.read_to_string(&mut text).unwrap();
    assert_eq!(text, "from Rust");

    node.send(r#"{"do":"listen"}"#);
    let Some(Event::Message {
        body,
        handle: Some(handle),
        ..
    }) = node.event()
    else {
        panic!("no handle came");
    };
    assert_eq!(handle.kind, HandleType::NetServer);
    let listener = TcpListener::from(handle.fd);
    let port = listener.local_addr().unwrap().port();
    assert_eq!(body.as_json().unwrap(), format!("{{\"port\":{port}}}"));
}

fn three_messages_in_one_read_are_told_apart(_: &mut Node, runtime: Runtime) {
    let two = Body::write("two", Serialization::Json).unwrap();
    node_process::three_messages(runtime, Serialization::Json, "echo.js", &two);
}

/// Any value of JSON, as serde has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Any {
    Null(()),
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Any>),
    Map(BTreeMap<String, Any>),
    Numbered(BTreeMap<u16, Any>),
}

fn any() -> impl Strategy<Value = Any> {
    let leaf = prop_oneof![
        Just(Any::Null(())),
        proptest::bool::ANY.prop_map(Any::Bool),
        (-(1i64 << 53)..1 << 53).prop_map(Any::Integer),
        generated::number().prop_map(Any::Number),
        generated::text().prop_map(Any::Text),
    ];
    // Numbers as keys come first in JavaScript, so they are not mixed with others.
    let key = generated::text()
        .prop_filter("a number or with a meaning of its own", |key| {
            key != "__proto__" && !key.starts_with(|c: char| c.is_ascii_digit())
        })
        .boxed();
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..6).prop_map(Any::List),
            collection::btree_map(key.clone(), inner.clone(), 0..5).prop_map(Any::Map),
            collection::btree_map(0..2000u16, inner, 0..5).prop_map(Any::Numbered),
        ]
    })
}

/// All numbers as JavaScript has them: beyond 2^53 it writes other digits than Rust.
fn parsed(body: &Body) -> serde_json::Value {
    fn as_doubles(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Number(number) => *value = number.as_f64().into(),
            serde_json::Value::Array(values) => values.iter_mut().for_each(as_doubles),
            serde_json::Value::Object(map) => map.values_mut().for_each(as_doubles),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(&body.to_json().unwrap()).unwrap();
    as_doubles(&mut value);
    value
}

fn json_is_what_node_makes_of_it(node: &mut Node, _: Runtime) {
    static VALUES: OnceLock<Vec<Any>> = OnceLock::new();
    let values = VALUES.get_or_init(|| generated::samples(any(), 3000));
    let bodies: Vec<Body> = values
        .iter()
        .map(|value| Body::write(&[value], Serialization::Json).unwrap())
        .collect();
    for body in &bodies {
        node.send_body(body);
    }
    for (value, body) in values.iter().zip(&bodies) {
        let returned = node.body();
        assert_eq!(returned.as_json(), body.as_json(), "{value:?}");
        // Through V8's format and back is no change either.
        let through = Body::from_value(&body.value().unwrap()).unwrap();
        assert_eq!(through.to_json().as_deref(), Ok(body.as_json().unwrap()));
        // Nor is reading and writing again, in both.
        for body in [body, &through] {
            let [again]: [Any; 1] = body.read().unwrap();
            let again = Body::write(&[again], Serialization::Json).unwrap();
            // Numbered keys are now in the order of texts.
            assert_eq!(parsed(&again), parsed(body));
        }
    }
}

fn a_handle_comes_and_goes_with_a_large_message(node: &mut Node, _: Runtime) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (client, ours) = connection(&listener);
    let text = "é".repeat(400_000);
    let body = Body::write(&text, Serialization::Json).unwrap();
    let mark = node
        .channel
        .send_with_handle(&body, SentHandle::Socket, Arc::new(ours.into()), Token(1))
        .unwrap();
    assert!(node.channel.written() < mark);
    assert!(matches!(node.event(), Some(Event::HandleTaken(Token(1)))));
    assert!(node.channel.written() >= mark);
    assert_eq!(node.message(), format!("{{\"answered\":\"{text}\"}}"));
    let mut returned = String::new();
    { client }.read_to_string(&mut returned).unwrap();
    assert_eq!(returned, format!("\"{text}\""));

    let port = listener.local_addr().unwrap().port();
    node.send(&format!("{{\"do\":\"large\",\"port\":{port}}}"));
    let Some(Event::Message {
        body,
        handle: Some(_),
        ..
    }) = node.event()
    else {
        panic!("no handle came");
    };
    assert_eq!(body.read::<String>(), Ok("y".repeat(800_000)));
}

for_every_node! {
    every_shape_arrives_and_returns,
    /// node: test-child-process-internal
    internal_is_what_node_calls_internal,
    /// node: test-child-process-send-utf8
    ten_megabytes_arrive_and_return,
    ten_thousand_messages_keep_their_order,
    node_takes_connections,
    node_gives_a_connection_and_a_listener,
    /// node: test-child-process-recv-handle
    three_messages_in_one_read_are_told_apart,
    json_is_what_node_makes_of_it,
    /// node: sequential/test-cluster-send-handle-large-payload
    a_handle_comes_and_goes_with_a_large_message,
}
