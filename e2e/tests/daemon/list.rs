//! `tine list`, `jlist` and `prettylist`.

use std::os::fd::OwnedFd;
use std::process::Stdio;

use crate::support::*;
use tine_testkit::Program;
use tine_testkit::lines::{Line, Stream};

#[test]
fn without_a_daemon_it_is_empty_and_none_is_started() {
    let home = home();
    for verb in ["list", "ls", "l", "ps", "status"] {
        assert_eq!(home.ok([verb]).out.lines().count(), 1, "{verb}");
    }
    assert_eq!(home.ok(["jlist"]).json(), json!([]));
    assert_eq!(home.ok(["prettylist"]).out.trim(), "[]");
    assert!(home.processes().is_empty());
}

#[test]
fn one_line_for_each_process_with_what_matters() {
    let home = Home::new();
    let script = fixture("http.js").display().to_string();
    home.ok(["start", &script, "--name", "web", "-i", "2"]);
    let text = home.ok(["list"]).out;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    let pids = pids(&home, "web");
    for (line, pid) in lines[1..].iter().zip(pids) {
        let words: Vec<&str> = line.split_whitespace().collect();
        for word in [
            "web",
            "online",
            "cluster",
            &pid.to_string(),
            &home.port().to_string(),
        ] {
            assert!(words.contains(&word), "{word} in {line}");
        }
        assert!(
            words.iter().any(|word| word.ends_with('M')),
            "no memory: {line}"
        );
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn it_can_be_narrowed_sorted_and_printed_as_blocks() {
    let home = home();
    for name in ["b", "a", "c"] {
        start(&home, &["app.sh", "--name", name]);
    }
    let order = |words: &[&str]| -> Vec<String> {
        let text = home.ok([&["list"], words].concat()).out;
        let names = text
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().nth(1));
        names.map(ToOwned::to_owned).collect()
    };
    assert_eq!(order(&[]), ["a", "b", "c"]);
    assert_eq!(order(&["--sort", "name:desc"]), ["c", "b", "a"]);
    assert_eq!(order(&["--sort", "id"]), ["b", "a", "c"]);
    for field in [
        "namespace",
        "pid",
        "cpu",
        "memory",
        "uptime",
        "status",
        "restarts",
    ] {
        assert_eq!(order(&["--sort", field]).len(), 3, "{field}");
    }
    assert_eq!(order(&["a", "0"]), ["a", "b"]);
    home.run(["list", "--sort", "beauty"]).is(2);
    let blocks = home.ok(["list", "--mini-list"]).out;
    assert_eq!(blocks.matches("status : online").count(), 3, "{blocks}");
    assert_eq!(home.ok(["list", "-m"]).out.matches("+--- ").count(), 3);
    let json = home.ok(["list", "--json"]).json();
    assert_eq!(json["processes"].as_array().unwrap().len(), 3);
}

#[test]
fn a_reader_who_leaves_early_is_no_error() {
    let home = home();
    start(&home, &["app.sh", "-i", "4"]);
    for verb in ["list", "jlist", "describe"] {
        let (read, write) = std::io::pipe().unwrap();
        drop(read);
        let mut command = std::process::Command::new(tine_testkit::tine::binary());
        command.args(
            [verb, "all"]
                .iter()
                .take(if verb == "jlist" { 1 } else { 2 }),
        );
        command.env("TINE_HOME", home.tine());
        let out = Stdio::from(OwnedFd::from(write));
        let program = Program::start_with("tine list", command, Stdio::null(), Some(out));
        program.wait_exit(SECONDS);
        program.wait_output_end(SECONDS);
        let err = program.texts(Stream::Stderr);
        assert!(err.is_empty(), "{verb}: {err:?}");
    }
}

/// Runs a command on a terminal of so many columns, which script(1) makes.
fn on_terminal(home: &Home, columns: usize, words: &str) -> Program {
    let binary = tine_testkit::tine::binary();
    let line = format!("stty cols {columns}; exec {} {words}", binary.display());
    let mut command = std::process::Command::new("script");
    command.args(["-qec", &line, "/dev/null"]);
    command
        .env("TINE_HOME", home.tine())
        .env_remove("NO_COLOR")
        .env("TERM", "xterm");
    Program::start("a terminal", command)
}

#[test]
fn on_a_terminal_it_has_colours_and_fits_its_width() {
    let home = home();
    start(&home, &["app.sh", "--name", "a-name-that-is-long-enough"]);
    let shown = |columns, words| {
        let program = on_terminal(&home, columns, words);
        assert_eq!(
            program.wait_exit(SECONDS).code(),
            Some(0),
            "{}",
            program.transcript()
        );
        program.wait_output_end(SECONDS);
        program.texts(Stream::Stdout).join("\n")
    };
    let wide = shown(200, "list");
    assert!(wide.contains("\u{1b}["), "{wide:?}");
    assert!(
        wide.contains(&home.pid("a-name-that-is-long-enough").to_string()),
        "{wide:?}"
    );
    for columns in [40, 60, 80, 200] {
        let plain = shown(columns, "list --no-color");
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
        for line in plain.lines() {
            let width = line.trim_end().chars().count();
            assert!(width <= columns, "{width} > {columns}: {line}");
        }
        assert!(plain.contains("online"), "{plain}");
    }
}

#[test]
fn the_watched_list_is_shown_again_and_again_until_it_is_interrupted() {
    let home = home();
    start(&home, &["app.sh"]);
    // A file would only grow.
    home.refused(2, ["list", "--watch"]).hints();
    let terminal = on_terminal(&home, 80, "list --watch");
    let is_row = |line: &Line| line.text.contains("online");
    for _ in 0..2 {
        let from = terminal.lines().count();
        terminal.wait_for_line_from(from, is_row, "a further list", SECONDS);
    }
    let watching = process::children(terminal.pid());
    assert_eq!(watching.len(), 1);
    process::signal(watching[0], Signal::INT).unwrap();
    wait_gone(watching[0]);
}

#[test]
fn the_list_of_pm2_has_what_its_readers_look_for() {
    let home = home();
    home.call([&["start", "app.js", "--namespace", "shop"][..], &QUICK].concat())
        .env("FRUIT", "pear")
        .run()
        .is(0);
    home.ok(["restart", "app"]);
    let list = home.ok(["jlist"]).json();
    let one = &list[0];
    assert_eq!((&one["name"], &one["pm_id"]), (&json!("app"), &json!(0)));
    assert_eq!(pid_of(one), Some(home.pid("app")));
    assert!(
        one["monit"]["memory"].as_u64().unwrap() > 1_000_000,
        "{}",
        one["monit"]
    );
    assert!(one["monit"]["cpu"].is_number());
    let env = &one["pm2_env"];
    let logs = home.tine().join("logs");
    for (field, value) in [
        ("status", json!("online")),
        ("restart_time", json!(1)),
        ("unstable_restarts", json!(0)),
        ("exec_mode", json!("fork_mode")),
        ("namespace", json!("shop")),
        ("exec_interpreter", json!("node")),
        ("pm_exec_path", json!(home.folder().join("app.js"))),
        ("pm_cwd", json!(home.folder())),
        ("pm_out_log_path", json!(logs.join("app-out.log"))),
        ("pm_err_log_path", json!(logs.join("app-error.log"))),
        ("FRUIT", json!("pear")),
        ("autorestart", json!(true)),
        ("NODE_APP_INSTANCE", json!(0)),
    ] {
        assert_eq!(env[field], value, "{field}");
    }
    for field in ["pm_uptime", "created_at"] {
        assert!(env[field].as_u64().unwrap() > 1_600_000_000_000, "{field}");
    }
    assert_eq!(env["env"]["FRUIT"], "pear");
    let pretty = home.ok(["prettylist"]).out;
    assert!(
        pretty.contains("name: 'app'") && pretty.contains("pm_id: 0"),
        "{pretty}"
    );
}
