//! One file for each verb.

mod apply;
mod attach;
mod check;
mod clear_dump;
mod completion;
mod conf;
mod delete;
mod describe;
mod doctor;
mod env;
mod flush;
mod get;
mod id;
mod init;
mod jlist;
mod kill;
pub(crate) mod list;
mod logs;
mod man;
mod multiset;
mod pid;
mod ping;
mod prettylist;
mod reload;
mod reload_logs;
mod report;
mod reset;
mod restart;
mod resurrect;
pub(crate) mod run;
mod save;
mod scale;
mod send;
pub(crate) mod serve;
mod set;
mod signal;
mod start;
mod start_or;
mod stop;
mod unset;
pub(crate) mod version;

use crate::args::Verb;
use crate::trouble::Trouble;
use crate::ui::Ui;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

/// Does what was said. `inherited` are the descriptors that whoever started us left open.
///
/// # Errors
/// Why it was not done.
pub(crate) fn run(verb: Verb, inherited: BTreeMap<i32, OwnedFd>, ui: Ui) -> Result<u8, Trouble> {
    match verb {
        Verb::Start(args) => start::run(&args, ui),
        Verb::Restart(args) => restart::run(&args, ui),
        Verb::Reload(args) => reload::run(&args, ui),
        Verb::Stop(args) => stop::run(&args, ui),
        Verb::Delete(args) => delete::run(&args, ui),
        Verb::Scale(args) => scale::run(&args, ui),
        Verb::List(args) => list::run(&args, ui),
        Verb::Describe(args) => describe::run(&args, ui),
        Verb::Logs(args) => logs::run(&args, ui),
        Verb::Run(args) => Ok(run::run(args, inherited, ui.silent)),
        Verb::Save(args) => save::run(&args, ui),
        Verb::Resurrect(waiting) => resurrect::run(waiting, ui),
        Verb::ClearDump(_) => clear_dump::run(ui),
        Verb::Init(args) => init::run(&args, ui),
        Verb::Check(args) => check::run(&args, ui),
        Verb::Apply(args) => apply::run(&args, ui),
        Verb::JList(_) => jlist::run(),
        Verb::PrettyList(_) => prettylist::run(),
        Verb::Env(args) => env::run(&args),
        Verb::Id(args) => id::run(&args),
        Verb::Pid(args) => pid::run(&args),
        Verb::Reset(args) => reset::run(&args, ui),
        Verb::Signal(args) => signal::run(&args, ui),
        Verb::Send(args) => send::run(&args, ui),
        Verb::Attach(args) => attach::run(&args, ui),
        Verb::Flush(args) => flush::run(&args, ui),
        Verb::ReloadLogs(_) => reload_logs::run(ui),
        Verb::Serve(args) => serve::run(&args, ui),
        Verb::StartOrRestart(args) => start_or::restart(&args, ui),
        Verb::StartOrReload(args) => start_or::reload(&args, ui),
        Verb::Set(args) => set::run(&args, ui),
        Verb::Get(args) => get::run(&args),
        Verb::Unset(args) => unset::run(&args, ui),
        Verb::Conf(args) | Verb::Config(args) => conf::run(args, ui),
        Verb::MultiSet(args) => multiset::run(&args, ui),
        Verb::Ping(args) => ping::run(args),
        Verb::Kill(_) => kill::run(ui),
        Verb::Version(args) => version::run(args),
        Verb::Report(args) => report::run(args),
        Verb::Doctor(args) => Ok(doctor::run(args.json)),
        Verb::Completion(args) => completion::run(&args),
        Verb::Man(args) => man::run(&args, ui),
    }
}
