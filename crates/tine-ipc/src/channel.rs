//! Which descriptor belongs to which message, and who acknowledged what?

use crate::body::{Body, BodyError};
use crate::dialect::Dialect;
use crate::encode::{self, NativeKind, SentHandle};
use crate::frame::{Broken, Splitter};
use crate::message::{Cluster, Envelope, Frame, HandleType, Line, read_frame, read_line};
use crate::queue::{Mark, Queue};
use crate::serialization::Serialization;
use crate::unclaimed::Unclaimed;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// How much a peer may make us hold.
///
/// ```
/// let limits = tine_ipc::Limits::default().message(1 << 20).unclaimed_handles(4);
/// assert_eq!((limits.message, limits.unread_answers), (1 << 20, 10_000));
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
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

impl Limits {
    /// These limits with another [`message`](Self::message), in bytes.
    #[must_use]
    pub fn message(mut self, bytes: usize) -> Self {
        self.message = bytes;
        self
    }

    /// These limits with another [`unclaimed_handles`](Self::unclaimed_handles).
    #[must_use]
    pub fn unclaimed_handles(mut self, handles: usize) -> Self {
        self.unclaimed_handles = handles;
        self
    }

    /// These limits with another [`unread_answers`](Self::unread_answers).
    #[must_use]
    pub fn unread_answers(mut self, answers: usize) -> Self {
        self.unread_answers = answers;
        self
    }
}

/// A number the sender gives to a handle, to hear of it again when it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub u64);

/// A descriptor that came with a message.
#[derive(Debug)]
#[non_exhaustive]
pub struct Handle {
    /// What the sender calls it.
    pub kind: HandleType,
    /// The descriptor itself, close-on-exec.
    pub fd: OwnedFd,
    /// For a connection that a `net.Server` of the sender accepted: the server's name in
    /// `NODE_SOCKET_NOTIFY_CLOSE` and `NODE_SOCKET_GET_COUNT`, which the sender will ask about it.
    /// Its server does not close before the answer [`socket_all_closed`](encode::socket_all_closed).
    pub key: Option<String>,
    /// For a UDP socket: `udp4` or `udp6`.
    pub datagram_type: Option<String>,
}

/// What came in.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A message of the cluster protocol, with the descriptor that came with it.
    Cluster(Box<Cluster>, Option<OwnedFd>),
    /// A message of the user, or an internal one that this crate does not know, as it stood on
    /// the wire (in JSON, bytes that are not UTF-8 are replaced by U+FFFD, as Node does).
    Message {
        /// Its content. In [`Serialization::Advanced`] it may turn out on reading that it cannot
        /// be decoded; the channel is none the worse for it.
        body: Body,
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
    /// A frame whose content is not in V8's format, version 13 to 16. A Node primary dies of it.
    #[error("the peer sent a message that is not in V8's format, version 13 to 16: {begin:02x?}")]
    NotV8 {
        /// Its first bytes.
        begin: Vec<u8>,
    },
    /// A message longer than [`Limits::message`].
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
#[non_exhaustive]
pub struct Transmit<'a> {
    /// Not empty.
    pub bytes: &'a [u8],
    /// To be attached to this very write, with `SCM_RIGHTS`.
    pub fd: Option<BorrowedFd<'a>>,
    /// Write only when the peer has read everything written before (`SIOCOUTQ` is 0).
    pub only_when_drained: bool,
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
    serialization: Serialization,
    limits: Limits,
    pub(crate) splitter: Splitter,
    failed: Option<ProtocolError>,
    pub(crate) unclaimed: Unclaimed,
    events: VecDeque<Event>,
    pub(crate) queue: Queue,
}

/// Bun's advanced serialization is JavaScriptCore's format, which nothing but Bun speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Bun's serialization `advanced` is a format of its own: use `json` with it")]
pub struct NoCommonSerialization;

impl Channel {
    /// A channel in [`Serialization::Json`] whose peer is Node until its bytes say otherwise.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// A channel in [`Serialization::Json`] to a peer of a known runtime.
    #[must_use]
    pub fn with_dialect(limits: Limits, dialect: Dialect) -> Self {
        Self {
            dialect,
            ..Self::new(limits)
        }
    }

    /// A channel to a peer of a known runtime.
    ///
    /// # Errors
    /// For Bun in [`Serialization::Advanced`].
    pub fn with(
        limits: Limits,
        dialect: Dialect,
        serialization: Serialization,
    ) -> Result<Self, NoCommonSerialization> {
        if dialect == Dialect::Bun && serialization == Serialization::Advanced {
            return Err(NoCommonSerialization);
        }
        Ok(Self {
            serialization,
            splitter: Splitter::new(serialization),
            ..Self::with_dialect(limits, dialect)
        })
    }

    /// The runtime at the other end, as far as known.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The format of the messages.
    #[must_use]
    pub fn serialization(&self) -> Serialization {
        self.serialization
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
    /// When the peer broke the protocol: now, and at every later call. Events of the messages
    /// before it are still there.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut splitter = std::mem::take(&mut self.splitter);
        let limit = self.limits.message;
        let mut failed = None;
        let fed = splitter.feed(bytes, limit, |message| {
            if failed.is_none() {
                failed = match self.serialization {
                    Serialization::Json => self.line(message),
                    Serialization::Advanced => self.frame(message),
                }
                .err();
                self.unclaimed.message_ended();
            }
        });
        self.splitter = splitter;
        if let Err(broken) = fed {
            failed.get_or_insert(match broken {
                Broken::TooLong => ProtocolError::TooLong { limit },
                Broken::NotV8 { begin } => ProtocolError::NotV8 { begin },
            });
        }
        if let Some(error) = failed {
            self.splitter = Splitter::new(self.serialization);
            self.unclaimed.clear();
            self.failed = Some(error.clone());
            return Err(error);
        }
        self.unclaimed.read_ended(self.splitter.pending() > 0);
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
        match read_line(&text, bun).map_err(|_| not_json(&text))? {
            Line::Acknowledged { taken } => self.acknowledged(taken),
            Line::Cluster {
                message,
                has_handle: false,
            } => self.events.push_back(Event::Cluster(message, None)),
            Line::Cluster {
                message,
                has_handle: true,
            } => {
                if let Some(fd) = self.claim()? {
                    self.events.push_back(Event::Cluster(message, Some(fd)));
                }
            }
            Line::WithHandle(envelope) => {
                if let Some(fd) = self.claim()? {
                    self.inside_envelope(envelope, fd)?;
                }
            }
            Line::Other { internal } => self.events.push_back(Event::Message {
                internal: internal || bun,
                body: Body::of_line(text.into_owned()),
                handle: None,
            }),
        }
        Ok(())
    }

    fn inside_envelope(
        &mut self,
        mut envelope: Envelope<'_>,
        fd: OwnedFd,
    ) -> Result<(), ProtocolError> {
        let mut seen_as_internal = true;
        // Node wraps a connection that it sends again twice.
        for _ in 0..2 {
            match read_line(envelope.message, false).map_err(|_| not_json(envelope.message))? {
                Line::WithHandle(inner) => envelope = inner,
                Line::Cluster { message, .. } => {
                    self.events.push_back(Event::Cluster(message, Some(fd)));
                    return Ok(());
                }
                Line::Other { internal } => {
                    seen_as_internal = internal;
                    break;
                }
                // An acknowledgement in an envelope is no acknowledgement.
                Line::Acknowledged { .. } => break,
            }
        }
        self.events.push_back(Event::Message {
            body: Body::of_line(envelope.message.to_owned()),
            internal: seen_as_internal,
            handle: Some(envelope.handle(fd)),
        });
        Ok(())
    }

    /// One frame of [`Serialization::Advanced`], known to have a header.
    fn frame(&mut self, frame: &[u8]) -> Result<(), ProtocolError> {
        match read_frame(frame) {
            Frame::Acknowledged { taken } => self.acknowledged(taken),
            Frame::Cluster(message) => self.events.push_back(Event::Cluster(message, None)),
            Frame::WithHandle(envelope) => {
                if let Some(fd) = self.claim()? {
                    self.events.push_back(envelope.event(fd));
                }
            }
            Frame::Other { internal } => self.events.push_back(Event::Message {
                body: Body::of_frame(frame.to_vec()),
                internal,
                handle: None,
            }),
        }
        Ok(())
    }

    fn acknowledged(&mut self, taken: bool) {
        // Node's retransmission acknowledges twice: one without a handle is let pass.
        if let Some(token) = self.queue.acknowledged() {
            self.events.push_back(if taken {
                Event::HandleTaken(token)
            } else {
                Event::HandleRefused(token)
            });
        }
    }

    /// The descriptor of a message that says it has one; answers ACK or NACK.
    fn claim(&mut self) -> Result<Option<OwnedFd>, ProtocolError> {
        let fd = self.unclaimed.claim();
        let limit = self.limits.unread_answers;
        if self.queue.answers() >= limit {
            return Err(ProtocolError::DoesNotRead { limit });
        }
        let answer = encode::answer(self.serialization, fd.is_some());
        self.queue.push_answer(answer);
        Ok(fd)
    }

    /// What has come in, in the order in which it was sent.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes of a message that has begun to arrive and is not whole.
    #[must_use]
    pub fn half_received(&self) -> usize {
        self.splitter.pending()
    }

    /// Queues a cluster message, as made by [`encode`].
    pub fn send_cluster(&mut self, message: &[u8]) {
        if let Ok(message) = encode::plain(self.serialization, self.dialect, message) {
            self.queue.push_plain(&[&message]);
        }
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
        match encode::with_handle(self.serialization, self.dialect, message, kind) {
            Ok(bytes) => {
                self.queue.push_handle(bytes, token, fd);
            }
            // Not a JSON text, so not made by `encode`: no peer will ever answer for it.
            Err(_) => self.events.push_back(Event::HandleRefused(token)),
        }
    }

    /// Queues a message of the user. It is in the kernel's hands once [`written`](Self::written)
    /// has reached the mark that this returns.
    ///
    /// # Errors
    /// When the body is written in the other serialization and cannot be converted: V8's format
    /// holds values that JSON does not. Then nothing is queued.
    pub fn send(&mut self, body: &Body) -> Result<Mark, BodyError> {
        let body = body.converted(self.serialization)?;
        let bytes = body.as_bytes();
        Ok(match self.serialization {
            Serialization::Json => self.queue.push_plain(&[bytes, b"\n"]),
            Serialization::Advanced => {
                let length = encode::length(bytes)?;
                self.queue.push_plain(&[&length, bytes])
            }
        })
    }

    /// Queues a message of the user with a descriptor, which becomes an object of this kind at
    /// the receiver. It must be non-blocking, and a socket: Node aborts when it is given a file.
    /// The same descriptor may be given to several channels. It is heard of again as
    /// [`Event::HandleTaken`] or [`Event::HandleRefused`].
    ///
    /// # Errors
    /// As [`send`](Self::send), and for what the peer's runtime is known to die of. Then nothing
    /// is queued.
    pub fn send_with_handle(
        &mut self,
        body: &Body,
        kind: SentHandle,
        fd: Arc<OwnedFd>,
        token: Token,
    ) -> Result<Mark, BodyError> {
        if self.dialect == Dialect::Bun && matches!(kind, SentHandle::Native(_)) {
            return Err(BodyError::Handle(kind.word()));
        }
        let body = body.converted(self.serialization)?;
        let bytes = encode::envelope(&body, kind)?;
        Ok(self.queue.push_handle(bytes, token, fd))
    }

    /// What to write next, or `None` when all is written.
    #[must_use]
    pub fn poll_transmit(&self) -> Option<Transmit<'_>> {
        let segment = self.queue.front()?;
        // The first write, however short, takes the descriptor along; the rest goes without.
        let fd = segment.handle.as_ref();
        Some(Transmit {
            bytes: segment.unwritten(),
            fd: fd.map(|(_, fd)| fd.as_fd()),
            only_when_drained: fd.is_some()
                && self.dialect == Dialect::Deno
                && self.queue.plain_unread,
        })
    }

    /// Says that the peer has read everything that was written.
    pub fn drained(&mut self) {
        self.queue.plain_unread = false;
    }

    /// Says that the first `count` bytes of the last [`Transmit`] were written.
    pub fn transmitted(&mut self, count: usize) {
        self.queue.transmitted(count);
    }

    /// How far the writing has come: a message is in the kernel's hands once this is not below
    /// the mark that its `send` returned. Whether the peer has read it is not known.
    #[must_use]
    pub fn written(&self) -> Mark {
        self.queue.written()
    }

    /// Bytes queued and not yet written.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.unwritten()
    }

    /// Handles written and not acknowledged.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.queue.in_flight()
    }
}

fn not_json(text: &str) -> ProtocolError {
    ProtocolError::NotJson {
        begin: text.chars().take(80).collect(),
    }
}
