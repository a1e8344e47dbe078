//! How does a new version of a primary's program take its place?
//!
//! The process stays, its program changes (`execve`): so workers keep their parent, channels their
//! other end, and listening sockets their queues. What the old program knew is in a memory file
//! whose number stands in [`VARIABLE`].

use super::event::Event;
use super::handle::Cluster;
use super::process::{Status, WorkerProcess};
use super::state::{Known, Shared, State};
use super::stdio::End;
use crate::handle::Handle;
use crate::message::Message;
use crate::primary::{self, ListeningAddress, Luggage, Seat, Unpacked, WorkerId, broken};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::env;
use std::ffi::{CString, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tine_ipc::Body;
use tine_sys::inherited;
use tine_sys::reap::ExitStatus;
use tokio::net::{UnixStream, unix::pipe};
use tokio::sync::watch;

/// `<process number>:<descriptor>`. Children of the process, which may inherit the variable, are
/// not meant by it.
pub(super) const VARIABLE: &str = "TINE_CLUSTER_HANDOVER";

/// The memory file, and how the kernel shows it (memfd_create(2)).
const NAME: &str = "tine-cluster";
const MEMORY_FILE: &str = "/memfd:tine-cluster (deleted)";

/// Signals that wait while one program takes the place of the other: the old one would take them and
/// forget them, the new one would end of them before it has come to handle them.
const UPGRADING: [i32; 5] = [
    Signal::HUP.as_raw(),
    Signal::USR1.as_raw(),
    Signal::USR2.as_raw(),
    Signal::INT.as_raw(),
    Signal::TERM.as_raw(),
];

/// The program that takes the place of this one. Default: the same file, which may have been
/// replaced meanwhile, with the same arguments and environment.
#[derive(Default)]
pub struct Upgrade {
    program: Option<PathBuf>,
    args: Option<Vec<OsString>>,
    environment: Vec<(OsString, Option<OsString>)>,
    keep: Vec<(String, OwnedFd)>,
}

/// Without the environment, which may hold secrets.
impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

impl Upgrade {
    /// The default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The program's file. It is not searched.
    pub fn program(&mut self, program: impl Into<PathBuf>) -> &mut Self {
        self.program = Some(program.into());
        self
    }

    /// Its arguments, without its name.
    pub fn args<I: IntoIterator<Item: Into<OsString>>>(&mut self, args: I) -> &mut Self {
        self.args = Some(args.into_iter().map(Into::into).collect());
        self
    }

    /// Sets a variable in its environment.
    pub fn env(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> &mut Self {
        self.environment.push((name.into(), Some(value.into())));
        self
    }

    /// Removes a variable from its environment.
    pub fn env_remove(&mut self, name: impl Into<OsString>) -> &mut Self {
        self.environment.push((name.into(), None));
        self
    }

    /// A descriptor that the new program finds under this name with
    /// [`Cluster::take_kept`]: a listener of the primary's own, a log, the pipes of workers.
    pub fn keep(&mut self, name: impl Into<String>, fd: impl Into<OwnedFd>) -> &mut Self {
        self.keep.push((name.into(), fd.into()));
        self
    }
}

/// The new program could not be run. The old one goes on, and nothing is lost.
#[derive(Debug, thiserror::Error)]
#[error("upgrading the primary: {doing}: {source}")]
pub struct UpgradeError {
    doing: String,
    source: io::Error,
}

impl UpgradeError {
    fn new(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self { doing, source }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    /// The numbers of the descriptors, in the order of their places.
    descriptors: Vec<i32>,
    /// The lengths of the pieces of bytes, which follow.
    pieces: Vec<u64>,
    primary: primary::Written,
    workers: Vec<WrittenProcess>,
    events: Vec<WrittenEvent>,
    kept: Vec<(String, usize)>,
    inspected: u32,
    /// Answers to older questions may still come.
    #[serde(default)]
    next_request: u64,
    /// How often each descriptor is named.
    #[serde(default)]
    uses: Vec<usize>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenProcess {
    id: WorkerId,
    pid: u32,
    seat: Seat,
    online: bool,
    listening: Vec<ListeningAddress>,
    connected: bool,
    exited_after_disconnect: Option<bool>,
    exit: Option<(i32, bool, bool)>,
    ends: Vec<(i32, usize)>,
}

#[derive(Debug, Serialize, Deserialize)]
enum WrittenEvent {
    Fork(WorkerId),
    Online(WorkerId),
    Listening(WorkerId, ListeningAddress),
    ListenFailed(WorkerId, ListeningAddress, String, Option<i32>),
    AcceptFailed(ListeningAddress, String, Option<i32>),
    /// Serialization, bytes, handle.
    Message(WorkerId, String, usize, Option<usize>),
    Disconnect(WorkerId, Option<String>),
    Exit(WorkerId, (i32, bool, bool), bool),
}

/// Number, whether it is a signal's, whether there is a core.
fn write_exit(status: ExitStatus) -> (i32, bool, bool) {
    match status {
        ExitStatus::Code(code) => (code, false, false),
        // No code is negative.
        ExitStatus::Unknown => (-1, false, false),
        ExitStatus::Signal {
            signal,
            core_dumped,
        } => (signal, true, core_dumped),
    }
}

fn read_exit((number, is_signal, core_dumped): (i32, bool, bool)) -> ExitStatus {
    if is_signal {
        let signal = number;
        ExitStatus::Signal {
            signal,
            core_dumped,
        }
    } else if number < 0 {
        ExitStatus::Unknown
    } else {
        ExitStatus::Code(number)
    }
}

impl Cluster {
    /// Runs a program in the place of this one, in the same process: usually a new version of it.
    /// Returns only if that fails.
    ///
    /// Workers go on, and are its workers: the new program's [`Setup::start`](super::Setup::start)
    /// gives a cluster that has them, with listening sockets, channels, what is queued on both, and
    /// the events that this one did not take. No connection is refused or lost, no message either.
    /// How connections are shared stays as it was; the other settings are the new program's.
    ///
    /// SIGHUP, SIGUSR1, SIGUSR2, SIGINT and SIGTERM wait from here, in this thread, until the new
    /// program starts its cluster: install handlers before. One that the old program's runtime has taken,
    /// and the program has not looked at yet, is lost; so look for the signal to end before the one to
    /// upgrade (`biased` in a `select!`).
    ///
    /// What the old program has in its memory is lost, as by `exec` in a shell: futures end
    /// without resolving, buffers are not flushed, other threads stop where they are. Pipes to
    /// workers that were taken ([`take_stdout`](WorkerProcess::take_stdout)) close, which
    /// kills most programs that write to them: [keep](Upgrade::keep) those.
    #[must_use = "it has failed if it returns"]
    pub fn upgrade(&self, upgrade: &Upgrade) -> UpgradeError {
        match self.try_upgrade(upgrade) {
            Ok(never) => match never {},
            Err(error) => {
                // What came meanwhile.
                self.shared.with(|_| ());
                error
            }
        }
    }

    fn try_upgrade(&self, upgrade: &Upgrade) -> Result<std::convert::Infallible, UpgradeError> {
        let program = match &upgrade.program {
            Some(program) => program.clone(),
            None => own_program().map_err(UpgradeError::new("finding this program's file"))?,
        };
        let doing = format!("running {}", program.display());
        let _waiting = tine_sys::exec::Blocked::new(&UPGRADING);
        // Held until the program has changed: nobody else says or hears anything.
        let mut state = self.shared.lock();
        state.settle();
        let ends = state
            .untaken_ends()
            .map_err(UpgradeError::new("keeping the pipes of workers"))?;
        let mut luggage = Luggage::default();
        let document = state
            .write_down(&mut luggage, &ends, &upgrade.keep)
            .map_err(UpgradeError::new("writing down what is known"))?;
        let file = luggage
            .store(&document)
            .map_err(UpgradeError::new("storing what is known"))?;
        let (argv, environment) = upgrade
            .strings(&program, &file)
            .map_err(UpgradeError::new(doing.clone()))?;
        let path = CString::new(program.as_os_str().as_bytes())
            .map_err(|error| UpgradeError::new(doing.clone())(error.into()))?;

        let all = || luggage.descriptors.iter().copied().chain([file.as_fd()]);
        let mut kept = Ok(());
        for fd in all() {
            kept = kept.and_then(|()| inherited::keep_over_exec(fd, true));
        }
        let error = match kept {
            Ok(()) => tine_sys::exec::replace(&path, &argv, &environment, &UPGRADING),
            Err(error) => error,
        };
        for fd in all() {
            let _ = inherited::keep_over_exec(fd, false);
        }
        Err(UpgradeError::new(doing)(error))
    }

    /// A descriptor that the program before this one has [kept](Upgrade::keep), once.
    #[must_use]
    pub fn take_kept(&self, name: &str) -> Option<OwnedFd> {
        self.shared.lock().kept.remove(name)
    }

    /// Whether this cluster was taken over from the program that was here before.
    #[must_use]
    pub fn was_upgraded(&self) -> bool {
        self.shared.lock().upgraded
    }
}

/// The file that was run. While it runs it may have been replaced.
fn own_program() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    let replaced = program.as_os_str().as_bytes().strip_suffix(b" (deleted)");
    Ok(match replaced {
        Some(path) if !program.exists() => PathBuf::from(std::ffi::OsStr::from_bytes(path)),
        _ => program,
    })
}

impl Upgrade {
    fn strings(
        &self,
        program: &std::path::Path,
        file: &File,
    ) -> io::Result<(Vec<CString>, Vec<CString>)> {
        let text = |bytes: &[u8]| CString::new(bytes).map_err(io::Error::from);
        let own = || env::args_os().skip(1).collect();
        let mut argv = vec![text(program.as_os_str().as_bytes())?];
        for argument in self.args.clone().unwrap_or_else(own) {
            argv.push(text(argument.as_bytes())?);
        }
        let mut environment: BTreeMap<OsString, OsString> = env::vars_os().collect();
        for (name, value) in &self.environment {
            match value {
                Some(value) => environment.insert(name.clone(), value.clone()),
                None => environment.remove(name),
            };
        }
        let place = format!("{}:{}", std::process::id(), file.as_raw_fd());
        environment.insert(VARIABLE.into(), place.into());
        let entries = environment
            .iter()
            .map(|(name, value)| text(&[name.as_bytes(), b"=", value.as_bytes()].concat()));
        Ok((argv, entries.collect::<io::Result<_>>()?))
    }
}

impl Luggage<'_> {
    /// Everything that is no descriptor, in a file: the length of the document in 8 bytes, little
    /// endian, the document, the pieces.
    fn store(&self, document: &Document) -> io::Result<File> {
        let mut document = serde_json::to_value(document).map_err(io::Error::other)?;
        document["descriptors"] = self.descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        document["uses"] = self.uses.iter().copied().collect();
        document["pieces"] = self.pieces.iter().map(Vec::len).collect();
        let document = serde_json::to_vec(&document).map_err(io::Error::other)?;
        let mut file = File::from(memfd_create(NAME, MemfdFlags::CLOEXEC)?);
        file.write_all(&(document.len() as u64).to_le_bytes())?;
        file.write_all(&document)?;
        for piece in &self.pieces {
            file.write_all(piece)?;
        }
        file.rewind()?;
        Ok(file)
    }
}

/// An end of a worker's pipe that nobody has taken.
#[derive(Debug)]
pub(super) struct Untaken {
    worker: WorkerId,
    number: i32,
    fd: OwnedFd,
}

impl State {
    fn untaken_ends(&self) -> io::Result<Vec<Untaken>> {
        let mut untaken = Vec::new();
        for (id, known) in &self.workers {
            for (number, fd) in known.process.ends()? {
                untaken.push(Untaken {
                    worker: *id,
                    number,
                    fd,
                });
            }
        }
        Ok(untaken)
    }

    fn write_down<'a>(
        &'a self,
        luggage: &mut Luggage<'a>,
        ends: &'a [Untaken],
        keep: &'a [(String, OwnedFd)],
    ) -> io::Result<Document> {
        let closed = || io::Error::new(io::ErrorKind::NotConnected, "the cluster is closed");
        let primary = self
            .inner
            .as_ref()
            .ok_or_else(closed)?
            .write_down(luggage)?;
        // Also those that are gone and are still spoken of.
        let mut known: BTreeMap<WorkerId, (&WorkerProcess, Seat)> = BTreeMap::new();
        for event in &self.queue {
            if let Some(process) = event.worker() {
                known.insert(process.id(), (process, Seat(u32::MAX)));
            }
        }
        for (id, one) in &self.workers {
            known.insert(*id, (&one.process, one.seat));
        }
        let workers = known.into_values().map(|(process, seat)| {
            let status = process.status();
            let own = ends.iter().filter(|end| end.worker == process.id());
            WrittenProcess {
                id: process.id(),
                pid: process.pid(),
                seat,
                online: status.online,
                listening: status.listening,
                connected: status.connected,
                exited_after_disconnect: status.exited_after_disconnect,
                exit: status.exit.map(write_exit),
                ends: own
                    .map(|end| (end.number, luggage.descriptor(end.fd.as_fd())))
                    .collect(),
            }
        });
        let workers = workers.collect();
        let events = self.queue.iter();
        let events = events.filter_map(|event| WrittenEvent::of(event, luggage));
        Ok(Document {
            primary,
            workers,
            events: events.collect(),
            // What this program was given and did not take goes on.
            kept: self
                .kept
                .iter()
                .chain(keep.iter().map(|(name, fd)| (name, fd)))
                .map(|(name, fd)| (name.clone(), luggage.descriptor(fd.as_fd())))
                .collect(),
            inspected: self.inspected,
            next_request: self.last_request(),
            uses: Vec::new(),
            descriptors: Vec::new(),
            pieces: Vec::new(),
        })
    }

    /// Goes on where the program before this one stopped, if there was one.
    pub(super) fn take_over(&mut self, shared: &Arc<Shared>) -> io::Result<()> {
        let Some((document, mut unpacked)) = left_behind()? else {
            return Ok(());
        };
        tine_sys::exec::unblock(&UPGRADING);
        if let Some(inner) = &mut self.inner {
            inner.take_over(document.primary, &mut unpacked)?;
        }
        self.inspected = document.inspected;
        self.go_on_asking(document.next_request);
        self.upgraded = true;
        for (name, place) in document.kept {
            self.kept.insert(name, unpacked.owned(place)?);
        }
        let mut gone = BTreeMap::new();
        for written in document.workers {
            let (id, seat, dead) = (written.id, written.seat, written.exit.is_some());
            let (process, status) = written.restore(shared, &mut unpacked)?;
            if dead {
                gone.insert(id, process);
            } else {
                self.workers.insert(id, Known::new(process, seat, status));
            }
        }
        for event in document.events {
            let find = |state: &Self, id: WorkerId| {
                let found = state.process(id).or_else(|| gone.get(&id).cloned());
                found.ok_or_else(|| broken("an event of an unknown worker"))
            };
            event.restore(self, &mut unpacked, find)?;
        }
        Ok(())
    }
}

static LOOKED: AtomicBool = AtomicBool::new(false);

/// What the program before this one has left, for the first who asks.
fn left_behind() -> io::Result<Option<(Document, Unpacked)>> {
    let Some(place) = env::var(VARIABLE).ok() else {
        return Ok(None);
    };
    let own = place.split_once(':').and_then(|(process, number)| {
        (process == std::process::id().to_string()).then_some(number)
    });
    let Some(number) = own.and_then(|number| number.parse().ok()) else {
        return Ok(None);
    };
    // Only the first cluster of a program goes on where another stopped.
    if LOOKED.swap(true, Ordering::Relaxed) {
        return Ok(None);
    }
    // It is judged before it is owned: a program that has been replaced by other means since has
    // the variable, and something else under the number, or nothing.
    match std::fs::read_link(format!("/proc/self/fd/{number}")) {
        Ok(link) if link.as_os_str() == MEMORY_FILE => {}
        _ => return Ok(None),
    }
    let mut taken = match inherited::take_descriptors(&[number]) {
        Ok(taken) => taken,
        // A second cluster of this program.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(file) = taken.pop() else {
        return Ok(None);
    };
    let mut file = File::from(file);
    let mut length = [0; 8];
    file.read_exact(&mut length)
        .map_err(|_| broken("it has no beginning"))?;
    let text = next_piece(&mut file, u64::from_le_bytes(length))?;
    let document: Document =
        serde_json::from_slice(&text).map_err(|error| broken(&error.to_string()))?;
    let mut unpacked = Unpacked::default();
    for length in &document.pieces {
        unpacked.pieces.push(next_piece(&mut file, *length)?);
    }
    let descriptors = inherited::take_descriptors(&document.descriptors)?;
    unpacked.put(descriptors, &document.uses);
    Ok(Some((document, unpacked)))
}

fn next_piece(file: &mut File, length: u64) -> io::Result<Vec<u8>> {
    let mut piece = Vec::new();
    file.take(length).read_to_end(&mut piece)?;
    if piece.len() as u64 != length {
        return Err(broken("it ends too early"));
    }
    Ok(piece)
}

impl WrittenProcess {
    fn restore(
        self,
        shared: &Arc<Shared>,
        unpacked: &mut Unpacked,
    ) -> io::Result<(WorkerProcess, watch::Sender<Status>)> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| broken("a process number"))?;
        let mut ends = BTreeMap::new();
        for (number, place) in self.ends {
            let fd = unpacked.owned(place)?;
            let end = match number {
                0 => End::In(pipe::Sender::from_owned_fd(fd)?),
                1 | 2 => End::Out(pipe::Receiver::from_owned_fd(fd)?),
                _ => End::Both(UnixStream::from_std(fd.into())?),
            };
            ends.insert(number, end);
        }
        let status = Status {
            online: self.online,
            listening: self.listening,
            connected: self.connected,
            exited_after_disconnect: self.exited_after_disconnect,
            exit: self.exit.map(read_exit),
        };
        let (sender, receiver) = watch::channel(status);
        let process = WorkerProcess::new(self.id, pid, shared.clone(), receiver, ends);
        Ok((process, sender))
    }
}

fn write_error(error: &io::Error) -> (String, Option<i32>) {
    (error.to_string(), error.raw_os_error())
}

fn read_error(text: String, number: Option<i32>) -> io::Error {
    number.map_or_else(|| io::Error::other(text), io::Error::from_raw_os_error)
}

impl WrittenEvent {
    /// Of `Setup` nothing is kept: the new program has its own.
    fn of<'a>(event: &'a Event, luggage: &mut Luggage<'a>) -> Option<Self> {
        Some(match event {
            Event::Setup(_) => return None,
            Event::Fork(worker) => Self::Fork(worker.id()),
            Event::Online(worker) => Self::Online(worker.id()),
            Event::Listening { worker, address } => Self::Listening(worker.id(), address.clone()),
            Event::ListenFailed {
                worker,
                address,
                error,
            } => {
                let (text, number) = write_error(error);
                Self::ListenFailed(worker.id(), address.clone(), text, number)
            }
            Event::AcceptFailed { address, error } => {
                let (text, number) = write_error(error);
                Self::AcceptFailed(address.clone(), text, number)
            }
            Event::Message { worker, message } => {
                let body = message.body();
                let fd = message.handle().map(AsFd::as_fd);
                let fd = fd.map(|fd: BorrowedFd<'a>| luggage.descriptor(fd));
                let how = body.serialization().to_string();
                let bytes = luggage.piece(body.as_bytes().to_vec());
                Self::Message(worker.id(), how, bytes, fd)
            }
            Event::Disconnect { worker, error } => Self::Disconnect(worker.id(), error.clone()),
            Event::Exit {
                worker,
                status,
                exited_after_disconnect,
            } => Self::Exit(worker.id(), write_exit(*status), *exited_after_disconnect),
        })
    }

    fn restore(
        self,
        state: &mut State,
        unpacked: &mut Unpacked,
        find: impl Fn(&State, WorkerId) -> io::Result<WorkerProcess>,
    ) -> io::Result<()> {
        let event = match self {
            Self::Fork(id) => Event::Fork(find(state, id)?),
            Self::Online(id) => Event::Online(find(state, id)?),
            Self::Listening(id, address) => Event::Listening {
                worker: find(state, id)?,
                address,
            },
            Self::ListenFailed(id, address, text, number) => Event::ListenFailed {
                worker: find(state, id)?,
                address,
                error: read_error(text, number),
            },
            Self::AcceptFailed(address, text, number) => Event::AcceptFailed {
                address,
                error: read_error(text, number),
            },
            Self::Message(id, how, piece, place) => {
                let how = how
                    .parse()
                    .map_err(|_| broken("a serialization that is not known"))?;
                let body = Body::from_bytes(unpacked.piece(piece)?, how)
                    .map_err(|error| broken(&error.to_string()))?;
                let handle = match place {
                    Some(place) => Some(Handle::received(unpacked.owned(place)?)),
                    None => None,
                };
                let message = Message::new(body, handle);
                match find(state, id)? {
                    worker if worker.is_dead() => Event::Message { worker, message },
                    _ => {
                        // So that it counts as unread.
                        state.message(id, message);
                        return Ok(());
                    }
                }
            }
            Self::Disconnect(id, error) => Event::Disconnect {
                worker: find(state, id)?,
                error,
            },
            Self::Exit(id, status, exited_after_disconnect) => Event::Exit {
                worker: find(state, id)?,
                status: read_exit(status),
                exited_after_disconnect,
            },
        };
        state.tell(event);
        Ok(())
    }
}
