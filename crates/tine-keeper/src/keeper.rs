//! The keeper itself: waits, reaps, listens to the brain, starts it again.

use std::ffi::CString;
use std::fmt;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use tine_sys::Pid;
use tine_sys::inherited::keep_over_exec;
use tine_sys::reap::{ExitStatus, peek_any, wait_pid};
use tine_sys::spawn::Spawn;

use crate::link::{Hindrance, Link};
use crate::packet::{self, Received};
use crate::protocol::{CHANNEL, MAX_PACKET};
use crate::restart::{RestartRule, Restarts};
use crate::serve::{World, refused};
use crate::standing::Standing;
use crate::tables::Tables;

/// How a keeper is to be.
#[derive(Debug)]
pub struct Options {
    /// The program that it starts as the brain, again and again.
    pub brain: BrainProgram,
    /// Where its few words go, a line each; also the brain's standard output and error. Best a
    /// file opened for appending: a pipe that nobody reads would make the keeper wait.
    pub log: OwnedFd,
    /// What it holds from the beginning, by name, as if a brain had asked it to
    /// ([`Request::Put`](crate::protocol::Request::Put)): the socket that clients connect to, a
    /// lock.
    pub descriptors: Vec<(String, OwnedFd)>,
    /// When the brain is started again.
    pub restart: RestartRule,
    /// How long after the first SIGTERM or SIGINT the keeper waits for the brain to finish.
    pub terminate_within: Duration,
}

impl Options {
    /// What is usual: [`RestartRule::default`], 60 s to terminate within, no descriptors.
    #[must_use]
    pub fn new(brain: BrainProgram, log: OwnedFd) -> Self {
        Self {
            brain,
            log,
            descriptors: Vec::new(),
            restart: RestartRule::default(),
            terminate_within: Duration::from_secs(60),
        }
    }
}

/// The brain's program and surroundings. It finds its connection by
/// [`Client::from_environment`](crate::client::Client::from_environment).
#[derive(Clone, Debug)]
pub struct BrainProgram {
    /// Absolute path.
    pub program: CString,
    /// All arguments, the program's name included.
    pub argv: Vec<CString>,
    /// The whole environment but for [`CHANNEL`].
    pub env: Vec<CString>,
    /// Working directory; the keeper's when absent.
    pub cwd: Option<CString>,
}

/// The number of the brain's end of the connection in the brain.
const CHANNEL_NUMBER: i32 = 3;
/// Requests or exits that are taken before the other is looked at again.
const AT_ONCE: usize = 64;
/// Requests of a brain that has ended that are still done.
const LAST_WORDS: usize = 1_024;
/// How long a brain that has closed its connection may take to end.
const FAREWELL: Duration = Duration::from_secs(1);
/// Memory is given back when nothing has happened for so long.
const QUIET: Duration = Duration::from_secs(1);
/// When to try again to say something after a shortage.
const RETRY: Duration = Duration::from_millis(10);

/// Is the keeper until there is no reason left to be one. Call this in a process of its own that
/// was made for it, from its only thread, early in `main`, in a session of its own and with no
/// signal blocked (as [`tine_sys::spawn`] starts it). It takes the process over: standard input,
/// output and error become `/dev/null`; SIGCHLD, SIGTERM and SIGINT are handled; every child is
/// reaped.
///
/// It ends with success when the brain has asked to finish and has ended. On SIGTERM or SIGINT it
/// tells the brain (each one, until it ends) and waits for that; on a second one, or after
/// [`Options::terminate_within`], it ends with failure, and the brain finds its connection closed.
/// What it started goes on in any case.
#[must_use]
pub fn run(options: Options) -> ExitCode {
    match Keeper::new(options) {
        Ok(mut keeper) => keeper.run(),
        // Whoever sees this has the log.
        Err((log, error)) => {
            write_line(&log, format_args!("cannot be a keeper: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn write_line(log: &OwnedFd, text: fmt::Arguments<'_>) {
    let line = format!("keeper: {text}\n");
    // There is nowhere to complain.
    let _ = rustix::io::write(log, line.as_bytes());
}

enum Brain {
    Running {
        pid: Pid,
        since: Instant,
        link: Option<Link>,
        /// It has closed its connection; it has to end by then.
        kill_at: Option<Instant>,
    },
    Waiting {
        until: Instant,
    },
}

struct Keeper {
    program: BrainProgram,
    log: OwnedFd,
    terminate_within: Duration,
    world: World,
    brain: Brain,
    restarts: Restarts,
    brains: u64,
    /// A byte for each SIGCHLD, and for each SIGTERM or SIGINT.
    ended: UnixStream,
    asked_to_end: UnixStream,
    /// Set by the first of these.
    ends_at: Option<Instant>,
    forced: bool,
    /// Something has happened since memory was last given back.
    busy: bool,
    has_slept: bool,
    buffer: Vec<u8>,
}

impl Keeper {
    fn new(options: Options) -> Result<Self, (OwnedFd, io::Error)> {
        let prepared = (|| {
            let ended = signals(&[SIGCHLD])?;
            let asked_to_end = signals(&[SIGTERM, SIGINT])?;
            // It is this process's own, and given to brains by duplicates.
            keep_over_exec(options.log.as_fd(), false)?;
            let standing = Standing::take()?;
            let mut tables = Tables::new(standing.room());
            let (names, fds): (Vec<_>, Vec<_>) = options.descriptors.into_iter().unzip();
            for fd in &fds {
                keep_over_exec(fd.as_fd(), false)?;
            }
            tables.put(names, fds).map_err(io::Error::other)?;
            Ok((ended, asked_to_end, standing, tables))
        })();
        let (ended, asked_to_end, standing, tables) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return Err((options.log, error)),
        };
        Ok(Self {
            program: options.brain,
            log: options.log,
            terminate_within: options.terminate_within,
            world: World {
                tables,
                standing,
                finish: false,
                earlier_brains: 0,
            },
            brain: Brain::Waiting {
                until: Instant::now(),
            },
            restarts: Restarts::new(options.restart),
            brains: 0,
            ended,
            asked_to_end,
            ends_at: None,
            forced: false,
            busy: true,
            has_slept: false,
            buffer: vec![0; MAX_PACKET],
        })
    }

    fn say(&self, text: fmt::Arguments<'_>) {
        write_line(&self.log, text);
    }

    fn run(&mut self) -> ExitCode {
        // Children that were there before.
        let mut more = true;
        loop {
            if more {
                more = self.reap();
            }
            if self.world.finish && matches!(self.brain, Brain::Waiting { .. }) {
                self.say(format_args!("finished"));
                return ExitCode::SUCCESS;
            }
            let now = Instant::now();
            if self.forced || self.ends_at.is_some_and(|at| now >= at) {
                self.say(format_args!("ends although the brain has not finished"));
                return ExitCode::FAILURE;
            }
            self.keep_brain(now);
            let hindrance = self.speak();
            more |= self.wait(hindrance, more);
            self.listen(AT_ONCE);
        }
    }

    /// Starts the brain if it is time to, ends it if it is.
    fn keep_brain(&mut self, now: Instant) {
        match &mut self.brain {
            Brain::Waiting { until } if now >= *until => self.start_brain(now),
            Brain::Waiting { .. } => {}
            Brain::Running { pid, kill_at, .. } => {
                if kill_at.is_some_and(|at| now >= at) {
                    *kill_at = None;
                    // Not reaped, so the number is still its own.
                    let _ = tine_sys::tree::signal(*pid, 9);
                }
            }
        }
    }

    fn start_brain(&mut self, now: Instant) {
        let started = (|| {
            let (link, brains) = Link::new().map_err(io::Error::from)?;
            let mut env = self.program.env.clone();
            let channel = CString::new(format!("{CHANNEL}={CHANNEL_NUMBER}"))?;
            env.push(channel);
            let request = Spawn {
                argv: self.program.argv.clone(),
                env,
                cwd: self.program.cwd.clone(),
                fds: vec![
                    (self.log.as_fd(), 1),
                    (self.log.as_fd(), 2),
                    (brains.as_fd(), CHANNEL_NUMBER),
                ],
                ..Spawn::new(self.program.program.clone())
            };
            // With the keeper's own limit of descriptors: it will have as many.
            let child = self.world.standing.spawn(&request);
            child.map(|child| (link, child)).map_err(io::Error::other)
        })();
        match started {
            Ok((link, child)) => {
                self.world.earlier_brains = self.brains;
                self.brains += 1;
                self.brain = Brain::Running {
                    pid: child.pid,
                    since: now,
                    link: Some(link),
                    kill_at: None,
                };
            }
            Err(error) => {
                let wait = self.restarts.wait_after(Duration::ZERO);
                self.say(format_args!(
                    "starting the brain: {error}; again in {wait:?}"
                ));
                self.brain = Brain::Waiting { until: now + wait };
            }
        }
    }

    fn speak(&mut self) -> Hindrance {
        match &mut self.brain {
            Brain::Running {
                link: Some(link), ..
            } => link.speak(&self.world.tables, self.ends_at.is_some()),
            Brain::Running { link: None, .. } | Brain::Waiting { .. } => Hindrance::Nothing,
        }
    }

    /// Sleeps until there is something to do. Whether a child may have ended.
    fn wait(&mut self, hindrance: Hindrance, at_once: bool) -> bool {
        let now = Instant::now();
        let mut wake = self.ends_at;
        let mut sooner = |at: Instant| wake = Some(wake.map_or(at, |wake| wake.min(at)));
        let mut fds = vec![
            PollFd::new(&self.ended, PollFlags::IN),
            PollFd::new(&self.asked_to_end, PollFlags::IN),
        ];
        match &self.brain {
            Brain::Waiting { until } => sooner(*until),
            Brain::Running { link, kill_at, .. } => {
                if let Some(at) = kill_at {
                    sooner(*at);
                }
                match (link, hindrance) {
                    (None, _) => {}
                    (Some(link), Hindrance::Full) => {
                        fds.push(PollFd::new(&link.socket, PollFlags::OUT));
                    }
                    // It would be writable all the time.
                    (Some(_), Hindrance::Shortage) => sooner(now + RETRY),
                    (Some(link), Hindrance::Nothing) => {
                        fds.push(PollFd::new(&link.socket, PollFlags::IN));
                    }
                }
            }
        }
        if at_once {
            sooner(now);
        }
        if wake.is_none() && !self.has_slept {
            // What the beginning took will not be needed again.
            self.has_slept = true;
            tine_sys::memory::give_back();
        }
        // Once it has been quiet for a while, and not again before something has happened.
        let quiet_at = now + QUIET;
        let wait_for_quiet = self.busy && wake.is_none_or(|at| at > quiet_at);
        if wait_for_quiet {
            wake = Some(quiet_at);
        }
        let wait = wake.map(|at| timespec(at.saturating_duration_since(now)));
        // An interruption (EINTR) is one of the signals that are looked for here.
        let nothing = poll(&mut fds, wait.as_ref()) == Ok(0);
        if !nothing {
            self.busy = true;
        } else if wait_for_quiet {
            self.busy = false;
            tine_sys::memory::give_back();
        }
        let again = bytes(&mut self.asked_to_end);
        if again > 0 {
            self.forced = self.ends_at.is_some() || again > 1;
            self.ends_at.get_or_insert(now + self.terminate_within);
            self.say(format_args!("asked to end"));
        }
        bytes(&mut self.ended) > 0
    }

    /// Does what the brain asks for, at most so many times, as long as it takes the answers.
    fn listen(&mut self, at_most: usize) {
        let terminate = self.ends_at.is_some();
        let Brain::Running { link, kill_at, .. } = &mut self.brain else {
            return;
        };
        for _ in 0..at_most {
            let Some(open) = link else { return };
            if open.pending.is_some() {
                return;
            }
            match packet::receive(open.socket.as_fd(), &mut self.buffer) {
                Ok(Received::Packet(length, fds)) => {
                    self.world.serve(open, &self.buffer[..length], fds);
                }
                Ok(Received::Unfit | Received::Bare(_)) => {
                    let text = "a packet that is too long or has too many descriptors beside it";
                    open.answer(None, refused(text.into()), None);
                }
                Ok(Received::Nothing) => return,
                Ok(Received::End) | Err(_) => {
                    *link = None;
                    if !self.world.finish {
                        *kill_at = Some(Instant::now() + FAREWELL);
                    }
                    return;
                }
            }
            open.speak(&self.world.tables, terminate);
        }
    }

    /// Reaps what has ended. Whether there may be more.
    fn reap(&mut self) -> bool {
        for _ in 0..AT_ONCE {
            let Ok(Some(pid)) = peek_any() else {
                return false;
            };
            let Ok(Some(status)) = wait_pid(pid) else {
                return false;
            };
            match &self.brain {
                Brain::Running {
                    pid: brain, since, ..
                } if *brain == pid => {
                    let since = *since;
                    self.brain_ended(status, since);
                }
                Brain::Running { .. } | Brain::Waiting { .. } => {
                    self.world.tables.ended(pid, status);
                }
            }
        }
        true
    }

    fn brain_ended(&mut self, status: ExitStatus, since: Instant) {
        if let Brain::Running {
            link: Some(link), ..
        } = &mut self.brain
        {
            link.deafen();
        }
        self.listen(LAST_WORDS);
        let lived = since.elapsed();
        let wait = if self.world.finish {
            Duration::ZERO
        } else {
            self.restarts.wait_after(lived)
        };
        self.say(format_args!(
            "the brain ended after {lived:.1?} with {status}"
        ));
        if wait > Duration::ZERO {
            self.say(format_args!("it is started again in {wait:?}"));
        }
        self.brain = Brain::Waiting {
            until: Instant::now() + wait,
        };
    }
}

/// A stream that has a byte for each of these signals.
fn signals(numbers: &[i32]) -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    write.set_nonblocking(true)?;
    for number in numbers {
        pipe::register(*number, write.try_clone()?)?;
    }
    Ok(read)
}

/// How many there were.
fn bytes(stream: &mut UnixStream) -> usize {
    let mut all = 0;
    let mut buffer = [0; 64];
    loop {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => all += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => return all,
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
