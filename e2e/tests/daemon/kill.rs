//! `tine ping`, `kill`, and the signals that end the daemon.

use crate::support::*;

#[test]
fn a_ping_says_whether_the_daemon_is_there() {
    let home = home();
    home.refused(6, ["ping"]).hints();
    start(&home, &["app.sh"]);
    home.ok(["ping"]);
    assert_eq!(home.ok(["ping", "--json"]).json()["pid"], home.brain());
    home.ok(["kill"]);
    home.refused(6, ["ping"]).hints();
}

#[test]
fn a_kill_ends_everything_and_says_so_when_it_has() {
    let home = home();
    home.write("stays.sh", "trap '' INT TERM; while :; do sleep 1; done");
    start(&home, &["app.sh", "-i", "3"]);
    start(&home, &["stays.sh", "--kill-timeout", "300"]);
    let (keeper, brain, workers) = (home.keeper(), home.brain(), home.workers());
    assert_eq!(workers.len(), 4);
    home.ok(["kill"]);
    assert!(workers.iter().all(|pid| !process::is_alive(*pid)));
    wait_gone(brain);
    wait_gone(keeper);
    until("the end of all", SECONDS, || home.processes().is_empty());
    assert!(
        std::fs::read_dir(home.tine().join("pids"))
            .unwrap()
            .next()
            .is_none()
    );
    assert_eq!(home.ok(["jlist"]).json(), json!([]));
    // Once more: there is nothing to do.
    home.ok(["kill"]);
    start(&home, &["app.sh"]);
    assert_eq!(statuses(&home), "app online");
}

#[test]
fn sigterm_and_sigint_end_all_of_it_cleanly() {
    for (to_keeper, signal) in [
        (true, Signal::TERM),
        (false, Signal::TERM),
        (true, Signal::INT),
        (false, Signal::INT),
    ] {
        let home = home();
        start(&home, &["app.sh", "-i", "2"]);
        home.write("child.sh", "sleep 1000 & wait");
        start(&home, &["child.sh"]);
        let to = if to_keeper {
            home.keeper()
        } else {
            home.brain()
        };
        let (keeper, workers) = (home.keeper(), home.workers());
        process::signal(to, signal).unwrap();
        wait_gone(keeper);
        assert!(
            workers.iter().all(|pid| !process::is_alive(*pid)),
            "{to_keeper} {signal:?}"
        );
        until("the end of all", SECONDS, || home.processes().is_empty());
        home.refused(6, ["ping"]);
    }
}

#[test]
fn when_the_keeper_is_killed_the_apps_serve_on_and_can_be_ended() {
    let home = home();
    start(&home, &["app.sh"]);
    let pid = home.pid("app");
    process::signal(home.keeper(), Signal::KILL).unwrap();
    home.ok(["list"]);
    assert!(process::is_alive(pid));
    home.ok(["kill"]);
    assert!(!process::is_alive(pid));
    start(&home, &["app.sh", "--name", "next"]);
    assert_eq!(statuses(&home), "next online");
}

#[test]
fn a_second_kill_waits_for_nobody() {
    let home = home();
    home.write("stays.sh", "trap '' INT TERM; while :; do sleep 1; done");
    start(&home, &["stays.sh", "--kill-timeout", "3600000"]);
    let (brain, workers) = (home.brain(), home.workers());
    let first = home.call(["kill"]).start();
    until("the beginning of the end", SECONDS, || {
        !home.run(["set", "a:b", "c"]).err.is_empty()
    });
    home.run(["kill"]);
    wait_gone(brain);
    assert!(workers.iter().all(|pid| !process::is_alive(*pid)));
    drop(first);
}
