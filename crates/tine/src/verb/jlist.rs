//! `tine jlist`: the list as JSON, in the form of PM2.

use crate::daemon;
use crate::exit;
use crate::show::pm2;
use crate::trouble::Trouble;
use crate::ui;
use serde_json::Value;
use tine_control::Target;
use tine_control::request::Describe;

/// Without a daemon it is an empty array.
pub(crate) fn run() -> Result<u8, Trouble> {
    ui::print_json(&everything()?)?;
    Ok(exit::DONE)
}

/// All processes in the form of PM2.
pub(crate) fn everything() -> Result<Vec<Value>, Trouble> {
    let Some(mut client) = daemon::present()? else {
        return Ok(Vec::new());
    };
    let described = client.ask(&Describe {
        target: Target::All,
    })?;
    Ok(pm2::list(&described))
}
