//! What several of these tests need. Every wait has a deadline; every child is ended and reaped.

#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(dead_code, reason = "no test needs all of it")]

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tine_sys::reap::{ExitStatus, wait_pidfd};
use tine_sys::spawn::{Child, Spawn, spawn};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// `program` with `arguments`, nothing else.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Spawn<'static> {
    let mut request = Spawn::new(c(program));
    request
        .argv
        .extend(arguments.iter().map(|argument| c(argument)));
    request.env.push(c("PATH=/bin:/usr/bin"));
    request
}

/// `script` run by the shell.
pub(crate) fn shell(script: &str) -> Spawn<'static> {
    command("/bin/sh", &["-c", script])
}

/// What it wrote to standard output, and how it ended.
pub(crate) fn output(request: &Spawn<'_>) -> (String, ExitStatus) {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let mut request = request.clone();
    request.fds.push((write.as_fd(), 1));
    let child = spawn(&request).unwrap();
    drop(request);
    drop(write);
    let mut text = String::new();
    File::from(read).read_to_string(&mut text).unwrap();
    (text, ended(&child))
}

/// Reaps a child that is about to end.
pub(crate) fn ended(child: &Child) -> ExitStatus {
    wait_readable(child.pidfd.as_fd(), "a child's end");
    wait_pidfd(child.pidfd.as_fd()).unwrap().unwrap()
}

pub(crate) fn wait_readable(fd: std::os::fd::BorrowedFd<'_>, what: &str) {
    let patience = Timespec {
        tv_sec: PATIENCE.as_secs() as i64,
        tv_nsec: 0,
    };
    let ready = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&patience)).unwrap();
    assert_eq!(ready, 1, "{what} did not come in {PATIENCE:?}");
}

/// Asks again and again, for what the kernel gives no notice of.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(
            Instant::now() < deadline,
            "{what} did not come in {PATIENCE:?}"
        );
        std::thread::yield_now();
    }
}

/// Kills and reaps a child when the test ends, also when it fails.
pub(crate) struct Ends(pub(crate) Child);

impl Drop for Ends {
    fn drop(&mut self) {
        if tine_sys::tree::signal_pidfd(self.0.pidfd.as_fd(), 9).is_ok() {
            let exited = rustix::process::WaitIdOptions::EXITED;
            let id = rustix::process::WaitId::PidFd(self.0.pidfd.as_fd());
            let _ = rustix::process::waitid(id, exited);
        }
    }
}
