//! `tine start`: every option of an app, seen in what becomes of it.

use crate::support::*;

#[test]
fn instances_are_so_many_processes_with_numbers_of_their_own() {
    let home = home();
    start(&home, &["app.sh", "-i", "3"]);
    let numbers: Vec<_> = pids(&home, "app")
        .into_iter()
        .map(|pid| variable(pid, "NODE_APP_INSTANCE"))
        .collect();
    assert_eq!(
        numbers,
        [Some("0".into()), Some("1".into()), Some("2".into())]
    );
    let cores = std::thread::available_parallelism().unwrap().get();
    for (name, count) in [("max", cores), ("0", cores), ("-1", (cores - 1).max(1))] {
        start(
            &home,
            &["app.js", "--name", &format!("n{name}"), "-i", name],
        );
        assert_eq!(pids(&home, &format!("n{name}")).len(), count, "{name}");
    }
}

#[test]
fn the_mode_can_be_said() {
    let home = Home::new();
    let program = fixture("http.js").display().to_string();
    home.ok(["start", &program, "--name", "one", "--exec-mode", "cluster"]);
    assert_eq!(home.process("one")["exec_mode"], "cluster");
    home.ok(["delete", "one"]);
    home.ok([
        "start",
        &program,
        "--name",
        "alone",
        "-i",
        "1",
        "--exec-mode",
        "fork",
    ]);
    assert_eq!(home.process("alone")["exec_mode"], "fork");
    home.refused(2, ["start", &program, "-x", "--exec-mode", "cluster"]);
}

#[test]
fn node_with_instances_is_a_cluster_behind_one_port() {
    let home = Home::new();
    home.ok([
        "start",
        &fixture("http.js").display().to_string(),
        "-i",
        "2",
        "--name",
        "web",
    ]);
    let list = home.list();
    assert!(
        list.iter().all(|one| one["exec_mode"] == "cluster"),
        "{list:?}"
    );
    let listens = home.port().to_string();
    for one in &list {
        let address = one["listening"][0].as_str().unwrap_or_default();
        assert!(address.ends_with(&listens), "{one}");
    }
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        seen.insert(home.get("/").unwrap().text());
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[test]
fn execute_command_makes_plain_processes_of_node_too() {
    let home = home();
    start(&home, &["app.js", "-x", "-i", "2"]);
    let list = home.list();
    assert!(
        list.iter().all(|one| one["exec_mode"] == "fork"),
        "{list:?}"
    );
    let pid = home.pid("app");
    assert_eq!(variable(pid, "NODE_UNIQUE_ID"), None);
}

#[test]
fn every_way_to_balance_serves() {
    let home = Home::new();
    let script = fixture("port-zero.js").display().to_string();
    for way in ["auto", "rr", "least", "shared", "kernel", "sticky"] {
        home.ok(["start", &script, "-i", "2", "--name", way, "--balance", way]);
        let apps = home.ask(json!({"do": "describe", "target": {"name": way}}));
        let policy = apps["apps"][way]["policy"].as_str().unwrap_or_default();
        assert!(
            policy == way || way == "auto" && !policy.is_empty(),
            "{way}: {policy}"
        );
    }
}

#[test]
fn a_namespace_is_a_group_that_can_be_named() {
    let home = home();
    start(&home, &["app.sh", "--name", "a", "--namespace", "shop"]);
    start(&home, &["app.sh", "--name", "b"]);
    assert_eq!(home.process("a")["namespace"], "shop");
    assert_eq!(home.process("b")["namespace"], "default");
    home.ok(["stop", "shop"]);
    assert_eq!(statuses(&home), "a stopped, b online");
}

#[test]
fn the_folder_is_where_relative_paths_begin() {
    let home = home();
    home.write("sub/inner.sh", SHELL);
    start(&home, &["inner.sh", "--cwd", "sub", "-o", "here.log"]);
    let log = wait_text(&home, "sub/here.log", "cwd: ");
    assert!(log.ends_with("/sub\n"), "{log}");
}

#[test]
fn an_interpreter_and_its_arguments_come_before_the_script() {
    let home = home();
    let node = ["--node-args", "--max-old-space-size=77 --no-deprecation"];
    start(&home, &["app.js", node[0], node[1]]);
    let words = command_line(home.pid("app"));
    assert_eq!(words[1..3], ["--max-old-space-size=77", "--no-deprecation"]);
    home.write("script.txt", SHELL);
    start(
        &home,
        &[
            "script.txt",
            "--interpreter",
            "/bin/sh",
            "--interpreter-args",
            "-e",
        ],
    );
    wait_text(&home, ".tine/logs/script-out.log", "cwd: ");
}

#[test]
fn log_files_are_where_they_are_wanted() {
    let home = home();
    start(
        &home,
        &["app.sh", "-o", "o.log", "-e", "e.log", "-l", "both.log"],
    );
    wait_text(&home, "o.log", "cwd: ");
    wait_text(&home, "e.log", "complaint\n");
    let both = wait_text(&home, "both.log", "complaint\n");
    assert!(both.contains("args: \n"), "{both}");
    start(&home, &["app.sh", "--name", "bare", "--log"]);
    wait_text(&home, ".tine/logs/bare.log", "complaint\n");
}

#[test]
fn a_date_stands_before_each_line_when_asked_for() {
    let home = home();
    start(&home, &["app.sh", "--name", "timed", "--time"]);
    let log = wait_text(&home, ".tine/logs/timed-out.log", "cwd: ");
    for line in log.lines() {
        let (date, text) = line.split_once(": ").unwrap();
        assert_eq!(date.len(), "2024-01-01T00:00:00".len(), "{line}");
        assert!(
            text.starts_with("args:") || text.starts_with("cwd:"),
            "{line}"
        );
    }
    start(
        &home,
        &["app.sh", "--name", "own", "--log-date-format", "[at] YYYY"],
    );
    let log = wait_text(&home, ".tine/logs/own-out.log", "cwd: ");
    assert!(log.starts_with("at 2"), "{log}");
}

#[test]
fn log_lines_are_json_when_asked_for() {
    let home = home();
    start(&home, &["app.sh", "--log-type", "json"]);
    let log = wait_text(&home, ".tine/logs/app-out.log", "cwd: ");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&line["type"], &line["app_name"]),
            (&json!("out"), &json!("app"))
        );
        assert_eq!(line["process_id"], 0);
    }
}

#[test]
fn logs_of_several_processes_are_apart_unless_merged() {
    let home = home();
    start(&home, &["app.sh", "-i", "2", "--name", "apart"]);
    wait_text(&home, ".tine/logs/apart-out-0.log", "cwd: ");
    wait_text(&home, ".tine/logs/apart-out-1.log", "cwd: ");
    start(
        &home,
        &["app.sh", "-i", "2", "--name", "merged", "--merge-logs"],
    );
    until("both in one file", SECONDS, || {
        home.read(".tine/logs/merged-out.log")
            .matches("cwd: ")
            .count()
            == 2
    });
}

#[test]
fn output_is_thrown_away_when_asked_for() {
    let home = home();
    home.write(
        "writes.sh",
        "i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done; touch done; sleep 1000",
    );
    start(&home, &["writes.sh", "--disable-logs"]);
    until("the end of the writing", SECONDS, || {
        home.folder().join("done").exists()
    });
    let logs: Vec<_> = std::fs::read_dir(home.tine().join("logs"))
        .unwrap()
        .collect();
    assert!(logs.is_empty(), "{logs:?}");
}

#[test]
fn a_pid_file_has_the_number_while_the_process_lives() {
    let home = home();
    start(&home, &["app.sh", "--pid", "run/here.pid"]);
    start(&home, &["app.sh", "--name", "usual"]);
    let wanted = home.process("app")["files"]["pid"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        wanted.starts_with(&home.folder().join("run").display().to_string()),
        "{wanted}"
    );
    assert_eq!(home.read(&wanted).trim(), home.pid("app").to_string());
    assert_eq!(
        home.read(".tine/pids/usual-1.pid").trim(),
        home.pid("usual").to_string()
    );
    home.ok(["stop", "all"]);
    assert!(!home.folder().join(&wanted).exists());
    assert!(!home.tine().join("pids/usual-1.pid").exists());
}

#[test]
fn the_environment_is_that_of_the_shell_less_what_is_kept_from_it() {
    let home = home();
    let shell = |words: &[&str]| {
        let words = [&["start", "app.sh"], words, &QUICK].concat();
        home.call(words)
            .env("SECRET_KEY", "s3")
            .env("PLAIN", "p")
            .run()
            .is(0);
    };
    shell(&["--name", "whole"]);
    shell(&[
        "--name",
        "less",
        "--filter-env",
        "SECRET",
        "--filter-env",
        "NOTHING",
    ]);
    assert_eq!(
        variable(home.pid("whole"), "SECRET_KEY").as_deref(),
        Some("s3")
    );
    assert_eq!(variable(home.pid("less"), "SECRET_KEY"), None);
    assert_eq!(variable(home.pid("less"), "PLAIN").as_deref(), Some("p"));
    // What is said to the daemon alone reaches nobody.
    for name in [
        "TINE_KEEPER_FD",
        "TINE_LISTENER_FD",
        "TINE_LOCK_FD",
        "NODE_CHANNEL_FD",
    ] {
        assert_eq!(variable(home.pid("whole"), name), None, "{name}");
    }
}

#[test]
fn an_app_runs_as_another_user_for_root() {
    let home = home();
    if !is_root() {
        home.refused(3, ["start", "app.sh", "--uid", "nobody"])
            .says("root");
        return;
    }
    // Its own folder is nobody else's.
    let words = ["start", "sleep", "--cwd", "/", "--min-uptime", "100"];
    let started = |name: &str, more: &[&str]| {
        home.ok([&words[..], &["--name", name], more, &["--", "1000"]].concat());
        user(home.pid(name)).unwrap()
    };
    let nobody = user_number("nobody");
    assert_eq!(started("long", &["--uid", "nobody"]), nobody);
    assert_eq!(started("short", &["-u", &nobody.to_string()]), nobody);
    assert_eq!(
        started("group", &["--user", "nobody", "--gid", "nogroup"]),
        nobody
    );
    assert_eq!(home.process("long")["user"], "nobody");
    for (option, wrong) in [("--uid", "no-such-user"), ("--gid", "no-such-group")] {
        let said = home.run([&words[..], &["--name", "x", option, wrong]].concat());
        assert!([1, 3].contains(&said.code), "{said:?}");
        assert!(said.says(wrong).err.starts_with("error: "));
    }
}

fn user_number(name: &str) -> u32 {
    let all = std::fs::read_to_string("/etc/passwd").unwrap();
    let mut fields = all.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = fields.find(|fields| fields[0] == name).unwrap();
    found[2].parse().unwrap()
}

#[test]
fn source_maps_are_switched_by_name() {
    let home = home();
    start(&home, &["app.js", "--name", "on", "--source-map-support"]);
    start(
        &home,
        &["app.js", "--name", "off", "--disable-source-map-support"],
    );
    let has = |name: &str| {
        let pid = home.pid(name);
        let options = variable(pid, "NODE_OPTIONS").unwrap_or_default();
        let words = command_line(pid);
        options.contains("source-maps") || words.iter().any(|word| word == "--enable-source-maps")
    };
    assert!(has("on"));
    assert!(!has("off"));
}

#[test]
fn no_autostart_lists_the_app_and_starts_nothing() {
    let home = home();
    home.ok(["start", "app.sh", "--no-autostart"]);
    assert_eq!(statuses(&home), "app stopped");
    assert!(home.workers().is_empty());
    home.ok(["start", "app"]);
    assert_eq!(statuses(&home), "app online");
}

#[test]
fn wait_ready_waits_for_the_word() {
    let home = home();
    home.write(
        "word.js",
        "const fs = require('fs');
         fs.watch('.', () => fs.existsSync('go') && process.send('ready'));
         console.log('watching'); setInterval(() => {}, 1000);",
    );
    let words = [
        "start",
        "word.js",
        "--wait-ready",
        "--listen-timeout",
        "30000",
    ];
    let started = home.call(words);
    // The daemon first: the command that starts it must not take it along.
    start(&home, &["app.sh"]);
    let running = started.start();
    wait_text(&home, ".tine/logs/word-out.log", "watching");
    assert_eq!(home.process("word")["status"], "launching");
    assert!(running.try_exit().is_none());
    home.write("go", "");
    assert_eq!(running.wait_exit(SECONDS).code(), Some(0));
    assert_eq!(home.process("word")["status"], "online");
}

#[test]
fn what_pm2_has_and_nothing_is_lost_without_gets_a_warning() {
    let home = home();
    let said = start(&home, &["app.sh", "--no-vizion", "--no-pmx"]);
    assert!(said.err.contains("--no-vizion changes nothing"), "{said:?}");
    assert!(said.err.contains("--no-pmx changes nothing"), "{said:?}");
}
