//! How is each cluster message written? One JSON text, without its line feed.

use crate::message::{HandleType, QueryServer, SocketName};
use crate::{Dialect, JsScalar};
use serde_json::{Map, Value, json};
use std::io::Write as _;

/// What a descriptor is, for the hints that Deno needs and the others ignore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NativeKind {
    /// A listening TCP socket, or one about to listen.
    TcpListener,
    /// A listening unix socket, or one about to listen.
    UnixListener,
    /// A TCP connection.
    TcpConnection,
    /// A unix connection.
    UnixConnection,
    /// A UDP socket.
    Datagram,
}

impl NativeKind {
    fn handle_type(self) -> HandleType {
        match self {
            Self::TcpListener | Self::UnixListener | Self::TcpConnection | Self::UnixConnection => {
                HandleType::NetNative
            }
            Self::Datagram => HandleType::DatagramNative,
        }
    }

    /// `socketType` and `nativeKind` of Deno 2; Node ignores fields it does not know.
    fn hints(self) -> &'static str {
        match self {
            Self::TcpListener => r#","socketType":1,"nativeKind":"tcp""#,
            Self::UnixListener => r#","socketType":1,"nativeKind":"pipe""#,
            Self::TcpConnection => r#","socketType":0,"nativeKind":"tcp""#,
            Self::UnixConnection => r#","socketType":0,"nativeKind":"pipe""#,
            Self::Datagram => "",
        }
    }
}

/// A reply to `queryServer` without a descriptor: the primary accepts and passes connections on.
#[must_use]
pub fn round_robin_reply(
    key: &str,
    ack: i64,
    seq: i64,
    socket_name: Option<&SocketName>,
    data: Option<&serde_json::value::RawValue>,
) -> Vec<u8> {
    let mut reply = json!({
        "cmd": "NODE_CLUSTER", "errno": null, "key": key, "ack": ack, "seq": seq,
    });
    if let (Some(name), Value::Object(fields)) = (socket_name, &mut reply) {
        fields.insert("sockname".to_owned(), json!(name));
    }
    finish_with_data(reply, data)
}

/// A reply to `queryServer` that refuses: `errno` is negative, as libuv has it.
#[must_use]
pub fn error_reply(key: &str, ack: i64, seq: i64, errno: i32) -> Vec<u8> {
    let reply = json!({
        "cmd": "NODE_CLUSTER", "errno": errno, "key": key, "ack": ack, "seq": seq,
    });
    finish_with_data(reply, None)
}

/// The message inside a reply to `queryServer` that carries a listening or bound descriptor.
/// Give it to [`Channel::send_cluster_handle`](crate::Channel::send_cluster_handle).
#[must_use]
pub fn shared_reply(
    key: &str,
    ack: i64,
    seq: i64,
    data: Option<&serde_json::value::RawValue>,
) -> Vec<u8> {
    let reply = json!({
        "cmd": "NODE_CLUSTER", "errno": 0, "key": key, "ack": ack, "seq": seq,
    });
    finish_with_data(reply, data)
}

fn finish_with_data(reply: Value, data: Option<&serde_json::value::RawValue>) -> Vec<u8> {
    let mut text = reply.to_string().into_bytes();
    text.pop();
    text.extend_from_slice(b",\"data\":");
    let data = data.map_or("null", serde_json::value::RawValue::get);
    // Line feeds are legal between the tokens of a JSON text, and the end of a message here.
    text.extend(data.bytes().map(|byte| match byte {
        b'\n' => b' ',
        other => other,
    }));
    text.push(b'}');
    text
}

/// The message inside a `newconn`. `key` must already be a JSON text, quotes included, because it
/// is the same for every connection of a listener. Give it to
/// [`Channel::send_cluster_handle`](crate::Channel::send_cluster_handle).
#[must_use]
pub fn new_connection(key_json: &str, seq: i64) -> Vec<u8> {
    let mut text = Vec::with_capacity(key_json.len() + 72);
    text.extend_from_slice(br#"{"cmd":"NODE_CLUSTER","act":"newconn","key":"#);
    text.extend_from_slice(key_json.as_bytes());
    // Writing into a Vec cannot fail.
    let _ = write!(text, r#","seq":{seq}}}"#);
    text
}

/// `disconnect`: close the servers, then the channel.
#[must_use]
pub fn disconnect(seq: i64) -> Vec<u8> {
    format!(r#"{{"cmd":"NODE_CLUSTER","act":"disconnect","seq":{seq}}}"#).into_bytes()
}

/// `online`: the worker has started.
#[must_use]
pub fn online(seq: i64) -> Vec<u8> {
    format!(r#"{{"cmd":"NODE_CLUSTER","act":"online","seq":{seq}}}"#).into_bytes()
}

/// An empty answer, to `exitedAfterDisconnect`.
#[must_use]
pub fn acknowledge(ack: i64, seq: i64) -> Vec<u8> {
    format!(r#"{{"cmd":"NODE_CLUSTER","ack":{ack},"seq":{seq}}}"#).into_bytes()
}

/// A worker's answer to `newconn`.
#[must_use]
pub fn accepted(ack: i64, accepted: bool, seq: i64) -> Vec<u8> {
    format!(r#"{{"ack":{ack},"accepted":{accepted},"cmd":"NODE_CLUSTER","seq":{seq}}}"#)
        .into_bytes()
}

/// A worker's `close` of one server.
#[must_use]
pub fn close(key: &str, seq: i64) -> Vec<u8> {
    json!({"cmd": "NODE_CLUSTER", "act": "close", "key": key, "seq": seq})
        .to_string()
        .into_bytes()
}

/// A worker's word that it is about to disconnect on its own wish.
#[must_use]
pub fn exited_after_disconnect(seq: i64) -> Vec<u8> {
    format!(r#"{{"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":{seq}}}"#).into_bytes()
}

/// A worker's `queryServer`.
#[must_use]
pub fn query_server(query: &QueryServer, seq: i64) -> Vec<u8> {
    query_like("queryServer", query, seq)
}

/// A worker's `listening`, with the real port.
#[must_use]
pub fn listening(query: &QueryServer, seq: i64) -> Vec<u8> {
    query_like("listening", query, seq)
}

fn query_like(act: &str, query: &QueryServer, seq: i64) -> Vec<u8> {
    let mut fields = Map::new();
    fields.insert("cmd".into(), "NODE_CLUSTER".into());
    fields.insert("act".into(), act.into());
    fields.insert("index".into(), query.index.into());
    for (name, value) in [
        ("address", &query.address),
        ("port", &query.port),
        ("addressType", &query.address_type),
        ("fd", &query.fd),
    ] {
        match value {
            JsScalar::Undefined => continue,
            JsScalar::Null => fields.insert(name.into(), Value::Null),
            JsScalar::Number(number) => fields.insert(name.into(), (*number).into()),
            JsScalar::Text(text) => fields.insert(name.into(), text.as_str().into()),
            JsScalar::Other(json) => {
                let value = serde_json::from_str(json).unwrap_or_else(|_| json.as_str().into());
                fields.insert(name.into(), value)
            }
        };
    }
    fields.insert("flags".into(), query.flags.into());
    fields.insert("backlog".into(), query.backlog.unwrap_or(0).into());
    if query.readable_all {
        fields.insert("readableAll".into(), true.into());
    }
    if query.writable_all {
        fields.insert("writableAll".into(), true.into());
    }
    fields.insert("seq".into(), seq.into());
    finish_with_data(Value::Object(fields), query.data.as_deref())
}

/// Puts the envelope for a descriptor around a cluster message, as `dialect` wants it. The result
/// is a whole line, line feed included.
pub(crate) fn with_handle(dialect: Dialect, message: &[u8], kind: NativeKind) -> Vec<u8> {
    let mut line = Vec::with_capacity(message.len() + 112);
    match dialect {
        Dialect::Node | Dialect::Deno => {
            line.extend_from_slice(br#"{"cmd":"NODE_HANDLE","type":""#);
            line.extend_from_slice(kind.handle_type().as_str().as_bytes());
            line.push(b'"');
            line.extend_from_slice(kind.hints().as_bytes());
            line.extend_from_slice(br#","msg":"#);
            line.extend_from_slice(message);
            line.extend_from_slice(b"}\n");
        }
        Dialect::Bun => {
            line.push(Dialect::BUN_INTERNAL);
            line.extend_from_slice(message.strip_suffix(b"}").unwrap_or(message));
            line.extend_from_slice(b",\"$hasHandle\":true}\n");
        }
    }
    line
}

/// Makes a cluster message a whole line, as `dialect` wants it.
pub(crate) fn plain(dialect: Dialect, message: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(message.len() + 2);
    if dialect == Dialect::Bun {
        line.push(Dialect::BUN_INTERNAL);
    }
    line.extend_from_slice(message);
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_one_json_text_without_a_line_feed() {
        let query = QueryServer {
            address: JsScalar::Null,
            ..QueryServer::default()
        };
        let name = SocketName {
            address: "::".into(),
            family: "IPv6".into(),
            port: 3000,
        };
        for text in [
            round_robin_reply("a\n\"b", 1, 2, Some(&name), None),
            error_reply("k", 1, 2, -98),
            shared_reply("k", 1, 2, None),
            new_connection("\"k\"", 9),
            disconnect(1),
            online(0),
            acknowledge(1, 2),
            accepted(1, true, 2),
            close("k", 3),
            exited_after_disconnect(4),
            query_server(&query, 5),
            listening(&query, 6),
        ] {
            let value: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(value["cmd"], "NODE_CLUSTER");
            assert!(!text.contains(&b'\n'));
        }
    }

    #[test]
    fn bun_gets_flat_messages_with_its_prefix() {
        let line = with_handle(
            Dialect::Bun,
            &new_connection("\"k\"", 9),
            NativeKind::TcpConnection,
        );
        assert_eq!(line[0], 2);
        let value: Value = serde_json::from_slice(&line[1..]).unwrap();
        assert_eq!(value["$hasHandle"], true);
        assert_eq!(value["act"], "newconn");
    }
}
