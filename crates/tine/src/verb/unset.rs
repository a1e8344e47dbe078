//! `tine unset`: removes a setting.

use crate::args::keep::Unset;
use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::request;

pub(crate) fn run(args: &Unset, ui: Ui) -> Result<u8, Trouble> {
    daemon::ensured()?.ask(&request::Unset {
        key: args.key.clone(),
    })?;
    ui.say(&format!("{} is removed", args.key));
    Ok(exit::DONE)
}
