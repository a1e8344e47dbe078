//! kill -9 of the brain: nobody who is served notices, and everything goes on.

use std::time::Duration;

use crate::support::*;
use tine_testkit::Load;

/// Kills the brain, and waits until another one answers.
#[track_caller]
fn kill_brain(home: &Home) {
    let brain = home.brain();
    process::signal(brain, Signal::KILL).unwrap();
    // The next command is answered, whenever it comes.
    home.ok(["list"]);
    assert_ne!(home.brain(), brain);
}

#[test]
fn ten_times_in_a_row_under_load_and_nobody_notices() {
    let home = Home::new();
    let script = fixture("http.js").display().to_string();
    let ways = ["rr", "kernel", "shared"];
    let ports = ways.map(|_| tine_testkit::ports::free_tcp());
    for (way, port) in ways.iter().zip(ports) {
        let words = ["start", &script, "-i", "2", "--name", way, "--balance", way];
        home.call(words).env("PORT", port.to_string()).run().is(0);
    }
    let before = (ways.map(|way| pids(&home, way)), home.keeper());
    let loads = ports.map(|port| {
        // Gently: there are two cores, and the daemon is to be heard, too.
        let load = Load::new(port)
            .connections(1)
            .also_keep_alive(1)
            .pause(Duration::from_millis(2));
        load.new_connection_each(true).run_in_background()
    });
    for _ in 0..10 {
        for load in &loads {
            load.wait_for_more(10, SECONDS);
        }
        kill_brain(&home);
        assert_eq!((ways.map(|way| pids(&home, way)), home.keeper()), before);
    }
    for (load, way) in loads.into_iter().zip(ways) {
        load.wait_for_more(50, SECONDS);
        let report = load.stop();
        if way == "rr" {
            // What a brain had accepted and not yet passed on goes with it: one at a time here.
            assert!(report.failed() <= 10, "{way}: {report:?}");
        } else {
            report.assert_no_failures();
        }
        assert_eq!(report.by_worker.len(), 2, "{way}: {report:?}");
    }
    assert!(home.list().iter().all(|one| one["restarts"] == 0));
}

#[test]
fn counters_options_and_ends_are_remembered() {
    let home = home();
    start(
        &home,
        &["app.sh", "--kill-timeout", "77", "--namespace", "shop"],
    );
    home.ok(["restart", "app"]);
    process::signal(home.pid("app"), Signal::KILL).unwrap();
    home.wait_for("app", "the third", |one| {
        one["generation"] == 3 && one["status"] == "online"
    });
    start(&home, &["app.sh", "--name", "stopped"]);
    home.ok(["stop", "stopped"]);
    home.ok(["set", "a", "1"]);
    let what = |home: &Home| {
        let mut all = home.ask(json!({"do": "describe"}));
        for one in all["processes"].as_array_mut().unwrap() {
            for moving in ["cpu", "memory"] {
                one.as_object_mut().unwrap().remove(moving);
            }
        }
        all
    };
    let before = what(&home);
    kill_brain(&home);
    let after = what(&home);
    assert_eq!(before["processes"], after["processes"]);
    assert_eq!(before["apps"], after["apps"]);
    assert_eq!(home.ok(["get", "a"]).out, "1\n");
}

#[test]
fn a_restart_that_was_due_happens() {
    let home = home();
    home.write("ends.sh", "test -e live && exec sleep 1000; exit 1");
    home.run([
        "start",
        "ends.sh",
        "--restart-delay",
        "1500",
        "--max-restarts",
        "100",
    ])
    .is(1);
    let waiting = home.wait_status("ends", "waiting restart");
    home.write("live", "");
    kill_brain(&home);
    let process = home.wait_status("ends", "online");
    assert!(process["generation"].as_u64() > waiting["generation"].as_u64());
    assert!(process["restarts"].as_u64() > waiting["restarts"].as_u64());
    let (due, started) = (&waiting["next_start"], &process["started"]);
    let late = started.as_i64().unwrap() - due.as_i64().unwrap();
    assert!((-100..5000).contains(&late), "{late} ms late");
}

#[test]
fn one_that_dies_together_with_the_brain_is_replaced() {
    let home = home();
    start(&home, &["app.sh", "-i", "3"]);
    let before = pids(&home, "app");
    let brain = home.brain();
    process::signal(brain, Signal::STOP).unwrap();
    process::signal(before[1], Signal::KILL).unwrap();
    process::signal(brain, Signal::KILL).unwrap();
    let after = until("three again", SECONDS, || {
        Some(pids(&home, "app")).filter(|pids| pids.len() == 3 && !pids.contains(&before[1]))
    });
    assert_eq!((after[0], after[2]), (before[0], before[2]));
    let list = home.list();
    assert_eq!(list[1]["exits"][0]["signal"], "SIGKILL");
    assert_eq!(list[1]["restarts"], 1);
    assert_eq!(home.workers().len(), 3);
}

#[test]
fn what_is_written_meanwhile_is_not_lost() {
    let home = home();
    home.write("counts.py", "import time\nn = 0\nwhile True:\n    n += 1\n    print(n, flush=True)\n    time.sleep(0.002)\n");
    start(&home, &["counts.py"]);
    for _ in 0..5 {
        kill_brain(&home);
        let count = home.read(".tine/logs/counts-out.log").lines().count();
        until("further lines", SECONDS, || {
            home.read(".tine/logs/counts-out.log").lines().count() > count + 10
        });
    }
    home.ok(["stop", "counts"]);
    let log = home.read(".tine/logs/counts-out.log");
    for (line, number) in log.lines().zip(1..) {
        assert_eq!(line, number.to_string());
    }
}

#[test]
fn a_worker_of_a_cluster_that_dies_later_is_replaced_and_serves() {
    let home = Home::new();
    let script = fixture("http.js").display().to_string();
    home.ok(["start", &script, "-i", "2", "--name", "web"]);
    kill_brain(&home);
    let before = pids(&home, "web");
    process::signal(before[0], Signal::KILL).unwrap();
    until("two again", SECONDS, || {
        let list = home.list();
        let up = list.iter().filter(|one| one["status"] == "online").count() == 2;
        up && !pids(&home, "web").contains(&before[0])
    });
    home.ok(["scale", "web", "3"]);
    home.ok(["reload", "web"]);
    let mut seen = std::collections::BTreeSet::new();
    until("answers of all three", SECONDS, || {
        seen.insert(home.get("/").unwrap().text());
        seen.len() >= 3
    });
}

#[test]
fn a_command_that_waits_is_told_and_what_it_began_goes_on() {
    let home = home();
    home.write(
        "late.js",
        "setTimeout(() => process.send('ready'), 1500); setInterval(() => {}, 1000)",
    );
    start(&home, &["app.sh"]);
    let words = [
        "start",
        "late.js",
        "--wait-ready",
        "--listen-timeout",
        "20000",
    ];
    // The app hangs below the daemon and is none of this command's.
    let starting = home.call(words).start();
    home_has(&home, "late");
    process::signal(home.brain(), Signal::KILL).unwrap();
    let code = starting.wait_exit(SECONDS).code();
    assert!(
        code.is_some_and(|code| code == 0 || code == 6),
        "{code:?} {}",
        starting.transcript()
    );
    home.wait_status("late", "online");
}

#[track_caller]
fn home_has(home: &Home, name: &str) {
    until(name, SECONDS, || {
        home.list()
            .iter()
            .any(|one| one["name"] == name && one["pid"].is_u64())
    });
}

#[test]
fn subscribers_hear_what_has_happened_or_that_they_have_missed_something() {
    let home = home();
    start(&home, &["app.sh"]);
    let mut control = home.control();
    let next = control.ask(json!({"do": "subscribe"}))["next"]
        .as_u64()
        .unwrap();
    home.ok(["restart", "app"]);
    let first = control.told().unwrap();
    assert_eq!(first["event"], next);
    kill_brain(&home);
    while control.told().is_ok() {}
    let mut again = home.control();
    again.ask(json!({"do": "subscribe", "after": next}));
    home.ok(["restart", "app"]);
    let told = again.told().unwrap();
    let number = told["event"].as_u64().or(told["gap"]["next"].as_u64());
    assert!(number.is_some(), "{told}");
}
