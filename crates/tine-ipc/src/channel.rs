//! Which descriptor belongs to which message, and who acknowledged what?

use crate::dialect::Dialect;
use crate::encode::{self, NativeKind};
use crate::frame::Lines;
use crate::message::{Cluster, HandleType, Line, read_line};
use crate::unclaimed::Unclaimed;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// How much a peer may make us hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest message in bytes. Node itself has no limit but memory.
    pub message: usize,
    /// Descriptors that arrived and whose message has not.
    pub unclaimed_handles: usize,
    /// Acknowledgements that wait because the peer does not read.
    pub unread_answers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 256 << 20,
            unclaimed_handles: 16,
            unread_answers: 10_000,
        }
    }
}

/// A number the sender gives to a handle, to hear of it again when it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub u64);

/// A descriptor that came with a message.
#[derive(Debug)]
pub struct Handle {
    /// What the sender calls it.
    pub kind: HandleType,
    /// The descriptor itself, close-on-exec.
    pub fd: OwnedFd,
}

/// What came in.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A message of the cluster protocol, with the descriptor that came with it.
    Cluster(Box<Cluster>, Option<OwnedFd>),
    /// A message of the user, or an internal one that this crate does not know, as it stood on
    /// the wire (bytes that are not UTF-8 replaced by U+FFFD, as Node does).
    Message {
        /// The JSON text.
        json: String,
        /// Whether Node would deliver it as `internalMessage`.
        internal: bool,
        /// The descriptor that came with it.
        handle: Option<Handle>,
    },
    /// The peer has taken the oldest handle that was on its way.
    HandleTaken(Token),
    /// The peer got the message without its descriptor: most likely it has none free.
    HandleRefused(Token),
}

/// The peer broke the protocol. Nothing more can be read; the channel should be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A line that is not JSON. A Node primary dies of it.
    #[error("the peer sent a line that is not JSON: {begin:?}")]
    NotJson {
        /// Its first characters.
        begin: String,
    },
    /// A line longer than [`Limits::message`].
    #[error("the peer sent a message longer than {limit} bytes")]
    TooLong {
        /// The limit in force.
        limit: usize,
    },
    /// Ever more handles came in, and none of the answers were read: [`Limits::unread_answers`].
    #[error("the peer sends handles and has not read the last {limit} acknowledgements")]
    DoesNotRead {
        /// The limit in force.
        limit: usize,
    },
}

/// The next bytes to write, and the descriptor to send with the first of them.
#[derive(Debug)]
pub struct Transmit<'a> {
    /// Not empty.
    pub bytes: &'a [u8],
    /// To be attached to this very write, with `SCM_RIGHTS`.
    pub fd: Option<BorrowedFd<'a>>,
    /// Write only when the peer has read everything written before (`SIOCOUTQ` is 0).
    pub only_when_drained: bool,
}

#[derive(Debug)]
struct Segment {
    bytes: Vec<u8>,
    written: usize,
    handle: Option<(Token, Arc<OwnedFd>)>,
    /// Acknowledgements among the bytes.
    answers: usize,
}

/// One end of an IPC channel, without its socket.
///
/// Give it each read with [`receive_fd`](Self::receive_fd) and then
/// [`receive`](Self::receive), take events with [`poll_event`](Self::poll_event) until `None`;
/// queue messages with the `send` methods, then alternate [`poll_transmit`](Self::poll_transmit)
/// and [`transmitted`](Self::transmitted). Acknowledgements are written by the channel itself:
/// exactly one per handle that arrives, because a Node peer dies of a spurious one.
///
/// Handles may follow each other without waiting for an acknowledgement: no receiver needs the
/// wait, though Node's own sender does wait.
#[derive(Debug, Default)]
pub struct Channel {
    dialect: Dialect,
    limits: Limits,
    lines: Lines,
    failed: Option<ProtocolError>,
    unclaimed: Unclaimed,
    events: VecDeque<Event>,
    out: VecDeque<Segment>,
    out_bytes: usize,
    /// Acknowledgements among the queued bytes.
    answers: usize,
    /// Handles written and not acknowledged. The copy is kept until then, so that the open file
    /// cannot vanish while it is in flight (it does on macOS).
    in_flight: VecDeque<(Token, Arc<OwnedFd>)>,
    /// Bytes were written without a descriptor, and nobody has said that they were read.
    plain_unread: bool,
}

const ACK: &[u8] = b"{\"cmd\":\"NODE_HANDLE_ACK\"}\n";
const NACK: &[u8] = b"{\"cmd\":\"NODE_HANDLE_NACK\"}\n";

/// Plain messages are joined into writes of at most about this many bytes.
const JOIN: usize = 64 * 1024;

impl Channel {
    /// A channel whose peer is Node until its bytes say otherwise.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// A channel to a peer of a known runtime.
    #[must_use]
    pub fn with_dialect(limits: Limits, dialect: Dialect) -> Self {
        Self {
            dialect,
            ..Self::new(limits)
        }
    }

    /// The runtime at the other end, as far as known.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Takes a descriptor that came with the bytes about to be given to
    /// [`receive`](Self::receive). More than [`Limits::unclaimed_handles`] are closed.
    pub fn receive_fd(&mut self, fd: OwnedFd) {
        self.receive_fd_or_loss(Some(fd));
    }

    /// Says that the bytes about to be given to [`receive`](Self::receive) came with a descriptor
    /// that could not be taken (`MSG_CTRUNC`): its message is refused, and the next descriptor is
    /// not taken for it.
    pub fn receive_lost_fd(&mut self) {
        self.receive_fd_or_loss(None);
    }

    fn receive_fd_or_loss(&mut self, fd: Option<OwnedFd>) {
        if self.failed.is_none() {
            self.unclaimed.push(fd, self.limits.unclaimed_handles);
        }
    }

    /// Takes the bytes of one read, cut anywhere. A descriptor given before must belong to a
    /// message that has at least one byte among them: one that is still unclaimed when all such
    /// messages are whole is closed, so that no later message gets it.
    ///
    /// # Errors
    /// When the peer broke the protocol: now, and at every later call. Events of the lines before
    /// it are still there.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut lines = std::mem::take(&mut self.lines);
        let limit = self.limits.message;
        let mut failed = None;
        let fed = lines.feed(bytes, limit, |line| {
            if failed.is_none() {
                failed = self.line(line).err();
                self.unclaimed.message_ended();
            }
        });
        self.lines = lines;
        if fed.is_err() {
            failed.get_or_insert(ProtocolError::TooLong { limit });
        }
        if let Some(error) = failed {
            self.lines = Lines::default();
            self.unclaimed.clear();
            self.failed = Some(error.clone());
            return Err(error);
        }
        self.unclaimed.read_ended(self.lines.pending() > 0);
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), ProtocolError> {
        let (bun, line) = match line.split_first() {
            Some((&Dialect::BUN_INTERNAL, rest)) => (true, rest),
            _ => (false, line),
        };
        if bun {
            self.dialect = Dialect::Bun;
        }
        let text = String::from_utf8_lossy(line);
        self.text(&text, bun)
    }

    fn text(&mut self, text: &str, bun: bool) -> Result<(), ProtocolError> {
        let not_json = || ProtocolError::NotJson {
            begin: text.chars().take(80).collect(),
        };
        match read_line(text, bun).map_err(|_| not_json())? {
            Line::Acknowledged { taken } => {
                // Node's retransmission acknowledges twice: one without a handle is let pass.
                if let Some((token, _)) = self.in_flight.pop_front() {
                    self.events.push_back(if taken {
                        Event::HandleTaken(token)
                    } else {
                        Event::HandleRefused(token)
                    });
                }
            }
            Line::Cluster {
                message,
                has_handle: false,
            } => {
                self.events.push_back(Event::Cluster(message, None));
            }
            Line::Cluster {
                message,
                has_handle: true,
            } => {
                if let Some(fd) = self.claim()? {
                    self.events.push_back(Event::Cluster(message, Some(fd)));
                }
            }
            Line::WithHandle { kind, message } => {
                if let Some(fd) = self.claim()? {
                    self.inside_envelope(kind, message, fd)?;
                }
            }
            Line::Other { internal } => self.events.push_back(Event::Message {
                json: text.to_owned(),
                internal: internal || bun,
                handle: None,
            }),
        }
        Ok(())
    }

    /// The descriptor of a message that says it has one; answers ACK or NACK.
    fn claim(&mut self) -> Result<Option<OwnedFd>, ProtocolError> {
        let fd = self.unclaimed.claim();
        let limit = self.limits.unread_answers;
        if self.answers >= limit {
            return Err(ProtocolError::DoesNotRead { limit });
        }
        self.push_plain(if fd.is_some() { ACK } else { NACK });
        self.answers += 1;
        if let Some(last) = self.out.back_mut() {
            last.answers += 1;
        }
        Ok(fd)
    }

    fn inside_envelope(
        &mut self,
        mut kind: HandleType,
        mut message: &str,
        fd: OwnedFd,
    ) -> Result<(), ProtocolError> {
        // Node wraps a connection that it sends again twice.
        for _ in 0..2 {
            let parsed = read_line(message, false).map_err(|_| ProtocolError::NotJson {
                begin: message.chars().take(80).collect(),
            })?;
            match parsed {
                Line::WithHandle {
                    kind: inner_kind,
                    message: inner,
                } => {
                    (kind, message) = (inner_kind, inner);
                }
                Line::Cluster { message, .. } => {
                    self.events.push_back(Event::Cluster(message, Some(fd)));
                    return Ok(());
                }
                Line::Other { internal } => {
                    let json = message.to_owned();
                    let handle = Some(Handle { kind, fd });
                    self.events.push_back(Event::Message {
                        json,
                        internal,
                        handle,
                    });
                    return Ok(());
                }
                // An acknowledgement in an envelope is no acknowledgement.
                Line::Acknowledged { .. } => break,
            }
        }
        let handle = Some(Handle { kind, fd });
        self.events.push_back(Event::Message {
            json: message.to_owned(),
            internal: true,
            handle,
        });
        Ok(())
    }

    /// What has come in, in the order in which it was sent.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes of a message that has begun to arrive and is not whole.
    #[must_use]
    pub fn half_received(&self) -> usize {
        self.lines.pending()
    }

    /// Queues a cluster message, as made by [`encode`].
    pub fn send_cluster(&mut self, message: &[u8]) {
        let line = encode::plain(self.dialect, message);
        self.push_plain(&line);
    }

    /// Queues a cluster message with a descriptor. The same descriptor may be given to several
    /// channels. It is heard of again as [`Event::HandleTaken`] or [`Event::HandleRefused`].
    pub fn send_cluster_handle(
        &mut self,
        message: &[u8],
        kind: NativeKind,
        fd: Arc<OwnedFd>,
        token: Token,
    ) {
        let bytes = encode::with_handle(self.dialect, message, kind);
        self.push(Segment {
            bytes,
            written: 0,
            handle: Some((token, fd)),
            answers: 0,
        });
    }

    /// Queues a message of the user: one JSON text. Line feeds inside it (legal between tokens)
    /// become spaces.
    pub fn send_message(&mut self, json: &str) {
        let mut line = json.as_bytes().to_vec();
        for byte in &mut line {
            if *byte == b'\n' {
                *byte = b' ';
            }
        }
        line.push(b'\n');
        self.push_plain(&line);
    }

    fn push_plain(&mut self, line: &[u8]) {
        if let Some(last) = self.out.back_mut()
            && last.handle.is_none()
            && last.bytes.len() + line.len() <= JOIN
        {
            self.out_bytes += line.len();
            last.bytes.extend_from_slice(line);
            return;
        }
        self.push(Segment {
            bytes: line.to_vec(),
            written: 0,
            handle: None,
            answers: 0,
        });
    }

    fn push(&mut self, segment: Segment) {
        self.out_bytes += segment.bytes.len();
        self.out.push_back(segment);
    }

    /// What to write next, or `None` when all is written.
    #[must_use]
    pub fn poll_transmit(&self) -> Option<Transmit<'_>> {
        let segment = self.out.front()?;
        // The first write, however short, takes the descriptor along; the rest goes without.
        let fd = segment.handle.as_ref();
        Some(Transmit {
            bytes: &segment.bytes[segment.written..],
            fd: fd.map(|(_, fd)| fd.as_fd()),
            only_when_drained: fd.is_some() && self.dialect == Dialect::Deno && self.plain_unread,
        })
    }

    /// Says that the peer has read everything that was written.
    pub fn drained(&mut self) {
        self.plain_unread = false;
    }

    /// Says that the first `count` bytes of the last [`Transmit`] were written.
    pub fn transmitted(&mut self, count: usize) {
        let Some(segment) = self.out.front_mut() else {
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
        self.out_bytes -= count;
        if segment.written == segment.bytes.len() {
            self.answers -= segment.answers;
            self.out.pop_front();
        }
    }

    /// Bytes queued and not yet written.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.out_bytes
    }

    /// Handles written and not acknowledged.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}
