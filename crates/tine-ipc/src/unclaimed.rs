//! Which descriptors have arrived before the message they belong to?

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Descriptors in the order of their arrival.
///
/// A descriptor belongs to a message of which at least one byte was in the read that brought it
/// (on Linux it is the first byte). When all such messages are whole and none has claimed it, it
/// is closed: kept any longer, it would be given to a message it was not sent with.
#[derive(Debug, Default)]
pub(crate) struct Unclaimed {
    /// `None`: it was there, but the kernel could not give it to us.
    waiting: VecDeque<Option<OwnedFd>>,
    /// How many of them came with an earlier read than the present one. They belong to the
    /// message that had begun then, or to none.
    earlier: usize,
}

impl Unclaimed {
    /// Takes one that came with the present read; more than `limit` are closed.
    pub(crate) fn push(&mut self, fd: Option<OwnedFd>, limit: usize) {
        if self.waiting.len() < limit {
            self.waiting.push_back(fd);
        }
    }

    /// For a message that says it has one.
    pub(crate) fn claim(&mut self) -> Option<OwnedFd> {
        self.earlier = self.earlier.saturating_sub(1);
        self.waiting.pop_front().flatten()
    }

    /// The message that had begun before the present read is whole.
    pub(crate) fn message_ended(&mut self) {
        self.waiting.drain(..self.earlier);
        self.earlier = 0;
    }

    /// The present read has been looked through.
    pub(crate) fn read_ended(&mut self, message_has_begun: bool) {
        if !message_has_begun {
            self.waiting.clear();
        }
        self.earlier = self.waiting.len();
    }

    /// All that wait.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Option<BorrowedFd<'_>>> {
        self.waiting.iter().map(|fd| fd.as_ref().map(AsFd::as_fd))
    }

    /// Closes all.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.earlier = 0;
    }
}
