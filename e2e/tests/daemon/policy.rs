//! What the daemon does by itself when a process ends.

use std::time::Duration;

use crate::support::*;

/// When the processes that have ended did so, in milliseconds, oldest first.
fn exits(process: &Value) -> Vec<Value> {
    process["exits"].as_array().cloned().unwrap_or_default()
}

#[test]
fn one_that_is_killed_is_replaced() {
    let home = home();
    start(&home, &["app.sh"]);
    let before = home.pid("app");
    process::signal(before, Signal::KILL).unwrap();
    let process = home.wait_for("app", "a second generation", |process| {
        process["generation"] == 2 && process["status"] == "online"
    });
    assert_eq!(process["restarts"], 1);
    let exit = &exits(&process)[0];
    assert_eq!(
        (&exit["signal"], &exit["pid"]),
        (&json!("SIGKILL"), &json!(before))
    );
    assert_eq!(exit.get("asked"), None);
}

#[test]
fn one_that_never_comes_up_is_given_up_after_so_many_tries() {
    let home = home();
    home.write("short.sh", "echo words >&2; exit 7");
    home.run(["start", "short.sh", "--max-restarts", "3"]).is(1);
    let process = home.wait_status("short", "errored");
    assert_eq!(
        (&process["restarts"], &process["unstable_restarts"]),
        (&json!(2), &json!(3))
    );
    assert!(
        process["reason"].as_str().unwrap().contains("3 times"),
        "{process}"
    );
    let exits = exits(&process);
    assert_eq!(exits.len(), 3);
    assert!(
        exits
            .iter()
            .all(|exit| exit["code"] == 7 && exit["lines"] == json!(["words"]))
    );
    // It can be tried again by hand.
    home.write("short.sh", "exec sleep 1000");
    home.ok(["start", "short"]);
    assert_eq!(home.process("short")["status"], "online");
}

#[test]
fn one_that_comes_up_and_dies_again_and_again_is_noticed() {
    let home = home();
    home.write("dies.sh", "sleep 0.3; echo gone again >&2; exit 9");
    start(&home, &["dies.sh"]);
    let process = home.wait_for("dies", "five ends", |process| exits(process).len() >= 5);
    for exit in exits(&process) {
        assert!(exit["lived"].as_u64().unwrap() >= 290, "{exit}");
        assert_eq!(
            (&exit["code"], &exit["lines"]),
            (&json!(9), &json!(["gone again"]))
        );
    }
    let process = home.wait_for("dies", "a word about it", |process| {
        process["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("has ended"))
    });
    assert!(process["restarts"].as_u64().unwrap() >= 5, "{process}");
    let text = home.ok(["describe", "dies"]).out;
    assert!(
        text.contains("exit code 9") && text.contains("| gone again"),
        "{text}"
    );
}

#[test]
fn no_autorestart_leaves_it_stopped() {
    let home = home();
    for (name, code) in [("good", 0), ("bad", 6)] {
        home.write(&format!("{name}.sh"), format!("sleep 0.3; exit {code}"));
        start(&home, &[&format!("{name}.sh"), "--no-autorestart"]);
        let process = home.wait_for(name, "the end", |process| pid_of(process).is_none());
        assert!(["stopped", "errored"].contains(&process["status"].as_str().unwrap()));
        assert_eq!(exits(&process)[0]["code"], code);
        assert_eq!(process["restarts"], 0);
    }
}

#[test]
fn some_exit_codes_are_the_end_and_others_are_not() {
    let home = home();
    home.write(
        "codes.sh",
        "if [ -e again ]; then sleep 0.3; exit 4; else touch again; sleep 0.3; exit 5; fi",
    );
    start(&home, &["codes.sh", "--stop-exit-codes", "0,4"]);
    let process = home.wait_status("codes", "stopped");
    assert_eq!(process["restarts"], 1);
    let codes: Vec<_> = exits(&process)
        .iter()
        .map(|exit| exit["code"].clone())
        .collect();
    assert_eq!(codes, [5, 4]);
}

#[test]
fn a_restart_can_be_delayed() {
    let home = home();
    home.write("ends.sh", "sleep 0.2; exit 1");
    start(&home, &["ends.sh", "--restart-delay", "700"]);
    let waiting = home.wait_status("ends", "waiting restart");
    assert!(waiting["next_start"].as_u64().is_some(), "{waiting}");
    let process = home.wait_for("ends", "the next", |process| process["generation"] == 2);
    let ended = exits(&process)[0]["at"].as_u64().unwrap();
    let next = home.wait_for("ends", "its start", |process| process["started"].is_u64());
    if next["generation"] == 2 {
        let started = next["started"].as_u64().unwrap();
        assert!(
            (690..3000).contains(&(started - ended)),
            "{}",
            started - ended
        );
    }
}

#[test]
fn the_delay_can_grow() {
    let home = home();
    home.write("ends.sh", "exit 1");
    home.run([
        "start",
        "ends.sh",
        "--exp-backoff-restart-delay",
        "100",
        "--max-restarts",
        "5",
    ])
    .is(1);
    let process = home.wait_status("ends", "errored");
    let exits = exits(&process);
    let at = |exit: &Value| exit["at"].as_u64().unwrap();
    let gaps: Vec<u64> = exits
        .windows(2)
        .map(|pair| at(&pair[1]) - at(&pair[0]))
        .collect();
    assert_eq!(gaps.len(), 4);
    for (gap, least) in gaps.iter().zip([100, 150, 225, 337]) {
        assert!((least..least + 1500).contains(gap), "{gaps:?}");
    }
}

#[test]
fn nothing_sticks_in_waiting() {
    let home = home();
    home.write("ends.sh", "exit 1");
    home.write("lives.sh", "exec sleep 1000");
    home.run([
        "start",
        "ends.sh",
        "--restart-delay",
        "300",
        "--max-restarts",
        "1000",
    ])
    .is(1);
    for _ in 0..3 {
        let waiting = home.wait_status("ends", "waiting restart");
        let generation = waiting["generation"].as_u64().unwrap();
        home.wait_for("ends", "another try", |process| {
            process["generation"].as_u64().unwrap() > generation
        });
    }
    std::fs::copy(
        home.folder().join("lives.sh"),
        home.folder().join("ends.sh"),
    )
    .unwrap();
    home.wait_status("ends", "online");
    let pid = home.pid("ends");
    until("it has lived a while", SECONDS, || {
        home.process("ends")["started"].as_u64().is_some_and(|at| {
            let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
            now.saturating_sub(Duration::from_millis(at)) > Duration::from_secs(1)
        })
    });
    assert_eq!(home.pid("ends"), pid);
}

#[test]
fn an_end_is_recorded_with_its_core_flag() {
    let home = home();
    home.write(
        "core.sh",
        "ulimit -c 0; sleep 0.3; echo last words; kill -ABRT $$",
    );
    start(&home, &["core.sh", "--no-autorestart"]);
    let process = home.wait_for("core", "the end", |process| pid_of(process).is_none());
    let exit = &exits(&process)[0];
    assert_eq!(exit["signal"], "SIGABRT");
    assert_eq!(exit["lines"], json!(["last words"]));
    // A field that is missing says no: with no room for one, no core was written.
    assert_ne!(exit["core"], true);
    assert!(
        exit["at"].is_u64() && exit["lived"].as_u64().unwrap() >= 300,
        "{exit}"
    );
}
