//! `tine`: runs any server on every core behind one port, and keeps it running.
#![forbid(unsafe_code)]

mod args;
mod exit;
mod style;
mod verb;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else opens a descriptor: what is open now was given to us.
    let inherited = tine_daemon::inherited::take_inherited();
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(refused) => return refuse(&refused),
    };
    let code = match args.verb {
        args::Verb::Run(run) => verb::run::run(run, inherited.unwrap_or_default()),
    };
    code.into()
}

/// Help and version are answers, not errors; clap knows where each belongs.
fn refuse(refused: &clap::Error) -> ExitCode {
    let _ = refused.print();
    if !refused.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let hint = args::hint(refused);
    if !hint.is_empty() {
        eprintln!("hint: {hint}");
    }
    exit::USAGE.into()
}
