//! How do the program's threads and the channel's task share one channel? By one lock.

use super::shutdown::Reason;
use super::state::State;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use tine_ipc::Serialization;
use tokio::sync::watch;

/// What all clones of a `Worker`, its listeners and its task have in common.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) id: Option<u32>,
    pub(super) serialization: Serialization,
    /// Where the channel's task runs.
    pub(super) runtime: tokio::runtime::Handle,
    /// Why this process is to leave, once it is.
    pub(super) reason: watch::Sender<Option<Reason>>,
    pub(super) closed: watch::Sender<bool>,
    /// What `Worker::shutdown` waits for.
    pub(super) all_begun: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new(
        state: State,
        id: Option<u32>,
        serialization: Serialization,
        runtime: tokio::runtime::Handle,
    ) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(state),
            id,
            serialization,
            runtime,
            reason: watch::Sender::new(None),
            closed: watch::Sender::new(false),
            all_begun: watch::Sender::new(false),
        })
    }

    /// Changes the state and writes what is to be written, without a hop to another task. Whoever
    /// waits for what has changed is woken after the lock is given back.
    pub(super) fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        state.flush();
        state.call_task_if_needed();
        self.give_back(state);
        result
    }

    /// For a look, or by the task, which flushes itself.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No code of the program runs under the lock, and ours leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unlocks, and tells those who wait what has happened.
    pub(super) fn give_back(&self, mut state: MutexGuard<'_, State>) {
        let wakes = std::mem::take(&mut state.wakes);
        let reason = state.reason.take();
        let closed = state.socket.is_none();
        let must_end_itself = std::mem::take(&mut state.must_end_itself);
        drop(state);
        wakes.into_iter().for_each(Waker::wake);
        if let Some(reason) = reason {
            self.announce(reason);
        }
        if closed {
            self.closed.send_if_modified(|known| {
                let is_news = !*known;
                *known = true;
                is_news
            });
        }
        if must_end_itself {
            let own = rustix::process::getpid();
            // Fails only for a signal that does not exist.
            let _ = rustix::process::kill_process(own, rustix::process::Signal::TERM);
        }
    }

    /// The first reason stays.
    fn announce(&self, reason: Reason) {
        self.reason.send_if_modified(|known| {
            let is_news = known.is_none();
            known.get_or_insert(reason);
            is_news
        });
    }
}
