//! `tine sendSignal`: sends a signal to processes.

use crate::acting::Acting;
use crate::args::act::{Signal, Waiting};
use crate::daemon;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::request;

pub(crate) fn run(args: &Signal, ui: Ui) -> Result<u8, Trouble> {
    let mut client = daemon::for_targets(&args.targets)?;
    let waiting = Waiting {
        json: args.json,
        no_wait: false,
    };
    let mut acting = Acting::new(ui, waiting, "sending");
    let verb = request::Signal {
        target: daemon::target(&args.targets),
        signal: args.signal.clone(),
    };
    acting.ask(&mut client, &verb)?;
    acting.finish(&mut client, "signalled")
}
