//! `tine ping`: is the daemon there?

use crate::args::keep::Plain;
use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui;
use tine_control::request::Ping;

/// None is started: the question is whether it runs.
pub(crate) fn run(args: Plain) -> Result<u8, Trouble> {
    let mut client = daemon::must_be_there()?;
    let pong = client.ask(&Ping {})?;
    if args.json {
        ui::print_json(&pong)?;
    } else {
        ui::print("{ msg: 'pong' }\n")?;
    }
    Ok(exit::DONE)
}
