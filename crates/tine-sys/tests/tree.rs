//! Nobody who belongs to a worker is overlooked. One test only: it becomes a subreaper.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;

use common::{Ends, shell, until};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tine_sys::reap::{ExitStatus, wait_pid};
use tine_sys::spawn::spawn;
use tine_sys::tree::{become_subreaper, children_of_self, members, signal};

/// A tree that is ended with the test, also when it fails. Nothing else is a child of this test.
struct Tree(Ends);

impl Drop for Tree {
    fn drop(&mut self) {
        for pid in members(self.0.0.pid).into_iter().chain(children_of_self()) {
            let _ = signal(pid, libc::SIGKILL);
        }
    }
}

#[test]
fn orphans_and_those_who_left_the_session_are_found_and_adopted() {
    become_subreaper().unwrap();
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    // One that forked twice and stayed in the session; one that left it, but has its parent.
    let mut request = shell(
        "(sleep 600 & echo $!) 2>&1\n\
         setsid sleep 600 & echo $!\n\
         echo $$; wait",
    );
    request.new_session = true;
    request.fds = vec![(write.as_fd(), 1)];
    let tree = Tree(Ends(spawn(&request).unwrap()));
    let leader = tree.0.0.pid;
    drop(write);
    let mut lines = BufReader::new(File::from(read)).lines();
    let mut number = || {
        let line = lines.next().unwrap().unwrap();
        Pid::from_raw(line.parse().unwrap()).unwrap()
    };
    let (orphan, departed, itself) = (number(), number(), number());
    assert_eq!(itself, leader);
    let session = |pid: Pid| rustix::process::getsid(Some(pid)).unwrap();
    until("the departed one's own session", || {
        session(departed) == departed
    });
    // Its parent, the inner shell, has ended, so it is ours now.
    until("the orphan's adoption", || {
        children_of_self().contains(&orphan)
    });
    assert_eq!(session(orphan), leader);

    let mut found = members(leader);
    found.sort_unstable_by_key(|pid| pid.as_raw_pid());
    let mut expected = vec![orphan, departed, itself];
    expected.sort_unstable_by_key(|pid| pid.as_raw_pid());
    assert_eq!(found, expected);
    assert!(members(departed).contains(&departed));
    assert!(!members(departed).contains(&orphan));

    for pid in found {
        signal(pid, libc::SIGKILL).unwrap();
    }
    until("the end of the whole tree", || members(leader).is_empty());
    // Ended but not reaped: no longer counted.
    until("the adoption of the departed one", || {
        wait_pid(departed).is_ok_and(|s| s.is_some())
    });
    assert!(!children_of_self().contains(&orphan));
    let killed = Some(ExitStatus::Signal {
        signal: libc::SIGKILL,
        core_dumped: false,
    });
    assert_eq!(wait_pid(orphan).unwrap(), killed);
    assert!(pidfd_open(orphan, PidfdFlags::empty()).is_err());
}
