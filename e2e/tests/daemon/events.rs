//! The events that other programs hear, as `docs/control.md` has them.

use std::collections::BTreeSet;

use crate::support::*;
use tine_testkit::control::Control;

/// Hears until something of this kind has happened, and returns it with all before it.
#[track_caller]
fn heard(control: &mut Control, what: &str, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let event = match control.told() {
            Ok(event) => event,
            Err(error) => panic!("no {what}: {error}; there were {all:?}"),
        };
        let found = event["what"] == what && is_it(&event);
        all.push(event);
        if found {
            return all;
        }
    }
}

#[test]
fn everything_that_happens_is_told_in_its_order() {
    let home = Home::new();
    let script = fixture("http.js").display().to_string();
    home.ok(["start", &script, "--name", "first", "--no-autostart"]);
    let mut control = home.control();
    let first = control.ask(json!({"do": "subscribe"}))["next"]
        .as_u64()
        .unwrap();

    home.ok(["start", &script, "--name", "web", "-i", "1"]);
    home.ok(["reload", "web"]);
    home.ok(["scale", "web", "2"]);
    process::signal(home.pid("web"), Signal::KILL).unwrap();
    home.wait_for("web", "another", |one| {
        one["generation"] == 3 && one["status"] == "online"
    });
    home.ok(["restart", "web", "--kill-timeout", "99"]);
    home.ok(["set", "a", "1"]);
    home.ok(["stop", "web"]);
    home.ok(["delete", "web"]);
    home.ok(["save"]);

    let all = heard(&mut control, "saved", |_| true);
    for (event, number) in all.iter().zip(first..) {
        assert_eq!(event["event"], number, "{event}");
        assert!(event["at"].as_u64().unwrap() > 1_600_000_000_000, "{event}");
    }
    let what: BTreeSet<&str> = all
        .iter()
        .filter_map(|event| event["what"].as_str())
        .collect();
    let promised = [
        "added",
        "app_changed",
        "exited",
        "listening",
        "reload",
        "removed",
        "saved",
        "setting",
        "status",
    ];
    assert_eq!(what, BTreeSet::from(promised));
    let killed = all
        .iter()
        .find(|event| event["exit"]["signal"] == "SIGKILL")
        .unwrap();
    assert_eq!(killed["process"]["name"], "web");
    let of_first: Vec<&str> = all
        .iter()
        .filter(|event| event["process"]["id"] == 1 && event["process"]["generation"] == 1)
        .filter_map(|event| event["status"].as_str())
        .collect();
    assert_eq!(of_first[..2], ["launching", "online"], "{all:?}");
}

#[test]
fn who_comes_again_hears_what_was_missed() {
    let home = home();
    start(&home, &["app.sh"]);
    let mut control = home.control();
    let next = control.ask(json!({"do": "subscribe"}))["next"]
        .as_u64()
        .unwrap();
    home.ok(["restart", "app"]);
    let seen = heard(&mut control, "status", |event| event["status"] == "online");
    drop(control);
    home.ok(["save"]);
    let mut again = home.control();
    again.ask(json!({"do": "subscribe", "after": next}));
    let missed = heard(&mut again, "saved", |_| true);
    assert_eq!(missed[..seen.len() - 1], seen[1..]);
    // Who has heard of what never was is told so.
    let mut other = home.control();
    other.ask(json!({"do": "subscribe", "after": 1_000_000}));
    assert!(other.told().unwrap().get("gap").is_some());
}

#[test]
fn a_kill_is_told_before_the_end() {
    let home = home();
    start(&home, &["app.sh"]);
    let mut control = home.control();
    control.ask(json!({"do": "subscribe"}));
    home.ok(["kill"]);
    heard(&mut control, "daemon", |event| event["stage"] == "ending");
}
