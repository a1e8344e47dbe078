//! Homes in which no daemon can live.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::*;

#[track_caller]
fn refused(home: &Home, folder: &Path, word: &str) {
    let said = home
        .call(["start", "app.sh"])
        .env("TINE_HOME", folder)
        .run();
    let said = said.is_error(6).says(word).hints();
    assert!(said.took.as_secs() < 15, "{said:?}");
    // Those who only ask are refused too, or find nothing.
    let said = home.call(["list"]).env("TINE_HOME", folder).run();
    assert!(
        said.code == 6 || said.code == 0 && said.out.lines().count() == 1,
        "{said:?}"
    );
}

#[test]
fn one_that_is_a_file_or_in_a_file() {
    let home = home();
    let file = home.write("file", "");
    refused(&home, &file, "file");
    refused(&home, &file.join("below"), "file");
    assert!(home.processes().is_empty());
}

#[test]
fn one_that_is_too_long_for_a_socket() {
    let home = home();
    refused(&home, &home.folder().join("x".repeat(100)), "bytes");
    refused(&home, &home.folder().join("x".repeat(300)), "");
    assert!(home.processes().is_empty());
}

#[test]
fn one_that_nobody_can_write() {
    let home = home();
    refused(&home, Path::new("/proc/tine"), "/proc/tine");
    assert!(home.processes().is_empty());
}

#[test]
fn one_that_is_open_to_others_or_somebody_elses() {
    let home = home();
    let open = home.folder().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    refused(&home, &open, "open");
    if is_root() {
        let theirs = home.folder().join("theirs");
        std::fs::create_dir(&theirs).unwrap();
        std::os::unix::fs::chown(&theirs, Some(65534), None).unwrap();
        refused(&home, &theirs, "theirs");
    }
    assert!(home.processes().is_empty());
}

#[test]
fn one_that_another_user_may_not_write() {
    if !is_root() {
        return;
    }
    let home = home();
    // The temporary folder is root's alone; another user cannot even look into it.
    let said = home.call(["start", "sleep"]).folder("/").user(65534).run();
    said.is_error(6).hints();
    let said = home
        .call(["start", "sleep"])
        .folder("/")
        .env("TINE_HOME", "/var/no-such")
        .user(65534)
        .run();
    said.is_error(6).says("/var/no-such").hints();
    // A daemon of root's does not speak with others.
    start(&home, &["app.sh"]);
    for path in [home.folder().to_owned(), home.tine()] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let said = home.call(["list"]).folder("/").user(65534).run();
    said.is_error(6).hints();
    let said = home.call(["stop", "all"]).folder("/").user(65534).run();
    said.is_error(6).hints();
    assert_eq!(statuses(&home), "app online");
    std::fs::set_permissions(home.tine(), std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn places_of_the_daemon_that_are_taken_by_something_else() {
    for (name, is_folder) in [
        ("control.sock", false),
        ("control.sock", true),
        ("daemon.lock", true),
        ("logs", false),
        ("pids", false),
        ("state", false),
        ("daemon.log", true),
    ] {
        let home = home();
        std::fs::create_dir(home.tine()).unwrap();
        std::fs::set_permissions(home.tine(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let place = home.tine().join(name);
        if is_folder {
            std::fs::create_dir(&place).unwrap();
        } else {
            std::fs::write(&place, "words of somebody").unwrap();
        }
        let said = home.run(["start", "app.sh", "--min-uptime", "100"]);
        // Either it gets along with that, or says what is in its way.
        if said.code != 0 {
            let said = said.is_error(6).says(name);
            assert!(!said.err.contains("panicked"), "{said:?}");
            assert!(home.processes().is_empty(), "{name}");
        } else {
            assert_eq!(statuses(&home), "app online", "{name}");
        }
    }
}

#[test]
fn none_that_can_be_told() {
    let home = home();
    for variable in ["", "relative/folder"] {
        let said = home.call(["list"]).env("TINE_HOME", variable).run();
        assert!(said.code == 0 || said.code == 6, "{said:?}");
    }
    let said = home
        .call(["start", "app.sh"])
        .env("TINE_HOME", "a\nb")
        .run();
    assert!(said.code == 0 || said.code == 6, "{said:?}");
    if said.code == 0 {
        home.call(["kill"]).env("TINE_HOME", "a\nb").run().is(0);
    }
}
