//! After thousands of workers nothing of them is left.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::time::{Duration, Instant};

use tine_testkit::tine::built_example;
use tine_testkit::{RunningTine, Signal, Tine, http, process, until};

const SECONDS: Duration = Duration::from_secs(120);
/// What the allocator and the terminal's queue may keep.
const MOST_GROWTH: u64 = 2 << 20;

#[derive(Debug)]
struct Held {
    descriptors: usize,
    memory: u64,
}

fn held(tine: &RunningTine) -> Held {
    Held {
        descriptors: process::fd_count(tine.pid()).unwrap(),
        memory: process::rss_bytes(tine.pid()).unwrap(),
    }
}

fn assert_nothing_more(tine: &RunningTine, before: &Held, extra_descriptors: usize) {
    let now = until(
        "the descriptors of those that ended to be closed",
        SECONDS,
        || {
            let now = held(tine);
            if now.descriptors <= before.descriptors + extra_descriptors {
                Ok(now)
            } else {
                Err(format!("{now:?}, before {before:?}"))
            }
        },
    );
    println!("before {before:?}, now {now:?}");
    let grown = now.memory.saturating_sub(before.memory);
    assert!(grown < MOST_GROWTH, "before {before:?}, now {now:?}");
    until("no zombie to be left", SECONDS, || {
        process::zombies(tine.pid()).is_empty()
    });
}

/// Ends so far, as tine tells them.
fn ended(tine: &RunningTine, seen: &mut usize, count: &mut usize) -> usize {
    let total = tine.lines().count();
    if total > *seen {
        let lines = tine.lines().all();
        *count += lines[*seen..]
            .iter()
            .filter(|line| line.text.contains(") ended with"))
            .count();
        *seen = lines.len();
    }
    *count
}

#[test]
fn ten_thousand_programs_that_end_by_themselves_leave_nothing() {
    const SLOTS: usize = 40;
    // It lives as long as the shortest life that counts as one, and ends well: always replaced.
    let tine = Tine::run("sleep")
        .args(["--interpreter", "none", "--min-uptime", "100"])
        .instances(SLOTS)
        .script_args(["0.11"])
        .start();
    let (mut seen, mut count) = (0, 0);
    until("1,000 ends", SECONDS, || {
        ended(&tine, &mut seen, &mut count) >= 1_000
    });
    let before = held(&tine);
    until("10,000 ends", SECONDS, || {
        ended(&tine, &mut seen, &mut count) >= 10_000
    });
    // In between each slot has a process or not: a pidfd, a channel and two pipes.
    assert_nothing_more(&tine, &before, SLOTS * 4);
    assert_eq!(tine.stop(), 0);
}

#[test]
fn two_thousand_killed_workers_leave_nothing() {
    const SLOTS: usize = 20;
    for balance in ["rr", "kernel"] {
        let tine = Tine::run(built_example("hello"))
            .args(["--interpreter", "none", "--min-uptime", "100"])
            .instances(SLOTS)
            .balance(balance)
            .start();
        tine.wait_ready(SECONDS);
        let mut before = None;
        for round in 1..=50 {
            let victims = tine.children();
            let born = Instant::now();
            until("them to have lived long enough", SECONDS, || {
                born.elapsed() > Duration::from_millis(110)
            });
            for pid in &victims {
                process::signal(*pid, Signal::KILL).unwrap();
            }
            // Somebody always listens: whoever asks meanwhile waits.
            http::get(tine.port(), "/").unwrap();
            until("all to be replaced", SECONDS, || {
                let now = tine.children();
                now.len() == SLOTS && now.iter().all(|pid| !victims.contains(pid))
            });
            if round == 10 {
                until("all to listen", SECONDS, || {
                    listening(&tine) >= SLOTS * round
                });
                before = Some(held(&tine));
            }
        }
        until("all to listen", SECONDS, || listening(&tine) >= SLOTS * 50);
        assert_nothing_more(&tine, &before.unwrap(), 0);
        assert_eq!(tine.stop(), 0);
    }
}

fn listening(tine: &RunningTine) -> usize {
    tine.err()
        .iter()
        .filter(|line| line.contains("listening on"))
        .count()
}
