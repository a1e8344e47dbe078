//! How does a command come to speak with the daemon, if need be by starting it?
//!
//! Whoever holds the lock of the home may start a daemon, and the daemon holds it as long as it
//! lives, so there is never a second one. The one who starts it makes the socket too, before: so
//! all others can connect from that moment, and wait for the greeting in the kernel's queue.
//!
//! Blocking and without a runtime, for a command that asks once and ends.

use std::ffi::{CString, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tine_control::client::{Client, ClientError};
use tine_control::server::{ListenError, listen};
use tine_sys::reap::{ExitStatus, wait_pidfd};
use tine_sys::spawn::{Spawn, SpawnError, spawn};

use crate::home::{Home, HomeError, refused_hint};

/// How long a daemon has to greet.
pub const GREETING: Duration = Duration::from_secs(10);
/// How long is waited for somebody else who holds the lock.
const LOCK: Duration = Duration::from_secs(10);
/// The pause before looking again at what tells nobody when it changes.
const AGAIN: Duration = Duration::from_millis(5);

/// The keeper's descriptors, by the numbers that [`LISTENER_VARIABLE`] and [`LOCK_VARIABLE`] tell.
const LISTENER_NUMBER: i32 = 3;
const LOCK_NUMBER: i32 = 4;
pub(crate) const LISTENER_VARIABLE: &str = "TINE_LISTENER_FD";
pub(crate) const LOCK_VARIABLE: &str = "TINE_LOCK_FD";
/// Set for a keeper that is to start itself once more and end, so that it is nobody's child.
pub(crate) const DETACH_VARIABLE: &str = "TINE_KEEPER_DETACH";

/// What is said to one process and not to those that it starts.
const NOT_PASSED_ON: [&str; 15] = [
    LISTENER_VARIABLE,
    LOCK_VARIABLE,
    DETACH_VARIABLE,
    tine_keeper::protocol::CHANNEL,
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDNAMES",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "JOURNAL_STREAM",
];

/// Why there is no daemon to speak with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// There is no folder for it.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// One is there, and it cannot be spoken with.
    #[error(transparent)]
    Connect(ClientError),
    /// It was started, or was there, and does not greet.
    #[error("the daemon does not answer: {error}{}", quoted(said))]
    Silent {
        /// What became of the connection.
        error: Box<ClientError>,
        /// The file of its words.
        log: PathBuf,
        /// The last of them.
        said: Vec<String>,
    },
    /// It was started and has ended at once.
    #[error("the daemon ended while it was started: {status}{}", quoted(said))]
    Ended {
        /// How.
        status: ExitStatus,
        /// The file of its words.
        log: PathBuf,
        /// The last of them.
        said: Vec<String>,
    },
    /// Somebody holds the lock, and nobody listens.
    #[error(
        "{} is locked{}, but no daemon listens", path.display(),
        holder.map_or_else(String::new, |pid| format!(" by process {pid}"))
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// Who, if it is known.
        holder: Option<u32>,
    },
    /// There is one already, and no second one is started.
    #[error(
        "a daemon of {} runs already{}", path.display(),
        holder.map_or_else(String::new, |pid| format!(" (process {pid})"))
    )]
    Taken {
        /// The folder.
        path: PathBuf,
        /// Which process, if it is known.
        holder: Option<u32>,
    },
    /// The socket could not be made.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The program could not be executed.
    #[error("cannot start the daemon: {0}")]
    Program(#[from] SpawnError),
    /// The system refused.
    #[error("cannot {doing} {}: {error}", path.display())]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl LaunchError {
    /// What the user can do about it; may be empty.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Home(error) => error.hint(),
            Self::Connect(error) => error.hint(),
            Self::Silent { log, .. } | Self::Ended { log, .. } => {
                format!("its words are in {}", log.display())
            }
            Self::Locked { holder, .. } => match holder {
                Some(pid) => format!("if that process hangs, end it with `kill -9 {pid}`"),
                None => "try again".to_owned(),
            },
            Self::Taken { .. } => "end it with `tine kill`".to_owned(),
            Self::Listen(error) => match (error.hint(), error) {
                (hint, ListenError::Refused { error, .. }) if hint.is_empty() => {
                    refused_hint(error)
                }
                (hint, _) => hint,
            },
            Self::Program(error) => match error.errno {
                Errno::NOENT => "the program was moved or removed since it was started".to_owned(),
                Errno::AGAIN => {
                    "the limit of processes is reached; raise it with `ulimit -u`".to_owned()
                }
                errno => refused_hint(&errno.into()),
            },
            Self::Refused { error, .. } => match Errno::from_io_error(error) {
                Some(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => {
                    "this file system has no locks; set TINE_HOME to a folder on a local disk"
                        .to_owned()
                }
                _ => refused_hint(error),
            },
        }
    }
}

/// A connection to the daemon of this home, which is started if there is none. `binary` is this
/// very program ([`own_program`]); it is executed as `BINARY keeper --home HOME`.
///
/// However many do this at once, one daemon is started.
///
/// # Errors
/// [`LaunchError`]. When the daemon does not come up, its last words are in the error.
pub fn ensure(home: &Home, binary: &Path) -> Result<Client, LaunchError> {
    let socket = home.control_socket();
    let deadline = Instant::now() + LOCK;
    let mut lock = None;
    loop {
        match Client::connect(&socket, GREETING) {
            Ok(client) => return Ok(client),
            Err(ClientError::NotRunning { .. }) => {}
            // One that was about to end, or that somebody has failed to start.
            Err(error) if cut(&error) && Instant::now() < deadline => {}
            Err(error) => return Err(silent(home, error, 0)),
        }
        let file = match lock.take() {
            Some(file) => file,
            None => {
                home.prepare()?;
                open_lock(home)?
            }
        };
        if try_lock(home, &file)? {
            return start(home, binary, file);
        }
        if Instant::now() >= deadline {
            return Err(LaunchError::Locked {
                path: home.lock(),
                holder: holder(home),
            });
        }
        lock = Some(file);
        std::thread::sleep(AGAIN);
    }
}

/// The path of the program that this process runs, also when it was replaced on disk since (then:
/// of what is there now).
///
/// # Errors
/// When the system does not say.
pub fn own_program() -> io::Result<PathBuf> {
    /// What the kernel adds to the name of a file that is gone (proc_pid_exe(5)).
    const GONE: &[u8] = b" (deleted)";
    let path = std::env::current_exe()?;
    let bytes = path.as_os_str().as_bytes();
    match bytes.strip_suffix(GONE) {
        Some(rest) if !path.exists() => Ok(OsString::from_vec(rest.to_vec()).into()),
        _ => Ok(path),
    }
}

/// Whether the other end has gone without a word.
fn cut(error: &ClientError) -> bool {
    match error {
        ClientError::Closed => true,
        ClientError::Stream(error) => matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        ),
        _ => false,
    }
}

fn start(home: &Home, binary: &Path, lock: OwnedFd) -> Result<Client, LaunchError> {
    let socket = home.control_socket();
    // It may have come between the last look and the lock.
    match Client::connect(&socket, GREETING) {
        Ok(client) => return Ok(client),
        Err(ClientError::NotRunning { .. }) => {}
        Err(error) => return Err(silent(home, error, 0)),
    }
    let log = open_log(home)?;
    let before = log.metadata().map_or(0, |log| log.len());
    let listener = OwnedFd::from(listen(&socket)?);
    let status = launch(home, binary, &log.into(), listener.as_fd(), lock.as_fd())?;
    // They are the keeper's now: if it ends, they end, and everybody sees that.
    drop((listener, lock));
    if !status.success() {
        return Err(LaunchError::Ended {
            status,
            log: home.log(),
            said: last_words(home, before),
        });
    }
    Client::connect(&socket, GREETING).map_err(|error| silent(home, error, before))
}

/// Executes the keeper, which starts itself once more and ends: that is waited for.
fn launch(
    home: &Home,
    binary: &Path,
    log: &OwnedFd,
    listener: BorrowedFd<'_>,
    lock: BorrowedFd<'_>,
) -> Result<ExitStatus, LaunchError> {
    let null = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map(OwnedFd::from)
        .map_err(refused("open", Path::new("/dev/null")))?;
    let mut request = keeper(home, binary, &environment())?;
    for (name, value) in [
        (LISTENER_VARIABLE, LISTENER_NUMBER),
        (LOCK_VARIABLE, LOCK_NUMBER),
        (DETACH_VARIABLE, 1),
    ] {
        request
            .env
            .push(c_string(format!("{name}={value}").into_bytes(), binary)?);
    }
    request.fds = vec![
        (null.as_fd(), 0),
        (log.as_fd(), 1),
        (log.as_fd(), 2),
        (listener, LISTENER_NUMBER),
        (lock, LOCK_NUMBER),
    ];
    let child = spawn(&request)?;
    ended(child.pidfd.as_fd(), binary)
}

/// The keeper as it is to be executed, without descriptors.
pub(crate) fn keeper<'fd>(
    home: &Home,
    binary: &Path,
    env: &[(OsString, OsString)],
) -> Result<Spawn<'fd>, LaunchError> {
    let text = |text: &[u8]| c_string(text.to_vec(), binary);
    let variables = env.iter().map(|(name, value)| {
        let line = [name.as_bytes(), b"=", value.as_bytes()].concat();
        text(&line)
    });
    Ok(Spawn {
        argv: vec![
            text(binary.as_os_str().as_bytes())?,
            text(b"keeper")?,
            text(b"--home")?,
            text(home.folder().as_os_str().as_bytes())?,
        ],
        env: variables.collect::<Result<_, _>>()?,
        cwd: Some(text(b"/")?),
        new_session: true,
        ordinary_scheduling: true,
        ..Spawn::new(text(binary.as_os_str().as_bytes())?)
    })
}

/// This process's environment, without what was said to it alone.
pub(crate) fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os()
        .filter(|(name, _)| !NOT_PASSED_ON.iter().any(|word| name == word))
        .collect()
}

fn c_string(bytes: Vec<u8>, binary: &Path) -> Result<CString, LaunchError> {
    CString::new(bytes).map_err(|error| refused("execute", binary)(error.into()))
}

fn refused(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LaunchError {
    move |error| LaunchError::Refused {
        doing,
        path: path.to_owned(),
        error,
    }
}

/// Waits for the end of a child.
fn ended(pidfd: BorrowedFd<'_>, binary: &Path) -> Result<ExitStatus, LaunchError> {
    let deadline = Instant::now() + GREETING;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let waited = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&limit));
        if waited == Ok(0) {
            let late = io::Error::from(io::ErrorKind::TimedOut);
            return Err(refused("start the daemon with", binary)(late));
        }
        match wait_pidfd(pidfd) {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => {}
            // SIGCHLD may be ignored here; what matters is whether somebody greets.
            Err(error) if error.raw_os_error() == Some(Errno::CHILD.raw_os_error()) => {
                return Ok(ExitStatus::Code(0));
            }
            Err(error) => return Err(refused("wait for", binary)(error)),
        }
    }
}

pub(crate) fn open_lock(home: &Home) -> Result<OwnedFd, LaunchError> {
    let path = home.lock();
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    opened.map(OwnedFd::from).map_err(refused("open", &path))
}

/// Whether it is ours now.
pub(crate) fn try_lock(home: &Home, file: &OwnedFd) -> Result<bool, LaunchError> {
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(refused("lock", &home.lock())(errno.into())),
        }
    }
}

/// The daemon's own words go to the end of this file.
pub(crate) fn open_log(home: &Home) -> Result<File, LaunchError> {
    let path = home.log();
    let opened = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path);
    opened.map_err(refused("open", &path))
}

/// Who holds the lock, as the holder has written down.
pub(crate) fn holder(home: &Home) -> Option<u32> {
    let text = std::fs::read_to_string(home.lock()).ok()?;
    text.trim().parse().ok()
}

fn silent(home: &Home, error: ClientError, since: u64) -> LaunchError {
    match error {
        error @ (ClientError::TimedOut { .. }
        | ClientError::NotRunning { .. }
        | ClientError::Closed
        | ClientError::Stream(_)) => LaunchError::Silent {
            error: Box::new(error),
            log: home.log(),
            said: last_words(home, since),
        },
        error => LaunchError::Connect(error),
    }
}

/// The last lines of the daemon's log that were written after its first `since` bytes.
fn last_words(home: &Home, since: u64) -> Vec<String> {
    const LINES: usize = 10;
    const BYTES: u64 = 8 * 1024;
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(home.log())?;
        let length = file.metadata()?.len();
        let from = since.max(length.saturating_sub(BYTES)).min(length);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.chars().filter(|letter| !letter.is_control()).collect())
        .filter(|line: &String| !line.is_empty())
        .collect();
    let skip = lines.len().saturating_sub(LINES);
    lines.into_iter().skip(skip).collect()
}

fn quoted(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  | {line}")).collect()
}
