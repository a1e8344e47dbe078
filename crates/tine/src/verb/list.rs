//! `tine list`: which processes are there?

use crate::args::see::List;
use crate::daemon;
use crate::exit;
use crate::show::list::{blocks, sort, table};
use crate::show::words::now;
use crate::trouble::Trouble;
use crate::ui::{self, Ui};
use std::io::IsTerminal;
use std::time::Duration;
use tine_control::client::Client;
use tine_control::reply::Listed;
use tine_control::request;

/// The pause between two pictures of `--watch`, which the user asked for.
const PICTURE: Duration = Duration::from_secs(1);

/// Without a daemon the list is empty, and none is started for it.
pub(crate) fn run(args: &List, ui: Ui) -> Result<u8, Trouble> {
    if args.watch {
        return watch(args, ui);
    }
    let client = match daemon::present()? {
        Some(client) => Some(client),
        None if args.targets.is_empty() => None,
        None => return Err(Trouble::nothing_there(&args.targets.join(" "))),
    };
    let listed = ask(client, args)?;
    if args.json {
        ui::print_json(&listed)?;
        return Ok(exit::DONE);
    }
    ui::print(&picture(&listed, args, ui))?;
    if listed.processes.is_empty() && std::io::stdout().is_terminal() {
        ui.hint("`tine start app.js` starts the first app");
    }
    Ok(exit::DONE)
}

/// The whole list, at the end of another command.
pub(crate) fn show(client: &mut Client, ui: Ui) -> Result<(), Trouble> {
    let mut listed = client.ask(&request::List::default())?;
    sort(&mut listed.processes, None);
    ui::print(&picture(&listed, &List::default(), ui))
}

fn ask(client: Option<Client>, args: &List) -> Result<Listed, Trouble> {
    let Some(mut client) = client else {
        return Ok(Listed::default());
    };
    let mut listed = client.ask(&request::List {
        target: daemon::target(&args.targets),
    })?;
    sort(&mut listed.processes, args.sort);
    Ok(listed)
}

fn picture(listed: &Listed, args: &List, ui: Ui) -> String {
    if args.mini_list {
        blocks(&listed.processes, now(), ui.out)
    } else {
        table(&listed.processes, now(), ui::width(), ui.out)
    }
}

/// Shows it again and again until Ctrl-C, or until nobody reads it.
fn watch(args: &List, ui: Ui) -> Result<u8, Trouble> {
    if !std::io::stdout().is_terminal() {
        return Err(
            Trouble::usage("--watch draws on a terminal, and standard output is none")
                .hint("a program can subscribe to events over the socket of the daemon"),
        );
    }
    loop {
        let listed = ask(daemon::present()?, args)?;
        // Home, the picture, and clear what is below it.
        ui::print(&format!("\u{1b}[H\u{1b}[2J{}", picture(&listed, args, ui)))?;
        std::thread::sleep(PICTURE);
    }
}
