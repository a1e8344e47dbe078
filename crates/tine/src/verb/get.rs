//! `tine get`: reads a setting, or all below a name, or all.

use crate::args::keep::Get;
use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tine_control::request;

pub(crate) fn run(args: &Get) -> Result<u8, Trouble> {
    let Some(key) = &args.key else {
        return super::conf::all(args.json);
    };
    let settings = daemon::ensured()?
        .ask(&request::Get { key: key.clone() })?
        .settings;
    if settings.is_empty() {
        return Err(
            Trouble::new(exit::NOT_FOUND, format!("there is no setting {key:?}"))
                .hint("`tine conf` shows all"),
        );
    }
    if args.json {
        ui::print_json(&settings)?;
        return Ok(exit::DONE);
    }
    // The value alone, when exactly this one was meant, is easiest to use in a script.
    if let (1, Some(value)) = (settings.len(), settings.get(key)) {
        ui::print(&format!("{value}\n"))?;
    } else {
        ui::print(&lines(&settings))?;
    }
    Ok(exit::DONE)
}

/// A line for each setting.
pub(super) fn lines(settings: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (key, value) in settings {
        let _ = writeln!(text, "{key}: {value}");
    }
    text
}
