//! How does a worker process begin?

use super::launch::{ForkError, Launch};
use super::reactor::{INCOMING, Inner, Watched};
use super::worker::{Link, Worker, WorkerId};
use crate::claims::Claims;
use rustix::event::epoll;
use std::collections::{BTreeSet, VecDeque};
use std::os::fd::AsFd;
use tine_ipc::{Channel, Limits};
use tine_sys::spawn::Spawn;

impl Inner {
    pub(crate) fn fork(&mut self, launch: Launch) -> Result<WorkerId, ForkError> {
        let id = WorkerId(self.next_worker + 1);
        let strings = launch.strings(id.0)?;
        let limits = Limits::default().message(self.settings.message_limit);
        let channel = Channel::with(limits, launch.dialect, launch.serialization)?;
        let (ours, theirs) = tine_sys::socket::stream_pair().map_err(ForkError::Channel)?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(|e| ForkError::Channel(e.into()))?;
        let mut descriptors = Vec::with_capacity(4);
        for (fd, number) in [(&launch.stdin, 0), (&launch.stdout, 1), (&launch.stderr, 2)] {
            if let Some(fd) = fd {
                descriptors.push((fd.as_fd(), number));
            }
        }
        for (number, fd) in &launch.descriptors {
            descriptors.push((fd.as_fd(), *number));
        }
        if launch.has_channel() {
            descriptors.push((theirs.as_fd(), launch.channel_number));
        }
        let child = tine_sys::spawn::spawn(&Spawn {
            program: strings.program,
            argv: strings.arguments,
            env: strings.environment,
            cwd: strings.folder,
            fds: descriptors,
            new_session: false,
            new_group: launch.own_group,
            ordinary_scheduling: self.waits_its_turn,
            uid: launch.uid,
            gid: launch.gid,
            parent_death_signal: launch.parent_death_signal,
        })?;
        self.next_worker = id.0;
        let worker = Worker {
            pid: child.pid,
            pidfd: child.pidfd,
            seat: launch.seat,
            link: launch.has_channel().then(|| Link::new(ours, channel)),
            handles: BTreeSet::new(),
            handoffs: VecDeque::new(),
            replies: VecDeque::new(),
            sent_handles: BTreeSet::new(),
            claims: Claims::default(),
            online: false,
            disconnecting: false,
            exited_after_disconnect: false,
            status: None,
        };
        let watched = self.watch_worker(id, &worker);
        self.workers.insert(id, worker);
        if let Err(error) = watched {
            // It runs, but would never be heard: end it rather than lose it.
            if let Some(worker) = self.workers.remove(&id) {
                let _ = tine_sys::tree::signal_pidfd(worker.pidfd.as_fd(), 9);
            }
            return Err(ForkError::Channel(error.into()));
        }
        Ok(id)
    }

    /// Puts what a worker can be heard through into the epoll set.
    pub(super) fn watch_worker(&self, id: WorkerId, worker: &Worker) -> rustix::io::Result<()> {
        let reactor = &*self.reactor;
        let flags = epoll::EventFlags::IN;
        // Edge-triggered: the end of a traced process is told before it can be reaped, and again.
        let once = flags | epoll::EventFlags::ET;
        epoll::add(reactor, &worker.pidfd, Watched::Process(id).pack(), once)?;
        match &worker.link {
            Some(link) => epoll::add(reactor, &link.fd, Watched::Channel(id).pack(), INCOMING),
            None => Ok(()),
        }
    }
}
