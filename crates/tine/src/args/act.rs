//! What may be said to the verbs that do something to processes?

use super::app::AppOptions;
use super::words::{scale_to, signal_word};
use clap::Args as Arguments;
use tine_control::request::ScaleTo;

/// Start apps, or processes that are there and do not run.
///
/// A target is a script, a command in quotes, a process file (ecosystem.config.js, *.json, *.yaml,
/// tine.toml), `-` for a process file on standard input, or the name, namespace or id of what is
/// there already. Without a target it is the process file of this folder. What runs already is
/// left as it is.
#[derive(Debug, Arguments)]
#[command(after_help = ACTED)]
pub(crate) struct Start {
    /// Scripts, process files, names, ids or namespaces.
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,

    /// Arguments for the script, after `--`.
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub(crate) arguments: Vec<String>,

    #[command(flatten)]
    pub(crate) file: FileOptions,

    /// Start even if an app of this name is there, as further processes of it.
    #[arg(short, long)]
    pub(crate) force: bool,

    /// Give what is there already the variables of this shell.
    #[arg(short = 'a', long)]
    pub(crate) update_env: bool,

    #[command(flatten)]
    pub(crate) waiting: Waiting,

    #[command(flatten)]
    pub(crate) after: After,

    #[command(flatten)]
    pub(crate) app: AppOptions,
}

/// Restart processes; start those that do not run.
///
/// With options of an app, its processes have these from now on. With a process file, its apps
/// become what the file says, and those that are not there are started.
#[derive(Debug, Arguments)]
#[command(after_help = ACTED)]
pub(crate) struct Restart {
    /// Names, ids, namespaces, /regex/, `all`, or process files.
    #[arg(value_name = "TARGET", required = true)]
    pub(crate) targets: Vec<String>,

    /// New arguments for the script, after `--`.
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub(crate) arguments: Vec<String>,

    #[command(flatten)]
    pub(crate) file: FileOptions,

    /// Give the apps the variables of this shell.
    #[arg(short = 'a', long)]
    pub(crate) update_env: bool,

    /// How many processes at the same time.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) parallel: Option<u32>,

    #[command(flatten)]
    pub(crate) waiting: Waiting,

    #[command(flatten)]
    pub(crate) after: After,

    #[command(flatten)]
    pub(crate) app: AppOptions,
}

/// Replace processes one after another while their app goes on serving.
///
/// With options of an app, its new processes have these. With a process file, its apps become what
/// the file says, and those that are not there are started.
#[derive(Debug, Arguments)]
#[command(after_help = ACTED)]
pub(crate) struct Reload {
    /// Give up a reload of the same app that is under way.
    #[arg(short, long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) restart: Restart,
}

/// Start the apps of a process file, and restart or reload those that are there.
#[derive(Debug, Arguments)]
#[command(after_help = ACTED)]
pub(crate) struct StartOr {
    /// The process file, or `-`.
    #[arg(value_name = "FILE")]
    pub(crate) path: String,

    #[command(flatten)]
    pub(crate) file: FileOptions,

    #[command(flatten)]
    pub(crate) waiting: Waiting,

    #[command(flatten)]
    pub(crate) after: After,
}

/// What is chosen from a process file.
#[derive(Debug, Clone, Default, Arguments)]
#[command(next_help_heading = "Process files")]
pub(crate) struct FileOptions {
    /// Only these apps of a process file.
    #[arg(long, value_name = "NAMES")]
    pub(crate) only: Vec<String>,

    /// Take the variables of `env_NAME` too.
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
}

impl FileOptions {
    /// The names after `--only`.
    pub(crate) fn names(&self) -> Vec<String> {
        super::words::names(&self.only)
    }
}

/// Whether the command waits.
#[derive(Debug, Clone, Copy, Default, Arguments)]
pub(crate) struct Waiting {
    /// Do not wait until it has happened.
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// Print the daemon's answer as JSON instead of the list.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What comes at the end.
#[derive(Debug, Clone, Copy, Default, Arguments)]
pub(crate) struct After {
    /// Then show what the processes write, until Ctrl-C.
    #[arg(long, conflicts_with_all = ["no_wait", "json"])]
    pub(crate) attach: bool,
}

/// Stop processes; they stay in the list.
#[derive(Debug, Arguments)]
#[command(after_help = ACTED)]
pub(crate) struct Stop {
    /// Names, ids, namespaces, /regex/, `all`, or process files.
    #[arg(value_name = "TARGET", required = true)]
    pub(crate) targets: Vec<String>,

    /// Only these apps of a process file.
    #[arg(long, value_name = "NAMES")]
    pub(crate) only: Vec<String>,

    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// Change how many processes an app has.
#[derive(Debug, Arguments)]
#[command(after_help = ACTED)]
pub(crate) struct Scale {
    /// The app.
    #[arg(value_name = "APP")]
    pub(crate) target: String,

    /// 4 for exactly four, +2 for two more, -1 for one less, max for one per core.
    #[arg(value_name = "N", allow_hyphen_values = true, value_parser = scale_to)]
    pub(crate) to: ScaleTo,

    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// Set the counters of restarts back to zero.
#[derive(Debug, Arguments)]
pub(crate) struct Reset {
    /// Names, ids, namespaces, /regex/ or `all`.
    #[arg(value_name = "TARGET", required = true)]
    pub(crate) targets: Vec<String>,

    /// Print the daemon's answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Send a signal to processes; to each of them alone, not to its descendants.
#[derive(Debug, Arguments)]
pub(crate) struct Signal {
    /// Such as SIGUSR2.
    #[arg(value_name = "SIGNAL", value_parser = signal_word)]
    pub(crate) signal: String,

    /// Names, ids, namespaces, /regex/ or `all`.
    #[arg(value_name = "TARGET", required = true)]
    pub(crate) targets: Vec<String>,

    /// Print the daemon's answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write a line to the standard input of a process.
#[derive(Debug, Arguments)]
pub(crate) struct Send {
    /// The name or id.
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,

    /// The text; a newline is added.
    #[arg(value_name = "LINE", allow_hyphen_values = true)]
    pub(crate) line: String,
}

/// Show what a process writes, and send it what is typed, until Ctrl-C.
#[derive(Debug, Arguments)]
pub(crate) struct Attach {
    /// The name or id.
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
}

const ACTED: &str = "Exit codes: 0 done, 1 some of it failed, 2 wrong usage, 3 cannot be started, \
                     4 refused by the system, 5 not found, 6 no daemon, 130 Ctrl-C while waiting \
                     (what was begun goes on)";
