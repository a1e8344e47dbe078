//! `tine describe`: everything that is known of processes.

use crate::args::see::Describe;
use crate::daemon;
use crate::exit;
use crate::show::describe::process;
use crate::show::words::now;
use crate::trouble::Trouble;
use crate::ui::{self, Ui};
use tine_control::request;

pub(crate) fn run(args: &Describe, ui: Ui) -> Result<u8, Trouble> {
    let mut client = daemon::for_targets(&args.targets)?;
    let described = client.ask(&request::Describe {
        target: daemon::target(&args.targets),
    })?;
    if args.json {
        ui::print_json(&described)?;
        return Ok(exit::DONE);
    }
    let now = now();
    let texts: Vec<String> = described
        .processes
        .iter()
        .map(|one| process(one, described.apps.get(&one.name), now, ui.out))
        .collect();
    ui::print(&texts.join("\n"))?;
    Ok(exit::DONE)
}
