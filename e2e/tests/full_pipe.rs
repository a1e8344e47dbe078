//! A reader of tine's output that has stopped reading.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::io::{BufRead, BufReader, pipe};
use std::time::Duration;

use tine_testkit::{Load, Tine, fixture, process, until};

const SECONDS: Duration = Duration::from_secs(20);
/// At 20 bytes a line far more than the pipes and tine's own queue hold.
const LINES: usize = 200_000;
/// A pipe holds 64 KiB (pipe(7)); Node writes whole lines.
const FULL: u64 = 60_000;

#[test]
fn workers_serve_on_and_no_line_is_lost_or_out_of_order() {
    let (reader, writer) = pipe().unwrap();
    let tine = Tine::workers(fixture("chatty.js"), 2)
        .balance("rr")
        .stdout(writer)
        .start();
    tine.wait_ready(SECONDS);
    let talker = tine.get(&format!("/?lines={LINES}")).unwrap();
    let talker = talker.pid().unwrap();
    until("the worker to feel that nobody reads", SECONDS, || {
        process::waiting_in_pipe(talker, 1).is_ok_and(|waiting| waiting >= FULL)
    });
    let memory = process::rss_bytes(tine.pid()).unwrap();
    let report = Load::new(tine.port())
        .connections(4)
        .new_connection_each(true)
        .run_until(1000);
    report.assert_no_failures();
    assert_eq!(
        report.by_worker.len(),
        2,
        "also by the one that cannot print"
    );
    assert!(process::waiting_in_pipe(talker, 1).unwrap() >= FULL);
    let grown = process::rss_bytes(tine.pid())
        .unwrap()
        .saturating_sub(memory);
    assert!(grown < 1 << 20, "tine has grown by {grown} bytes meanwhile");

    let mut lines = BufReader::new(reader).lines();
    for number in 1..=LINES {
        let line = lines.next().unwrap().unwrap();
        assert!(
            line.ends_with(&format!(" | out {number}")),
            "{line} as line {number}"
        );
    }
    assert_eq!(tine.stop(), 0);
    assert!(lines.next().is_none());
}

#[test]
fn a_reader_that_never_comes_back_does_not_keep_tine_from_ending() {
    let (_reader, writer) = pipe().unwrap();
    let tine = Tine::workers(fixture("chatty.js"), 2)
        .stdout(writer)
        .start();
    tine.wait_ready(SECONDS);
    let talker = tine.get(&format!("/?lines={LINES}")).unwrap();
    until("the worker to feel that nobody reads", SECONDS, || {
        process::waiting_in_pipe(talker.pid().unwrap(), 1).is_ok_and(|waiting| waiting >= FULL)
    });
    assert_eq!(tine.stop(), 0);
}

#[test]
fn a_reader_that_has_gone_does_not_end_the_app() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let tine = Tine::workers(fixture("chatty.js"), 2)
        .env("LINES", "100")
        .stdout(writer)
        .start();
    tine.wait_ready(SECONDS);
    let report = Load::new(tine.port()).path("/?lines=10").run_until(100);
    report.assert_no_failures();
    assert_eq!(tine.stop(), 0);
}
