//! How far has the end of a process come that was asked to end?

use std::sync::Arc;
use std::time::Duration;

use super::action::Action;
use super::process::{Birth, Process};
use super::queue::Queue;
use super::rules::ManagedRules;
use crate::stop::{StopStep, Stopping};
use crate::time::Millis;

/// The least time from SIGKILL until a process counts as unkillable.
const LEAST_TIME_TO_DIE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub(super) struct Leaving {
    pub(super) generation: u64,
    pub(super) rules: Arc<ManagedRules>,
    /// Of the order, until it exists.
    pub(super) birth: Birth,
    pub(super) was_up: bool,
    pub(super) stage: Stage,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    /// Nobody has said yet that it exists.
    Unborn { how: How },
    /// It was asked, and has some time.
    Asked(Stopping),
    /// It has got SIGKILL.
    Killed { patience_ends: Millis },
    /// It has got SIGKILL and lives.
    Unkillable,
}

/// How a process is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// As its rules say.
    Ask,
    /// As its rules say, from the signal on.
    Signal,
    /// At once.
    Kill,
}

impl Leaving {
    /// Begins to end a process that was ordered and cannot be taken back.
    pub(super) fn begin(
        slot: u32,
        process: Process,
        how: How,
        now: Millis,
        queue: &mut Queue,
    ) -> Leaving {
        let mut leaving = Leaving {
            generation: process.generation,
            birth: process.birth,
            was_up: process.is_up(),
            stage: Stage::Unborn { how },
            rules: Arc::clone(&process.rules),
        };
        if process.exists() {
            leaving.ask(slot, &process, how, now, queue);
        }
        leaving
    }

    fn ask(&mut self, slot: u32, process: &Process, how: How, now: Millis, queue: &mut Queue) {
        let generation = self.generation;
        let stop = match how {
            How::Ask if self.rules.shutdown_with_message && process.can_be_told() => {
                queue.push(Action::Message { slot, generation });
                Stopping::begin_unheard(&self.rules.stop, now)
            }
            How::Ask => Stopping::begin(&self.rules.stop, now, process.can_disconnect()),
            How::Signal => Stopping::begin(&self.rules.stop, now, false),
            How::Kill => return self.kill(slot, now, queue),
        };
        self.stage = Stage::Asked(stop);
        self.step(slot, now, queue);
    }

    /// Sends SIGKILL, be it again.
    pub(super) fn kill(&mut self, slot: u32, now: Millis, queue: &mut Queue) {
        let generation = self.generation;
        queue.push(Action::KillTree { slot, generation });
        let patience = self.rules.stop.kill_timeout.max(LEAST_TIME_TO_DIE);
        self.stage = Stage::Killed {
            patience_ends: now.plus(patience),
        };
    }

    /// Somebody has said that the process exists; `process` is as it is known by now.
    pub(super) fn born(&mut self, slot: u32, process: &Process, now: Millis, queue: &mut Queue) {
        match self.stage {
            Stage::Unborn { how } => {
                self.birth = process.birth;
                self.ask(slot, process, how, now, queue);
            }
            Stage::Asked(_) | Stage::Killed { .. } | Stage::Unkillable => {}
        }
    }

    /// Does what is due.
    pub(super) fn step(&mut self, slot: u32, now: Millis, queue: &mut Queue) {
        let generation = self.generation;
        match self.stage {
            Stage::Asked(mut stop) => {
                while let Some(step) = stop.step(now) {
                    match step {
                        StopStep::Disconnect => queue.push(Action::Disconnect { slot, generation }),
                        StopStep::Signal(signal) => queue.push(Action::Signal {
                            slot,
                            generation,
                            signal,
                        }),
                        StopStep::KillTree => return self.kill(slot, now, queue),
                    }
                }
                self.stage = Stage::Asked(stop);
            }
            Stage::Killed { patience_ends } if patience_ends <= now => {
                self.stage = Stage::Unkillable;
            }
            Stage::Unborn { .. } | Stage::Killed { .. } | Stage::Unkillable => {}
        }
    }

    pub(super) fn next_wakeup(&self) -> Option<Millis> {
        match self.stage {
            Stage::Asked(stop) => stop.next_wakeup(),
            Stage::Killed { patience_ends } => Some(patience_ends),
            Stage::Unborn { .. } | Stage::Unkillable => None,
        }
    }

    pub(super) fn is_unborn(&self) -> bool {
        match self.stage {
            Stage::Unborn { .. } => true,
            Stage::Asked(_) | Stage::Killed { .. } | Stage::Unkillable => false,
        }
    }

    pub(super) fn is_unkillable(&self) -> bool {
        match self.stage {
            Stage::Unkillable => true,
            Stage::Unborn { .. } | Stage::Asked(_) | Stage::Killed { .. } => false,
        }
    }
}
