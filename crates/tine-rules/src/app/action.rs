//! What an app says.

use std::time::Duration;

use super::event::Exit;
use crate::restart::Verdict;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Create the process of this generation; answer with `Spawned` or `SpawnFailed`.
    Spawn {
        /// Its slot.
        slot: usize,
        /// Its generation.
        generation: u64,
    },
    /// Send the cluster message `disconnect`.
    Disconnect {
        /// The slot of the process.
        slot: usize,
        /// The generation of the process.
        generation: u64,
    },
    /// Send a signal to the process.
    Signal {
        /// The slot of the process.
        slot: usize,
        /// The generation of the process.
        generation: u64,
        /// The number of the signal.
        signal: i32,
    },
    /// Send SIGKILL to the process and all its descendants. It comes again after the process has
    /// exited, for what it left behind; then the process itself is not to be touched.
    KillTree {
        /// The slot of the process.
        slot: usize,
        /// The generation of the process.
        generation: u64,
    },
    /// The slot will not come back: what waits for it goes to others.
    ReleaseListeners {
        /// The slot.
        slot: usize,
    },
    /// The slot will be empty for a while: what waits for it need not wait as long, if there are
    /// others. The slot itself comes back.
    LendListeners {
        /// The slot.
        slot: usize,
    },
    /// Every slot has been ready again for a while: sockets that are held for workers to come and
    /// that nobody has asked for are not wanted any more.
    PruneListeners,
    /// Let the user know.
    Tell(Notice),
    /// The app is over; no action follows.
    Finish(Outcome),
}

/// A fact for the user, as data. A slot's number and generation say which process is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A process is ready to serve. Told once for each process.
    Ready {
        /// Its slot.
        slot: usize,
        /// Its generation.
        generation: u64,
        /// The time since it was created.
        after: Duration,
    },
    /// Every slot is ready. Told once, when this is true for the first time.
    AllReady {
        /// The time since the app was started.
        after: Duration,
    },
    /// A process ended without having been asked to.
    Ended {
        /// Its slot.
        slot: usize,
        /// Its generation.
        generation: u64,
        /// How it ended.
        exit: Exit,
        /// From its creation to its end.
        lived: Duration,
        /// Whether it had been ready.
        was_ready: bool,
        /// What happens next in the slot.
        next: Verdict,
    },
    /// A process could not be created.
    SpawnFailed {
        /// Its slot.
        slot: usize,
        /// Its generation.
        generation: u64,
        /// What happens next in the slot.
        next: Verdict,
    },
    /// A slot is given up.
    Errored {
        /// The slot.
        slot: usize,
        /// How many short ends there have been since the last stable one.
        ends: u32,
    },
    /// The stop of the app has begun.
    Stopping,
    /// A process did not stop in time, or the user would not wait: SIGKILL.
    Killed {
        /// Its slot.
        slot: usize,
        /// Its generation.
        generation: u64,
        /// The time since its stop began.
        after: Duration,
    },
    /// A process that was being stopped has ended.
    Stopped {
        /// Its slot.
        slot: usize,
        /// Its generation.
        generation: u64,
        /// How it ended.
        exit: Exit,
        /// From its creation to its end.
        lived: Duration,
    },
}

/// How an app ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was asked to stop, and did.
    Stopped,
    /// It was asked to stop at once.
    Forced,
    /// Every slot came to an end by itself, and at least one of them was given up.
    AllErrored,
    /// Every slot finished.
    AllFinished {
        /// How the last process of each slot ended, in the order of the slots.
        codes: Vec<Exit>,
    },
}
