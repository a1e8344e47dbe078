//! What did the brain before this one leave?

use super::app::{AppId, Core, Input, Slot, rules};
use super::clock::{log, since_boot, wall};
use super::deposit::{
    DAEMON_KEY, FORM, Held, WrittenDaemon, WrittenProcess, WrittenSlot, WrittenSpec, cluster_key,
    cluster_prefix, slot_prefix, spec_key,
};
use super::link::Place;
use super::process::{self, Process};
use super::registry::Registry;
use super::words;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::{Rc, Weak};
use std::time::Duration;
use tine_cluster::WorkerId;
use tine_cluster::primary::Primary;
use tine_keeper::client::{Inventory, Running};
use tine_keeper::protocol::{Exit, Status};
use tine_rules::managed::{Event, Managed, Snapshot};
use tine_sys::Pid;

const KILL: i32 = 9;

/// What is known of the daemon; a first brain knows nothing.
pub(super) fn daemon(held: &Inventory) -> WrittenDaemon {
    let found = held.states.iter().find(|(key, _)| key == DAEMON_KEY);
    let read = found.and_then(|(_, bytes)| serde_json::from_slice(bytes).ok());
    read.unwrap_or_else(|| WrittenDaemon {
        form: FORM,
        started: wall(),
        next_process: 0,
        next_app: 1,
    })
}

/// Everything that the keeper holds, by name.
struct Left {
    states: BTreeMap<String, Vec<u8>>,
    descriptors: BTreeMap<String, OwnedFd>,
    processes: BTreeMap<Place, Running>,
}

/// Takes all of it back.
pub(super) fn all(registry: &Rc<Registry>, held: Inventory) {
    let processes = held.processes.into_iter();
    let mut left = Left {
        states: held.states.into_iter().collect(),
        descriptors: held.descriptors.into_iter().collect(),
        processes: processes
            .filter_map(|running| Some((Place::read(&running.name)?, running)))
            .collect(),
    };
    let apps = left.states.keys().filter_map(|key| {
        let number = key.strip_prefix("spec.")?.parse().ok()?;
        Some(AppId(number))
    });
    let mut doubtful = Vec::new();
    let mut unread = BTreeSet::new();
    for id in apps.collect::<Vec<_>>() {
        if let Err(error) = app(registry, &mut left, id, &mut doubtful) {
            // Whoever wrote it may yet come back: its processes are left alone.
            log(format_args!(
                "taking the app {} back: {error}; it is left as it is",
                id.0
            ));
            unread.insert(id);
        }
    }
    // Ordered by a brain that died before it could write down that it had.
    for (place, running) in left.processes {
        if unread.contains(&place.app) {
            continue;
        }
        log(format_args!(
            "ending {}, which nobody knows of",
            running.name
        ));
        kill(&running);
        registry.link.forget(process::names(place).to_vec());
    }
    let kept = |name: &str| {
        let of_app = Place::read(name).is_some_and(|place| unread.contains(&place.app));
        of_app
            || unread
                .iter()
                .any(|id| name.starts_with(&cluster_prefix(*id)))
    };
    let names = left.descriptors.into_keys().filter(|name| !kept(name));
    let names: Vec<String> = names.collect();
    if !names.is_empty() {
        registry.link.forget(names);
    }
    registry.hold();
    if !doubtful.is_empty() {
        tokio::task::spawn_local(settle_doubts(Rc::downgrade(registry), doubtful));
    }
}

type Error = Box<dyn std::error::Error>;

fn app(
    registry: &Rc<Registry>,
    left: &mut Left,
    id: AppId,
    doubtful: &mut Vec<(Place, i32)>,
) -> Result<(), Error> {
    let spec = left.states.get(&spec_key(id)).ok_or("no specification")?;
    let spec: WrittenSpec = serde_json::from_slice(spec)?;
    let mut slots = Vec::new();
    let prefix = slot_prefix(id);
    for (_, bytes) in left
        .states
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix))
    {
        let slot: WrittenSlot = serde_json::from_slice(bytes)?;
        slots.push(slot);
    }
    if spec.form > FORM || slots.iter().any(|slot| slot.form > FORM) {
        return Err("it was written by a newer version".into());
    }
    let now = registry.clock.now();
    let saved = slots.iter_mut().filter_map(|slot| {
        let away = since_boot().saturating_sub(slot.at);
        let one = Snapshot {
            slots: vec![slot.machine.take()?],
        };
        one.aged(Duration::from_millis(away)).slots.pop()
    });
    let saved = Snapshot {
        slots: saved.collect(),
    };
    let known: BTreeSet<u32> = saved.slots.iter().map(|slot| slot.number).collect();
    let machine = Managed::restore(rules(&spec.spec), saved, now);
    let mut core = Core::with(registry, id, spec.spec, machine);

    let (mut primary, mut held) = cluster(registry, &core, left, id);
    for written in slots {
        // Nobody was told that it is there.
        if !known.contains(&written.number) {
            core.new_slots.insert(written.number);
            continue;
        }
        let mut slot = Slot::new(written.id, written.created);
        slot.exits = written.exits.into();
        slot.listening = written.listening;
        slot.refused = written.refused;
        core.slots.insert(written.number, Box::new(slot));
        for process in written.processes {
            let place = Place {
                app: id,
                slot: written.number,
                generation: process.generation,
            };
            let taken = take_process(registry, left, &mut core, place, &process);
            if let Some(pid) = taken {
                doubtful.push((place, pid));
            }
        }
    }
    let mut ghosts = Vec::new();
    for worker in primary.iter().flat_map(|primary| primary.workers()) {
        // What was heard and not written down before the kill.
        let slot = worker.seat.0;
        let entry = core.slots.get(&slot).map(|entry| entry.processes.iter());
        let known = entry
            .into_iter()
            .flatten()
            .find(|(_, process)| process.worker == Some(worker.id));
        let Some((generation, _)) = known else {
            ghosts.push(worker.id);
            continue;
        };
        let generation = *generation;
        if worker.online {
            core.machine.handle(now, Event::Online { slot, generation });
        }
        if !worker.listening.is_empty() {
            core.machine
                .handle(now, Event::Listening { slot, generation });
        }
    }
    // Entered by the brain before, which then died before it knew their processes.
    if let Some(primary) = &mut primary {
        for worker in ghosts {
            primary.ended(worker, tine_cluster::ExitStatus::Unknown);
        }
    }
    if core.slots.is_empty() {
        super::deposit::forget(&registry.link, &core, &mut held);
        return Ok(());
    }
    registry.add(core, primary, held);
    Ok(())
}

/// The cluster of an app, if it had one.
fn cluster(
    registry: &Registry,
    core: &Core,
    left: &mut Left,
    id: AppId,
) -> (Option<Box<Primary>>, Held) {
    let mut held = Held::default();
    let prefix = cluster_prefix(id);
    let mut primary = None;
    if let Some(json) = left.states.get(&cluster_key(id)) {
        let json = String::from_utf8_lossy(json).into_owned();
        let mut names = BTreeSet::new();
        let restored = Primary::restore(process::settings(core), &json, &mut |name| {
            let fd = left.descriptors.remove(&format!("{prefix}{name}"))?;
            names.insert(name.to_owned());
            Some(fd)
        });
        match restored {
            Ok(restored) => primary = Some(Box::new(restored)),
            Err(error) => log(format_args!(
                "taking the cluster of {} back: {error}",
                core.spec.name
            )),
        }
        held.names = names;
    }
    // Named by nobody: let go of before any of the names is used again.
    let stale = left
        .descriptors
        .keys()
        .filter(|name| name.starts_with(&prefix));
    let stale: Vec<String> = stale.cloned().collect();
    for name in &stale {
        left.descriptors.remove(name);
    }
    if !stale.is_empty() {
        registry.link.forget(stale);
    }
    (primary, held)
}

/// Ends a process that the keeper has not reaped: its number is still its own.
fn kill(running: &Running) {
    let _ = match (&running.pidfd, Pid::from_raw(running.pid)) {
        (Some(pidfd), _) => tine_sys::tree::signal_pidfd(pidfd.as_fd(), KILL),
        (None, Some(pid)) => tine_sys::tree::signal(pid, KILL),
        (None, None) => Ok(()),
    };
}

/// Takes one process back. Gives its number if it is not known to run: then it has ended, and that
/// will be told.
fn take_process(
    registry: &Registry,
    left: &mut Left,
    core: &mut Core,
    place: Place,
    written: &WrittenProcess,
) -> Option<i32> {
    let (slot, generation) = (place.slot, place.generation);
    let [stdin, out, err] = process::names(place).map(|name| left.descriptors.remove(&name));
    let running = left.processes.remove(&place);
    let now = registry.clock.now();
    let is_lost = written.pid.is_none() && (running.is_none() || written.channel);
    if is_lost {
        // The order was not carried out, or the other end of its channel was lost with the brain
        // that made it.
        if let Some(running) = &running {
            kill(running);
        }
        registry.link.forget(process::names(place).to_vec());
        core.machine
            .handle(now, Event::OrderLost { slot, generation });
        return None;
    }
    let output = process::output(core, registry, place);
    if let (Some(out), Some(err)) = (out, err)
        && let Err(error) = output.read_from(out, err)
    {
        log(format_args!(
            "reading what {} says: {error}",
            core.spec.name
        ));
    }
    let number = running
        .as_ref()
        .map(|running| running.pid)
        .or(written.pid)?;
    let version = written
        .channel
        .then(|| words::version_of(&core.spec.script));
    let pid_file = core.pid_file(slot).filter(|path| path.exists());
    let is_running = running.is_some();
    let runtime = written.runtime.clone();
    if let Some(runtime) = &runtime {
        registry.versions.ask(runtime);
    }
    let taken = Process {
        pid: Pid::from_raw(number),
        // As it was shown before; the keeper's clock ran a moment earlier.
        started: match (&running, written.pid) {
            (Some(running), None) => running.started,
            (_, Some(_)) | (None, None) => written.started,
        },
        pidfd: running.and_then(|running| running.pidfd),
        worker: written.worker.map(WorkerId),
        birth: None,
        stdin,
        output,
        channel: written.channel,
        runtime,
        version: version.flatten(),
    };
    if let Some(entry) = core.slots.get_mut(&slot) {
        entry.processes.insert(generation, Box::new(taken));
        entry.pid_file = pid_file;
        entry.runtime = written.runtime.clone();
    }
    if written.pid.is_none() {
        core.machine
            .handle(now, Event::Spawned { slot, generation });
    }
    (!is_running).then_some(number)
}

/// Those that did not run and whose end was not told, once all that there was to tell has come.
async fn settle_doubts(registry: Weak<Registry>, doubtful: Vec<(Place, i32)>) {
    let Some(registry) = registry.upgrade() else {
        return;
    };
    registry.link.settled().await;
    for (place, pid) in doubtful {
        let Some(app) = registry.app(place.app) else {
            continue;
        };
        let mut core = app.core.borrow_mut();
        let there = core
            .slots
            .get(&place.slot)
            .is_some_and(|entry| entry.processes.contains_key(&place.generation));
        let told = core
            .inbox
            .iter()
            .any(|input| matches!(input, Input::Exited(told, _) if *told == place));
        if there && !told {
            let exit = Exit {
                seq: 0,
                name: Some(place.name()),
                pid,
                status: Status::Unknown,
                at: wall(),
            };
            core.inbox.push_back(Input::Exited(place, exit));
        }
        drop(core);
        app.wake.notify_one();
    }
}
