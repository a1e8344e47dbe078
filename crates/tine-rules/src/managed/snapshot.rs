//! A managed app as plain data, to be kept by somebody who outlives this program.

use std::sync::Arc;
use std::time::Duration;

use super::action::Action;
use super::leaving::{How, Leaving, Stage};
use super::machine::Managed;
use super::process::{Birth, Channel, Process, Standing};
use super::rules::ManagedRules;
use super::slot::{Hands, Slot, State, Then};
use super::view::Reason;
use crate::restart::{RestartHistory, SavedHistory};
use crate::time::Millis;

/// All slots of an app, with spans of time in place of points. Asks are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Snapshot {
    /// The slots, by number.
    pub slots: Vec<SavedSlot>,
}

/// One slot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SavedSlot {
    /// Its number.
    pub number: u32,
    /// The last generation that was given out.
    pub generation: u64,
    /// How many processes followed another.
    pub restarts: u64,
    /// What it remembers of short ends.
    pub history: SavedHistory,
    /// Why it is as it is.
    pub reason: Option<Reason>,
    /// How it stands and what is wanted of it.
    pub state: SavedState,
    /// Processes that are being ended.
    pub leaving: Vec<SavedLeaving>,
}

/// How a slot stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum SavedState {
    /// Nothing is to run.
    Stopped,
    /// It was given up.
    Errored,
    /// The next process is due.
    Waiting {
        /// How long until then.
        left: Duration,
    },
    /// There is a process, or is to be.
    Running {
        /// The process.
        process: SavedProcess,
    },
    /// A reload is under way.
    Reloading {
        /// The process that is to be replaced.
        old: SavedProcess,
        /// The process that is to replace it.
        new: SavedProcess,
    },
    /// All that is leaving is to leave.
    Stopping {
        /// What comes after that.
        then: Then,
    },
}

/// A process that nobody has asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SavedProcess {
    /// Its generation.
    pub generation: u64,
    /// How old it is.
    pub age: Duration,
    /// How far it has come.
    pub standing: Standing,
    /// What is known of its channel.
    pub channel: Channel,
    /// Whether it listens.
    pub listening: bool,
    /// Whether it is up only when it listens.
    pub must_listen: bool,
    /// Whether it has had its time to come up, and has not.
    pub late: bool,
}

/// A process that is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SavedLeaving {
    /// Its generation.
    pub generation: u64,
    /// How old it is.
    pub age: Duration,
    /// Whether it is known to exist; if not, only its creation has been ordered.
    pub exists: bool,
    /// Whether it had been up.
    pub was_up: bool,
    /// Whether it has withstood SIGKILL.
    pub unkillable: bool,
}

impl Managed {
    /// All slots as they stand at `now`, be there actions that nobody has fetched or not.
    #[must_use]
    pub fn snapshot(&self, now: Millis) -> Snapshot {
        let slots = self.slots.values().map(|slot| save(slot, now)).collect();
        Snapshot { slots }
    }

    /// One slot as it stands at `now`; `None` when there is no such slot.
    #[must_use]
    pub fn snapshot_slot(&self, slot: u32, now: Millis) -> Option<SavedSlot> {
        self.slots.get(&slot).map(|slot| save(slot, now))
    }

    /// Goes on from a snapshot, as if it had been taken at `now` (see [`Snapshot::aged`]).
    ///
    /// Processes that were being ended get their signal again, and all their time. The new process
    /// of a reload is ended. There is an [`Action::Changed`] for each slot.
    ///
    /// Then the driver says what the snapshot cannot know: [`Event::Exited`](super::Event::Exited)
    /// of each process in it that has ended since, and, of each whose standing is
    /// [`Standing::Ordered`] (or that does not `exist`), `Spawned`, `SpawnFailed`, `Exited` or
    /// [`OrderLost`](super::Event::OrderLost).
    #[must_use]
    pub fn restore(rules: ManagedRules, snapshot: Snapshot, now: Millis) -> Managed {
        let mut managed = Managed::new(rules);
        let rules = Arc::clone(&managed.rules);
        let mut news = Vec::new();
        for saved in snapshot.slots {
            let mut hands = Hands {
                now,
                rules: &rules,
                queue: &mut managed.queue,
                news: &mut news,
            };
            let slot = load(saved, &mut hands);
            if matches!(slot.state, State::Removed) {
                managed.queue.push(Action::Removed { slot: slot.number });
            } else {
                managed.slots.insert(slot.number, Box::new(slot));
            }
        }
        managed.restored(now);
        managed
    }
}

impl Snapshot {
    /// The snapshot as it would be, had it been taken this much later and nothing had happened.
    #[must_use]
    pub fn aged(mut self, by: Duration) -> Snapshot {
        let older = |age: &mut Duration| *age = age.saturating_add(by);
        let nearer = |left: &mut Duration| *left = left.saturating_sub(by);
        for slot in &mut self.slots {
            nearer(&mut slot.history.budget_full_in);
            nearer(&mut slot.history.counts_for);
            for leaving in &mut slot.leaving {
                older(&mut leaving.age);
            }
            match &mut slot.state {
                SavedState::Waiting { left } => nearer(left),
                SavedState::Running { process } => older(&mut process.age),
                SavedState::Reloading { old, new } => {
                    older(&mut old.age);
                    older(&mut new.age);
                }
                SavedState::Stopped | SavedState::Errored | SavedState::Stopping { .. } => {}
            }
        }
        self
    }
}

fn save(slot: &Slot, now: Millis) -> SavedSlot {
    SavedSlot {
        number: slot.number,
        generation: slot.generation,
        restarts: slot.restarts,
        history: slot.history.saved(now),
        reason: slot.reason,
        state: match &slot.state {
            State::Stopped | State::Removed => SavedState::Stopped,
            State::Errored => SavedState::Errored,
            State::Waiting { until } => SavedState::Waiting {
                left: until.since(now),
            },
            State::Running(process) => SavedState::Running {
                process: save_process(process, now),
            },
            State::Reloading { old, new } => SavedState::Reloading {
                old: save_process(old, now),
                new: save_process(new, now),
            },
            State::Stopping { then } => SavedState::Stopping { then: *then },
        },
        leaving: slot
            .leaving
            .iter()
            .map(|one| SavedLeaving {
                generation: one.generation,
                age: one.birth.age(now),
                exists: !one.is_unborn(),
                was_up: one.was_up,
                unkillable: one.is_unkillable(),
            })
            .collect(),
    }
}

fn save_process(process: &Process, now: Millis) -> SavedProcess {
    SavedProcess {
        generation: process.generation,
        age: process.birth.age(now),
        standing: process.standing,
        channel: process.channel,
        listening: process.listening,
        must_listen: process.must_listen,
        late: process.late,
    }
}

fn load(saved: SavedSlot, hands: &mut Hands<'_>) -> Slot {
    let now = hands.now;
    let mut slot = Slot::new(saved.number);
    slot.generation = saved.generation;
    slot.restarts = saved.restarts;
    slot.history = RestartHistory::restored(&saved.history, now);
    for one in saved.leaving {
        let leaving = load_leaving(one, hands, slot.number);
        slot.leaving.push(leaving);
    }
    match saved.state {
        SavedState::Stopped => slot.state = State::Stopped,
        SavedState::Errored => slot.state = State::Errored,
        SavedState::Waiting { left } => {
            let until = now.plus(left);
            slot.state = State::Waiting { until };
        }
        SavedState::Running { process } => {
            slot.state = State::Running(load_process(process, hands));
        }
        SavedState::Reloading { old, new } => {
            slot.state = State::Running(load_process(old, hands));
            let new = load_process(new, hands);
            slot.end(new, How::Kill, hands);
        }
        SavedState::Stopping { then } => slot.rest(then, hands),
    }
    slot.reason = slot.reason.or(saved.reason);
    slot
}

fn load_process(saved: SavedProcess, hands: &Hands<'_>) -> Process {
    Process {
        birth: Birth::ago(hands.now, saved.age),
        standing: saved.standing,
        channel: saved.channel,
        listening: saved.listening,
        must_listen: saved.must_listen,
        late: saved.late,
        ..Process::ordered(saved.generation, hands.rules, hands.now)
    }
}

fn load_leaving(saved: SavedLeaving, hands: &mut Hands<'_>, slot: u32) -> Leaving {
    let process = Process {
        birth: Birth::ago(hands.now, saved.age),
        standing: match (saved.exists, saved.was_up) {
            (false, _) => Standing::Ordered,
            (true, false) => Standing::Launching,
            (true, true) => Standing::Up,
        },
        ..Process::ordered(saved.generation, hands.rules, hands.now)
    };
    if saved.unkillable {
        return Leaving {
            generation: process.generation,
            birth: process.birth,
            was_up: saved.was_up,
            stage: Stage::Unkillable,
            rules: process.rules,
        };
    }
    Leaving::begin(slot, process, How::Signal, hands.now, hands.queue)
}
