//! A stream socket in memory, with the habits of Linux's `AF_UNIX` (unix(7), `SCM_RIGHTS`).

use std::collections::VecDeque;
use std::os::fd::{BorrowedFd, OwnedFd};

/// One direction of a socket pair.
#[derive(Debug)]
pub(crate) struct Link {
    segments: VecDeque<Segment>,
    capacity: usize,
}

#[derive(Debug)]
struct Segment {
    bytes: Vec<u8>,
    brought_fd: bool,
    fd: Option<OwnedFd>,
}

impl Link {
    /// A link that holds up to `capacity` bytes, at least 1.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            segments: VecDeque::new(),
            capacity: capacity.max(1),
        }
    }

    /// Takes up to `at_most` bytes, and says how many: 0 when it is full.
    pub(crate) fn write(
        &mut self,
        bytes: &[u8],
        fd: Option<BorrowedFd<'_>>,
        at_most: usize,
    ) -> usize {
        let room = self.capacity - self.unread();
        let count = bytes.len().min(at_most).min(room);
        if count > 0 {
            self.segments.push_back(Segment {
                bytes: bytes[..count].to_vec(),
                brought_fd: fd.is_some(),
                fd: fd.map(|fd| fd.try_clone_to_owned().unwrap()),
            });
        }
        count
    }

    /// Gives up to `at_most` bytes. Plain bytes are glued in front of a segment with a
    /// descriptor; the read ends after that segment. The descriptor goes with its first byte.
    pub(crate) fn read(&mut self, at_most: usize) -> (Vec<u8>, Option<OwnedFd>) {
        let mut bytes = Vec::new();
        let mut fd = None;
        while bytes.len() < at_most {
            let Some(segment) = self.segments.front_mut() else {
                break;
            };
            let count = segment.bytes.len().min(at_most - bytes.len());
            bytes.extend(segment.bytes.drain(..count));
            if segment.fd.is_some() {
                fd = segment.fd.take();
            }
            if !segment.bytes.is_empty() {
                break;
            }
            self.segments.pop_front();
            if fd.is_some() {
                break;
            }
        }
        (bytes, fd)
    }

    pub(crate) fn unread(&self) -> usize {
        self.segments
            .iter()
            .map(|segment| segment.bytes.len())
            .sum()
    }

    /// Whether nothing is unread but what came together with a descriptor.
    pub(crate) fn only_handles_unread(&self) -> bool {
        self.segments.iter().all(|segment| segment.brought_fd)
    }
}
