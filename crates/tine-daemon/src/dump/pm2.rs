//! What does a dump of PM2 mean here?
//!
//! `dump.pm2` is a JSON array with an object for each process: its configuration, the paths that
//! were made of it, and in `env` its whole environment, in which what the process file gave and
//! what the shell had can no longer be told apart.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};
use tine_control::app::{AppSpec, ExecMode, FilterEnv, LogType};
use tine_control::refused::{self, Fate};
use tine_control::state::ProcessStatus;
use tine_rules::Instances;

use super::{DumpError, DumpedApp, DumpedSlot};

/// What a dump of PM2 has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The apps, in the order in which they came.
    pub apps: Vec<DumpedApp>,
    /// What could not be taken over, a line each.
    pub warnings: Vec<String>,
}

/// Variables that PM2 itself adds to an environment.
const OF_PM2: [&str; 9] = [
    "PM2_HOME",
    "PM2_USAGE",
    "PM2_JSON_PROCESSING",
    "PM2_INTERACTOR_PROCESSING",
    "PM2_PROGRAMMATIC",
    "unique_id",
    "pm_id",
    "status",
    "restart_time",
];
/// Variables that are the shell's and nobody writes into a process file, and beginnings of such.
const OF_SHELLS: [&str; 25] = [
    "HOME",
    "HOSTNAME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "MAIL",
    "OLDPWD",
    "PATH",
    "PWD",
    "SHELL",
    "SHLVL",
    "TERM",
    "USER",
    "_",
    "DISPLAY",
    "EDITOR",
    "PAGER",
    "LESSOPEN",
    "LESSCLOSE",
    "LS_COLORS",
    "COLORTERM",
    "TMUX",
    "TMUX_PANE",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
];
const OF_SHELLS_BEGIN: [&str; 10] = [
    "LC_", "SSH_", "XDG_", "DBUS_", "SUDO_", "GPG_", "NVM_", "TERM_", "VSCODE_", "npm_",
];

/// Reads the text of a `dump.pm2`, as well as it goes: what has no counterpart here, or is not
/// there yet, is told in a warning. Processes of one name become one app. The log files are those
/// of this daemon unless PM2 was told others.
///
/// Variables that are a shell's become [`AppSpec::inherited_env`], all others [`AppSpec::env`].
///
/// # Errors
/// [`DumpError::NotPm2`] when it is not even an array of objects.
pub fn import_pm2(text: &str) -> Result<Imported, DumpError> {
    let all: Vec<Map<String, Value>> =
        serde_json::from_str(text).map_err(|error| DumpError::NotPm2(error.to_string()))?;
    let mut warnings = Warnings::default();
    let mut apps: Vec<DumpedApp> = Vec::new();
    for (index, fields) in all.iter().enumerate() {
        let entry = Entry { fields };
        if entry.flag("pmx_module") == Some(true) {
            warnings.add(&entry.name(), "it is a module of PM2, and is left out");
            continue;
        }
        let mut spec = match entry.spec(&mut warnings) {
            Ok(spec) => spec,
            Err(what) => {
                warnings.add(
                    &format!("entry {index}"),
                    &format!("{what}; it is left out"),
                );
                continue;
            }
        };
        let problems = spec.check();
        if !problems.is_empty() {
            for problem in problems {
                warnings.add(&spec.name, &format!("{problem}; it is left out"));
            }
            continue;
        }
        let mate = apps
            .iter_mut()
            .find(|app| app.spec.name == spec.name && app.spec.script == spec.script);
        match mate {
            Some(app) => app.push(&entry),
            None => {
                rename(&mut spec, &apps, &mut warnings);
                let mut app = DumpedApp {
                    spec,
                    slots: Vec::new(),
                };
                app.push(&entry);
                apps.push(app);
            }
        }
    }
    Ok(Imported {
        apps,
        warnings: warnings.lines,
    })
}

/// PM2 allows several apps of one name, and here a name means one.
fn rename(spec: &mut AppSpec, apps: &[DumpedApp], warnings: &mut Warnings) {
    let taken: BTreeSet<&str> = apps.iter().map(|app| app.spec.name.as_str()).collect();
    let name = spec.name.clone();
    let mut number = 2;
    while taken.contains(spec.name.as_str()) {
        spec.name = format!("{name}-{number}");
        number += 1;
    }
    if spec.name != name {
        let what = format!("another app has this name; it is now called {}", spec.name);
        warnings.add(&name, &what);
    }
}

impl DumpedApp {
    /// One more process.
    fn push(&mut self, entry: &Entry<'_>) {
        let status = match entry.text("status").as_deref() {
            Some("stopped" | "stopping") => ProcessStatus::Stopped,
            Some("errored") => ProcessStatus::Errored,
            Some("waiting restart") => ProcessStatus::WaitingRestart,
            Some(_) | None => ProcessStatus::Online,
        };
        let number = self.slots.len();
        self.slots.push(DumpedSlot {
            slot: u32::try_from(number).unwrap_or(u32::MAX),
            id: None,
            status,
        });
        let count = NonZeroUsize::new(number + 1).unwrap_or(NonZeroUsize::MIN);
        self.spec.instances = Instances::Exactly(count);
    }
}

#[derive(Default)]
struct Warnings {
    lines: Vec<String>,
    said: BTreeSet<String>,
}

impl Warnings {
    /// Each only once, however many processes an app has.
    fn add(&mut self, app: &str, what: &str) {
        let line = format!("{app}: {what}");
        if self.said.insert(line.clone()) {
            self.lines.push(line);
        }
    }
}

/// One process of the dump.
struct Entry<'a> {
    fields: &'a Map<String, Value>,
}

impl Entry<'_> {
    fn name(&self) -> String {
        self.text("name").unwrap_or_default()
    }

    fn spec(&self, warnings: &mut Warnings) -> Result<AppSpec, String> {
        let path = |name: &str| self.text(name).map(PathBuf::from);
        let script = path("pm_exec_path").ok_or("it has no pm_exec_path")?;
        let cwd = path("pm_cwd")
            .or_else(|| script.parent().map(Path::to_owned))
            .ok_or("it has no pm_cwd")?;
        let mut name = self.name();
        if name.is_empty() {
            let stem = script.file_stem().unwrap_or_default();
            name = stem.to_string_lossy().into_owned();
        }
        let mut spec = AppSpec::new(name, script, cwd);
        self.program(&mut spec);
        self.environment(&mut spec);
        self.life(&mut spec);
        self.files(&mut spec);
        self.left_out(&spec, warnings);
        Ok(spec)
    }

    fn program(&self, spec: &mut AppSpec) {
        if let Some(namespace) = self.text("namespace").filter(|text| !text.is_empty()) {
            spec.namespace = namespace;
        }
        spec.args = self.words("args");
        spec.interpreter = self
            .text("exec_interpreter")
            .filter(|word| !word.is_empty() && word != "none");
        if spec.interpreter.is_some() {
            spec.interpreter_args = self.words("node_args");
            if spec.interpreter_args.is_empty() {
                spec.interpreter_args = self.words("interpreter_args");
            }
        }
        if self
            .text("exec_mode")
            .is_some_and(|mode| mode.starts_with("cluster"))
        {
            spec.exec_mode = ExecMode::Cluster;
        }
        spec.uid = self.text("uid");
        spec.gid = self.text("gid");
        spec.source_map_support = self.flag("source_map_support");
    }

    fn environment(&self, spec: &mut AppSpec) {
        if let Some(name) = self.text("instance_var").filter(|text| !text.is_empty()) {
            spec.instance_var = name;
        }
        spec.increment_var = self.text("increment_var");
        spec.filter_env = match self.fields.get("filter_env") {
            Some(Value::Bool(all)) => FilterEnv::All(*all),
            Some(Value::String(one)) if !one.is_empty() => FilterEnv::Named(one.clone()),
            Some(Value::Array(words)) if !words.is_empty() => {
                FilterEnv::Containing(self.words("filter_env"))
            }
            _ => FilterEnv::default(),
        };
        let Some(Value::Object(env)) = self.fields.get("env") else {
            return;
        };
        for (name, value) in env {
            let Some(value) = scalar(value) else { continue };
            // The settings of the app's module, under the app's own name.
            let of_pm2 =
                OF_PM2.contains(&name.as_str()) || *name == spec.name || *name == spec.instance_var;
            if of_pm2 {
                continue;
            }
            let of_shell = OF_SHELLS.contains(&name.as_str())
                || OF_SHELLS_BEGIN.iter().any(|begin| name.starts_with(begin));
            let to = if of_shell {
                &mut spec.inherited_env
            } else {
                &mut spec.env
            };
            to.insert(name.clone(), value);
        }
    }

    fn life(&self, spec: &mut AppSpec) {
        let flag = |name: &str, to: &mut bool| {
            if let Some(value) = self.flag(name) {
                *to = value;
            }
        };
        flag("autostart", &mut spec.autostart);
        flag("autorestart", &mut spec.autorestart);
        flag("wait_ready", &mut spec.wait_ready);
        flag("shutdown_with_message", &mut spec.shutdown_with_message);
        flag("treekill", &mut spec.treekill);
        let time = |name: &str, to: &mut Duration| {
            if let Some(value) = self.number(name) {
                *to = Duration::from_millis(value);
            }
        };
        time("min_uptime", &mut spec.min_uptime);
        time("restart_delay", &mut spec.restart_delay);
        time("kill_timeout", &mut spec.kill_timeout);
        time("listen_timeout", &mut spec.listen_timeout);
        spec.exp_backoff_restart_delay = self
            .number("exp_backoff_restart_delay")
            .filter(|delay| *delay > 0)
            .map(Duration::from_millis);
        if let Some(number) = self.number("max_restarts") {
            spec.max_restarts = u32::try_from(number).unwrap_or(u32::MAX);
        }
        let codes = match self.fields.get("stop_exit_codes") {
            Some(Value::Array(codes)) => codes.iter().filter_map(integer).collect(),
            Some(code) => integer(code).into_iter().collect(),
            None => Vec::new(),
        };
        spec.stop_exit_codes = codes
            .iter()
            .filter_map(|code| i32::try_from(*code).ok())
            .collect();
    }

    fn files(&self, spec: &mut AppSpec) {
        spec.merge_logs = self.flag("merge_logs");
        spec.disable_logs = self.flag("disable_logs").unwrap_or(false);
        if self.text("log_type").as_deref() == Some("json") {
            spec.log_type = LogType::Json;
        }
        spec.log_date_format = self.text("log_date_format").filter(|text| !text.is_empty());
        let pid_file = self.text("pm_pid_path").map(PathBuf::from);
        let id = pid_file.as_deref().and_then(id_of);
        // The home that PM2 had, whose files are nobody's wish.
        let home = match self.fields.get("env").and_then(|env| env.get("PM2_HOME")) {
            Some(Value::String(home)) => Some(PathBuf::from(home)),
            _ => pid_file
                .as_deref()
                .and_then(|path| Some(path.parent()?.parent()?.to_owned())),
        };
        let chosen = |name: &str| {
            let path = PathBuf::from(self.text(name)?);
            let own = home.as_deref().is_some_and(|home| {
                path.starts_with(home.join("logs")) || path.starts_with(home.join("pids"))
            });
            match own || !path.is_absolute() {
                true => None,
                // PM2 has put the id into the name, as will be done here.
                false => Some(
                    id.as_deref()
                        .map_or(path.clone(), |id| without_id(&path, id)),
                ),
            }
        };
        spec.out_file = chosen("pm_out_log_path");
        spec.error_file = chosen("pm_err_log_path");
        spec.log_file = chosen("pm_log_path");
        spec.pid_file = chosen("pm_pid_path");
    }

    fn left_out(&self, spec: &AppSpec, warnings: &mut Warnings) {
        let env = self.fields.get("env").and_then(Value::as_object);
        for (name, value) in self.fields {
            // PM2 copies every variable beside the fields.
            if env.is_some_and(|env| env.contains_key(name)) {
                continue;
            }
            let Some(field) = refused::field(name) else {
                continue;
            };
            if field.fate != Fate::Needless && !field.is_switched_off_by(value) {
                let what = format!("{name} is left out: {}", field.reason);
                warnings.add(&spec.name, &what);
            }
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        self.fields.get(name).and_then(scalar)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        match self.fields.get(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => match text.as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            Value::Number(number) => number.as_f64().map(|number| number != 0.0),
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<u64> {
        integer(self.fields.get(name)?).and_then(|number| u64::try_from(number).ok())
    }

    /// A list of words, or one.
    fn words(&self, name: &str) -> Vec<String> {
        match self.fields.get(name) {
            Some(Value::Array(words)) => words.iter().filter_map(scalar).collect(),
            Some(word) => scalar(word)
                .filter(|word| !word.is_empty())
                .into_iter()
                .collect(),
            None => Vec::new(),
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// 3 of `/home/www/.pm2/pids/web-3.pid`.
fn id_of(pid_file: &Path) -> Option<String> {
    let stem = pid_file.file_stem()?.to_str()?;
    let (_, id) = stem.rsplit_once('-')?;
    id.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| id.to_owned())
}

/// `web-out.log` of `web-out-3.log` when the id is 3.
fn without_id(path: &Path, id: &str) -> PathBuf {
    let (Some(stem), extension) = (
        path.file_stem().and_then(|stem| stem.to_str()),
        path.extension().and_then(|kind| kind.to_str()),
    ) else {
        return path.to_owned();
    };
    let Some(stem) = stem.strip_suffix(&format!("-{id}")) else {
        return path.to_owned();
    };
    let name = match extension {
        Some(extension) => format!("{stem}.{extension}"),
        None => stem.to_owned(),
    };
    path.with_file_name(name)
}
