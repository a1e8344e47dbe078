//! Which runtimes are there?

use super::Finding;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::{Duration, Instant};
use tine_sys::reap::wait_pidfd;
use tine_sys::spawn::{Spawn, resolve_program, spawn};
use tine_sys::tree::signal_pidfd;

/// How long a runtime has to say its version.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a version, and more than any says.
const MOST_BYTES: usize = 1024;
const RUNTIMES: [&str; 4] = ["node", "bun", "deno", "python3"];

pub(super) fn look() -> Vec<Finding> {
    let path = std::env::var_os("PATH");
    RUNTIMES
        .into_iter()
        .map(|name| of(name, path.as_deref()))
        .collect()
}

fn of(name: &'static str, path: Option<&OsStr>) -> Finding {
    let Ok(program) = resolve_program(name.as_ref(), path, Path::new("/")) else {
        return Finding::known(name, name, "not in PATH");
    };
    let shown = program.display();
    match version(&program) {
        Ok(version) => Finding::good(name, name, format!("{version} ({shown})")),
        Err(error) => Finding::limited(name, name, format!("{shown}: {error}"))
            .effect("programs for it will not start")
            .remedy(format!("see what `{shown} --version` says")),
    }
}

/// The first line of what it says to `--version`.
fn version(program: &Path) -> io::Result<String> {
    let text = |text: &OsStr| CString::new(text.as_bytes()).map_err(io::Error::from);
    let program = text(program.as_os_str())?;
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let null = OwnedFd::from(File::options().read(true).write(true).open("/dev/null")?);
    let env = std::env::vars_os().map(|(name, value)| {
        let line = [&name.into_vec()[..], b"=", &value.into_vec()].concat();
        CString::new(line).map_err(io::Error::from)
    });
    let request = Spawn {
        argv: vec![program.clone(), text("--version".as_ref())?],
        env: env.collect::<io::Result<_>>()?,
        fds: vec![(null.as_fd(), 0), (write.as_fd(), 1), (null.as_fd(), 2)],
        new_group: true,
        ..Spawn::new(program)
    };
    let child = spawn(&request).map_err(io::Error::other)?;
    drop(write);
    let deadline = Instant::now() + PATIENCE;
    let said = listen(read, deadline);
    let ended = wait(&child.pidfd, deadline);
    if ended.is_err() || said.is_err() {
        // It is ours and not reaped. What it started may live on, without us.
        let _ = signal_pidfd(child.pidfd.as_fd(), 9);
        let _ = wait(&child.pidfd, Instant::now() + PATIENCE);
    }
    ended?;
    let said = said?;
    let line = said.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return Err(io::Error::other("says no version"));
    }
    Ok(line.chars().filter(|letter| !letter.is_control()).collect())
}

fn listen(from: OwnedFd, deadline: Instant) -> io::Result<String> {
    let mut from = File::from(from);
    let mut bytes = Vec::new();
    let mut buffer = [0; MOST_BYTES];
    while bytes.len() < MOST_BYTES {
        readable(from.as_fd(), deadline)?;
        match from.read(&mut buffer)? {
            0 => break,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn wait(pidfd: &OwnedFd, deadline: Instant) -> io::Result<()> {
    readable(pidfd.as_fd(), deadline)?;
    match wait_pidfd(pidfd.as_fd())? {
        Some(status) if !status.success() => Err(io::Error::other(format!("ended with {status}"))),
        Some(_) | None => Ok(()),
    }
}

fn readable(fd: std::os::fd::BorrowedFd<'_>, deadline: Instant) -> io::Result<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&limit)) {
            Ok(0) => {
                let text = format!("does not answer within {} s", PATIENCE.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

    use super::*;
    use crate::verb::doctor::State;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn runtime(script: &str) -> (tempfile::TempDir, Finding) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("node");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let finding = of("node", Some(folder.path().as_os_str()));
        (folder, finding)
    }

    #[test]
    fn the_version_is_the_first_line() {
        let (folder, finding) = runtime("[ \"$1\" = --version ] && echo v99.1.0 && echo more");
        assert_eq!(finding.state, State::Good);
        let expected = format!("v99.1.0 ({}/node)", folder.path().display());
        assert_eq!(finding.found, expected);
    }

    #[test]
    fn one_that_is_not_there_or_broken_is_told() {
        let nowhere = of("node", Some(OsStr::new("/nowhere")));
        assert_eq!(nowhere.state, State::Known);
        for (script, said) in [
            ("exit 3", "exit code 3"),
            ("exit 0", "says no version"),
            ("kill -9 $$", "SIGKILL"),
        ] {
            let (_folder, finding) = runtime(script);
            assert_eq!(finding.state, State::Limited, "{finding:?}");
            assert!(finding.found.contains(said), "{finding:?}");
        }
    }

    #[test]
    fn one_that_says_too_much_or_keeps_its_output_open_is_ended() {
        let (_folder, finding) = runtime("while :; do echo v1; done");
        // Cut off in the middle, it ends by SIGPIPE.
        assert_eq!(finding.state, State::Limited, "{finding:?}");
    }
}
