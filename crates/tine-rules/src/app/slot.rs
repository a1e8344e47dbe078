//! What happens next in one slot?

use super::AppRules;
use super::action::{Action, Notice};
use super::event::{Exit, SlotEvent};
use super::queue::Queue;
use crate::restart::{Ended, RestartHistory, Verdict};
use crate::stop::{StopStep, Stopping};
use crate::time::Millis;

/// How a slot stands, for those who look on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotStatus {
    /// Nothing has been started yet.
    Vacant,
    /// A process is being created, or exists and has not said that it is ready.
    Starting,
    /// The process is ready.
    Ready,
    /// There is no process until its replacement is due.
    Waiting {
        /// When it is due.
        until: Millis,
    },
    /// The process is being stopped.
    Stopping,
    /// The process was stopped.
    Stopped,
    /// The slot was given up.
    Errored,
    /// The process ended and was to be the last.
    Finished,
}

/// One place for a process.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    number: usize,
    generation: u64,
    history: RestartHistory,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Vacant,
    /// Ordered; nobody has said yet that the process exists.
    Spawning {
        ordered: Millis,
    },
    Up(Process),
    Waiting {
        until: Millis,
    },
    /// Ordered and no longer wanted.
    StopWhenSpawned {
        ordered: Millis,
        forced: bool,
    },
    Stopping {
        since: Millis,
        stop: Stopping,
    },
    Stopped,
    Errored,
    Finished(Exit),
}

/// A living process that nobody has asked to end.
#[derive(Debug, Clone, Copy)]
struct Process {
    since: Millis,
    channel: Channel,
    ready: bool,
}

impl Process {
    fn new(since: Millis) -> Process {
        Process {
            since,
            channel: Channel::Silent,
            ready: false,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Channel {
    /// Not a word so far; perhaps there is none.
    Silent,
    Speaking,
    Closed,
}

impl Slot {
    pub(super) fn new(number: usize) -> Slot {
        Slot {
            number,
            generation: 0,
            history: RestartHistory::default(),
            state: State::Vacant,
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn history(&self) -> &RestartHistory {
        &self.history
    }

    pub(super) fn status(&self) -> SlotStatus {
        match self.state {
            State::Vacant => SlotStatus::Vacant,
            State::Spawning { .. } => SlotStatus::Starting,
            State::Up(process) if process.ready => SlotStatus::Ready,
            State::Up(_) => SlotStatus::Starting,
            State::Waiting { until } => SlotStatus::Waiting { until },
            State::StopWhenSpawned { .. } | State::Stopping { .. } => SlotStatus::Stopping,
            State::Stopped => SlotStatus::Stopped,
            State::Errored => SlotStatus::Errored,
            State::Finished(_) => SlotStatus::Finished,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.status() == SlotStatus::Ready
    }

    pub(super) fn is_ended(&self) -> bool {
        match self.state {
            State::Vacant
            | State::Spawning { .. }
            | State::Up(_)
            | State::Waiting { .. }
            | State::StopWhenSpawned { .. }
            | State::Stopping { .. } => false,
            State::Stopped | State::Errored | State::Finished(_) => true,
        }
    }

    /// How the last process ended, if the slot has finished.
    pub(super) fn finished(&self) -> Option<Exit> {
        match self.state {
            State::Finished(exit) => Some(exit),
            State::Vacant
            | State::Spawning { .. }
            | State::Up(_)
            | State::Waiting { .. }
            | State::StopWhenSpawned { .. }
            | State::Stopping { .. }
            | State::Stopped
            | State::Errored => None,
        }
    }

    pub(super) fn next_wakeup(&self) -> Option<Millis> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Stopping { stop, .. } => stop.next_wakeup(),
            State::Vacant
            | State::Spawning { .. }
            | State::Up(_)
            | State::StopWhenSpawned { .. }
            | State::Stopped
            | State::Errored
            | State::Finished(_) => None,
        }
    }

    /// The caller has seen to it that an event about a process is about the present generation.
    pub(super) fn handle(
        &mut self,
        now: Millis,
        event: SlotEvent,
        rules: &AppRules,
        queue: &mut Queue,
    ) {
        match self.state {
            State::Vacant => match event {
                SlotEvent::Start => self.spawn(now, queue),
                SlotEvent::Stop | SlotEvent::Kill => self.state = State::Stopped,
                SlotEvent::Spawned
                | SlotEvent::SpawnFailed { .. }
                | SlotEvent::Online
                | SlotEvent::Ready
                | SlotEvent::ChannelClosed
                | SlotEvent::Exited(_)
                | SlotEvent::Woken => {}
            },
            State::Spawning { ordered } => match event {
                SlotEvent::Spawned => self.state = State::Up(Process::new(now)),
                // Whatever a process says proves that it exists.
                SlotEvent::Online | SlotEvent::Ready | SlotEvent::ChannelClosed => {
                    self.state = State::Up(Process::new(now));
                    self.handle(now, event, rules, queue);
                }
                SlotEvent::SpawnFailed { retry_helps } => {
                    let next = self.history.spawn_failed(&rules.restart, retry_helps);
                    let (slot, generation) = (self.number, self.generation);
                    queue.tell(Notice::SpawnFailed {
                        slot,
                        generation,
                        next,
                    });
                    self.follow(now, next, Exit::default(), queue);
                }
                SlotEvent::Exited(exit) => {
                    let process = Process {
                        since: ordered,
                        channel: Channel::Closed,
                        ready: false,
                    };
                    self.ended(now, process, exit, rules, queue);
                }
                SlotEvent::Stop => self.cancel_spawn(ordered, false, queue),
                SlotEvent::Kill => self.cancel_spawn(ordered, true, queue),
                SlotEvent::Start | SlotEvent::Woken => {}
            },
            State::Up(process) => match event {
                SlotEvent::Online => match process.channel {
                    Channel::Silent => {
                        self.state = State::Up(Process {
                            channel: Channel::Speaking,
                            ..process
                        });
                    }
                    Channel::Speaking | Channel::Closed => {}
                },
                SlotEvent::Ready if process.ready => {}
                SlotEvent::Ready => {
                    self.state = State::Up(Process {
                        ready: true,
                        ..process
                    });
                    let (slot, generation) = (self.number, self.generation);
                    let after = now.since(process.since);
                    queue.tell(Notice::Ready {
                        slot,
                        generation,
                        after,
                    });
                }
                SlotEvent::ChannelClosed => {
                    self.state = State::Up(Process {
                        channel: Channel::Closed,
                        ..process
                    });
                }
                SlotEvent::Exited(exit) => self.ended(now, process, exit, rules, queue),
                SlotEvent::Stop => self.stop(now, process, false, rules, queue),
                SlotEvent::Kill => self.stop(now, process, true, rules, queue),
                SlotEvent::Start
                | SlotEvent::Spawned
                | SlotEvent::SpawnFailed { .. }
                | SlotEvent::Woken => {}
            },
            State::Waiting { until } => match event {
                SlotEvent::Woken if until <= now => self.spawn(now, queue),
                SlotEvent::Stop | SlotEvent::Kill => self.state = State::Stopped,
                SlotEvent::Start
                | SlotEvent::Spawned
                | SlotEvent::SpawnFailed { .. }
                | SlotEvent::Online
                | SlotEvent::Ready
                | SlotEvent::ChannelClosed
                | SlotEvent::Exited(_)
                | SlotEvent::Woken => {}
            },
            State::StopWhenSpawned { ordered, forced } => match event {
                SlotEvent::Spawned | SlotEvent::Ready => {
                    self.stop(now, Process::new(now), forced, rules, queue);
                }
                SlotEvent::Online => {
                    let process = Process {
                        channel: Channel::Speaking,
                        ..Process::new(now)
                    };
                    self.stop(now, process, forced, rules, queue);
                }
                SlotEvent::ChannelClosed => {
                    let process = Process {
                        channel: Channel::Closed,
                        ..Process::new(now)
                    };
                    self.stop(now, process, forced, rules, queue);
                }
                SlotEvent::SpawnFailed { .. } => self.state = State::Stopped,
                SlotEvent::Exited(exit) => self.stopped(now, ordered, exit, queue),
                SlotEvent::Kill => {
                    self.state = State::StopWhenSpawned {
                        ordered,
                        forced: true,
                    }
                }
                SlotEvent::Start | SlotEvent::Stop | SlotEvent::Woken => {}
            },
            State::Stopping { since, mut stop } => match event {
                SlotEvent::Woken => self.step(now, since, stop, queue),
                SlotEvent::Kill => {
                    stop.force();
                    self.step(now, since, stop, queue);
                }
                SlotEvent::Exited(exit) => self.stopped(now, since, exit, queue),
                // A closed channel does not shorten the patience: the process may be finishing.
                SlotEvent::ChannelClosed
                | SlotEvent::Start
                | SlotEvent::Spawned
                | SlotEvent::SpawnFailed { .. }
                | SlotEvent::Online
                | SlotEvent::Ready
                | SlotEvent::Stop => {}
            },
            State::Stopped | State::Errored | State::Finished(_) => {}
        }
    }

    /// Orders the process of the next generation.
    fn spawn(&mut self, now: Millis, queue: &mut Queue) {
        self.generation += 1;
        self.state = State::Spawning { ordered: now };
        queue.push(Action::Spawn {
            slot: self.number,
            generation: self.generation,
        });
    }

    /// The process ended without having been asked to.
    fn ended(
        &mut self,
        now: Millis,
        process: Process,
        exit: Exit,
        rules: &AppRules,
        queue: &mut Queue,
    ) {
        let (slot, generation, was_ready) = (self.number, self.generation, process.ready);
        let lived = now.since(process.since);
        let ended = Ended {
            lived,
            was_ready,
            code: exit.code,
        };
        let next = self.history.ended(&rules.restart, now, ended);
        queue.tell(Notice::Ended {
            slot,
            generation,
            exit,
            lived,
            was_ready,
            next,
        });
        self.follow(now, next, exit, queue);
    }

    /// Does what the history of the slot says.
    fn follow(&mut self, now: Millis, verdict: Verdict, exit: Exit, queue: &mut Queue) {
        let slot = self.number;
        match verdict {
            Verdict::AtOnce => self.spawn(now, queue),
            Verdict::After(delay) => {
                self.state = State::Waiting {
                    until: now.plus(delay),
                };
                queue.push(Action::LendListeners { slot });
            }
            Verdict::Errored => {
                self.state = State::Errored;
                queue.tell(Notice::Errored {
                    slot,
                    ends: self.history.short_ends(),
                });
                queue.push(Action::ReleaseListeners { slot });
            }
            Verdict::Finished => {
                self.state = State::Finished(exit);
                queue.push(Action::ReleaseListeners { slot });
            }
        }
    }

    /// The process that was ordered is not wanted any more.
    fn cancel_spawn(&mut self, ordered: Millis, forced: bool, queue: &mut Queue) {
        self.state = if queue.take_back_spawn(self.number, self.generation) {
            State::Stopped
        } else {
            State::StopWhenSpawned { ordered, forced }
        };
    }

    fn stop(
        &mut self,
        now: Millis,
        process: Process,
        forced: bool,
        rules: &AppRules,
        queue: &mut Queue,
    ) {
        let can_disconnect = match process.channel {
            Channel::Speaking => true,
            Channel::Silent | Channel::Closed => false,
        };
        let mut stop = Stopping::begin(&rules.stop, now, can_disconnect);
        if forced {
            stop.force();
        }
        self.step(now, process.since, stop, queue);
    }

    /// Does what is due in a stop.
    fn step(&mut self, now: Millis, since: Millis, mut stop: Stopping, queue: &mut Queue) {
        let (slot, generation) = (self.number, self.generation);
        while let Some(step) = stop.step(now) {
            match step {
                StopStep::Disconnect => queue.push(Action::Disconnect { slot, generation }),
                StopStep::Signal(signal) => {
                    queue.push(Action::Signal {
                        slot,
                        generation,
                        signal,
                    });
                }
                StopStep::KillTree => {
                    queue.push(Action::KillTree { slot, generation });
                    let after = now.since(stop.begun());
                    queue.tell(Notice::Killed {
                        slot,
                        generation,
                        after,
                    });
                }
            }
        }
        self.state = State::Stopping { since, stop };
    }

    /// The process has ended, as it was to.
    fn stopped(&mut self, now: Millis, since: Millis, exit: Exit, queue: &mut Queue) {
        let (slot, generation) = (self.number, self.generation);
        queue.forget_process(slot, generation);
        queue.push(Action::KillTree { slot, generation });
        queue.tell(Notice::Stopped {
            slot,
            generation,
            exit,
            lived: now.since(since),
        });
        self.state = State::Stopped;
    }
}
