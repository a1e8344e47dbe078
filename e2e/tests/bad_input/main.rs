//! Whatever makes no sense: a clear error, the documented exit code, and nothing else is disturbed.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
#![allow(
    clippy::disallowed_methods,
    reason = "programs are started as a user starts them"
)]

#[path = "../support/mod.rs"]
mod support;

/// An app that runs meanwhile.
mod bystander;

/// Process files.
mod files;

/// Options and targets.
mod words;

/// What the daemon reads again.
mod state;

/// Where the daemon lives.
mod homes;

/// Bytes on the socket.
mod socket;
