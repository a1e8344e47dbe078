//! Is a message the runtime's or the user's, and what does it say?

use crate::body::Body;
use crate::channel::{Event, Handle};
use crate::v8;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::fmt;
use std::os::fd::OwnedFd;

/// A JSON text exactly as it stood on the wire.
pub type RawJson = Box<RawValue>;

/// The fields of all messages that this crate understands, undecoded.
///
/// Every field is kept raw: a user's message may use the same names with other types, and must
/// then pass through untouched.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fields<'a> {
    #[serde(borrow, default)]
    cmd: Option<&'a RawValue>,
    #[serde(borrow, default)]
    act: Option<&'a RawValue>,
    #[serde(borrow, default)]
    seq: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ack: Option<&'a RawValue>,
    #[serde(borrow, default)]
    accepted: Option<&'a RawValue>,
    #[serde(borrow, default)]
    key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    errno: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sockname: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    msg: Option<&'a RawValue>,
    #[serde(borrow, default)]
    dgram_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    index: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    address: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    port: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    address_type: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    fd: Option<&'a RawValue>,
    #[serde(borrow, default)]
    flags: Option<&'a RawValue>,
    #[serde(borrow, default)]
    backlog: Option<&'a RawValue>,
    #[serde(borrow, default)]
    readable_all: Option<&'a RawValue>,
    #[serde(borrow, default)]
    writable_all: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "$hasHandle")]
    has_handle: Option<&'a RawValue>,
}

/// Keeps `null` apart from an absent field, as JavaScript does.
fn present<'de, D>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// What one line turned out to be.
pub(crate) enum Line<'a> {
    /// A message of the user, or an internal one that this crate does not know.
    Other { internal: bool },
    /// `NODE_HANDLE`: a descriptor belongs to the message inside.
    WithHandle(Envelope<'a>),
    /// `NODE_HANDLE_ACK` and `NODE_HANDLE_NACK`.
    Acknowledged { taken: bool },
    /// `NODE_CLUSTER`.
    Cluster {
        message: Box<Cluster>,
        has_handle: bool,
    },
}

/// What `NODE_HANDLE` says of the descriptor, and the message in it.
pub(crate) struct Envelope<'a> {
    kind: HandleType,
    key: Option<String>,
    datagram_type: Option<String>,
    pub(crate) message: &'a str,
}

impl Envelope<'_> {
    pub(crate) fn handle(self, fd: OwnedFd) -> Handle {
        Handle {
            kind: self.kind,
            fd,
            key: self.key,
            datagram_type: self.datagram_type,
        }
    }
}

/// The line is not JSON.
pub(crate) struct NotJson;

/// Reads one line. `bun` says that it had Bun's prefix, which marks a cluster message without
/// its `cmd`.
pub(crate) fn read_line(text: &str, bun: bool) -> Result<Line<'_>, NotJson> {
    // Hot path: half of what a primary reads.
    if text == r#"{"cmd":"NODE_HANDLE_ACK"}"# {
        return Ok(Line::Acknowledged { taken: true });
    }
    // An array is not an object with its fields in our order, though serde would read it so.
    let object = text.trim_ascii_start().starts_with('{');
    let fields = object.then(|| serde_json::from_str::<Fields<'_>>(text).ok());
    let Some(fields) = fields.flatten() else {
        // Arrays, numbers, doubled keys, lone surrogates in keys: a user's, if it is JSON at all.
        return match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Ok(Line::Other { internal: false }),
            Err(_) => Err(NotJson),
        };
    };
    // Hot path: no copy for the texts that runtimes really send.
    match fields.cmd.map(RawValue::get) {
        Some("\"NODE_CLUSTER\"") => {}
        None if bun && fields.act.or(fields.ack).is_some() => {}
        Some("\"NODE_HANDLE_ACK\"") => return Ok(Line::Acknowledged { taken: true }),
        Some("\"NODE_HANDLE_NACK\"") => return Ok(Line::Acknowledged { taken: false }),
        Some("\"NODE_HANDLE\"") => {
            return Ok(Line::WithHandle(Envelope {
                kind: HandleType::from_wire(fields.kind.and_then(text_of).as_deref()),
                key: fields.key.and_then(text_of),
                datagram_type: fields.dgram_type.and_then(text_of),
                message: fields.msg.map_or("null", RawValue::get),
            }));
        }
        _ => {
            let command = fields.cmd.and_then(text_of);
            return Ok(Line::Other {
                internal: command.as_deref().is_some_and(is_internal),
            });
        }
    }
    let has_handle = bun && fields.has_handle.is_some_and(|value| value.get() == "true");
    Ok(Line::Cluster {
        message: Box::new(fields.cluster()),
        has_handle,
    })
}

/// What one frame in V8's format turned out to be.
pub(crate) enum Frame {
    /// A message of the user, an internal one that this crate does not know, or one that cannot
    /// be decoded.
    Other { internal: bool },
    /// `NODE_HANDLE`: a descriptor belongs to the message inside.
    WithHandle(FrameEnvelope),
    /// `NODE_HANDLE_ACK` and `NODE_HANDLE_NACK`.
    Acknowledged { taken: bool },
    /// `NODE_CLUSTER`.
    Cluster(Box<Cluster>),
}

/// What `NODE_HANDLE` says of the descriptor, and the message in it.
pub(crate) struct FrameEnvelope {
    kind: HandleType,
    key: Option<String>,
    datagram_type: Option<String>,
    message: Vec<u8>,
}

impl FrameEnvelope {
    /// What is to be said of the message and its descriptor.
    pub(crate) fn event(mut self, fd: OwnedFd) -> Event {
        let mut seen_as_internal = true;
        // Node wraps a connection that it sends again twice.
        for _ in 0..2 {
            match read_frame(&self.message) {
                Frame::WithHandle(inner) => self = inner,
                Frame::Cluster(message) => return Event::Cluster(message, Some(fd)),
                Frame::Other { internal } => {
                    seen_as_internal = internal;
                    break;
                }
                // An acknowledgement in an envelope is no acknowledgement.
                Frame::Acknowledged { .. } => break,
            }
        }
        Event::Message {
            body: Body::of_frame(self.message),
            internal: seen_as_internal,
            handle: Some(Handle {
                kind: self.kind,
                fd,
                key: self.key,
                datagram_type: self.datagram_type,
            }),
        }
    }
}

/// Reads one frame. Only what is the runtime's own is decoded.
pub(crate) fn read_frame(frame: &[u8]) -> Frame {
    let Some(command) = v8::property_text(frame, "cmd") else {
        return Frame::Other { internal: false };
    };
    match command.as_str() {
        "NODE_HANDLE_ACK" => Frame::Acknowledged { taken: true },
        "NODE_HANDLE_NACK" => Frame::Acknowledged { taken: false },
        "NODE_HANDLE" => Frame::WithHandle(FrameEnvelope {
            kind: HandleType::from_wire(v8::property_text(frame, "type").as_deref()),
            key: v8::property_text(frame, "key"),
            datagram_type: v8::property_text(frame, "dgramType"),
            // An envelope that cannot be opened is handed on as it is, unreadable.
            message: v8::property(frame, "msg").unwrap_or_else(|| frame.to_vec()),
        }),
        "NODE_CLUSTER" => {
            match cluster_fields(frame)
                .as_deref()
                .map(|text| read_line(text, false))
            {
                Some(Ok(Line::Cluster { message, .. })) => Frame::Cluster(message),
                _ => Frame::Other { internal: true },
            }
        }
        command => Frame::Other {
            internal: is_internal(command),
        },
    }
}

/// The fields of a cluster message.
const CLUSTER_FIELDS: [&str; 17] = [
    "act",
    "seq",
    "ack",
    "accepted",
    "key",
    "errno",
    "sockname",
    "data",
    "index",
    "address",
    "port",
    "addressType",
    "fd",
    "flags",
    "backlog",
    "readableAll",
    "writableAll",
];

/// The longest that these are together, in bytes: what a runtime sends has some hundred. They are
/// the only part of a frame that is decoded without being asked for.
const LONGEST_FIELDS: usize = 1 << 20;

/// A cluster message of only these fields, as JSON.
fn cluster_fields(frame: &[u8]) -> Option<String> {
    let mut text = r#"{"cmd":"NODE_CLUSTER""#.to_owned();
    for (name, value) in v8::properties(frame, &CLUSTER_FIELDS, LONGEST_FIELDS)? {
        if matches!(value, v8::Value::Undefined) {
            continue;
        }
        let name = CLUSTER_FIELDS.get(name)?;
        let value = v8::to_json(&value, 0).ok()?;
        text.push_str(&format!(",\"{name}\":{value}"));
    }
    text.push('}');
    Some(text)
}

/// Whether Node treats a message with this `cmd` as its own (event `internalMessage`) and not as
/// the user's: longer than five characters and beginning with `NODE_`, in capitals.
#[must_use]
pub fn is_internal(command: &str) -> bool {
    command.len() > 5 && command.starts_with("NODE_")
}

fn text_of(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

fn integer_of(value: &RawValue) -> Option<i64> {
    let text = value.get();
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        #[allow(clippy::cast_possible_truncation)]
        (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
    })
}

impl Fields<'_> {
    fn cluster(&self) -> Cluster {
        let act = match self.act.map(RawValue::get) {
            None => Act::Reply(self.reply()),
            Some("\"online\"") => Act::Online,
            Some("\"queryServer\"") => Act::QueryServer(self.query()),
            Some("\"listening\"") => Act::Listening(self.query()),
            Some("\"newconn\"") => Act::NewConnection {
                key: self.key_text(),
            },
            Some("\"close\"") => Act::Close {
                key: self.key_text(),
            },
            Some("\"exitedAfterDisconnect\"") => Act::ExitedAfterDisconnect,
            Some("\"disconnect\"") => Act::Disconnect,
            Some(other) => Act::Unknown(other.to_owned()),
        };
        Cluster {
            seq: self.seq.and_then(integer_of),
            ack: self.ack.and_then(integer_of),
            act,
        }
    }

    fn key_text(&self) -> String {
        self.key.and_then(text_of).unwrap_or_default()
    }

    fn reply(&self) -> Reply {
        Reply {
            accepted: self.accepted.and_then(|value| value.get().parse().ok()),
            key: self.key.and_then(text_of),
            errno: self
                .errno
                .and_then(integer_of)
                .and_then(|n| i32::try_from(n).ok()),
            socket_name: self
                .sockname
                .and_then(|value| serde_json::from_str(value.get()).ok()),
            data: self
                .data
                .map(ToOwned::to_owned)
                .filter(|value| value.get() != "null"),
        }
    }

    fn query(&self) -> QueryServer {
        QueryServer {
            index: self.index.and_then(integer_of).unwrap_or(0),
            address: JsScalar::of(self.address),
            port: JsScalar::of(self.port),
            address_type: JsScalar::of(self.address_type),
            fd: JsScalar::of(self.fd),
            flags: self.flags.and_then(integer_of).unwrap_or(0),
            backlog: self
                .backlog
                .and_then(integer_of)
                .and_then(|n| i32::try_from(n).ok())
                .filter(|backlog| *backlog > 0),
            readable_all: truthy(self.readable_all),
            writable_all: truthy(self.writable_all),
            data: self
                .data
                .map(ToOwned::to_owned)
                .filter(|value| value.get() != "null"),
        }
    }
}

fn truthy(value: Option<&RawValue>) -> bool {
    !matches!(
        value.map(RawValue::get),
        None | Some("false" | "null" | "0" | "\"\"")
    )
}

/// One message of the cluster protocol: `{"cmd":"NODE_CLUSTER", …}`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Cluster {
    /// The sender's running number of this message. Bun leaves it out of `listening`.
    pub seq: Option<i64>,
    /// The `seq` of the message that this one answers.
    pub ack: Option<i64>,
    /// What it says.
    pub act: Act,
}

/// What a cluster message says.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Act {
    /// Worker: the process has started.
    Online,
    /// Worker: `listen()` was called; which socket is it to use?
    QueryServer(QueryServer),
    /// Worker: the server is listening. The port is the real one.
    Listening(QueryServer),
    /// Primary: an accepted connection, with its descriptor.
    NewConnection {
        /// The server it is for, as named in the reply to `queryServer`.
        key: String,
    },
    /// Worker: the server with this key has been closed.
    Close {
        /// The server, as named in the reply to `queryServer`.
        key: String,
    },
    /// Worker: it is about to disconnect on its own wish, and waits for the answer.
    ExitedAfterDisconnect,
    /// Primary: close the servers, then the channel.
    Disconnect,
    /// An answer: see [`Cluster::ack`].
    Reply(Reply),
    /// An `act` that no known version sends. Node ignores it.
    Unknown(String),
}

/// The answer to a `queryServer`, a `newconn` or an `exitedAfterDisconnect`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Reply {
    /// Whether the worker took the connection.
    pub accepted: Option<bool>,
    /// The name of the handle, opaque to workers.
    pub key: Option<String>,
    /// Negative error number of libuv, or 0 or `null` for success.
    pub errno: Option<i32>,
    /// The bound address, in round robin over TCP only.
    pub socket_name: Option<SocketName>,
    /// What the first worker attached to this handle (TLS session ticket keys).
    pub data: Option<RawJson>,
}

/// An address as `server.address()` has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
pub struct SocketName {
    /// Without brackets.
    pub address: String,
    /// `IPv4` or `IPv6`.
    pub family: String,
    /// In host byte order.
    pub port: u16,
}

/// A value that JavaScript would print into a key: absent is not the same as `null`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum JsScalar {
    /// The field was absent.
    #[default]
    Undefined,
    /// `null`.
    Null,
    /// An integer.
    Number(i64),
    /// A string.
    Text(String),
    /// Something else, as it stood.
    Other(String),
}

impl JsScalar {
    fn of(value: Option<&RawValue>) -> Self {
        let Some(value) = value else {
            return Self::Undefined;
        };
        match value.get() {
            "null" => Self::Null,
            other => {
                if let Some(number) = integer_of(value) {
                    Self::Number(number)
                } else if let Some(text) = text_of(value) {
                    Self::Text(text)
                } else {
                    Self::Other(other.to_owned())
                }
            }
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Undefined | Self::Null | Self::Text(_) | Self::Other(_) => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Undefined | Self::Null | Self::Number(_) | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for JsScalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undefined => f.write_str("undefined"),
            Self::Null => f.write_str("null"),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) | Self::Other(text) => f.write_str(text),
        }
    }
}

/// A worker's question which socket to use, and later its report that it listens.
#[derive(Debug, Clone, Default)]
pub struct QueryServer {
    /// Which `listen()` of this worker on the same address it is, from 0.
    pub index: i64,
    /// `null` for any, an IP literal, or the absolute path of a unix socket.
    pub address: JsScalar,
    /// 0 for any free one, -1 for unix sockets, `null` with `fd`, absent for UDP `bind()`.
    pub port: JsScalar,
    /// 4, 6, -1 (unix), `udp4`, `udp6`, or `null` with `fd`. 4 with a `null` address means any.
    pub address_type: JsScalar,
    /// `listen({fd})`: a descriptor number *in the primary*. -1 or absent: none.
    pub fd: JsScalar,
    /// 1: IPv6 only; 4: UDP `SO_REUSEADDR`.
    pub flags: i64,
    /// Length of the accept queue, if the program gave one above 0. Node's own default is 511.
    pub backlog: Option<i32>,
    /// Unix sockets: everybody may read.
    pub readable_all: bool,
    /// Unix sockets: everybody may write.
    pub writable_all: bool,
    /// TLS session ticket keys, to be given to all workers of this handle.
    pub data: Option<RawJson>,
}

impl QueryServer {
    /// The name of the handle that answers this question: Node's key since 22.23, with the index
    /// only for port 0 (nodejs/node#60141). Every version of every runtime accepts it.
    #[must_use]
    pub fn key(&self) -> String {
        let Self {
            address,
            port,
            address_type,
            fd,
            index,
            ..
        } = self;
        if *port == JsScalar::Number(0) {
            format!("{address}:{port}:{address_type}:{fd}:{index}")
        } else {
            format!("{address}:{port}:{address_type}:{fd}")
        }
    }
}

/// What kind of object a descriptor becomes at the receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandleType {
    /// `net.Native`: a raw TCP or pipe wrap; what cluster itself uses.
    NetNative,
    /// `net.Server`: a listening socket.
    NetServer,
    /// `net.Socket`: a connection.
    NetSocket,
    /// `dgram.Native`: a raw UDP wrap.
    DatagramNative,
    /// `dgram.Socket`: a UDP socket.
    DatagramSocket,
    /// A type this crate does not know. It is never sent: Node dies of unknown types.
    Unknown(String),
}

impl HandleType {
    pub(crate) fn from_wire(text: Option<&str>) -> Self {
        match text {
            Some("net.Native") => Self::NetNative,
            Some("net.Server") => Self::NetServer,
            Some("net.Socket") => Self::NetSocket,
            Some("dgram.Native") => Self::DatagramNative,
            Some("dgram.Socket") => Self::DatagramSocket,
            other => Self::Unknown(other.unwrap_or_default().to_owned()),
        }
    }

    /// The word for it on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::NetNative => "net.Native",
            Self::NetServer => "net.Server",
            Self::NetSocket => "net.Socket",
            Self::DatagramNative => "dgram.Native",
            Self::DatagramSocket => "dgram.Socket",
            Self::Unknown(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(text: &str) -> Cluster {
        match read_line(text, false) {
            Ok(Line::Cluster { message, .. }) => *message,
            _ => panic!("not a cluster message: {text}"),
        }
    }

    fn internal(text: &str) -> bool {
        match read_line(text, false) {
            Ok(Line::Other { internal }) => internal,
            Ok(_) => panic!("understood: {text}"),
            Err(NotJson) => panic!("not JSON: {text}"),
        }
    }

    #[test]
    fn internal_is_what_node_calls_internal() {
        assert!(internal(r#"{"cmd":"NODE_bar"}"#));
        assert!(internal(r#"{"cmd":"NODE_bar"}"#));
        assert!(!internal(r#"{"cmd":"NODE_"}"#));
        assert!(!internal(r#"{"cmd":"fooNODE_"}"#));
        assert!(!internal(r#"{"cmd":"node_bar"}"#));
        assert!(!internal(r#"{"cmd":5}"#));
        assert!(!internal(r#"["NODE_x"]"#));
        assert!(!internal("null"));
    }

    #[test]
    fn a_users_message_may_use_any_name_with_any_type() {
        assert!(!internal(
            r#"{"seq":"x","ack":[1],"fd":{},"sockname":7,"msg":null}"#
        ));
        assert!(!internal(r#"{"cmd":1,"cmd":2}"#));
        assert!(!internal(r#"{"\ud800":"\udfff"}"#));
        assert!(!internal(r#"{"a":"\ud800"}"#));
    }

    #[test]
    fn nesting_of_any_depth_is_not_recursed_into() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(!internal(&deep));
    }

    #[test]
    fn the_key_is_what_javascript_would_print() {
        let key = |text: &str| match cluster(text).act {
            Act::QueryServer(query) => query.key(),
            other => panic!("{other:?}"),
        };
        let head = r#"{"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,"index":3,"#;
        assert_eq!(
            key(&format!(
                r#"{head}"address":null,"port":3000,"addressType":4}}"#
            )),
            "null:3000:4:undefined"
        );
        assert_eq!(
            key(&format!(
                r#"{head}"address":null,"port":0,"addressType":4}}"#
            )),
            "null:0:4:undefined:3"
        );
        assert_eq!(
            key(&format!(
                r#"{head}"address":"/tmp/s","port":-1,"addressType":-1}}"#
            )),
            "/tmp/s:-1:-1:undefined"
        );
        assert_eq!(
            key(&format!(
                r#"{head}"address":null,"addressType":"udp4","fd":-1}}"#
            )),
            "null:undefined:udp4:-1"
        );
        assert_eq!(
            key(&format!(
                r#"{head}"address":null,"port":null,"addressType":null,"fd":5}}"#
            )),
            "null:null:null:5"
        );
    }

    #[test]
    fn no_backlog_is_false_zero_or_absent() {
        let backlog = |text: &str| match cluster(&format!(
            r#"{{"cmd":"NODE_CLUSTER","act":"queryServer"{text}}}"#
        ))
        .act
        {
            Act::QueryServer(query) => query.backlog,
            other => panic!("{other:?}"),
        };
        assert_eq!(backlog(""), None);
        assert_eq!(backlog(r#","backlog":0"#), None);
        assert_eq!(backlog(r#","backlog":false"#), None);
        assert_eq!(backlog(r#","backlog":128"#), Some(128));
    }

    #[test]
    fn no_field_is_lost_in_v8s_format() {
        for text in [
            r#"{"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,"index":3,"port":80,"fd":5,
                "address":"::1","addressType":6,"flags":1,"backlog":7,"readableAll":true,
                "writableAll":true,"data":{"type":"Buffer","data":[1]},"unknown":[{}]}"#,
            r#"{"cmd":"NODE_CLUSTER","act":"listening","address":null,"port":null,"fd":null}"#,
            r#"{"cmd":"NODE_CLUSTER","act":"close","key":"k"}"#,
            r#"{"cmd":"NODE_CLUSTER","seq":2,"ack":1,"accepted":false,"key":"k","errno":-98,
                "sockname":{"address":"::","family":"IPv6","port":80},"data":null}"#,
        ] {
            let frame = v8::from_json(text).ok().unwrap();
            match read_frame(&frame) {
                Frame::Cluster(message) => {
                    assert_eq!(format!("{message:?}"), format!("{:?}", cluster(text)));
                }
                _ => panic!("not a cluster message: {text}"),
            }
        }
    }

    #[test]
    fn an_answer_carries_its_question() {
        let answer = cluster(r#"{"ack":7,"accepted":false,"cmd":"NODE_CLUSTER","seq":3}"#);
        assert_eq!((answer.ack, answer.seq), (Some(7), Some(3)));
        assert!(matches!(
            answer.act,
            Act::Reply(Reply {
                accepted: Some(false),
                ..
            })
        ));
    }
}
