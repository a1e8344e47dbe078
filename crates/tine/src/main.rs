//! `tine`: runs any server on every core behind one port, and keeps it running.
#![forbid(unsafe_code)]

mod acting;
mod args;
mod asked;
mod daemon;
mod exit;
mod interrupt;
mod meant;
mod role;
mod show;
mod style;
mod trouble;
mod ui;
mod verb;

use args::{Args, Before};
use clap::Parser;
use std::process::ExitCode;
use ui::Ui;

fn main() -> ExitCode {
    // Before anything else is made: the keeper must stay small, and takes what it was given itself.
    if let Some(code) = role::played() {
        return code;
    }
    // Before anything else opens a descriptor: what is open now was given to us.
    let inherited = tine_daemon::inherited::take_inherited();
    let words = match args::in_order(std::env::args_os().collect()) {
        Before::Parse(words) => words,
        Before::BareVersion => return ended(ui::print(&format!("{}\n", verb::version::OWN))),
        Before::Nothing => {
            ui::talk(USAGE);
            return exit::USAGE.into();
        }
    };
    // Also for what is said about words that cannot be parsed.
    let mut own = words.iter().take_while(|word| *word != "--");
    if own.any(|word| word == "--no-color") {
        style::refuse_colours();
    }
    let args = match Args::try_parse_from(words) {
        Ok(args) => args,
        Err(refused) => return refuse(&refused),
    };
    let ui = Ui::new(args.silent);
    match verb::run(args.verb, inherited.unwrap_or_default(), ui) {
        Ok(code) => code.into(),
        Err(trouble) => {
            ui.error(&trouble);
            trouble.code.into()
        }
    }
}

fn ended(printed: Result<(), trouble::Trouble>) -> ExitCode {
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            Ui::new(false).error(&trouble);
            trouble.code.into()
        }
    }
}

/// Help and version are answers, not errors; clap knows where each belongs.
fn refuse(refused: &clap::Error) -> ExitCode {
    if !refused.use_stderr() {
        let _ = refused.print();
        return ExitCode::SUCCESS;
    }
    match args::refusal(refused) {
        Some(trouble) => {
            Ui::new(false).error(&trouble);
            trouble.code.into()
        }
        None => {
            let _ = refused.print();
            exit::USAGE.into()
        }
    }
}

/// What `tine` alone says.
const USAGE: &str = "\
tine runs servers and keeps them running.

  tine start app.js -i max     start an app, one process for each core
  tine list                    what runs
  tine logs web                what it writes
  tine reload web              replace its processes while it serves
  tine stop web                stop it; `tine delete web` forgets it
  tine save                    save the list, for `tine resurrect`
  tine run app.js              run an app in the foreground instead

`tine --help` lists all commands, `tine COMMAND --help` the options of one.
";
