//! A real server and real requests. Without the test harness: this very program is the server too.
//!
//! `cargo test -p tine-serve --test serve -- NAME` runs the tests whose names hold NAME.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
#![allow(clippy::disallowed_methods, reason = "starts itself")]

mod cluster;
mod common;
mod content;
mod hostile;
mod life;
mod site;

use std::process::ExitCode;

type Test = (&'static str, fn());

fn main() -> ExitCode {
    if let Some(code) = common::role() {
        return code;
    }
    let tests: Vec<Test> = [
        site::TESTS,
        content::TESTS,
        hostile::TESTS,
        life::TESTS,
        cluster::TESTS,
    ]
    .concat();
    let wanted = std::env::args().skip(1).find(|text| !text.starts_with('-'));
    let mut failed = Vec::new();
    for (name, test) in tests {
        if wanted.as_deref().is_none_or(|wanted| name.contains(wanted)) {
            match std::panic::catch_unwind(test) {
                Ok(()) => println!("{name}: ok"),
                Err(_) => failed.push(name),
            }
        }
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("failed: {failed:#?}");
    ExitCode::FAILURE
}
