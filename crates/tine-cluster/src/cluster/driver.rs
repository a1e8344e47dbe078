//! Who does the work of a cluster? One task, which waits for what comes from outside.

use super::state::{Shared, State};
use crate::primary::Inner;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// Starts the task. It ends when the cluster is closed.
pub(super) fn start(shared: Arc<Shared>, reactor: AsyncFd<Arc<OwnedFd>>) {
    let ending = Ending(shared);
    tokio::spawn(async move {
        // Whatever ends it: without it no event could come, so better closed than deaf.
        let _ = drive(&ending.0, &reactor).await;
    });
}

/// Closes the cluster with its driver, also when the runtime is shut down under it.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.with(State::close);
    }
}

async fn drive(shared: &Arc<Shared>, reactor: &AsyncFd<Arc<OwnedFd>>) -> io::Result<()> {
    loop {
        let (due, more) = {
            let state = shared.lock();
            let Some(inner) = &state.inner else {
                return Ok(());
            };
            let due = inner.due;
            let due = due.map(|due| inner.zero + Duration::from_millis(due.0));
            (due, inner.has_more())
        };
        if more {
            // Others first, if this has been going on for long.
            tokio::task::coop::consume_budget().await;
            shared.with(turn)?;
            continue;
        }
        let ready = async {
            let Some(due) = due else {
                return reactor.readable().await.map(Some);
            };
            match tokio::time::timeout_at(due.into(), reactor.readable()).await {
                Ok(guard) => guard.map(Some),
                Err(_elapsed) => Ok(None),
            }
        };
        let guard = tokio::select! {
            ready = ready => ready?,
            () = shared.poke.notified() => None,
        };
        let Some(mut guard) = guard else {
            // Something is due, or the cluster is closed.
            shared.with(|_| ());
            continue;
        };
        if !shared.with(turn)? {
            guard.clear_ready();
        }
    }
}

fn turn(state: &mut State) -> io::Result<bool> {
    state.inner.as_mut().map_or(Ok(false), Inner::turn)
}
