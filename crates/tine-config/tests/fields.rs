//! Every field of a process file, under each of its names, and each wrong way to write it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod world;

use proptest::prelude::*;
use serde_json::{Value, json};
use tine_config::{LoadOptions, Source, load};
use tine_control::AppSpec;
use world::World;

/// Each name, a value, and the field of the app with what it becomes.
fn cases(world: &World) -> Vec<(&'static str, Value, &'static str, Value)> {
    let cwd = world.cwd().display().to_string();
    let inside = |name: &str| json!(format!("{cwd}/{name}"));
    let mut cases = vec![
        ("script", json!("app.py"), "script", inside("app.py")),
        ("exec", json!("app.py"), "script", inside("app.py")),
        ("cmd", json!("app.py"), "script", inside("app.py")),
        ("command", json!("app.py"), "script", inside("app.py")),
        ("name", json!("web"), "name", json!("web")),
        ("namespace", json!("shop"), "namespace", json!("shop")),
        ("cwd", json!("sub"), "cwd", inside("sub")),
        ("args", json!("-a 'b c'"), "args", json!(["-a", "b c"])),
        (
            "args",
            json!(["-a", 3, true]),
            "args",
            json!(["-a", "3", "true"]),
        ),
        ("interpreter", json!("bun"), "interpreter", json!("bun")),
        ("filter_env", json!(true), "filter_env", json!(true)),
        ("filter_env", json!("A"), "filter_env", json!("A")),
        ("filterEnv", json!(["A"]), "filter_env", json!(["A"])),
        ("port", json!(0), "port", json!(0)),
        ("port", json!("3000"), "port", json!(3000)),
        ("instances", json!(0), "instances", json!("max")),
        ("instances", json!("max"), "instances", json!("max")),
        ("instances", json!("3"), "instances", json!(3)),
        ("instances", json!(-1), "instances", json!(-1)),
        ("instances", json!(2.0), "instances", json!(2)),
        ("autostart", json!(false), "autostart", json!(false)),
        ("autorestart", json!(false), "autorestart", json!(false)),
        ("treekill", json!(false), "treekill", json!(false)),
        (
            "time",
            json!(true),
            "log_date_format",
            json!("YYYY-MM-DDTHH:mm:ss"),
        ),
        (
            "log_date_format",
            json!("HH:mm"),
            "log_date_format",
            json!("HH:mm"),
        ),
        (
            "log_file",
            json!(true),
            "log_file",
            json!("/home/me/.tine/logs/app.log"),
        ),
        ("log_file", json!(false), "log_file", json!(null)),
        ("log_file", json!("all.log"), "log_file", inside("all.log")),
        ("log", json!("all.log"), "log_file", inside("all.log")),
        ("log_type", json!("json"), "log_type", json!("json")),
        ("uid", json!(1000), "uid", json!("1000")),
        ("user", json!("www"), "uid", json!("www")),
        ("gid", json!("www"), "gid", json!("www")),
        (
            "stop_signal",
            json!("SIGTERM"),
            "stop_signal",
            json!("SIGTERM"),
        ),
        ("stop_exit_codes", json!(0), "stop_exit_codes", json!([0])),
        ("stop_exit_codes", json!([0]), "stop_exit_codes", json!([0])),
        (
            "stop_exit_codes",
            json!(["1", 2]),
            "stop_exit_codes",
            json!([1, 2]),
        ),
        (
            "stopExitCodes",
            json!("1 2"),
            "stop_exit_codes",
            json!([1, 2]),
        ),
        ("instance_var", json!("ID"), "instance_var", json!("ID")),
        ("balance", json!("least"), "balance", json!("least")),
        (
            "disable_source_map_support",
            json!(true),
            "source_map_support",
            json!(false),
        ),
        (
            "source_map_support",
            json!(false),
            "source_map_support",
            json!(false),
        ),
        (
            "exp_backoff_restart_delay",
            json!(100),
            "exp_backoff_restart_delay",
            json!(100),
        ),
        (
            "exp_backoff_restart_delay",
            json!(0),
            "exp_backoff_restart_delay",
            json!(null),
        ),
        ("max_restarts", json!(0), "max_restarts", json!(0)),
        ("maxRestarts", json!("7"), "max_restarts", json!(7)),
        ("execute_command", json!(true), "exec_mode", json!("fork")),
        ("append_env_to_name", json!(true), "name", json!("app")),
        ("force", json!(true), "name", json!("app")),
        (
            "increment_var",
            json!("PORT"),
            "increment_var",
            json!("PORT"),
        ),
    ];
    for name in ["exec_interpreter", "execInterpreter"] {
        cases.push((name, json!("bun"), "interpreter", json!("bun")));
    }
    for name in [
        "node_args",
        "nodeArgs",
        "interpreter_args",
        "interpreterArgs",
    ] {
        cases.push((
            name,
            json!("-a -b"),
            "interpreter_args",
            json!(["-a", "-b"]),
        ));
    }
    for (field, names) in [
        (
            "out_file",
            &["out_file", "outFile", "out", "output", "out_log", "outLog"][..],
        ),
        (
            "error_file",
            &[
                "error_file",
                "errorFile",
                "error",
                "err",
                "err_file",
                "err_log",
                "errLog",
            ],
        ),
        ("pid_file", &["pid_file", "pidFile", "pid"]),
    ] {
        for name in names {
            cases.push((name, json!("x"), field, inside("x")));
        }
        cases.push((names[0], json!("/dev/null"), field, json!("/dev/null")));
        cases.push((names[0], json!("NULL"), field, json!("/dev/null")));
        cases.push((names[0], json!("~/x"), field, json!("/home/me/x")));
    }
    for (value, mode) in [
        ("fork", "fork"),
        ("cluster", "cluster"),
        ("fork_mode", "fork"),
        ("cluster_mode", "cluster"),
    ] {
        cases.push(("exec_mode", json!(value), "exec_mode", json!(mode)));
    }
    for name in [
        "min_uptime",
        "restart_delay",
        "kill_timeout",
        "listen_timeout",
    ] {
        cases.push((name, json!(1500), name, json!(1500)));
        cases.push((name, json!("1500"), name, json!(1500)));
        cases.push((name, json!("2m"), name, json!(120_000)));
    }
    for name in ["restart_delay", "kill_timeout", "listen_timeout"] {
        cases.push((name, json!(0), name, json!(0)));
    }
    for (name, field) in [
        ("merge_logs", "merge_logs"),
        ("mergeLogs", "merge_logs"),
        ("combine_logs", "merge_logs"),
        ("disable_logs", "disable_logs"),
        ("shutdown_with_message", "shutdown_with_message"),
        ("wait_ready", "wait_ready"),
    ] {
        cases.push((name, json!(true), field, json!(true)));
        cases.push((name, json!(false), field, json!(false)));
    }
    cases
}

#[test]
fn every_field_is_read_under_each_of_its_names() {
    let world = World::new();
    world.put("sub/x", "");
    for (name, value, field, expected) in cases(&world) {
        let mut app = serde_json::Map::new();
        if !["script", "exec", "cmd", "command"].contains(&name) {
            let script = world.cwd().join("app.js").display().to_string();
            app.insert("script".to_owned(), script.into());
        }
        if name == "balance" {
            app.insert("instances".to_owned(), 2.into());
        }
        if name == "increment_var" {
            app.insert("env".to_owned(), json!({"PORT": 3000}));
        }
        app.insert(name.to_owned(), value.clone());
        let app = world.app(&Value::Object(app).to_string());
        let app = serde_json::to_value(app).unwrap();
        assert_eq!(app[field], expected, "{name}: {value}");
        // Null is not given.
        if !["script", "exec", "cmd", "command"].contains(&name) {
            let default = world.app("{script: 'app.js'}");
            let null = world.app(&json!({"script": "app.js", name: null}).to_string());
            assert_eq!(null, default, "{name}");
        }
    }
}

#[test]
fn every_field_refuses_what_it_cannot_be() {
    let world = World::new();
    let texts = "name namespace cwd interpreter instance_var increment_var out_file error_file \
                 pid_file log_date_format stop_signal";
    let flags = "append_env_to_name execute_command force autostart autorestart merge_logs time \
                 shutdown_with_message treekill wait_ready disable_logs source_map_support \
                 disable_source_map_support";
    let times = "min_uptime restart_delay exp_backoff_restart_delay kill_timeout listen_timeout";
    let mut wrong: Vec<(&str, Value)> = Vec::new();
    for name in texts.split_whitespace() {
        wrong.extend([
            (name, json!(1)),
            (name, json!(true)),
            (name, json!(["a"])),
            (name, json!({})),
        ]);
    }
    for name in flags.split_whitespace() {
        wrong.extend([(name, json!(1)), (name, json!("true")), (name, json!([]))]);
    }
    for name in times.split_whitespace() {
        wrong.extend([
            (name, json!("soon")),
            (name, json!(-1)),
            (name, json!(1.5)),
            (name, json!(true)),
            (name, json!("1d")),
        ]);
    }
    for (name, values) in [
        (
            "max_restarts",
            json!(["x", -1, 1.5, true, [], "", 5_000_000_000_i64]),
        ),
        ("port", json!([65536, -1, "http", true, []])),
        ("instances", json!(["many", 1.5, true, [], {}, ""])),
        ("exec_mode", json!(["forked", 1, "cluster_mod"])),
        ("balance", json!(["random", 1])),
        ("log_type", json!(["xml", true])),
        ("log_file", json!([1, []])),
        ("filter_env", json!([1, [1], {}])),
        ("stop_exit_codes", json!(["x", true, ["x"], {}, [1.5]])),
        ("args", json!([true, {}, [{}], [null]])),
        ("node_args", json!([true, {}, [[]]])),
        ("uid", json!([true, -1, 1.5, []])),
        ("gid", json!([true, {}])),
        ("io", json!(["text", 1])),
        ("env", json!(["text", 1, true, []])),
        ("env_production", json!(["text", []])),
    ] {
        wrong.extend(
            values
                .as_array()
                .unwrap()
                .iter()
                .map(|value| (name, value.clone())),
        );
    }
    for (name, value) in wrong {
        let text = format!("{{\"script\": \"app.js\",\n  \"{name}\": {value}}}");
        let said = world.refusal(&text);
        let column = 6 + name.len() + 1;
        let place = format!("-:2:{column}: app apps[0]: {name}: expected ");
        assert!(
            said.starts_with(&place) && said.contains(", found "),
            "{text}: {said}"
        );
    }
    // The name is used for what is said of the other fields.
    let said = world.refusal("{name: 'web', script: 'app.js', treekill: 'false'}");
    assert_eq!(
        said,
        "-:1:43: app web: treekill: expected true or false, found the text \"false\"\n\
         hint: write it without quotes"
    );
}

#[test]
fn what_nobody_knows_is_warned_of_with_what_may_have_been_meant() {
    let world = World::new();
    for (key, near) in [
        ("max_restart", "there is `max_restarts`"),
        ("maxRestart", "there is `maxRestarts`"),
        ("scrpt", "there is `script`"),
        ("enviroment", "remove it"),
        ("Autorestart", "there is `autorestart`"),
        ("ENV", "there is `env`"),
        ("env_", "there is `env`"),
        ("inherited_env", "remove it"),
        ("constructor", "remove it"),
    ] {
        let text = format!("{{apps: [{{script: 'app.js',\n  {key}: 1}}]}}");
        let expected = format!(
            "-:2:3: app apps[0]: {key}: is not known, and nothing is done about it ({near})"
        );
        assert_eq!(world.warnings(&text), [expected], "{key}");
    }
    let said = world.warnings("{apps: [{script: 'app.js'}],\n aps: 1, other: 2}");
    assert!(said[0].starts_with("-:2:2: aps: ") && said[0].contains("there is `apps`"));
    assert!(said[1].contains("-:2:10: other: "));
}

#[test]
fn what_is_not_there_is_refused_by_name_unless_nothing_is_asked() {
    let world = World::new();
    for refused in tine_control::refused::FIELDS {
        for name in [refused.field].iter().chain(refused.aliases) {
            let text = |value: &str| format!("{{script: 'app.js', {name}: {value}}}");
            for nothing in ["null", "false", "0", "'0'", "''", "[]", "{}"] {
                assert_eq!(
                    world.warnings(&text(nothing)),
                    [] as [String; 0],
                    "{name}: {nothing}"
                );
            }
            let of_watch = ["ignore_watch", "watch_delay", "watch_options"].contains(name);
            let asked = world.text(&text("'x'"));
            match refused.fate {
                _ if of_watch => assert_eq!(asked.unwrap().warnings, []),
                tine_control::refused::Fate::Needless => {
                    assert_eq!(asked.unwrap().warnings[0].text, refused.reason);
                }
                _ => assert!(
                    asked.unwrap_err().to_string().contains(refused.reason),
                    "{name}"
                ),
            }
        }
    }
    for default in [
        "pmx: true",
        "vizion: true",
        "windowsHide: true",
        "kill_retry_time: 100",
    ] {
        world.app(&format!("{{script: 'app.js', {default}}}"));
    }
    let watch = world
        .refusal("{script: 'app.js', watch: true, ignore_watch: ['x'], maxMemoryRestart: '1G'}");
    assert_eq!(watch.matches("hint: remove").count(), 2, "{watch}");
}

#[test]
fn one_field_under_two_names_must_say_one_thing() {
    let world = World::new();
    world.app("{script: 'app.js', exec: 'app.js', out: 'x', output: 'x'}");
    let said = world.refusal("{script: 'app.js', out: 'x',\n output: 'y', name: 'a', name: 'b'}");
    assert!(
        said.contains("-:2:2: app a: output: is given as `out` too, with another value"),
        "{said}"
    );
    assert!(
        said.contains("name: is given twice, with different values"),
        "{said}"
    );
}

#[test]
fn what_is_wrong_with_the_whole_app_is_said_in_the_words_of_the_file() {
    let world = World::new();
    for (text, said) in [
        ("{name: 'x', args: 'y'}", "it has no `apps`"),
        ("{apps: [{name: 'x'}]}", "-:1:9: app x: it has no `script`"),
        (
            "{apps: [{exec: 'gone.js'}]}",
            "-:1:16: app apps[0]: exec: there is no file",
        ),
        ("{apps: [{script: ''}]}", "script: the script is empty"),
        (
            "{apps: [{script: 'app.js', stopExitCodes: [1, 256]}]}",
            "stopExitCodes[1]: 256 is not an exit code",
        ),
        ("{apps: [{script: 'app.js', env: {'A=B': 1}}]}", "env.A=B: "),
        (
            "{apps: [{script: 'app.js', minUptime: 50}]}",
            "minUptime: 50 ms is less than",
        ),
        (
            "{apps: [{script: 'app.js', interpreter: 'nope'}]}",
            "interpreter: it needs `nope`",
        ),
        (
            "{apps: [{script: 'app.js', cwd: '/nowhere'}]}",
            "cwd: entering /nowhere",
        ),
        (
            "{apps: [{script: 'app.js', args: \"'open\"}]}",
            "args: it cannot be split",
        ),
        (
            "{apps: 3}",
            "apps: expected a list of apps, found the number 3",
        ),
        (
            "{apps: ['app.js']}",
            "apps[0]: expected an object, found the text \"app.js\"",
        ),
        ("{apps: {web: 'app.js'}}", "apps.web: expected an object"),
        ("{app: []}", "`app` may have been meant as `apps`"),
        ("{}", "it has no `apps`"),
        ("3", "expected an object with `apps`, found the number 3"),
        (
            "{apps: [{script: 'app.js'}",
            "expected `,` or `]`, and here the text ends",
        ),
        ("module.exports = {}", "call the file `*.config.js`"),
    ] {
        let refusal = world.refusal(text);
        assert!(refusal.contains(said), "{text}: {refusal}");
        assert!(refusal.contains("\nhint: "), "{text}: {refusal}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let world = World::new();
    let said = world.refusal(
        "{apps: [{script: 'gone.js', treekill: 1, watch: true},\n {script: 'app.js', port: 'x', name: 'all'}]}",
    );
    assert_eq!(said.matches("\n-:").count() + 1, 5, "{said}");
}

/// Anything that might be in a field.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::collection::vec(any::<String>(), 0..3).prop_map(Value::from),
        Just(json!({"a": {"b": [1, null]}})),
    ]
}

proptest! {
    #[test]
    fn no_app_brings_the_reader_down(
        keys in prop::collection::vec((any::<prop::sample::Index>(), any_value()), 0..6)
    ) {
        let world = World::new();
        let fields = serde_json::to_value(AppSpec::default()).unwrap();
        let mut names: Vec<&str> = fields.as_object().unwrap().keys().map(String::as_str).collect();
        names.extend(["watch", "env_x", "time", "io", "force", "exec", "nonsense"]);
        let app: serde_json::Map<String, Value> = keys
            .into_iter()
            .map(|(index, value)| ((*index.get(&names)).to_owned(), value))
            .collect();
        let text = json!({ "apps": [app] }).to_string();
        if let Err(problems) = world.text(&text) {
            prop_assert!(problems.errors().count() > 0);
        }
    }

    #[test]
    fn no_bytes_bring_the_loaders_down(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let world = World::new();
        for name in ["x.json", "x.yaml", "tine.toml"] {
            std::fs::write(world.cwd().join(name), &bytes).unwrap();
            let source = Source::File(name.into());
            let _ = load(&source, &LoadOptions::default(), &world.around);
        }
    }
}
