//! `tine init`, `check` and `apply`.

use crate::support::*;

fn file(home: &Home, apps: Value) {
    home.write("apps.json", json!({"apps": apps}).to_string());
}

#[test]
fn the_list_becomes_what_the_file_says_and_no_more_than_that_is_touched() {
    let home = home();
    start(&home, &["app.sh", "--name", "of-nobody"]);
    let app = |name: &str| json!({"name": name, "script": "app.sh", "min_uptime": 100});
    file(&home, json!([app("a"), app("b"), app("c")]));
    let said = home.ok(["apply", "apps.json"]);
    assert!(
        said.err.contains("+ a") || said.out.contains("+ a"),
        "{said:?}"
    );
    let before = [home.pid("a"), home.pid("b")];

    // Nothing to do is done without touching anything.
    home.ok(["apply", "apps.json"]);
    assert_eq!([home.pid("a"), home.pid("b")], before);

    let mut changed = app("b");
    changed["env"] = json!({"SECRET": "hidden-value"});
    file(&home, json!([app("a"), changed, app("d")]));
    let said = home.run(["apply", "apps.json", "--dry-run"]).is(1);
    let shown = format!("{}{}", said.out, said.err);
    assert!(shown.contains("~ b") && shown.contains("+ d"), "{shown}");
    assert!(!shown.contains("hidden-value"), "{shown}");
    assert_eq!(home.list().len(), 4);
    let said = home
        .run(["apply", "apps.json", "--dry-run", "--show-values"])
        .is(1);
    assert!(
        format!("{}{}", said.out, said.err).contains("hidden-value"),
        "{said:?}"
    );

    home.ok(["apply", "apps.json"]);
    assert_eq!(home.pid("a"), before[0]);
    assert_ne!(home.pid("b"), before[1]);
    assert_eq!(
        variable(home.pid("b"), "SECRET").as_deref(),
        Some("hidden-value")
    );
    // What the file does not say any more is deleted when asked for; what it never said is not.
    assert_eq!(names(&home).len(), 5);
    home.ok(["apply", "apps.json", "--prune"]);
    let all: Vec<_> = names(&home).into_iter().map(|(name, _)| name).collect();
    assert_eq!(all, ["of-nobody", "a", "b", "d"]);
    home.run(["apply", "apps.json", "--dry-run"]).is(0);
}

#[test]
fn more_and_fewer_processes_are_started_and_ended() {
    let home = home();
    for count in [2, 4, 1] {
        file(
            &home,
            json!([{"name": "a", "script": "app.sh", "instances": count, "min_uptime": 100}]),
        );
        home.ok(["apply", "apps.json"]);
        assert_eq!(pids(&home, "a").len(), count);
    }
}

#[test]
fn a_file_that_cannot_be_fulfilled_changes_nothing() {
    let home = home();
    file(
        &home,
        json!([{"name": "a", "script": "app.sh", "min_uptime": 100}]),
    );
    home.ok(["apply", "apps.json"]);
    let pid = home.pid("a");
    file(
        &home,
        json!([{"name": "a", "script": "missing.sh"}, {"name": "b", "script": "app.sh"}]),
    );
    home.run(["apply", "apps.json"]).is(3).says("missing.sh");
    home.refused(3, ["apply", "apps.json", "--only", "zzz"])
        .says("zzz");
    assert_eq!(home.pid("a"), pid);
    assert_eq!(home.list().len(), 1);
}

#[test]
fn a_new_file_can_be_checked_and_started() {
    for (words, file) in [
        (&["init"][..], "ecosystem.config.js"),
        (&["ecosystem", "simple"], "ecosystem.config.js"),
        (&["init", "toml"], "tine.toml"),
    ] {
        let home = home();
        // The script that the examples are about.
        home.write("server.js", NODE);
        home.ok(words.iter().copied());
        // What is there is not written over.
        home.run(words.iter().copied()).is(1).hints();
        let said = home.ok(["check", file]);
        assert!(!said.err.contains("error"), "{said:?}");
        assert_eq!(home.ok(["check", file, "--json"]).json()["ok"], true);
        home.ok(["start", file]);
        assert!(!home.list().is_empty());
    }
}

#[test]
fn a_check_says_what_is_wrong_and_where() {
    let home = home();
    home.write(
        "apps.json",
        "[{\"name\": \"a\", \"script\": \"app.sh\",\n\"max_restart\": 3}]",
    );
    let said = home.ok(["check", "apps.json"]);
    let shown = format!("{}{}", said.out, said.err);
    for word in ["max_restart", "max_restarts", "apps.json:2"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    file(
        &home,
        json!([{"name": "a", "script": "app.sh", "instances": "many"}]),
    );
    let said = home.run(["check", "apps.json"]).is(3);
    assert!(
        format!("{}{}", said.out, said.err).contains("instances"),
        "{said:?}"
    );
    let said = home.run(["check", "apps.json", "--json"]).is(3);
    assert_eq!(said.json()["ok"], false);
}
