//! save, resurrect, cleardump: what is frozen, and brought back?

use super::super::app::Core;
use super::super::clock::wall;
use super::super::deposit::Held;
use super::super::program;
use super::super::registry::{Registry, Watcher};
use super::super::words;
use super::act::carry_out;
use crate::dump::{Dump, DumpError, DumpedApp, DumpedSlot};
use std::rc::Rc;
use tine_control::reply::{Acted, Done, Saved};
use tine_control::request::{Resurrect, Save};
use tine_control::{ErrorCode, Failure, ProcessStatus, What};
use tine_rules::managed::Ask;

pub(super) fn save(registry: &Registry, save: Save) -> Result<Saved, Failure> {
    let apps = registry.apps();
    if apps.is_empty() && !save.force {
        let text = "there is nothing to save, and the dump was left as it is";
        return Err(Failure::new(ErrorCode::NotFound, text).hint("--force saves an empty list"));
    }
    let apps = apps.iter().map(|app| {
        let core = app.core.borrow();
        let slots = core.slots.iter().map(|(slot, entry)| {
            let view = core.machine.view(*slot);
            DumpedSlot {
                slot: *slot,
                id: Some(entry.id),
                status: view.map_or(ProcessStatus::Stopped, |view| words::status(view.status)),
            }
        });
        DumpedApp {
            spec: core.full_spec(),
            slots: slots.collect(),
        }
    });
    let dump = Dump::new(wall(), apps.collect());
    let file = dump.write(&registry.home).map_err(failure)?;
    registry.publish(What::Saved { file: file.clone() });
    Ok(Saved {
        file,
        apps: u32::try_from(dump.apps.len()).unwrap_or(u32::MAX),
        processes: u32::try_from(dump.processes()).unwrap_or(u32::MAX),
    })
}

pub(super) async fn resurrect(
    registry: &Rc<Registry>,
    resurrect: Resurrect,
    watcher: &Watcher,
) -> Result<Acted, Failure> {
    let dump = match Dump::read(&registry.home) {
        Ok(dump) => dump,
        // Nothing to bring back is no failure: a machine is started before anything was saved.
        Err(error @ DumpError::Missing { .. }) => {
            return Ok(Acted {
                done: true,
                warnings: vec![error.to_string()],
                ..Acted::default()
            });
        }
        Err(error) => return Err(failure(error)),
    };
    let mut asks = Vec::new();
    let mut warnings = Vec::new();
    for DumpedApp { spec, slots } in dump.apps {
        let name = spec.name.clone();
        if registry.named(&name).is_some() {
            warnings.push(format!("{name} is there already and was left"));
            continue;
        }
        let mut problems = spec.check();
        problems.extend(program::check_user(&spec));
        if let Some(problem) = problems.first() {
            warnings.push(format!("{name} cannot be brought back: {problem}"));
            continue;
        }
        if slots.is_empty() {
            continue;
        }
        let app = registry.add(Core::new(registry, spec), None, Held::default());
        let numbers: Vec<u32> = slots.iter().map(|slot| slot.slot).collect();
        app.take_slots(registry, &numbers);
        let (run, rest): (Vec<DumpedSlot>, Vec<DumpedSlot>) =
            slots.into_iter().partition(DumpedSlot::is_to_run);
        for (some, start) in [(run, true), (rest, false)] {
            let slots: Vec<u32> = some.iter().map(|slot| slot.slot).collect();
            if !slots.is_empty() {
                let ask = Ask::Add {
                    slots: slots.clone(),
                    start,
                };
                asks.push((app.clone(), slots, ask));
            }
        }
    }
    let mut acted = carry_out(registry, asks, resurrect.wait, watcher).await;
    acted.warnings.append(&mut warnings);
    Ok(acted)
}

pub(super) fn clear(registry: &Registry) -> Result<Done, Failure> {
    Dump::clear(&registry.home).map_err(failure)?;
    Ok(Done {})
}

fn failure(error: DumpError) -> Failure {
    let code = match &error {
        DumpError::Missing { .. } => ErrorCode::NotFound,
        _ => ErrorCode::Failed,
    };
    let hint = error.hint();
    Failure::new(code, error.to_string()).hint(hint)
}
