//! What ends, comes back; what cannot be started, is given up.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::collections::BTreeSet;
use std::time::Duration;

use tine_testkit::{Runtime, Signal, Tine, fixture, process, script, until};

const SECONDS: Duration = Duration::from_secs(20);

#[test]
fn a_worker_that_exits_or_is_killed_is_replaced() {
    for balance in ["rr", "shared", "kernel"] {
        let tine = Tine::workers(fixture("http.js"), 2)
            .balance(balance)
            .start();
        tine.wait_ready(SECONDS);
        let before = tine.children();
        process::signal(before[0], Signal::KILL).unwrap();
        // Its answer is the end of its process; which of the two it was does not matter.
        tine.get("/exit/9").unwrap_err();
        let after = until("two workers that answer", SECONDS, || {
            let now = tine.children();
            let seen: BTreeSet<u32> = (0..4).filter_map(|_| tine.get("/").ok()?.pid()).collect();
            let fresh = now.len() == 2 && !now.contains(&before[0]) && seen.len() == 2;
            if fresh {
                Ok(now)
            } else {
                Err(format!("{now:?}"))
            }
        });
        assert!(!after.contains(&before[0]));
        tine.wait_for_text("SIGKILL");
        tine.wait_for_text("exit code 9");
        assert_eq!(tine.stop(), 0);
    }
}

#[test]
fn a_program_that_crashes_at_its_start_is_given_up_with_its_last_words() {
    let words = script(
        "words.js",
        "console.error('no database at', process.pid); process.exit(7);",
    );
    let tine = Tine::workers(&words, 1)
        .args(["--max-restarts", "4"])
        .start();
    assert_eq!(tine.finish(), 1);
    let err = tine.err();
    let ends = err.iter().filter(|line| line.contains("exit code 7"));
    assert_eq!(ends.count(), 4, "{err:?}");
    let errored = err.iter().position(|line| line.contains("errored"));
    let after = &err[errored.expect("it is said to be errored")..];
    let repeated = after.iter().filter(|line| line.contains("no database at"));
    assert_eq!(repeated.count(), 4, "its last lines are shown: {after:?}");
    assert!(tine.processes().is_empty());
}

#[test]
fn attempts_to_start_are_spaced_out() {
    let tine = Tine::workers(fixture("crash-at-start.js"), 1)
        .args(["--max-restarts", "5"])
        .start();
    assert_eq!(tine.finish(), 1);
    let ends: Vec<_> = tine.lines().all();
    let ends: Vec<_> = ends
        .iter()
        .filter(|line| line.text.contains("exit code"))
        .map(|line| line.at)
        .collect();
    assert_eq!(ends.len(), 5);
    // After the second, third and fourth end: 100, 200, 400 ms at least.
    for (pair, least) in ends[1..].windows(2).zip([100, 200, 400]) {
        let gap = pair[1].duration_since(pair[0]);
        assert!(gap >= Duration::from_millis(least), "{gap:?} < {least} ms");
    }
}

#[test]
fn a_stop_exit_code_is_the_end_of_it() {
    let tine = Tine::workers(fixture("crash-at-start.js"), 2)
        .env("EXIT_CODE", "42")
        .args(["--stop-exit-codes", "41,42"])
        .start();
    assert_eq!(tine.finish(), 42);
    let ends = tine.err().into_iter();
    assert_eq!(ends.filter(|line| line.contains("exit code 42")).count(), 2);
}

#[test]
fn one_given_up_worker_leaves_the_others_serving() {
    let picky = script(
        "picky.js",
        "if (process.env.NODE_APP_INSTANCE === '1') process.exit(1);
         require('http').createServer((q, s) => s.end(`pid ${process.pid}`)).listen(process.env.PORT);",
    );
    let tine = Tine::workers(&picky, 2)
        .args(["--max-restarts", "2"])
        .start();
    tine.wait_for_text("errored");
    let pid = tine.get_when_up("/").pid().unwrap();
    assert_eq!(tine.children(), [pid]);
    assert_eq!(tine.stop(), 0);
}

#[test]
fn without_restarts_the_exit_code_is_the_program_s() {
    for (code, expected) in [("0", 0), ("5", 5)] {
        let tine = Tine::run(fixture("crash-at-start.js"))
            .runtime(Runtime::Node20)
            .env("EXIT_CODE", code)
            .args(["--no-autorestart"])
            .start();
        assert_eq!(tine.finish(), expected);
    }
    let tine = Tine::run("sh -c 'kill -9 $$'")
        .args(["--no-autorestart"])
        .start();
    assert_eq!(tine.finish(), 137, "as a shell says it");
}

#[test]
fn what_cannot_be_started_is_said_with_a_hint_before_anything_is_started() {
    let good = fixture("http.js").display().to_string();
    let cases: [&[&str]; 6] = [
        &["run", "/no/such/script.js"],
        &["run", &good, "--interpreter", "no-such-runtime", "-i", "2"],
        &["run", &good, "--cwd", "/no/such/folder"],
        &["run", "no-such-command"],
        &["run", "echo 'unclosed"],
        &["run", "/etc/passwd"],
    ];
    for words in cases {
        let tine = Tine::command(words.iter().copied()).start();
        assert_eq!(tine.finish(), 3, "{words:?}");
        let err = tine.err();
        assert!(err[0].starts_with("error: "), "{err:?}");
        assert!(err.iter().any(|line| line.starts_with("hint: ")), "{err:?}");
        assert!(!err.iter().any(|line| line.contains("started")), "{err:?}");
        assert!(tine.out().is_empty());
    }
}

#[test]
fn wrong_usage_is_said_as_such() {
    let cases: [&[&str]; 6] = [
        &[],
        &["run"],
        &["fly", "app.js"],
        &["run", "app.js", "-i", "many"],
        &["run", "app.js", "--balance", "random"],
        &["run", "app.js", "--stop-signal", "SIGNONSENSE"],
    ];
    for words in cases {
        let tine = Tine::command(words.iter().copied()).start();
        assert_eq!(tine.finish(), 2, "{words:?}");
        assert!(!tine.err().is_empty());
    }
}

#[test]
fn far_too_many_workers_are_refused_before_any_is_started() {
    let tine = Tine::workers(fixture("http.js"), 100_000).start();
    assert_eq!(tine.finish(), 2);
    let said = tine.err().join("\n");
    assert!(
        said.contains("error: 100000 workers") && said.contains("hint: "),
        "{said}"
    );
    assert!(!said.contains("started"));
}
