//! `tine delete`.

use crate::support::*;

#[test]
fn a_deleted_app_is_neither_there_nor_running() {
    let home = home();
    start(&home, &["app.sh", "-i", "2"]);
    start(&home, &["app.sh", "--name", "other"]);
    let pids = pids(&home, "app");
    home.ok(["delete", "app"]);
    assert!(pids.iter().all(|pid| !process::is_alive(*pid)));
    assert_eq!(statuses(&home), "other online");
    home.refused(5, ["describe", "app"]);
    // Its name may be had again, by another script.
    home.ok(["start", "app.py"]);
    assert_eq!(statuses(&home), "other online, app online");
}

#[test]
fn one_process_of_many_is_deleted_by_its_id() {
    let home = home();
    start(&home, &["app.sh", "-i", "3"]);
    home.ok(["del", "1"]);
    let ids: Vec<_> = home
        .list()
        .iter()
        .map(|one| one["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, [0, 2]);
    home.ok(["scale", "app", "3"]);
    let mut slots: Vec<_> = home
        .list()
        .iter()
        .map(|one| one["slot"].as_u64().unwrap())
        .collect();
    slots.sort_unstable();
    assert_eq!(slots, [0, 1, 2]);
}

#[test]
fn everything_in_every_state_is_deleted() {
    let home = home();
    home.write("short.sh", "exit 1");
    start(&home, &["app.sh"]);
    start(&home, &["app.sh", "--name", "stopped"]);
    home.ok(["stop", "stopped"]);
    home.run([
        "start",
        "short.sh",
        "--max-restarts",
        "0",
        "--name",
        "errored",
    ])
    .is(1);
    home.run([
        "start",
        "short.sh",
        "--restart-delay",
        "60000",
        "--name",
        "waiting",
    ])
    .is(1);
    home.wait_status("waiting", "waiting restart");
    home.ok(["delete", "all"]);
    assert_eq!(statuses(&home), "");
    assert!(home.workers().is_empty());
    let left: Vec<_> = std::fs::read_dir(home.tine().join("pids"))
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_a_process_file_names_is_deleted() {
    let home = home();
    home.write(
        "apps.json",
        r#"[{"name": "a", "script": "app.sh"}, {"name": "b", "script": "app.sh"}]"#,
    );
    start(&home, &["apps.json"]);
    start(&home, &["app.sh"]);
    home.ok(["delete", "apps.json", "--only", "a"]);
    assert_eq!(statuses(&home), "b online, app online");
    home.ok(["delete", "apps.json", "--only", "b"]);
    assert_eq!(statuses(&home), "app online");
}

#[test]
fn nobody_of_this_name() {
    let home = home();
    home.refused(5, ["delete", "web"]).hints();
    start(&home, &["app.sh"]);
    home.refused(5, ["delete", "ap"]).says("ap").hints();
    assert_eq!(statuses(&home), "app online");
}
