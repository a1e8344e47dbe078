//! `cargo xtask bench`: measurements side by side, on this machine, within one run.

mod options;

mod connections;
mod ipc;
mod manager;

mod contender;
mod nginx;
mod tools;

mod sample;
mod wrk;

mod record;
mod stats;

mod machine;
mod plot;
mod ratios;
mod report;

use crate::Result;

const USAGE: &str = "\
usage: cargo xtask bench connections|ipc|manager [options]   (`connections --help` and so on list them)
";

/// Runs the bench that the first argument names.
pub(crate) fn main(arguments: &[String]) -> Result<()> {
    match arguments.first().map(String::as_str) {
        Some("ipc") => ipc::main(&arguments[1..]),
        Some("manager") => manager::main(&arguments[1..]),
        Some("connections") => connections::main(&arguments[1..]),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            Ok(())
        }
        Some(other) => Err(format!("no bench is called {other:?}\n\n{USAGE}")),
        None => Err(USAGE.to_owned()),
    }
}
