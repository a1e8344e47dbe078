//! What should happen next: restart, stop, balance. Sans-IO and deterministic.
//!
//! Everything here decides from its arguments alone. There is no clock, no randomness, no process
//! and no file descriptor in this crate: a caller says what happened and when ([`App::handle`]),
//! carries out what it is told ([`App::poll_action`]), and comes back when it is asked to
//! ([`App::next_wakeup`]). The same events at the same times always give the same actions.
//!
//! | file | the question it answers |
//! |---|---|
//! | [`app`] | what happens next to an app with its N slots? |
//! | [`managed`] | the same, when slots are started, stopped and replaced by hand at any time? |
//! | [`restart`] | a process ended: is it replaced, and when? |
//! | [`stop`] | how is one process stopped, and when is patience over? |
//! | [`balance`] | who gets the next connection? |
//! | [`instances`] | how many slots did the user ask for? |
//! | [`time`] | when is now? |
#![forbid(unsafe_code)]
#![deny(
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants
)]

pub mod app;
pub mod balance;
pub mod instances;
pub mod managed;
pub mod restart;
pub mod stop;
pub mod time;

pub use app::{Action, App, AppRules, Event, Exit, Notice, Outcome, SlotStatus};
pub use instances::{Instances, InvalidInstances};
pub use restart::{Ended, RestartHistory, RestartRules, SavedHistory, Verdict};
pub use stop::{StopRules, StopStep, Stopping};
pub use time::Millis;
