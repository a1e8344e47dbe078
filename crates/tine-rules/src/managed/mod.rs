//! What happens next to an app whose slots are started, stopped, restarted, reloaded, added and
//! removed by hand, at any time, by anybody?
//!
//! [`Managed`] is to the daemon what [`crate::App`] is to a program in the foreground: it is told
//! what happened ([`Managed::handle`]), says what to do ([`Managed::poll_action`]) and when it wants
//! to be woken ([`Managed::next_wakeup`]). Its rules are those of [`crate::restart`] and
//! [`crate::stop`].
//!
//! ```
//! use tine_rules::Millis;
//! use tine_rules::managed::{Action, Ask, AskId, Event, Managed, ManagedRules};
//!
//! let mut app = Managed::new(ManagedRules::default());
//! let ask = Ask::Add { slots: vec![0], start: true };
//! app.handle(Millis(0), Event::Ask { id: AskId(1), ask });
//! assert_eq!(app.poll_action(), Some(Action::Spawn { slot: 0, generation: 1 }));
//! ```
//!
//! # Slots and generations
//! A slot is a place for one process, with a number that the driver chose. A generation is one
//! process in it, counted from 1. Two processes are in a slot only while a reload replaces one by
//! the other.
//!
//! # Asks
//! Every ask is answered exactly once, in bounded time, provided that the driver answers spawns. In
//! each slot the newest ask wins: an older one that wanted something else is answered
//! [`Outcome::Superseded`] there. One that wanted what leads to the same goes on: a start waits with
//! an older start, restart or reload, a stop with an older stop or removal.
//!
//! * **Start** waits until the process is up ([`Readiness`]). It fails at the first end before
//!   that, whatever the rules then make of the slot, and at `listen_timeout`, which leaves the
//!   process alone. A process that did its job well and is not to be replaced has
//!   [`Outcome::Finished`]. Failures of the past are forgotten.
//! * **Stop** ends processes as [`crate::stop`] says. One that lives on after SIGKILL, for the kill
//!   timeout or two seconds if that is longer, makes the slot errored ([`Reason::Unkillable`]). The
//!   next ask tries again.
//! * **Restart** does so with some of the slots at a time; the next goes on when one is online.
//! * **Reload** starts a new generation beside the old one and stops the old one when the new one is
//!   up. A new one that ends before, or is late, is ended, the old one stays, and no further slot is
//!   begun with. If the old one listens, the new one has to. Where two generations cannot serve side
//!   by side (no cluster, or nothing is said of being ready) the slot is restarted instead.
//! * **Remove** is a stop after which the slot is gone.
//!
//! # Outliving the program
//! [`Managed::snapshot`] is everything but the asks, as plain data; [`Managed::restore`] goes on
//! from it.
//!
//! # What the driver owes
//! * Carry out the actions in their order and soon, and answer every [`Action::Spawn`] with
//!   [`Event::Spawned`] or [`Event::SpawnFailed`], and every end of a process with
//!   [`Event::Exited`]. The other actions need no answer.
//! * Say [`Event::Woken`] when the time of [`Managed::next_wakeup`] has come. Saying it early or
//!   twice does no harm.
//! * Events may be late: what is said of an older generation, or of a process that has exited, is
//!   ignored. Only of a slot that was removed nothing may be said if its number is used again.

mod action;
mod asks;
mod event;
mod happenings;
mod leaving;
mod machine;
mod orders;
mod process;
mod queue;
mod rules;
mod slot;
mod snapshot;
mod view;

pub use self::action::{Action, Next, Outcome};
pub use self::event::{Ask, AskId, Event, Until};
pub use self::machine::Managed;
pub use self::process::{Channel, Standing};
pub use self::rules::{ChannelKind, ManagedRules, Readiness};
pub use self::slot::Then;
pub use self::snapshot::{SavedLeaving, SavedProcess, SavedSlot, SavedState, Snapshot};
pub use self::view::{Failure, Reason, SlotView, Status};
pub use crate::app::Exit;
pub use crate::restart::SavedHistory;
