//! Who answers? Finds the daemon of this home, and starts it where a command needs one.

use crate::exit;
use crate::trouble::Trouble;
use std::time::Duration;
use tine_control::client::{Client, ClientError, Heard};
use tine_control::request::List;
use tine_control::{Ask, ErrorCode, Note, ProcessInfo, Target};
use tine_daemon::home::Home;
use tine_daemon::launch::{GREETING, ensure as launch, own_program};

/// What can be answered at once is answered within this time, or not at all.
const ANSWER: Duration = Duration::from_secs(20);

/// The folder of the daemon.
///
/// # Errors
/// When it cannot be told, or its path is too long.
pub(crate) fn home() -> Result<Home, Trouble> {
    Home::find().map_err(|error| {
        let hint = error.hint();
        Trouble::new(exit::NO_DAEMON, error.to_string()).hint(hint)
    })
}

/// The daemon; `None` when nobody is there, and none is started.
///
/// # Errors
/// When somebody is there who does not answer as a daemon does.
pub(crate) fn present() -> Result<Option<Client>, Trouble> {
    match Client::connect(&home()?.control_socket(), GREETING) {
        Ok(mut client) => {
            client.set_limit(Some(ANSWER));
            Ok(Some(client))
        }
        Err(ClientError::NotRunning { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The daemon, which is started if there is none.
///
/// # Errors
/// When it does not come up.
pub(crate) fn ensured() -> Result<Client, Trouble> {
    let program = own_program().map_err(|error| {
        Trouble::new(
            exit::NO_DAEMON,
            format!("finding this program by /proc/self/exe: {error}"),
        )
        .hint("the daemon is started from it; mount /proc")
    })?;
    let mut client = launch(&home()?, &program).map_err(|error| {
        let hint = error.hint();
        Trouble::new(exit::NO_DAEMON, error.to_string()).hint(hint)
    })?;
    client.set_limit(Some(ANSWER));
    Ok(client)
}

/// The daemon, for a verb about targets: when nobody is there, they mean nothing.
///
/// # Errors
/// As [`present`], and that.
pub(crate) fn for_targets(words: &[String]) -> Result<Client, Trouble> {
    present()?.ok_or_else(|| Trouble::nothing_there(&words.join(" ")))
}

/// The daemon, for a verb about itself.
///
/// # Errors
/// As [`present`], and when nobody is there.
pub(crate) fn must_be_there() -> Result<Client, Trouble> {
    let socket = home()?.control_socket();
    present()?.ok_or_else(|| ClientError::NotRunning { path: socket }.into())
}

/// The processes that words mean; none when they mean nothing, or nobody is there.
///
/// # Errors
/// Whatever else goes wrong.
pub(crate) fn listed(target: Target) -> Result<Vec<ProcessInfo>, Trouble> {
    let Some(mut client) = present()? else {
        return Ok(Vec::new());
    };
    match client.ask(&List { target }) {
        Ok(listed) => Ok(listed.processes),
        Err(ClientError::Failed(failure)) if failure.code == ErrorCode::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// What words mean, with relative paths from this folder. None: all.
pub(crate) fn target(words: &[String]) -> Target {
    if words.is_empty() {
        return Target::All;
    }
    let folder = std::env::current_dir().unwrap_or_default();
    Target::from_words(words.iter().map(String::as_str), &folder)
}

/// Asks and shows how far it has come until the answer is there, however long that takes.
///
/// # Errors
/// What the daemon says, or what is wrong with the connection.
pub(crate) fn ask_showing<V: Ask>(
    client: &mut Client,
    verb: &V,
    mut on_note: impl FnMut(&Note),
) -> Result<V::Answer, Trouble> {
    client.set_limit(None);
    let answer = client.ask_with(verb, |note| {
        on_note(&note);
        Heard::GoOn
    });
    client.set_limit(Some(ANSWER));
    Ok(answer?)
}
