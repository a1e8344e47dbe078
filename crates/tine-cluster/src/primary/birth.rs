//! What must be known to start a worker's process?

use super::launch::{ForkError, Launch, Seat};
use super::reactor::Inner;
use super::worker::{Link, Process, Worker, WorkerId};
use crate::claims::Claims;
use rustix::process::Pid;
use std::collections::{BTreeSet, VecDeque};
use std::ffi::CString;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use tine_ipc::{Channel, Limits};
use tine_sys::spawn::Spawn;

/// A worker that is about to be born: everything that somebody else needs to start its process. Made
/// by [`Primary::prepare`](super::Primary::prepare), ended by [`Primary::born`](super::Primary::born);
/// dropped instead, nothing is left of it.
///
/// The texts and numbers are only for whoever starts the process, who may change or take them.
pub struct Birth {
    id: WorkerId,
    /// The executable, as a path that needs no search.
    pub program: CString,
    /// All arguments, the first being the name of the program.
    pub argv: Vec<CString>,
    /// The whole environment, the variables of the channel included.
    pub env: Vec<CString>,
    /// The working folder; `None` for that of who starts it.
    pub cwd: Option<CString>,
    /// The user to become.
    pub uid: Option<u32>,
    /// The group to become.
    pub gid: Option<u32>,
    /// Whether it leads a process group of its own.
    pub new_group: bool,
    /// Whether it runs under the ordinary scheduling policy, whatever that of who starts it.
    pub ordinary_scheduling: bool,
    /// A signal that it gets when the thread that started it ends.
    pub parent_death_signal: Option<i32>,
    seat: Seat,
    descriptors: Vec<(OwnedFd, i32)>,
    link: Option<Link>,
}

/// Without the environment, which may hold secrets.
impl fmt::Debug for Birth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Birth")
            .field("id", &self.id)
            .field("program", &self.program)
            .field("argv", &self.argv)
            .field("cwd", &self.cwd)
            .field("seat", &self.seat)
            .finish_non_exhaustive()
    }
}

impl Birth {
    /// The number that the worker will have.
    #[must_use]
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// The place that it will take.
    #[must_use]
    pub fn seat(&self) -> Seat {
        self.seat
    }

    /// Its descriptors, and the number of each in the new process. Of 0, 1 and 2, what is not here
    /// is that of who starts it.
    #[must_use]
    pub fn fds(&self) -> Vec<(BorrowedFd<'_>, i32)> {
        let all = self.descriptors.iter();
        all.map(|(fd, number)| (fd.as_fd(), *number)).collect()
    }

    /// All of it, to be started by this process.
    #[must_use]
    pub fn spawn(&self) -> Spawn<'_> {
        Spawn {
            argv: self.argv.clone(),
            env: self.env.clone(),
            cwd: self.cwd.clone(),
            fds: self.fds(),
            new_group: self.new_group,
            ordinary_scheduling: self.ordinary_scheduling,
            uid: self.uid,
            gid: self.gid,
            parent_death_signal: self.parent_death_signal,
            ..Spawn::new(self.program.clone())
        }
    }
}

impl Inner {
    /// Allots a number, makes the channel and the texts.
    pub(super) fn prepare(&mut self, launch: Launch) -> Result<Birth, ForkError> {
        let id = WorkerId(self.next_worker + 1);
        let strings = launch.strings(id.0)?;
        let limits = Limits::default().message(self.settings.message_limit);
        let channel = Channel::with(limits, launch.dialect, launch.serialization)?;
        let has_channel = launch.has_channel();
        let mut descriptors = Vec::with_capacity(4 + launch.descriptors.len());
        for (fd, number) in [(launch.stdin, 0), (launch.stdout, 1), (launch.stderr, 2)] {
            descriptors.extend(fd.map(|fd| (fd, number)));
        }
        let more = launch.descriptors.into_iter();
        descriptors.extend(more.map(|(number, fd)| (fd, number)));
        let mut link = None;
        if has_channel {
            let (ours, theirs) = tine_sys::socket::stream_pair().map_err(ForkError::Channel)?;
            rustix::io::ioctl_fionbio(&ours, true).map_err(|e| ForkError::Channel(e.into()))?;
            descriptors.push((theirs, launch.channel_number));
            link = Some(Link::new(ours, channel));
        }
        self.next_worker = id.0;
        self.changed();
        Ok(Birth {
            id,
            program: strings.program,
            argv: strings.arguments,
            env: strings.environment,
            cwd: strings.folder,
            uid: launch.uid,
            gid: launch.gid,
            new_group: launch.own_group,
            ordinary_scheduling: self.waits_its_turn,
            parent_death_signal: launch.parent_death_signal,
            seat: launch.seat,
            descriptors,
            link,
        })
    }

    /// Enters a worker whose process has begun.
    pub(super) fn born(
        &mut self,
        birth: Birth,
        pid: Pid,
        process: Process,
    ) -> Result<WorkerId, ForkError> {
        let id = birth.id;
        let worker = Worker {
            pid,
            process,
            seat: birth.seat,
            link: birth.link,
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
        if let Err(error) = self.watch_worker(id, &worker) {
            // It runs, but would never be heard: end it rather than lose it.
            if let Some(pidfd) = worker.process.pidfd() {
                let _ = tine_sys::tree::signal_pidfd(pidfd, 9);
            }
            return Err(ForkError::Channel(error.into()));
        }
        self.workers.insert(id, worker);
        self.changed();
        Ok(id)
    }
}
