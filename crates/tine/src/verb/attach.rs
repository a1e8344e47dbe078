//! `tine attach`: shows what a process writes, and sends it what is typed.

use crate::args::act::Attach;
use crate::daemon;
use crate::exit;
use crate::show::line::{Form, Lines};
use crate::trouble::Trouble;
use crate::ui::Ui;
use std::io::BufRead;
use tine_control::client::{ClientError, Sender};
use tine_control::line::ServerLine;
use tine_control::request::{self, List};
use tine_control::{Note, Target};

pub(crate) fn run(args: &Attach, ui: Ui) -> Result<u8, Trouble> {
    let words = std::slice::from_ref(&args.target);
    let mut client = daemon::for_targets(words)?;
    let listed = client.ask(&List {
        target: daemon::target(words),
    })?;
    let id = match listed.processes.as_slice() {
        [] => {
            return Err(Trouble::new(
                exit::NOT_FOUND,
                format!("no process is called {:?}", args.target),
            ));
        }
        [one] => one.id,
        several => {
            let ids: Vec<String> = several.iter().map(|one| one.id.to_string()).collect();
            return Err(Trouble::usage(format!(
                "{:?} means {} processes",
                args.target,
                several.len()
            ))
            .hint(format!("attach to one of the ids {}", ids.join(", "))));
        }
    };
    // Lines come when they come.
    client.set_limit(None);
    let sender = client.sender()?;
    let attached = client.send(&request::Attach { process: id })?;
    std::thread::Builder::new()
        .name("keyboard".to_owned())
        .spawn(move || send_what_is_typed(sender, id))
        .map_err(|error| {
            Trouble::new(
                exit::SYSTEM,
                format!("starting the thread that reads the keyboard: {error}"),
            )
        })?;
    let mut lines = Lines::new(Form::Prefixed, ui, None, None);
    lines.expect(&listed.processes);
    loop {
        match client.next_line() {
            Ok(ServerLine::Note(
                of,
                Note::Line {
                    process,
                    stream,
                    at,
                    text,
                },
            )) if of == attached => {
                if !lines.line(&process, stream, at, &text)? {
                    return Ok(exit::DONE);
                }
            }
            Ok(ServerLine::Ok(of, _)) if of == attached => return Ok(exit::DONE),
            Ok(ServerLine::Failed(Some(of), failure)) if of == attached => {
                return Err(failure.into());
            }
            // A line that was typed and could not be delivered: the next one may be.
            Ok(ServerLine::Failed(_, failure)) => ui.error(&failure.into()),
            Ok(
                ServerLine::Note(..)
                | ServerLine::Ok(..)
                | ServerLine::Event(_)
                | ServerLine::Gap(_)
                | ServerLine::Unknown,
            ) => {}
            Err(ClientError::Closed) => {
                return Err(Trouble::new(exit::NO_DAEMON, "the daemon has ended"));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Until there is no more; what the process writes is shown beyond that.
fn send_what_is_typed(mut sender: Sender, id: u32) {
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let target = Target::Id(id);
        if sender.send(&request::Send { target, line }).is_err() {
            return;
        }
    }
}
