//! Which process of the daemon is this, if it is one?
//!
//! `tine keeper --home HOME` and `tine brain --home HOME` are started by the daemon itself and
//! stand in no help.

use crate::exit;
use std::process::ExitCode;
use tine_daemon::home::Home;
use tine_daemon::role;

/// Plays the role that the command line names, to its end; `None` when it names none.
pub(crate) fn played() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let verb = words.next()?;
    if verb == "serve-files" {
        return Some(crate::verb::serve::be_the_server(words));
    }
    let play: fn(&Home) -> ExitCode = if verb == "keeper" {
        role::keeper
    } else if verb == "brain" {
        role::brain
    } else {
        return None;
    };
    let rest: Vec<_> = words.collect();
    let home = match rest.as_slice() {
        [option, folder] if option == "--home" => Home::at(folder),
        [] => Home::find(),
        _ => {
            eprintln!(
                "error: `{} --home HOME` is how the daemon starts itself",
                verb.to_string_lossy()
            );
            return Some(exit::USAGE.into());
        }
    };
    Some(match home {
        Ok(home) => play(&home),
        Err(error) => {
            eprintln!("error: {error}");
            let hint = error.hint();
            if !hint.is_empty() {
                eprintln!("hint: {hint}");
            }
            exit::SYSTEM.into()
        }
    })
}
