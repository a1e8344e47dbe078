//! What happens next to an app with its N slots?
//!
//! A *slot* is a place for one process; a *generation* is one process in it, counted from 1. All
//! slots start at once. Each then goes its own way, as [`crate::restart`] and [`crate::stop`] say,
//! until it is at an end: stopped, finished or errored. When every slot is, so is the app.
//!
//! ```
//! use tine_rules::{Action, App, AppRules, Event, Millis};
//!
//! let mut app = App::new(AppRules { instances: 1, ..AppRules::default() });
//! app.handle(Millis(0), Event::Start);
//! assert_eq!(app.poll_action(), Some(Action::Spawn { slot: 0, generation: 1 }));
//! app.handle(Millis(3), Event::Spawned { slot: 0, generation: 1 });
//! assert_eq!(app.poll_action(), None);
//! ```
//!
//! # What the driver owes
//! * Carry out the actions in their order and soon, and answer every [`Action::Spawn`] with
//!   [`Event::Spawned`] or [`Event::SpawnFailed`], and every end of a process with
//!   [`Event::Exited`]. The other actions need no answer.
//! * Say [`Event::Woken`] when the time of [`App::next_wakeup`] has come. Saying it early or twice
//!   does no harm.
//! * Events may be late: what is said of an older generation, or of a process that has exited, is
//!   ignored.

mod action;
mod event;
mod queue;
mod slot;

pub use self::action::{Action, Notice, Outcome};
pub use self::event::{Event, Exit};
pub use self::slot::SlotStatus;

use self::event::{AppEvent, Heard, SlotEvent};
use self::queue::Queue;
use self::slot::Slot;
use crate::restart::RestartRules;
use crate::stop::StopRules;
use crate::time::Millis;
use std::time::Duration;

/// All slots must have been ready for this long, or for `min_uptime` if that is longer, before
/// sockets held for workers to come are given up.
const LEAST_SETTLING: Duration = Duration::from_secs(1);

/// Signals closer together than this are one key press.
const SAME_KEY_PRESS: Duration = Duration::from_millis(100);

/// What the user asked of one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppRules {
    /// How many slots. With 0 the app finishes as soon as it is started. Default: 1.
    pub instances: usize,
    /// How processes that ended are replaced.
    pub restart: RestartRules,
    /// How processes are stopped.
    pub stop: StopRules,
}

impl Default for AppRules {
    fn default() -> Self {
        AppRules {
            instances: 1,
            restart: RestartRules::default(),
            stop: StopRules::default(),
        }
    }
}

/// The machine of one app. It is told what happened and says what to do.
#[derive(Debug, Clone)]
pub struct App {
    rules: AppRules,
    slots: Vec<Slot>,
    phase: Phase,
    settling: Settling,
    queue: Queue,
}

/// Whether all slots have been ready since one of them had to be replaced.
#[derive(Debug, Clone, Copy)]
enum Settling {
    /// Some are not, or nobody was ever replaced.
    No,
    /// They are; at this time they will have been for long enough.
    Until(Millis),
    /// They are, and it has been said.
    Done,
}

/// Where the app as a whole stands.
#[derive(Debug, Clone, Copy)]
enum Phase {
    NotStarted,
    Running { since: Millis, all_ready_told: bool },
    Stopping { forced: bool, since: Millis },
    Over,
}

impl App {
    /// An app that waits for [`Event::Start`].
    #[must_use]
    pub fn new(rules: AppRules) -> App {
        let slots = (0..rules.instances).map(Slot::new).collect();
        App {
            rules,
            slots,
            phase: Phase::NotStarted,
            settling: Settling::No,
            queue: Queue::default(),
        }
    }

    /// Takes notice of what happened at `now`. Then ask for actions until there are none.
    ///
    /// Never fails: what does not fit the state (an event that is late, doubled, or about a slot
    /// that does not exist) changes nothing.
    pub fn handle(&mut self, now: Millis, event: Event) {
        let heard = Heard::from(event);
        match self.phase {
            Phase::NotStarted => match heard {
                Heard::App(AppEvent::Start) => {
                    self.phase = Phase::Running {
                        since: now,
                        all_ready_told: false,
                    };
                    self.every_slot_hears(now, SlotEvent::Start);
                }
                Heard::App(AppEvent::StopAsked | AppEvent::StopSignal) => self.stop(now, false),
                Heard::App(AppEvent::StopNow) => self.stop(now, true),
                Heard::App(AppEvent::Woken) | Heard::Slot { .. } => {}
            },
            Phase::Running { .. } => match heard {
                Heard::App(AppEvent::Start) => {}
                Heard::App(AppEvent::StopAsked | AppEvent::StopSignal) => self.stop(now, false),
                Heard::App(AppEvent::StopNow) => self.stop(now, true),
                Heard::App(AppEvent::Woken) => self.every_slot_hears(now, SlotEvent::Woken),
                Heard::Slot {
                    slot,
                    generation,
                    event,
                } => {
                    self.slot_hears(now, slot, generation, event);
                }
            },
            Phase::Stopping { since, .. } => match heard {
                Heard::App(AppEvent::Start | AppEvent::StopAsked) => {}
                Heard::App(AppEvent::StopNow) => {
                    self.force(now, since);
                }
                Heard::App(AppEvent::StopSignal) => {
                    if now.since(since) >= SAME_KEY_PRESS {
                        self.force(now, since);
                    }
                }
                Heard::App(AppEvent::Woken) => self.every_slot_hears(now, SlotEvent::Woken),
                Heard::Slot {
                    slot,
                    generation,
                    event,
                } => {
                    self.slot_hears(now, slot, generation, event);
                }
            },
            Phase::Over => {}
        }
        self.look_around(now);
    }

    /// The next thing to do, in order; `None` when there is nothing until the next event.
    /// [`Action::Finish`] is the last there ever is.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.queue.pop()
    }

    /// When [`Event::Woken`] is due, if no event comes before; `None`: only an event changes
    /// anything. After [`Event::Woken`] it is always later than the time that event was given.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Millis> {
        let settled = match self.settling {
            Settling::Until(until) => Some(until),
            Settling::No | Settling::Done => None,
        };
        let slots = self.slots.iter().filter_map(Slot::next_wakeup);
        slots.chain(settled).min()
    }

    /// What the app was asked for.
    #[must_use]
    pub fn rules(&self) -> &AppRules {
        &self.rules
    }

    /// How a slot stands; `None` when there is no such slot.
    #[must_use]
    pub fn status(&self, slot: usize) -> Option<SlotStatus> {
        self.slots.get(slot).map(Slot::status)
    }

    /// The generation a slot is at: that of its process, or of its last one while it has none; 0
    /// before the first. `None` when there is no such slot.
    #[must_use]
    pub fn generation(&self, slot: usize) -> Option<u64> {
        self.slots.get(slot).map(Slot::generation)
    }

    /// How many replacements a slot has been granted (restarts, in the words of PM2); `None` when
    /// there is no such slot.
    #[must_use]
    pub fn restarts(&self, slot: usize) -> Option<u64> {
        self.slots.get(slot).map(|slot| slot.history().restarts())
    }

    /// How many short ends there have been in a slot since its last stable end; `None` when there
    /// is no such slot.
    #[must_use]
    pub fn short_ends(&self, slot: usize) -> Option<u32> {
        self.slots.get(slot).map(|slot| slot.history().short_ends())
    }

    fn stop(&mut self, now: Millis, forced: bool) {
        self.phase = Phase::Stopping { forced, since: now };
        self.queue.tell(Notice::Stopping);
        self.every_slot_hears(
            now,
            if forced {
                SlotEvent::Kill
            } else {
                SlotEvent::Stop
            },
        );
    }

    fn force(&mut self, now: Millis, since: Millis) {
        self.phase = Phase::Stopping {
            forced: true,
            since,
        };
        self.every_slot_hears(now, SlotEvent::Kill);
    }

    fn slot_hears(&mut self, now: Millis, slot: usize, generation: u64, event: SlotEvent) {
        let slot = self
            .slots
            .get_mut(slot)
            .filter(|slot| slot.generation() == generation);
        if let Some(slot) = slot {
            slot.handle(now, event, &self.rules, &mut self.queue);
        }
    }

    fn every_slot_hears(&mut self, now: Millis, event: SlotEvent) {
        for slot in &mut self.slots {
            slot.handle(now, event, &self.rules, &mut self.queue);
        }
    }

    /// Says what has become true of all slots together.
    fn look_around(&mut self, now: Millis) {
        self.settle(now);
        let all_ended = self.slots.iter().all(Slot::is_ended);
        match self.phase {
            Phase::Running { .. } if all_ended => self.finish(self.outcome()),
            Phase::Running {
                since,
                all_ready_told: false,
            } => {
                if self.slots.iter().all(Slot::is_ready) {
                    self.phase = Phase::Running {
                        since,
                        all_ready_told: true,
                    };
                    self.queue.tell(Notice::AllReady {
                        after: now.since(since),
                    });
                }
            }
            Phase::Stopping { forced, .. } if all_ended => {
                self.finish(if forced {
                    Outcome::Forced
                } else {
                    Outcome::Stopped
                });
            }
            Phase::NotStarted | Phase::Running { .. } | Phase::Stopping { .. } | Phase::Over => {}
        }
    }

    /// A worker is ready when its first server listens; its others may follow a moment later, so
    /// nothing is called unwanted at once.
    fn settle(&mut self, now: Millis) {
        let replaced = self.slots.iter().any(|slot| slot.generation() > 1);
        let running = matches!(self.phase, Phase::Running { .. });
        if !(running && replaced && self.slots.iter().all(Slot::is_ready)) {
            self.settling = Settling::No;
            return;
        }
        match self.settling {
            Settling::No => {
                let long_enough = self.rules.restart.min_uptime.max(LEAST_SETTLING);
                self.settling = Settling::Until(now.plus(long_enough));
            }
            Settling::Until(until) if until <= now => {
                self.settling = Settling::Done;
                self.queue.push(Action::PruneListeners);
            }
            Settling::Until(_) | Settling::Done => {}
        }
    }

    /// The outcome of an app whose slots have all ended by themselves.
    fn outcome(&self) -> Outcome {
        let codes: Option<Vec<Exit>> = self.slots.iter().map(Slot::finished).collect();
        match codes {
            Some(codes) => Outcome::AllFinished { codes },
            None => Outcome::AllErrored,
        }
    }

    fn finish(&mut self, outcome: Outcome) {
        self.phase = Phase::Over;
        self.queue.push(Action::Finish(outcome));
    }
}
