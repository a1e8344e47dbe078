//! What is an app? The form in which it is sent, stored and shown.
//!
//! An [`AppSpec`] is *canonical*: paths are absolute, the mode and the environment are decided, a
//! command with spaces has become a shell with `-c`. Whoever makes one (the command line, the
//! reader of process files, another client) has done that; the daemon does not guess.
//!
//! In JSON every field but `name`, `script` and `cwd` may be left out and then has its default;
//! fields that are not known are ignored, so that an older daemon reads what a newer one wrote.
//! Times are whole milliseconds. A 0, a `false` or an empty list means what it says; *not given* is
//! `null` or absence, and only where the field's description says what that means.

mod change;
mod check;
#[cfg(feature = "schema")]
mod schema;
mod variables;
pub(crate) mod words;

pub use change::Changes;
pub use check::{Limits, Problem};
#[cfg(feature = "schema")]
pub use schema::schema;
pub use variables::Variables;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use tine_rules::Instances;

/// The namespace of an app that names none.
pub const DEFAULT_NAMESPACE: &str = "default";
/// The environment variable with the number of the instance, as in PM2.
pub const DEFAULT_INSTANCE_VAR: &str = "NODE_APP_INSTANCE";
/// The file that means: write no file.
pub const NO_FILE: &str = "/dev/null";

/// One app: a program, how many processes of it, and how they are kept running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct AppSpec {
    /// What the app is called; unique among the apps of one daemon.
    pub name: String,
    /// The group it belongs to. Default: `default`.
    pub namespace: String,

    /// The absolute path of the program, or of the script that the interpreter runs.
    pub script: PathBuf,
    /// The arguments after the script. Default: none.
    pub args: Vec<String>,
    /// What runs the script: an absolute path, or a name that is looked for in the `PATH` of the
    /// app's environment at every start. Not given: the script is executed itself.
    pub interpreter: Option<String>,
    /// The arguments between the interpreter and the script. Default: none.
    pub interpreter_args: Vec<String>,
    /// The absolute path of the folder the app runs in.
    pub cwd: PathBuf,

    /// The variables that were asked for by the process file or the command line. They win over
    /// `inherited_env`. Default: none.
    pub env: Variables,
    /// The variables of the shell that started the app, after `filter_env`; this is what
    /// `--update-env` renews. Default: none.
    pub inherited_env: Variables,
    /// Which variables of the shell do not reach the app: `true` all, a string the one of that
    /// name, a list those whose names contain one of its words. Default: `false`.
    pub filter_env: FilterEnv,
    /// The port for the environment variable `PORT`; it wins over `env`. Not given: `PORT` is left
    /// as it is.
    pub port: Option<u16>,
    /// The environment variable that tells an instance its number, counted from 0. Default:
    /// `NODE_APP_INSTANCE`.
    pub instance_var: String,
    /// An environment variable with a whole number that is raised by one for every further
    /// instance. Not given: none.
    pub increment_var: Option<String>,

    /// How many processes: a number, `"max"` or 0 for one per core, -1 for one fewer than there
    /// are cores (but at least one). Default: 1.
    #[serde(with = "words::instances")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "words::instances::schema"))]
    pub instances: Instances,
    /// `cluster`: the processes share their ports; `fork`: each stands alone. Default: `fork`.
    pub exec_mode: ExecMode,
    /// How connections are shared among the processes of a cluster. Default: `auto`.
    pub balance: Balance,

    /// Whether the app is started by `start` and `resurrect`; else it is only listed, as stopped.
    /// Default: true.
    pub autostart: bool,
    /// Whether a process that ended is replaced. Default: true.
    pub autorestart: bool,
    /// How many starts in a row may fail before the process is given up as errored; 0: the first
    /// failure is the last. Default: 16.
    pub max_restarts: u32,
    /// Milliseconds that a process must live for its start not to count as failed; at least 100.
    /// Default: 1000.
    #[serde(with = "words::milliseconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub min_uptime: Duration,
    /// Milliseconds before a process that ended is replaced. Default: 0.
    #[serde(with = "words::milliseconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub restart_delay: Duration,
    /// Milliseconds before the first replacement, growing by half with each one that follows, up
    /// to 15 seconds. Takes the place of `restart_delay`. Not given: no such growth.
    #[serde(with = "words::milliseconds_or_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub exp_backoff_restart_delay: Option<Duration>,
    /// Exit codes (0 to 255) after which a process is not replaced. Default: none.
    pub stop_exit_codes: Vec<i32>,

    /// The signal that asks a process to end, by name. Default: `SIGINT`.
    pub stop_signal: String,
    /// Milliseconds from the request to end until SIGKILL; 0: at once. Default: 1600.
    #[serde(with = "words::milliseconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub kill_timeout: Duration,
    /// Whether a process with a channel is asked to end by the message `shutdown` instead of the
    /// signal. Default: false.
    pub shutdown_with_message: bool,
    /// Whether the descendants of a process are asked and ended with it. Default: true.
    pub treekill: bool,

    /// Whether a process counts as online only when it has sent the message `ready`. Default:
    /// false.
    pub wait_ready: bool,
    /// Milliseconds that a process has to become ready (or to listen) when somebody waits for it.
    /// Default: 3000.
    #[serde(with = "words::milliseconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub listen_timeout: Duration,

    /// The absolute path of the file for standard output; `/dev/null`: no file. Not given:
    /// `NAME-out.log` in the daemon's folder of logs.
    pub out_file: Option<PathBuf>,
    /// The absolute path of the file for standard error; `/dev/null`: no file. Not given:
    /// `NAME-error.log` in the daemon's folder of logs.
    pub error_file: Option<PathBuf>,
    /// The absolute path of a file for both, besides the two. Not given: no such file.
    pub log_file: Option<PathBuf>,
    /// The absolute path of the file with the number of the process. Not given: `NAME-ID.pid` in
    /// the daemon's folder of pid files.
    pub pid_file: Option<PathBuf>,
    /// Whether all instances write to the same files; else each file name has the id of the
    /// process in it. Not given: true for one process in `fork` mode, else false.
    pub merge_logs: Option<bool>,
    /// How a line is written to the files: as it is, or as a JSON object. Default: `raw`.
    pub log_type: LogType,
    /// The form of the date before each line, in the letters of dayjs such as
    /// `YYYY-MM-DD HH:mm:ss`. Not given: no date.
    pub log_date_format: Option<String>,
    /// Whether output is thrown away: no files, and nothing for those who follow. Default: false.
    pub disable_logs: bool,

    /// The user to run as, by name or number; only root may. Not given: the daemon's user.
    pub uid: Option<String>,
    /// The group to run as, by name or number; only root may. Not given: the group of `uid`, or
    /// the daemon's.
    pub gid: Option<String>,
    /// Whether Node is told to map stack traces to the sources (`--enable-source-maps`). Not
    /// given: as Node does by itself.
    pub source_map_support: Option<bool>,

    /// The absolute path of the process file that the app comes from. Not given: none, it was
    /// started by a command.
    pub defined_in: Option<PathBuf>,
}

impl Default for AppSpec {
    /// An app without name, script and folder, and otherwise with the figures of PM2. This is the
    /// one place where defaults are written down.
    fn default() -> Self {
        AppSpec {
            name: String::new(),
            namespace: DEFAULT_NAMESPACE.to_owned(),
            script: PathBuf::new(),
            args: Vec::new(),
            interpreter: None,
            interpreter_args: Vec::new(),
            cwd: PathBuf::new(),
            env: Variables::default(),
            inherited_env: Variables::default(),
            filter_env: FilterEnv::default(),
            port: None,
            instance_var: DEFAULT_INSTANCE_VAR.to_owned(),
            increment_var: None,
            instances: Instances::Exactly(std::num::NonZeroUsize::MIN),
            exec_mode: ExecMode::default(),
            balance: Balance::default(),
            autostart: true,
            autorestart: true,
            max_restarts: 16,
            min_uptime: Duration::from_millis(1000),
            restart_delay: Duration::ZERO,
            exp_backoff_restart_delay: None,
            stop_exit_codes: Vec::new(),
            stop_signal: "SIGINT".to_owned(),
            kill_timeout: Duration::from_millis(1600),
            shutdown_with_message: false,
            treekill: true,
            wait_ready: false,
            listen_timeout: Duration::from_millis(3000),
            out_file: None,
            error_file: None,
            log_file: None,
            pid_file: None,
            merge_logs: None,
            log_type: LogType::default(),
            log_date_format: None,
            disable_logs: false,
            uid: None,
            gid: None,
            source_map_support: None,
            defined_in: None,
        }
    }
}

impl AppSpec {
    /// An app with the defaults of everything that need not be said. `script` and `cwd` are
    /// absolute; [`check`](Self::check) says so if they are not.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        script: impl Into<PathBuf>,
        cwd: impl Into<PathBuf>,
    ) -> Self {
        AppSpec {
            name: name.into(),
            script: script.into(),
            cwd: cwd.into(),
            ..AppSpec::default()
        }
    }

    /// The environment that every process of the app gets, before what differs among them:
    /// `inherited_env`, over it `env`, over it `PORT` if a port is given.
    #[must_use]
    pub fn environment(&self) -> Variables {
        let mut all = self.inherited_env.clone();
        all.extend(self.env.clone());
        if let Some(port) = self.port {
            all.insert("PORT".to_owned(), port.to_string());
        }
        all
    }

    /// Whether all instances write to the same files, with the default applied.
    #[must_use]
    pub fn merges_logs(&self) -> bool {
        self.merge_logs.unwrap_or_else(|| {
            self.exec_mode == ExecMode::Fork
                && self.instances.resolve(2) == 1
                && matches!(self.instances, Instances::Exactly(_))
        })
    }
}

/// How the processes of an app stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExecMode {
    /// Each process stands alone.
    #[default]
    #[serde(alias = "fork_mode")]
    Fork,
    /// The processes are workers of a cluster and share their ports.
    #[serde(alias = "cluster_mode")]
    Cluster,
}

/// How new connections are shared among the processes of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// `kernel` where the machine permits exact turns in the kernel, else `rr`.
    #[default]
    Auto,
    /// The daemon accepts and passes connections on in exact turns, as Node's cluster does.
    Rr,
    /// As `rr`, but to the process that holds the fewest connections.
    Least,
    /// One socket from which all processes accept.
    Shared,
    /// A socket for each process; the kernel chooses among them.
    Kernel,
    /// As `kernel`, but one client address always reaches the same process.
    Sticky,
}

/// How a line is written to a log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogType {
    /// As the process wrote it.
    #[default]
    Raw,
    /// As a JSON object with message, time, stream, process and app.
    Json,
}

/// Which variables of the shell do not reach an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum FilterEnv {
    /// `true`: none of them reaches it; `false`: all do.
    All(bool),
    /// The one of exactly this name does not.
    Named(String),
    /// Those whose names contain one of these words do not.
    Containing(Vec<String>),
}

impl Default for FilterEnv {
    fn default() -> Self {
        FilterEnv::All(false)
    }
}

impl FilterEnv {
    /// Whether the variable of this name is kept from the app.
    #[must_use]
    pub fn drops(&self, name: &str) -> bool {
        match self {
            FilterEnv::All(all) => *all,
            FilterEnv::Named(one) => one == name,
            FilterEnv::Containing(words) => words.iter().any(|word| name.contains(word.as_str())),
        }
    }
}
