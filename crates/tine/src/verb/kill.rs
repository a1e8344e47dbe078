//! `tine kill`: stops all processes and ends the daemon.

use crate::daemon;
use crate::exit;
use crate::interrupt;
use crate::show::progress::Progress;
use crate::trouble::Trouble;
use crate::ui::Ui;
use std::time::Duration;
use tine_control::client::ClientError;
use tine_control::request::Kill;

/// After the last process has ended, the daemon has this long to leave.
const LEAVING: Duration = Duration::from_secs(10);

/// When there is no daemon, it is as was wanted.
pub(crate) fn run(ui: Ui) -> Result<u8, Trouble> {
    let Some(mut client) = daemon::present()? else {
        ui.say("no daemon runs");
        return Ok(exit::DONE);
    };
    interrupt::says("stopping everything");
    let mut progress = Progress::new(ui);
    daemon::ask_showing(&mut client, &Kill {}, |note| progress.note(note))?;
    progress.erase();
    // The connection lasts as long as the daemon.
    client.set_limit(Some(LEAVING));
    loop {
        match client.next_line() {
            Ok(_) => {}
            Err(ClientError::TimedOut { .. }) => {
                return Err(Trouble::new(
                    exit::APP_FAILED,
                    "the daemon has stopped everything and does not end",
                ));
            }
            Err(_) => break,
        }
    }
    ui.say("all processes are stopped and the daemon has ended");
    Ok(exit::DONE)
}
