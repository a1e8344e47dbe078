//! What can be said between the command line, the daemon and other clients.
//!
//! The words are JSON, one object a line, over a unix stream socket. `docs/control.md` tells the
//! same story for those who write a client in another language. Nothing here *does* anything about
//! what is said.
//!
//! | file | the question it answers |
//! |---|---|
//! | [`app`] | what is an app? |
//! | [`refused`] | which fields of PM2 are not there, and why? |
//! | [`state`] | what is shown of a process? |
//! | [`target`] | which processes are meant? |
//! | [`request`] | what can be asked? |
//! | [`reply`] | what is answered? |
//! | [`event`] | what is told to those who subscribed? |
//! | [`mod@line`] | what lines does a server send? |
//! | [`limits`] | how much, and how long? |
//! | `client` | how is the daemon asked? Blocking, without a runtime; feature `client` |
//! | `server` | how are clients heard? On tokio; feature `server` |
#![forbid(unsafe_code)]

pub mod app;
#[cfg(feature = "client")]
pub mod client;
pub mod event;
pub mod limits;
pub mod line;
pub mod refused;
pub mod reply;
pub mod request;
#[cfg(feature = "server")]
pub mod server;
pub mod signal;
pub mod state;
pub mod target;

pub use app::{
    AppSpec, Balance, Changes, ExecMode, FilterEnv, Limits, LogType, Problem, Variables,
};
pub use event::{Event, Gap, What};
pub use reply::{Answer, ErrorCode, Failure, Note};
pub use request::{Ask, Request};
pub use state::{AppInfo, ExitInfo, ProcessFiles, ProcessInfo, ProcessStatus, Who};
pub use target::Target;
