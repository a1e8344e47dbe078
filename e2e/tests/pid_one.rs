//! tine as the first process of a container, and as the one that orphans come to.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
// The user is asked for by a program.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use tine_testkit::{RunningTine, Script, Signal, Tine, process, script, until};

const SECONDS: Duration = Duration::from_secs(20);

/// On `/orphan` starts a process whose parent exits at once and leaves it behind; it ends after
/// half a second.
fn orphanage() -> Script {
    script(
        "orphanage.js",
        "const { execFileSync } = require('child_process');
         require('http').createServer((request, response) => {
           if (request.url === '/orphan') {
             execFileSync('sh', ['-c', '(sleep 0.5; :) >/dev/null 2>&1 &']);
           }
           response.end(`pid ${process.pid}`);
         }).listen(process.env.PORT);",
    )
}

fn orphans_come_and_are_reaped(tine: &RunningTine, reaper: u32) {
    let workers = process::children(reaper);
    assert_eq!(workers.len(), 2);
    for _ in 0..5 {
        tine.get("/orphan").unwrap();
    }
    until("orphans to come to tine", SECONDS, || {
        process::children(reaper).len() > workers.len()
    });
    until(
        "all of them to be reaped when they have ended",
        SECONDS,
        || process::children(reaper) == workers && process::zombies(reaper).is_empty(),
    );
}

#[test]
fn orphans_of_workers_are_reaped() {
    let orphanage = orphanage();
    let tine = Tine::workers(&orphanage, 2).start();
    tine.wait_ready(SECONDS);
    orphans_come_and_are_reaped(&tine, tine.pid());
    assert_eq!(tine.stop(), 0);
}

#[test]
fn as_pid_one_it_reaps_orphans_and_stops_when_asked_to() {
    let id = std::process::Command::new("id").arg("-u").output().unwrap();
    if id.stdout != b"0\n" {
        eprintln!("not root: PID 1 is not shown here, the reaper of orphans is");
        return;
    }
    for (signal, expected) in [(Signal::TERM, 0), (Signal::INT, 0)] {
        let orphanage = orphanage();
        let tine = Tine::workers(&orphanage, 2)
            .under(["unshare", "--pid", "--fork", "--mount-proc"])
            .start();
        tine.wait_ready(SECONDS);
        let first = process::children(tine.pid());
        assert_eq!(first.len(), 1, "unshare has one child");
        let status = std::fs::read_to_string(format!("/proc/{}/status", first[0])).unwrap();
        let inside = status.lines().find(|line| line.starts_with("NSpid:"));
        assert!(
            inside.is_some_and(|line| line.ends_with("\t1")),
            "{inside:?}"
        );
        orphans_come_and_are_reaped(&tine, first[0]);
        process::signal(first[0], signal).unwrap();
        assert_eq!(tine.finish(), expected);
        assert!(tine.processes().is_empty());
    }
}
