//! `tine reset`: sets the counters of restarts back to zero.

use crate::acting::Acting;
use crate::args::act::{Reset, Waiting};
use crate::daemon;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::request;

pub(crate) fn run(args: &Reset, ui: Ui) -> Result<u8, Trouble> {
    let mut client = daemon::for_targets(&args.targets)?;
    let waiting = Waiting {
        json: args.json,
        no_wait: false,
    };
    let mut acting = Acting::new(ui, waiting, "resetting");
    let target = daemon::target(&args.targets);
    acting.ask(&mut client, &request::Reset { target })?;
    acting.finish(&mut client, "reset")
}
