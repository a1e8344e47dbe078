//! Against Node itself, every version, in the serialization `json`.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/node_process.rs"]
mod node_process;

use node_process::{DEADLINE, Node};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use tine_ipc::encode::NativeKind;
use tine_ipc::{Body, Event, HandleType, SentHandle, Serialization, Token};
use tine_testkit::Runtime;

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

fn every_shape_arrives_and_returns(node: &mut Node) {
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

fn internal_is_what_node_calls_internal(node: &mut Node) {
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

fn ten_megabytes_arrive_and_return(node: &mut Node) {
    // Characters of two, three and four bytes, so that reads cut through them.
    let text = format!("\"{}\"", "é漢😀x".repeat(1024 * 1024));
    assert!(text.len() > 10_000_000);
    node.send(&text);
    assert!(node.message() == text, "it came back changed");
}

fn ten_thousand_messages_keep_their_order(node: &mut Node) {
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

fn node_takes_connections(node: &mut Node) {
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

fn node_gives_a_connection_and_a_listener(node: &mut Node) {
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

fn all(runtime: Runtime) {
    let mut node = Node::start(runtime, Serialization::Json, "echo.js");
    every_shape_arrives_and_returns(&mut node);
    internal_is_what_node_calls_internal(&mut node);
    ten_megabytes_arrive_and_return(&mut node);
    ten_thousand_messages_keep_their_order(&mut node);
    node_takes_connections(&mut node);
    node_gives_a_connection_and_a_listener(&mut node);
    node.end();
}

#[test]
fn node_18() {
    all(Runtime::Node18);
}

#[test]
fn node_20() {
    all(Runtime::Node20);
}

#[test]
fn node_22() {
    all(Runtime::Node22);
}

#[test]
fn node_24() {
    all(Runtime::Node24);
}

#[test]
fn node_26() {
    all(Runtime::Node26);
}
