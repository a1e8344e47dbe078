//! The primary: starts workers, answers their questions, shares their sockets.

mod bind;
mod conversation;
mod core;
mod event;
mod group;
mod handle;
mod launch;
mod passing;
mod policy;
mod reactor;
mod worker;

pub use self::core::Primary;
pub use event::{Event, ListeningAddress};
pub use launch::{ForkError, Launch, Seat};
pub use policy::{Policy, Settings, Sharing, SteeringReport};
pub use worker::WorkerId;
