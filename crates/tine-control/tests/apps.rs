//! What an app is, by its words alone.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tine_control::{AppSpec, Balance, Changes, ExecMode, FilterEnv, Limits, LogType, Variables};
use tine_rules::Instances;

fn web() -> AppSpec {
    AppSpec::new("web", "/srv/web/app.js", "/srv/web")
}

fn read(json: Value) -> Result<AppSpec, serde_json::Error> {
    // Through text, as it comes.
    serde_json::from_str(&json.to_string())
}

fn as_changes(json: Value) -> Changes {
    serde_json::from_value(json).unwrap()
}

fn fields_with_problems(app: &AppSpec) -> Vec<String> {
    app.check()
        .into_iter()
        .map(|problem| problem.field)
        .collect()
}

#[test]
fn what_is_not_said_has_the_figures_of_pm2() {
    let app = read(json!({"name": "web", "script": "/srv/web/app.js", "cwd": "/srv/web"})).unwrap();
    assert_eq!(app, web());
    assert_eq!(app.check(), []);
    assert_eq!(app.namespace, "default");
    assert_eq!(app.max_restarts, 16);
    assert_eq!(app.min_uptime, Duration::from_millis(1000));
    assert_eq!(app.kill_timeout, Duration::from_millis(1600));
    assert_eq!(app.listen_timeout, Duration::from_millis(3000));
    assert_eq!(app.stop_signal, "SIGINT");
    assert!(app.autorestart && app.autostart && app.treekill);
    assert_eq!(app.instance_var, "NODE_APP_INSTANCE");
    assert_eq!(app.instances.resolve(64), 1);
}

#[test]
fn the_defaults_of_rules_are_the_same() {
    let app = AppSpec::default();
    let restart = tine_rules::RestartRules::default();
    let stop = tine_rules::StopRules::default();
    assert_eq!(app.max_restarts, restart.max_restarts);
    assert_eq!(app.min_uptime, restart.min_uptime);
    assert_eq!(app.restart_delay, restart.restart_delay);
    assert_eq!(app.autorestart, restart.autorestart);
    assert_eq!(app.stop_exit_codes, restart.stop_exit_codes);
    assert_eq!(app.kill_timeout, stop.kill_timeout);
    assert_eq!(stop.signal, 2, "SIGINT");
}

#[test]
fn zero_and_false_mean_what_they_say() {
    let app = read(json!({
        "name": "web", "script": "/a", "cwd": "/",
        "max_restarts": 0, "kill_timeout": 0, "listen_timeout": 0, "autorestart": false,
        "merge_logs": false, "stop_exit_codes": [0], "exp_backoff_restart_delay": 0,
        "treekill": false, "source_map_support": false, "port": 0,
    }))
    .unwrap();
    assert_eq!(app.max_restarts, 0);
    assert_eq!(app.kill_timeout, Duration::ZERO);
    assert_eq!(app.listen_timeout, Duration::ZERO);
    assert!(!app.autorestart && !app.treekill);
    assert_eq!(app.merge_logs, Some(false));
    assert!(!app.merges_logs());
    assert_eq!(app.stop_exit_codes, [0]);
    assert_eq!(app.exp_backoff_restart_delay, Some(Duration::ZERO));
    assert_eq!(app.source_map_support, Some(false));
    assert_eq!(app.environment()["PORT"], "0");
    assert_eq!(app.check(), []);
}

#[test]
fn fields_of_a_newer_version_are_ignored_and_wrong_ones_are_not() {
    assert_eq!(
        read(json!({"name": "web", "script": "/srv/web/app.js", "cwd": "/srv/web", "later": [1]}))
            .unwrap(),
        web()
    );
    for wrong in [
        json!({"kill_timeout": "1600"}),
        json!({"kill_timeout": -1}),
        json!({"kill_timeout": 1.5}),
        json!({"max_restarts": null}),
        json!({"instances": "many"}),
        json!({"instances": 1.5}),
        json!({"exec_mode": "thread"}),
        json!({"port": 65536}),
        json!({"env": {"A": 1}}),
        json!({"args": "a b"}),
    ] {
        assert!(read(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn instances_are_a_number_or_max() {
    let of = |value: Value| read(json!({"instances": value})).unwrap().instances;
    assert_eq!(of(json!(4)).resolve(2), 4);
    assert_eq!(of(json!(0)), Instances::Cores);
    assert_eq!(of(json!("max")), Instances::Cores);
    assert_eq!(of(json!("4")).resolve(2), 4);
    assert_eq!(of(json!(-1)), Instances::CoresMinus(1));
    let written = |instances| {
        let app = AppSpec { instances, ..web() };
        serde_json::to_value(&app).unwrap()["instances"].clone()
    };
    assert_eq!(written(Instances::Cores), json!("max"));
    assert_eq!(written(Instances::CoresMinus(2)), json!(-2));
    assert_eq!(written(of(json!(7))), json!(7));
}

#[test]
fn what_was_asked_for_wins_over_what_was_inherited() {
    let mut app = web();
    app.filter_env = FilterEnv::Containing(vec!["SECRET".to_owned()]);
    app.inherit(&BTreeMap::from(
        [
            ("A", "shell"),
            ("B", "shell"),
            ("MY_SECRET", "x"),
            ("PORT", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    ));
    app.env.insert("B".to_owned(), "file".to_owned());
    let environment = app.environment();
    assert_eq!(environment["A"], "shell");
    assert_eq!(environment["B"], "file");
    assert_eq!(environment["PORT"], "1");
    assert!(!environment.contains_key("MY_SECRET"));
    app.port = Some(3000);
    assert_eq!(app.environment()["PORT"], "3000");
}

#[test]
fn variables_of_the_shell_are_filtered_as_in_pm2() {
    let drops = |filter: Value, name: &str| {
        read(json!({ "filter_env": filter }))
            .unwrap()
            .filter_env
            .drops(name)
    };
    assert!(!drops(json!(false), "A"));
    assert!(drops(json!(true), "A"));
    assert!(drops(json!("A"), "A"));
    assert!(!drops(json!("A"), "AB"));
    assert!(drops(json!(["A", "X"]), "CAB"));
    assert!(!drops(json!([]), "A"));
}

#[test]
fn logs_are_merged_for_a_single_plain_process() {
    assert!(web().merges_logs());
    let several = AppSpec {
        instances: "2".parse().unwrap(),
        ..web()
    };
    assert!(!several.merges_logs());
    let cores = AppSpec {
        instances: Instances::Cores,
        ..web()
    };
    assert!(!cores.merges_logs(), "not even on a machine with one core");
    let cluster = AppSpec {
        exec_mode: ExecMode::Cluster,
        ..web()
    };
    assert!(!cluster.merges_logs());
    let told = AppSpec {
        merge_logs: Some(true),
        ..cluster
    };
    assert!(told.merges_logs());
}

#[test]
fn every_problem_names_its_field_and_a_good_app_has_none() {
    type Spoil = fn(&mut AppSpec);
    let spoiled: &[(&str, Spoil)] = &[
        ("name", |app| app.name.clear()),
        ("name", |app| app.name = " ".to_owned()),
        ("name", |app| app.name = "all".to_owned()),
        ("name", |app| app.name = "-x".to_owned()),
        ("name", |app| app.name = "/x/".to_owned()),
        ("name", |app| app.name = "a\nb".to_owned()),
        ("name", |app| app.name = "x".repeat(Limits::NAME_BYTES + 1)),
        ("namespace", |app| app.namespace.clear()),
        ("script", |app| app.script = PathBuf::new()),
        ("script", |app| app.script = PathBuf::from("app.js")),
        ("script", |app| app.script = PathBuf::from("/a\0b")),
        ("cwd", |app| app.cwd = PathBuf::from("srv")),
        ("args[1]", |app| {
            app.args = vec!["a".to_owned(), "\0".to_owned()]
        }),
        ("interpreter_args", |app| {
            app.interpreter_args = vec!["-x".to_owned()]
        }),
        ("interpreter", |app| {
            app.interpreter = Some("none".to_owned())
        }),
        ("interpreter", |app| app.interpreter = Some(String::new())),
        ("interpreter", |app| {
            app.interpreter = Some("bin/node".to_owned())
        }),
        ("uid", |app| app.uid = Some(String::new())),
        ("env.A=B", |app| {
            app.env.insert("A=B".to_owned(), String::new());
        }),
        ("inherited_env.A", |app| {
            app.inherited_env.insert("A".to_owned(), "\0".to_owned());
        }),
        ("env.", |app| {
            app.env.insert(String::new(), String::new());
        }),
        ("instance_var", |app| app.instance_var.clear()),
        ("filter_env[0]", |app| {
            app.filter_env = FilterEnv::Containing(vec![String::new()]);
        }),
        ("increment_var", |app| {
            app.increment_var = Some("PORT".to_owned())
        }),
        ("increment_var", |app| {
            app.env.insert("N".to_owned(), "x".to_owned());
            app.increment_var = Some("N".to_owned());
        }),
        ("instances", |app| app.instances = "10001".parse().unwrap()),
        ("balance", |app| app.balance = Balance::Rr),
        ("stop_exit_codes[1]", |app| {
            app.stop_exit_codes = vec![0, 256]
        }),
        ("stop_exit_codes[0]", |app| app.stop_exit_codes = vec![-1]),
        ("stop_signal", |app| app.stop_signal = "SIGNOPE".to_owned()),
        ("min_uptime", |app| {
            app.min_uptime = Duration::from_millis(99)
        }),
        ("kill_timeout", |app| app.kill_timeout = Duration::MAX),
        ("exp_backoff_restart_delay", |app| {
            app.exp_backoff_restart_delay = Some(Limits::LONGEST_TIME + Duration::from_millis(1));
        }),
        ("out_file", |app| {
            app.out_file = Some(PathBuf::from("out.log"))
        }),
        ("pid_file", |app| app.pid_file = Some(PathBuf::from(""))),
        ("log_date_format", |app| {
            app.log_date_format = Some("\0".to_owned())
        }),
    ];
    for (index, (field, spoil)) in spoiled.iter().enumerate() {
        let mut app = web();
        spoil(&mut app);
        assert_eq!(fields_with_problems(&app), [*field], "case {index}");
    }
    assert_eq!(fields_with_problems(&web()), [""; 0]);
    let all = fields_with_problems(&AppSpec::default());
    assert_eq!(all, ["name", "script", "cwd"]);
}

#[test]
fn a_path_that_json_cannot_carry_is_a_problem() {
    use std::os::unix::ffi::OsStrExt;
    let mut app = web();
    app.script = PathBuf::from(std::ffi::OsStr::from_bytes(b"/srv/\xff"));
    assert_eq!(fields_with_problems(&app), ["script"]);
}

#[test]
fn a_counted_variable_may_come_from_the_port() {
    let app = AppSpec {
        port: Some(3000),
        increment_var: Some("PORT".to_owned()),
        ..web()
    };
    assert_eq!(app.check(), []);
}

#[test]
fn changes_are_made_field_by_field() {
    let mut app = web();
    app.env.insert("A".to_owned(), "1".to_owned());
    app.env.insert("B".to_owned(), "1".to_owned());
    app.args = vec!["a".to_owned()];
    app.max_restarts = 3;
    let changes = json!({
        "env": {"B": "2", "C": "3", "A": null},
        "args": ["x", "y"],
        "max_restarts": null,
        "kill_timeout": 0,
    });
    let changed = app.changed(&as_changes(changes)).unwrap();
    assert_eq!(changed.env.get("A"), None);
    assert_eq!(changed.env["B"], "2");
    assert_eq!(changed.env["C"], "3");
    assert_eq!(changed.args, ["x", "y"]);
    assert_eq!(changed.max_restarts, 16);
    assert_eq!(changed.kill_timeout, Duration::ZERO);
    assert_eq!(changed.name, "web");
    assert_eq!(app.changed(&Default::default()).unwrap(), app);
}

#[test]
fn changes_that_are_wrong_are_named_and_change_nothing() {
    let problems = |changes: Value| -> Vec<String> {
        let problems = web().changed(&as_changes(changes)).unwrap_err();
        problems.into_iter().map(|problem| problem.field).collect()
    };
    assert_eq!(
        problems(json!({"kill_timeout": "x", "nonsense": 1})),
        ["kill_timeout", "nonsense"]
    );
    assert_eq!(problems(json!({"script": "app.js"})), ["script"]);
    assert_eq!(problems(json!({"name": null})), ["name"]);
    let refused = web()
        .changed(&as_changes(json!({"watch": true})))
        .unwrap_err();
    assert!(refused[0].hint.contains("not there yet"), "{refused:?}");
}

#[cfg(feature = "schema")]
#[test]
fn the_schema_describes_every_field() {
    let schema = serde_json::to_value(tine_control::app::schema()).unwrap();
    let described = schema["properties"].as_object().unwrap();
    let app = serde_json::to_value(AppSpec::default()).unwrap();
    let fields: Vec<&String> = app.as_object().unwrap().keys().collect();
    assert_eq!(described.keys().collect::<Vec<_>>().len(), fields.len());
    for field in fields {
        let text = described[field]["description"].as_str().unwrap_or_default();
        assert!(text.ends_with('.'), "{field}: {text:?}");
    }
    assert_eq!(schema["required"], json!(["name", "script", "cwd"]));
    assert_eq!(described["kill_timeout"]["default"], json!(1600));
    assert_eq!(described["instances"]["default"], json!(1));
}

fn word() -> impl Strategy<Value = String> {
    "\\PC{0,8}"
}

fn path() -> impl Strategy<Value = PathBuf> {
    word().prop_map(|word| PathBuf::from(format!("/{word}")))
}

fn variables() -> impl Strategy<Value = Variables> {
    prop::collection::btree_map(word(), word(), 0..4).prop_map(Variables)
}

fn time() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_millis)
}

fn apps() -> impl Strategy<Value = AppSpec> {
    let first = (
        (word(), word(), path(), prop::collection::vec(word(), 0..4)),
        (
            prop::option::of(word()),
            prop::collection::vec(word(), 0..3),
            path(),
        ),
        (
            variables(),
            variables(),
            prop::option::of(any::<u16>()),
            prop::option::of(word()),
        ),
        prop_oneof![
            any::<bool>().prop_map(FilterEnv::All),
            word().prop_map(FilterEnv::Named),
            prop::collection::vec(word(), 0..3).prop_map(FilterEnv::Containing),
        ],
        prop_oneof![
            Just(Instances::Cores),
            (1..9_usize).prop_map(Instances::CoresMinus),
            (1..9_usize).prop_map(|n| Instances::Exactly(n.try_into().unwrap())),
        ],
    );
    let second = (
        prop::sample::select(vec![
            Balance::Auto,
            Balance::Rr,
            Balance::Least,
            Balance::Shared,
            Balance::Kernel,
            Balance::Sticky,
        ]),
        prop::collection::vec(any::<bool>(), 10),
        (time(), time(), prop::option::of(time()), time(), time()),
        (
            any::<u32>(),
            prop::collection::vec(any::<i32>(), 0..3),
            word(),
        ),
        prop::collection::vec(prop::option::of(path()), 5),
        prop::collection::vec(prop::option::of(word()), 3),
        (
            prop::option::of(any::<bool>()),
            prop::option::of(any::<bool>()),
        ),
    );
    (first, second).prop_map(|(first, second)| {
        let (
            (name, namespace, script, args),
            (interpreter, interpreter_args, cwd),
            more,
            filter_env,
            instances,
        ) = first;
        let (env, inherited_env, port, increment_var) = more;
        let (
            balance,
            yes,
            times,
            (max_restarts, stop_exit_codes, stop_signal),
            mut files,
            mut words,
            (merge_logs, source_map_support),
        ) = second;
        AppSpec {
            name,
            namespace,
            script,
            args,
            interpreter,
            interpreter_args,
            cwd,
            env,
            inherited_env,
            filter_env,
            port,
            instance_var: stop_signal.clone(),
            increment_var,
            instances,
            exec_mode: if yes[0] {
                ExecMode::Cluster
            } else {
                ExecMode::Fork
            },
            balance,
            autostart: yes[1],
            autorestart: yes[2],
            max_restarts,
            min_uptime: times.0,
            restart_delay: times.1,
            exp_backoff_restart_delay: times.2,
            stop_exit_codes,
            stop_signal,
            kill_timeout: times.3,
            shutdown_with_message: yes[3],
            treekill: yes[4],
            wait_ready: yes[5],
            listen_timeout: times.4,
            out_file: files.pop().unwrap(),
            error_file: files.pop().unwrap(),
            log_file: files.pop().unwrap(),
            pid_file: files.pop().unwrap(),
            defined_in: files.pop().unwrap(),
            merge_logs,
            log_type: if yes[6] { LogType::Json } else { LogType::Raw },
            log_date_format: words.pop().unwrap(),
            disable_logs: yes[7],
            uid: words.pop().unwrap(),
            gid: words.pop().unwrap(),
            source_map_support,
        }
    })
}

proptest! {
    #[test]
    fn every_app_is_read_back_as_it_was_written(app in apps()) {
        let text = serde_json::to_string(&app).unwrap();
        let read: AppSpec = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &app);
        // Looking for problems does not panic, whatever is in it.
        let _ = app.check();
    }

    #[test]
    fn changing_everything_to_another_app_makes_it_that_app(from in apps(), to in apps()) {
        let mut changes = serde_json::to_value(&to).unwrap();
        let changes = changes.as_object_mut().unwrap();
        // These two are merged and not replaced.
        for (field, old) in [("env", &from.env), ("inherited_env", &from.inherited_env)] {
            let now = changes[field].as_object_mut().unwrap();
            for name in old.keys() {
                now.entry(name.clone()).or_insert(Value::Null);
            }
        }
        match from.changed(&changes.clone().into()) {
            Ok(changed) => prop_assert_eq!(changed, to),
            Err(problems) => prop_assert_eq!(problems, to.check()),
        }
    }
}

#[test]
fn values_of_variables_are_not_in_what_is_logged() {
    let mut app = web();
    app.env.insert("TOKEN".to_owned(), "hunter2".to_owned());
    let changes = as_changes(json!({"env": {"TOKEN": "hunter2"}}));
    let start = tine_control::request::Start {
        apps: vec![app.clone()],
        inherited_env: app.env.clone(),
        ..Default::default()
    };
    for text in [
        format!("{app:?}"),
        format!("{changes:?}"),
        format!("{start:#?}"),
    ] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(format!("{app:?}").contains("TOKEN"));
}
