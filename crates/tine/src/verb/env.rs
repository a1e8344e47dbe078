//! `tine env`: the environment of a process, as it was given to it.

use crate::args::see::Env;
use crate::daemon;
use crate::exit;
use crate::show::words::harmless;
use crate::trouble::Trouble;
use crate::ui;
use std::fmt::Write as _;
use std::io::IsTerminal;
use tine_control::request;

pub(crate) fn run(args: &Env) -> Result<u8, Trouble> {
    let words = std::slice::from_ref(&args.target);
    let mut client = daemon::for_targets(words)?;
    let listed = client.ask(&request::List {
        target: daemon::target(words),
    })?;
    let Some(first) = listed.processes.first() else {
        return Err(Trouble::new(
            exit::NOT_FOUND,
            format!("no process is called {:?}", args.target),
        ));
    };
    let answer = client.ask(&request::Env { process: first.id })?;
    if args.json {
        ui::print_json(&answer.env)?;
        return Ok(exit::DONE);
    }
    let on_terminal = std::io::stdout().is_terminal();
    let mut text = String::new();
    for (name, value) in answer.env.iter() {
        if on_terminal {
            let _ = writeln!(text, "{}: {}", harmless(name), harmless(value));
        } else {
            let _ = writeln!(text, "{name}: {value}");
        }
    }
    ui::print(&text)?;
    Ok(exit::DONE)
}
