//! `tine startOrRestart` and `tine startOrReload`: the apps of a process file become what it says.

use crate::acting::Acting;
use crate::args::act::StartOr;
use crate::daemon;
use crate::meant;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_config::Options;
use tine_control::request::{self, IfPresent};

pub(crate) fn restart(args: &StartOr, ui: Ui) -> Result<u8, Trouble> {
    run(args, IfPresent::Restart, ui)
}

pub(crate) fn reload(args: &StartOr, ui: Ui) -> Result<u8, Trouble> {
    run(args, IfPresent::Reload, ui)
}

fn run(args: &StartOr, if_present: IfPresent, ui: Ui) -> Result<u8, Trouble> {
    let around = meant::around()?;
    let Some(source) = meant::source(&args.path, &around) else {
        return Err(
            Trouble::usage(format!("{:?} is not the name of a process file", args.path))
                .hint("for an app that is there, use `tine restart` or `tine reload`"),
        );
    };
    let loaded = meant::file(&source, &args.file, Options::default(), &around, ui)?;
    let mut client = daemon::ensured()?;
    let mut acting = Acting::new(ui, args.waiting, "the start");
    let verb = request::Start {
        apps: loaded.apps,
        target: None,
        if_present,
        inherited_env: meant::shell(&around),
        wait: acting.waits(),
    };
    acting.ask(&mut client, &verb)?;
    if args.after.attach {
        let told = acting.tell("started")?;
        return Ok(told.max(super::logs::follow(&mut client, &acting.ids(), ui)?));
    }
    acting.finish(&mut client, "started")
}
