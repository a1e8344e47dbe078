//! `tine prettylist`: the list as text of JavaScript, in the form of PM2.

use super::jlist::everything;
use crate::exit;
use crate::show::inspect::inspect;
use crate::trouble::Trouble;
use crate::ui;
use serde_json::Value;

/// Without a daemon it is an empty array.
pub(crate) fn run() -> Result<u8, Trouble> {
    let text = inspect(&Value::Array(everything()?));
    ui::print(&format!("{text}\n"))?;
    Ok(exit::DONE)
}
