//! How would PM2 write the list as JSON?
//!
//! The fields are those that PM2 7 has and that tools around it read. What PM2 has only for its
//! own agents is there and empty.

use serde_json::{Map, Value, json};
use tine_control::reply::Described;
use tine_control::{AppInfo, AppSpec, ExecMode, FilterEnv, LogType, ProcessInfo};

/// The list as the JSON array that `pm2 jlist` prints.
pub(crate) fn list(described: &Described) -> Vec<Value> {
    described
        .processes
        .iter()
        .map(|one| element(one, described.apps.get(&one.name)))
        .collect()
}

fn element(one: &ProcessInfo, app: Option<&AppInfo>) -> Value {
    json!({
        "pid": one.pid.unwrap_or(0),
        "name": one.name,
        "pm2_env": Value::Object(environment(one, app)),
        "pm_id": one.id,
        "monit": {
            "memory": one.memory.unwrap_or(0),
            "cpu": number(one.cpu.unwrap_or(0.0)),
        },
    })
}

/// A whole number without a fraction, as JavaScript writes it.
fn number(value: f64) -> Value {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded.fract() == 0.0 && (0.0..1e15).contains(&rounded) {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole, positive and small"
        )]
        let whole = rounded as u64;
        json!(whole)
    } else {
        json!(rounded)
    }
}

fn environment(one: &ProcessInfo, app: Option<&AppInfo>) -> Map<String, Value> {
    let mut map = Map::new();
    if let Some(app) = app {
        config(&mut map, app);
    }
    runtime(&mut map, one);
    if let Some(app) = app {
        variables(&mut map, one, &app.spec);
    }
    map
}

/// What the app was asked to be.
fn config(map: &mut Map<String, Value>, app: &AppInfo) {
    let spec = &app.spec;
    let mut put = |name: &str, value: Value| {
        map.insert(name.to_owned(), value);
    };
    put("args", json!(spec.args));
    put("node_args", json!(spec.interpreter_args));
    put(
        "exec_interpreter",
        json!(spec.interpreter.as_deref().unwrap_or("none")),
    );
    put("pm_exec_path", json!(spec.script));
    put("pm_cwd", json!(spec.cwd));
    put("instances", json!(app.slots));
    put("instance_var", json!(spec.instance_var));
    put("merge_logs", json!(spec.merges_logs()));
    put("autostart", json!(spec.autostart));
    put("autorestart", json!(spec.autorestart));
    put("treekill", json!(spec.treekill));
    put("max_restarts", json!(spec.max_restarts));
    put("min_uptime", millis(spec.min_uptime));
    put("restart_delay", millis(spec.restart_delay));
    put("kill_timeout", millis(spec.kill_timeout));
    put("listen_timeout", millis(spec.listen_timeout));
    put("wait_ready", json!(spec.wait_ready));
    put("shutdown_with_message", json!(spec.shutdown_with_message));
    put("stop_exit_codes", json!(spec.stop_exit_codes));
    put(
        "filter_env",
        match &spec.filter_env {
            FilterEnv::All(false) => json!([]),
            FilterEnv::All(true) => json!(true),
            FilterEnv::Named(one) => json!(one),
            FilterEnv::Containing(words) => json!(words),
        },
    );
    for (name, value) in [
        (
            "exp_backoff_restart_delay",
            spec.exp_backoff_restart_delay.map(millis),
        ),
        (
            "log_date_format",
            spec.log_date_format.as_ref().map(|it| json!(it)),
        ),
        ("uid", spec.uid.as_ref().map(|it| json!(it))),
        ("gid", spec.gid.as_ref().map(|it| json!(it))),
        ("port", spec.port.map(|it| json!(it))),
        (
            "increment_var",
            spec.increment_var.as_ref().map(|it| json!(it)),
        ),
        (
            "log_type",
            (spec.log_type == LogType::Json).then(|| json!("json")),
        ),
    ] {
        if let Some(value) = value {
            put(name, value);
        }
    }
    for (name, value) in [
        ("watch", json!(false)),
        ("vizion", json!(false)),
        ("pmx", json!(false)),
        ("automation", json!(false)),
        ("windowsHide", json!(true)),
        ("kill_retry_time", json!(0)),
    ] {
        put(name, value);
    }
}

fn millis(time: std::time::Duration) -> Value {
    json!(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// How the process is now.
fn runtime(map: &mut Map<String, Value>, one: &ProcessInfo) {
    let mut put = |name: &str, value: Value| {
        map.insert(name.to_owned(), value);
    };
    let files = one.files.clone().unwrap_or_default();
    let path = |path: Option<std::path::PathBuf>| {
        path.map_or_else(|| json!(tine_control::app::NO_FILE), |path| json!(path))
    };
    put("name", json!(one.name));
    put("namespace", json!(one.namespace));
    put("pm_id", json!(one.id));
    put("status", json!(one.status.word()));
    put(
        "exec_mode",
        json!(match one.exec_mode {
            ExecMode::Fork => "fork_mode",
            ExecMode::Cluster => "cluster_mode",
        }),
    );
    put("pm_uptime", json!(one.started.unwrap_or(one.created)));
    put("created_at", json!(one.created));
    put("restart_time", json!(one.restarts));
    put("unstable_restarts", json!(one.unstable_restarts));
    put("username", json!(one.user));
    put("version", json!(one.version.as_deref().unwrap_or("N/A")));
    put("pm_out_log_path", path(files.out));
    put("pm_err_log_path", path(files.error));
    put("pm_pid_path", path(files.pid));
    if let Some(log) = files.log {
        put("pm_log_path", json!(log));
    }
    if let Some(version) = &one.interpreter_version {
        put("node_version", json!(version));
    }
    if let Some(exit) = one.exits.last() {
        // PM2 has no field for a signal, and 0 for the code then.
        put("exit_code", json!(exit.code.unwrap_or(0)));
    }
    for (name, value) in [
        ("vizion_running", json!(false)),
        ("km_link", json!(false)),
        ("axm_actions", json!([])),
        ("axm_monitor", json!({})),
        ("axm_options", json!({})),
        ("axm_dynamic", json!({})),
    ] {
        put(name, value);
    }
}

/// The variables under `env`, and each beside the fields, where PM2 has them too. No variable
/// takes the place of a field.
fn variables(map: &mut Map<String, Value>, one: &ProcessInfo, spec: &AppSpec) {
    let all = spec.environment();
    let env: Map<String, Value> = all
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    // A number there, although it is a text in the environment.
    map.insert(spec.instance_var.clone(), json!(one.slot));
    map.insert("env".to_owned(), Value::Object(env));
    for (name, value) in all.iter() {
        if !map.contains_key(name) {
            map.insert(name.clone(), json!(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::sample;

    #[test]
    fn tools_around_pm2_find_their_fields() {
        let list = list(&sample::described());
        let one = &list[0];
        for path in [
            "/pid",
            "/name",
            "/pm_id",
            "/monit/cpu",
            "/monit/memory",
            "/pm2_env/status",
            "/pm2_env/restart_time",
            "/pm2_env/unstable_restarts",
            "/pm2_env/pm_uptime",
            "/pm2_env/created_at",
            "/pm2_env/exec_mode",
            "/pm2_env/instances",
            "/pm2_env/NODE_APP_INSTANCE",
            "/pm2_env/node_version",
            "/pm2_env/version",
            "/pm2_env/namespace",
            "/pm2_env/pm_exec_path",
            "/pm2_env/pm_cwd",
            "/pm2_env/pm_out_log_path",
            "/pm2_env/pm_err_log_path",
            "/pm2_env/exit_code",
            "/pm2_env/axm_monitor",
            "/pm2_env/axm_options",
            "/pm2_env/username",
            "/pm2_env/env/PORT",
            "/pm2_env/PORT",
        ] {
            assert!(one.pointer(path).is_some(), "{path}");
        }
        assert_eq!(one["pm2_env"]["exec_mode"], "cluster_mode");
        assert_eq!(one["pm2_env"]["NODE_APP_INSTANCE"], 0);
        assert_eq!(one["monit"]["cpu"], 0.3);
        // A variable called like a field does not take its place.
        assert_eq!(one["pm2_env"]["name"], "web");
        assert_eq!(one["pm2_env"]["env"]["name"], "impostor");
    }

    #[test]
    fn a_stopped_process_has_the_pid_0_and_no_use() {
        let list = list(&sample::described());
        assert_eq!(list[2]["pid"], 0);
        assert_eq!(list[2]["monit"], json!({"memory": 0, "cpu": 0}));
        assert_eq!(list[2]["pm2_env"]["status"], "errored");
    }
}
