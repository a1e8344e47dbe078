//! Ended children are named once, in any order, and reaped one at a time. A test binary of its
//! own: `peek_any` sees the children of all tests.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod common;

use common::{command, shell, wait_readable};
use std::os::fd::AsFd;
use tine_sys::reap::{ExitStatus, peek_any, wait_pid, wait_pidfd};
use tine_sys::spawn::spawn;
use tine_sys::tree::{signal, signal_pidfd};

#[test]
fn children_are_named_when_they_end_and_reaped_once() {
    assert_eq!(peek_any().unwrap(), None, "there are no children");
    let sleeper = common::Ends(spawn(&command("/bin/sleep", &["600"])).unwrap());
    assert_eq!(peek_any().unwrap(), None, "none has ended");
    assert_eq!(wait_pid(sleeper.0.pid).unwrap(), None);
    assert_eq!(wait_pidfd(sleeper.0.pidfd.as_fd()).unwrap(), None);

    let coded = spawn(&shell("exit 3")).unwrap();
    wait_readable(coded.pidfd.as_fd(), "exit 3");
    assert_eq!(peek_any().unwrap(), Some(coded.pid));
    assert_eq!(
        peek_any().unwrap(),
        Some(coded.pid),
        "looking does not reap"
    );
    assert_eq!(wait_pid(coded.pid).unwrap(), Some(ExitStatus::Code(3)));
    let again = wait_pid(coded.pid).unwrap_err();
    assert_eq!(again.raw_os_error(), Some(libc::ECHILD));
    assert_eq!(peek_any().unwrap(), None);
    let gone = signal_pidfd(coded.pidfd.as_fd(), 0).unwrap_err();
    assert_eq!(gone.raw_os_error(), Some(libc::ESRCH));

    signal(sleeper.0.pid, 0).unwrap();
    signal(sleeper.0.pid, libc::SIGTERM).unwrap();
    wait_readable(sleeper.0.pidfd.as_fd(), "SIGTERM");
    assert_eq!(peek_any().unwrap(), Some(sleeper.0.pid));
    let ended = wait_pidfd(sleeper.0.pidfd.as_fd()).unwrap();
    assert_eq!(
        ended,
        Some(ExitStatus::Signal {
            signal: libc::SIGTERM,
            core_dumped: false
        })
    );
}
