//! Process files: every form, and what is chosen from them.

use crate::support::*;

/// Starts the file alone in a new home, and looks at what has become of it.
#[track_caller]
fn works(name: &str, text: &str) {
    let home = home();
    home.write(name, text);
    home.ok(["check", name]);
    home.ok(["start", name]);
    assert_eq!(
        statuses(&home),
        "web online, web online, job online",
        "{name}"
    );
    assert_eq!(
        variable(home.pid("web"), "COLOUR").as_deref(),
        Some("green"),
        "{name}"
    );
    let file = home.spec("web")["defined_in"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(file.ends_with(name), "{file}");
    // The same file names what is to be stopped.
    home.ok(["stop", name]);
    assert_eq!(
        statuses(&home),
        "web stopped, web stopped, job stopped",
        "{name}"
    );
}

const APPS: &str = r#"[
    { name: "web", script: "app.sh", instances: 2, min_uptime: 100, env: { COLOUR: "green" } },
    { name: "job", script: "./app.py", min_uptime: "100" },
]"#;

#[test]
fn javascript() {
    works(
        "ecosystem.config.js",
        &format!("module.exports = {{ apps: {APPS} }};"),
    );
    works(
        "ecosystem.config.cjs",
        &format!("const apps = {APPS}; module.exports = {{ apps }};"),
    );
}

#[test]
fn modules() {
    works(
        "ecosystem.config.mjs",
        &format!("export default {{ apps: {APPS} }};"),
    );
    works("esm.config.mjs", &format!("export const apps = {APPS};"));
}

#[test]
fn json_with_and_without_comments() {
    let apps = r#"[
        {"name": "web", "script": "app.sh", "instances": 2, "min_uptime": 100,
         "env": {"COLOUR": "green"}},
        {"name": "job", "script": "./app.py", "min_uptime": 100}
    ]"#;
    works("apps.json", &format!("{{\"apps\": {apps}}}"));
    works("list.json", apps);
    works("apps.json5", &format!("// apps\n{{ apps: {APPS} }}"));
}

#[test]
fn yaml() {
    works(
        "apps.yaml",
        "apps:\n  - name: web\n    script: app.sh\n    instances: 2\n    min_uptime: 100\n    \
         env:\n      COLOUR: green\n  - name: job\n    script: ./app.py\n    min_uptime: 100\n",
    );
}

#[test]
fn toml() {
    works(
        "tine.toml",
        "[[apps]]\nname = 'web'\nscript = 'app.sh'\ninstances = 2\nmin_uptime = 100\n\
         env = { COLOUR = 'green' }\n[[apps]]\nname = 'job'\nscript = './app.py'\n\
         min_uptime = 100\n",
    );
}

#[test]
fn standard_input() {
    let home = home();
    let text = r#"{"apps": [{"name": "piped", "script": "app.sh", "min_uptime": 100}]}"#;
    home.call(["start", "-"]).stdin(text).run().is(0);
    assert_eq!(statuses(&home), "piped online");
    home.call(["restart", "-"]).stdin(text).run().is(0);
    assert_eq!(home.process("piped")["restarts"], 1);
    home.call(["delete", "-"]).stdin(text).run().is(0);
    assert_eq!(statuses(&home), "");
}

#[test]
fn without_a_target_it_is_the_file_of_the_folder() {
    let home = home();
    home.refused(2, ["start"]).hints();
    home.write(
        "ecosystem.config.js",
        "module.exports = {apps: [{name: 'found', script: 'app.sh'}]}",
    );
    home.ok(["start"]);
    assert_eq!(statuses(&home), "found online");
}

#[test]
fn only_some_of_its_apps_with_other_variables() {
    let home = home();
    let app = |name: &str| {
        format!(
            r#"{{"name": "{name}", "script": "app.sh", "min_uptime": 100, "env": {{"STAGE": "dev",
            "KEPT": "1"}}, "env_production": {{"STAGE": "production"}}}}"#
        )
    };
    home.write(
        "apps.json",
        format!("[{},{},{}]", app("a"), app("b"), app("c")),
    );
    home.ok(["start", "apps.json", "--only", "a,c", "--env", "production"]);
    assert_eq!(statuses(&home), "a online, c online");
    let pid = home.pid("a");
    assert_eq!(variable(pid, "STAGE").as_deref(), Some("production"));
    assert_eq!(variable(pid, "KEPT").as_deref(), Some("1"));
    home.ok(["start", "apps.json", "--only", "b"]);
    assert_eq!(variable(home.pid("b"), "STAGE").as_deref(), Some("dev"));
    home.ok(["stop", "apps.json", "--only", "b"]);
    assert_eq!(statuses(&home), "a online, c online, b stopped");
    home.refused(2, ["start", "app.sh", "--only", "a"])
        .says("--only");
    home.refused(2, ["start", "app.sh", "--env", "production"])
        .says("--env");
    home.refused(3, ["start", "apps.json", "--only", "nobody"])
        .says("nobody");
}

#[test]
fn the_command_line_wins_over_the_file() {
    let home = home();
    home.write(
        "apps.json",
        r#"[{"name": "a", "script": "app.sh", "kill_timeout": 5}]"#,
    );
    start(&home, &["apps.json", "--kill-timeout", "77", "-i", "2"]);
    assert_eq!(home.spec("a")["kill_timeout"], 77);
    assert_eq!(home.list().len(), 2);
}

#[test]
fn nothing_and_false_mean_what_they_say() {
    let home = home();
    home.write(
        "apps.json",
        r#"[{"name": "a", "script": "app.sh", "kill_timeout": 0, "max_restarts": 0,
             "restart_delay": 0, "autorestart": false, "treekill": false, "stop_exit_codes": []}]"#,
    );
    home.ok(["start", "apps.json"]);
    let spec = home.spec("a");
    for field in ["kill_timeout", "max_restarts", "restart_delay"] {
        assert_eq!(spec[field], 0, "{field}");
    }
    assert_eq!(
        (&spec["autorestart"], &spec["treekill"]),
        (&json!(false), &json!(false))
    );
}

#[test]
fn start_or_restart_starts_what_is_not_there_and_restarts_what_is() {
    let home = home();
    home.write(
        "one.json",
        r#"[{"name": "a", "script": "app.sh", "min_uptime": 100}]"#,
    );
    home.write(
        "two.json",
        r#"[{"name": "a", "script": "app.sh", "min_uptime": 100, "env": {"NEW": "1"}},
            {"name": "b", "script": "app.sh", "min_uptime": 100}]"#,
    );
    home.ok(["startOrRestart", "one.json"]);
    let before = home.pid("a");
    home.ok(["startOrRestart", "two.json"]);
    assert_eq!(statuses(&home), "a online, b online");
    assert_ne!(home.pid("a"), before);
    assert_eq!(variable(home.pid("a"), "NEW").as_deref(), Some("1"));
    let before = home.pid("b");
    home.ok(["startOrReload", "two.json"]);
    home.ok(["startOrGracefulReload", "two.json"]);
    assert_ne!(home.pid("b"), before);
    assert_eq!(home.process("b")["restarts"], 2);
}
