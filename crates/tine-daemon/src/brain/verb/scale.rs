//! scale: how many processes is an app to have?

use super::super::app::{App, Change};
use super::super::registry::{Registry, Watcher};
use super::super::target;
use super::act::carry_out;
use std::rc::Rc;
use tine_control::reply::Acted;
use tine_control::request::{Scale, ScaleTo};
use tine_control::{ErrorCode, Failure, Limits};
use tine_rules::managed::Ask;

pub(super) async fn scale(
    registry: &Rc<Registry>,
    scale: Scale,
    watcher: &Watcher,
) -> Result<Acted, Failure> {
    let meant = target::some(registry, &scale.target)?;
    let [meant] = &meant[..] else {
        let text = "more than one app is meant";
        return Err(Failure::new(ErrorCode::Invalid, text).hint("scale one app at a time"));
    };
    let app = meant.app.clone();
    let (name, there): (String, Vec<u32>) = {
        let core = app.core.borrow();
        (core.spec.name.clone(), core.staying())
    };
    let now = u32::try_from(there.len()).unwrap_or(u32::MAX);
    let wanted = match scale.to {
        ScaleTo::Exactly(count) => count,
        ScaleTo::More(more) => now.saturating_add(more),
        ScaleTo::Fewer(fewer) => now.saturating_sub(fewer),
        ScaleTo::Cores => u32::try_from(crate::usable_cores()).unwrap_or(u32::MAX),
    };
    if usize::try_from(wanted).unwrap_or(usize::MAX) > Limits::INSTANCES {
        let text = format!("{wanted} processes of {name} are too many");
        let hint = format!("at most {} are possible", Limits::INSTANCES);
        return Err(Failure::new(ErrorCode::Invalid, text).hint(hint));
    }
    if wanted == now {
        watcher.follow(app.id);
        let mut acted = Acted {
            done: true,
            processes: super::super::words::show(&app.core.borrow(), &there),
            ..Acted::default()
        };
        acted
            .warnings
            .push(format!("{name} has {now} already, there is nothing to do"));
        return Ok(acted);
    }
    let Some((slots, ask)) = resize(registry, &app, wanted) else {
        return Err(Failure::new(ErrorCode::Busy, "the app is being changed"));
    };
    let asks = vec![(app.clone(), slots, ask)];
    Ok(carry_out(registry, asks, scale.wait, watcher).await)
}

/// What is to be asked of an app so that it has so many processes; nothing if it has.
pub(super) fn resize(registry: &Registry, app: &App, wanted: u32) -> Option<(Vec<u32>, Ask)> {
    let there = app.core.borrow().staying();
    let wanted_slots = usize::try_from(wanted).unwrap_or(usize::MAX);
    let (slots, ask) = match wanted_slots.checked_sub(there.len()) {
        Some(0) => return None,
        Some(more) => {
            let slots = app.new_slots(registry, more);
            let ask = Ask::Add {
                slots: slots.clone(),
                start: true,
            };
            (slots, ask)
        }
        None => {
            // The highest numbers go: what the first instance does alone goes on being done.
            let slots: Vec<u32> = there[wanted_slots..].to_vec();
            let ask = Ask::Remove {
                slots: slots.clone(),
            };
            (slots, ask)
        }
    };
    app.change(registry, Change::Instances(wanted));
    Some((slots, ask))
}
