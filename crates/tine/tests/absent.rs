//! What commands do when no daemon runs.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod fake;

use fake::Fake;

#[test]
fn questions_about_the_list_are_answered_as_for_an_empty_one() {
    let fake = Fake::absent();
    let list = fake.run(&["list"]).code(0);
    assert!(list.out.starts_with("id  name"), "{list:?}");
    assert_eq!(list.out.lines().count(), 1);
    for (words, out) in [
        (&["jlist"][..], "[]\n"),
        (&["prettylist"], "[]\n"),
        (&["list", "--json"], "{\"processes\":[]}\n"),
        (&["id", "web"], "[]\n"),
        (&["pid", "web"], "\n"),
    ] {
        assert_eq!(fake.run(words).code(0).out, out, "{words:?}");
    }
    assert!(!fake.home().exists(), "a question has made something");
}

#[test]
fn what_is_named_is_not_found() {
    let fake = Fake::absent();
    for words in [
        &["stop", "web"][..],
        &["restart", "web"],
        &["reload", "web"],
        &["delete", "all"],
        &["scale", "web", "2"],
        &["reset", "web"],
        &["sendSignal", "SIGUSR2", "web"],
        &["send", "0", "hello"],
        &["attach", "0"],
        &["describe", "web"],
        &["env", "0"],
        &["logs", "web"],
        &["flush", "web"],
        &["list", "web"],
        &["start", "0"],
    ] {
        let said = fake.run(words).code(5).says(&["error: ", "hint: "]);
        assert_eq!(said.out, "", "{words:?}");
    }
    assert!(!fake.home().exists());
}

#[test]
fn what_is_about_the_daemon_itself_says_that_it_is_not_there() {
    let fake = Fake::absent();
    for words in [
        &["ping"][..],
        &["pid"],
        &["save"],
        &["logs"],
        &["flush"],
        &["reloadLogs"],
    ] {
        fake.run(words)
            .code(6)
            .says(&["error: no daemon behind", "hint: "]);
    }
    fake.run(&["kill"]).code(0).says(&["no daemon runs"]);
    let version = fake.run(&["version"]).code(0);
    assert!(version.out.contains("daemon not running"), "{version:?}");
    let report = fake.run(&["report"]).code(0);
    assert!(report.out.contains("usable cores"), "{report:?}");
    assert_eq!(fake.run(&["conf"]).code(0).out, "");
    fake.run(&["get", "a:b"]).code(5);
}

#[test]
fn a_script_that_is_not_there_starts_no_daemon() {
    let fake = Fake::absent();
    fake.run(&["start", "missing.js"])
        .code(3)
        .says(&["missing.js", "hint: "]);
    fake.run(&["start", "missing.json"])
        .code(3)
        .says(&["missing.json"]);
    fake.run(&["start"])
        .code(2)
        .says(&["no process file", "tine init"]);
    assert!(!fake.home().exists());
}

#[test]
fn a_home_whose_path_is_too_long_is_told() {
    let fake = Fake::absent();
    let words = ["list"];
    let output = fake
        .command(&words)
        .env("TINE_HOME", format!("/tmp/{}", "x".repeat(200)))
        .output()
        .unwrap();
    fake::Said::of(&words, output)
        .code(6)
        .says(&["error: ", "hint: set TINE_HOME"]);
}
