//! When is this process to leave, and how does it?

use super::Worker;
use super::shared::Shared;
use super::state::State;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why a worker is to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The primary has asked it to.
    Disconnect,
    /// The primary is gone, or has closed the channel without a word.
    PrimaryGone,
    /// SIGINT has come.
    Interrupt,
    /// SIGTERM has come.
    Terminate,
    /// The program itself has called [`Worker::disconnect`] or [`Worker::close`].
    OwnWish,
}

impl Worker {
    /// Resolves when this process is to leave: the primary asks it to, the primary is gone, or
    /// SIGINT or SIGTERM has come since the first call. May be awaited by several at once, and again
    /// and again: what has come is not forgotten.
    ///
    /// A program that has called this once leaves by its own means: stop accepting, drop the
    /// listeners, answer what has begun, return from `main`. Its SIGINT and SIGTERM do not end it
    /// any more, from the first call on. With axum, hyper and tonic:
    ///
    /// ```no_run
    /// # #[cfg(feature = "axum")]
    /// # async fn serve(
    /// #     worker: tine_cluster::worker::Worker,
    /// #     listener: tine_cluster::worker::Listener,
    /// #     app: axum::Router,
    /// # ) -> std::io::Result<()> {
    /// axum::serve(listener, app).with_graceful_shutdown(worker.shutdown()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// From the moment that there is a reason, [accept](super::Listener::accept) gives no more
    /// connections: those that wait go to other workers. This resolves when something has been read
    /// from every TCP connection that was accepted before, after one second at the latest. hyper, and
    /// so axum, closes connections from which nothing has been read when it shuts down: a client
    /// that has just connected would get no answer. Linux tells who has been read from; elsewhere
    /// this resolves at once. On unix sockets the server itself has to take care.
    ///
    /// For a program that never calls this, a request of the primary to leave closes the listeners
    /// (their `accept` fails), and the end of the primary is a SIGTERM: as a Node worker it does
    /// not outlive its primary.
    ///
    /// # Panics
    /// When the tokio runtime of [`from_env`](Self::from_env) has no IO enabled.
    pub fn shutdown(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        if !std::mem::replace(&mut self.shared.lock().shutdown_asked, true) {
            prepare(&self.shared);
        }
        let mut all_begun = self.shared.all_begun.subscribe();
        let shared = self.shared.clone();
        async move {
            // The sender lives as long as `shared`.
            let _ = all_begun.wait_for(|all| *all).await;
            drop(shared);
        }
    }

    /// Why this process is to leave; `None` as long as it is not. The first reason stays.
    #[must_use]
    pub fn shutdown_reason(&self) -> Option<Reason> {
        *self.shared.reason.borrow()
    }

    /// Lets this process live on when the primary is gone, also if it never calls
    /// [`shutdown`](Self::shutdown). It then serves on what is its own: connections that the primary
    /// passed on come no more.
    pub fn outlive_primary(&self) {
        self.shared.lock().outlive = true;
    }

    /// Leaves the cluster, as `cluster.worker.disconnect()` of Node does, in the same order: every
    /// listener is closed and the primary told so, what waits unaccepted goes back to it; the
    /// primary hears that the end to come is meant (`exitedAfterDisconnect`) and says that it has
    /// heard; then the channel closes, and this resolves. The process lives on.
    ///
    /// [`shutdown`](Self::shutdown) resolves too. Calling this twice, or when the channel is closed,
    /// does no harm. Dropping the future cancels nothing, once it has been polled.
    pub async fn disconnect(&self) {
        let mut closed = self.shared.closed.subscribe();
        self.shared.with(super::state::State::leave);
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// Closes the channel as soon as what has been sent is written and the handles among it are
    /// acknowledged, as `process.disconnect()` of Node does. The primary does not take the end of
    /// this process for one that was meant. The process lives on.
    pub async fn close(&self) {
        let mut closed = self.shared.closed.subscribe();
        self.shared.with(super::state::State::close_when_said);
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// Whether the channel to the primary is open.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared.lock().socket.is_some()
    }

    /// Whether the end of this worker is meant: `None` as long as nobody has decided, `Some(true)`
    /// once the primary or this process has asked for a disconnect, `Some(false)` when the channel
    /// has closed without.
    #[must_use]
    pub fn exited_after_disconnect(&self) -> Option<bool> {
        self.shared.lock().exited_after_disconnect()
    }
}

/// From now on SIGINT and SIGTERM do not end this process, but ask it to leave.
fn prepare(shared: &Arc<Shared>) {
    use tokio::signal::unix::{SignalKind, signal};
    let _inside = shared.runtime.enter();
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    let telling = Telling(shared.clone());
    shared.runtime.spawn(async move {
        let shared = &telling.0;
        let mut reason = shared.reason.subscribe();
        let signalled = async {
            let [Ok(mut interrupt), Ok(mut terminate)] = signals else {
                return std::future::pending().await;
            };
            tokio::select! {
                _ = interrupt.recv() => Reason::Interrupt,
                _ = terminate.recv() => Reason::Terminate,
            }
        };
        tokio::select! {
            reason = signalled => shared.with(|state| state.is_to_leave(reason)),
            _ = reason.wait_for(Option::is_some) => {}
        }
        // If the reason was there before the program asked for it.
        shared.with(State::give_up_passed);
        until_all_have_begun(shared).await;
    });
}

/// Whoever waits for [`Worker::shutdown`] hears also when the runtime is shut down under its task.
struct Telling(Arc<Shared>);

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.with(|state| {
            // The first reason stays.
            state.is_to_leave(Reason::OwnWish);
            state.all_have_begun();
        });
        self.0.all_begun.send_replace(true);
    }
}

/// A client that has connected and says nothing for so long is idle.
const SILENCE: Duration = Duration::from_secs(1);
/// Between two looks: nobody tells when a connection is read from for the first time.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

async fn until_all_have_begun(shared: &Shared) {
    let ports = shared.lock().ports.clone();
    let unread = || tine_sys::connections::unread_at(&ports).is_ok_and(|unread| unread > 0);
    let end = Instant::now() + SILENCE;
    let mut pause = FIRST_PAUSE;
    while !ports.is_empty() && unread() && Instant::now() < end {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
