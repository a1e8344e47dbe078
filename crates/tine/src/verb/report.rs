//! `tine report`: facts for a report of a fault.

use super::version::OWN;
use crate::args::keep::Plain;
use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tine_control::request;

pub(crate) fn run(args: Plain) -> Result<u8, Trouble> {
    let own = own();
    let daemon = match daemon::present()? {
        Some(mut client) => Some(client.ask(&request::Report {})?.facts),
        None => None,
    };
    if args.json {
        ui::print_json(&serde_json::json!({"tine": own, "daemon": daemon}))?;
        return Ok(exit::DONE);
    }
    let mut text = String::new();
    section(&mut text, "tine", &own);
    match &daemon {
        Some(facts) => section(&mut text, "daemon", facts),
        None => text.push_str("daemon\n  not running\n"),
    }
    ui::print(&text)?;
    Ok(exit::DONE)
}

fn section(text: &mut String, title: &str, facts: &BTreeMap<String, String>) {
    let wide = facts.keys().map(String::len).max().unwrap_or(0);
    let _ = writeln!(text, "{title}");
    for (name, value) in facts {
        let _ = writeln!(text, "  {name:<wide$}  {value}");
    }
}

/// What can be told without a daemon. No variables and no paths of apps: people paste this.
fn own() -> BTreeMap<String, String> {
    let first_line = |path: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().next().unwrap_or_default().to_owned()
    };
    let name = rustix::system::uname();
    let home = match daemon::home() {
        Ok(home) => home.folder().display().to_string(),
        Err(trouble) => trouble.text,
    };
    [
        ("version", OWN.to_owned()),
        ("kernel", name.release().to_string_lossy().into_owned()),
        ("machine", name.machine().to_string_lossy().into_owned()),
        ("usable cores", tine_daemon::usable_cores().to_string()),
        ("memory", first_line("/proc/meminfo")),
        ("load", first_line("/proc/loadavg")),
        ("home", home),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
