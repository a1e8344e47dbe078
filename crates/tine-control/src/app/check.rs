//! What is wrong with an app, before anything is started?

use super::{AppSpec, Balance, ExecMode, FilterEnv};
use crate::signal;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use std::time::Duration;
use tine_rules::Instances;

/// What no app may exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits;

impl Limits {
    /// The longest name of an app or namespace, in bytes. Names become parts of file names, which
    /// Linux limits to 255 bytes (`NAME_MAX`).
    pub const NAME_BYTES: usize = 128;
    /// The most processes of one app.
    pub const INSTANCES: usize = 10_000;
    /// The least `min_uptime`: below it a program that fails at once would be started in a tight
    /// loop.
    pub const LEAST_MIN_UPTIME: Duration = Duration::from_millis(100);
    /// The longest time of any kind: a year. What is longer is a mistake in the unit.
    pub const LONGEST_TIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);
}

/// One thing that is wrong with an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The path of the field within the app, such as `env.PATH` or `stop_exit_codes[1]`.
    pub field: String,
    /// What is wrong with it, in lower case and without a full stop.
    pub text: String,
    /// What to do about it; may be empty.
    #[serde(default)]
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.text)?;
        if self.hint.is_empty() {
            return Ok(());
        }
        write!(f, " (hint: {})", self.hint)
    }
}

/// What was found so far.
#[derive(Default)]
struct Found(Vec<Problem>);

impl Found {
    fn add(&mut self, field: impl Into<String>, text: impl Into<String>, hint: impl Into<String>) {
        self.0.push(Problem {
            field: field.into(),
            text: text.into(),
            hint: hint.into(),
        });
    }
}

impl AppSpec {
    /// Everything that is wrong with this app by itself; empty if nothing is. Looks at nothing
    /// but the app: whether its files, users and interpreter exist is seen when it is started.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let mut found = Found::default();
        self.check_names(&mut found);
        self.check_program(&mut found);
        self.check_environment(&mut found);
        self.check_processes(&mut found);
        self.check_times(&mut found);
        self.check_files(&mut found);
        found.0
    }

    fn check_names(&self, found: &mut Found) {
        name(found, "name", &self.name);
        name(found, "namespace", &self.namespace);
    }

    fn check_program(&self, found: &mut Found) {
        absolute(found, "script", &self.script);
        absolute(found, "cwd", &self.cwd);
        for (field, words) in [
            ("args", &self.args),
            ("interpreter_args", &self.interpreter_args),
        ] {
            for (index, word) in words.iter().enumerate() {
                no_nul(found, &format!("{field}[{index}]"), word);
            }
        }
        match self.interpreter.as_deref() {
            None => {
                if !self.interpreter_args.is_empty() {
                    found.add(
                        "interpreter_args",
                        "there is no interpreter to take them",
                        "name an interpreter, or put them into args",
                    );
                }
            }
            Some("") => found.add(
                "interpreter",
                "is empty",
                "leave it out to execute the script itself",
            ),
            Some("none") => found.add(
                "interpreter",
                "`none` is not a program",
                "leave it out to execute the script itself",
            ),
            Some(word) => {
                no_nul(found, "interpreter", word);
                if word.contains('/') && !word.starts_with('/') {
                    found.add(
                        "interpreter",
                        format!("{word:?} is a relative path"),
                        "use an absolute path, or a name to look for in PATH",
                    );
                }
            }
        }
        for (field, word) in [("uid", &self.uid), ("gid", &self.gid)] {
            let Some(word) = word else { continue };
            no_nul(found, field, word);
            if word.is_empty() {
                found.add(field, "is empty", "leave it out, or give a name or number");
            }
        }
    }

    fn check_environment(&self, found: &mut Found) {
        for (field, all) in [("env", &self.env), ("inherited_env", &self.inherited_env)] {
            for (key, value) in all {
                let field = format!("{field}.{key}");
                variable_name(found, &field, key);
                no_nul(found, &field, value);
            }
        }
        variable_name(found, "instance_var", &self.instance_var);
        match &self.filter_env {
            FilterEnv::All(_) => {}
            FilterEnv::Named(one) => variable_name(found, "filter_env", one),
            FilterEnv::Containing(words) => {
                for (index, word) in words.iter().enumerate() {
                    variable_name(found, &format!("filter_env[{index}]"), word);
                }
            }
        }
        let Some(counted) = &self.increment_var else {
            return;
        };
        variable_name(found, "increment_var", counted);
        let number = self.environment().get(counted).map(|value| value.parse());
        match number {
            Some(Ok::<i64, _>(_)) => {}
            Some(Err(_)) => found.add(
                "increment_var",
                format!("the variable {counted} is not a whole number"),
                "give it a number to count from in env",
            ),
            None => found.add(
                "increment_var",
                format!("there is no variable {counted} to count from"),
                "give it a number to count from in env",
            ),
        }
    }

    fn check_processes(&self, found: &mut Found) {
        if let Instances::Exactly(count) = self.instances
            && count.get() > Limits::INSTANCES
        {
            found.add(
                "instances",
                format!("{count} are more than the limit of {}", Limits::INSTANCES),
                "ask for fewer; `max` is one for each core",
            );
        }
        if self.exec_mode == ExecMode::Fork && self.balance != Balance::Auto {
            found.add(
                "balance",
                "processes in fork mode share no connections",
                "set exec_mode to cluster, or leave balance out",
            );
        }
        for (index, code) in self.stop_exit_codes.iter().enumerate() {
            if !(0..=255).contains(code) {
                found.add(
                    format!("stop_exit_codes[{index}]"),
                    format!("{code} is not an exit code"),
                    "exit codes are 0 to 255",
                );
            }
        }
        if !signal::is_known(&self.stop_signal) {
            found.add(
                "stop_signal",
                format!("{:?} is not a signal", self.stop_signal),
                "use a name such as SIGTERM",
            );
        }
    }

    fn check_times(&self, found: &mut Found) {
        for (field, time) in [
            ("min_uptime", Some(self.min_uptime)),
            ("restart_delay", Some(self.restart_delay)),
            ("exp_backoff_restart_delay", self.exp_backoff_restart_delay),
            ("kill_timeout", Some(self.kill_timeout)),
            ("listen_timeout", Some(self.listen_timeout)),
        ] {
            if time.is_some_and(|time| time > Limits::LONGEST_TIME) {
                found.add(
                    field,
                    "is longer than a year",
                    "the unit is the millisecond",
                );
            }
        }
        if self.min_uptime < Limits::LEAST_MIN_UPTIME {
            found.add(
                "min_uptime",
                format!(
                    "{} ms is less than the least of {} ms",
                    self.min_uptime.as_millis(),
                    Limits::LEAST_MIN_UPTIME.as_millis()
                ),
                "the unit is the millisecond",
            );
        }
    }

    fn check_files(&self, found: &mut Found) {
        for (field, path) in [
            ("out_file", &self.out_file),
            ("error_file", &self.error_file),
            ("log_file", &self.log_file),
            ("pid_file", &self.pid_file),
            ("defined_in", &self.defined_in),
        ] {
            if let Some(path) = path {
                absolute(found, field, path);
            }
        }
        if let Some(form) = &self.log_date_format {
            no_nul(found, "log_date_format", form);
        }
    }
}

/// A name must be able to be a word on a command line, a part of a file name and a line of a list.
fn name(found: &mut Found, field: &str, name: &str) {
    if name.trim().is_empty() {
        found.add(field, "is empty", "give it a name");
    } else if name.len() > Limits::NAME_BYTES {
        found.add(
            field,
            format!("has {} bytes", name.len()),
            format!("at most {} are possible", Limits::NAME_BYTES),
        );
    } else if name.chars().any(char::is_control) {
        found.add(field, "has control characters in it", "leave them out");
    } else if name == "all" {
        found.add(field, "`all` means every app", "choose another name");
    } else if name.starts_with('-') {
        found.add(
            field,
            "begins with `-` as options do",
            "choose another name",
        );
    } else if name.len() > 1 && name.starts_with('/') && name.ends_with('/') {
        found.add(
            field,
            "is written as a regular expression",
            "choose another name",
        );
    }
}

fn absolute(found: &mut Found, field: &str, path: &Path) {
    match path.to_str() {
        Some("") => found.add(field, "is missing", "give an absolute path"),
        Some(text) => {
            no_nul(found, field, text);
            if !path.is_absolute() {
                found.add(
                    field,
                    format!("{text:?} is a relative path"),
                    "use an absolute path",
                );
            }
        }
        None => found.add(
            field,
            format!("{path:?} is not UTF-8"),
            "rename it, or use a link to it",
        ),
    }
}

fn no_nul(found: &mut Found, field: &str, text: &str) {
    if text.contains('\0') {
        found.add(
            field,
            "has a NUL character in it",
            "the kernel takes no such text; leave the character out",
        );
    }
}

fn variable_name(found: &mut Found, field: &str, name: &str) {
    if name.is_empty() || name.contains(['=', '\0']) {
        found.add(
            field,
            format!("{name:?} cannot be the name of a variable"),
            "a name is not empty and has neither `=` nor NUL in it",
        );
    }
}
