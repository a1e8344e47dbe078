//! `tine conf` and `tine config`: all settings, or one.

use super::get::{lines, stored};
use crate::args::keep::{Config, Get, Set};
use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui::{self, Ui};
use tine_control::request::Conf;

pub(crate) fn run(args: Config, ui: Ui) -> Result<u8, Trouble> {
    let Config { key, value, json } = args;
    match (key, value) {
        (None, _) => all(json),
        (Some(key), Some(value)) => super::set::run(&Set { key, value }, ui),
        (key, None) => super::get::run(&Get { key, json }),
    }
}

/// Prints all settings.
pub(super) fn all(json: bool) -> Result<u8, Trouble> {
    let settings = match daemon::present()? {
        Some(mut client) => client.ask(&Conf {})?.settings,
        None => stored()?.all(),
    };
    if json {
        ui::print_json(&settings)?;
    } else {
        ui::print(&lines(&settings))?;
    }
    Ok(exit::DONE)
}
