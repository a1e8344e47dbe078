//! A real keeper, and brains that hand their connection to the test.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use tempfile::TempDir;
use tine_keeper::client::{Client, Event, Program};
use tine_keeper::protocol::{CHANNEL, Request};
use tine_keeper::{BrainProgram, Options, RestartRule};
use tine_sys::Pid;
use tine_sys::reap::{ExitStatus, wait_pidfd};
use tine_sys::spawn::{Child, Spawn, spawn};
use tine_sys::tree::{signal, signal_pidfd};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const ROLE: &str = "TINE_KEEPER_TEST_ROLE";
const MEETING: &str = "TINE_KEEPER_TEST_MEETING";
const SHORT_LIFE: &str = "TINE_KEEPER_TEST_SHORT_LIFE";
const WITHIN: &str = "TINE_KEEPER_TEST_WITHIN";
const LIMIT: &str = "TINE_KEEPER_TEST_LIMIT";
const BRAIN: &str = "TINE_KEEPER_TEST_BRAIN";
const HELD: &str = "TINE_KEEPER_TEST_HELD";

pub(crate) fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// What this process is, unless it is the test.
pub(crate) fn role() -> Option<ExitCode> {
    let milliseconds = |name| Duration::from_millis(env(name).parse().unwrap());
    match std::env::var(ROLE).ok()?.as_str() {
        "keeper" => {
            let log = File::options().append(true).open(env(MEETING) + ".log");
            let role = format!("{ROLE}={}", env(BRAIN));
            let program = BrainProgram {
                program: own_image(),
                argv: vec![c("brain")],
                env: vec![c(&role), c(&format!("{MEETING}={}", env(MEETING)))],
                cwd: None,
            };
            let mut options = Options::new(program, log.unwrap().into());
            options.restart.short_life = milliseconds(SHORT_LIFE);
            options.terminate_within = milliseconds(WITHIN);
            if let Ok(names) = std::env::var(HELD) {
                let held = |name: &str| (name.to_owned(), File::open(env(MEETING) + ".log"));
                let held = names.split(',').map(held);
                let held = held.map(|(name, file)| (name, file.unwrap().into()));
                options.descriptors = held.collect();
            }
            if let Ok(limit) = std::env::var(LIMIT) {
                let limit = limit.parse().ok();
                let limit = Rlimit {
                    current: limit,
                    maximum: limit,
                };
                setrlimit(Resource::Nofile, limit).unwrap();
            }
            Some(tine_keeper::run(options))
        }
        "brain" => Some(brain()),
        // Its standard error is the log.
        "crasher" => {
            eprintln!("crasher {}", now());
            Some(ExitCode::from(3))
        }
        other => panic!("no such role: {other}"),
    }
}

fn env(name: &str) -> String {
    std::env::var(name).unwrap()
}

/// Milliseconds of the clock that every process shares.
fn now() -> u128 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32).as_millis()
}

fn own_image() -> CString {
    c(std::env::current_exe().unwrap().to_str().unwrap())
}

/// Hands its connection to the test, and ends when the test lets go. Told so by a byte, it closes
/// its own end of the connection before.
fn brain() -> ExitCode {
    let channel = tine_sys::inherited::take_channel(CHANNEL).unwrap().unwrap();
    let mut meeting = UnixStream::connect(env(MEETING)).unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [channel.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let pid = std::process::id().to_ne_bytes();
    sendmsg(
        &meeting,
        &[IoSlice::new(&pid)],
        &mut control,
        SendFlags::empty(),
    )
    .unwrap();
    if meeting.read(&mut [0]).unwrap() == 1 {
        drop(channel);
        meeting.read_exact(&mut [0]).ok();
    }
    ExitCode::SUCCESS
}

/// A keeper of the test's. Killed, and its brain with it, when the test is over.
pub(crate) struct Keeper {
    pub(crate) child: Child,
    meeting: UnixListener,
    folder: TempDir,
}

/// A brain whose connection the test has.
pub(crate) struct Brain {
    pub(crate) pid: Pid,
    pub(crate) client: Client,
    pub(crate) stream: UnixStream,
}

impl Keeper {
    /// One that starts brains again at once however short they live.
    pub(crate) fn start() -> Self {
        Self::with("brain", Duration::ZERO, PATIENCE)
    }

    pub(crate) fn with(brain: &str, short_life: Duration, within: Duration) -> Self {
        Self::with_environment(brain, short_life, within, &[])
    }

    /// One that may have so many descriptors open.
    pub(crate) fn limited(limit: usize) -> Self {
        let limit = c(&format!("{LIMIT}={limit}"));
        Self::with_environment("brain", Duration::ZERO, PATIENCE, &[limit])
    }

    /// One that holds its log under these names from the beginning.
    pub(crate) fn holding(names: &str) -> Self {
        let held = c(&format!("{HELD}={names}"));
        Self::with_environment("brain", Duration::ZERO, PATIENCE, &[held])
    }

    fn with_environment(
        brain: &str,
        short_life: Duration,
        within: Duration,
        more: &[CString],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("meeting");
        let meeting = UnixListener::bind(&path).unwrap();
        let path = path.to_str().unwrap();
        File::create(format!("{path}.log")).unwrap();
        let mut env = vec![
            c(&format!("{ROLE}=keeper")),
            c(&format!("{MEETING}={path}")),
            c(&format!("{BRAIN}={brain}")),
            c(&format!("{SHORT_LIFE}={}", short_life.as_millis())),
            c(&format!("{WITHIN}={}", within.as_millis())),
        ];
        env.extend_from_slice(more);
        let child = spawn(&Spawn {
            env,
            new_session: true,
            ..Spawn::new(own_image())
        });
        Self {
            child: child.unwrap(),
            meeting,
            folder,
        }
    }

    pub(crate) fn default_short_life() -> Duration {
        RestartRule::default().short_life
    }

    pub(crate) fn log_file(&self) -> File {
        File::open(self.folder.path().join("meeting.log")).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("meeting.log")).unwrap()
    }

    /// The next brain, before it has said anything.
    pub(crate) fn silent_brain(&self) -> Brain {
        readable(self.meeting.as_fd(), "the next brain");
        let (stream, _) = self.meeting.accept().unwrap();
        let mut pid = [0; 4];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut into = [IoSliceMut::new(&mut pid)];
        recvmsg(&stream, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
        let mut fds: Vec<OwnedFd> = control
            .drain()
            .flat_map(|message| match message {
                RecvAncillaryMessage::ScmRights(fds) => fds.collect::<Vec<_>>(),
                _ => Vec::new(),
            })
            .collect();
        Brain {
            pid: Pid::from_raw(i32::from_ne_bytes(pid)).unwrap(),
            client: Client::new(fds.pop().unwrap()),
            stream,
        }
    }

    /// The next brain.
    pub(crate) fn brain(&self) -> Brain {
        let mut brain = self.silent_brain();
        brain.client.hello(PATIENCE).unwrap();
        brain
    }

    /// A field of /proc/PID/status, as a number.
    pub(crate) fn status(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.pid.as_raw_pid());
        let text = fs::read_to_string(path).unwrap();
        let line = text.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_ascii_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    }

    pub(crate) fn open_descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.child.pid.as_raw_pid());
        fs::read_dir(path).unwrap().count()
    }

    pub(crate) fn signal(&self, number: i32) {
        signal_pidfd(self.child.pidfd.as_fd(), number).unwrap();
    }

    pub(crate) fn ended(&self) -> ExitStatus {
        readable(self.child.pidfd.as_fd(), "the keeper's end");
        wait_pidfd(self.child.pidfd.as_fd()).unwrap().unwrap()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if signal_pidfd(self.child.pidfd.as_fd(), 9).is_ok() {
            self.ended();
        }
    }
}

impl Brain {
    /// SIGKILL; the connection goes with it.
    pub(crate) fn kill(self) {
        signal(self.pid, 9).unwrap();
    }

    pub(crate) fn event(&mut self) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(event) = self.client.poll_event().unwrap() {
                return event;
            }
            assert!(Instant::now() < deadline, "no event in {PATIENCE:?}");
            readable(self.client.as_fd(), "an event");
        }
    }

    pub(crate) fn call(&mut self, request: Request) {
        self.client.call(request, &[], PATIENCE).unwrap();
    }

    /// Starts a shell with a script and descriptors.
    pub(crate) fn shell(
        &mut self,
        name: &str,
        script: &str,
        fds: &[(BorrowedFd<'_>, i32)],
    ) -> Ends {
        let mut program = program(name, "/bin/sh", &["-c", script]);
        program.fds = fds.to_vec();
        Ends(
            self.client
                .spawn(&program, PATIENCE)
                .unwrap()
                .pidfd
                .unwrap(),
        )
    }
}

/// `program` under a name, with arguments.
pub(crate) fn program(name: &str, program: &str, arguments: &[&str]) -> Program<'static> {
    let mut program = Program::new(name.into(), c(program));
    program.argv.extend(arguments.iter().map(|text| c(text)));
    program.env.push(c("PATH=/bin:/usr/bin"));
    program
}

/// A process that is killed when the test ends.
pub(crate) struct Ends(pub(crate) OwnedFd);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = signal_pidfd(self.0.as_fd(), 9);
    }
}

pub(crate) fn readable(fd: BorrowedFd<'_>, what: &str) {
    assert!(
        is_readable(fd, PATIENCE),
        "{what} did not come in {PATIENCE:?}"
    );
}

pub(crate) fn is_readable(fd: BorrowedFd<'_>, within: Duration) -> bool {
    let within = Timespec {
        tv_sec: within.as_secs() as i64,
        tv_nsec: i64::from(within.subsec_nanos()),
    };
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&within)).unwrap() == 1
}

pub(crate) fn pipe() -> (OwnedFd, OwnedFd) {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap()
}

/// Writes a line to one descriptor and reads it from another.
pub(crate) fn echo(to: &OwnedFd, from: &OwnedFd, text: &str) {
    let line = format!("{text}\n");
    File::from(to.try_clone().unwrap())
        .write_all(line.as_bytes())
        .unwrap();
    let mut back = vec![0; line.len()];
    readable(from.as_fd(), "an echo");
    File::from(from.try_clone().unwrap())
        .read_exact(&mut back)
        .unwrap();
    assert_eq!(back, line.as_bytes());
}

/// Asks again and again, for what the kernel gives no notice of.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(
            Instant::now() < deadline,
            "{what} did not come in {PATIENCE:?}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}
