//! What the app may say, and when: every promise that can be broken is looked at here.

use std::collections::BTreeSet;

use tine_rules::managed::{Action, Ask, AskId, Failure, Outcome, Status};

use crate::simulation::{
    Asked, Happening, KILL_LATENCY, Name, Process, SLOTS, SPAWN_LATENCY, World, exit_code,
    exit_signal,
};

impl World {
    /// Looks at what the app wants done, and lets the world answer.
    pub(crate) fn act(&mut self, action: Action) {
        match action {
            Action::Spawn { slot, generation } => self.spawn((slot, generation)),
            Action::Disconnect { slot, generation } => {
                let name = (slot, generation);
                let process = self.process(name);
                assert!(!process.exited && process.spoke, "{action:?}: {process:?}");
                assert_eq!(process.signals, 0, "{action:?} after the signal");
                self.seen.insert("disconnect");
                self.may_obey(name, exit_code(0));
            }
            Action::Message { slot, generation } => {
                let name = (slot, generation);
                let process = self.process(name);
                assert!(!process.exited && process.signals == 0, "{action:?}");
                self.seen.insert("message");
                self.may_obey(name, exit_code(0));
            }
            Action::Signal {
                slot,
                generation,
                signal,
            } => {
                assert_eq!(signal, 15);
                let name = (slot, generation);
                let process = self.process(name);
                assert!(!process.exited, "{action:?} to a process that has exited");
                process.signals += 1;
                self.seen.insert("signal");
                self.may_obey(name, exit_signal(15));
            }
            Action::KillTree { slot, generation } => {
                let name = (slot, generation);
                let process = self.process(name);
                if process.exited {
                    return;
                }
                process.kills += 1;
                self.seen.insert("kill");
                let withstands = self.process(name).unkillable;
                let delay = if withstands {
                    // Long enough for everybody to have given up, or not.
                    self.chance.one_of(&[1_000, 30_000])
                } else {
                    self.chance.upto(KILL_LATENCY)
                };
                self.later(delay, Happening::Dies(name, exit_signal(9)));
            }
            Action::ReleaseListeners { slot } => {
                let view = self.app.view(slot);
                let rests = view
                    .is_none_or(|view| matches!(view.status, Status::Stopped | Status::Errored));
                assert!(!self.drained || rests, "{action:?}");
            }
            Action::LendListeners { .. } => {}
            Action::PruneListeners => {
                self.seen.insert("prune");
            }
            Action::Ended {
                slot, generation, ..
            } => {
                assert!(self.process((slot, generation)).exited, "{action:?}");
            }
            Action::Changed { slot } => {
                if let Some(view) = self.app.view(slot) {
                    if view.status == Status::Errored {
                        self.seen.insert("errored");
                    }
                    if let Some(starting) = view.starting {
                        self.seen.insert("beside");
                        for generation in [view.generation, starting] {
                            if let Some(process) = self.processes.get_mut(&(slot, generation)) {
                                process.in_reload = true;
                            }
                        }
                    }
                }
            }
            Action::Removed { slot } => self.forget_slot(slot, &action),
            Action::Answer { id, outcomes } => self.hear_answer(id, &outcomes),
        }
    }

    fn spawn(&mut self, name: Name) {
        let (slot, generation) = name;
        let Some(view) = self.app.view(slot) else {
            panic!("{name:?} is ordered for a slot that is no more");
        };
        let beside = view.starting == Some(generation);
        assert!(
            beside || view.generation == generation,
            "{name:?} is ordered and {view:?}"
        );
        let others = self.processes.range((slot, 0)..=(slot, u64::MAX));
        let others: Vec<(u64, bool)> = others
            .filter(|(_, other)| !other.exited)
            .map(|((_, other), process)| (*other, process.in_reload))
            .collect();
        assert!(others.len() <= 1, "{name:?} is ordered beside {others:?}");
        if let [(other, in_reload)] = others[..] {
            let left_over = in_reload && view.leaving.contains(&other);
            let replaced = beside && view.generation == other;
            assert!(left_over || replaced, "{name:?} is ordered beside {other}");
            let mut asked = self.unanswered.values();
            assert!(
                left_over || asked.any(|asked| matches!(asked.ask, Ask::Reload { .. })),
                "{name:?} is ordered beside {other} and nobody asked for a reload"
            );
        }
        let skipped = (slot, generation - 1);
        if generation > 1 && !self.processes.contains_key(&skipped) {
            self.seen.insert("order taken back");
        }
        let process = Process {
            in_reload: beside,
            ..Process::default()
        };
        let before = self.processes.insert(name, process);
        assert!(before.is_none(), "{name:?} is ordered twice");
        if let [(other, _)] = others[..]
            && let Some(other) = self.processes.get_mut(&(slot, other))
        {
            other.in_reload = true;
        }
        self.spawns.entry(slot).or_default().push(self.now);
        self.check_spawns(slot);
        let delay = self.chance.upto(SPAWN_LATENCY);
        self.later(delay, Happening::Answer(name));
    }

    fn process(&mut self, name: Name) -> &mut Process {
        match self.processes.get_mut(&name) {
            Some(process) => process,
            None => panic!("there never was a process {name:?}"),
        }
    }

    fn hear_answer(&mut self, id: AskId, outcomes: &[(u32, Outcome)]) {
        let Some(asked) = self.unanswered.remove(&id) else {
            panic!("{id:?} is answered, and nobody waits for that");
        };
        let slots: BTreeSet<u32> = outcomes.iter().map(|(slot, _)| *slot).collect();
        assert_eq!((slots.len(), &slots), (outcomes.len(), &asked.slots));
        for (slot, outcome) in outcomes {
            self.check_outcome(id, &asked, *slot, *outcome);
        }
    }

    fn check_outcome(&mut self, id: AskId, asked: &Asked, slot: u32, outcome: Outcome) {
        let what = format!("{id:?} {:?}: {slot} {outcome:?}", asked.ask);
        let newer = self.named.get(&slot).is_some_and(|last| *last > id.0);
        // Later asks may have changed everything since; and events that came before it was fetched.
        let view = self.app.view(slot);
        let settled = !newer && self.forced <= id.0;
        let seen = match outcome {
            Outcome::Up { generation } | Outcome::Online { generation } => {
                assert!(self.processes.contains_key(&(slot, generation)), "{what}");
                if matches!(outcome, Outcome::Up { .. }) {
                    "up"
                } else {
                    "online"
                }
            }
            Outcome::Finished { .. } => "finished",
            Outcome::Stopped => {
                assert!(matches!(asked.ask, Ask::Stop { .. }), "{what}");
                let at_rest = view.is_none_or(|view| view.status == Status::Stopped);
                assert!(!settled || at_rest, "{what}");
                "stopped"
            }
            Outcome::Removed => {
                assert!(matches!(asked.ask, Ask::Remove { .. }), "{what}");
                assert!(!settled || view.is_none(), "{what}");
                "removed"
            }
            Outcome::Added => "added",
            Outcome::Reset => "reset",
            Outcome::Failed(Failure::Exited { generation, .. }) => {
                assert!(self.process((slot, generation)).exited, "{what}");
                "failed: exited"
            }
            Outcome::Failed(Failure::SpawnFailed { generation }) => {
                assert!(self.process((slot, generation)).exited, "{what}");
                "failed: spawn"
            }
            Outcome::Failed(Failure::NotReadyInTime { .. }) => "failed: not ready",
            Outcome::Failed(Failure::Unkillable { generation }) => {
                assert!(self.process((slot, generation)).kills > 0, "{what}");
                "failed: unkillable"
            }
            Outcome::NotReloaded => {
                assert!(matches!(asked.ask, Ask::Reload { .. }), "{what}");
                "not reloaded"
            }
            Outcome::Superseded => {
                assert!(newer || self.forced > id.0, "{what}");
                "superseded"
            }
            Outcome::ReloadUnderWay => {
                assert!(
                    matches!(asked.ask, Ask::Reload { force: false, .. }),
                    "{what}"
                );
                assert_eq!(asked.at, self.now, "{what}");
                "reload under way"
            }
            Outcome::NoSuchSlot => "no such slot",
            Outcome::AlreadyThere => "already there",
        };
        self.seen.insert(seen);
    }

    /// The list is what the kernel says.
    pub(crate) fn compare_with_the_kernel(&self) {
        for slot in self.app.slots() {
            let Some(view) = self.app.view(slot) else {
                panic!("{slot} is listed and is not there");
            };
            let has_one = matches!(view.status, Status::Launching | Status::Online);
            let listed: BTreeSet<u64> = view
                .leaving
                .iter()
                .copied()
                .chain(view.starting)
                .chain(has_one.then_some(view.generation))
                .collect();
            let of_slot = self.processes.range((slot, 0)..=(slot, u64::MAX));
            let kernel: BTreeSet<u64> = of_slot
                .filter(|(_, process)| !process.exited)
                .map(|((_, generation), _)| *generation)
                .collect();
            assert_eq!(listed, kernel, "{slot}: {view:?}");
            match view.status {
                Status::Stopped => assert!(kernel.is_empty(), "{slot}: {view:?}"),
                Status::Errored => {
                    for generation in kernel {
                        let killed = self.processes[&(slot, generation)].kills > 0;
                        assert!(killed, "{slot}: {view:?}");
                    }
                }
                Status::WaitingRestart => assert!(view.next_start.is_some()),
                Status::Launching | Status::Online | Status::Stopping => {}
            }
        }
        let alive = self.processes.iter().filter(|(_, process)| !process.exited);
        for (name, _) in alive {
            assert!(self.app.view(name.0).is_some(), "{name:?} has no slot");
        }
        assert!(self.app.unanswered().eq(self.unanswered.keys().copied()));
    }

    /// No ask waits for longer than everything takes that can be part of it.
    pub(crate) fn check_patience(&self) {
        let stop = self.kill_timeout + self.kill_timeout.max(2_000) + 2 * SPAWN_LATENCY;
        let start = 2 * SPAWN_LATENCY + self.listen_timeout + self.min_uptime;
        for (id, asked) in &self.unanswered {
            let longest = match &asked.ask {
                Ask::Stop { .. } | Ask::Remove { .. } => stop,
                // A start may wait with a restart or a reload of all slots.
                Ask::Start { .. } | Ask::Add { .. } => (SLOTS + 1) * (2 * stop + start),
                Ask::Restart { .. } | Ask::Reload { .. } => {
                    // Something of an earlier reload may have to be ended before.
                    stop + asked.slots.len() as u64 * (2 * stop + start)
                }
                Ask::Reset { .. } => 0,
            };
            assert!(
                self.now <= asked.at + longest,
                "{id:?} {asked:?} waits at {}",
                self.now
            );
        }
    }

    /// How often a slot may be filled with nobody asking for it: see the other world.
    fn check_spawns(&self, slot: u32) {
        let Some(spawns) = self.spawns.get(&slot) else {
            return;
        };
        let uptime = (self.app.rules().restart.min_uptime.as_millis() as u64).max(100);
        let last = spawns.len();
        for (first, from) in spawns.iter().enumerate() {
            let (count, span) = ((last - first) as u64, self.now - from);
            let replaced = (16 + span / 500 + 1) + (span / uptime + 1);
            let most = 1 + replaced + (replaced + 1) + (span / 100 + 1);
            assert!(count <= most, "{count} processes within {span} ms");
        }
    }

    pub(crate) fn check_the_end(&self) {
        assert!(self.ending && self.drained);
        assert!(self.unanswered.is_empty(), "{:?}", self.unanswered);
        for slot in self.app.slots() {
            let status = self.app.view(slot).map(|view| view.status);
            assert_eq!(status, Some(Status::Stopped), "{slot}");
        }
        for (name, process) in &self.processes {
            assert!(process.exited, "{name:?} was left alive");
        }
    }
}
