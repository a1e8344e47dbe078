//! Node.js `cluster` for Rust: one primary, several workers, one port.
//!
//! A [`Primary`] starts worker processes, talks to them over Node's own IPC protocol, and shares
//! listening sockets among them. Unmodified Node programs are its workers as they are; a Rust
//! program becomes one with [`worker::Worker::from_env`].
//!
//! | question | file |
//! |---|---|
//! | What can be asked of a primary? | `primary/core.rs` |
//! | What is ready, and what is to be written? | `primary/reactor.rs` |
//! | What do workers say, and what are they answered? | `primary/conversation.rs` |
//! | What is known of one worker? | `primary/worker.rs` |
//! | What did a worker ask to listen on? | `primary/bind.rs` |
//! | Which handle answers it? | `primary/handle.rs` |
//! | Who gets the next connection that the primary accepted? | `primary/passing.rs` |
//! | Which socket does the kernel give the next connection to? | `primary/group.rs` |
//! | How does a Rust program join? | `worker/` |
#![forbid(unsafe_code)]

pub mod cluster;
mod error;
mod handle;
mod message;
pub mod primary;
mod request;
pub mod worker;

pub use cluster::{Cluster, Event, Events, Setup, Stdio, WorkerProcess};
pub use error::{RequestError, SendError};
pub use handle::Handle;
pub use message::Message;
pub use primary::{ForkError, ListeningAddress, Policy, Sharing, SteeringReport, WorkerId};
pub use request::RequestId;
pub use tine_ipc::{Body, BodyError, Dialect, Serialization};
pub use tine_sys::reap::ExitStatus;
