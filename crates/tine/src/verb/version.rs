//! `tine version`: of this program and of the daemon.

use crate::args::keep::Plain;
use crate::daemon;
use crate::exit;
use crate::show::words::iso;
use crate::trouble::Trouble;
use crate::ui;
use serde_json::json;
use tine_control::limits::VERSION;
use tine_control::request::Version;

pub(crate) const OWN: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn run(args: Plain) -> Result<u8, Trouble> {
    let daemon = match daemon::present()? {
        Some(mut client) => Some(client.ask(&Version {})?),
        None => None,
    };
    if args.json {
        let own = json!({"version": OWN, "protocol": VERSION, "daemon": daemon});
        ui::print_json(&own)?;
        return Ok(exit::DONE);
    }
    let mut text = format!("tine {OWN}\n");
    match daemon {
        Some(it) => {
            let since = iso(it.started);
            text += &format!("daemon {} (pid {}, since {since})\n", it.server, it.pid);
        }
        None => text += "daemon not running\n",
    }
    ui::print(&text)?;
    Ok(exit::DONE)
}
