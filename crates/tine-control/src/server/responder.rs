//! How is one request answered?

use super::outbox::Outbox;
use crate::line;
use crate::reply::{Answer, ErrorCode, Failure, Note};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::{Notify, watch};

/// Nobody waits for this any more: the client is gone, is being cut off, or has cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody waits for the answer any more")]
pub struct Gone;

/// Answers one request, whenever that may be and from wherever. Dropping it without an answer
/// tells the client that it failed.
#[derive(Debug)]
pub struct Responder {
    id: u64,
    outbox: Arc<Outbox>,
    /// Becomes true when the client cancels; its sender goes with the connection.
    cancelled: watch::Receiver<bool>,
    /// Told when the request has its reply.
    requests: Weak<Requests>,
    finished: bool,
}

/// The requests of one connection that have no reply yet.
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: Mutex<HashMap<u64, watch::Sender<bool>>>,
    /// One more has its reply.
    answered: Notify,
}

impl Requests {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, watch::Sender<bool>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.open().len()
    }

    /// A responder for a new one; `None` when its id is that of another.
    pub(super) fn add(self: &Arc<Self>, id: u64, outbox: &Arc<Outbox>) -> Option<Responder> {
        let mut open = self.open();
        if open.contains_key(&id) {
            return None;
        }
        let (cancel, cancelled) = watch::channel(false);
        open.insert(id, cancel);
        Some(Responder {
            id,
            outbox: Arc::clone(outbox),
            cancelled,
            requests: Arc::downgrade(self),
            finished: false,
        })
    }

    /// Nobody waits for this one any more; false when there is no such.
    pub(super) fn cancel(&self, id: u64) -> bool {
        match self.open().get(&id) {
            Some(cancel) => {
                cancel.send_replace(true);
                true
            }
            None => false,
        }
    }

    /// Waits until there is none.
    pub(super) async fn all_answered(&self) {
        while self.count() > 0 {
            // One task waits here, and a permit is kept if it does not yet.
            self.answered.notified().await;
        }
    }
}

impl Responder {
    /// The id that the client gave to the request.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Sends a notice. A client that does not read is cut off when too much waits for it; whoever
    /// has many notices waits for [`has_room`](Self::has_room) in between.
    ///
    /// # Errors
    /// [`Gone`].
    pub fn note(&self, note: &Note) -> Result<(), Gone> {
        if self.is_cancelled() {
            return Err(Gone);
        }
        let line = line::note(self.id, note).map_err(|_| Gone)?;
        if self.outbox.put(line) {
            Ok(())
        } else {
            Err(Gone)
        }
    }

    /// Bytes that wait for the client to read them, of this request and all else.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.outbox.waiting()
    }

    /// Waits until much more may be sent without the client being cut off.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn has_room(&self) -> Result<(), Gone> {
        tokio::select! {
            () = self.cancelled() => return Err(Gone),
            () = self.outbox.has_room() => {}
        }
        if self.is_cancelled() {
            Err(Gone)
        } else {
            Ok(())
        }
    }

    /// Whether nobody waits for it any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow() || self.cancelled.has_changed().is_err()
    }

    /// Waits until nobody waits for it any more.
    pub async fn cancelled(&self) {
        let mut cancelled = self.cancelled.clone();
        // An error says that the connection is gone.
        let _ = cancelled.wait_for(|cancelled| *cancelled).await;
    }

    /// Sends the reply.
    pub fn finish(mut self, outcome: Result<impl Into<Answer>, Failure>) {
        self.answer(outcome.map(Into::into));
    }

    fn answer(&mut self, outcome: Result<Answer, Failure>) {
        self.finished = true;
        let line = line::reply(self.id, &outcome).or_else(|error| {
            let failure = Failure::new(
                ErrorCode::Failed,
                format!("the answer cannot be written as JSON: {error}"),
            );
            line::reply(self.id, &Err(failure))
        });
        if let Ok(line) = line {
            self.outbox.put(line);
        }
        if let Some(requests) = self.requests.upgrade() {
            requests.open().remove(&self.id);
            requests.answered.notify_one();
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if !self.finished {
            self.answer(Err(Failure::new(
                ErrorCode::Failed,
                "the daemon gave this request up without an answer",
            )));
        }
    }
}
