//! What a primary tells its owner.

use super::worker::WorkerId;
use crate::Message;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use tine_sys::reap::ExitStatus;

/// What happened to a worker. For every worker the order is that of Node: online, listening,
/// then disconnect, then exit.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The process has started and speaks.
    Online(WorkerId),
    /// A server of the worker is listening.
    Listening(WorkerId, ListeningAddress),
    /// The worker asked for a socket that cannot be had, and was told so.
    ListenFailed {
        /// Who asked.
        worker: WorkerId,
        /// For what.
        address: ListeningAddress,
        /// Why not.
        error: std::io::Error,
    },
    /// The primary cannot accept what waits, most often because it has no descriptor free. It goes
    /// on trying; what waits, waits in the kernel.
    AcceptFailed {
        /// Where.
        address: ListeningAddress,
        /// Why not.
        error: std::io::Error,
    },
    /// A message of the worker's program.
    Message {
        /// Who sent it.
        worker: WorkerId,
        /// What it sent.
        message: Message,
    },
    /// [`Primary::facts`](super::Primary::facts) has another answer than before. Only after
    /// [`Primary::tell_changes`](super::Primary::tell_changes), and only once for all that has
    /// changed since the last time.
    Changed,
    /// A socket that was sent to a worker has arrived, or could not be taken.
    HandleAnswered {
        /// Who has answered for it.
        worker: WorkerId,
        /// Which one, of those given out by the sending call.
        token: tine_ipc::Token,
        /// Whether the worker has it.
        taken: bool,
    },
    /// The channel has closed. `error` says why, unless the worker closed it in good order.
    Disconnect {
        /// Whose channel.
        worker: WorkerId,
        /// What was wrong with it.
        error: Option<String>,
    },
    /// The process has ended.
    Exit {
        /// Who.
        worker: WorkerId,
        /// How.
        status: ExitStatus,
        /// Whether it left because one side asked for it.
        exited_after_disconnect: bool,
    },
}

/// Where a worker listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ListeningAddress {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A UDP port.
    Udp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
    /// A descriptor inherited by the primary.
    Descriptor(i32),
}

impl fmt::Display for ListeningAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Udp(address) => write!(f, "udp {address}"),
            Self::Unix(path) => path.display().fmt(f),
            Self::Descriptor(number) => write!(f, "descriptor {number}"),
        }
    }
}
