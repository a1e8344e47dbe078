//! What process files ask for: shapes, environments, selections.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod world;

use std::path::PathBuf;
use tine_config::{LoadOptions, Options, Problems, Severity, Source, load_names};
use tine_control::{AppSpec, ExecMode};
use world::World;

fn names(apps: &[AppSpec]) -> Vec<&str> {
    apps.iter().map(|app| app.name.as_str()).collect()
}

#[test]
fn every_shape_of_pm2_is_read() {
    let world = World::new();
    for (text, expected) in [
        (
            "{apps: [{script: 'app.js'}, {name: 'b', script: 'app.py'}]}",
            &["app", "b"][..],
        ),
        ("{pm2: [{script: 'app.js'}]}", &["app"]),
        ("[{script: 'app.js'}]", &["app"]),
        ("{script: 'app.js', name: 'x'}", &["x"]),
        ("{exec: 'app.js'}", &["app"]),
        ("{apps: {script: 'app.js'}}", &["app"]),
        (
            "{apps: {web: {script: 'app.js'}, api: {name: 'own', script: 'app.js'}}}",
            &["web", "own"],
        ),
        ("{$schema: 'x', apps: [{script: 'app.js'}]}", &["app"]),
    ] {
        let loaded = world.text(text).unwrap();
        assert_eq!(names(&loaded.apps), expected, "{text}");
        assert_eq!(loaded.warnings, [], "{text}");
    }
    assert_eq!(
        world.warnings("{apps: []}"),
        ["-: there are no apps in it (add some to `apps`)"]
    );
}

#[test]
fn every_language_says_the_same() {
    let world = World::new();
    let json =
        r#"{"apps": [{"name": "web", "script": "app.js", "instances": 2, "env": {"A": "1"}}]}"#;
    let yaml = "apps:\n  - name: web\n    script: app.js\n    instances: 2\n    env: {A: '1'}\n";
    let toml = "[[apps]]\nname = 'web'\nscript = 'app.js'\ninstances = 2\nenv.A = '1'\n";
    let expected = world.file("a.json", json).unwrap().apps;
    for (name, text) in [
        ("a.json5", json),
        ("my.json.bak", json),
        ("a.yaml", yaml),
        ("a.yml", yaml),
        ("tine.toml", toml),
    ] {
        let loaded = world.file(name, text).unwrap();
        let file = world.cwd().join(name);
        assert_eq!(loaded.file, Some(file.clone()));
        assert_eq!(loaded.apps[0].defined_in, Some(file));
        let undefined = |apps: &[AppSpec]| {
            let mut app = apps[0].clone();
            app.defined_in = None;
            app
        };
        assert_eq!(undefined(&loaded.apps), undefined(&expected), "{name}");
    }
    assert_eq!(expected[0].exec_mode, ExecMode::Cluster);
    // A byte order mark is no part of the text.
    assert!(world.file("bom.json", &format!("\u{feff}{json}")).is_ok());
}

#[test]
fn variables_become_texts_and_the_chosen_ones_win() {
    let world = World::new();
    let text = "{apps: [{script: 'app.js', env: {TEXT: 'a', N: 3, F: 1.5, ON: true, NO: null, \
                GONE: 'x', OBJ: {a: [1]}, LIST: [1, 'b'], SAME: 'base'}, \
                env_production: {SAME: 'prod', GONE: null}, io: {conf: 1}}], \
                deploy: {production: {env: {FROM: 'deploy', SAME: 'deploy'}}}}";
    let env = |name: Option<&str>| {
        let wanted = LoadOptions {
            env: name.map(str::to_owned),
            ..LoadOptions::default()
        };
        let loaded = world.load(&Source::Text(text.to_owned()), &wanted).unwrap();
        assert_eq!(loaded.warnings.len(), 1, "that there is no deploy");
        loaded.apps[0].env.0.clone()
    };
    let plain = env(None);
    let expected = [
        ("F", "1.5"),
        ("GONE", "x"),
        ("LIST", "[1,\"b\"]"),
        ("N", "3"),
        ("OBJ", "{\"a\":[1]}"),
        ("ON", "true"),
        ("SAME", "base"),
        ("TEXT", "a"),
        ("io", "{\"conf\":1}"),
    ];
    let plain: Vec<(&str, &str)> = plain
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(plain, expected);
    let production = env(Some("production"));
    assert_eq!(production["SAME"], "prod");
    assert_eq!(production["FROM"], "deploy");
    assert!(!production.contains_key("GONE"));
}

#[test]
fn an_environment_that_nobody_has_is_said() {
    let world = World::new();
    let text = "{apps: [{script: 'app.js', append_env_to_name: true, env_production: {A: 1}}]}";
    let load = |env: &str| {
        let wanted = LoadOptions {
            env: Some(env.to_owned()),
            ..LoadOptions::default()
        };
        world.load(&Source::Text(text.to_owned()), &wanted).unwrap()
    };
    let wrong = load("prodution");
    assert_eq!(
        wrong.warnings[0].hint.as_deref(),
        Some("there is an `env_production`")
    );
    let right = load("production");
    assert_eq!(right.warnings, []);
    assert_eq!(names(&right.apps), ["app-production"]);
    assert_eq!(names(&world.text(text).unwrap().apps), ["app"]);
}

#[test]
fn only_those_that_are_wanted_are_looked_at() {
    let world = World::new();
    let text =
        "{apps: [{name: 'a', script: 'app.js'}, {name: 'b', script: 'gone.js', watch: true}]}";
    let load = |only: &[&str]| {
        let wanted = LoadOptions {
            only: only.iter().map(|name| (*name).to_owned()).collect(),
            ..LoadOptions::default()
        };
        world.load(&Source::Text(text.to_owned()), &wanted)
    };
    assert_eq!(names(&load(&["a"]).unwrap().apps), ["a"]);
    assert_eq!(load(&["b"]).unwrap_err().errors().count(), 2);
    let nobody = load(&["a", "c"]).unwrap_err().to_string();
    assert!(
        nobody.contains("there is no app \"c\" in it\nhint: its apps are: a, b"),
        "{nobody}"
    );
    // Commands about apps that are there need no script.
    let wanted = LoadOptions::default();
    let all = load_names(&Source::Text(text.to_owned()), &wanted, &world.around).unwrap();
    assert_eq!(all, ["a", "b"]);
}

#[test]
fn the_command_line_wins_over_the_file() {
    let world = World::new();
    let text = "[{script: 'app.js', uid: 'www', instances: 2, namespace: 'own'}, {script: 'app.py', name: 'b'}]";
    let wanted = LoadOptions {
        options: Options {
            uid: Some("me".to_owned()),
            max_restarts: Some(0),
            namespace: Some("line".to_owned()),
            execute_command: Some(true),
            ..Options::default()
        },
        ..LoadOptions::default()
    };
    let apps = world
        .load(&Source::Text(text.to_owned()), &wanted)
        .unwrap()
        .apps;
    assert_eq!(apps[0].uid.as_deref(), Some("me"));
    assert_eq!(apps[0].max_restarts, 0);
    assert_eq!(apps[0].exec_mode, ExecMode::Fork);
    assert_eq!(
        (apps[0].namespace.as_str(), apps[1].namespace.as_str()),
        ("own", "line")
    );
    let one_name = LoadOptions {
        options: Options {
            name: Some("x".to_owned()),
            ..Options::default()
        },
        ..LoadOptions::default()
    };
    let refused = world
        .load(&Source::Text(text.to_owned()), &one_name)
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("one name cannot be given to 2 apps")
    );
}

#[test]
fn paths_in_toml_are_taken_from_its_folder_and_in_the_others_from_the_callers() {
    let world = World::new();
    let there = world.put("deep/app.js", "").parent().unwrap().to_owned();
    world.put("deep/only.js", "");
    world.put("deep/sub/x", "");
    let load = |name: &str, text: &str| world.file(name, text).unwrap().apps.remove(0);
    let toml = load("deep/tine.toml", "[[apps]]\nscript = 'app.js'\n");
    assert_eq!(
        (toml.script, toml.cwd),
        (there.join("app.js"), there.clone())
    );
    let json = load("deep/a.json", "{script: 'app.js'}");
    assert_eq!(json.script, world.cwd().join("app.js"));
    assert_eq!(json.cwd, world.cwd());
    // What is not in the caller's folder may be in that of the file.
    let json = load("deep/b.json", "{script: 'only.js'}");
    assert_eq!(
        (json.script, json.cwd),
        (there.join("only.js"), there.clone())
    );
    let json = load("deep/c.json", "{script: '../app.js', cwd: 'sub'}");
    assert_eq!(
        (json.script, json.cwd),
        (there.join("app.js"), there.join("sub"))
    );
}

#[test]
fn two_apps_of_one_name_are_refused() {
    let world = World::new();
    let said = world.refusal("{apps: [{script: 'app.js'},\n {script: 'app.py'}]}");
    assert!(
        said.starts_with("-:2:2: there are two apps called \"app\" in it\nhint: "),
        "{said}"
    );
}

#[test]
fn folders_are_served_by_tine_itself() {
    let world = World::new();
    let page = world
        .put("site/index.html", "")
        .parent()
        .unwrap()
        .to_owned();
    let site = page.display().to_string();
    let app = world.app(
        "{static: [{path: 'site', port: '8081', host: '::1', spa: true, ftp: false, \
         basic_auth: {username: 'me', password: 'secret'}}]}",
    );
    assert_eq!(app.name, "static-page-server-8081");
    assert_eq!(app.script, PathBuf::from("/bin/true"));
    assert_eq!(
        app.args,
        ["serve-files", &site, "8081", "--host", "::1", "--spa"]
    );
    assert_eq!((app.interpreter, app.exec_mode), (None, ExecMode::Cluster));
    assert_eq!(app.env["PM2_SERVE_BASIC_AUTH_USERNAME"], "me");
    assert_eq!(app.env["PM2_SERVE_BASIC_AUTH_PASSWORD"], "secret");
    let app = world.app(
        "{name: 'docs', script: 'serve', env: {PM2_SERVE_PATH: './site', PM2_SERVE_PORT: 9000, \
         PM2_SERVE_FTP: 'true'}}",
    );
    assert_eq!(
        (app.name.as_str(), app.args),
        (
            "docs",
            ["serve-files", &site, "9000", "--ftp"]
                .map(str::to_owned)
                .to_vec()
        )
    );
    for (text, words) in [
        (
            "{static: [{path: 'nowhere'}]}",
            "path: nowhere is not a folder",
        ),
        (
            "{static: [{path: 'site', monitor: 'x'}]}",
            "monitor: scripts of PM2 Plus",
        ),
        (
            "{static: [{path: 'site', basic_auth: {username: 1}}]}",
            "`username` and `password`",
        ),
        (
            "{static: ['site']}",
            "static[0]: expected an object, found the text \"site\"",
        ),
    ] {
        let said = world.refusal(text);
        assert!(said.contains(words), "{text}: {said}");
    }
    // A script of that name is a script.
    world.put("serve", "#!/bin/sh\n");
    assert_eq!(
        world.app("{script: 'serve'}").script,
        world.cwd().join("serve")
    );
}

#[test]
fn force_is_handed_on() {
    let world = World::new();
    let loaded = world
        .text("[{script: 'app.js', force: true}, {script: 'app.py', name: 'b'}]")
        .unwrap();
    assert_eq!(loaded.forced, ["app"]);
}

#[test]
fn a_check_says_what_would_be_started_and_what_is_wrong() {
    let world = World::new();
    let report = |text: &str| {
        let source = Source::Text(text.to_owned());
        tine_config::check(&source, &LoadOptions::default(), &world.around)
    };
    let good = report("{script: 'app.js', instances: 'max', env: {KEY: 'secret'}}");
    assert!(good.ok && good.problems.is_empty());
    let json = serde_json::to_string(&good).unwrap();
    assert!(
        json.contains("\"instances\":\"max\"") && !json.contains("secret"),
        "{json}"
    );
    let bad = report("{script: 'app.js', max_restarts: 'x', colour: 1}");
    let severities: Vec<Severity> = bad.problems.iter().map(|one| one.severity).collect();
    assert!(!bad.ok);
    assert_eq!(severities, [Severity::Error, Severity::Warning]);
    let json = serde_json::to_value(&bad).unwrap();
    assert_eq!(json["problems"][0]["line"], 1);
    assert_eq!(json["problems"][0]["field"], "max_restarts");
    assert_eq!(json["problems"][1]["severity"], "warning");
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let world = World::new();
    let load = |name: &str| -> Result<_, Problems> {
        world.load(&Source::File(name.into()), &LoadOptions::default())
    };
    std::fs::write(world.cwd().join("latin.json"), b"{\"a\": \"\xfc\"}").unwrap();
    std::fs::create_dir(world.cwd().join("folder.json")).unwrap();
    std::fs::write(
        world.cwd().join("large.json"),
        vec![b' '; 8 * 1024 * 1024 + 1],
    )
    .unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        world.cwd().join("pipe.json"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    for (name, words) in [
        ("gone.json", "gone.json: reading it: No such file"),
        ("folder.json", "it is not a file"),
        ("pipe.json", "it is not a file"),
        ("latin.json", "byte 8 of it is not UTF-8"),
        ("large.json", "more than 8388608 bytes"),
        ("a.txt", "does not say in which language"),
    ] {
        let said = load(name).unwrap_err().to_string();
        assert!(
            said.contains(words) && said.contains("\nhint: "),
            "{name}: {said}"
        );
    }
}
