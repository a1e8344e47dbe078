//! What must outlive the brain, or be the ancestor of what it starts: the keeper, and the client
//! through which the brain uses it.
//!
//! The keeper starts programs and reaps them, holds descriptors and state under names, starts the
//! brain and starts it again, and hands everything to the next one. It decides nothing, reads
//! nothing that a user wrote, and holds no more than the limits in [`protocol`] say. It waits in
//! `poll(2)` for two things, its signals and the brain, however many processes there are, and
//! does not wake up unless one of them speaks or a time that was set has come.
#![forbid(unsafe_code)]

pub mod client;
pub mod protocol;

mod keeper;
mod link;
mod order;
mod packet;
mod program;
mod restart;
mod serve;
mod standing;
mod tables;

pub use keeper::{BrainProgram, Options, run};
pub use restart::RestartRule;
