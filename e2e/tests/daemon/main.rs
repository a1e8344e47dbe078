//! The daemon and every command of the command line, with programs as people write them.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
#![allow(
    clippy::disallowed_methods,
    reason = "programs are started as a user starts them"
)]

#[path = "../support/mod.rs"]
mod support;

/// How things come into the list.
mod files;
mod options;
mod start;
mod start_fails;

/// How they go on, and how they end.
mod delete;
mod reload;
mod restart;
mod scale;
mod stop;
mod trees;

/// What the daemon does by itself.
mod policy;

/// What can be seen.
mod describe;
mod list;
mod logs;

/// What can be said to processes.
mod input;
mod signal;

/// The list as a whole.
mod apply;
mod save;
mod settings;

/// The daemon itself.
mod brain;
mod events;
mod kill;
mod launch;

/// The words of the command line.
mod serve;
mod words;
