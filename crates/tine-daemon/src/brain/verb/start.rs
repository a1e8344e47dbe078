//! start: apps that are new, and processes that are there and do not run.

use super::super::app::{App, Change, Core};
use super::super::deposit::Held;
use super::super::program;
use super::super::registry::{Registry, Watcher};
use super::super::target::{self, Meant};
use super::act::{Asks, carry_out, fit};
use std::collections::BTreeSet;
use std::rc::Rc;
use tine_control::reply::Acted;
use tine_control::request::{IfPresent, Start};
use tine_control::{AppSpec, ErrorCode, Failure};
use tine_rules::managed::{Ask, Until};

pub(super) async fn start(
    registry: &Rc<Registry>,
    start: Start,
    watcher: &Watcher,
) -> Result<Acted, Failure> {
    let Start {
        apps,
        target,
        if_present,
        inherited_env,
        wait,
    } = start;
    let mut specs = Vec::new();
    let mut names = BTreeSet::new();
    for mut spec in apps {
        spec.inherit(&inherited_env.0);
        let mut problems = spec.check();
        problems.extend(program::check_user(&spec));
        if !problems.is_empty() {
            return Err(Failure::invalid(&spec.name, problems));
        }
        if !names.insert(spec.name.clone()) {
            let text = format!("two of the apps are called {:?}", spec.name);
            let hint = "give each a name of its own";
            return Err(Failure::new(ErrorCode::Invalid, text).hint(hint));
        }
        let present = registry.named(&spec.name);
        if present.is_some() && if_present == IfPresent::Refuse {
            let text = format!("an app called {:?} is there already", spec.name);
            let hint = format!(
                "`tine restart {0}` restarts it; -f starts further processes of it; --name gives \
                 the new one another name",
                spec.name
            );
            return Err(Failure::new(ErrorCode::AlreadyThere, text).hint(hint));
        }
        if let Some(present) = present.as_ref().filter(|_| if_present == IfPresent::Add)
            && let Some(field) = differs(&present.core.borrow().full_spec(), &spec)
        {
            let text = format!("the app {:?} is there with another {field}", spec.name);
            let hint = "further processes of an app are as the app is; --name gives this one \
                        another name";
            return Err(Failure::new(ErrorCode::AlreadyThere, text).hint(hint));
        }
        specs.push((spec, present));
    }
    // Before anything is begun: a target that means nothing fails the whole.
    let meant = match &target {
        Some(target) => target::some(registry, target)?,
        None => Vec::new(),
    };
    let mut asks = Vec::new();
    let mut warnings = Vec::new();
    for (spec, present) in specs {
        match present {
            None => {
                let start = spec.autostart;
                let (app, slots) = add(registry, spec);
                let ask = Ask::Add {
                    slots: slots.clone(),
                    start,
                };
                asks.push((app, slots, ask));
            }
            Some(app) => {
                let slots: Vec<u32> = app.core.borrow().slots.keys().copied().collect();
                match if_present {
                    IfPresent::Refuse | IfPresent::Leave => {
                        warnings.push(format!("{} is there already and was left", spec.name));
                    }
                    IfPresent::Restart => {
                        app.change(registry, Change::Spec(Box::new(spec)));
                        let slots = refit(registry, &app, slots, &mut asks);
                        let ask = Ask::Restart {
                            slots: slots.clone(),
                            parallel: None,
                            until: Until::Up,
                        };
                        asks.push((app, slots, ask));
                    }
                    IfPresent::Reload => {
                        app.change(registry, Change::Spec(Box::new(spec)));
                        let slots = refit(registry, &app, slots, &mut asks);
                        let ask = Ask::Reload {
                            slots: slots.clone(),
                            parallel: None,
                            force: true,
                        };
                        asks.push((app, slots, ask));
                    }
                    IfPresent::Add => {
                        // Checked above: it is the same program.
                        let count = spec.instances.resolve(crate::usable_cores());
                        let slots = app.new_slots(registry, count);
                        let all = app.core.borrow().slots.len();
                        let all = u32::try_from(all).unwrap_or(u32::MAX);
                        app.change(registry, Change::Instances(all));
                        let ask = Ask::Add {
                            slots: slots.clone(),
                            start: spec.autostart,
                        };
                        asks.push((app, slots, ask));
                    }
                }
            }
        }
    }
    for Meant { app, slots } in meant {
        let ask = Ask::Start {
            slots: slots.clone(),
        };
        asks.push((app, slots, ask));
    }
    let mut acted = carry_out(registry, asks, wait, watcher).await;
    acted.warnings.append(&mut warnings);
    Ok(acted)
}

/// The first field in which further processes of an app would be another app; how many there are,
/// and the shell they come from, is no difference.
fn differs(there: &AppSpec, wanted: &AppSpec) -> Option<String> {
    let fields = |spec: &AppSpec| {
        let mut spec = spec.clone();
        spec.instances = AppSpec::default().instances;
        spec.inherited_env = tine_control::Variables::default();
        spec.defined_in = None;
        spec.autostart = true;
        spec.merge_logs = None;
        spec.exec_mode = tine_control::ExecMode::Fork;
        match serde_json::to_value(&spec) {
            Ok(serde_json::Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        }
    };
    let (there, wanted) = (fields(there), fields(wanted));
    let mut names = wanted.iter();
    let differs = names.find(|(name, value)| there.get(*name) != Some(value));
    differs.map(|(name, _)| name.clone())
}

/// An app that is there is to have as many processes as it says now; gives those of the slots that
/// stay.
fn refit(registry: &Registry, app: &Rc<App>, mut slots: Vec<u32>, asks: &mut Asks) -> Vec<u32> {
    if let Some((resized, ask)) = fit(registry, app) {
        slots.retain(|slot| !resized.contains(slot));
        asks.push((app.clone(), resized, ask));
    }
    slots
}

/// Enters an app with its slots into the list; nothing of it runs yet.
pub(super) fn add(registry: &Rc<Registry>, spec: AppSpec) -> (Rc<App>, Vec<u32>) {
    let count = spec.instances.resolve(crate::usable_cores());
    let app = registry.add(Core::new(registry, spec), None, Held::default());
    let slots = app.new_slots(registry, count);
    (app, slots)
}
