//! What may be said to `tine run`?

use super::words::{milliseconds, signal};
use clap::{Args as Arguments, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use tine_daemon::rules::Instances;

/// Run an app in the foreground until Ctrl-C.
///
/// With -i the processes are workers of a cluster: they share their ports, and one that dies is
/// replaced at once. An unmodified Node program needs nothing for it. Without -i one plain process
/// is run and kept running.
#[derive(Debug, Arguments)]
#[command(
    after_help = "Exit codes: 0 stopped as asked or finished, 1 the app was given up, \
                        2 wrong usage, 3 cannot be started, 4 refused by the kernel, \
                        130 forced by a second Ctrl-C"
)]
pub(crate) struct Run {
    /// The script or command; a command with spaces is split as a shell would.
    #[arg(value_name = "SCRIPT_OR_COMMAND")]
    pub(crate) command: String,

    /// Its arguments, after `--`.
    #[arg(last = true)]
    pub(crate) arguments: Vec<String>,

    /// How many workers: a number, `max` or 0 for one per core, -1 for one less.
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) instances: Option<Instances>,

    /// How new connections are shared among the workers.
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) balance: BalanceWord,

    /// What the app is called; its file name if not given.
    #[arg(short, long)]
    pub(crate) name: Option<String>,

    /// The folder it runs in.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) cwd: Option<PathBuf>,

    /// What runs the script: `node`, `bun`, `deno`, a path, or `none` to execute it directly.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) interpreter: Option<String>,

    /// Arguments for the interpreter, before the script.
    #[arg(
        long,
        visible_alias = "node-args",
        value_name = "ARGS",
        allow_hyphen_values = true
    )]
    pub(crate) interpreter_args: Option<String>,

    /// Milliseconds that a worker has to leave before it is killed.
    #[arg(short, long, value_name = "MS", default_value = "1600", value_parser = milliseconds)]
    pub(crate) kill_timeout: Duration,

    /// The signal that asks a worker to leave.
    #[arg(long, value_name = "SIGNAL", default_value = "SIGINT", value_parser = signal)]
    pub(crate) stop_signal: i32,

    /// Starts in a row that may fail before a worker is given up.
    #[arg(long, value_name = "N", default_value = "16")]
    pub(crate) max_restarts: u32,

    /// Milliseconds that a worker must live for its start not to count as failed.
    #[arg(long, value_name = "MS", default_value = "1000", value_parser = milliseconds)]
    pub(crate) min_uptime: Duration,

    /// Milliseconds before a worker that ended is replaced.
    #[arg(long, value_name = "MS", default_value = "0", value_parser = milliseconds)]
    pub(crate) restart_delay: Duration,

    /// Do not replace workers that end.
    #[arg(long)]
    pub(crate) no_autorestart: bool,

    /// Exit codes after which a worker is not replaced.
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    pub(crate) stop_exit_codes: Vec<i32>,
}

/// The word for a way to balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BalanceWord {
    /// `kernel` where it can give exact turns, else `rr`.
    Auto,
    /// The primary accepts and passes connections on in exact turns, as Node's cluster does.
    Rr,
    /// As rr, but to the worker that holds the fewest connections.
    Least,
    /// One socket, all workers accept from it (Node's SCHED_NONE).
    Shared,
    /// A socket for each worker; the kernel chooses, and no process of ours is on the way.
    Kernel,
    /// As kernel, but one client address always reaches the same worker.
    Sticky,
}
