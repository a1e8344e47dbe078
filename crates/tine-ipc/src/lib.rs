//! What the bytes and file descriptors on a Node.js IPC channel mean.
//!
//! `child_process.fork` and `cluster` give a child process one end of a stream socket pair and
//! say in `NODE_CHANNEL_FD` which descriptor it is. This crate speaks what flows there: messages,
//! one JSON text per line or one value in V8's format behind its length, sometimes with a
//! descriptor beside them, acknowledged by its receiver.
//!
//! [`Channel`] is *sans-IO*: bytes and descriptors go in, [`Event`]s come out; messages go in,
//! [`Transmit`]s come out. It opens, reads and writes nothing, knows no clock, and panics on no
//! input. The feature `unix` (on by default) adds [`unix::receive`] and [`unix::flush`], which
//! move the bytes through one socket.
//!
//! | question | file |
//! |---|---|
//! | Where does a message begin and end? | `frame.rs` |
//! | Is it the runtime's or the user's, and what does it say? | `message.rs` |
//! | How is each internal message written? | `encode.rs` |
//! | What does the user say in one message? | `body.rs` |
//! | What do `JSON.stringify` and `JSON.parse` make of it? | `json.rs` |
//! | What does V8's format, of the serialization `advanced`, say? | `v8/` |
//! | What differs between Node, Bun and Deno? | `dialect.rs` |
//! | Which descriptor belongs to which message, and who acknowledged what? | `channel.rs` |
//! | What is written next, and how far has it got? | `queue.rs` |
//! | Which descriptors have arrived before their message? | `unclaimed.rs` |
//! | How do the bytes get through a socket? | `unix.rs` |
//!
//! Facts about the protocol were observed on Node 18.20, 20.20, 22.23, 24.21 and 26.10,
//! Bun 1.4.5 and Deno 2.9.6.
#![forbid(unsafe_code)]

mod body;
mod channel;
mod dialect;
pub mod encode;
mod frame;
mod json;
mod message;
mod parts;
mod queue;
mod serialization;
mod unclaimed;
#[cfg(feature = "unix")]
pub mod unix;
pub mod v8;

pub use body::{Body, BodyError};
pub use channel::{
    Channel, Event, Handle, Limits, NoCommonSerialization, ProtocolError, Token, Transmit,
};
pub use dialect::Dialect;
pub use encode::SentHandle;
pub use message::{
    Act, Cluster, HandleType, JsScalar, QueryServer, RawJson, Reply, SocketName, is_internal,
};
pub use parts::{OwnedParts, PartRef, Parts, QueuedPart};
pub use queue::Mark;
pub use serialization::{Serialization, UnknownSerialization};
