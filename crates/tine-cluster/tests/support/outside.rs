//! Whoever starts processes for a primary that must not.

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use tine_cluster::primary::{Launch, Primary, WorkerId};
use tine_sys::reap::{ExitStatus, wait_pidfd};

/// Processes that this test has started or adopted. Killed when the test ends.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    alive: BTreeMap<WorkerId, OwnedFd>,
}

impl Outside {
    pub(crate) fn start(&mut self, primary: &mut Primary, launch: Launch) -> WorkerId {
        let birth = primary.prepare(launch).unwrap();
        let child = tine_sys::spawn::spawn(&birth.spawn()).unwrap();
        let before = primary.revision();
        let worker = primary.born(birth, child.pid, None).unwrap();
        assert_ne!(primary.revision(), before);
        self.alive.insert(worker, child.pidfd);
        worker
    }

    /// A child of this process whose pidfd is not known yet.
    pub(crate) fn adopt(&mut self, worker: WorkerId, pid: Pid) {
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        self.alive.insert(worker, pidfd);
    }

    /// Tells the primary of all that have ended.
    pub(crate) fn tell_ends(&mut self, primary: &mut Primary) {
        self.alive.retain(|worker, pidfd| {
            let ended: Option<ExitStatus> = wait_pidfd(pidfd.as_fd()).unwrap();
            if let Some(status) = ended {
                primary.ended(*worker, status);
            }
            ended.is_none()
        });
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        for pidfd in self.alive.values() {
            let _ = tine_sys::tree::signal_pidfd(pidfd.as_fd(), 9);
            let _ = rustix::process::waitid(
                rustix::process::WaitId::PidFd(pidfd.as_fd()),
                rustix::process::WaitIdOptions::EXITED,
            );
        }
    }
}
