//! What `tine start WORD [options]` makes of its words.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod world;

use std::path::{Path, PathBuf};
use std::time::Duration;
use tine_config::{LogFile, Options, Words, start};
use tine_control::{AppSpec, Balance, ExecMode};
use world::World;

fn options() -> Options {
    Options::default()
}

fn line(text: &str) -> Option<Words> {
    Some(Words::Line(text.to_owned()))
}

#[test]
fn a_script_becomes_an_app_with_the_figures_of_pm2() {
    let world = World::new();
    let app = world.start("app.js", &options()).unwrap();
    let expected = AppSpec {
        interpreter: Some("node".to_owned()),
        ..AppSpec::new("app", world.cwd().join("app.js"), world.cwd())
    };
    assert_eq!(app, expected);
}

#[test]
fn instances_make_a_cluster_of_what_can_be_one() {
    let world = World::new();
    world.put("tool", "#!/usr/bin/env node\n");
    world.put("plain", "hello");
    for (script, instances, interpreter, mode) in [
        ("app.js", None, None, ExecMode::Fork),
        ("app.js", Some("1"), None, ExecMode::Cluster),
        ("app.js", Some("max"), None, ExecMode::Cluster),
        ("app.js", Some("-2"), None, ExecMode::Cluster),
        ("app.js", Some("4"), Some("bun"), ExecMode::Cluster),
        ("app.js", Some("4"), Some("deno"), ExecMode::Cluster),
        ("app.js", Some("4"), Some("python3"), ExecMode::Fork),
        ("app.py", Some("4"), None, ExecMode::Fork),
        ("tool", Some("4"), None, ExecMode::Cluster),
        ("plain", Some("4"), None, ExecMode::Cluster),
        ("bash", Some("4"), None, ExecMode::Fork),
        ("app.js --port 3", Some("4"), None, ExecMode::Fork),
    ] {
        let asked = Options {
            instances: instances.map(|word: &str| word.parse().unwrap()),
            interpreter: interpreter.map(str::to_owned),
            ..options()
        };
        let app = world.start(script, &asked).unwrap();
        assert_eq!(
            app.exec_mode, mode,
            "{script} {instances:?} {interpreter:?}"
        );
    }
}

#[test]
fn a_mode_that_is_asked_for_wins() {
    let world = World::new();
    let many = |options: Options| Options {
        instances: "2".parse().ok(),
        ..options
    };
    let forced = many(Options {
        execute_command: Some(true),
        ..options()
    });
    assert_eq!(
        world.start("app.js", &forced).unwrap().exec_mode,
        ExecMode::Fork
    );
    let asked = Options {
        exec_mode: Some(ExecMode::Cluster),
        execute_command: Some(true),
        balance: Some(Balance::Least),
        ..options()
    };
    assert_eq!(
        world.start("app.js", &asked).unwrap().exec_mode,
        ExecMode::Cluster
    );
    // What cannot share ports is started as asked, with a warning.
    let resolved = start("app.py", &[], &many(asked), &world.around).unwrap();
    assert_eq!(resolved.app.exec_mode, ExecMode::Cluster);
    assert!(
        resolved.warnings[0]
            .text
            .contains("`python3` does not know how to share ports")
    );
}

#[test]
fn a_command_goes_to_a_shell_with_what_follows_it() {
    let world = World::new();
    let bash = ["/bin/bash", "/bin/sh"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let args = ["a b".to_owned(), "c".to_owned()];
    let app = start("npm run start", &args, &options(), &world.around)
        .unwrap()
        .app;
    assert_eq!(app.script, Path::new(bash.unwrap()));
    assert_eq!(app.args, ["-c", "npm run start 'a b' c"]);
    assert_eq!(
        (app.interpreter, app.name.as_str()),
        (None, "npm run start")
    );
    // With an interpreter named it is a script with arguments.
    let python = Options {
        interpreter: Some("python3".to_owned()),
        ..options()
    };
    let app = start("app.py --port '1 2'", &args, &python, &world.around)
        .unwrap()
        .app;
    assert_eq!(app.script, world.cwd().join("app.py"));
    assert_eq!(app.args, ["--port", "1 2", "a b", "c"]);
}

#[test]
fn python_is_told_not_to_hold_its_output_back() {
    let mut world = World::new();
    let unbuffered = |app: &AppSpec| app.env.get("PYTHONUNBUFFERED").cloned();
    let app = world.start("app.py", &options()).unwrap();
    assert_eq!(unbuffered(&app).as_deref(), Some("1"));
    let own = Options {
        env: Some([("PYTHONUNBUFFERED", "")].into_iter().collect()),
        ..options()
    };
    let app = world.start("app.py", &own).unwrap();
    assert_eq!(unbuffered(&app).as_deref(), Some(""));
    assert_eq!(
        unbuffered(&world.start("app.js", &options()).unwrap()),
        None
    );
    world
        .around
        .env
        .insert("PYTHONUNBUFFERED".to_owned(), "x".to_owned());
    assert_eq!(
        unbuffered(&world.start("app.py", &options()).unwrap()),
        None
    );
}

#[test]
fn deno_is_permitted_what_the_others_may() {
    let world = World::new();
    let args = |words: Option<&str>| {
        let deno = Options {
            interpreter: Some("deno".to_owned()),
            interpreter_args: words.and_then(line),
            ..options()
        };
        world.start("app.js", &deno).unwrap().interpreter_args
    };
    assert_eq!(args(None), ["run", "--allow-all"]);
    assert_eq!(args(Some("--allow-net")), ["run", "--allow-net"]);
    assert_eq!(
        args(Some("run -A --cached-only")),
        ["run", "-A", "--cached-only"]
    );
}

#[test]
fn paths_are_taken_from_the_folder_of_the_app() {
    let world = World::new();
    world.put("api/main.js", "");
    let asked = Options {
        cwd: Some("api".to_owned()),
        out_file: Some("out.log".to_owned()),
        error_file: Some("NULL".to_owned()),
        pid_file: Some("~/x.pid".to_owned()),
        log_file: Some(LogFile::Default),
        ..options()
    };
    let app = world.start("main.js", &asked).unwrap();
    let api = world.cwd().join("api");
    assert_eq!(app.script, api.join("main.js"));
    assert_eq!(app.out_file, Some(api.join("out.log")));
    assert_eq!(app.error_file, Some(PathBuf::from("/dev/null")));
    assert_eq!(app.pid_file, Some(PathBuf::from("/home/me/x.pid")));
    assert_eq!(
        app.log_file,
        Some(PathBuf::from("/home/me/.tine/logs/main.log"))
    );
    assert_eq!(app.env.get("PWD").map(String::as_str), api.to_str());
    assert_eq!(app.cwd, api);
}

#[test]
fn every_option_reaches_the_app_and_nothing_is_nothing_only_if_it_is_not_given() {
    let world = World::new();
    let asked = Options {
        name: Some("web".to_owned()),
        namespace: Some("shop".to_owned()),
        args: line("--port 3000 'a b'"),
        interpreter_args: line("--max-old-space-size=64"),
        instances: "3".parse().ok(),
        balance: Some(Balance::Rr),
        merge_logs: Some(false),
        time: Some(true),
        disable_logs: Some(true),
        port: Some(0),
        instance_var: Some("ID".to_owned()),
        autostart: Some(false),
        autorestart: Some(false),
        max_restarts: Some(0),
        min_uptime: Some(Duration::from_secs(2)),
        restart_delay: Some(Duration::from_millis(7)),
        exp_backoff_restart_delay: Some(Duration::from_millis(9)),
        stop_exit_codes: Some(vec![0, 3]),
        stop_signal: Some("SIGTERM".to_owned()),
        kill_timeout: Some(Duration::ZERO),
        shutdown_with_message: Some(true),
        treekill: Some(false),
        wait_ready: Some(true),
        listen_timeout: Some(Duration::ZERO),
        uid: Some("www".to_owned()),
        gid: Some("33".to_owned()),
        source_map_support: Some(false),
        ..options()
    };
    let app = world.start("app.js", &asked).unwrap();
    let expected = AppSpec {
        namespace: "shop".to_owned(),
        args: ["--port", "3000", "a b"].map(str::to_owned).to_vec(),
        interpreter: Some("node".to_owned()),
        interpreter_args: vec!["--max-old-space-size=64".to_owned()],
        port: Some(0),
        instance_var: "ID".to_owned(),
        instances: "3".parse().unwrap(),
        exec_mode: ExecMode::Cluster,
        balance: Balance::Rr,
        autostart: false,
        autorestart: false,
        max_restarts: 0,
        min_uptime: Duration::from_secs(2),
        restart_delay: Duration::from_millis(7),
        exp_backoff_restart_delay: Some(Duration::from_millis(9)),
        stop_exit_codes: vec![0, 3],
        stop_signal: "SIGTERM".to_owned(),
        kill_timeout: Duration::ZERO,
        shutdown_with_message: true,
        treekill: false,
        wait_ready: true,
        listen_timeout: Duration::ZERO,
        merge_logs: Some(false),
        log_date_format: Some("YYYY-MM-DDTHH:mm:ss".to_owned()),
        disable_logs: true,
        uid: Some("www".to_owned()),
        gid: Some("33".to_owned()),
        source_map_support: Some(false),
        ..AppSpec::new("web", world.cwd().join("app.js"), world.cwd())
    };
    assert_eq!(app, expected);
}

#[test]
fn every_refusal_says_what_to_do() {
    let world = World::new();
    world.put("data", "\0");
    world.put("file/x", "");
    let asked = |change: fn(&mut Options)| {
        let mut asked = options();
        change(&mut asked);
        asked
    };
    for (script, asked, words) in [
        ("appp.js", options(), "there is a app.js"),
        ("", options(), "the script is empty"),
        ("data", options(), "chmod +x"),
        (".", options(), "is a folder without an index.js"),
        ("app.coffee", options(), "there is no file"),
        (
            "app.js",
            asked(|it| it.interpreter = Some("nope".to_owned())),
            "interpreter: it needs `nope`",
        ),
        (
            "app.js",
            asked(|it| it.interpreter = Some("node@99".to_owned())),
            "nvm install 99",
        ),
        (
            "app.js",
            asked(|it| it.cwd = Some("nowhere".to_owned())),
            "cwd: entering",
        ),
        (
            "x",
            asked(|it| it.cwd = Some("app.js".to_owned())),
            "it is not a folder",
        ),
        (
            "app.js",
            asked(|it| it.args = line("'open")),
            "args: it cannot be split",
        ),
        (
            "app.js",
            asked(|it| it.name = Some("all".to_owned())),
            "name: `all` means every app",
        ),
        (
            "app.js",
            asked(|it| it.min_uptime = Some(Duration::from_millis(50))),
            "least of 100",
        ),
        (
            "app.js",
            asked(|it| it.stop_signal = Some("SIGNOPE".to_owned())),
            "is not a signal",
        ),
        (
            "app.js",
            asked(|it| it.stop_exit_codes = Some(vec![256])),
            "is not an exit code",
        ),
        (
            "app.js",
            asked(|it| it.balance = Some(Balance::Rr)),
            "share no connections",
        ),
        (
            "app.js",
            asked(|it| it.increment_var = Some("N".to_owned())),
            "no variable N",
        ),
        (
            "npm start",
            asked(|it| it.interpreter_args = line("--x")),
            "no interpreter to take them",
        ),
    ] {
        let problems = world.start(script, &asked).expect_err(script);
        let said = problems.to_string();
        assert!(said.contains(words), "{script}: {said}");
        assert!(said.contains("\nhint: "), "{script}: {said}");
    }
    // All of it at once.
    let many = Options {
        args: line("'open"),
        name: Some("all".to_owned()),
        stop_signal: Some("X".to_owned()),
        ..options()
    };
    assert_eq!(
        world.start("app.js", &many).unwrap_err().errors().count(),
        3
    );
}

#[test]
fn a_counted_variable_may_be_the_shells() {
    let mut world = World::new();
    world.around.env.insert("N".to_owned(), "3000".to_owned());
    let asked = Options {
        increment_var: Some("N".to_owned()),
        ..options()
    };
    let app = world.start("app.js", &asked).unwrap();
    assert_eq!(app.increment_var.as_deref(), Some("N"));
    assert!(app.inherited_env.is_empty());
}
