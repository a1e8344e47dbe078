//! What may be said on the command line? Plain data; nothing is looked up here.

pub(crate) mod act;
pub(crate) mod app;
pub(crate) mod keep;
mod missing;
mod order;
mod refuse;
pub(crate) mod run;
pub(crate) mod see;
pub(crate) mod serve;
pub(crate) mod words;

pub(crate) use order::{Before, in_order};
pub(crate) use refuse::refusal;
pub(crate) use run::{BalanceWord, Run};

use clap::{Parser, Subcommand};

/// Run any server on every core behind one port, and keep it running.
#[derive(Debug, Parser)]
#[command(
    name = "tine",
    version,
    disable_help_subcommand = true,
    subcommand_required = true
)]
pub(crate) struct Args {
    /// Print nothing but errors and the data that was asked for.
    #[arg(short, long, global = true)]
    pub(crate) silent: bool,

    /// No colours.
    #[arg(long, global = true)]
    pub(crate) no_color: bool,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Every verb, in the order of the help.
#[derive(Debug, Subcommand)]
// Only the options of the verb that is asked for are made: that is most of the time of a start.
#[command(defer = true)]
pub(crate) enum Verb {
    /// Start apps, or processes that are there and do not run.
    Start(act::Start),
    /// Stop processes and start them again.
    Restart(act::Restart),
    /// Replace processes one after another while their app goes on serving.
    Reload(act::Reload),
    /// Stop processes; they stay in the list.
    Stop(act::Stop),
    /// Stop processes and take them from the list.
    #[command(visible_alias = "del")]
    Delete(act::Stop),
    /// Change how many processes an app has.
    Scale(act::Scale),

    /// List the processes.
    #[command(visible_aliases = ["ls", "l", "ps", "status"])]
    List(see::List),
    /// Everything that is known of processes: files, figures, how they ended.
    #[command(visible_aliases = ["desc", "info", "show"])]
    Describe(see::Describe),
    /// Show what processes have written, and follow it.
    #[command(visible_alias = "log")]
    Logs(see::Logs),

    /// Run an app in the foreground until Ctrl-C.
    Run(Run),

    /// Save the list, for `tine resurrect`.
    #[command(visible_alias = "dump")]
    Save(keep::Save),
    /// Start what was saved and is not in the list.
    Resurrect(act::Waiting),
    /// Empty what was saved.
    #[command(name = "cleardump")]
    ClearDump(keep::Bare),

    /// Write a process file to begin with.
    #[command(visible_alias = "ecosystem")]
    Init(keep::Init),
    /// Say what is wrong with a process file.
    Check(keep::Check),
    /// Make the list what a process file says, after showing the difference.
    Apply(keep::Apply),

    /// The list as JSON, in the form of PM2.
    #[command(name = "jlist")]
    JList(keep::Bare),
    /// The list as text of JavaScript, in the form of PM2.
    #[command(name = "prettylist")]
    PrettyList(keep::Bare),
    /// The environment of a process, as it was given to it.
    Env(see::Env),
    /// The ids of the processes of an app.
    Id(see::Id),
    /// The process ids of an app, or of the daemon.
    Pid(see::Pid),

    /// Set the counters of restarts back to zero.
    Reset(act::Reset),
    /// Send a signal to processes.
    #[command(name = "sendSignal", visible_aliases = ["signal", "send-signal"])]
    Signal(act::Signal),
    /// Write a line to the standard input of a process.
    Send(act::Send),
    /// Show what a process writes, and send it what is typed.
    Attach(act::Attach),
    /// Empty the log files of processes.
    Flush(see::Flush),
    /// Open all log files anew, after somebody has moved them away.
    #[command(name = "reloadLogs", visible_alias = "reload-logs")]
    ReloadLogs(keep::Bare),

    /// Serve a folder over HTTP, as an app like any other.
    #[command(visible_alias = "expose")]
    Serve(serve::Serve),

    /// Start the apps of a process file, and restart those that are there.
    #[command(name = "startOrRestart", visible_alias = "start-or-restart")]
    StartOrRestart(act::StartOr),
    /// Start the apps of a process file, and reload those that are there.
    #[command(
        name = "startOrReload",
        visible_alias = "start-or-reload",
        alias = "startOrGracefulReload"
    )]
    StartOrReload(act::StartOr),

    /// Write a setting.
    Set(keep::Set),
    /// Read a setting, or all below a name, or all.
    Get(keep::Get),
    /// Remove a setting, or all below a name, or `all`.
    Unset(keep::Unset),
    /// All settings; with a key and a value as `config`.
    Conf(keep::Config),
    /// Read or write a setting.
    Config(keep::Config),
    /// Write several settings.
    #[command(name = "multiset")]
    MultiSet(keep::MultiSet),

    /// Is the daemon there?
    Ping(keep::Plain),
    /// Stop all processes and end the daemon.
    Kill(keep::Bare),
    /// The versions of this program and of the daemon.
    Version(keep::Plain),
    /// Facts for a report of a fault.
    Report(keep::Plain),
    /// What this machine permits, and what helps where it does not.
    Doctor(keep::Plain),

    /// Print what a shell needs to complete words.
    #[command(visible_alias = "completions")]
    Completion(keep::Completion),
    /// Write the manual pages.
    Man(keep::Man),
}
