//! `tine set`: writes a setting.

use crate::args::keep::Set;
use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::request;

pub(crate) fn run(args: &Set, ui: Ui) -> Result<u8, Trouble> {
    daemon::ensured()?.ask(&request::Set {
        key: args.key.clone(),
        value: args.value.clone(),
    })?;
    ui.say(&format!("{} is set", args.key));
    Ok(exit::DONE)
}
