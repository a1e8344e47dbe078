//! One app: what is asked of it, what became of its processes, and who looks after it.
//!
//! The machine in [`tine_rules::managed`] decides. Whoever has something to tell it does so through
//! [`App`]; one task for each app ([`App::look_after`]) carries out what it says.

use super::clock::{Clock, log, wall};
use super::link::{Place, Spawned};
use super::process::Process;
use super::registry::Registry;
use super::versions::Versions;
use super::{act, deposit, words};
use crate::home::Home;
use crate::listening::tree_listens;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::time::Duration;
use tine_cluster::Policy;
use tine_cluster::primary::{Event as ClusterEvent, Primary};
use tine_control::{AppSpec, Balance, ExecMode, ExitInfo, ProcessStatus, Variables, What, Who};
use tine_keeper::protocol::Exit;
use tine_rules::managed::{
    Ask, AskId, ChannelKind, Event, Managed, ManagedRules, Outcome, Readiness, SlotView, Status,
};
use tine_rules::{RestartRules, StopRules};
use tine_sys::Pid;
use tokio::sync::{Notify, oneshot};

/// The number of an app, never used twice while there is a keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct AppId(pub(super) u32);

/// What became of an ask, by slot.
pub(super) type Outcomes = Vec<(u32, Outcome)>;

/// Ends of processes that are remembered of each slot.
pub(super) const EXITS: usize = 10;

/// When it is looked whether a program listens that says nothing, after it was started and while
/// somebody waits for it.
const LOOKS: [Duration; 8] = [
    Duration::from_millis(15),
    Duration::from_millis(30),
    Duration::from_millis(60),
    Duration::from_millis(100),
    Duration::from_millis(150),
    Duration::from_millis(200),
    Duration::from_millis(300),
    Duration::from_millis(400),
];

/// Of no more apps than this at a time it is looked whether they listen, and of no more processes
/// of one app: each look takes a third of a millisecond. The others are up when they have lived
/// `min_uptime`.
const MOST_LOOKERS: u32 = 16;
const MOST_LOOKED_AT: usize = 32;

/// One app of the list.
#[derive(Debug)]
pub(super) struct App {
    pub(super) id: AppId,
    /// There is something to do.
    pub(super) wake: Notify,
    pub(super) core: RefCell<Core>,
}

/// All that is known of it.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) id: AppId,
    /// As it was asked for, without `inherited_env`.
    pub(super) spec: AppSpec,
    /// The `inherited_env`, which nearly all apps have in common.
    pub(super) inherited: Rc<Variables>,
    pub(super) machine: Managed,
    pub(super) slots: BTreeMap<u32, Box<Slot>>,
    /// Has come and was not looked at.
    pub(super) inbox: VecDeque<Input>,
    asks: BTreeMap<AskId, oneshot::Sender<Outcomes>>,
    next_ask: u64,
    /// What the next brain would have to know is another than what the keeper holds.
    pub(super) spec_is_new: bool,
    pub(super) new_slots: BTreeSet<u32>,
    /// Exits that can be acknowledged once the state is held.
    pub(super) heard_exits: Vec<u64>,
    /// Somebody looks whether what says nothing listens.
    looked_at: bool,
    pub(super) clock: Clock,
    pub(super) home: Home,
    /// Whose daemon it is.
    pub(super) user: Rc<str>,
    pub(super) versions: Rc<Versions>,
}

/// One entry of the list.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: u32,
    /// When it was made, or last started by hand: milliseconds since 1970.
    pub(super) created: u64,
    /// By generation. Two during a reload. Boxed, because a node of the map has room for many.
    pub(super) processes: BTreeMap<u64, Box<Process>>,
    /// The latest last.
    pub(super) exits: VecDeque<ExitInfo>,
    /// Where its process said that it listens.
    pub(super) listening: Vec<String>,
    /// Why its process could not be created.
    pub(super) refused: String,
    /// The runtime of Node's kind that executes, or executed, its process.
    pub(super) runtime: Option<PathBuf>,
    /// The file with the number of its process.
    pub(super) pid_file: Option<PathBuf>,
    /// What has last been told to others.
    told: Option<ProcessStatus>,
}

/// What came from elsewhere.
#[derive(Debug)]
pub(super) enum Input {
    Asked(AskId, Ask),
    Changed(ManagedRules),
    Spawned(Place, Spawned),
    Exited(Place, Exit),
    Said(ClusterEvent),
}

/// What came of a round of work.
struct Round {
    answers: Vec<(AskId, Outcomes)>,
    /// The last slot is gone.
    over: bool,
    /// Somebody is to look whether its processes listen.
    looks: bool,
    wakeup: Option<tine_rules::Millis>,
}

/// What is changed about an app.
#[derive(Debug)]
pub(super) enum Change {
    /// All of it, `inherited_env` included. Not how many processes there are.
    Spec(Box<AppSpec>),
    /// How many processes it is to have.
    Instances(u32),
}

impl Slot {
    pub(super) fn new(id: u32, created: u64) -> Self {
        Self {
            id,
            created,
            processes: BTreeMap::new(),
            exits: VecDeque::new(),
            listening: Vec::new(),
            refused: String::new(),
            runtime: None,
            pid_file: None,
            told: None,
        }
    }

    /// There is no process, and will not be one in a moment.
    pub(super) fn remove_pid_file(&mut self) {
        if let Some(path) = self.pid_file.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Core {
    /// An app without slots.
    pub(super) fn new(registry: &Registry, spec: AppSpec) -> Self {
        let machine = Managed::new(rules(&spec));
        let id = registry.new_app_id();
        Self::with(registry, id, spec, machine)
    }

    pub(super) fn with(
        registry: &Registry,
        id: AppId,
        mut spec: AppSpec,
        machine: Managed,
    ) -> Self {
        let inherited = registry.share(std::mem::take(&mut spec.inherited_env));
        Self {
            id,
            spec,
            inherited,
            machine,
            slots: BTreeMap::new(),
            inbox: VecDeque::new(),
            asks: BTreeMap::new(),
            next_ask: 1,
            spec_is_new: true,
            new_slots: BTreeSet::new(),
            heard_exits: Vec::new(),
            looked_at: false,
            clock: registry.clock,
            home: registry.home.clone(),
            user: registry.user.clone(),
            versions: registry.versions.clone(),
        }
    }

    /// As it was asked for, whole.
    pub(super) fn full_spec(&self) -> AppSpec {
        AppSpec {
            inherited_env: (*self.inherited).clone(),
            ..self.spec.clone()
        }
    }

    /// How its connections are shared.
    pub(super) fn policy(&self) -> Policy {
        let fixed = match self.spec.balance {
            Balance::Auto => None,
            Balance::Rr => Some(Policy::RoundRobin),
            Balance::Least => Some(Policy::Least),
            Balance::Shared => Some(Policy::Shared),
            Balance::Kernel => Some(Policy::Kernel),
            Balance::Sticky => Some(Policy::Sticky),
        };
        let variable = "NODE_CLUSTER_SCHED_POLICY";
        let of_node = || {
            let own = self.spec.env.get(variable);
            let value = own.or_else(|| self.inherited.get(variable))?;
            Policy::of_node(value)
        };
        match fixed.or_else(of_node) {
            Some(policy) => policy,
            None => crate::Balance::Auto.resolve(exact_turns),
        }
    }

    /// Whether its programs have a word for being up.
    pub(super) fn has_a_word(&self) -> bool {
        self.machine.rules().readiness != Readiness::Silent
    }

    /// Whether a reload is under way.
    pub(super) fn reloads(&self) -> bool {
        let mut views = self
            .slots
            .keys()
            .filter_map(|slot| self.machine.view(*slot));
        views.any(|view| view.starting.is_some())
    }

    /// The slots that are not on their way to be removed.
    pub(super) fn staying(&self) -> Vec<u32> {
        let going = |slot: &&u32| self.machine.view(**slot).is_some_and(|view| view.going);
        let slots = self.slots.keys();
        slots.filter(|slot| !going(slot)).copied().collect()
    }

    /// Which process is in a slot now, for events.
    pub(super) fn who(&self, slot: u32) -> Who {
        self.who_was(
            slot,
            self.machine.view(slot).map_or(0, |view| view.generation),
        )
    }

    /// Which process a generation of a slot is.
    pub(super) fn who_was(&self, slot: u32, generation: u64) -> Who {
        Who {
            id: self.slots.get(&slot).map_or(0, |entry| entry.id),
            name: self.spec.name.clone(),
            slot,
            generation,
        }
    }

    /// The process that is in a slot now.
    pub(super) fn process(&self, slot: u32) -> Option<&Process> {
        let view = self.machine.view(slot)?;
        let processes = &self.slots.get(&slot)?.processes;
        let process = processes.get(&view.generation)?;
        process.pid.is_some().then_some(&**process)
    }

    /// The files of a process.
    pub(super) fn paths(&self, id: u32) -> tine_logs::Paths {
        if self.spec.disable_logs {
            return tine_logs::Paths::default();
        }
        let given = tine_logs::Paths {
            out: self.spec.out_file.clone(),
            error: self.spec.error_file.clone(),
            combined: self.spec.log_file.clone(),
        };
        let id = (!self.spec.merges_logs()).then_some(u64::from(id));
        tine_logs::Paths::choose(&self.home.logs(), &self.spec.name, id, &given)
    }

    /// The file with the number of the process in a slot.
    pub(super) fn pid_file(&self, slot: u32) -> Option<PathBuf> {
        let id = self.slots.get(&slot)?.id;
        Some(match &self.spec.pid_file {
            Some(path) => words::with_id(path, id),
            None => {
                let name = words::file_name(&self.spec.name);
                self.home.pids().join(format!("{name}-{id}.pid"))
            }
        })
    }

    /// Sends a signal to the process in a slot, to it alone.
    pub(super) fn signal_one(&self, slot: u32, signal: i32) -> Result<(), String> {
        let process = self.process(slot).ok_or("it does not run")?;
        let pidfd = process.pidfd.as_ref().ok_or("it cannot be reached")?;
        tine_sys::tree::signal_pidfd(pidfd.as_fd(), signal).map_err(|error| error.to_string())
    }

    /// Takes a slot's change of status to those who want to know.
    pub(super) fn publish(&mut self, registry: &Registry, slot: u32) {
        self.new_slots.insert(slot);
        let Some(view) = self.machine.view(slot) else {
            return;
        };
        let (status, text) = (words::status(view.status), words::reason(self, slot, &view));
        let pid = self.process(slot).and_then(Process::number);
        let who = self.who_was(slot, view.generation);
        let Some(entry) = self.slots.get_mut(&slot) else {
            return;
        };
        match status {
            ProcessStatus::Stopped | ProcessStatus::Errored | ProcessStatus::WaitingRestart => {
                entry.remove_pid_file();
            }
            ProcessStatus::Launching | ProcessStatus::Online | ProcessStatus::Stopping => {}
        }
        if entry.told != Some(status) || view.status == Status::Launching {
            entry.told = Some(status);
            registry.status_changed(self.id, who, status, pid, text);
        }
    }
}

/// What the rules have to know of an app.
pub(super) fn rules(spec: &AppSpec) -> ManagedRules {
    let clustered = spec.exec_mode == ExecMode::Cluster;
    ManagedRules {
        restart: RestartRules {
            autorestart: spec.autorestart,
            min_uptime: spec.min_uptime,
            max_restarts: spec.max_restarts,
            restart_delay: spec.restart_delay,
            stop_exit_codes: spec.stop_exit_codes.clone(),
        },
        exp_backoff: spec.exp_backoff_restart_delay,
        stop: StopRules {
            signal: tine_sys::reap::signal_from_name(&spec.stop_signal).unwrap_or(2),
            kill_timeout: spec.kill_timeout,
        },
        shutdown_with_message: spec.shutdown_with_message,
        channel: if clustered {
            ChannelKind::Cluster
        } else {
            ChannelKind::Messages
        },
        readiness: match (spec.wait_ready, clustered) {
            (true, _) => Readiness::Message,
            (false, true) => Readiness::Cluster,
            (false, false) => Readiness::Silent,
        },
        listen_timeout: spec.listen_timeout,
    }
}

impl App {
    pub(super) fn new(id: AppId, core: Core) -> Rc<Self> {
        Rc::new(Self {
            id,
            wake: Notify::new(),
            core: RefCell::new(core),
        })
    }

    /// Asks the machine for something. What became of it comes once it is so, and what the next
    /// brain has to know of it is on its way to the keeper.
    pub(super) fn ask(self: &Rc<Self>, ask: Ask) -> oneshot::Receiver<Outcomes> {
        let (tell, told) = oneshot::channel();
        let mut core = self.core.borrow_mut();
        let id = AskId(core.next_ask);
        core.next_ask += 1;
        if let Ask::Start { slots } | Ask::Restart { slots, .. } | Ask::Reload { slots, .. } = &ask
        {
            let now = wall();
            let is_start = matches!(ask, Ask::Start { .. });
            for slot in slots {
                let runs = core.process(*slot).is_some();
                if is_start && runs {
                    continue;
                }
                if let Some(entry) = core.slots.get_mut(slot) {
                    entry.created = now;
                    core.new_slots.insert(*slot);
                }
            }
        }
        core.asks.insert(id, tell);
        core.inbox.push_back(Input::Asked(id, ask));
        drop(core);
        self.wake.notify_one();
        told
    }

    /// Further slots, with the lowest numbers that are free; the machine is yet to be told.
    pub(super) fn new_slots(&self, registry: &Registry, count: usize) -> Vec<u32> {
        let numbers: Vec<u32> = {
            let core = self.core.borrow();
            let free = (0..).filter(|number| !core.slots.contains_key(number));
            free.take(count).collect()
        };
        self.take_slots(registry, &numbers);
        numbers
    }

    /// Further slots with these numbers; the machine is yet to be told.
    pub(super) fn take_slots(&self, registry: &Registry, numbers: &[u32]) {
        let mut core = self.core.borrow_mut();
        for number in numbers {
            let slot = Slot::new(registry.new_process_id(), wall());
            core.slots.insert(*number, Box::new(slot));
            core.new_slots.insert(*number);
            registry.publish(What::Added {
                process: core.who(*number),
            });
        }
        registry.hold();
    }

    /// Changes what the app is.
    pub(super) fn change(&self, registry: &Registry, change: Change) {
        let mut core = self.core.borrow_mut();
        match change {
            Change::Spec(spec) => {
                let mut spec = *spec;
                let renamed = spec.name != core.spec.name;
                core.inherited = registry.share(std::mem::take(&mut spec.inherited_env));
                core.spec = spec;
                if renamed {
                    registry.renamed(self.id, &core.spec.name);
                }
            }
            Change::Instances(count) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                let exactly = std::num::NonZeroUsize::new(count);
                if let Some(exactly) = exactly {
                    core.spec.instances = tine_rules::Instances::Exactly(exactly);
                }
            }
        }
        let rules = rules(&core.spec);
        core.spec_is_new = true;
        core.inbox.push_back(Input::Changed(rules));
        registry.publish(What::AppChanged {
            app: core.spec.name.clone(),
        });
        drop(core);
        self.wake.notify_one();
    }

    pub(super) fn spawned(&self, place: Place, spawned: Spawned) {
        let mut core = self.core.borrow_mut();
        core.inbox.push_back(Input::Spawned(place, spawned));
        drop(core);
        self.wake.notify_one();
    }

    pub(super) fn exited(&self, place: Place, exit: Exit) {
        let mut core = self.core.borrow_mut();
        core.inbox.push_back(Input::Exited(place, exit));
        drop(core);
        self.wake.notify_one();
    }

    /// Does what the machine says, until the app is gone.
    pub(super) async fn look_after(
        self: Rc<Self>,
        registry: Weak<Registry>,
        mut primary: Option<Box<Primary>>,
        mut held: deposit::Held,
    ) {
        loop {
            let Some(registry) = registry.upgrade() else {
                return;
            };
            let round = self.round(&registry, &mut primary, &mut held);
            if round.over {
                registry.remove(&self);
            }
            self.answer(round.answers);
            if round.over {
                return;
            }
            if round.looks {
                registry.lookers.set(registry.lookers.get() + 1);
                tokio::task::spawn_local(self.clone().look_for_listeners(Rc::downgrade(&registry)));
            }
            let wakeup = round.wakeup;
            let at = registry.clock.instant(wakeup.unwrap_or_default());
            let clock = registry.clock;
            drop(registry);
            tokio::select! {
                biased;
                () = self.wake.notified() => {}
                event = next_event(&mut primary) => match event {
                    Ok(event) => self.core.borrow_mut().inbox.push_back(Input::Said(event)),
                    Err(error) => {
                        // No caller can mend it; the next brain begins anew.
                        log(format_args!("waiting for workers: {error}"));
                        std::process::abort();
                    }
                },
                () = tokio::time::sleep_until(at), if wakeup.is_some() => {
                    self.core.borrow_mut().machine.handle(clock.now(), Event::Woken);
                }
            }
        }
    }

    /// Does all that there is to do now, and lets the keeper hold what has changed.
    fn round(
        &self,
        registry: &Registry,
        primary: &mut Option<Box<Primary>>,
        held: &mut deposit::Held,
    ) -> Round {
        let mut core = self.core.borrow_mut();
        let worked = act::work(&mut core, registry, primary);
        let over = core.slots.is_empty() && worked.removed;
        if over {
            deposit::forget(&registry.link, &core, held);
        } else {
            deposit::hold(&registry.link, &mut core, primary.as_deref(), held);
        }
        for exit in core.heard_exits.drain(..) {
            registry.link.acknowledge(exit);
        }
        let looks = !core.looked_at
            && !core.asks.is_empty()
            && !core.has_a_word()
            && registry.lookers.get() < MOST_LOOKERS
            && core.slots.len() <= MOST_LOOKED_AT;
        core.looked_at |= looks;
        Round {
            answers: worked.answers,
            over,
            looks,
            wakeup: core.machine.next_wakeup(),
        }
    }

    fn answer(&self, answers: Vec<(AskId, Outcomes)>) {
        for (id, outcomes) in answers {
            let tell = self.core.borrow_mut().asks.remove(&id);
            if let Some(tell) = tell {
                let _ = tell.send(outcomes);
            }
        }
    }

    /// While somebody waits for a program that has no word for being up: it is, when it listens.
    async fn look_for_listeners(self: Rc<Self>, registry: Weak<Registry>) {
        for pause in LOOKS {
            tokio::time::sleep(pause).await;
            let Some(registry) = registry.upgrade() else {
                break;
            };
            let mut core = self.core.borrow_mut();
            if core.asks.is_empty() {
                break;
            }
            let waits = |view: &SlotView| view.status == Status::Online && !view.up;
            let pids: Vec<(u32, u64, Pid)> = core
                .slots
                .keys()
                .filter_map(|slot| {
                    let view = core.machine.view(*slot).filter(waits)?;
                    let pid = core.process(*slot)?.pid?;
                    Some((*slot, view.generation, pid))
                })
                .collect();
            let now = registry.clock.now();
            for (slot, generation, pid) in pids {
                if tree_listens(pid) {
                    core.machine
                        .handle(now, Event::Listening { slot, generation });
                }
            }
            drop(core);
            self.wake.notify_one();
        }
        self.core.borrow_mut().looked_at = false;
        if let Some(registry) = registry.upgrade() {
            registry.lookers.set(registry.lookers.get() - 1);
        }
    }
}

/// What the cluster says next; nothing, ever, when there is none.
async fn next_event(primary: &mut Option<Box<Primary>>) -> std::io::Result<ClusterEvent> {
    match primary {
        Some(primary) => primary.next_event().await,
        None => std::future::pending().await,
    }
}

/// Whether the kernel may give connections in exact turns; found out once.
fn exact_turns() -> bool {
    static PERMITTED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *PERMITTED.get_or_init(|| tine_sys::steer::probe_ebpf().is_ok())
}
