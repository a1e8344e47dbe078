//! `tine ping`: is the daemon there?

use crate::args::keep::Plain;
use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui;
use std::time::Duration;
use tine_control::request::Ping;

/// A daemon that takes longer is not there for practical purposes.
const LIMIT: Duration = Duration::from_secs(10);

/// None is started: the question is whether it runs.
pub(crate) fn run(args: Plain) -> Result<u8, Trouble> {
    let mut client = daemon::must_be_there()?;
    client.set_limit(Some(LIMIT));
    let pong = client.ask(&Ping {})?;
    if args.json {
        ui::print_json(&pong)?;
    } else {
        ui::print("{ msg: 'pong' }\n")?;
    }
    Ok(exit::DONE)
}
