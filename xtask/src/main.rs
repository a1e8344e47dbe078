//! Chores of the project: `cargo xtask <chore>`.
#![forbid(unsafe_code)]

mod bench;
mod cleanup;
mod features;
mod parity;
mod proc;
mod semver;
mod step;
mod test;

use std::process::ExitCode;

/// What a chore returns; the text of an error says what was being done, to what.
pub(crate) type Result<T> = std::result::Result<T, String>;

const USAGE: &str = "\
usage: cargo xtask <chore> [arguments]

chores:
  test [arguments]    set up the runtimes, then run every test; arguments go to `cargo test`
  lint                formatting, clippy, features and documentation without a warning
  features            the published crates build with every choice of their features
  semver              the published crates keep what they promised; builds a tool, once
  ci-extra            what CI runs after the tests: semver
  bench connections   requests per second and their cost, next to the other ways to run N processes
  bench manager       memory, times and wake-ups of the daemon, next to other process managers
  bench ipc           messages per second and their cost, in Rust, in Node, and of raw bytes
  parity              docs/node-parity.md: which of Node's own tests are asserted by ours
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("bench") => bench::main(&arguments[1..]),
        Some("test") => test::main(&arguments[1..]),
        Some("lint") => test::lint(),
        Some("features") => features::main(),
        Some("semver" | "ci-extra") => semver::main(),
        Some("parity") => parity::main(&arguments[1..]),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            Ok(())
        }
        Some(other) => Err(format!("no chore is called {other:?}\n\n{USAGE}")),
        None => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{}", text.trim_end());
            ExitCode::FAILURE
        }
    }
}
