//! What happened?

use super::process::WorkerProcess;
use super::setup::Setup;
use super::state::Shared;
use crate::message::Message;
use crate::primary::ListeningAddress;
use futures_core::Stream;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tine_sys::reap::ExitStatus;

/// What happened in a cluster: the events of Node's `cluster`, and two that it lacks.
///
/// For each worker the order is fork, online, listening, disconnect, exit; messages come between
/// fork and disconnect. Every worker that was forked exits exactly once.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The settings for workers to come were made or changed.
    Setup(Box<Setup>),
    /// A worker's process was started.
    Fork(WorkerProcess),
    /// The process has started and speaks.
    Online(WorkerProcess),
    /// A server of the worker is listening.
    Listening {
        /// Whose.
        worker: WorkerProcess,
        /// Where, with the real port.
        address: ListeningAddress,
    },
    /// The worker asked for a socket that cannot be had, and was told so. `EMFILE` says that it has
    /// 1,000 sockets, or 16 while more than half of the primary's descriptors are in use: so one
    /// worker cannot take them all.
    ListenFailed {
        /// Who asked.
        worker: WorkerProcess,
        /// For what.
        address: ListeningAddress,
        /// Why not.
        error: io::Error,
    },
    /// The primary cannot accept what waits, most often because it has no descriptor free. It goes
    /// on trying; what waits, waits in the kernel.
    AcceptFailed {
        /// Where.
        address: ListeningAddress,
        /// Why not.
        error: io::Error,
    },
    /// A message of the worker's program.
    Message {
        /// Who sent it.
        worker: WorkerProcess,
        /// What it sent.
        message: Message,
    },
    /// The channel has closed. `error` says why, unless the worker closed it in good order.
    Disconnect {
        /// Whose channel.
        worker: WorkerProcess,
        /// What was wrong with it.
        error: Option<String>,
    },
    /// The process has ended.
    Exit {
        /// Who.
        worker: WorkerProcess,
        /// How.
        status: ExitStatus,
        /// Whether it left because one side asked for it.
        exited_after_disconnect: bool,
    },
}

impl Event {
    /// The worker that it is about, if it is about one.
    #[must_use]
    pub fn worker(&self) -> Option<&WorkerProcess> {
        match self {
            Self::Setup(_) | Self::AcceptFailed { .. } => None,
            Self::Fork(worker)
            | Self::Online(worker)
            | Self::Listening { worker, .. }
            | Self::ListenFailed { worker, .. }
            | Self::Message { worker, .. }
            | Self::Disconnect { worker, .. }
            | Self::Exit { worker, .. } => Some(worker),
        }
    }
}

/// The events of a cluster, in order.
///
/// While what one worker said waits here and is more than 4 MiB, 10,000 events or 64 sockets, nothing
/// more is read from it: its connections and its other words wait too. (Eight times as much, while the
/// program waits for an answer of that worker, or has asked it to leave.) So take events as they come,
/// or drop this: then they are not kept, as in Node when nobody listens.
#[derive(Debug)]
pub struct Events {
    pub(super) shared: Arc<Shared>,
}

impl Events {
    /// The next event; `None` when the cluster is closed and all has been taken. Nothing is lost
    /// when the future is dropped.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// The next event if it has happened already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.shared.with(super::state::State::take)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        // Who takes events without ever waiting still lets others work.
        let budget = std::task::ready!(tokio::task::coop::poll_proceed(context));
        let mut state = self.shared.lock();
        if let Some(event) = state.take() {
            budget.made_progress();
            let goes_on = state.goes_on();
            drop(state);
            if goes_on {
                // A worker that was not read is read again.
                self.shared.with(|_| ());
            }
            return Poll::Ready(Some(event));
        }
        if state.inner.is_none() {
            return Poll::Ready(None);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll(context)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.with(super::state::State::unlistened);
    }
}
