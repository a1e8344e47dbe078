//! What can be asked of a primary?

use super::event::{Event, ListeningAddress};
use super::handle::Source;
use super::launch::{CHANNEL, ForkError, Launch, Seat};
use super::policy::{Settings, Sharing};
use super::reactor::{Inner, Watched};
use super::worker::{Link, Worker, WorkerId};
use rustix::event::epoll;
use rustix::process::Pid;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tine_ipc::{Channel, Limits};
use tine_sys::spawn::Spawn;
use tokio::io::unix::AsyncFd;

/// A cluster's primary.
///
/// It does its work inside [`next_event`](Self::next_event): keep calling it, also when the
/// events are of no interest. It needs a tokio runtime with IO and time enabled.
///
/// Dropping it closes all channels and listening sockets; Node workers leave when their channel
/// closes. It kills nobody.
#[derive(Debug)]
pub struct Primary {
    reactor: AsyncFd<Arc<OwnedFd>>,
    inner: Inner,
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
        })
    }

    /// Descriptors that workers may name in `listen({fd})`: those that this process was started
    /// with, by their numbers then.
    pub fn offer_descriptors(&mut self, inherited: BTreeMap<i32, OwnedFd>) {
        self.inner.inherited = inherited;
    }

    /// Starts a worker.
    ///
    /// # Errors
    /// When the process cannot be started. Nothing is left of the attempt.
    pub fn fork(&mut self, launch: Launch) -> Result<WorkerId, ForkError> {
        let id = WorkerId(self.inner.next_worker + 1);
        let strings = launch.strings(id.0)?;
        let (ours, theirs) = tine_sys::socket::stream_pair().map_err(ForkError::Channel)?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(|e| ForkError::Channel(e.into()))?;
        let mut descriptors = Vec::with_capacity(4);
        for (fd, number) in [(&launch.stdin, 0), (&launch.stdout, 1), (&launch.stderr, 2)] {
            if let Some(fd) = fd {
                descriptors.push((fd.as_fd(), number));
            }
        }
        if launch.has_channel() {
            descriptors.push((theirs.as_fd(), CHANNEL));
        }
        let child = tine_sys::spawn::spawn(&Spawn {
            program: strings.program,
            argv: strings.arguments,
            env: strings.environment,
            cwd: strings.folder,
            fds: descriptors,
            new_session: false,
            new_group: true,
            ordinary_scheduling: self.inner.waits_its_turn,
            uid: None,
            gid: None,
            parent_death_signal: launch.parent_death_signal,
        })?;
        self.inner.next_worker = id.0;
        let worker = Worker {
            pid: child.pid,
            pidfd: child.pidfd,
            seat: launch.seat,
            link: launch.has_channel().then(|| Link {
                fd: ours,
                channel: Channel::with_dialect(Limits::default(), launch.dialect),
                blocked: false,
                watched: epoll::EventFlags::IN,
            }),
            handles: BTreeSet::new(),
            handoffs: VecDeque::new(),
            replies: VecDeque::new(),
            online: false,
            disconnecting: false,
            exited_after_disconnect: false,
            status: None,
        };
        let reactor = &*self.inner.reactor;
        let flags = epoll::EventFlags::IN;
        // Edge-triggered: the end of a traced process is told before it can be reaped, and again.
        let once = flags | epoll::EventFlags::ET;
        let watched = epoll::add(reactor, &worker.pidfd, Watched::Process(id).pack(), once)
            .and_then(|()| match &worker.link {
                Some(link) => epoll::add(reactor, &link.fd, Watched::Channel(id).pack(), flags),
                None => Ok(()),
            });
        self.inner.workers.insert(id, worker);
        if let Err(error) = watched {
            // It runs, but would never be heard: end it rather than lose it.
            if let Some(worker) = self.inner.workers.remove(&id) {
                let _ = tine_sys::tree::signal_pidfd(worker.pidfd.as_fd(), 9);
            }
            return Err(ForkError::Channel(error.into()));
        }
        Ok(id)
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
            self.inner.work();
            if !self.inner.events.is_empty() {
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
            if self.inner.turn()? == 0 {
                guard.clear_ready();
            }
        }
    }

    /// Asks a worker to leave: to close its servers, then its channel. As in Node it is then an
    /// ordinary process that lives for as long as it has something to do.
    pub fn disconnect(&mut self, worker: WorkerId) {
        let seq = self.inner.seq();
        let Some(known) = self.inner.workers.get_mut(&worker) else {
            return;
        };
        known.exited_after_disconnect = true;
        let handles = known.handles.clone();
        if let Some(link) = &mut known.link
            && !known.disconnecting
        {
            link.channel
                .send_cluster(&tine_ipc::encode::disconnect(seq));
            self.inner.to_flush.insert(worker);
            known.disconnecting = true;
            // Nothing new is to reach it, from now on and not only when it has heard.
            for id in handles {
                match self
                    .inner
                    .handles
                    .get_mut(id)
                    .map(|handle| &mut handle.source)
                {
                    Some(Source::Passing { passing, .. }) => passing.rotation.remove(worker),
                    Some(Source::Group(group)) => group.leaving(worker),
                    Some(Source::Shared { .. }) | None => {}
                }
            }
        }
        self.inner.work();
    }

    /// Sends a message to the worker's program: one JSON text. `false` when its channel is
    /// closed.
    pub fn send(&mut self, worker: WorkerId, json: &str) -> bool {
        let Some(known) = self.inner.workers.get_mut(&worker) else {
            return false;
        };
        let Some(link) = &mut known.link else {
            return false;
        };
        link.channel.send_message(json);
        self.inner.to_flush.insert(worker);
        self.inner.work();
        true
    }

    /// The process of a worker that has not been reported as ended.
    #[must_use]
    pub fn pid(&self, worker: WorkerId) -> Option<Pid> {
        self.inner.workers.get(&worker).map(|worker| worker.pid)
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
    /// When the kernel refuses it. A process that has ended is no error.
    pub fn signal(&self, worker: WorkerId, signal: i32) -> io::Result<()> {
        let Some(known) = self.inner.workers.get(&worker) else {
            return Ok(());
        };
        tine_sys::tree::signal_pidfd(known.pidfd.as_fd(), signal)
    }

    /// Whether the worker's channel is open.
    #[must_use]
    pub fn is_connected(&self, worker: WorkerId) -> bool {
        self.inner
            .workers
            .get(&worker)
            .is_some_and(|worker| worker.link.is_some())
    }

    /// Whether the worker's channel is being read: not while it leaves too many answers unread.
    /// `None` when it is closed.
    #[must_use]
    pub fn is_reading(&self, worker: WorkerId) -> Option<bool> {
        let link = self.inner.workers.get(&worker)?.link.as_ref()?;
        Some(link.watched.contains(epoll::EventFlags::IN))
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
        for id in self.inner.handles.unused() {
            self.inner.close_handle(id);
        }
    }

    /// Where workers listen now, and how each address is shared.
    #[must_use]
    pub fn addresses(&self) -> Vec<(ListeningAddress, Sharing)> {
        self.inner
            .handles
            .values()
            .map(|handle| {
                let sharing = match &handle.source {
                    Source::Passing { .. } => Sharing::PassedOn,
                    Source::Shared { .. } => Sharing::OneSocket,
                    Source::Group(group) => Sharing::Kernel(group.report.clone()),
                };
                (handle.address.clone(), sharing)
            })
            .collect()
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
fn watch(reactor: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    // Deprecated because a type could change its descriptor while it is registered. An `OwnedFd`
    // cannot: it is one open file until it is dropped. The replacement is an unsafe function.
    #[allow(deprecated)]
    AsyncFd::with_interest(reactor, tokio::io::Interest::READABLE)
}
