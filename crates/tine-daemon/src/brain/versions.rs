//! Which version of Node, Bun or Deno runs a program? Asked once of each, beside everything else.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tine_sys::spawn::{Spawn, spawn};
use tokio::sync::oneshot;

/// How long a runtime may take to say it.
const PATIENCE: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// What has been found out. None: it is being asked, or did not say.
#[derive(Debug, Default)]
pub(super) struct Versions {
    known: RefCell<HashMap<PathBuf, Option<String>>>,
}

impl Versions {
    /// The version, if it is known yet.
    pub(super) fn of(&self, program: &Path) -> Option<String> {
        self.known.borrow().get(program).cloned().flatten()
    }

    /// Finds it out, unless that was done before.
    pub(super) fn ask(self: &Rc<Self>, program: &Path) {
        let mut known = self.known.borrow_mut();
        if known.contains_key(program) {
            return;
        }
        known.insert(program.to_owned(), None);
        drop(known);
        let (tell, told) = oneshot::channel();
        let path = program.to_owned();
        let asked = std::thread::Builder::new()
            .name("version".to_owned())
            .stack_size(128 * 1024)
            .spawn(move || {
                let _ = tell.send(said(&path));
            });
        if asked.is_err() {
            return;
        }
        let (own, program) = (self.clone(), program.to_owned());
        tokio::task::spawn_local(async move {
            let version = told.await.ok().flatten();
            own.known.borrow_mut().insert(program, version);
        });
    }
}

/// What `PROGRAM --version` says.
fn said(program: &Path) -> Option<String> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).ok()?;
    let path = CString::new(program.as_os_str().as_bytes()).ok()?;
    let request = Spawn {
        argv: vec![path.clone(), CString::from(c"--version")],
        fds: vec![(write.as_fd(), 1)],
        cwd: Some(CString::from(c"/")),
        ..Spawn::new(path)
    };
    let child = spawn(&request).ok()?;
    drop(write);
    let text = first_words(&read);
    let _ = tine_sys::tree::signal_pidfd(child.pidfd.as_fd(), 9);
    let mut end = [PollFd::new(&child.pidfd, PollFlags::IN)];
    let _ = poll(&mut end, Some(&PATIENCE));
    let _ = tine_sys::reap::wait_pidfd(child.pidfd.as_fd());
    version_in(&text?)
}

fn first_words(from: &OwnedFd) -> Option<String> {
    let mut ready = [PollFd::new(from, PollFlags::IN)];
    poll(&mut ready, Some(&PATIENCE)).ok()?;
    let mut bytes = [0; 256];
    let count = rustix::io::read(from, &mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes[..count]).into_owned())
}

/// `v20.1.0`, `1.2.3` and `deno 2.1.4 (stable)` without what is not the version.
fn version_in(text: &str) -> Option<String> {
    let words = text.split_ascii_whitespace().take(2);
    let mut versions = words.map(|word| word.strip_prefix('v').unwrap_or(word));
    let version = versions.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    version.map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runtime_is_understood() {
        assert_eq!(version_in("v20.20.2\n").as_deref(), Some("20.20.2"));
        assert_eq!(version_in("1.3.1\n").as_deref(), Some("1.3.1"));
        let deno = "deno 2.5.6 (stable, release)\nv8 14.0\n";
        assert_eq!(version_in(deno).as_deref(), Some("2.5.6"));
        assert_eq!(version_in("usage: something"), None);
        assert_eq!(version_in(""), None);
    }

    #[test]
    fn a_program_that_says_nothing_has_no_version() {
        assert_eq!(said(Path::new("/bin/true")), None);
        assert_eq!(said(Path::new("/no/such/program")), None);
    }
}
