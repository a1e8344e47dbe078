//! The machine under a [`Cluster`](crate::Cluster), for who drives it by hand. Its types have open
//! fields, and more of them will come: this module is not covered by what the rest of the crate promises
//! about compatible versions.
//!
//! The primary: starts workers, answers their questions, shares their sockets.

mod bind;
mod birth;
mod conversation;
mod core;
mod event;
mod facts;
mod fork;
mod group;
mod handle;
mod handover;
mod holders;
mod launch;
mod leave;
mod luggage;
mod passing;
mod policy;
mod reactor;
mod say;
mod worker;

pub use self::core::Primary;
pub(crate) use self::core::watch;
pub use birth::Birth;
pub use event::{Event, ListeningAddress};
pub use facts::{Facts, WorkerState};
pub(crate) use handle::MOST_HANDLES;
pub(crate) use handover::Written;
pub(crate) use launch::CHANNEL;
pub use launch::{ForkError, Launch, Seat};
pub(crate) use luggage::{Luggage, Unpacked, broken};
pub use policy::{Policy, Settings, Sharing, SteeringReport};
pub(crate) use reactor::Inner;
pub use tine_ipc::{Mark, Token};
pub use worker::WorkerId;
