//! What a managed app hears.

use super::rules::ManagedRules;
use crate::app::Exit;

/// The driver's number for something that was asked. Each is used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// Something that happened. `slot` and `generation` are those of the [`Spawn`] that the driver was
/// told to do.
///
/// [`Spawn`]: super::Action::Spawn
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants something.
    Ask {
        /// Comes back in the answer.
        id: AskId,
        /// What is wanted.
        ask: Ask,
    },
    /// The app was changed: for processes created from now on, and for whether and when they are.
    /// Those that there are come up and are stopped as was said when they were created.
    Rules(ManagedRules),
    /// The process exists.
    Spawned {
        /// Its slot.
        slot: u32,
        /// Its generation.
        generation: u64,
    },
    /// The process could not be created.
    SpawnFailed {
        /// Its slot.
        slot: u32,
        /// Its generation.
        generation: u64,
        /// Whether another attempt could end differently.
        retry_helps: bool,
    },
    /// After a restore: the order to create this process was never carried out. It is given again,
    /// with the next generation.
    OrderLost {
        /// Its slot.
        slot: u32,
        /// Its generation.
        generation: u64,
    },
    /// The process has spoken on its channel (the cluster message `online`).
    Online {
        /// Its slot.
        slot: u32,
        /// Its generation.
        generation: u64,
    },
    /// This very process listens.
    Listening {
        /// Its slot.
        slot: u32,
        /// Its generation.
        generation: u64,
    },
    /// The process has sent the message `ready`.
    ReadySaid {
        /// Its slot.
        slot: u32,
        /// Its generation.
        generation: u64,
    },
    /// The process has closed its end of the channel; it may live on.
    ChannelClosed {
        /// Its slot.
        slot: u32,
        /// Its generation.
        generation: u64,
    },
    /// The process has ended.
    Exited {
        /// Its slot.
        slot: u32,
        /// Its generation.
        generation: u64,
        /// How.
        exit: Exit,
    },
    /// Time has passed.
    Woken,
}

/// What somebody wants of some slots. A slot named twice is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// They are to run. What runs is left alone; waits until each is up.
    Start {
        /// The slots.
        slots: Vec<u32>,
    },
    /// They are to be stopped.
    Stop {
        /// The slots.
        slots: Vec<u32>,
    },
    /// They are to be stopped and started again; what does not run is started.
    Restart {
        /// The slots, in the order in which they are restarted.
        slots: Vec<u32>,
        /// How many at a time. `None`: half of them, rounded up; 0 counts as 1.
        parallel: Option<u32>,
        /// What is waited for.
        until: Until,
    },
    /// Each is to be replaced by a new generation that is up before the old one is stopped. Where
    /// two generations cannot live side by side it is a restart; what does not run is started.
    Reload {
        /// The slots, in the order in which they are reloaded.
        slots: Vec<u32>,
        /// How many at a time. `None` and 0: one.
        parallel: Option<u32>,
        /// Whether a reload that is under way is given up for this one.
        force: bool,
    },
    /// They are to be stopped and forgotten.
    Remove {
        /// The slots.
        slots: Vec<u32>,
    },
    /// There are to be further slots.
    Add {
        /// Their numbers, which are those of no slot that is there.
        slots: Vec<u32>,
        /// Whether they are started; if so, waits until each is up.
        start: bool,
    },
    /// Their counters are to be zero.
    Reset {
        /// The slots.
        slots: Vec<u32>,
    },
}

/// What a restart waits for in each slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The new process is online.
    Online,
    /// The new process is up.
    Up,
}

/// An event, sorted by whom it is for.
pub(super) enum Heard {
    Ask(AskId, Ask),
    Rules(ManagedRules),
    Woken,
    Process {
        slot: u32,
        generation: u64,
        event: ProcessEvent,
    },
}

/// What is said of one process.
#[derive(Debug, Clone, Copy)]
pub(super) enum ProcessEvent {
    Spawned,
    SpawnFailed { retry_helps: bool },
    OrderLost,
    Said(Word),
    Exited(Exit),
}

/// What a process that exists lets others know.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    Online,
    Listening,
    Ready,
    ChannelClosed,
}

impl From<Event> for Heard {
    fn from(event: Event) -> Heard {
        let (slot, generation, event) = match event {
            Event::Ask { id, ask } => return Heard::Ask(id, ask),
            Event::Rules(rules) => return Heard::Rules(rules),
            Event::Woken => return Heard::Woken,
            Event::Spawned { slot, generation } => (slot, generation, ProcessEvent::Spawned),
            Event::SpawnFailed {
                slot,
                generation,
                retry_helps,
            } => (slot, generation, ProcessEvent::SpawnFailed { retry_helps }),
            Event::OrderLost { slot, generation } => (slot, generation, ProcessEvent::OrderLost),
            Event::Online { slot, generation } => {
                (slot, generation, ProcessEvent::Said(Word::Online))
            }
            Event::Listening { slot, generation } => {
                (slot, generation, ProcessEvent::Said(Word::Listening))
            }
            Event::ReadySaid { slot, generation } => {
                (slot, generation, ProcessEvent::Said(Word::Ready))
            }
            Event::ChannelClosed { slot, generation } => {
                (slot, generation, ProcessEvent::Said(Word::ChannelClosed))
            }
            Event::Exited {
                slot,
                generation,
                exit,
            } => (slot, generation, ProcessEvent::Exited(exit)),
        };
        Heard::Process {
            slot,
            generation,
            event,
        }
    }
}
