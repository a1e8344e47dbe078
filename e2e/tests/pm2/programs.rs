//! The programs that the cases run.

use crate::manager::{Kind, MARK};
use serde_json::Value;

/// Lives until it is told to leave, and does nothing.
pub(crate) const IDLE: &str = "setInterval(() => {}, 1e6);\n";

/// The same in Python.
pub(crate) const IDLE_PY: &str = "import signal\nsignal.pause()\n";

/// A server on a free port.
pub(crate) const SERVER: &str = "require('http').createServer((q, s) => s.end('x')).listen(0);\n";

/// Writes about itself into `about-N.json`, where N is its number among the processes of its app.
pub(crate) const ABOUT: &str = r"
const fs = require('fs');
const about = {
    args: process.argv.slice(2), exec_args: process.execArgv, folder: process.cwd(),
    env: { ...process.env },
};
const name = `about-${process.env.NODE_APP_INSTANCE ?? 0}.json`;
fs.writeFileSync(name, JSON.stringify(about) + '\n');
setInterval(() => {}, 1e6);
";

/// The same in Python.
pub(crate) const ABOUT_PY: &str = r#"
import json, os, signal, sys
about = dict(args=sys.argv[1:], exec_args=[], folder=os.getcwd(), env=dict(os.environ))
name = "about-" + os.environ.get("NODE_APP_INSTANCE", "0") + ".json"
with open(name, "w") as file:
    file.write(json.dumps(about) + "\n")
signal.pause()
"#;

/// Prints a line on each of its streams, and goes on.
pub(crate) const TALK: &str =
    "console.log('to out'); console.error('to err');\nsetInterval(() => {}, 1e6);\n";

/// Ends with the code that is its argument, or 0. For the shell, which starts at once: an end counts
/// as a failed start for a second only.
pub(crate) const END: &str = "exit ${1:-0}
";

/// Ends with 1 as long as there is a file `broken` in its folder.
pub(crate) const END_WHILE_BROKEN: &str = "[ -e broken ] && exit 1
exec sleep 1000
";

/// What PM2 7 puts into every program's environment about the app; `docs/pm2.md` says why tine does
/// not.
const PM2_FIELDS: &[&str] = &[
    "PM2_INTERACTOR_PROCESSING",
    "PM2_JSON_PROCESSING",
    "PM2_USAGE",
    "SILENT",
    "_pm2_version",
    "args",
    "automation",
    "autorestart",
    "autostart",
    "axm_actions",
    "axm_dynamic",
    "axm_monitor",
    "axm_options",
    "created_at",
    "cron_restart",
    "cwd",
    "env",
    "error_file",
    "exec_interpreter",
    "exec_mode",
    "exit_code",
    "filter_env",
    "increment_var",
    "instance_var",
    "instances",
    "kill_retry_time",
    "km_link",
    "log_date_format",
    "max_restarts",
    "merge_logs",
    "namespace",
    "node_args",
    "node_version",
    "out_file",
    "pm_cwd",
    "pm_err_log_path",
    "pm_exec_path",
    "pm_out_log_path",
    "pm_pid_path",
    "pm_uptime",
    "pmx",
    "port",
    "prev_restart_delay",
    "restart_time",
    "script",
    "status",
    "treekill",
    "unique_id",
    "unstable_restarts",
    "username",
    "version",
    "vizion",
    "vizion_running",
    "watch",
    "windowsHide",
];

/// What a program wrote about itself, fact by fact.
///
/// # Panics
/// When it is not that, or PM2 no longer adds what it is known to add.
pub(crate) fn facts(text: &str, of: Kind) -> Vec<(String, String)> {
    let about: Value = serde_json::from_str(text).unwrap();
    let mut facts = Vec::new();
    for what in ["args", "exec_args", "folder"] {
        facts.push((what.to_owned(), about[what].to_string()));
    }
    let env = about["env"].as_object().unwrap();
    if of == Kind::Pm2 {
        for field in ["unique_id", "status", "pm_exec_path"] {
            assert!(env.contains_key(field), "PM2 no longer sets {field}");
        }
    }
    let app = env["name"].as_str().unwrap_or_default().to_owned();
    for (name, value) in env {
        // What finds the processes of a test again when it fails.
        let is_ours = name == "TINE_TEST_RUN" || name == MARK;
        // The settings of the app are under its own name.
        let is_field = of == Kind::Pm2 && (PM2_FIELDS.contains(&name.as_str()) || *name == app);
        if !is_ours && !is_field {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            facts.push((format!("env {name}"), value));
        }
    }
    facts
}
