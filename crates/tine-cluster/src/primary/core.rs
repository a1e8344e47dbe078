//! What can be asked of a primary?

use super::birth::Birth;
use super::event::{Event, ListeningAddress};
use super::launch::{ForkError, Launch, Seat};
use super::policy::{Settings, Sharing};
use super::reactor::Inner;
use super::worker::{Process, WorkerId};
use rustix::event::epoll;
use rustix::process::Pid;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tine_ipc::{Body, BodyError, Mark};
use tine_sys::reap::ExitStatus;
use tokio::io::unix::AsyncFd;

/// A cluster's primary.
///
/// This is the machine under [`Cluster`](crate::Cluster), for programs that drive it themselves:
/// it knows numbers where a `Cluster` has objects, and waits for nobody.
///
/// It does its work inside [`next_event`](Self::next_event): keep calling it, also when the
/// events are of no interest. It needs a tokio runtime with IO and time enabled.
///
/// Dropping it closes all channels and listening sockets; Node workers leave when their channel
/// closes. It kills nobody.
#[derive(Debug)]
pub struct Primary {
    reactor: AsyncFd<Arc<OwnedFd>>,
    pub(super) inner: Inner,
    /// The revision that was last told, if it is to be told.
    pub(super) told: Option<u64>,
}

impl Primary {
    /// A primary without workers.
    ///
    /// # Errors
    /// When the kernel has no descriptor for it.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub fn new(settings: Settings) -> io::Result<Self> {
        let reactor = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        Ok(Self {
            reactor: watch(reactor.clone())?,
            inner: Inner::new(settings, reactor),
            told: None,
        })
    }

    /// Descriptors that workers may name in `listen({fd})`: those that this process was started
    /// with, by their numbers then.
    pub fn offer_descriptors(&mut self, inherited: BTreeMap<i32, OwnedFd>) {
        self.inner.inherited = inherited;
        self.inner.changed();
    }

    /// Starts a worker.
    ///
    /// # Errors
    /// When the process cannot be started. Nothing is left of the attempt.
    pub fn fork(&mut self, launch: Launch) -> Result<WorkerId, ForkError> {
        self.inner.fork(launch)
    }

    /// As [`fork`](Self::fork) when another process is to start the worker: everything that it has
    /// to know. When the process has begun, say so with [`born`](Self::born); if it could not be
    /// made, drop what this returns, and nothing is left of it but its number, which nobody gets again.
    ///
    /// # Errors
    /// When there can be no such worker.
    pub fn prepare(&mut self, launch: Launch) -> Result<Birth, ForkError> {
        self.inner.prepare(launch)
    }

    /// Enters a worker that another process has started. Its end has to be told with
    /// [`ended`](Self::ended): this process cannot wait for it. The pidfd is only for
    /// [`signal`](Self::signal).
    ///
    /// # Errors
    /// When it cannot be watched. Its channel is closed then, and it is killed if there is a pidfd.
    pub fn born(
        &mut self,
        birth: Birth,
        pid: Pid,
        pidfd: Option<OwnedFd>,
    ) -> Result<WorkerId, ForkError> {
        self.inner.born(birth, pid, Process::Told(pidfd))
    }

    /// Says that the process of a worker has ended which this primary does not wait for itself: one
    /// that was [`born`](Self::born), or is [restored](Self::restore). What it said before still
    /// counts, and the events are those of any worker. Nothing happens when the worker is not known.
    pub fn ended(&mut self, worker: WorkerId, status: ExitStatus) {
        self.inner.ended(worker, status);
        self.inner.work();
    }

    /// Waits for what happens next. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When the kernel refuses to tell what is ready, which no caller can mend.
    pub async fn next_event(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.inner.events.pop_front() {
                return Ok(event);
            }
            if self.has_changed() {
                return Ok(Event::Changed);
            }
            self.inner.work();
            if !self.inner.events.is_empty() || self.told.is_some_and(|it| it != self.revision()) {
                continue;
            }
            if self.inner.has_more() {
                tokio::task::coop::consume_budget().await;
                self.inner.turn()?;
                continue;
            }
            let mut guard = match self.inner.due {
                None => self.reactor.readable().await?,
                Some(wakeup) => {
                    let at = self.inner.zero + Duration::from_millis(wakeup.0);
                    match tokio::time::timeout_at(at.into(), self.reactor.readable()).await {
                        Ok(guard) => guard?,
                        // What is due is done at the head of the loop.
                        Err(_elapsed) => continue,
                    }
                }
            };
            if !self.inner.turn()? {
                guard.clear_ready();
            }
        }
    }

    /// Whether the facts have changed since that was last told.
    fn has_changed(&mut self) -> bool {
        let revision = self.inner.revision;
        match &mut self.told {
            Some(told) if *told != revision => {
                *told = revision;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Asks a worker to leave: to close its servers, then its channel. As in Node it is then an
    /// ordinary process that lives for as long as it has something to do.
    pub fn disconnect(&mut self, worker: WorkerId) {
        self.inner.disconnect(worker);
    }

    /// Sends a message to the worker's program. It is written when [`written`](Self::written) has
    /// come to the mark. `None` when the channel is closed.
    ///
    /// # Errors
    /// When it cannot be had in the channel's serialization.
    pub fn send(&mut self, worker: WorkerId, body: &Body) -> Result<Option<Mark>, BodyError> {
        let mark = self.inner.send(worker, body);
        self.inner.work();
        mark
    }

    /// How much of what was sent to a worker has been written. `None` when the channel is closed.
    #[must_use]
    pub fn written(&self, worker: WorkerId) -> Option<Mark> {
        self.inner.written(worker)
    }

    /// The process of a worker that has not been reported as ended.
    #[must_use]
    pub fn pid(&self, worker: WorkerId) -> Option<Pid> {
        self.inner.pid(worker)
    }

    /// The worker whose main process has this number, until its end has been reported.
    #[must_use]
    pub fn worker_of(&self, pid: Pid) -> Option<WorkerId> {
        self.inner
            .workers
            .iter()
            .find(|(_, worker)| worker.pid == pid)
            .map(|(id, _)| *id)
    }

    /// Sends a signal to a worker's main process: never to another one that got its number.
    ///
    /// # Errors
    /// When the kernel refuses it, or with [`io::ErrorKind::Unsupported`] when the process was started
    /// by another one and no pidfd came with it. A process that has ended is no error.
    pub fn signal(&self, worker: WorkerId, signal: i32) -> io::Result<()> {
        self.inner.signal(worker, signal)
    }

    /// Whether the worker's channel is open.
    #[must_use]
    pub fn is_connected(&self, worker: WorkerId) -> bool {
        self.inner.is_connected(worker)
    }

    /// Whether the worker's channel is being read: not while it leaves too many answers unread.
    /// `None` when it is closed.
    #[must_use]
    pub fn is_reading(&self, worker: WorkerId) -> Option<bool> {
        let link = self.inner.workers.get(&worker)?.link.as_ref()?;
        Some(link.may_be_read())
    }

    /// Says that no worker will come to this seat soon: what waits on the sockets left there goes to
    /// the workers that listen. While there are none, it waits for one.
    pub fn lend_seat(&mut self, seat: Seat) {
        self.inner.leave_seat(seat, false);
    }

    /// Says that no worker will come to this seat any more: as [`lend_seat`](Self::lend_seat), and
    /// with [`Policy::Sticky`](super::Policy::Sticky) its clients belong to other seats from now on.
    pub fn release_seat(&mut self, seat: Seat) {
        self.inner.leave_seat(seat, true);
    }

    /// Closes the listening sockets that no worker uses. For the moment when all seats are filled
    /// again after a worker has died.
    pub fn prune(&mut self) {
        self.inner.prune();
    }

    /// Where workers listen now, and how each address is shared.
    #[must_use]
    pub fn addresses(&self) -> Vec<(ListeningAddress, Sharing)> {
        self.inner.addresses()
    }

    /// Connections that the primary has accepted and no worker has taken.
    #[must_use]
    pub fn connections_in_hand(&mut self) -> usize {
        let waiting: usize = self
            .inner
            .handles
            .iter_mut()
            .filter_map(|(_, handle)| handle.passing().map(|passing| passing.waiting()))
            .sum();
        waiting
            + self
                .inner
                .workers
                .values()
                .map(|worker| worker.handoffs.len())
                .sum::<usize>()
    }
}

/// Registers the epoll set with tokio.
pub(crate) fn watch(reactor: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    // Deprecated because a type could change its descriptor while it is registered. An `OwnedFd`
    // cannot: it is one open file until it is dropped. The replacement is an unsafe function.
    #[allow(deprecated)]
    AsyncFd::with_interest(reactor, tokio::io::Interest::READABLE)
}
