//! What tine costs while nothing happens.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::time::{Duration, Instant};

use tine_testkit::tine::{binary, built_example};
use tine_testkit::{Tine, fixture, process, until};

const SECONDS: Duration = Duration::from_secs(20);
const IDLE: Duration = Duration::from_secs(3);

/// The promise is about the release build (`TINE_BIN=target/release/tine`); a debug build is larger.
fn most_memory() -> u64 {
    let is_release = binary()
        .components()
        .any(|part| part.as_os_str() == "release");
    if is_release { 5_000_000 } else { 10_000_000 }
}

#[test]
fn an_idle_app_costs_little_memory_and_not_a_single_wake_up() {
    for balance in ["rr", "shared", "kernel"] {
        let tine = Tine::workers(fixture("http.js"), 2)
            .balance(balance)
            .start();
        tine.wait_ready(SECONDS);
        tine.get("/").unwrap();
        let switches = || process::context_switches(tine.pid()).unwrap().voluntary;
        // The last words of the start, and the answered connection.
        until("tine to come to rest", SECONDS, || {
            let (before, began) = (switches(), Instant::now());
            until("half a second", SECONDS, || began.elapsed() >= IDLE / 6);
            switches() == before
        });
        let (before, began) = (switches(), Instant::now());
        until("three seconds of idleness", SECONDS, || {
            began.elapsed() >= IDLE
        });
        assert_eq!(switches() - before, 0, "wake-ups under {balance}");
        let memory = process::rss_bytes(tine.pid()).unwrap();
        println!(
            "{balance}: {memory} bytes resident ({})",
            binary().display()
        );
        assert!(memory <= most_memory(), "{memory} bytes under {balance}");
        assert_eq!(tine.stop(), 0);
    }
}

#[test]
fn a_hundred_workers_cost_tine_little_more_than_two() {
    let memory_with = |workers: u64| {
        let tine = Tine::run(built_example("hello"))
            .args(["--interpreter", "none"])
            .instances(workers)
            .start();
        tine.wait_ready(SECONDS);
        let memory = process::rss_bytes(tine.pid()).unwrap();
        assert_eq!(tine.stop(), 0);
        memory
    };
    let (two, hundred) = (memory_with(2), memory_with(100));
    let each = hundred.saturating_sub(two) / 98;
    println!("{two} bytes with 2 workers, {hundred} with 100: {each} each");
    assert!(each < 32 * 1024, "{each} bytes for each worker");
}
