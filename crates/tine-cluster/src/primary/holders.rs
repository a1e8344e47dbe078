//! Which of the connections that were passed on does each worker still hold?
//!
//! Nothing on the wire tells when a worker closes a connection. The kernel does: every connection
//! has a number of its own (`SO_COOKIE`), and a list of those that a process still holds can be
//! asked for. It is asked only when a connection is about to be given and the answer can matter.

use super::worker::WorkerId;
use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;
use tine_rules::balance::Rotation;

/// Who took which connection, by its number.
#[derive(Debug, Default)]
pub(super) struct Holders {
    by_cookie: HashMap<u64, WorkerId>,
    /// How many there were at the last count.
    counted: usize,
}

/// So many more than twice those of the last count are counted for their number alone.
const SLACK: usize = 1024;

impl Holders {
    /// A worker has taken a connection that is still open here.
    pub(super) fn taken(&mut self, connection: BorrowedFd<'_>, worker: WorkerId) {
        // One that cannot be told apart is not counted: too few is better than for ever.
        if let Ok(cookie) = tine_sys::connections::cookie(connection) {
            self.by_cookie.insert(cookie, worker);
        }
    }

    /// Whether most of it must be connections that are closed, and nobody has asked for a count.
    pub(super) fn is_overgrown(&self) -> bool {
        self.by_cookie.len() > 2 * self.counted + SLACK
    }

    /// Counts what is still held and tells the rotation.
    pub(super) fn count(
        &mut self,
        listener: BorrowedFd<'_>,
        rotation: &mut Rotation<WorkerId>,
    ) -> io::Result<()> {
        // Also when it fails: not again before as many more have come.
        self.counted = self.by_cookie.len();
        let mut held = HashMap::with_capacity(self.by_cookie.len());
        for connection in tine_sys::connections::open_at_listener(listener)? {
            if connection.held
                && let Some(worker) = self.by_cookie.get(&connection.cookie)
            {
                held.insert(connection.cookie, *worker);
            }
        }
        self.counted = held.len();
        self.by_cookie = held;
        let mut counts: HashMap<WorkerId, usize> = HashMap::new();
        for worker in self.by_cookie.values() {
            *counts.entry(*worker).or_default() += 1;
        }
        let workers: Vec<WorkerId> = rotation.workers().collect();
        for worker in workers {
            rotation.set_held(worker, counts.get(&worker).copied().unwrap_or(0));
        }
        Ok(())
    }

    /// The numbers and who has them, to be handed over.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, WorkerId)> {
        self.by_cookie
            .iter()
            .map(|(cookie, worker)| (*cookie, *worker))
    }

    pub(super) fn of(all: impl IntoIterator<Item = (u64, WorkerId)>) -> Self {
        Self {
            by_cookie: all.into_iter().collect(),
            counted: 0,
        }
    }
}
