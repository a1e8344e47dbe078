//! What happens to the processes of a slot, and what follows from it.

use super::action::{Action, Next};
use super::event::ProcessEvent;
use super::leaving::{How, Leaving};
use super::process::Process;
use super::slot::{Hands, News, Slot, State, Then};
use super::view::{Failure, Reason};
use crate::app::Exit;
use crate::restart::{Ended, Verdict};
use crate::time::Millis;

impl Slot {
    pub(super) fn woken(&mut self, hands: &mut Hands<'_>) {
        match &mut self.state {
            State::Waiting { until } => {
                if *until <= hands.now {
                    self.replace(hands);
                }
            }
            State::Running(_) | State::Reloading { .. } => {
                self.with_processes(hands, |process, now| process.woken(now));
            }
            State::Stopped | State::Errored | State::Stopping { .. } | State::Removed => {}
        }
        let waited = self.waits_for_an_end();
        for one in &mut self.leaving {
            one.step(self.number, hands.now, hands.queue);
        }
        if waited {
            self.look_at_the_unkillable(hands);
        }
    }

    /// Something was said of the process of this generation.
    pub(super) fn hear(&mut self, generation: u64, event: ProcessEvent, hands: &mut Hands<'_>) {
        let leaving = |one: &Leaving| one.generation == generation;
        if let Some(index) = self.leaving.iter().position(leaving) {
            return self.leaving_heard(index, event, hands);
        }
        match std::mem::replace(&mut self.state, State::Stopped) {
            State::Running(process) if process.generation == generation => {
                self.running_heard(process, event, hands);
            }
            State::Reloading { old, new } if old.generation == generation => {
                self.old_heard(old, new, event, hands);
            }
            State::Reloading { old, new } if new.generation == generation => {
                self.new_heard(old, new, event, hands);
            }
            // Late news of a process that is no more.
            state @ (State::Stopped
            | State::Errored
            | State::Waiting { .. }
            | State::Running(_)
            | State::Reloading { .. }
            | State::Stopping { .. }
            | State::Removed) => self.state = state,
        }
    }

    fn running_heard(&mut self, mut process: Process, event: ProcessEvent, hands: &mut Hands<'_>) {
        match event {
            ProcessEvent::Spawned => {
                process.spawned(hands.now);
                self.run(process, hands);
            }
            ProcessEvent::Said(word) => {
                process.said(hands.now, word);
                self.run(process, hands);
            }
            ProcessEvent::SpawnFailed { .. } | ProcessEvent::OrderLost if process.exists() => {
                self.state = State::Running(process);
            }
            ProcessEvent::SpawnFailed { retry_helps } => {
                let generation = process.generation;
                let rules = hands.rules;
                let verdict = self.history.spawn_failed_backing_off(
                    &rules.restart,
                    rules.exp_backoff,
                    hands.now,
                    retry_helps,
                );
                self.reason = Some(Reason::SpawnFailed { generation });
                self.tell(hands, News::Failed(Failure::SpawnFailed { generation }));
                self.follow(verdict, hands);
            }
            ProcessEvent::OrderLost => self.spawn(hands),
            ProcessEvent::Exited(exit) => self.exited(process, exit, hands),
        }
    }

    fn old_heard(
        &mut self,
        mut old: Process,
        new: Process,
        event: ProcessEvent,
        hands: &mut Hands<'_>,
    ) {
        match event {
            ProcessEvent::Spawned => {
                old.spawned(hands.now);
                self.state = State::Reloading { old, new };
            }
            ProcessEvent::Said(word) => {
                old.said(hands.now, word);
                self.state = State::Reloading { old, new };
            }
            ProcessEvent::SpawnFailed { .. } | ProcessEvent::OrderLost => {
                self.state = if old.exists() {
                    State::Reloading { old, new }
                } else {
                    State::Running(new)
                };
            }
            ProcessEvent::Exited(exit) => {
                old.woken(hands.now);
                hands.queue.push(Action::Ended {
                    slot: self.number,
                    generation: old.generation,
                    exit,
                    lived: old.birth.age(hands.now),
                    asked: false,
                    was_up: old.is_up(),
                    next: Next::OtherGeneration,
                });
                self.state = State::Running(new);
            }
        }
        self.tell(hands, News::Moved);
    }

    fn new_heard(
        &mut self,
        old: Process,
        mut new: Process,
        event: ProcessEvent,
        hands: &mut Hands<'_>,
    ) {
        let generation = new.generation;
        match event {
            ProcessEvent::Spawned => {
                new.spawned(hands.now);
                self.reload_on(old, new, hands);
            }
            ProcessEvent::Said(word) => {
                new.said(hands.now, word);
                self.reload_on(old, new, hands);
            }
            ProcessEvent::SpawnFailed { .. } | ProcessEvent::OrderLost if new.exists() => {
                self.state = State::Reloading { old, new };
            }
            ProcessEvent::SpawnFailed { .. } | ProcessEvent::OrderLost => {
                self.state = State::Running(old);
                let failure = Failure::SpawnFailed { generation };
                self.tell(hands, News::ReloadFailed(failure));
            }
            ProcessEvent::Exited(exit) => {
                new.woken(hands.now);
                let lived = new.birth.age(hands.now);
                let slot = self.number;
                // Whatever it had started would stay beside the old one.
                hands.queue.push(Action::KillTree { slot, generation });
                hands.queue.push(Action::Ended {
                    slot,
                    generation,
                    exit,
                    lived,
                    asked: false,
                    was_up: new.is_up(),
                    next: Next::OtherGeneration,
                });
                self.state = State::Running(old);
                let failure = Failure::Exited {
                    generation,
                    exit,
                    lived,
                };
                self.tell(hands, News::ReloadFailed(failure));
            }
        }
    }

    fn leaving_heard(&mut self, index: usize, event: ProcessEvent, hands: &mut Hands<'_>) {
        let (slot, now) = (self.number, hands.now);
        let Some(one) = self.leaving.get_mut(index) else {
            return;
        };
        match event {
            ProcessEvent::Spawned | ProcessEvent::Said(_) => {
                let mut process = Process::ordered(one.generation, &one.rules, now);
                process.spawned(now);
                if let ProcessEvent::Said(word) = event {
                    process.said(now, word);
                }
                one.born(slot, &process, now, hands.queue);
            }
            ProcessEvent::SpawnFailed { .. } | ProcessEvent::OrderLost => {
                if one.is_unborn() {
                    self.leaving.remove(index);
                    self.left(hands);
                }
            }
            ProcessEvent::Exited(exit) => {
                let one = self.leaving.remove(index);
                let generation = one.generation;
                hands.queue.forget_process(slot, generation);
                hands.queue.push(Action::KillTree { slot, generation });
                hands.queue.push(Action::Ended {
                    slot,
                    generation,
                    exit,
                    lived: one.birth.age(now),
                    asked: true,
                    was_up: one.was_up,
                    next: match &self.state {
                        State::Running(_) | State::Reloading { .. } => Next::OtherGeneration,
                        State::Stopped
                        | State::Errored
                        | State::Waiting { .. }
                        | State::Stopping { .. }
                        | State::Removed => Next::AsAsked,
                    },
                });
                self.left(hands);
            }
        }
        self.look_at_the_unkillable(hands);
    }

    /// Lets every process that is to stay come further.
    fn with_processes(&mut self, hands: &mut Hands<'_>, further: impl Fn(&mut Process, Millis)) {
        match std::mem::replace(&mut self.state, State::Stopped) {
            State::Running(mut process) => {
                further(&mut process, hands.now);
                self.run(process, hands);
            }
            State::Reloading { mut old, mut new } => {
                further(&mut old, hands.now);
                further(&mut new, hands.now);
                self.reload_on(old, new, hands);
            }
            state @ (State::Stopped
            | State::Errored
            | State::Waiting { .. }
            | State::Stopping { .. }
            | State::Removed) => self.state = state,
        }
    }

    /// The process is the one of the slot, as it now stands.
    fn run(&mut self, process: Process, hands: &mut Hands<'_>) {
        let generation = process.generation;
        if process.is_up() {
            self.reason = self.reason.filter(Reason::is_unkillable);
        } else if process.late {
            let limit = process.rules.listen_timeout;
            self.reason = Some(Reason::NotReadyInTime { generation, limit });
        }
        self.state = State::Running(process);
        self.tell(hands, News::Moved);
    }

    /// Two processes are in the slot, as they now stand.
    fn reload_on(&mut self, old: Process, new: Process, hands: &mut Hands<'_>) {
        if new.is_up() {
            self.restarts += 1;
            self.history.forgive();
            self.run(new, hands);
            self.end(old, How::Ask, hands);
        } else if new.late {
            let failure = Failure::NotReadyInTime {
                generation: new.generation,
                limit: new.rules.listen_timeout,
            };
            self.run(old, hands);
            self.end(new, How::Kill, hands);
            self.tell(hands, News::ReloadFailed(failure));
        } else {
            self.state = State::Reloading { old, new };
            self.tell(hands, News::Moved);
        }
    }

    /// The process of the slot ended without having been asked to.
    fn exited(&mut self, mut process: Process, exit: Exit, hands: &mut Hands<'_>) {
        process.woken(hands.now);
        let generation = process.generation;
        let (lived, was_up) = (process.birth.age(hands.now), process.is_up());
        let ended = Ended {
            lived,
            was_ready: was_up,
            code: exit.code,
        };
        let rules = hands.rules;
        let restart = &rules.restart;
        let verdict = self
            .history
            .ended_backing_off(restart, rules.exp_backoff, hands.now, ended);
        hands.queue.push(Action::Ended {
            slot: self.number,
            generation,
            exit,
            lived,
            asked: false,
            was_up,
            next: match verdict {
                Verdict::AtOnce => Next::Restart,
                Verdict::After(delay) => Next::RestartAfter(delay),
                Verdict::Errored => Next::Errored,
                Verdict::Finished => Next::Finished,
            },
        });
        self.reason = Some(match verdict {
            Verdict::Errored => Reason::TooManyShortEnds {
                ends: self.history.short_ends(),
                generation,
                exit,
                lived,
            },
            Verdict::AtOnce | Verdict::After(_) | Verdict::Finished => Reason::Exited {
                generation,
                exit,
                lived,
            },
        });
        let well = exit
            .code
            .is_some_and(|code| code == 0 || restart.stop_exit_codes.contains(&code));
        let failure = Failure::Exited {
            generation,
            exit,
            lived,
        };
        self.tell(
            hands,
            match verdict {
                Verdict::Finished if well => News::Finished(exit),
                Verdict::Finished | Verdict::AtOnce | Verdict::After(_) | Verdict::Errored => {
                    News::Failed(failure)
                }
            },
        );
        self.follow(verdict, hands);
    }

    /// Does what the history of the slot says.
    fn follow(&mut self, verdict: Verdict, hands: &mut Hands<'_>) {
        match verdict {
            Verdict::AtOnce => self.replace(hands),
            Verdict::After(delay) => {
                let until = hands.now.plus(delay);
                self.state = State::Waiting { until };
                let slot = self.number;
                self.listeners(Action::LendListeners { slot }, hands);
                self.tell(hands, News::Moved);
            }
            Verdict::Errored => self.rest(Then::GiveUp, hands),
            Verdict::Finished => self.rest(Then::Stop, hands),
        }
    }
}
