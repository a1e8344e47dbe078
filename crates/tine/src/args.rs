//! What may be said on the command line? Plain data; nothing is looked up here.

pub(crate) mod act;
pub(crate) mod app;
pub(crate) mod keep;
mod missing;
mod order;
mod refuse;
pub(crate) mod run;
pub(crate) mod see;
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
    Start(act::Start),
    Restart(act::Restart),
    Reload(act::Reload),
    Stop(act::Stop),
    /// Stop processes and take them from the list.
    #[command(visible_alias = "del")]
    Delete(act::Stop),
    Scale(act::Scale),

    #[command(visible_aliases = ["ls", "l", "ps", "status"])]
    List(see::List),
    #[command(visible_aliases = ["desc", "info", "show"])]
    Describe(see::Describe),
    #[command(visible_alias = "log")]
    Logs(see::Logs),

    Run(Run),

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
    Check(keep::Check),
    Apply(keep::Apply),

    /// The list as JSON, in the form of PM2.
    #[command(name = "jlist")]
    JList(keep::Bare),
    /// The list as text of JavaScript, in the form of PM2.
    #[command(name = "prettylist")]
    PrettyList(keep::Bare),
    Env(see::Env),
    Id(see::Id),
    Pid(see::Pid),

    Reset(act::Reset),
    #[command(name = "sendSignal", visible_aliases = ["signal", "send-signal"])]
    Signal(act::Signal),
    Send(act::Send),
    Attach(act::Attach),
    Flush(see::Flush),
    /// Open all log files anew, after somebody has moved them away.
    #[command(name = "reloadLogs", visible_alias = "reload-logs")]
    ReloadLogs(keep::Bare),

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

    Set(keep::Set),
    Get(keep::Get),
    Unset(keep::Unset),
    /// All settings; with a key and a value as `config`.
    Conf(keep::Config),
    Config(keep::Config),
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

    #[command(visible_alias = "completions")]
    Completion(keep::Completion),
    Man(keep::Man),
}
