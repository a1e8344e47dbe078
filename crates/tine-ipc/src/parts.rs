//! How does a channel go on in another process image?

use crate::channel::{Channel, Limits, NoCommonSerialization, Token};
use crate::dialect::Dialect;
use crate::serialization::Serialization;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Everything that a channel remembers, to be looked at: see [`Channel::parts`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts<'a> {
    /// The runtime at the other end.
    pub dialect: Dialect,
    /// How messages are written.
    pub serialization: Serialization,
    /// The beginning of a message whose end has not arrived.
    pub received: &'a [u8],
    /// Descriptors that have arrived and whose message has not; `None` where the kernel lost one.
    pub unclaimed: Vec<Option<BorrowedFd<'a>>>,
    /// What is not written yet, oldest first.
    pub queued: Vec<PartRef<'a>>,
    /// Handles written and not acknowledged, oldest first.
    pub in_flight: Vec<(Token, BorrowedFd<'a>)>,
    /// Whether something was written that the peer may not have read.
    pub plain_unread: bool,
}

/// Bytes that go out together, to be looked at.
#[derive(Debug)]
#[non_exhaustive]
pub struct PartRef<'a> {
    /// Not empty.
    pub bytes: &'a [u8],
    /// The descriptor that goes with the first of them.
    pub handle: Option<(Token, BorrowedFd<'a>)>,
    /// Acknowledgements among them.
    pub answers: usize,
}

/// The same, owned: what [`Channel::from_parts`] makes a channel of.
#[derive(Debug, Default)]
pub struct OwnedParts {
    /// See [`Parts::dialect`].
    pub dialect: Dialect,
    /// See [`Parts::serialization`].
    pub serialization: Serialization,
    /// See [`Parts::received`].
    pub received: Vec<u8>,
    /// See [`Parts::unclaimed`].
    pub unclaimed: Vec<Option<OwnedFd>>,
    /// See [`Parts::queued`].
    pub queued: Vec<QueuedPart>,
    /// See [`Parts::in_flight`].
    pub in_flight: Vec<(Token, Arc<OwnedFd>)>,
    /// See [`Parts::plain_unread`].
    pub plain_unread: bool,
}

/// Bytes that go out together.
#[derive(Debug)]
pub struct QueuedPart {
    /// Not empty.
    pub bytes: Vec<u8>,
    /// The descriptor that goes with the first of them.
    pub handle: Option<(Token, Arc<OwnedFd>)>,
    /// Acknowledgements among them.
    pub answers: usize,
}

impl Channel {
    /// What has to be remembered so that another program image, or another process, can go on
    /// with the same socket. Take all [events](Self::poll_event) first: they are not among it.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        Parts {
            dialect: self.dialect(),
            serialization: self.serialization(),
            received: self.splitter.partial(),
            unclaimed: self.unclaimed.waiting().collect(),
            queued: self.queue.parts().collect(),
            in_flight: self.queue.on_their_way().collect(),
            plain_unread: self.queue.plain_unread,
        }
    }

    /// A channel that goes on where another one stopped.
    ///
    /// # Errors
    /// As [`Channel::with`]. What is broken otherwise shows itself as a protocol error later.
    pub fn from_parts(limits: Limits, parts: OwnedParts) -> Result<Self, NoCommonSerialization> {
        let mut channel = Self::with(limits, parts.dialect, parts.serialization)?;
        for fd in parts.unclaimed {
            match fd {
                Some(fd) => channel.receive_fd(fd),
                None => channel.receive_lost_fd(),
            }
        }
        // An error is remembered, and comes up again at the next read.
        let _ = channel.receive(&parts.received);
        for part in parts.queued {
            channel.queue.restore(part.bytes, part.handle, part.answers);
        }
        for (token, fd) in parts.in_flight {
            channel.queue.restore_on_its_way(token, fd);
        }
        channel.queue.plain_unread = parts.plain_unread;
        Ok(channel)
    }
}
