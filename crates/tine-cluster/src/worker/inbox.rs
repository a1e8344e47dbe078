//! Where do messages wait until the program reads them?

use super::Worker;
use super::shared::Shared;
use crate::handle::Handle;
use crate::message::Message;
use futures_core::Stream;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tine_ipc::Body;

/// As much may wait unread; see [`Worker::messages`].
const MESSAGES: usize = 10_000;
const BYTES: usize = 4 << 20;
const HANDLES: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    handles: usize,
    /// How many `Messages` there are.
    readers: usize,
    next_reader: u64,
    wakers: Vec<(u64, Waker)>,
    lost: u64,
    closed: bool,
}

#[derive(Debug)]
struct Waiting {
    message: Message,
    bytes: usize,
}

impl Inbox {
    /// Takes a message. Without a reader the oldest are dropped for it until there is room: those.
    pub(super) fn push(
        &mut self,
        body: Body,
        handle: Option<Handle>,
        wakes: &mut Vec<Waker>,
    ) -> Vec<Message> {
        let bytes = body.len();
        self.handles += usize::from(handle.is_some());
        self.bytes += bytes;
        self.waiting.push_back(Waiting {
            message: Message::new(body, handle),
            bytes,
        });
        wakes.extend(self.wakers.drain(..).map(|(_, waker)| waker));
        let mut dropped = Vec::new();
        while self.readers == 0 && self.waiting.len() > 1 && self.is_full(1) {
            self.lost += 1;
            dropped.extend(self.pop().map(|waiting| waiting.message));
        }
        dropped
    }

    fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        self.bytes -= waiting.bytes;
        self.handles -= usize::from(waiting.message.handle().is_some());
        Some(waiting)
    }

    /// Whether reading is to stop; once it has, whether it is not to begin again yet.
    pub(super) fn holds_too_much(&self, paused: bool) -> bool {
        self.readers > 0 && self.is_full(if paused { 2 } else { 1 })
    }

    fn is_full(&self, part: usize) -> bool {
        self.waiting.len() >= MESSAGES / part
            || self.bytes >= BYTES / part
            || self.handles >= HANDLES / part
    }

    pub(super) fn close(&mut self, wakes: &mut Vec<Waker>) {
        self.closed = true;
        wakes.extend(self.wakers.drain(..).map(|(_, waker)| waker));
    }
}

/// The messages of the primary's program, from [`Worker::messages`].
///
/// A stream; it ends when the channel is closed and all that came before has been read. Of several
/// `Messages` of one worker each message goes to one.
#[derive(Debug)]
pub struct Messages {
    shared: Arc<Shared>,
    reader: u64,
}

impl Worker {
    /// The messages of the primary's program, from the first one: what came before this call has
    /// waited, as in Node.
    ///
    /// While a `Messages` exists nothing is lost: when 10,000 messages, 4 MiB or 64 handles wait
    /// unread, nothing more is read from the channel until half of them are, and the primary's
    /// writes wait in turn. That holds up everything else on the channel too, also connections in
    /// round robin, but not what this program itself is waiting for: while a
    /// [`request`](Self::request), a [`listen`](Self::listen) or a handle has no answer, reading
    /// goes on. While none exists, connections must go on for a program that does not care for
    /// messages, and the oldest are dropped beyond the same bounds; requests among them are
    /// refused.
    #[must_use]
    pub fn messages(&self) -> Messages {
        let mut state = self.shared.lock();
        let inbox = &mut state.inbox;
        inbox.readers += 1;
        inbox.next_reader += 1;
        Messages {
            shared: self.shared.clone(),
            reader: inbox.next_reader,
        }
    }
}

impl Messages {
    /// The next message; `None` when the channel is closed. Nothing is lost when the future is
    /// dropped.
    pub async fn next(&mut self) -> Option<Message> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    /// How many messages were dropped because nobody asked for any and too many waited.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.lock().inbox.lost
    }

    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Option<Message>> {
        let mut state = self.shared.lock();
        let inbox = &mut state.inbox;
        let Some(Waiting { message, .. }) = inbox.pop() else {
            if inbox.closed {
                return Poll::Ready(None);
            }
            match inbox.wakers.iter_mut().find(|(id, _)| *id == self.reader) {
                Some((_, waker)) => waker.clone_from(cx.waker()),
                None => inbox.wakers.push((self.reader, cx.waker().clone())),
            }
            return Poll::Pending;
        };
        state.call_task_if_needed();
        self.shared.give_back(state);
        Poll::Ready(Some(message))
    }
}

impl Stream for Messages {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.poll(cx)
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.shared.with(|state| {
            let inbox = &mut state.inbox;
            inbox.readers -= 1;
            inbox.wakers.retain(|(reader, _)| *reader != self.reader);
            // A wake-up that was meant for this one is not lost.
            if !inbox.waiting.is_empty() {
                let others = inbox.wakers.drain(..).map(|(_, waker)| waker);
                state.wakes.extend(others);
            }
        });
    }
}
