//! `tine reloadLogs`: opens all log files anew.

use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::request::ReloadLogs;

pub(crate) fn run(ui: Ui) -> Result<u8, Trouble> {
    daemon::must_be_there()?.ask(&ReloadLogs {})?;
    ui.say("all log files are opened anew");
    Ok(exit::DONE)
}
