//! What is written next, and how far has it got?

use crate::channel::Token;
use crate::parts::PartRef;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A place in the stream of what one channel sends. Marks of different channels have nothing to
/// do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mark(u64);

/// Bytes that go out together, and the descriptor that goes with the first of them.
#[derive(Debug)]
pub(crate) struct Segment {
    bytes: Vec<u8>,
    written: usize,
    pub(crate) handle: Option<(Token, Arc<OwnedFd>)>,
    /// Acknowledgements among the bytes.
    answers: usize,
}

impl Segment {
    pub(crate) fn unwritten(&self) -> &[u8] {
        &self.bytes[self.written..]
    }
}

/// Plain messages are joined into writes of at most about this many bytes.
const JOIN: usize = 64 * 1024;

/// What one end of a channel has to write.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    segments: VecDeque<Segment>,
    /// The memory of a segment that is written, for the next one. Empty.
    spare: Vec<u8>,
    /// Bytes not yet written.
    unwritten: usize,
    /// Bytes ever queued.
    ever: u64,
    /// Acknowledgements among the queued bytes.
    answers: usize,
    /// Handles written and not acknowledged. The copy is kept until then, so that the open file
    /// cannot vanish while it is in flight (it does on macOS).
    in_flight: VecDeque<(Token, Arc<OwnedFd>)>,
    /// Bytes were written without a descriptor, and nobody has said that they were read.
    pub(crate) plain_unread: bool,
}

impl Queue {
    /// Queues one message without a descriptor, given in parts.
    pub(crate) fn push_plain(&mut self, parts: &[&[u8]]) -> Mark {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        match self.segments.back_mut() {
            Some(last) if last.handle.is_none() && last.bytes.len() + length <= JOIN => {
                for part in parts {
                    last.bytes.extend_from_slice(part);
                }
                self.count(length)
            }
            _ => {
                let mut bytes = std::mem::take(&mut self.spare);
                parts.iter().for_each(|part| bytes.extend_from_slice(part));
                self.push(bytes, None)
            }
        }
    }

    /// Queues an acknowledgement.
    pub(crate) fn push_answer(&mut self, bytes: &[u8]) {
        self.push_plain(&[bytes]);
        self.answers += 1;
        if let Some(last) = self.segments.back_mut() {
            last.answers += 1;
        }
    }

    /// Queues one message with its descriptor.
    pub(crate) fn push_handle(&mut self, bytes: Vec<u8>, token: Token, fd: Arc<OwnedFd>) -> Mark {
        self.push(bytes, Some((token, fd)))
    }

    fn push(&mut self, bytes: Vec<u8>, handle: Option<(Token, Arc<OwnedFd>)>) -> Mark {
        let length = bytes.len();
        self.segments.push_back(Segment {
            bytes,
            written: 0,
            handle,
            answers: 0,
        });
        self.count(length)
    }

    fn count(&mut self, length: usize) -> Mark {
        self.unwritten += length;
        self.ever += length as u64;
        Mark(self.ever)
    }

    pub(crate) fn front(&self) -> Option<&Segment> {
        self.segments.front()
    }

    /// The first `count` bytes of the front were written.
    pub(crate) fn transmitted(&mut self, count: usize) {
        let Some(segment) = self.segments.front_mut() else {
            return;
        };
        if count == 0 {
            return;
        }
        match segment.handle.take() {
            Some(handle) => self.in_flight.push_back(handle),
            // Also the rest of a message whose beginning took the descriptor.
            None => self.plain_unread = true,
        }
        let count = count.min(segment.bytes.len() - segment.written);
        segment.written += count;
        self.unwritten -= count;
        if segment.written == segment.bytes.len() {
            self.answers -= segment.answers;
            if let Some(Segment { mut bytes, .. }) = self.segments.pop_front()
                && bytes.capacity() <= JOIN
            {
                bytes.clear();
                self.spare = bytes;
            }
        }
    }

    /// The oldest handle on its way has been acknowledged.
    pub(crate) fn acknowledged(&mut self) -> Option<Token> {
        self.in_flight.pop_front().map(|(token, _)| token)
    }

    /// What is not written yet: bytes, their descriptor, acknowledgements among them.
    pub(crate) fn parts(&self) -> impl Iterator<Item = PartRef<'_>> {
        self.segments.iter().map(|segment| {
            let handle = segment.handle.as_ref();
            PartRef {
                bytes: segment.unwritten(),
                handle: handle.map(|(token, fd)| (*token, fd.as_fd())),
                answers: segment.answers,
            }
        })
    }

    /// Handles written and not acknowledged.
    pub(crate) fn on_their_way(&self) -> impl Iterator<Item = (Token, BorrowedFd<'_>)> {
        let all = self.in_flight.iter();
        all.map(|(token, fd)| (*token, fd.as_fd()))
    }

    /// Queues what another queue had not written.
    pub(crate) fn restore(
        &mut self,
        bytes: Vec<u8>,
        handle: Option<(Token, Arc<OwnedFd>)>,
        answers: usize,
    ) {
        if bytes.is_empty() {
            return;
        }
        self.push(bytes, handle);
        if let Some(last) = self.segments.back_mut() {
            last.answers = answers;
            self.answers += answers;
        }
    }

    pub(crate) fn restore_on_its_way(&mut self, token: Token, fd: Arc<OwnedFd>) {
        self.in_flight.push_back((token, fd));
    }

    pub(crate) fn written(&self) -> Mark {
        Mark(self.ever - self.unwritten as u64)
    }

    pub(crate) fn unwritten(&self) -> usize {
        self.unwritten
    }

    pub(crate) fn answers(&self) -> usize {
        self.answers
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}
