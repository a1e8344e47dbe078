//! `tine send`: writes a line to the standard input of a process.

use crate::acting::Acting;
use crate::args::act::{Send, Waiting};
use crate::daemon;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::request;

pub(crate) fn run(args: &Send, ui: Ui) -> Result<u8, Trouble> {
    let words = std::slice::from_ref(&args.target);
    let mut client = daemon::for_targets(words)?;
    let mut acting = Acting::new(ui, Waiting::default(), "sending");
    let verb = request::Send {
        target: daemon::target(words),
        line: args.line.clone(),
    };
    acting.ask(&mut client, &verb)?;
    acting.tell("sent")
}
