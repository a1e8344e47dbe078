//! `tine scale`: changes how many processes an app has.

use crate::acting::Acting;
use crate::args::act::Scale;
use crate::daemon;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::request;

pub(crate) fn run(args: &Scale, ui: Ui) -> Result<u8, Trouble> {
    let words = std::slice::from_ref(&args.target);
    let mut client = daemon::for_targets(words)?;
    let mut acting = Acting::new(ui, args.waiting, "scaling");
    let verb = request::Scale {
        target: daemon::target(words),
        to: args.to,
        wait: acting.waits(),
    };
    acting.ask(&mut client, &verb)?;
    acting.finish(&mut client, "scaled")
}
