//! `tine id`: the ids of the processes of an app.

use crate::args::see::Id;
use crate::daemon;
use crate::exit;
use crate::show::inspect::inspect;
use crate::trouble::Trouble;
use crate::ui;
use serde_json::json;

/// As with PM2, nothing found is an empty list and no failure.
pub(crate) fn run(args: &Id) -> Result<u8, Trouble> {
    let processes = daemon::listed(daemon::target(std::slice::from_ref(&args.target)))?;
    let ids: Vec<u32> = processes.iter().map(|one| one.id).collect();
    if args.json {
        ui::print_json(&ids)?;
    } else {
        ui::print(&format!("{}\n", inspect(&json!(ids))))?;
    }
    Ok(exit::DONE)
}
