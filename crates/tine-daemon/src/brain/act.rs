//! What is done about what the machine of an app says, and what it is told.

use super::app::{Core, EXITS, Input, Outcomes, Slot};
use super::clock::{log, wall};
use super::link::{Place, Spawned};
use super::process;
use super::registry::Registry;
use super::{deposit, words};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, pidfd_open};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use tine_cluster::primary::{Event as ClusterEvent, Primary, Seat, WorkerId};
use tine_cluster::{Body, ExitStatus};
use tine_control::{ExecMode, ExitInfo, What};
use tine_keeper::protocol::{Exit, Status};
use tine_rules::managed::{Action, AskId, Event};
use tine_sys::Pid;
use tine_sys::tree::{descendants, signal, signal_pidfd};

const KILL: i32 = 9;

/// What follows from a round of work.
#[derive(Debug, Default)]
pub(super) struct Worked {
    /// For those who asked, once the state is held.
    pub(super) answers: Vec<(AskId, Outcomes)>,
    /// A slot is no more.
    pub(super) removed: bool,
}

/// Looks at everything that has come and does everything that follows.
pub(super) fn work(
    core: &mut Core,
    registry: &Registry,
    primary: &mut Option<Box<Primary>>,
) -> Worked {
    let mut worked = Worked::default();
    loop {
        while let Some(action) = core.machine.poll_action() {
            act(core, registry, primary, action, &mut worked);
        }
        match core.inbox.pop_front() {
            Some(input) => hear(core, registry, primary, input),
            None => return worked,
        }
    }
}

fn hear(core: &mut Core, registry: &Registry, primary: &mut Option<Box<Primary>>, input: Input) {
    let now = registry.clock.now();
    match input {
        Input::Asked(id, ask) => core.machine.handle(now, Event::Ask { id, ask }),
        Input::Changed(rules) => core.machine.handle(now, Event::Rules(rules)),
        Input::Spawned(place, spawned) => heard_spawned(core, registry, primary, place, spawned),
        Input::Exited(place, exit) => heard_exit(core, registry, primary, place, &exit),
        Input::Said(event) => heard_cluster(core, registry, event),
    }
}

fn heard_spawned(
    core: &mut Core,
    registry: &Registry,
    primary: &mut Option<Box<Primary>>,
    place: Place,
    spawned: Spawned,
) {
    let Place {
        slot, generation, ..
    } = place;
    let now = registry.clock.now();
    core.new_slots.insert(slot);
    let (pid, pidfd) = match spawned {
        Spawned::Running { pid, pidfd } => {
            let pid = Pid::from_raw(pid);
            // It could not be taken for want of descriptors: the keeper has not reaped it yet, so
            // the number is still its own.
            let open = |pid| pidfd_open(pid, PidfdFlags::empty()).ok();
            (pid, pidfd.or_else(|| pid.and_then(open)))
        }
        Spawned::Failed { errno, text } => {
            registry.link.forget(process::names(place).to_vec());
            if let Some(entry) = core.slots.get_mut(&slot) {
                entry.processes.remove(&generation);
                entry.refused = text;
            }
            // 0: the keeper itself had no room for it.
            let passing = [
                Errno::AGAIN,
                Errno::NOMEM,
                Errno::MFILE,
                Errno::NFILE,
                Errno::TXTBSY,
            ];
            let retry_helps = passing
                .iter()
                .any(|passing| passing.raw_os_error() == errno);
            core.machine.handle(
                now,
                Event::SpawnFailed {
                    slot,
                    generation,
                    retry_helps,
                },
            );
            return;
        }
    };
    let pid_file = core.pid_file(slot);
    let script = core.spec.script.clone();
    let entry = core.slots.get_mut(&slot).map(|entry| {
        let Slot {
            processes,
            pid_file,
            listening,
            ..
        } = &mut **entry;
        (processes.get_mut(&generation), pid_file, listening)
    });
    let Some((Some(process), known_pid_file, listening)) = entry else {
        // Nobody wants it any more.
        if let Some(pidfd) = pidfd {
            let _ = signal_pidfd(pidfd.as_fd(), KILL);
        }
        return;
    };
    process.pid = pid;
    process.started = wall();
    // Who has no channel is no program of Node's, and has no `package.json`.
    if process.channel {
        process.version = words::version_of(&script);
    }
    if let (Some(birth), Some(primary), Some(pid)) = (process.birth.take(), primary, pid) {
        let known = pidfd.as_ref().and_then(|pidfd| pidfd.try_clone().ok());
        match primary.born(*birth, pid, known) {
            Ok(worker) => process.worker = Some(worker),
            Err(error) => log(format_args!(
                "watching a worker of {}: {error}",
                core.spec.name
            )),
        }
    }
    process.pidfd = pidfd;
    if let Some(path) = pid_file
        && let Some(number) = process.number()
    {
        match write_number(&path, number) {
            Ok(()) => *known_pid_file = Some(path),
            Err(error) => log(format_args!("writing {}: {error}", path.display())),
        }
    }
    listening.clear();
    core.machine
        .handle(now, Event::Spawned { slot, generation });
}

fn write_number(path: &Path, number: u32) -> std::io::Result<()> {
    use std::io::Write as _;
    let open = || {
        // A FIFO in its place makes nobody wait.
        let flags = OFlags::WRONLY
            | OFlags::CREATE
            | OFlags::TRUNC
            | OFlags::NONBLOCK
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::from_raw_mode(0o644))
    };
    let file = match open() {
        Err(Errno::NOENT) => {
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
            open()?
        }
        opened => opened?,
    };
    std::fs::File::from(file).write_all(number.to_string().as_bytes())
}

fn heard_exit(
    core: &mut Core,
    registry: &Registry,
    primary: &mut Option<Box<Primary>>,
    place: Place,
    exit: &Exit,
) {
    core.heard_exits.push(exit.seq);
    let Place {
        slot, generation, ..
    } = place;
    core.new_slots.insert(slot);
    let (code, by) = match exit.status {
        Status::Code(code) => (Some(code), None),
        Status::Signal { signal, .. } => (None, Some(signal)),
        Status::Unknown => (None, None),
    };
    let Some(entry) = core.slots.get_mut(&slot) else {
        return;
    };
    let process = entry.processes.get_mut(&generation);
    if process
        .as_ref()
        .and_then(|process| process.pid)
        .is_some_and(|pid| pid.as_raw_nonzero().get() != exit.pid)
    {
        // Another one that had its name, of a brain before.
        return;
    }
    if let Some(process) = process {
        process.output.drain();
        process.pidfd = None;
        process.stdin = None;
        entry.exits.push_back(ExitInfo {
            generation,
            pid: process.number().unwrap_or(0),
            at: exit.at,
            lived: exit.at.saturating_sub(process.started),
            code,
            signal: by.map(words::signal),
            core: matches!(
                exit.status,
                Status::Signal {
                    core_dumped: true,
                    ..
                }
            ),
            asked: false,
            lines: process.output.last_lines(),
        });
        if entry.exits.len() > EXITS {
            entry.exits.pop_front();
        }
        if let (Some(worker), Some(primary)) = (process.worker, primary) {
            primary.ended(worker, ExitStatus::from(exit.status));
            if core.spec.exec_mode == ExecMode::Fork {
                // It was a cluster before: nobody comes for its sockets.
                primary.prune();
            }
        }
    }
    // What it left behind would keep its port and its files.
    if core.spec.treekill
        && let Some(leader) = Pid::from_raw(exit.pid)
    {
        registry.orphans.end_those_of(leader);
    }
    registry.link.forget(process::names(place).to_vec());
    let exit = tine_rules::Exit { code, signal: by };
    core.machine.handle(
        registry.clock.now(),
        Event::Exited {
            slot,
            generation,
            exit,
        },
    );
}

/// The slot and generation of a worker.
fn place_of(core: &Core, worker: WorkerId) -> Option<(u32, u64)> {
    core.slots.iter().find_map(|(slot, entry)| {
        let found = entry.processes.iter();
        let mut found = found.filter(|(_, process)| process.worker == Some(worker));
        found.next().map(|(generation, _)| (*slot, *generation))
    })
}

fn heard_cluster(core: &mut Core, registry: &Registry, event: ClusterEvent) {
    let now = registry.clock.now();
    match event {
        ClusterEvent::Online(worker) => {
            if let Some((slot, generation)) = place_of(core, worker) {
                core.machine.handle(now, Event::Online { slot, generation });
            }
        }
        ClusterEvent::Listening(worker, address) => {
            let Some((slot, generation)) = place_of(core, worker) else {
                return;
            };
            let address = address.to_string();
            let process = core.who_was(slot, generation);
            if let Some(entry) = core.slots.get_mut(&slot)
                && !entry.listening.contains(&address)
                && entry.listening.len() < 16
            {
                entry.listening.push(address.clone());
                registry.publish(What::Listening { process, address });
            }
            core.machine
                .handle(now, Event::Listening { slot, generation });
        }
        ClusterEvent::Message { worker, message } => {
            let Some((slot, generation)) = place_of(core, worker) else {
                return;
            };
            if message.read::<String>().is_ok_and(|word| word == "ready") {
                core.machine
                    .handle(now, Event::ReadySaid { slot, generation });
            }
        }
        ClusterEvent::Disconnect { worker, error } => {
            let Some((slot, generation)) = place_of(core, worker) else {
                return;
            };
            if let Some(error) = error {
                let who = core.who_was(slot, generation);
                log(format_args!(
                    "the channel of {} {}: {error}",
                    who.name, who.id
                ));
            }
            core.machine
                .handle(now, Event::ChannelClosed { slot, generation });
        }
        ClusterEvent::ListenFailed {
            worker,
            address,
            error,
        } => {
            if let Some((slot, generation)) = place_of(core, worker) {
                let who = core.who_was(slot, generation);
                log(format_args!(
                    "{} {} cannot listen on {address}: {error}",
                    who.name, who.id
                ));
            }
        }
        ClusterEvent::AcceptFailed { address, error } => {
            log(format_args!(
                "accepting on {address} for {}: {error}",
                core.spec.name
            ));
        }
        // An exit has come from the keeper before; changes are looked for after each round.
        _ => {}
    }
}

fn act(
    core: &mut Core,
    registry: &Registry,
    primary: &mut Option<Box<Primary>>,
    action: Action,
    worked: &mut Worked,
) {
    match action {
        Action::Spawn { slot, generation } => spawn(core, registry, primary, slot, generation),
        Action::Disconnect { slot, generation } => {
            if let (Some(worker), Some(primary)) = (worker(core, slot, generation), primary) {
                primary.disconnect(worker);
            }
        }
        Action::Signal {
            slot,
            generation,
            signal,
        } => signal_tree(core, slot, generation, signal),
        Action::Message { slot, generation } => {
            if let (Some(worker), Some(primary)) = (worker(core, slot, generation), primary)
                && let Ok(shutdown) = Body::from_json("\"shutdown\"")
                && let Err(error) = primary.send(worker, &shutdown)
            {
                log(format_args!(
                    "asking {} to shut down: {error}",
                    core.spec.name
                ));
            }
        }
        Action::KillTree { slot, generation } => kill_tree(core, registry, slot, generation),
        Action::ReleaseListeners { slot } => {
            if let Some(primary) = primary {
                primary.release_seat(Seat(slot));
            }
        }
        Action::LendListeners { slot } => {
            if let Some(primary) = primary {
                primary.lend_seat(Seat(slot));
            }
        }
        Action::PruneListeners => {
            if let Some(primary) = primary {
                primary.prune();
            }
        }
        Action::Ended {
            slot,
            generation,
            asked,
            ..
        } => ended(core, registry, slot, generation, asked),
        Action::Changed { slot } => core.publish(registry, slot),
        Action::Removed { slot } => {
            worked.removed = true;
            core.new_slots.insert(slot);
            let process = core.who(slot);
            if let Some(mut entry) = core.slots.remove(&slot) {
                entry.remove_pid_file();
                for process in entry.processes.values() {
                    process.output.close();
                }
                let process = tine_control::Who {
                    id: entry.id,
                    ..process
                };
                registry.publish(What::Removed { process });
            }
        }
        Action::Answer { id, outcomes } => worked.answers.push((id, outcomes)),
    }
}

fn spawn(
    core: &mut Core,
    registry: &Registry,
    primary: &mut Option<Box<Primary>>,
    slot: u32,
    generation: u64,
) {
    let place = Place {
        app: core.id,
        slot,
        generation,
    };
    let refusal = match process::prepare(core, registry, primary, place) {
        Ok(order) => match ordered(core, registry, place, order) {
            Ok(()) => return,
            Err(refusal) => refusal,
        },
        Err(refusal) => refusal,
    };
    if let Some(entry) = core.slots.get_mut(&slot) {
        entry.refused = refusal.text;
    }
    core.machine.handle(
        registry.clock.now(),
        Event::SpawnFailed {
            slot,
            generation,
            retry_helps: refusal.retry_helps,
        },
    );
}

/// Writes an order down and sends it, in this order: what the keeper has started, the next brain
/// knows of.
fn ordered(
    core: &mut Core,
    registry: &Registry,
    place: Place,
    order: process::Order,
) -> Result<(), process::Refusal> {
    let Place {
        slot, generation, ..
    } = place;
    let channel = order.process.channel;
    let started = order.process.started;
    deposit::hold_order(&registry.link, core, place, channel, started);
    let (process, sent) = order.send(&registry.link, place);
    sent?;
    if let Some(entry) = core.slots.get_mut(&slot) {
        entry.refused.clear();
        entry.runtime = process.runtime.clone();
        entry.processes.insert(generation, Box::new(process));
    }
    Ok(())
}

fn worker(core: &Core, slot: u32, generation: u64) -> Option<WorkerId> {
    core.slots.get(&slot)?.processes.get(&generation)?.worker
}

fn living(core: &Core, slot: u32, generation: u64) -> Option<(Pid, &OwnedFd)> {
    let process = core.slots.get(&slot)?.processes.get(&generation)?;
    Some((process.pid?, process.pidfd.as_ref()?))
}

/// The deepest first, as PM2 does it; only the process itself when its tree is to be left alone.
fn signal_tree(core: &Core, slot: u32, generation: u64, number: i32) {
    let Some((leader, pidfd)) = living(core, slot, generation) else {
        return;
    };
    // Reaped already: its number may be another's by now.
    if signal_pidfd(pidfd.as_fd(), 0).is_err() {
        return;
    }
    // The children of a cluster worker are its own to end, when it has been told to.
    if core.spec.treekill && core.spec.exec_mode != ExecMode::Cluster {
        for pid in descendants(leader) {
            let _ = signal(pid, number);
        }
    }
    // It may have ended a moment ago.
    let _ = signal_pidfd(pidfd.as_fd(), number);
}

fn kill_tree(core: &Core, registry: &Registry, slot: u32, generation: u64) {
    if let Some((leader, pidfd)) = living(core, slot, generation) {
        // Reaped already: its number may be another's by now, and what it left is looked for when
        // its end is heard.
        if signal_pidfd(pidfd.as_fd(), 0).is_err() {
            return;
        }
        if core.spec.treekill {
            for pid in descendants(leader) {
                let _ = signal(pid, KILL);
            }
        }
        let _ = signal_pidfd(pidfd.as_fd(), KILL);
        return;
    }
    // After its exit: for what it left behind.
    let exits = core.slots.get(&slot).map(|entry| entry.exits.iter().rev());
    let mut of_this = exits
        .into_iter()
        .flatten()
        .filter(|exit| exit.generation == generation);
    let leader = of_this.next().and_then(|exit| i32::try_from(exit.pid).ok());
    if let Some(leader) = leader.and_then(Pid::from_raw)
        && core.spec.treekill
    {
        registry.orphans.end_those_of(leader);
    }
}

fn ended(core: &mut Core, registry: &Registry, slot: u32, generation: u64, asked: bool) {
    let process = core.who_was(slot, generation);
    let Some(entry) = core.slots.get_mut(&slot) else {
        return;
    };
    core.new_slots.insert(slot);
    entry.processes.remove(&generation);
    if entry.processes.is_empty() {
        entry.listening.clear();
    }
    let exits = entry.exits.iter_mut().rev();
    let mut of_this = exits.filter(|exit| exit.generation == generation);
    if let Some(exit) = of_this.next() {
        exit.asked = asked;
        let exit = exit.clone();
        registry.publish(What::Exited { process, exit });
        registry.ended.notify_waiters();
    }
}
