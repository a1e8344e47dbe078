//! Who does the work of a cluster? One task, which waits for what comes from outside.

use super::state::Shared;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// Starts the task. It ends when the cluster is closed.
pub(super) fn start(shared: Arc<Shared>, reactor: AsyncFd<Arc<OwnedFd>>) {
    tokio::spawn(async move {
        let failed = drive(&shared, &reactor).await.is_err();
        // No event can come any more: better closed than deaf.
        if failed {
            shared.with(super::state::State::close);
        }
    });
}

async fn drive(shared: &Arc<Shared>, reactor: &AsyncFd<Arc<OwnedFd>>) -> io::Result<()> {
    loop {
        let due = {
            let state = shared.lock();
            let Some(inner) = &state.inner else {
                return Ok(());
            };
            inner.due.map(|due| inner.zero + Duration::from_millis(due.0))
        };
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
        let taken = shared.with(|state| match &mut state.inner {
            Some(inner) if guard.is_some() => inner.turn(),
            _ => Ok(1),
        })?;
        if taken == 0
            && let Some(mut guard) = guard
        {
            guard.clear_ready();
        }
    }
}
