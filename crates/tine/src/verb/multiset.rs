//! `tine multiset`: writes several settings.

use crate::args::keep::MultiSet;
use crate::daemon;
use crate::exit;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::request::Set;
use tine_daemon::settings::pairs;

pub(crate) fn run(args: &MultiSet, ui: Ui) -> Result<u8, Trouble> {
    // All are looked at before the first is written.
    let pairs = pairs(&args.pairs).map_err(|error| {
        Trouble::usage(format!("reading the settings: {error}"))
            .hint("keys and values by turns, in one word: `tine multiset \"a:b 1 c:d 2\"`")
    })?;
    let mut client = daemon::ensured()?;
    for (key, value) in pairs {
        let said = format!("{key} is set");
        client.ask(&Set { key, value })?;
        ui.say(&said);
    }
    Ok(exit::DONE)
}
