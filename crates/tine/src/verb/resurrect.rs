//! `tine resurrect`: starts what was saved and is not in the list.

use crate::acting::Acting;
use crate::args::act::Waiting;
use crate::daemon;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::request::Resurrect;

pub(crate) fn run(waiting: Waiting, ui: Ui) -> Result<u8, Trouble> {
    let mut client = daemon::ensured()?;
    let mut acting = Acting::new(ui, waiting, "starting what was saved");
    let wait = acting.waits();
    acting.ask(&mut client, &Resurrect { wait })?;
    acting.finish(&mut client, "resurrected")
}
