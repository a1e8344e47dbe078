//! Rust workers are replaced one after another under load, and nobody notices.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::time::Duration;

use tine_testkit::{Load, Signal, Tine, process, tine::built_example, until};

const SECONDS: Duration = Duration::from_secs(20);

/// SIGTERM makes the example stop accepting, answer what it has begun, and leave.
#[test]
fn a_rust_worker_that_leaves_loses_no_request_under_any_policy() {
    let hello = built_example("hello");
    for policy in ["rr", "shared", "kernel"] {
        let tine = Tine::run(&hello)
            .instances(3)
            .balance(policy)
            .args(["--interpreter", "none"])
            .start();
        tine.wait_ready(SECONDS);
        let load = Load::new(tine.port())
            .connections(8)
            .new_connection_each(true)
            .run_in_background();
        load.wait_for_more(200, SECONDS);
        for round in 0..9 {
            let workers = tine.children();
            let leaving = workers[round % workers.len()];
            process::signal(leaving, Signal::TERM).unwrap();
            until("the worker's replacement", SECONDS, || {
                let now = tine.children();
                now.len() == 3 && !now.contains(&leaving)
            });
            load.wait_for_more(200, SECONDS);
        }
        let report = load.stop();
        report.assert_no_failures();
        assert_eq!(tine.stop(), 0, "{policy}");
    }
}
