//! `tine get`: reads a setting, or all below a name, or all.

use crate::args::keep::Get;
use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tine_control::request;
use tine_daemon::settings::{Settings, SettingsError};

pub(crate) fn run(args: &Get) -> Result<u8, Trouble> {
    let Some(key) = &args.key else {
        return super::conf::all(args.json);
    };
    let settings = match daemon::present()? {
        Some(mut client) => client.ask(&request::Get { key: key.clone() })?.settings,
        None => stored()?.get(key).map_err(unreadable)?,
    };
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

/// The settings of a daemon that does not run.
pub(super) fn stored() -> Result<Settings, Trouble> {
    Settings::load(&daemon::home()?).map_err(unreadable)
}

fn unreadable(error: SettingsError) -> Trouble {
    let code = match error {
        SettingsError::NotSet { .. } => exit::NOT_FOUND,
        _ => exit::SYSTEM,
    };
    let hint = error.hint();
    Trouble::new(code, error.to_string()).hint(hint)
}

/// A line for each setting.
pub(super) fn lines(settings: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (key, value) in settings {
        let _ = writeln!(text, "{key}: {value}");
    }
    text
}
