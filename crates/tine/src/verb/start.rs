//! `tine start`: starts apps, or processes that are there and do not run.

mod plan;

use crate::acting::Acting;
use crate::args::act::Start;
use crate::asked;
use crate::daemon;
use crate::exit;
use crate::meant;
use crate::trouble::Trouble;
use crate::ui::Ui;
use plan::{Plan, Wanted};
use tine_control::client::Client;
use tine_control::request::{self, IfPresent, List};
use tine_control::{AppSpec, Target};

pub(crate) fn run(args: &Start, ui: Ui) -> Result<u8, Trouble> {
    asked::warn_of_needless(&args.app, ui);
    let wanted = Wanted::new(args, ui)?;
    // What is there is asked of a daemon that runs; a slip of the finger starts none.
    let mut there = daemon::present()?;
    let known = match &mut there {
        Some(client) => client.ask(&List::default())?.processes,
        None => Vec::new(),
    };
    let plan = wanted.plan(&known, there.as_mut())?;
    if plan.is_empty() {
        return Ok(exit::DONE);
    }
    let mut client = match there {
        Some(client) => client,
        None => daemon::ensured()?,
    };
    let mut acting = Acting::new(ui, args.waiting, "the start");
    acting.ran_before(&known);
    let code = plan.left_as_it_is(ui);
    let shell = meant::shell(&wanted.around);
    carry_out(plan, &shell, args, &mut acting, &mut client)?;
    if args.after.attach {
        let told = acting.tell("started")?;
        let ids = acting.ids();
        return Ok(code
            .max(told)
            .max(super::logs::follow(&mut client, &ids, ui)?));
    }
    Ok(code.max(acting.finish(&mut client, "started")?))
}

fn carry_out(
    plan: Plan,
    shell: &tine_control::Variables,
    args: &Start,
    acting: &mut Acting,
    client: &mut Client,
) -> Result<(), Trouble> {
    let wait = acting.waits();
    let start = |apps: Vec<AppSpec>, target: Option<Target>, if_present| request::Start {
        apps,
        target,
        if_present,
        inherited_env: shell.clone(),
        wait,
    };
    let target = (!plan.known.is_empty()).then_some(Target::Several(plan.known));
    if !plan.new.is_empty() || target.is_some() {
        acting.ask(client, &start(plan.new, target, IfPresent::Refuse))?;
    }
    if !plan.stopped.is_empty() {
        acting.ask(client, &start(plan.stopped, None, IfPresent::Restart))?;
    }
    if !plan.further.is_empty() {
        acting.ask(client, &start(plan.further, None, IfPresent::Add))?;
    }
    if !plan.changed.is_empty() {
        let verb = request::Restart {
            target: Target::Several(plan.changed),
            changes: plan.changes,
            inherited_env: args.update_env.then(|| shell.clone()),
            parallel: None,
            wait,
        };
        acting.ask(client, &verb)?;
    }
    Ok(())
}
