//! `tine save`, `resurrect` and `cleardump`.

use std::os::unix::fs::MetadataExt as _;

use crate::support::*;

#[test]
fn what_was_saved_comes_back_as_it_was() {
    let home = home();
    start(
        &home,
        &[
            "app.sh",
            "--name",
            "many",
            "-i",
            "2",
            "--kill-timeout",
            "77",
        ],
    );
    start_with(&home, &["app.py", "--name", "args"], &["one two"]);
    start(&home, &["app.sh", "--name", "stopped"]);
    home.ok(["stop", "stopped"]);
    for verb in ["save", "dump"] {
        home.ok([verb]);
    }
    let dump = std::fs::metadata(home.tine().join("dump.json")).unwrap();
    assert_eq!(dump.mode() & 0o777, 0o600);
    home.ok(["kill"]);
    home.ok(["resurrect"]);
    assert_eq!(
        statuses(&home),
        "many online, many online, args online, stopped stopped"
    );
    assert_eq!(home.spec("many")["kill_timeout"], 77);
    let log = wait_text(&home, ".tine/logs/args-out.log", "args: one two");
    assert!(log.contains("args: one two"));
    // What is there is not started twice.
    let before = pids(&home, "many");
    home.ok(["resurrect"]);
    assert_eq!(pids(&home, "many"), before);
    home.ok(["delete", "many"]);
    home.ok(["resurrect"]);
    assert_eq!(pids(&home, "many").len(), 2);
}

#[test]
fn an_empty_list_takes_the_place_of_a_dump_only_by_force() {
    let home = home();
    start(&home, &["app.sh"]);
    home.ok(["save"]);
    let before = home.read(".tine/dump.json");
    home.ok(["delete", "all"]);
    home.run(["save"]);
    assert_eq!(home.read(".tine/dump.json"), before);
    home.ok(["save", "--force"]);
    home.ok(["resurrect"]);
    assert_eq!(statuses(&home), "");
}

#[test]
fn a_dump_can_be_emptied() {
    let home = home();
    start(&home, &["app.sh"]);
    home.ok(["save"]);
    home.ok(["cleardump"]);
    home.ok(["delete", "all"]);
    home.run(["resurrect"]);
    assert_eq!(statuses(&home), "");
}

#[test]
fn without_a_dump_there_is_nothing_to_come_back() {
    let home = home();
    let said = home.run(["resurrect"]);
    assert!(said.err.contains("saved"), "{said:?}");
}

#[test]
fn one_that_does_not_come_back_is_named_and_the_others_run() {
    let home = home();
    start(&home, &["app.sh", "--name", "good"]);
    home.write("bad.sh", SHELL);
    start(&home, &["bad.sh", "--max-restarts", "0"]);
    home.ok(["save", "--json"]);
    home.ok(["kill"]);
    home.write("bad.sh", "echo broken >&2; exit 3");
    let said = home.run(["resurrect"]).is(1);
    assert!(
        said.err.contains("bad (id") && said.err.contains("| broken"),
        "{said:?}"
    );
    assert_eq!(home.process("good")["status"], "online");
}
