//! `tine flush`: empties the log files of processes.

use crate::args::see::Flush;
use crate::daemon;
use crate::exit;
use crate::show::words::harmless;
use crate::trouble::Trouble;
use crate::ui::{self, Ui};
use tine_control::request;

pub(crate) fn run(args: &Flush, ui: Ui) -> Result<u8, Trouble> {
    let mut client = if args.targets.is_empty() {
        daemon::must_be_there()?
    } else {
        daemon::for_targets(&args.targets)?
    };
    let flushed = client.ask(&request::Flush {
        target: daemon::target(&args.targets),
    })?;
    if args.json {
        ui::print_json(&flushed)?;
        return Ok(exit::DONE);
    }
    for file in &flushed.files {
        ui.say(&format!("emptied {}", harmless(&file.to_string_lossy())));
    }
    Ok(exit::DONE)
}
