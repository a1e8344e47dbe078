//! How are connections shared, and what does this machine permit?

use serde::{Deserialize, Serialize};
use std::fmt;

/// How new connections are shared among workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Policy {
    /// The primary accepts and passes each connection on, in exact turns (Node's `SCHED_RR`).
    #[default]
    RoundRobin,
    /// As [`Policy::RoundRobin`], but each connection goes to the worker that holds the fewest of
    /// those that were passed on; of several, to the one whose turn it is. What was given is known
    /// exactly, what was closed as of the last count: at most 10 ms old while connections come,
    /// longer where counting takes more than 5 % of the time (0.8 µs for each open connection).
    /// TCP on Linux; everything else is [`Policy::RoundRobin`].
    Least,
    /// One socket; the workers accept for themselves (Node's `SCHED_NONE`).
    Shared,
    /// Each worker has a socket of its own in one `SO_REUSEPORT` group, and the kernel gives
    /// connections to them in turns where it permits that, else at random. The primary is not on
    /// the path. TCP on Linux; everything else is [`Policy::Shared`].
    Kernel,
    /// As [`Policy::Kernel`], but one client address always reaches the same worker.
    Sticky,
}

impl Policy {
    /// The policy that Node would read from `NODE_CLUSTER_SCHED_POLICY`.
    #[must_use]
    pub fn of_node(value: &str) -> Option<Self> {
        match value {
            "rr" => Some(Self::RoundRobin),
            "none" => Some(Self::Shared),
            _ => None,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RoundRobin => "rr",
            Self::Least => "least",
            Self::Shared => "shared",
            Self::Kernel => "kernel",
            Self::Sticky => "sticky",
        })
    }
}

/// What a [`Primary`](super::Primary) does where a choice is possible.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How connections are shared.
    pub policy: Policy,
    /// Keep listening sockets open when their last worker has died, because another one is about
    /// to come: what arrives meanwhile waits. Node closes them. See
    /// [`Primary::release_seat`](super::Primary::release_seat) and
    /// [`Primary::prune`](super::Primary::prune) for how they end.
    pub hold_listeners: bool,
    /// Make the thread that creates the primary one that waits its turn on a busy core
    /// (`SCHED_BATCH`) where it would interrupt a worker for every connection. It halves what
    /// passing connections on costs. Workers do not inherit it, other threads and processes
    /// started by this thread do. Without effect under another than the ordinary policy.
    pub wait_our_turn: bool,
    /// Longest message in bytes that a worker may send. One that sends a longer one loses its
    /// channel.
    pub message_limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            hold_listeners: false,
            wait_our_turn: false,
            message_limit: tine_ipc::Limits::default().message,
        }
    }
}

/// What decides which socket of a `SO_REUSEPORT` group gets a connection, as found to be possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SteeringReport {
    /// Exact turns, by eBPF.
    ExactTurns,
    /// At random, by classic BPF, because eBPF may not be loaded.
    Random {
        /// Why there is no eBPF.
        reason: String,
    },
    /// By the client's address, by classic BPF.
    ByClientAddress,
    /// By the kernel's own hash: no program may be attached at all.
    Hash {
        /// Why there is none.
        reason: String,
    },
}

impl fmt::Display for SteeringReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExactTurns => f.write_str("exact turns by eBPF"),
            Self::Random { reason } => write!(f, "random by classic BPF; no eBPF: {reason}"),
            Self::ByClientAddress => f.write_str("by client address"),
            Self::Hash { reason } => write!(f, "by the kernel's hash; no BPF: {reason}"),
        }
    }
}

/// How one address is really shared. Not every policy is possible for every kind of socket.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sharing {
    /// The primary accepts and passes on.
    PassedOn,
    /// The primary accepts and passes on, to whoever holds the fewest connections.
    FewestConnections,
    /// All workers accept, or receive, from one socket.
    OneSocket,
    /// Each worker accepts from a socket that the primary has made for it.
    Kernel(SteeringReport),
    /// Each worker has bound the address for itself (Bun's http servers do).
    OwnSockets,
}

impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PassedOn => f.write_str("rr: passed on in exact turns"),
            Self::FewestConnections => {
                f.write_str("least: passed on to whoever holds the fewest connections")
            }
            Self::OneSocket => f.write_str("shared: all workers use one socket"),
            Self::Kernel(SteeringReport::ByClientAddress) => {
                f.write_str("sticky: by client address")
            }
            Self::Kernel(steering) => write!(f, "kernel: {steering}"),
            Self::OwnSockets => {
                f.write_str("bound by each worker for itself: the kernel's hash chooses")
            }
        }
    }
}
