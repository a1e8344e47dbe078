//! Who gets the next connection that the primary accepted?

use super::holders::Holders;
use super::worker::WorkerId;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tine_ipc::encode::NativeKind;
use tine_rules::Millis;
use tine_rules::balance::{Order, Rotation};

/// After running out of descriptors or memory, accepting is tried again this much later.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// While it goes on failing, that is said again this much later.
const COMPLAIN_AGAIN: Duration = Duration::from_secs(10);

/// What is to be done with the next connection.
#[derive(Debug)]
pub(super) enum Next {
    /// There is none, or nobody for it.
    Nothing,
    /// What each worker holds was counted, which may have taken long. Ask again.
    Counted,
    /// The worker gets it.
    Give(WorkerId, Arc<OwnedFd>),
}

/// Connections in the primary's hands and the workers that take them.
#[derive(Debug)]
pub(super) struct Passing {
    /// Where connections come from. `None`: only from [`Self::take_back`].
    listener: Option<OwnedFd>,
    /// There may be something to accept.
    ready: bool,
    pub(super) rotation: Rotation<WorkerId>,
    /// For the order of the fewest connections.
    pub(super) holders: Holders,
    /// Accepted, and not with any worker: refused by one, or left by a dead one.
    waiting: VecDeque<Arc<OwnedFd>>,
    /// Accepting failed for want of descriptors: not before.
    accept_after: Option<Millis>,
    /// Why accepting failed, until it has been told.
    complaint: Option<io::Error>,
    complained: Option<Millis>,
    pub(super) kind: NativeKind,
    /// The key as a JSON text.
    pub(super) key_json: String,
}

impl Passing {
    pub(super) fn new(
        key: &str,
        listener: Option<OwnedFd>,
        kind: NativeKind,
        order: Order,
    ) -> Self {
        Self {
            listener,
            ready: true,
            rotation: Rotation::with_order(order),
            holders: Holders::default(),
            waiting: VecDeque::new(),
            accept_after: None,
            complaint: None,
            complained: None,
            kind,
            // A text always has a JSON form.
            key_json: serde_json::to_string(key).unwrap_or_default(),
        }
    }

    /// The kernel says that there is something to accept.
    pub(super) fn listener_is_ready(&mut self) {
        self.ready = true;
    }

    pub(super) fn listener(&self) -> Option<&OwnedFd> {
        self.listener.as_ref()
    }

    /// Puts a connection back in front: it has waited longest.
    pub(super) fn take_back(&mut self, connection: Arc<OwnedFd>) {
        self.waiting.push_front(connection);
    }

    /// What waits for a worker to be free, longest first.
    pub(super) fn in_hand(&self) -> impl Iterator<Item = &Arc<OwnedFd>> {
        self.waiting.iter()
    }

    /// Connections that wait for a worker to be free.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The next connection and the worker that gets it. Accepts only when a worker is free: what
    /// waits, waits in the kernel.
    pub(super) fn next(&mut self, now: Millis) -> Next {
        if !self.rotation.anyone_free(now) {
            return Next::Nothing;
        }
        let accepted = self.waiting.pop_front();
        let Some(connection) = accepted.or_else(|| self.accept(now).map(Arc::new)) else {
            return Next::Nothing;
        };
        let overgrown = self.rotation.order() == Order::Least && self.holders.is_overgrown();
        if overgrown || self.rotation.needs_count(now) {
            self.take_back(connection);
            self.count(now);
            return Next::Counted;
        }
        match self.rotation.next(now) {
            Some(worker) => Next::Give(worker, connection),
            None => {
                self.take_back(connection);
                Next::Nothing
            }
        }
    }

    fn count(&mut self, now: Millis) {
        let Some(listener) = &self.listener else {
            return;
        };
        let began = Instant::now();
        let counted = self.holders.count(listener.as_fd(), &mut self.rotation);
        let cost = began.elapsed();
        self.rotation.counted(now.plus(cost), cost);
        if let Err(error) = counted
            && error.kind() != io::ErrorKind::Interrupted
        {
            // Never counted is worse than not looked at.
            self.rotation.set_order(Order::Turns);
        }
    }

    /// A worker has taken a connection.
    pub(super) fn taken(&mut self, worker: WorkerId, connection: &OwnedFd) {
        if self.rotation.order() == Order::Least {
            self.holders.taken(connection.as_fd(), worker);
        }
    }

    fn accept(&mut self, now: Millis) -> Option<OwnedFd> {
        if !self.ready || self.accept_after.is_some_and(|after| now < after) {
            return None;
        }
        self.accept_after = None;
        let listener = self.listener.as_ref()?;
        loop {
            match tine_sys::socket::accept(listener.as_fd()) {
                Ok(Some(connection)) => return Some(connection),
                Ok(None) => {
                    self.ready = false;
                    return None;
                }
                Err(error) => {
                    let code = error.raw_os_error();
                    let is = |errno: Errno| code == Some(errno.raw_os_error());
                    if is(Errno::CONNABORTED) || is(Errno::INTR) || is(Errno::PROTO) {
                        continue;
                    }
                    // EMFILE, ENFILE, ENOBUFS, ENOMEM: the connection stays in the backlog.
                    self.accept_after = Some(now.plus(ACCEPT_AGAIN));
                    if self
                        .complained
                        .is_none_or(|last| now.since(last) >= COMPLAIN_AGAIN)
                    {
                        self.complained = Some(now);
                        self.complaint = Some(error);
                    }
                    return None;
                }
            }
        }
    }

    /// Why nothing can be accepted, if that has not been told yet.
    pub(super) fn take_complaint(&mut self) -> Option<io::Error> {
        self.complaint.take()
    }

    /// When to try again although nothing has been heard. Always later than `now`.
    pub(super) fn next_wakeup(&self, now: Millis) -> Option<Millis> {
        if !self.ready && self.waiting.is_empty() {
            return None;
        }
        let aside = self.rotation.next_wakeup(now);
        match (aside, self.accept_after.filter(|after| *after > now)) {
            (Some(aside), Some(accept)) => Some(aside.min(accept)),
            (one, other) => one.or(other),
        }
    }
}
