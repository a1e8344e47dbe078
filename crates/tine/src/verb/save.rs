//! `tine save`: freezes the list, for `tine resurrect`.

use crate::args::keep::Save;
use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui::{self, Ui};
use tine_control::request;

pub(crate) fn run(args: &Save, ui: Ui) -> Result<u8, Trouble> {
    let mut client = daemon::must_be_there()?;
    let saved = client.ask(&request::Save { force: args.force })?;
    if args.json {
        ui::print_json(&saved)?;
        return Ok(exit::DONE);
    }
    ui.say(&format!(
        "saved {} of {} in {}",
        counted(saved.processes, "process", "processes"),
        counted(saved.apps, "app", "apps"),
        saved.file.display()
    ));
    Ok(exit::DONE)
}

fn counted(count: u32, one: &str, many: &str) -> String {
    let word = if count == 1 { one } else { many };
    format!("{count} {word}")
}
