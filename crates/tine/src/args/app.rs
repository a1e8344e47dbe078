//! What may be said of an app on the command line?

use super::run::BalanceWord;
use super::words::{milliseconds, signal_word, time};
use clap::{ArgAction, Args as Arguments, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use tine_daemon::rules::Instances;

/// Each of them means the field of the same name in a process file.
#[derive(Debug, Clone, Default, Arguments)]
#[command(next_help_heading = "The app")]
pub(crate) struct AppOptions {
    /// What the app is called; its file name if not given.
    #[arg(short, long)]
    pub(crate) name: Option<String>,

    /// The group it belongs to.
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,

    /// How many processes: a number, `max` or 0 for one per core, -1 for one less.
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) instances: Option<Instances>,

    /// How new connections are shared among the processes of a cluster.
    #[arg(long, value_name = "HOW")]
    pub(crate) balance: Option<BalanceWord>,

    /// Run each process by itself, even with -i and Node (fork mode).
    #[arg(short = 'x', long)]
    pub(crate) execute_command: bool,

    /// `cluster`: the processes share their ports, also with one process, and for programs made with
    /// tine-cluster; `fork`: each by itself.
    #[arg(long, value_name = "MODE", conflicts_with = "execute_command")]
    pub(crate) exec_mode: Option<ExecModeWord>,

    /// What runs the script: `node`, `python3`, a path, or `none` to execute it directly.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) interpreter: Option<String>,

    /// Arguments for the interpreter, before the script; `null` removes those of a known app.
    #[arg(
        long,
        visible_alias = "node-args",
        value_name = "ARGS",
        allow_hyphen_values = true
    )]
    pub(crate) interpreter_args: Option<String>,

    /// The folder it runs in, and where relative paths begin.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) cwd: Option<PathBuf>,

    /// Run as this user (only root may).
    #[arg(long, short = 'u', visible_alias = "user", value_name = "USER")]
    pub(crate) uid: Option<String>,

    /// Run as this group (only root may).
    #[arg(long, value_name = "GROUP")]
    pub(crate) gid: Option<String>,

    /// Keep variables of the shell from the app whose names contain this; may be repeated.
    #[arg(long, value_name = "TEXT", action = ArgAction::Append)]
    pub(crate) filter_env: Vec<String>,

    #[command(flatten)]
    pub(crate) life: Life,

    #[command(flatten)]
    pub(crate) logs: LogFiles,

    #[command(flatten)]
    pub(crate) needless: Needless,
}

/// How long it lives.
#[derive(Debug, Clone, Default, Arguments)]
#[command(next_help_heading = "Its life")]
pub(crate) struct Life {
    /// Only list the app, as stopped.
    #[arg(long)]
    pub(crate) no_autostart: bool,

    /// Do not replace processes that end.
    #[arg(long)]
    pub(crate) no_autorestart: bool,

    /// Starts in a row that may fail before a process is given up.
    #[arg(long, value_name = "N")]
    pub(crate) max_restarts: Option<u32>,

    /// How long a process must live for its start not to count as failed.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) min_uptime: Option<Duration>,

    /// Milliseconds before a process that ended is replaced.
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    pub(crate) restart_delay: Option<Duration>,

    /// Milliseconds before the first replacement, growing with each that follows.
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    pub(crate) exp_backoff_restart_delay: Option<Duration>,

    /// Exit codes after which a process is not replaced.
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    pub(crate) stop_exit_codes: Vec<i32>,

    /// Milliseconds that a process has to leave before it is killed.
    #[arg(short, long, value_name = "MS", value_parser = milliseconds)]
    pub(crate) kill_timeout: Option<Duration>,

    /// The signal that asks a process to leave.
    #[arg(long, value_name = "SIGNAL", value_parser = signal_word)]
    pub(crate) stop_signal: Option<String>,

    /// Ask a process to leave by the message `shutdown` instead of a signal.
    #[arg(long)]
    pub(crate) shutdown_with_message: bool,

    /// Ask and end the process alone, not its descendants.
    #[arg(long)]
    pub(crate) no_treekill: bool,

    /// It is up when it has sent the message `ready`.
    #[arg(long)]
    pub(crate) wait_ready: bool,

    /// Milliseconds that a process has to become ready or to listen.
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    pub(crate) listen_timeout: Option<Duration>,

    /// Let Node map stack traces to the sources.
    #[arg(long, conflicts_with = "disable_source_map_support")]
    pub(crate) source_map_support: bool,

    /// Do not let Node map stack traces to the sources.
    #[arg(long)]
    pub(crate) disable_source_map_support: bool,

    /// The file for the number of the process.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) pid: Option<PathBuf>,
}

/// Where its output goes.
#[derive(Debug, Clone, Default, Arguments)]
#[command(next_help_heading = "Its logs")]
pub(crate) struct LogFiles {
    /// The file for standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// The file for standard error.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) error: Option<PathBuf>,

    /// A file for both besides the two; without a name, NAME.log in the folder of logs.
    #[arg(short, long, value_name = "FILE", num_args = 0..=1)]
    pub(crate) log: Option<Option<PathBuf>>,

    /// All processes of the app write to the same files.
    #[arg(long)]
    pub(crate) merge_logs: bool,

    /// How lines are written to the files.
    #[arg(long, value_name = "TYPE")]
    pub(crate) log_type: Option<LogTypeWord>,

    /// A date before each line, in letters such as `YYYY-MM-DD HH:mm:ss`.
    #[arg(long, value_name = "FORM")]
    pub(crate) log_date_format: Option<String>,

    /// The same as --log-date-format YYYY-MM-DDTHH:mm:ss.
    #[arg(long, conflicts_with = "log_date_format")]
    pub(crate) time: bool,

    /// Throw all output away.
    #[arg(long)]
    pub(crate) disable_logs: bool,
}

/// Options of PM2 without which nothing is lost; a warning says so.
#[derive(Debug, Clone, Default, Arguments)]
pub(crate) struct Needless {
    #[arg(long, hide = true)]
    pub(crate) no_vizion: bool,
    #[arg(long, hide = true)]
    pub(crate) no_pmx: bool,
    #[arg(long, hide = true)]
    pub(crate) no_automation: bool,
    #[arg(long, hide = true)]
    pub(crate) disable_trace: bool,
    #[arg(long, short = 'w', hide = true)]
    pub(crate) write: bool,
}

impl Needless {
    /// Those that were given, as PM2 has them.
    pub(crate) fn given(&self) -> impl Iterator<Item = &'static str> + use<> {
        let all = [
            (self.no_vizion, "--no-vizion"),
            (self.no_pmx, "--no-pmx"),
            (self.no_automation, "--no-automation"),
            (self.disable_trace, "--disable-trace"),
            (self.write, "--write"),
        ];
        all.into_iter()
            .filter_map(|(given, option)| given.then_some(option))
    }
}

/// How lines are written to log files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogTypeWord {
    /// As they are.
    Raw,
    /// As JSON objects.
    Json,
}

/// The word for how processes stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ExecModeWord {
    /// Each by itself.
    #[value(alias = "fork_mode")]
    Fork,
    /// They share their ports.
    #[value(alias = "cluster_mode")]
    Cluster,
}
