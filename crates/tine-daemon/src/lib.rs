//! Does the world match what was asked? Runs apps around the rules.
//!
//! [`foreground`] runs one app inside this very process, for `tine run`.
#![forbid(unsafe_code)]

mod brain;
pub mod dump;
pub mod durable;
pub mod foreground;
pub mod home;
pub mod launch;
pub mod listening;
pub mod role;
pub mod sample;
pub mod settings;
mod spec;

pub use spec::{AppSpec, Balance};
pub use tine_cluster::{Dialect, ListeningAddress, Policy, Sharing, SteeringReport};
pub use tine_rules as rules;
pub use tine_sys::inherited;
pub use tine_sys::reap::{signal_from_name, signal_name};
pub use tine_sys::spawn::{ResolveError, resolve_program};

/// How many cores this process may use: what the affinity mask and the cgroup's quota allow.
#[must_use]
pub fn usable_cores() -> usize {
    tine_sys::cores::usable().usable.get()
}
