//! For tests and benches only: temp homes, waiters, loads that classify every failure, odd workers.
//!
//! Everything here panics where a test would: with the name of what was being done or waited for.
//! Nothing sleeps for a fixed time; everything that waits has a name and a deadline.

#![forbid(unsafe_code)]
// Tests need programs that are started from outside, as a user starts them; the rule that only
// tine_sys::spawn makes processes is about the product.
#![allow(clippy::disallowed_methods)]

/// Waiting for a named condition.
pub mod wait;

/// Ports nobody else has.
pub mod ports;

/// The installed runtimes, and the scripts to run on them.
pub mod runtimes;

/// Small programs written for one test.
pub mod script;

/// What a program prints, line by line.
pub mod lines;

/// Any program, captured and never left behind.
pub mod program;

/// The real `tine` binary in a home of its own.
pub mod tine;

/// A daemon in a home of its own, and the commands that speak with it.
pub mod home;

/// The daemon's protocol, spoken by hand.
pub mod control;

/// One HTTP request, and what went wrong with it.
pub mod http;

/// One datagram and its answer.
pub mod udp;

/// Many requests, and what went wrong with each.
pub mod load;

/// What the kernel says about a process; ending processes.
pub mod process;

#[cfg(test)]
mod misbehave;

pub use home::{Home, Said};
pub use http::{Failure, FailureKind, Response, Target, get};
pub use load::{Load, Report};
pub use program::Program;
pub use runtimes::{Runtime, example, fixture};
pub use rustix::process::Signal;
pub use script::{Script, script};
pub use tine::{RunningTine, Tine};
pub use wait::until;
