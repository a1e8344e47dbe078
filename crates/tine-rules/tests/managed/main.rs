//! What a managed app does, told as events, actions and a virtual clock: a file for each thing that
//! can be asked.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod driver;

mod end;
mod meet;
mod reload;
mod remove;
mod restart;
mod snapshot;
mod start;
mod stop;
