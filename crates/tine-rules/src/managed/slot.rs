//! One place for a process: what is in it, and what happens to that?
//!
//! What is asked of a slot is in `orders.rs`, what is heard of its processes in `happenings.rs`.

use std::sync::Arc;

use super::action::{Action, Outcome};
use super::event::Until;
use super::leaving::{How, Leaving};
use super::process::Process;
use super::queue::Queue;
use super::rules::{ChannelKind, ManagedRules};
use super::view::{Failure, Reason, SlotView, Status};
use crate::app::Exit;
use crate::restart::RestartHistory;
use crate::time::Millis;

#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) number: u32,
    /// The last that was given out.
    pub(super) generation: u64,
    pub(super) restarts: u64,
    pub(super) history: RestartHistory,
    pub(super) reason: Option<Reason>,
    pub(super) state: State,
    /// Processes that are being ended. Beside a process that is to stay they are what a reload has
    /// left over.
    pub(super) leaving: Vec<Leaving>,
}

#[derive(Debug, Clone)]
pub(super) enum State {
    Stopped,
    Errored,
    Waiting {
        until: Millis,
    },
    Running(Process),
    /// The new process takes the place of the old one as soon as it is up.
    Reloading {
        old: Process,
        new: Process,
    },
    /// Until all that is leaving has left.
    Stopping {
        then: Then,
    },
    /// The slot is to be forgotten.
    Removed,
}

/// What becomes of a slot when all its processes have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Then {
    /// It is stopped.
    Stop,
    /// It is errored.
    GiveUp,
    /// The next process is started.
    Start,
    /// It is removed.
    Remove,
}

/// What those who wait for a slot hear.
#[derive(Debug, Clone, Copy)]
pub(super) enum News {
    /// It stands in another way.
    Moved,
    /// What should run has failed.
    Failed(Failure),
    /// What should run has done its job.
    Finished(Exit),
    /// The new process of a reload has failed; the old one stays. Or the old one cannot be ended.
    ReloadFailed(Failure),
}

/// What a slot acts with.
pub(super) struct Hands<'a> {
    pub(super) now: Millis,
    pub(super) rules: &'a Arc<ManagedRules>,
    pub(super) queue: &'a mut Queue,
    pub(super) news: &'a mut Vec<(u32, News)>,
}

impl Slot {
    pub(super) fn new(number: u32) -> Slot {
        Slot {
            number,
            generation: 0,
            restarts: 0,
            history: RestartHistory::default(),
            reason: None,
            state: State::Stopped,
            leaving: Vec::new(),
        }
    }

    pub(super) fn view(&self) -> SlotView {
        let (status, process, starting, next_start) = match &self.state {
            State::Stopped | State::Removed => (Status::Stopped, None, None, None),
            State::Errored => (Status::Errored, None, None, None),
            State::Waiting { until } => (Status::WaitingRestart, None, None, Some(*until)),
            State::Running(process) => (running(process), Some(process), None, None),
            State::Reloading { old, new } => (running(old), Some(old), Some(new.generation), None),
            State::Stopping { .. } => (Status::Stopping, None, None, None),
        };
        SlotView {
            status,
            generation: process.map_or(self.generation, |process| process.generation),
            up: process.is_some_and(Process::is_up),
            restarts: self.restarts,
            unstable_restarts: self.history.short_ends(),
            next_start,
            reason: self.reason,
            starting,
            going: match &self.state {
                State::Stopping { then } => matches!(then, Then::Remove),
                State::Removed => true,
                State::Stopped
                | State::Errored
                | State::Waiting { .. }
                | State::Running(_)
                | State::Reloading { .. } => false,
            },
            leaving: self.leaving.iter().map(|one| one.generation).collect(),
        }
    }

    pub(super) fn next_wakeup(&self) -> Option<Millis> {
        let by_itself = match &self.state {
            State::Waiting { until } => Some(*until),
            State::Running(process) => process.next_wakeup(),
            State::Reloading { old, new } => {
                let both = old.next_wakeup().into_iter().chain(new.next_wakeup());
                both.min()
            }
            State::Stopped | State::Errored | State::Stopping { .. } | State::Removed => None,
        };
        let leaving = self.leaving.iter().filter_map(Leaving::next_wakeup);
        leaving.chain(by_itself).min()
    }

    /// How the process that is to stay has come as far as is waited for, or will not.
    pub(super) fn came(&self, until: Until) -> Option<Outcome> {
        let State::Running(process) = &self.state else {
            return None;
        };
        let generation = process.generation;
        let limit = process.rules.listen_timeout;
        match until {
            Until::Up if process.is_up() => Some(Outcome::Up { generation }),
            Until::Online if process.is_online() => Some(Outcome::Online { generation }),
            Until::Up | Until::Online => {
                process
                    .late
                    .then_some(Outcome::Failed(Failure::NotReadyInTime {
                        generation,
                        limit,
                    }))
            }
        }
    }

    /// Whether something is being ended that can still be expected to end.
    pub(super) fn waits_for_an_end(&self) -> bool {
        self.leaving.iter().any(|one| !one.is_unkillable())
    }

    pub(super) fn replace(&mut self, hands: &mut Hands<'_>) {
        self.restarts += 1;
        self.spawn(hands);
    }

    /// Orders the process of the next generation, as the one of the slot.
    pub(super) fn spawn(&mut self, hands: &mut Hands<'_>) {
        let process = self.order(hands);
        self.state = State::Running(process);
        self.tell(hands, News::Moved);
    }

    pub(super) fn order(&mut self, hands: &mut Hands<'_>) -> Process {
        self.generation += 1;
        let (slot, generation) = (self.number, self.generation);
        hands.queue.push(Action::Spawn { slot, generation });
        Process::ordered(generation, hands.rules, hands.now)
    }

    /// Begins to end a process.
    pub(super) fn end(&mut self, process: Process, how: How, hands: &mut Hands<'_>) {
        let never =
            !process.exists() && hands.queue.take_back_spawn(self.number, process.generation);
        if !never {
            let one = Leaving::begin(self.number, process, how, hands.now, hands.queue);
            self.leaving.push(one);
        }
    }

    /// Nothing is to run: comes to rest as soon as nothing does.
    pub(super) fn rest(&mut self, then: Then, hands: &mut Hands<'_>) {
        self.state = State::Stopping { then };
        self.left(hands);
        self.look_at_the_unkillable(hands);
    }

    /// Goes on if all that is leaving has left.
    pub(super) fn left(&mut self, hands: &mut Hands<'_>) {
        self.tell(hands, News::Moved);
        if !self.leaving.is_empty() {
            return;
        }
        // It could be ended after all.
        let was_unkillable = self.reason.is_some_and(|reason| reason.is_unkillable());
        self.reason = self.reason.filter(|_| !was_unkillable);
        match &self.state {
            State::Stopping { then: Then::Stop } => self.come_to_rest(State::Stopped, hands),
            State::Stopping { then: Then::GiveUp } => self.come_to_rest(State::Errored, hands),
            State::Stopping { then: Then::Remove } => self.come_to_rest(State::Removed, hands),
            State::Stopping { then: Then::Start } => self.spawn(hands),
            State::Errored if was_unkillable => self.state = State::Stopped,
            State::Stopped
            | State::Errored
            | State::Waiting { .. }
            | State::Running(_)
            | State::Reloading { .. }
            | State::Removed => {}
        }
    }

    fn come_to_rest(&mut self, state: State, hands: &mut Hands<'_>) {
        self.state = state;
        let slot = self.number;
        self.listeners(Action::ReleaseListeners { slot }, hands);
    }

    /// If all there is to wait for are processes that SIGKILL does not end: the generation of one.
    pub(super) fn withstanding(&self) -> Option<u64> {
        let one = self.leaving.first()?;
        (!self.waits_for_an_end()).then_some(one.generation)
    }

    /// Says that it is so, if it is.
    pub(super) fn look_at_the_unkillable(&mut self, hands: &mut Hands<'_>) {
        let Some(generation) = self.withstanding() else {
            return;
        };
        let failure = Failure::Unkillable { generation };
        match &self.state {
            State::Stopping { .. } => {
                self.reason = Some(Reason::Unkillable { generation });
                self.come_to_rest(State::Errored, hands);
                self.tell(hands, News::Failed(failure));
            }
            State::Running(_) | State::Reloading { .. } | State::Waiting { .. } => {
                self.reason = Some(Reason::Unkillable { generation });
                self.tell(hands, News::ReloadFailed(failure));
            }
            State::Stopped | State::Errored | State::Removed => {}
        }
    }

    pub(super) fn listeners(&self, action: Action, hands: &mut Hands<'_>) {
        if hands.rules.channel == ChannelKind::Cluster {
            hands.queue.push(action);
        }
    }

    pub(super) fn tell(&self, hands: &mut Hands<'_>, news: News) {
        hands.news.push((self.number, news));
    }
}

fn running(process: &Process) -> Status {
    if process.is_online() {
        Status::Online
    } else {
        Status::Launching
    }
}
