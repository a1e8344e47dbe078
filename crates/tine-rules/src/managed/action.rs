//! What a managed app says.

use std::time::Duration;

use super::event::AskId;
use super::view::Failure;
use crate::app::Exit;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Create the process of this generation; answer with `Spawned` or `SpawnFailed`.
    Spawn {
        /// Its slot.
        slot: u32,
        /// Its generation.
        generation: u64,
    },
    /// Send the cluster message `disconnect`.
    Disconnect {
        /// The slot of the process.
        slot: u32,
        /// The generation of the process.
        generation: u64,
    },
    /// Send a signal to the process.
    Signal {
        /// The slot of the process.
        slot: u32,
        /// The generation of the process.
        generation: u64,
        /// The number of the signal.
        signal: i32,
    },
    /// Send the message `shutdown`.
    Message {
        /// The slot of the process.
        slot: u32,
        /// The generation of the process.
        generation: u64,
    },
    /// Send SIGKILL to the process and all its descendants. It comes again after the process has
    /// exited, for what it left behind; then the process itself is not to be touched.
    KillTree {
        /// The slot of the process.
        slot: u32,
        /// The generation of the process.
        generation: u64,
    },
    /// The slot will not come back by itself: what waits for it goes to others. Only with
    /// [`ChannelKind::Cluster`](super::ChannelKind::Cluster), as the next two.
    ReleaseListeners {
        /// The slot.
        slot: u32,
    },
    /// The slot will be empty for a while: what waits for it need not wait as long, if there are
    /// others. The slot itself comes back.
    LendListeners {
        /// The slot.
        slot: u32,
    },
    /// Every slot that runs has been up again for a while: sockets that are held for workers to
    /// come and that nobody has asked for are not wanted any more.
    PruneListeners,
    /// A process has ended.
    Ended {
        /// Its slot.
        slot: u32,
        /// Its generation.
        generation: u64,
        /// How it ended.
        exit: Exit,
        /// From its creation to its end.
        lived: Duration,
        /// Whether it was being stopped or ended.
        asked: bool,
        /// Whether it had been up.
        was_up: bool,
        /// What happens next in the slot.
        next: Next,
    },
    /// What [`Managed::view`](super::Managed::view) says of the slot is another: publish it, save it.
    Changed {
        /// The slot.
        slot: u32,
    },
    /// The slot is no more. Its number may be given to another, of which nothing will be said that
    /// was about this one.
    Removed {
        /// The slot.
        slot: u32,
    },
    /// What was asked has been done, or will not be. Comes exactly once for each ask, after every
    /// `Changed` that belongs to it.
    Answer {
        /// The ask.
        id: AskId,
        /// What became of each slot, by number.
        outcomes: Vec<(u32, Outcome)>,
    },
}

/// What happens in a slot after a process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A replacement, at once.
    Restart,
    /// A replacement, this much later.
    RestartAfter(Duration),
    /// Nothing: there have been too many short ends.
    Errored,
    /// Nothing: this end was to be the last.
    Finished,
    /// What was asked, by whoever wanted this process ended.
    AsAsked,
    /// Another generation is in the slot already, and stays.
    OtherGeneration,
}

/// What became of an ask in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The process is up.
    Up {
        /// Its generation.
        generation: u64,
    },
    /// The process is online.
    Online {
        /// Its generation.
        generation: u64,
    },
    /// The process did its job and ended before anything else could be said of it.
    Finished {
        /// How it ended.
        exit: Exit,
    },
    /// There is no process, and there will not be one by itself.
    Stopped,
    /// The slot is no more.
    Removed,
    /// The slot is there.
    Added,
    /// The counters are zero.
    Reset,
    /// It did not go well. What happens next in the slot is for its rules, not for this ask.
    Failed(Failure),
    /// It was not begun, because the reload failed in a slot before it.
    NotReloaded,
    /// Somebody has asked for something else since.
    Superseded,
    /// A reload is under way, and this one was not forced. Nothing was done.
    ReloadUnderWay,
    /// There is no such slot.
    NoSuchSlot,
    /// There is such a slot already.
    AlreadyThere,
}
