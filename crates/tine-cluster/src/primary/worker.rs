//! What is known of one worker?

use super::handle::HandleId;
use super::launch::Seat;
use crate::claims::Claims;
use rustix::process::Pid;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use tine_ipc::encode::NativeKind;
use tine_ipc::{Channel, Token};
use tine_sys::reap::ExitStatus;

/// The number of a worker, from 1, never used twice by one primary: Node's `worker.id`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct WorkerId(pub u32);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) pid: Pid,
    pub(super) process: Process,
    pub(super) seat: Seat,
    pub(super) link: Option<Link>,
    /// Handles that this worker uses, or has been offered.
    pub(super) handles: BTreeSet<HandleId>,
    /// Connections handed over and not answered, oldest first.
    pub(super) handoffs: VecDeque<Handoff>,
    /// Answers to `queryServer` that carry a descriptor and are not acknowledged.
    pub(super) replies: VecDeque<Reply>,
    /// Tokens of sockets that our program sent and the worker has not acknowledged.
    pub(super) sent_handles: BTreeSet<u64>,
    /// Sockets of its servers that it has sent here.
    pub(super) claims: Claims,
    pub(super) online: bool,
    /// It has been told to leave: no question of it is answered any more.
    pub(super) disconnecting: bool,
    pub(super) exited_after_disconnect: bool,
    pub(super) status: Option<ExitStatus>,
}

/// Who tells that a worker's process has ended?
#[derive(Debug)]
pub(super) enum Process {
    /// Its pidfd: it is a child of this process.
    Child(OwnedFd),
    /// Whoever drives the primary, by [`Primary::ended`](super::Primary::ended).
    Told(Option<OwnedFd>),
}

impl Process {
    pub(super) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Child(pidfd) => Some(pidfd.as_fd()),
            Self::Told(pidfd) => pidfd.as_ref().map(AsFd::as_fd),
        }
    }
}

/// The primary's end of a channel.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) fd: OwnedFd,
    pub(super) channel: Channel,
    /// Whether the epoll set waits for it to become writable.
    pub(super) blocked: bool,
    /// Whether our program has too much of it unread.
    pub(super) held: bool,
    /// How often in a row it was full of what its peer has to read.
    pub(super) vain: u32,
    /// Its peer has begun to close.
    pub(super) ending: bool,
}

/// With more than this many bytes of answers unread, no more is read from a worker.
const UNREAD_ANSWERS: usize = 1 << 20;

impl Link {
    pub(super) fn new(fd: OwnedFd, channel: Channel) -> Self {
        Self {
            fd,
            channel,
            blocked: false,
            held: false,
            vain: 0,
            ending: false,
        }
    }

    /// Whether more is taken from the peer: not while it asks and does not read the answers, nor
    /// while our program has enough of it.
    pub(super) fn may_be_read(&self) -> bool {
        !self.held && self.channel.queued() <= UNREAD_ANSWERS
    }
}

/// A connection on its way to a worker. Our copy is kept until the worker has answered, so that
/// it can go to another one instead.
#[derive(Debug)]
pub(super) struct Handoff {
    pub(super) seq: i64,
    pub(super) handle: HandleId,
    pub(super) connection: Arc<OwnedFd>,
}

/// A socket on its way to a worker that asked for it.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) seq: i64,
    pub(super) ack: i64,
    pub(super) handle: HandleId,
}

impl Worker {
    /// Queues a connection for the worker.
    pub(super) fn hand_over(
        &mut self,
        seq: i64,
        handle: HandleId,
        connection: Arc<OwnedFd>,
        key_json: &str,
        kind: NativeKind,
    ) {
        let Some(link) = &mut self.link else { return };
        let message = tine_ipc::encode::new_connection(key_json, seq);
        link.channel
            .send_cluster_handle(&message, kind, connection.clone(), token(seq));
        self.handoffs.push_back(Handoff {
            seq,
            handle,
            connection,
        });
    }

    /// The connection that `seq` handed over, no longer on its way.
    pub(super) fn answered(&mut self, seq: i64) -> Option<Handoff> {
        // Workers answer in order; a search is for the ones that do not.
        let at = self
            .handoffs
            .iter()
            .position(|handoff| handoff.seq == seq)?;
        self.handoffs.remove(at)
    }
}

/// The token on the channel of the message numbered `seq`.
pub(super) fn token(seq: i64) -> Token {
    Token(seq.unsigned_abs())
}
