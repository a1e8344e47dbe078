//! `tine pid`: the process ids of an app, or of the daemon.

use crate::args::see::Pid;
use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui;
use std::fmt::Write as _;

/// One on a line, 0 for what does not run. As with PM2, nothing found is an empty line and no
/// failure.
pub(crate) fn run(args: &Pid) -> Result<u8, Trouble> {
    let pids: Vec<u32> = match &args.target {
        Some(word) => daemon::listed(daemon::target(std::slice::from_ref(word)))?
            .iter()
            .map(|one| one.pid.unwrap_or(0))
            .collect(),
        None => vec![daemon::must_be_there()?.greeting().pid],
    };
    if args.json {
        ui::print_json(&pids)?;
        return Ok(exit::DONE);
    }
    let mut text = String::new();
    for pid in &pids {
        let _ = writeln!(text, "{pid}");
    }
    if pids.is_empty() {
        text.push('\n');
    }
    ui::print(&text)?;
    Ok(exit::DONE)
}
