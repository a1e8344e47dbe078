//! `tine restart`.

use crate::support::*;

#[test]
fn every_process_is_another_one_afterwards() {
    let home = home();
    start(&home, &["app.sh", "-i", "3"]);
    let before = pids(&home, "app");
    home.ok(["restart", "app"]);
    let after = pids(&home, "app");
    assert_eq!(after.len(), 3);
    assert!(
        before
            .iter()
            .all(|pid| !after.contains(pid) && !process::is_alive(*pid))
    );
    for one in home.list() {
        assert_eq!(
            (&one["restarts"], &one["unstable_restarts"]),
            (&json!(1), &json!(0))
        );
        assert_eq!(one["status"], "online");
    }
}

#[test]
fn what_is_stopped_is_started_and_that_counts_for_nothing() {
    let home = home();
    start(&home, &["app.sh"]);
    home.ok(["stop", "app"]);
    home.ok(["restart", "0"]);
    assert_eq!(statuses(&home), "app online");
    assert_eq!(home.process("app")["restarts"], 0);
}

#[test]
fn options_are_those_of_the_app_from_then_on() {
    let home = home();
    start(&home, &["app.sh"]);
    home.ok([
        "restart",
        "app",
        "--kill-timeout",
        "0",
        "--name",
        "new",
        "--",
        "other",
        "words",
    ]);
    assert_eq!(names(&home)[0].0, "new");
    let spec = home.spec("new");
    assert_eq!(
        (&spec["kill_timeout"], &spec["args"]),
        (&json!(0), &json!(["other", "words"]))
    );
    wait_text(&home, ".tine/logs/new-out.log", "args: other words");
}

#[test]
fn the_environment_is_renewed_when_asked_for() {
    let home = home();
    home.call([&["start", "app.sh"][..], &QUICK].concat())
        .env("STAGE", "one")
        .run()
        .is(0);
    let stage = || variable(home.pid("app"), "STAGE");
    home.call(["restart", "app"])
        .env("STAGE", "two")
        .run()
        .is(0);
    assert_eq!(stage().as_deref(), Some("one"));
    home.call(["restart", "app", "--update-env"])
        .env("STAGE", "three")
        .run()
        .is(0);
    assert_eq!(stage().as_deref(), Some("three"));
    home.call(["restart", "app", "-a"])
        .env("STAGE", "four")
        .run()
        .is(0);
    assert_eq!(stage().as_deref(), Some("four"));
}

#[test]
fn several_at_once_or_one_after_another() {
    let home = home();
    start(&home, &["app.sh", "-i", "4"]);
    for count in ["1", "4"] {
        let before = pids(&home, "app");
        home.ok(["restart", "app", "--parallel", count]);
        let after = pids(&home, "app");
        assert!(after.len() == 4 && before.iter().all(|pid| !after.contains(pid)));
    }
    home.run(["restart", "app", "--parallel", "0"]).is(2);
}

#[test]
fn one_that_does_not_come_up_again_is_errored_with_its_last_lines() {
    let home = home();
    home.write(
        "once.sh",
        "test -e spoiled && { echo spoiled >&2; exit 5; }\nexec sleep 1000\n",
    );
    start(&home, &["once.sh", "--max-restarts", "0"]);
    home.write("spoiled", "");
    home.run(["restart", "once"]);
    let process = home.wait_status("once", "errored");
    let exits = process["exits"].as_array().unwrap();
    let last = exits.last().unwrap();
    assert_eq!(
        (&last["code"], &last["lines"]),
        (&json!(5), &json!(["spoiled"]))
    );
}

#[test]
fn nobody_of_this_name() {
    let home = home();
    home.refused(5, ["restart", "web"]).hints();
    start(&home, &["app.sh"]);
    home.refused(5, ["restart", "web"]).says("web").hints();
}

#[test]
fn one_name_is_not_given_to_several_apps() {
    let home = home();
    start(&home, &["app.sh", "--name", "one"]);
    start(&home, &["app.sh", "--name", "two"]);
    let asked = json!({"do": "restart", "target": "all", "changes": {"name": "x"}});
    let refused = home.control().try_ask(asked).unwrap().unwrap_err();
    assert_eq!(refused["code"], "invalid");
    assert_eq!(statuses(&home), "one online, two online");
}
