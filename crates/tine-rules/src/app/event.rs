//! What an app hears.

/// Something that happened. `slot` and `generation` are those of the [`Spawn`] that the driver was
/// told to do.
///
/// [`Spawn`]: super::Action::Spawn
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The app is to run.
    Start,
    /// The process exists.
    Spawned {
        /// Its slot.
        slot: usize,
        /// Its generation.
        generation: u64,
    },
    /// The process could not be created.
    SpawnFailed {
        /// Its slot.
        slot: usize,
        /// Its generation.
        generation: u64,
        /// Whether another attempt could end differently (out of processes for a while: yes; no
        /// such program: no).
        retry_helps: bool,
    },
    /// The process has spoken on its channel (the cluster message `online`).
    Online {
        /// Its slot.
        slot: usize,
        /// Its generation.
        generation: u64,
    },
    /// The process is ready to serve (the cluster message `listening`, or what says the same).
    Ready {
        /// Its slot.
        slot: usize,
        /// Its generation.
        generation: u64,
    },
    /// The process has closed its end of the channel; it may live on.
    ChannelClosed {
        /// Its slot.
        slot: usize,
        /// Its generation.
        generation: u64,
    },
    /// The process has ended.
    Exited {
        /// Its slot.
        slot: usize,
        /// Its generation.
        generation: u64,
        /// Its exit code, when it exited.
        code: Option<i32>,
        /// The signal, when one ended it.
        signal: Option<i32>,
    },
    /// The user wants the app stopped (the first Ctrl-C, SIGTERM).
    StopAsked,
    /// SIGINT or SIGTERM has come. The first asks for a stop; another one, later than the tenth of
    /// a second within which one and the same key press may arrive twice (once by the terminal,
    /// once by a wrapper such as `timeout` or `npm`), says that the user will not wait.
    StopSignal,
    /// The user wants it stopped without further patience (the second Ctrl-C).
    StopNow,
    /// Time has passed.
    Woken,
}

/// How a process ended, as the kernel says. Both are `None` when nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Exit {
    /// Its exit code, when it exited.
    pub code: Option<i32>,
    /// The signal, when one ended it.
    pub signal: Option<i32>,
}

/// An event, sorted by whom it is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Heard {
    App(AppEvent),
    Slot {
        slot: usize,
        generation: u64,
        event: SlotEvent,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum AppEvent {
    Start,
    StopAsked,
    StopSignal,
    StopNow,
    Woken,
}

/// What one slot hears, from outside or from its app.
#[derive(Debug, Clone, Copy)]
pub(super) enum SlotEvent {
    Start,
    Spawned,
    SpawnFailed { retry_helps: bool },
    Online,
    Ready,
    ChannelClosed,
    Exited(Exit),
    Stop,
    Kill,
    Woken,
}

impl From<Event> for Heard {
    fn from(event: Event) -> Heard {
        let (slot, generation, event) = match event {
            Event::Start => return Heard::App(AppEvent::Start),
            Event::StopAsked => return Heard::App(AppEvent::StopAsked),
            Event::StopSignal => return Heard::App(AppEvent::StopSignal),
            Event::StopNow => return Heard::App(AppEvent::StopNow),
            Event::Woken => return Heard::App(AppEvent::Woken),
            Event::Spawned { slot, generation } => (slot, generation, SlotEvent::Spawned),
            Event::SpawnFailed {
                slot,
                generation,
                retry_helps,
            } => (slot, generation, SlotEvent::SpawnFailed { retry_helps }),
            Event::Online { slot, generation } => (slot, generation, SlotEvent::Online),
            Event::Ready { slot, generation } => (slot, generation, SlotEvent::Ready),
            Event::ChannelClosed { slot, generation } => {
                (slot, generation, SlotEvent::ChannelClosed)
            }
            Event::Exited {
                slot,
                generation,
                code,
                signal,
            } => (slot, generation, SlotEvent::Exited(Exit { code, signal })),
        };
        Heard::Slot {
            slot,
            generation,
            event,
        }
    }
}
