//! A thousand apps, and everything that can be done to them, at random for a bounded time: the list
//! is always what the kernel says, and nothing leaks.
//!
//! `TINE_TEST_SEED` does the same again; `TINE_TEST_SECONDS` is how long each of the tests goes on.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

#[path = "../support/mod.rs"]
mod support;

/// The apps, and what may be done to them.
mod crowd;

/// What the kernel says.
mod kernel;

use std::time::{Duration, Instant};

use crowd::Crowd;
use support::*;

/// How many apps there are.
const APPS: usize = 1000;
/// After so many steps all that was begun is waited for, and the list is compared.
const STEPS: usize = 40;

fn duration() -> Duration {
    let given = std::env::var("TINE_TEST_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    Duration::from_secs(given.unwrap_or(30))
}

#[test]
fn the_list_is_always_what_the_kernel_says() {
    let home = home();
    let mut crowd = Crowd::new(&home, Random::new());
    crowd.warm_up();
    let before = kernel::figures(&home);
    crowd.start(APPS);
    crowd.settle();
    kernel::agrees(&home);
    let end = Instant::now() + duration();
    while Instant::now() < end {
        for _ in 0..STEPS {
            crowd.step();
        }
        crowd.settle();
        kernel::agrees(&home);
    }
    eprintln!("{} steps", crowd.steps());
    crowd.delete_all();
    kernel::is_as_before(&home, &before);
}

#[test]
fn also_when_the_brain_is_killed_again_and_again() {
    let home = home();
    let mut crowd = Crowd::new(&home, Random::new());
    crowd.warm_up();
    crowd.start(APPS / 5);
    crowd.settle();
    let end = Instant::now() + duration();
    while Instant::now() < end {
        for _ in 0..STEPS / 4 {
            crowd.step();
        }
        crowd.kill_brain();
        for _ in 0..STEPS / 4 {
            crowd.step();
        }
        crowd.settle();
        kernel::agrees(&home);
    }
    eprintln!("{} steps", crowd.steps());
    crowd.delete_all();
    kernel::nothing_is_left(&home);
}
