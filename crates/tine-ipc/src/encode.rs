//! How is each internal message written? The cluster's as one JSON text, without its line feed;
//! a channel in [`Serialization::Advanced`] transcodes it.

use crate::body::{Body, BodyError};
use crate::frame::LENGTH;
use crate::message::{QueryServer, SocketName};
use crate::serialization::Serialization;
use crate::{Dialect, JsScalar, v8};
use serde_json::{Map, Value, json};
use std::io::Write as _;

/// What a descriptor is, for the hints that Deno needs and the others ignore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
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

/// What a descriptor becomes at the receiver of a message of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SentHandle {
    /// A `net.Server`, from a listening socket. Node 18 and Deno then ask their primary for it,
    /// which can only refuse.
    Server,
    /// A `net.Socket`, from a connection.
    Socket,
    /// A `dgram.Socket`.
    Datagram {
        /// Whether it is `udp6`, not `udp4`.
        udp6: bool,
    },
    /// The bare wrap of the socket, which has no public methods: what cluster itself uses. Bun
    /// does not know it.
    Native(NativeKind),
}

impl SentHandle {
    /// The `type` on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Server => "net.Server",
            Self::Socket => "net.Socket",
            Self::Datagram { .. } => "dgram.Socket",
            Self::Native(NativeKind::Datagram) => "dgram.Native",
            Self::Native(_) => "net.Native",
        }
    }

    /// `NODE_HANDLE` but for its `msg` and its end.
    fn write_head(self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"cmd":"NODE_HANDLE","type":""#);
        out.extend_from_slice(self.word().as_bytes());
        out.push(b'"');
        let more = match self {
            Self::Server | Self::Socket => "",
            Self::Datagram { udp6: false } => r#","dgramType":"udp4""#,
            Self::Datagram { udp6: true } => r#","dgramType":"udp6""#,
            Self::Native(kind) => kind.hints(),
        };
        out.extend_from_slice(more.as_bytes());
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

/// `NODE_SOCKET_ALL_CLOSED`, the answer to `NODE_SOCKET_NOTIFY_CLOSE`: of the connections with
/// this [`key`](crate::Handle::key) none is open here any more. Until then the sender's server
/// does not close.
#[must_use]
pub fn socket_all_closed(key: &str) -> Body {
    of_value(json!({"cmd": "NODE_SOCKET_ALL_CLOSED", "key": key}))
}

/// `NODE_SOCKET_COUNT`, the answer to `NODE_SOCKET_GET_COUNT`: so many of the connections with
/// this [`key`](crate::Handle::key) are open here.
#[must_use]
pub fn socket_count(key: &str, count: u32) -> Body {
    of_value(json!({"cmd": "NODE_SOCKET_COUNT", "key": key, "count": count}))
}

/// `NODE_SOCKET_NOTIFY_CLOSE`: are all connections with this key closed? The answer may come much
/// later.
#[must_use]
pub fn socket_notify_close(key: &str) -> Body {
    of_value(json!({"cmd": "NODE_SOCKET_NOTIFY_CLOSE", "key": key}))
}

/// `NODE_SOCKET_GET_COUNT`: how many connections with this key are open?
#[must_use]
pub fn socket_get_count(key: &str) -> Body {
    of_value(json!({"cmd": "NODE_SOCKET_GET_COUNT", "key": key}))
}

fn of_value(value: Value) -> Body {
    Body::of_line(value.to_string())
}

/// Puts the envelope for a descriptor around a cluster message, as `dialect` wants it. The result
/// is a whole line or frame.
pub(crate) fn with_handle(
    how: Serialization,
    dialect: Dialect,
    message: &[u8],
    kind: NativeKind,
) -> Result<Vec<u8>, BodyError> {
    if how == Serialization::Advanced {
        return in_frame(SentHandle::Native(kind), &transcoded(message)?);
    }
    Ok(match dialect {
        Dialect::Node | Dialect::Deno => in_line(SentHandle::Native(kind), message),
        Dialect::Bun => {
            let mut line = Vec::with_capacity(message.len() + 24);
            line.push(Dialect::BUN_INTERNAL);
            line.extend_from_slice(message.strip_suffix(b"}").unwrap_or(message));
            line.extend_from_slice(b",\"$hasHandle\":true}\n");
            line
        }
    })
}

/// Puts the envelope for a descriptor around a message of the user. The result is a whole line or
/// frame.
pub(crate) fn envelope(body: &Body, kind: SentHandle) -> Result<Vec<u8>, BodyError> {
    Ok(match body.serialization() {
        Serialization::Json => in_line(kind, body.as_bytes()),
        Serialization::Advanced => in_frame(kind, body.as_bytes())?,
    })
}

fn in_line(kind: SentHandle, message: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(message.len() + 112);
    kind.write_head(&mut line);
    line.extend_from_slice(br#","msg":"#);
    line.extend_from_slice(message);
    line.extend_from_slice(b"}\n");
    line
}

fn in_frame(kind: SentHandle, message: &[u8]) -> Result<Vec<u8>, BodyError> {
    let mut head = Vec::with_capacity(112);
    kind.write_head(&mut head);
    head.push(b'}');
    framed(&v8::with_property(&transcoded(&head)?, "msg", message)?)
}

/// Makes a cluster message a whole line or frame, as `dialect` wants it.
pub(crate) fn plain(
    how: Serialization,
    dialect: Dialect,
    message: &[u8],
) -> Result<Vec<u8>, BodyError> {
    if how == Serialization::Advanced {
        return framed(&transcoded(message)?);
    }
    let mut line = Vec::with_capacity(message.len() + 2);
    if dialect == Dialect::Bun {
        line.push(Dialect::BUN_INTERNAL);
    }
    line.extend_from_slice(message);
    line.push(b'\n');
    Ok(line)
}

/// `NODE_HANDLE_ACK` or `NODE_HANDLE_NACK`, a whole line or frame.
pub(crate) fn answer(how: Serialization, taken: bool) -> &'static [u8] {
    match (how, taken) {
        (Serialization::Json, true) => b"{\"cmd\":\"NODE_HANDLE_ACK\"}\n",
        (Serialization::Json, false) => b"{\"cmd\":\"NODE_HANDLE_NACK\"}\n",
        (Serialization::Advanced, true) => {
            b"\0\0\0\x1b\xff\x0fo\"\x03cmd\"\x0fNODE_HANDLE_ACK{\x01"
        }
        (Serialization::Advanced, false) => {
            b"\0\0\0\x1c\xff\x0fo\"\x03cmd\"\x10NODE_HANDLE_NACK{\x01"
        }
    }
}

/// The length in front of a frame.
pub(crate) fn length(content: &[u8]) -> Result<[u8; LENGTH], v8::Error> {
    let length = u32::try_from(content.len());
    let length = length.map_err(|_| v8::Error::TooLong { what: "a message" })?;
    Ok(length.to_be_bytes())
}

fn framed(content: &[u8]) -> Result<Vec<u8>, BodyError> {
    let length = length(content)?;
    Ok([&length, content].concat())
}

/// A JSON text in V8's format.
fn transcoded(message: &[u8]) -> Result<Vec<u8>, BodyError> {
    let text = std::str::from_utf8(message);
    let text = text.map_err(|error| BodyError::NotJson(error.to_string()))?;
    v8::from_json(text)
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
            Serialization::Json,
            Dialect::Bun,
            &new_connection("\"k\"", 9),
            NativeKind::TcpConnection,
        )
        .unwrap();
        assert_eq!(line[0], 2);
        let value: Value = serde_json::from_slice(&line[1..]).unwrap();
        assert_eq!(value["$hasHandle"], true);
        assert_eq!(value["act"], "newconn");
    }
}
