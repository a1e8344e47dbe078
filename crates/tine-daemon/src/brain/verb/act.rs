//! stop, restart, reload, delete, reset, sendSignal, kill: what is done to processes that are there.

use super::super::app::{App, Change, Outcomes};
use super::super::clock::log;
use super::super::program;
use super::super::registry::{Registry, Watcher};
use super::super::target::{self, Meant};
use super::super::words;
use super::scale::resize;
use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;
use tine_control::event::ReloadStage;
use tine_control::reply::{Acted, Done};
use tine_control::request::{Delete, Reload, Reset, Restart, Signal, Stop};
use tine_control::server::Responder;
use tine_control::{
    Changes, ErrorCode, Failure, Note, ProcessInfo, ProcessStatus, Variables, What,
};
use tine_rules::managed::{Ask, Until};

/// How long a program that was restarted and says nothing is watched.
const EARLY: Duration = Duration::from_millis(100);

/// How long after the longest kill timeout the daemon waits for its processes before it ends.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// What is asked of each app that is meant.
pub(super) type Asks = Vec<(Rc<App>, Vec<u32>, Ask)>;

pub(super) async fn stop(
    registry: &Rc<Registry>,
    stop: Stop,
    watcher: &Watcher,
) -> Result<Acted, Failure> {
    let meant = target::some(registry, &stop.target)?;
    let asks = each(meant, |slots| Ask::Stop { slots });
    Ok(carry_out(registry, asks, stop.wait, watcher).await)
}

pub(super) async fn restart(
    registry: &Rc<Registry>,
    restart: Restart,
    watcher: &Watcher,
) -> Result<Acted, Failure> {
    let meant = target::some(registry, &restart.target)?;
    change(
        registry,
        &meant,
        &restart.changes,
        restart.inherited_env.as_ref(),
    )?;
    let parallel = restart.parallel;
    let (meant, resized) = resized(registry, meant, &restart.changes);
    let asks = meant.into_iter().map(|Meant { app, slots }| {
        // A program that has a word for being up is waited for until it says it; one that has
        // none ran before, and is only seen to run again.
        let until = if app.core.borrow().has_a_word() {
            Until::Up
        } else {
            Until::Online
        };
        let ask = Ask::Restart {
            slots: slots.clone(),
            parallel,
            until,
        };
        (app, slots, ask)
    });
    let mut asks: Asks = asks.collect();
    asks.extend(resized);
    let silent = asks.iter().filter(|(_, _, ask)| {
        matches!(
            ask,
            Ask::Restart {
                until: Until::Online,
                ..
            }
        )
    });
    let silent: Vec<Rc<App>> = silent.map(|(app, ..)| app.clone()).collect();
    let mut acted = carry_out(registry, asks, restart.wait, watcher).await;
    if restart.wait {
        find_early_ends(registry, &silent, &mut acted).await;
    }
    Ok(acted)
}

/// A program that cannot run most often ends at once. Watches those that have no word for being up
/// for a moment, and says which have ended.
async fn find_early_ends(registry: &Rc<Registry>, apps: &[Rc<App>], acted: &mut Acted) {
    let deadline = tokio::time::Instant::now() + EARLY;
    let started: Vec<(Rc<App>, u32, u64)> = acted
        .processes
        .iter()
        .filter(|process| process.status == ProcessStatus::Online)
        .filter_map(|process| {
            let mut apps = apps.iter();
            let app = apps.find(|app| app.core.borrow().spec.name == process.name)?;
            Some((app.clone(), process.slot, process.generation))
        })
        .collect();
    let ended = || {
        started.iter().all(|(app, slot, generation)| {
            let core = app.core.borrow();
            let entry = core.slots.get(slot);
            let mut exits = entry.into_iter().flat_map(|entry| entry.exits.iter());
            exits.any(|exit| exit.generation == *generation && !exit.asked)
        })
    };
    while !ended() {
        let told = registry.ended.notified();
        if tokio::time::timeout_at(deadline, told).await.is_err() {
            break;
        }
    }
    for (app, slot, generation) in &started {
        let core = app.core.borrow();
        let Some(entry) = core.slots.get(slot) else {
            continue;
        };
        let mut exits = entry.exits.iter();
        let exit = exits.find(|exit| exit.generation == *generation && !exit.asked);
        // One that was to end is no failure.
        if let Some(exit) = exit.filter(|exit| exit.code != Some(0)) {
            acted.failed.push(words::early(&core, *slot, exit));
            acted.processes.retain(|process| process.id != entry.id);
            acted.processes.extend(words::show(&core, &[*slot]));
        }
    }
    acted.processes.sort_by_key(|process| process.id);
}

pub(super) async fn reload(
    registry: &Rc<Registry>,
    reload: Reload,
    watcher: &Watcher,
) -> Result<Acted, Failure> {
    let meant = target::some(registry, &reload.target)?;
    if !reload.force {
        for Meant { app, .. } in &meant {
            let core = app.core.borrow();
            if core.reloads() {
                let text = format!("a reload of {} is under way", core.spec.name);
                let failure = Failure::new(ErrorCode::Busy, text);
                return Err(failure.hint("wait for it, or use --force"));
            }
        }
    }
    change(
        registry,
        &meant,
        &reload.changes,
        reload.inherited_env.as_ref(),
    )?;
    let (parallel, force) = (reload.parallel, reload.force);
    let (meant, resized) = resized(registry, meant, &reload.changes);
    let mut asks = each(meant, |slots| Ask::Reload {
        slots,
        parallel,
        force,
    });
    asks.extend(resized);
    let names: BTreeSet<String> = asks
        .iter()
        .map(|(app, ..)| app.core.borrow().spec.name.clone())
        .collect();
    let tell = |app: &String, stage, text: String| {
        let app = app.clone();
        registry.publish(What::Reload { app, stage, text });
    };
    for app in &names {
        tell(app, ReloadStage::Begun, String::new());
    }
    let acted = carry_out(registry, asks, reload.wait, watcher).await;
    for app in names.iter().filter(|_| reload.wait) {
        let failed = acted.failed.iter().find(|one| one.process.name == *app);
        let (stage, text) = match failed {
            None => (ReloadStage::Done, String::new()),
            // What ran before runs on, unless nothing did.
            Some(failed) => {
                let of_app = |one: &&ProcessInfo| one.name == *app;
                let mut processes = acted.processes.iter().filter(of_app);
                let all_serve = processes.all(|one| one.status == ProcessStatus::Online);
                let stage = if all_serve {
                    ReloadStage::RolledBack
                } else {
                    ReloadStage::Failed
                };
                (stage, failed.text.clone())
            }
        };
        tell(app, stage, text);
    }
    Ok(acted)
}

pub(super) async fn delete(
    registry: &Rc<Registry>,
    delete: Delete,
    watcher: &Watcher,
) -> Result<Acted, Failure> {
    let meant = target::some(registry, &delete.target)?;
    let asks = each(meant, |slots| Ask::Remove { slots });
    Ok(carry_out(registry, asks, delete.wait, watcher).await)
}

pub(super) async fn reset(registry: &Rc<Registry>, reset: Reset) -> Result<Acted, Failure> {
    let meant = target::some(registry, &reset.target)?;
    let waiting: Vec<_> = meant
        .iter()
        .map(|Meant { app, slots }| {
            let slots = slots.clone();
            app.ask(Ask::Reset { slots })
        })
        .collect();
    for answer in waiting {
        let _ = answer.await;
    }
    registry.link.settled().await;
    Ok(Acted {
        done: true,
        processes: show(&meant),
        ..Acted::default()
    })
}

pub(super) fn signal(registry: &Rc<Registry>, signal: &Signal) -> Result<Acted, Failure> {
    let Some(number) = tine_sys::reap::signal_from_name(&signal.signal) else {
        let text = format!("{:?} is not the name or number of a signal", signal.signal);
        return Err(Failure::new(ErrorCode::Invalid, text).hint("use a name such as SIGUSR2"));
    };
    let meant = target::some(registry, &signal.target)?;
    let mut acted = Acted {
        done: true,
        ..Acted::default()
    };
    for Meant { app, slots } in &meant {
        let core = app.core.borrow();
        for slot in slots {
            if let Err(text) = core.signal_one(*slot, number) {
                acted.failed.push(words::failed(&core, *slot, text));
            }
        }
    }
    acted.processes = show(&meant);
    Ok(acted)
}

/// Stops everything, answers, and lets the daemon end.
pub(super) async fn kill(registry: &Rc<Registry>, reply: Responder) {
    let deleted = end_all(registry);
    deleted.await;
    reply.finish(Ok(Done {}));
    registry.ending.end();
}

/// Asked to end once more: nobody is given any more time.
pub(super) async fn hurry(registry: &Rc<Registry>, reply: Responder) {
    for app in registry.apps() {
        let core = app.core.borrow();
        for process in core.slots.values().flat_map(|slot| slot.processes.values()) {
            if let (Some(pid), Some(pidfd)) = (process.pid, &process.pidfd)
                && tine_sys::tree::signal_pidfd(pidfd.as_fd(), 0).is_ok()
            {
                for below in tine_sys::tree::descendants(pid) {
                    let _ = tine_sys::tree::signal(below, 9);
                }
                let _ = tine_sys::tree::signal_pidfd(pidfd.as_fd(), 9);
            }
        }
    }
    // The first one ends the daemon, and with it this connection.
    registry.gone.notified().await;
    reply.finish(Ok(Done {}));
}

/// Stops all processes and forgets them, for the end of the daemon.
pub(in super::super) async fn end_all(registry: &Rc<Registry>) {
    registry.set_ending();
    registry.publish(tine_control::What::Daemon {
        stage: tine_control::event::DaemonStage::Ending,
    });
    let answers: Vec<_> = registry
        .apps()
        .into_iter()
        .map(|app| {
            let slots = app.core.borrow().slots.keys().copied().collect();
            app.ask(Ask::Remove { slots })
        })
        .collect();
    let longest = registry.apps().into_iter();
    let longest = longest.map(|app| app.core.borrow().spec.kill_timeout).max();
    let all = async {
        for answer in answers {
            let _ = answer.await;
        }
    };
    let patience = longest.unwrap_or_default() + LAST_PATIENCE;
    if tokio::time::timeout(patience, all).await.is_err() {
        log(format_args!(
            "not all have ended after {patience:?}; the daemon ends without them"
        ));
    }
    registry.link.finish();
    registry.link.settled().await;
    registry.gone.notify_waiters();
}

/// Changes the apps that are meant; all of them, or none.
fn change(
    registry: &Rc<Registry>,
    meant: &[Meant],
    changes: &Changes,
    shell: Option<&Variables>,
) -> Result<(), Failure> {
    if changes.is_empty() && shell.is_none() {
        return Ok(());
    }
    if changes.contains_key("name") && meant.len() > 1 {
        let text = "one name cannot be given to several apps";
        return Err(Failure::new(ErrorCode::Invalid, text).hint("name one app"));
    }
    let mut new = Vec::new();
    for Meant { app, .. } in meant {
        let core = app.core.borrow();
        let changed = core.full_spec().changed(changes);
        let mut spec = changed.map_err(|problems| Failure::invalid(&core.spec.name, problems))?;
        if let Some(problem) = program::check_user(&spec) {
            return Err(Failure::invalid(&core.spec.name, vec![problem]));
        }
        if let Some(shell) = shell {
            spec.inherit(&shell.0);
        }
        if spec.name != core.spec.name && registry.named(&spec.name).is_some() {
            let text = format!("an app called {:?} is there already", spec.name);
            return Err(Failure::new(ErrorCode::AlreadyThere, text));
        }
        new.push((app.clone(), spec));
    }
    for (app, spec) in new {
        app.change(registry, Change::Spec(Box::new(spec)));
    }
    Ok(())
}

/// Another number of instances among the changes: what is asked for that, and what remains to be
/// restarted.
fn resized(registry: &Registry, meant: Vec<Meant>, changes: &Changes) -> (Vec<Meant>, Asks) {
    if !changes.contains_key("instances") {
        return (meant, Asks::new());
    }
    let mut asks = Asks::new();
    let meant = meant.into_iter().map(|mut meant| {
        if let Some((slots, ask)) = fit(registry, &meant.app) {
            meant.slots.retain(|slot| !slots.contains(slot));
            asks.push((meant.app.clone(), slots, ask));
        }
        meant
    });
    let meant: Vec<Meant> = meant.collect();
    (meant, asks)
}

/// What is to be asked of an app so that it has as many processes as it says.
pub(super) fn fit(registry: &Registry, app: &App) -> Option<(Vec<u32>, Ask)> {
    let wanted = app
        .core
        .borrow()
        .spec
        .instances
        .resolve(crate::usable_cores());
    resize(registry, app, u32::try_from(wanted).unwrap_or(u32::MAX))
}

fn each(meant: Vec<Meant>, ask: impl Fn(Vec<u32>) -> Ask) -> Asks {
    let meant = meant.into_iter();
    meant
        .map(|Meant { app, slots }| (app, slots.clone(), ask(slots)))
        .collect()
}

/// Asks, and waits if that is wanted.
pub(super) async fn carry_out(
    registry: &Rc<Registry>,
    asks: Asks,
    wait: bool,
    watcher: &Watcher,
) -> Acted {
    let mut acted = Acted {
        done: wait,
        ..Acted::default()
    };
    let mut waiting = Vec::new();
    let mut meant = Vec::new();
    for (app, slots, ask) in asks {
        watcher.follow(app.id);
        // As it was: a removed one has no state any more.
        let before = words::show(&app.core.borrow(), &slots);
        let answer = app.ask(ask);
        meant.push(Meant {
            app: app.clone(),
            slots,
        });
        waiting.push((app, answer, before));
    }
    if !wait {
        // Accepted is what the next brain would do too.
        while meant
            .iter()
            .any(|meant| !meant.app.core.borrow().inbox.is_empty())
        {
            tokio::task::yield_now().await;
        }
        registry.link.settled().await;
        acted.processes = show(&meant);
        return acted;
    }
    let of = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
    for (done, (app, answer, before)) in (1..).zip(waiting) {
        let outcomes: Outcomes = answer.await.unwrap_or_default();
        words::outcomes(&app.core.borrow(), &outcomes, &before, &mut acted);
        if of > 1 {
            watcher.say(Note::Progress { done, of });
        }
    }
    registry.link.settled().await;
    acted.processes.sort_by_key(|process| process.id);
    acted
}

/// The processes as they are now.
pub(super) fn show(meant: &[Meant]) -> Vec<tine_control::ProcessInfo> {
    let mut all: Vec<_> = meant
        .iter()
        .flat_map(|Meant { app, slots }| words::show(&app.core.borrow(), slots))
        .collect();
    all.sort_by_key(|process| process.id);
    all
}
