//! tine itself runs out of descriptors: it says so, and nothing is lost.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
#![allow(clippy::disallowed_methods, reason = "a test may start programs")]

use std::process::Command;
use std::thread;
use std::time::Duration;

use tine_testkit::{Tine, fixture, http, process};

const SECONDS: Duration = Duration::from_secs(20);

fn limit(pid: u32, open_files: usize) {
    let limit = format!("--nofile={open_files}:");
    let done = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &limit])
        .status();
    assert!(
        done.expect("install util-linux, which has prlimit")
            .success()
    );
}

#[test]
fn without_descriptors_clients_wait_and_the_reason_is_said() {
    let tine = Tine::workers(fixture("http.js"), 2).balance("rr").start();
    tine.wait_ready(SECONDS);
    // The lowest free number is what the next descriptor gets, and it must be below the limit.
    limit(tine.pid(), 3);
    let address = tine.address();
    let client = thread::spawn(move || http::get_within(address, "/", SECONDS));
    tine.wait_for_text("cannot accept");
    tine.wait_for_text("hint: raise the limit of open files");
    assert!(!client.is_finished());
    limit(tine.pid(), 1024);
    assert!(client.join().unwrap().unwrap().pid().is_some());
    assert!(process::fd_count(tine.pid()).unwrap() < 64);
    assert_eq!(tine.stop(), 0);
}
