//! How a daemon begins: exactly one, whoever asks.

use std::os::unix::fs::MetadataExt as _;

use crate::support::*;

#[test]
fn eight_commands_at_once_start_one_daemon() {
    let home = home();
    let names: Vec<String> = (0..8).map(|number| format!("app{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            let home = &home;
            scope.spawn(move || start(home, &["app.sh", "--name", name]));
        }
    });
    let mut all: Vec<String> = self::names(&home)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    all.sort();
    assert_eq!(all, names);
    let keepers = home.processes().into_iter().filter(|pid| {
        command_line(*pid)
            .get(1)
            .is_some_and(|word| word == "keeper")
    });
    assert_eq!(keepers.collect::<Vec<_>>(), [home.keeper()]);
    assert_eq!(home.workers().len(), 8);
}

#[test]
fn nobody_else_can_read_what_is_in_the_home() {
    let home = home();
    start(&home, &["app.sh"]);
    let mode = |name: &str| std::fs::metadata(home.tine().join(name)).unwrap().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    assert_eq!(mode("control.sock"), 0o600);
    for name in ["daemon.log", "daemon.lock", "logs", "pids"] {
        assert_eq!(mode(name) & 0o077 & !0o050, 0, "{name}");
    }
}

#[test]
fn the_daemon_holds_on_to_nothing_of_the_command_that_started_it() {
    let home = home();
    let folder = home.folder().join("where");
    std::fs::create_dir(&folder).unwrap();
    // Its output is read to its end here: whoever kept it open would be noticed.
    home.call(["start", "sleep 1000", "--min-uptime", "100"])
        .folder(&folder)
        .run()
        .is(0);
    for pid in [home.keeper(), home.brain()] {
        let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
        assert_ne!(cwd, folder);
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let session: u32 = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .nth(3)
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(session, home.keeper(), "{stat}");
    }
}

#[test]
fn a_stale_socket_is_no_obstacle() {
    let home = home();
    start(&home, &["app.sh"]);
    let socket = home.tine().join("control.sock");
    home.ok(["kill"]);
    let _ = std::fs::remove_file(&socket);
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    home.refused(6, ["ping"]);
    start(&home, &["app.sh"]);
    assert_eq!(statuses(&home), "app online");
}
