//! State files that were torn, written by others, or are no files at all.

use crate::support::*;

/// A dump of one app, and no daemon.
fn dumped() -> Home {
    let home = home();
    start(&home, &["app.sh"]);
    home.ok(["save"]);
    home.ok(["kill"]);
    home
}

#[test]
fn a_dump_that_cannot_be_read_is_told_and_left() {
    let home = dumped();
    let good = home.read(".tine/dump.json");
    let half = &good[..good.len() / 2];
    let mut value: Value = serde_json::from_str(&good).unwrap();
    let versions: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
    assert!(versions.contains(&"version".to_owned()), "{versions:?}");
    value["version"] = json!(4_000_000);
    let newer = value.to_string();
    for bad in [
        "",
        "nonsense",
        half,
        "[]",
        "{}",
        "null",
        "\u{0}\u{1}",
        &newer,
        "{\"version\":1}",
    ] {
        home.write(".tine/dump.json", bad);
        let said = home.run(["resurrect"]);
        assert!(
            said.err.contains("error: ") && said.code != 0,
            "{bad:.40}: {said:?}"
        );
        assert!(said.err.contains("dump.json"), "{bad:.40}: {said:?}");
        assert_eq!(home.read(".tine/dump.json"), bad);
        assert_eq!(statuses(&home), "");
    }
    home.write(".tine/dump.json", &good);
    home.ok(["resurrect"]);
    assert_eq!(statuses(&home), "app online");
}

#[test]
fn a_dump_that_is_a_folder() {
    let home = dumped();
    std::fs::remove_file(home.tine().join("dump.json")).unwrap();
    std::fs::create_dir(home.tine().join("dump.json")).unwrap();
    let said = home.run(["resurrect"]);
    assert!(said.code != 0 && said.err.contains("dump.json"), "{said:?}");
    start(&home, &["app.sh"]);
    // It is moved out of the way, or it is said that it is in the way.
    let said = home.run(["save"]);
    let is_saved = home.read(".tine/dump.json").contains("\"app\"");
    assert_eq!(said.code == 0, is_saved, "{said:?}");
    assert_eq!(statuses(&home), "app online");
}

#[test]
fn settings_that_cannot_be_read_are_never_written_over() {
    for bad in ["nonsense", "[1, 2]", "{\"a\":"] {
        let home = home();
        home.ok(["set", "a", "1"]);
        if !home.processes().is_empty() {
            home.ok(["kill"]);
        }
        home.write(".tine/settings.json", bad);
        // The apps come first: they are started all the same.
        start(&home, &["app.sh"]);
        assert_eq!(statuses(&home), "app online");
        let said = home.run(["get", "a"]);
        assert!(said.code != 0 && said.err.contains("error: "), "{said:?}");
        let said = home.run(["set", "b", "2"]);
        assert!(
            said.code == 0 || said.err.contains("settings.json"),
            "{said:?}"
        );
        // Nobody's words are lost.
        let kept = std::fs::read_dir(home.tine()).unwrap().any(|entry| {
            std::fs::read_to_string(entry.unwrap().path()).is_ok_and(|text| text == bad)
        });
        assert!(kept, "{bad}");
    }
}

#[test]
fn nonsense_in_the_folder_of_the_state() {
    let home = dumped();
    for name in [
        "state/x",
        "state/app.json",
        "pids/app-0.pid",
        "logs/app-out.log",
        "state/0/y",
    ] {
        home.write(&format!(".tine/{name}"), b"\x00nonsense\xff");
    }
    start(&home, &["app.sh"]);
    assert_eq!(statuses(&home), "app online");
    assert_eq!(
        home.read(".tine/pids/app-0.pid").trim(),
        home.pid("app").to_string()
    );
}

#[test]
fn a_pid_file_or_a_log_that_cannot_be_written_stops_nobody() {
    let home = home();
    start(&home, &["app.sh", "--name", "first"]);
    for (name, option) in [
        ("pid", "--pid"),
        ("out", "-o"),
        ("error", "-e"),
        ("log", "-l"),
    ] {
        start(
            &home,
            &["app.sh", "--name", name, option, "/proc/no/such/file"],
        );
        assert_eq!(home.process(name)["status"], "online", "{name}");
    }
    assert_eq!(home.process("first")["restarts"], 0);
}
