//! What is the user told? Facts as data; words and colours are the command line's.

use super::output::Stream;
use std::net::SocketAddr;
use std::time::Duration;
use tine_cluster::{ListeningAddress, Sharing};
use tine_rules::{Exit, Verdict};

/// Somebody who listens on a port that was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The number of its process.
    pub pid: i32,
    /// Its command line.
    pub command: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// One fact.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Report {
    /// A process was created.
    Started {
        /// Its slot.
        slot: usize,
        /// The number of its process.
        pid: i32,
    },
    /// A worker listens.
    Listening {
        /// Its slot.
        slot: usize,
        /// Where.
        address: ListeningAddress,
    },
    /// All workers are ready, for the first time.
    AllReady {
        /// How many.
        workers: usize,
        /// Where they can be reached, and how each address is shared.
        addresses: Vec<(ListeningAddress, Sharing)>,
        /// Since the start.
        after: Duration,
    },
    /// A worker got no socket.
    ListenFailed {
        /// Its slot.
        slot: usize,
        /// What it asked for.
        address: ListeningAddress,
        /// Why not.
        reason: String,
        /// Whether it is in use.
        in_use: bool,
        /// Who has it, as far as this can be known.
        holders: Vec<Holder>,
    },
    /// Connections wait that cannot be accepted. It is tried again and again.
    AcceptFailed {
        /// Where.
        address: ListeningAddress,
        /// Why not.
        reason: String,
    },
    /// A process could not be created.
    SpawnFailed {
        /// Its slot.
        slot: usize,
        /// Why not.
        reason: String,
        /// What happens next.
        next: Verdict,
    },
    /// A channel ended with a complaint.
    ChannelBroken {
        /// The slot.
        slot: usize,
        /// The complaint.
        reason: String,
    },
    /// A process ended without having been asked to.
    Ended {
        /// Its slot.
        slot: usize,
        /// The number of its process.
        pid: i32,
        /// How.
        exit: Exit,
        /// How long it lived.
        lived: Duration,
        /// What happens next.
        next: Verdict,
    },
    /// A slot is given up.
    Errored {
        /// The slot.
        slot: usize,
        /// Short lives in a row.
        ends: u32,
        /// What it said last.
        last_lines: Vec<String>,
    },
    /// The stop has begun.
    Stopping {
        /// How many processes are to leave.
        processes: usize,
        /// When they will be killed.
        kill_timeout: Duration,
    },
    /// A process did not leave in time.
    Killed {
        /// Its slot.
        slot: usize,
        /// After this long.
        after: Duration,
    },
    /// All is over.
    Stopped {
        /// Since the stop was asked for.
        after: Duration,
    },
}

/// Whoever tells the user.
pub trait Reporter {
    /// The text before each line of a worker on one of our streams.
    fn prefix(&self, slot: usize, stream: Stream) -> String;
    /// Puts a fact into words, each line ended by a line feed; nothing, if it is not worth any.
    fn words(&mut self, report: &Report) -> String;
}
