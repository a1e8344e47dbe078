//! What does a program say, within a time?

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{PidfdFlags, pidfd_open};
use std::ffi::{CString, NulError, OsStr};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};
use tine_sys::Pid;
use tine_sys::reap::{ExitStatus, wait_pidfd};
use tine_sys::spawn::{Child, Spawn, spawn};
use tine_sys::tree::{members, signal_pidfd};

/// The signal that cannot be ignored.
const SIGKILL: i32 = 9;

/// What a child is to be.
pub(crate) struct Order<'a> {
    pub(crate) program: &'a Path,
    pub(crate) args: &'a [&'a str],
    pub(crate) env: &'a [(String, String)],
    pub(crate) cwd: &'a Path,
    /// The descriptor on which it answers. Standard output, if it is another one, goes to our
    /// standard error.
    pub(crate) answers_on: i32,
    /// How long it may take until its answer has ended.
    pub(crate) time: Duration,
    /// How many bytes the answer may have.
    pub(crate) bytes: usize,
}

/// An answer, and how the child ended.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) exit: ExitStatus,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    TooSlow,
    TooLong,
    System(io::Error),
}

impl From<io::Error> for NoAnswer {
    fn from(error: io::Error) -> Self {
        NoAnswer::System(error)
    }
}

impl From<rustix::io::Errno> for NoAnswer {
    fn from(error: rustix::io::Errno) -> Self {
        NoAnswer::System(error.into())
    }
}

/// A child, ended with all that it started when this goes out of scope. It is not reaped before, so
/// that its number means nobody else.
struct Owned {
    child: Child,
    is_reaped: bool,
}

impl Owned {
    fn has_ended(&self, within: Duration) -> Result<bool, NoAnswer> {
        ended(&self.child.pidfd, within)
    }

    /// Kills what is left of its session, and reaps it.
    fn end(&mut self) -> io::Result<Option<ExitStatus>> {
        // Each pass may miss what is born during it; a child that forks for ever ends with it.
        for _ in 0..100 {
            let _ = signal_pidfd(self.child.pidfd.as_fd(), SIGKILL);
            let held: Vec<(Pid, OwnedFd)> = members(self.child.pid)
                .into_iter()
                .filter(|member| *member != self.child.pid)
                .filter_map(|member| {
                    let fd = pidfd_open(member, PidfdFlags::empty()).ok()?;
                    Some((member, fd))
                })
                .collect();
            if held.is_empty() {
                break;
            }
            // Whoever is a member still, now that it is held, is the one that was meant.
            let still = members(self.child.pid);
            for (member, fd) in &held {
                if still.contains(member) {
                    let _ = signal_pidfd(fd.as_fd(), SIGKILL);
                }
            }
            for (_, fd) in &held {
                let _ = ended(fd, Duration::from_millis(100));
            }
        }
        let _ = self.has_ended(Duration::from_secs(1));
        self.is_reaped = true;
        wait_pidfd(self.child.pidfd.as_fd())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if !self.is_reaped {
            let _ = self.end();
        }
    }
}

/// Whether the process behind a pidfd ends within a time.
fn ended(pidfd: &OwnedFd, within: Duration) -> Result<bool, NoAnswer> {
    let mut ready = [PollFd::new(pidfd, PollFlags::IN)];
    match poll(&mut ready, Some(&timespec(within))) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Runs a program and reads its answer until it has ended or the answer has. Whatever still runs
/// then is killed with all that it started.
pub(crate) fn ask(order: &Order<'_>) -> Result<Answer, NoAnswer> {
    let deadline = Instant::now() + order.time;
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let (talk, talks) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut child = Owned {
        child: start(order, &write, &talks)?,
        is_reaped: false,
    };
    drop((write, talks));
    let mut relay = Relay::new(talk);
    let mut bytes = Vec::new();
    loop {
        let left = deadline
            .checked_duration_since(Instant::now())
            .ok_or(NoAnswer::TooSlow)?;
        let mut ready = [
            PollFd::new(&read, PollFlags::IN),
            PollFd::new(&child.child.pidfd, PollFlags::IN),
            PollFd::new(relay.watched(&read), PollFlags::IN),
        ];
        match poll(&mut ready, Some(&timespec(left))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let (answer, end) = (ready[0].revents(), ready[1].revents());
        if !ready[2].revents().is_empty() {
            relay.pass_on();
        }
        if !answer.is_empty() {
            let mut block = [0; 16 * 1024];
            match rustix::io::read(&read, &mut block)? {
                0 => break,
                count => bytes.extend_from_slice(&block[..count]),
            }
            if bytes.len() > order.bytes {
                return Err(NoAnswer::TooLong);
            }
        } else if !end.is_empty() {
            // It has ended, and all that it wrote is read. What it left behind may hold the pipe.
            break;
        }
    }
    loop {
        let left = deadline
            .checked_duration_since(Instant::now())
            .ok_or(NoAnswer::TooSlow)?;
        // It may still talk, and must not have to wait for that.
        relay.pass_on_what_is_there();
        if child.has_ended(left.min(Duration::from_millis(20)))? {
            break;
        }
    }
    // `end` sends a signal that comes too late to change how it ended.
    let exit = child.end()?.unwrap_or(ExitStatus::Unknown);
    relay.pass_on_what_is_there();
    Ok(Answer { bytes, exit })
}

/// The standard output of a program with an empty environment.
pub(crate) fn said(program: &Path, args: &[&str], time: Duration) -> Result<String, NoAnswer> {
    let answer = ask(&Order {
        program,
        args,
        env: &[],
        cwd: Path::new("/"),
        answers_on: 1,
        time,
        bytes: 64 * 1024,
    })?;
    if !answer.exit.success() {
        let error = io::Error::other(format!("it ended with {}", answer.exit));
        return Err(NoAnswer::System(error));
    }
    Ok(String::from_utf8_lossy(&answer.bytes).into_owned())
}

/// What the child says to people goes on to our standard error, but not without end.
struct Relay {
    from: Option<OwnedFd>,
    left: usize,
}

impl Relay {
    /// Bytes that are passed on.
    const MOST: usize = 64 * 1024;

    fn new(from: OwnedFd) -> Self {
        let _ = rustix::io::ioctl_fionbio(&from, true);
        Relay {
            from: Some(from),
            left: Self::MOST,
        }
    }

    /// What to wait for; `other` once there is nothing more to come.
    fn watched<'a>(&'a self, other: &'a OwnedFd) -> &'a OwnedFd {
        self.from.as_ref().unwrap_or(other)
    }

    /// Takes one block. Whether there was one.
    fn pass_on(&mut self) -> bool {
        let Some(from) = &self.from else { return false };
        let mut block = [0; 16 * 1024];
        match rustix::io::read(from, &mut block) {
            Ok(0) | Err(rustix::io::Errno::IO) => self.from = None,
            Ok(count) => {
                self.say(&block[..count]);
                return true;
            }
            Err(_) => {}
        }
        false
    }

    fn say(&mut self, bytes: &[u8]) {
        if self.left == 0 {
            return;
        }
        let shown = &bytes[..bytes.len().min(self.left)];
        self.left -= shown.len();
        let mut talk = io::stderr();
        // There is nowhere to complain.
        let _ = talk.write_all(shown);
        if self.left == 0 {
            let _ = writeln!(talk, "\nwarning: what else it says is left out");
        }
    }

    fn pass_on_what_is_there(&mut self) {
        // Not for ever: it may write faster than this reads.
        for _ in 0..64 {
            if !self.pass_on() {
                return;
            }
        }
    }
}

fn start(order: &Order<'_>, write: &OwnedFd, talks: &OwnedFd) -> Result<Child, NoAnswer> {
    let nothing = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let text = |bytes: &OsStr| CString::new(bytes.as_bytes());
    let request = || -> Result<Spawn<'_>, NulError> {
        let mut request = Spawn::new(text(order.program.as_os_str())?);
        for arg in order.args {
            request.argv.push(CString::new(*arg)?);
        }
        for (name, value) in order.env {
            request.env.push(CString::new(format!("{name}={value}"))?);
        }
        request.cwd = Some(text(order.cwd.as_os_str())?);
        request.new_session = true;
        Ok(request)
    };
    let mut request = request().map_err(io::Error::other)?;
    request.fds = vec![(nothing.as_fd(), 0), (write.as_fd(), order.answers_on)];
    request.fds.push((talks.as_fd(), 2));
    if order.answers_on != 1 {
        request.fds.push((talks.as_fd(), 1));
    }
    spawn(&request).map_err(|error| NoAnswer::System(io::Error::other(error)))
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;

    fn shell(text: &str, time: Duration, bytes: usize) -> Result<Answer, NoAnswer> {
        ask(&Order {
            program: Path::new("/bin/sh"),
            args: &["-c", text],
            env: &[("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            cwd: Path::new("/"),
            answers_on: 3,
            time,
            bytes,
        })
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn the_answer_is_what_came_on_its_descriptor() {
        let answer = shell("echo noise; echo yes >&3; exit 3", LONG, 100).unwrap();
        assert_eq!(answer.bytes, b"yes\n");
        assert_eq!(answer.exit, ExitStatus::Code(3));
        assert_eq!(said(Path::new("/bin/echo"), &["hi"], LONG).unwrap(), "hi\n");
    }

    #[test]
    fn what_is_too_slow_or_too_long_is_ended_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let text = format!("sleep 600 & echo $! > {}; wait", file.display());
        let slow = shell(&text, Duration::from_millis(500), 100);
        assert!(matches!(slow, Err(NoAnswer::TooSlow)), "{slow:?}");
        let pid = std::fs::read_to_string(&file).unwrap();
        let proc = format!("/proc/{}/stat", pid.trim());
        let lives = std::fs::read_to_string(proc).is_ok_and(|stat| !stat.contains(") Z "));
        assert!(!lives, "the sleep lives on");
        let long = shell("while :; do echo much >&3; done", LONG, 1000);
        assert!(matches!(long, Err(NoAnswer::TooLong)), "{long:?}");
    }

    #[test]
    fn what_is_left_behind_with_the_pipe_is_not_waited_for() {
        let before = Instant::now();
        let answer = shell("sleep 600 & echo yes >&3", LONG, 100).unwrap();
        assert_eq!(answer.bytes, b"yes\n");
        assert!(before.elapsed() < LONG);
    }
}
