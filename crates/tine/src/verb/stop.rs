//! `tine stop`: ends processes; they stay in the list.

use crate::acting::Acting;
use crate::args::act::Stop;
use crate::daemon;
use crate::meant;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::request;

pub(crate) fn run(args: &Stop, ui: Ui) -> Result<u8, Trouble> {
    let mut client = daemon::for_targets(&args.targets)?;
    let target = meant::target(&args.targets, &args.only, &mut client, ui)?;
    let mut acting = Acting::new(ui, args.waiting, "stopping");
    let wait = acting.waits();
    acting.ask(&mut client, &request::Stop { target, wait })?;
    acting.finish(&mut client, "stopped")
}
