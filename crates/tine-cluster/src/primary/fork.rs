//! How does a worker process begin?

use super::launch::{ForkError, Launch};
use super::reactor::{INCOMING, Inner, Watched};
use super::worker::{Process, Worker, WorkerId};
use rustix::event::epoll;

impl Inner {
    pub(crate) fn fork(&mut self, launch: Launch) -> Result<WorkerId, ForkError> {
        let before = self.next_worker;
        let birth = self.prepare(launch)?;
        match tine_sys::spawn::spawn(&birth.spawn()) {
            Ok(child) => self.born(birth, child.pid, Process::Child(child.pidfd)),
            Err(error) => {
                self.next_worker = before;
                Err(error.into())
            }
        }
    }

    /// Puts what a worker can be heard through into the epoll set.
    pub(super) fn watch_worker(&self, id: WorkerId, worker: &Worker) -> rustix::io::Result<()> {
        let reactor = &*self.reactor;
        let flags = epoll::EventFlags::IN;
        if let Process::Child(pidfd) = &worker.process {
            // Edge-triggered: the end of a traced process is told before it can be reaped, and
            // again.
            let once = flags | epoll::EventFlags::ET;
            epoll::add(reactor, pidfd, Watched::Process(id).pack(), once)?;
        }
        match &worker.link {
            Some(link) => epoll::add(reactor, &link.fd, Watched::Channel(id).pack(), INCOMING),
            None => Ok(()),
        }
    }
}
