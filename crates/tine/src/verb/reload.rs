//! `tine reload`: replaces processes one after another while their app goes on serving.

use super::restart::Wanted;
use crate::acting::Acting;
use crate::args::act::Reload;
use crate::trouble::Trouble;
use crate::ui::Ui;
use tine_control::request::{self, IfPresent};

pub(crate) fn run(args: &Reload, ui: Ui) -> Result<u8, Trouble> {
    let wanted = Wanted::new(&args.restart, ui)?;
    let mut client = wanted.client()?;
    let mut acting = Acting::new(ui, args.restart.waiting, "the reload");
    let wait = acting.waits();
    if let Some(target) = wanted.target.clone() {
        let verb = request::Reload {
            target,
            changes: wanted.changes.clone(),
            inherited_env: wanted.renewed(),
            parallel: args.restart.parallel,
            force: args.force,
            wait,
        };
        acting.ask(&mut client, &verb)?;
    }
    if let Some(verb) = wanted.of_files(IfPresent::Reload, wait) {
        acting.ask(&mut client, &verb)?;
    }
    wanted.end(acting, &mut client, "reloaded")
}
