//! Who gets the next connection.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tine_testkit::http::Connection;
use tine_testkit::{Load, Report, RunningTine, Signal, Tine, fixture, process, script, until};

const SECONDS: Duration = Duration::from_secs(30);
const CONNECTIONS: u64 = 10_000;
const WORKERS: u64 = 4;

fn one_after_another(tine: &RunningTine) -> Report {
    let load = Load::new(tine.port())
        .new_connection_each(true)
        .at_most(Duration::from_secs(120));
    let report = load.run_until(CONNECTIONS);
    report.assert_no_failures();
    let workers = tine.children();
    for pid in report.by_worker.keys() {
        let pid: u32 = pid.parse().unwrap();
        assert!(workers.contains(&pid), "{pid} is no worker: {report}");
    }
    report
}

fn assert_equal_shares(report: &Report) {
    let shares: Vec<u64> = report.by_worker.values().copied().collect();
    assert_eq!(shares.len() as u64, WORKERS, "{report}");
    let equal = CONNECTIONS / WORKERS;
    assert!(
        shares.iter().all(|share| share.abs_diff(equal) <= 1),
        "{report}"
    );
}

#[test]
fn ten_thousand_connections_are_dealt_out_in_exact_turns_by_tine() {
    let tine = Tine::workers(fixture("http.js"), WORKERS)
        .balance("rr")
        .start();
    tine.wait_ready(SECONDS);
    assert_equal_shares(&one_after_another(&tine));
    assert_eq!(tine.stop(), 0);
}

#[test]
fn ten_thousand_connections_are_dealt_out_in_exact_turns_by_the_kernel() {
    let tine = Tine::workers(fixture("http.js"), WORKERS)
        .balance("kernel")
        .start();
    let ready = tine.wait_ready(SECONDS);
    let report = one_after_another(&tine);
    if ready.text.contains("exact turns") {
        assert_equal_shares(&report);
    } else {
        // Without eBPF only chance is promised, among the workers that live.
        eprintln!("no eBPF here ({}): {report}", ready.text);
    }
    assert_eq!(tine.stop(), 0);
}

#[test]
fn a_worker_that_is_busy_gets_fewer_connections_from_tine() {
    let sleepy = script(
        "sleepy.js",
        "if (process.env.NODE_APP_INSTANCE === '0') {
           const nothing = new Int32Array(new SharedArrayBuffer(4));
           setInterval(() => Atomics.wait(nothing, 0, 0, 200), 300);
         }
         const who = `pid ${process.pid} instance ${process.env.NODE_APP_INSTANCE}`;
         require('http').createServer((q, s) => setTimeout(() => s.end(who), 2)).listen(process.env.PORT);",
    );
    let tine = Tine::workers(&sleepy, WORKERS).balance("rr").start();
    tine.wait_ready(SECONDS);
    let busy = until("the busy one to say who it is", SECONDS, || {
        let text = tine.get("/").ok()?;
        text.text().ends_with("instance 0").then(|| text.pid())?
    });
    let report = Load::new(tine.port())
        .connections(16)
        .new_connection_each(true)
        .run_until(Duration::from_secs(4));
    report.assert_no_failures();
    let share = report
        .by_worker
        .get(&busy.to_string())
        .copied()
        .unwrap_or(0);
    let others = (report.answered - share) / (WORKERS - 1);
    assert!(share > 0, "it is asked again: {report}");
    assert!(
        share * 10 < others * 7,
        "{share} for the busy one, {others} for each other: {report}"
    );
    assert_eq!(tine.stop(), 0);
}

/// Which slot each client reaches.
fn slots(address: SocketAddr) -> BTreeMap<IpAddr, String> {
    let clients = (2..=9).map(|last| IpAddr::from([127, 0, 0, last]));
    clients
        .map(|client| {
            let end = Instant::now() + SECONDS;
            let response = Connection::open_from(client, address, end)
                .and_then(|mut connection| connection.get("/", false, end));
            let text = response.unwrap().text();
            (client, text.rsplit(' ').next().unwrap().trim().to_owned())
        })
        .collect()
}

#[test]
fn one_client_address_always_reaches_the_same_worker() {
    let tine = Tine::workers(fixture("http.js"), 3)
        .balance("sticky")
        .start();
    tine.wait_ready(SECONDS);
    let before = slots(tine.address());
    for _ in 0..20 {
        assert_eq!(slots(tine.address()), before);
    }
    let mut reached: Vec<&String> = before.values().collect();
    reached.sort();
    reached.dedup();
    assert!(
        reached.len() > 1,
        "all eight clients reach one worker: {before:?}"
    );

    for victim in tine.children() {
        process::signal(victim, Signal::KILL).unwrap();
        until("three workers that listen", SECONDS, || {
            let now = slots(tine.address());
            // Meanwhile the clients of the two others stay where they are.
            let moved = now
                .iter()
                .filter(|(client, slot)| before[*client] != **slot);
            let from: Vec<&String> = moved.map(|(client, _)| &before[client]).collect();
            assert!(
                from.windows(2).all(|pair| pair[0] == pair[1]),
                "{before:?} {now:?}"
            );
            let workers = tine.children();
            from.is_empty() && workers.len() == 3 && !workers.contains(&victim)
        });
    }
    for _ in 0..5 {
        assert_eq!(
            slots(tine.address()),
            before,
            "everybody is back where he was"
        );
    }
    assert_eq!(tine.stop(), 0);
}
