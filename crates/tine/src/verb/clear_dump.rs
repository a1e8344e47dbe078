//! `tine cleardump`: empties what was saved.

use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::request::ClearDump;

pub(crate) fn run(ui: Ui) -> Result<u8, Trouble> {
    daemon::ensured()?.ask(&ClearDump {})?;
    ui.say("nothing is saved any more");
    Ok(exit::DONE)
}
