//! How does a slot stand, for people who look at it?

use std::time::Duration;

use crate::app::Exit;
use crate::time::Millis;

/// The status of a slot, in the words of PM2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// A process is being created, or exists and is not online.
    Launching,
    /// The process is online.
    Online,
    /// The process is being stopped.
    Stopping,
    /// There is no process: it was stopped, never started, or was not to be started again.
    Stopped,
    /// The slot was given up.
    Errored,
    /// There is no process until its replacement is due.
    WaitingRestart,
}

/// What there is to know of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotView {
    /// Its status.
    pub status: Status,
    /// The generation of its process, or of its last one while it has none; 0 before the first.
    pub generation: u64,
    /// Whether its process is up.
    pub up: bool,
    /// How many processes followed another: replacements, restarts and reloads.
    pub restarts: u64,
    /// Short ends since the last stable one.
    pub unstable_restarts: u32,
    /// When the next process is due, while it waits for that.
    pub next_start: Option<Millis>,
    /// Why it is as it is, if there is anything to tell.
    pub reason: Option<Reason>,
    /// The new generation of a reload, until it is up.
    pub starting: Option<u64>,
    /// Whether it is on its way to be removed.
    pub going: bool,
    /// Generations that are being ended, or withstand it.
    pub leaving: Vec<u64>,
}

/// Why a slot is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Reason {
    /// Its last process ended without having been asked to.
    Exited {
        /// The generation of the process.
        generation: u64,
        /// How it ended.
        exit: Exit,
        /// From its creation to its end.
        lived: Duration,
    },
    /// There have been too many short ends; this was the last.
    TooManyShortEnds {
        /// How many, since the last stable one.
        ends: u32,
        /// The generation of the last process.
        generation: u64,
        /// How it ended.
        exit: Exit,
        /// From its creation to its end.
        lived: Duration,
    },
    /// The process could not be created.
    SpawnFailed {
        /// The generation of the process.
        generation: u64,
    },
    /// The process has not said in time that it works. It was left alone.
    NotReadyInTime {
        /// The generation of the process.
        generation: u64,
        /// The time it had.
        limit: Duration,
    },
    /// The process was given SIGKILL and lives.
    Unkillable {
        /// The generation of the process.
        generation: u64,
    },
}

impl Reason {
    pub(super) fn is_unkillable(&self) -> bool {
        match self {
            Reason::Unkillable { .. } => true,
            Reason::Exited { .. }
            | Reason::TooManyShortEnds { .. }
            | Reason::SpawnFailed { .. }
            | Reason::NotReadyInTime { .. } => false,
        }
    }
}

/// Why what was asked did not go well in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The process ended too early.
    Exited {
        /// The generation of the process.
        generation: u64,
        /// How it ended.
        exit: Exit,
        /// From its creation to its end.
        lived: Duration,
    },
    /// The process could not be created.
    SpawnFailed {
        /// The generation of the process.
        generation: u64,
    },
    /// The process has not said in time that it works.
    NotReadyInTime {
        /// The generation of the process.
        generation: u64,
        /// The time it had.
        limit: Duration,
    },
    /// The process was given SIGKILL and lives.
    Unkillable {
        /// The generation of the process.
        generation: u64,
    },
}
