//! What is made of process files: started, applied, checked, written.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod fake;

use fake::{Fake, process};
use serde_json::Value;
use tine_control::request::{IfPresent, Start};
use tine_control::{ProcessStatus, Request, Target};

fn starts(fake: &Fake) -> Vec<Start> {
    let start = |request| match request {
        Request::Start(start) => Some(start),
        _ => None,
    };
    fake.asked().into_iter().filter_map(start).collect()
}

const FILE: &str = r#"{ "apps": [
    { "name": "a", "script": "a.sh", "env": { "X": "1" }, "env_prod": { "X": "2" } },
    { "name": "b", "script": "a.sh" }
] }"#;

#[test]
fn the_apps_of_a_process_file_are_started_stopped_and_restarted() {
    let fake = Fake::willing(vec![], vec![]);
    fake.write("a.sh", "");
    fake.write("apps.json", FILE);
    fake.run(&["start", "apps.json", "--env", "prod"]).code(0);
    let apps = starts(&fake).pop().unwrap().apps;
    assert_eq!(apps.len(), 2);
    assert_eq!(apps[0].env.get("X").map(String::as_str), Some("2"));
    fake.run(&["start", "apps.json", "--only", "b"]).code(0);
    assert_eq!(starts(&fake).pop().unwrap().apps[0].name, "b");

    for (verb, if_present) in [
        ("restart", IfPresent::Restart),
        ("startOrRestart", IfPresent::Restart),
        ("reload", IfPresent::Reload),
        ("startOrReload", IfPresent::Reload),
        ("startOrGracefulReload", IfPresent::Reload),
    ] {
        fake.run(&[verb, "apps.json"]).code(0);
        let start = starts(&fake).pop().unwrap();
        assert_eq!(
            (start.apps.len(), start.if_present),
            (2, if_present),
            "{verb}"
        );
    }

    let fake = Fake::willing(vec![process(0, "a", ProcessStatus::Online)], vec![]);
    fake.write("apps.json", FILE);
    fake.run(&["stop", "apps.json", "--only", "a"]).code(0);
    let Some(Request::Stop(stop)) = fake.asked().pop() else {
        panic!("nothing was stopped");
    };
    assert_eq!(stop.target, Target::Name("a".to_owned()));
    fake.run(&["stop", "apps.json"])
        .code(0)
        .says(&["warning: nothing is there of b of the process file"]);
    fake.run(&["stop", "apps.json", "--only", "b"]).code(5);
    fake.run(&["stop", "web", "--only", "a"]).code(2);
    fake.run(&["startOrReload", "web"])
        .code(2)
        .says(&["process file"]);
}

#[test]
fn a_process_file_may_come_on_standard_input() {
    let fake = Fake::willing(vec![], vec![]);
    fake.write("a.sh", "");
    let file = std::fs::File::open(fake.write("apps", FILE)).unwrap();
    let words = ["start", "-"];
    let output = fake.command(&words).stdin(file).output().unwrap();
    fake::Said::of(&words, output).code(0);
    assert_eq!(starts(&fake).pop().unwrap().apps.len(), 2);
}

#[test]
fn a_file_is_applied_after_the_difference_was_shown() {
    let fake = Fake::willing(vec![process(0, "a", ProcessStatus::Online)], vec![]);
    fake.write("a.sh", "");
    fake.write("apps.json", FILE);
    let dry = fake.run(&["apply", "apps.json", "--dry-run"]).code(1);
    assert_eq!(dry.out, "+ a: start 1\n+ b: start 1\n");
    assert!(fake.asked().is_empty());
    let json = fake
        .run(&["apply", "apps.json", "--dry-run", "--json"])
        .code(1);
    let steps: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(steps[0]["what"], "added");
    fake.run(&["apply", "apps.json"]).code(0);
    assert_eq!(starts(&fake).pop().unwrap().apps.len(), 2);
    fake.run(&["apply", "apps.json", "--prune", "--only", "a"])
        .code(2);
}

#[test]
fn a_file_is_checked_without_a_daemon() {
    let fake = Fake::absent();
    fake.write("a.sh", "");
    fake.write("apps.json", FILE);
    let good = fake.run(&["check", "apps.json"]).code(0);
    assert!(good.out.ends_with("in order\n"), "{good:?}");
    fake.write(
        "bad.json",
        r#"{ "apps": [{ "name": "a", "script": "a.sh", "max_restarts": "x" }] }"#,
    );
    let bad = fake.run(&["check", "bad.json"]).code(3);
    assert!(
        bad.out.contains("error: ") && bad.out.contains("max_restarts"),
        "{bad:?}"
    );
    let json = fake.run(&["check", "bad.json", "--json"]).code(3);
    let report: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(report["ok"], false);
}

#[test]
fn a_new_process_file_is_in_order_and_overwrites_nothing() {
    let fake = Fake::absent();
    fake.write("app.js", "");
    for (words, name) in [
        (&["init"][..], "ecosystem.config.js"),
        (&["init", "toml"], "tine.toml"),
    ] {
        fake.run(words).code(0).says(&[name]);
        fake.run(words).code(1).says(&["is there already"]);
        fake.run(&["check", name]).code(0);
    }
    fake.write("package.json", r#"{"type": "module"}"#);
    fake.run(&["ecosystem", "simple"])
        .code(0)
        .says(&["ecosystem.config.cjs"]);
}
