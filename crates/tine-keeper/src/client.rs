//! The brain's end.
//!
//! Nothing here waits but [`Client::call`], [`Client::list`] and what is made of them. An async
//! program watches the descriptor ([`AsFd`]): for reading always, then takes events with
//! [`Client::poll_event`] until there is none; for writing while [`Client::wants_write`], then
//! [`Client::flush`].

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

pub use crate::program::Program;

use crate::packet::{self, Received};
use crate::protocol::{
    Answer, Ask, CHANNEL, Exit, MAX_PACKET, MAX_PACKET_DESCRIPTORS, Message, Reply, Request,
    VERSION,
};

/// Why the keeper did not do what was asked, or is not there.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The keeper has ended, or has closed this connection.
    #[error("the keeper has gone")]
    Gone,
    /// It did not answer in time. The answer will come as an [`Event::Answer`].
    #[error("{doing}: the keeper did not answer in {waited:?}")]
    Late {
        /// What was asked for.
        doing: String,
        /// How long was waited.
        waited: Duration,
    },
    /// It answered that it will not.
    #[error("{doing}: refused by the keeper: {text}")]
    Refused {
        /// What was asked for.
        doing: String,
        /// Its words.
        text: String,
    },
    /// A program did not start. No process is left behind.
    #[error("{text}")]
    SpawnFailed {
        /// What was being done.
        step: crate::protocol::FailedStep,
        /// The kernel's number for the error.
        errno: i32,
        /// All of it in words.
        text: String,
    },
    /// A request that does not fit: too long, or too many descriptors. Nothing was sent.
    #[error("{doing}: too large for one request")]
    TooLarge {
        /// What was asked for.
        doing: String,
    },
    /// Something was said that cannot be understood.
    #[error("the keeper said what it never says: {0}")]
    Confused(String),
    /// The kernel said no.
    #[error("{doing}: {source}")]
    System {
        /// What was being done.
        doing: String,
        /// Its answer.
        source: io::Error,
    },
}

/// What comes from the keeper.
#[derive(Debug)]
pub enum Event {
    /// To the request with this token.
    Answer {
        /// Absent when the keeper could not read the request.
        token: Option<u64>,
        /// The reply.
        reply: Reply,
        /// The descriptor beside it.
        fd: Option<OwnedFd>,
    },
    /// A process started by name has ended; acknowledge it, or the next brain hears it again.
    Exit(Exit),
    /// So has one that the keeper had adopted.
    Orphan(Exit),
    /// The keeper was asked to end.
    Terminate,
}

/// A process that was started.
#[derive(Debug)]
pub struct Started {
    /// Its number.
    pub pid: i32,
    /// Its pidfd; absent when the keeper could open no more descriptors.
    pub pidfd: Option<OwnedFd>,
}

/// A process that the keeper has not reaped.
#[derive(Debug)]
pub struct Running {
    /// As it was started.
    pub name: String,
    /// Its number.
    pub pid: i32,
    /// Its pidfd, unless none could be had.
    pub pidfd: Option<OwnedFd>,
    /// When it was started: milliseconds since 1970.
    pub started: u64,
}

/// Everything that a keeper holds. Exits are not here: each comes as an event.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Ordered by name.
    pub processes: Vec<Running>,
    /// Ordered by name.
    pub descriptors: Vec<(String, OwnedFd)>,
    /// Ordered by key.
    pub states: Vec<(String, Vec<u8>)>,
    /// Exits of orphans that were forgotten since the keeper began.
    pub orphans_forgotten: u64,
}

/// What waits to be sent.
type Parcel = (Vec<u8>, Vec<OwnedFd>);

/// A connection to the keeper.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    last_token: u64,
    unsent: VecDeque<Parcel>,
    /// Came while something else was waited for.
    early: VecDeque<Event>,
    buffer: Vec<u8>,
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Client {
    /// A brain's own connection, by [`CHANNEL`]; `None` when this process was not started by a
    /// keeper. Only once, early in `main` ([`tine_sys::inherited::take_channel`]).
    ///
    /// # Errors
    /// When the variable does not name an open descriptor.
    pub fn from_environment() -> io::Result<Option<Self>> {
        let socket = tine_sys::inherited::take_channel(CHANNEL)?;
        Ok(socket.map(Self::new))
    }

    /// The connection through this socket.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            last_token: 0,
            unsent: VecDeque::new(),
            early: VecDeque::new(),
            buffer: vec![0; MAX_PACKET],
        }
    }

    /// Asks for something, with descriptors beside it (duplicates of them, if it cannot be sent at
    /// once). The token that the answer will have. Never waits.
    ///
    /// # Errors
    /// [`ClientError::TooLarge`], [`ClientError::Gone`], [`ClientError::System`].
    pub fn send(&mut self, request: Request, fds: &[BorrowedFd<'_>]) -> Result<u64, ClientError> {
        self.last_token += 1;
        let token = self.last_token;
        let doing = |request: &Request| format!("asking the keeper for {}", word(request));
        let bytes = serde_json::to_vec(&Ask {
            token,
            request: request.clone(),
        });
        let bytes = bytes.map_err(|error| ClientError::Confused(error.to_string()))?;
        if bytes.len() > MAX_PACKET || fds.len() > MAX_PACKET_DESCRIPTORS {
            let doing = doing(&request);
            return Err(ClientError::TooLarge { doing });
        }
        if self.unsent.is_empty() {
            match packet::send(self.socket.as_fd(), &bytes, fds) {
                Ok(()) => return Ok(token),
                Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM | Errno::TOOMANYREFS) => {}
                Err(errno) => return Err(lost(errno, &doing(&request))),
            }
        }
        let copies: io::Result<Vec<OwnedFd>> =
            fds.iter().map(BorrowedFd::try_clone_to_owned).collect();
        let copies = copies.map_err(|source| ClientError::System {
            doing: doing(&request),
            source,
        })?;
        self.unsent.push_back((bytes, copies));
        Ok(token)
    }

    /// Whether something waits for the socket to be writable.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends what the socket takes now.
    ///
    /// # Errors
    /// [`ClientError::Gone`], [`ClientError::System`].
    pub fn flush(&mut self) -> Result<(), ClientError> {
        while let Some((bytes, fds)) = self.unsent.front() {
            let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
            match packet::send(self.socket.as_fd(), bytes, &fds) {
                Ok(()) => {
                    self.unsent.pop_front();
                }
                Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM | Errno::TOOMANYREFS) => break,
                Err(errno) => return Err(lost(errno, "sending to the keeper")),
            }
        }
        Ok(())
    }

    /// What has come and was not taken yet; `None` when that is nothing. Never waits.
    ///
    /// # Errors
    /// [`ClientError::Gone`], [`ClientError::Confused`], [`ClientError::System`].
    pub fn poll_event(&mut self) -> Result<Option<Event>, ClientError> {
        match self.early.pop_front() {
            Some(event) => Ok(Some(event)),
            None => self.receive(),
        }
    }

    fn receive(&mut self) -> Result<Option<Event>, ClientError> {
        let received = packet::receive(self.socket.as_fd(), &mut self.buffer);
        let (length, mut fds) = match received {
            Ok(Received::Packet(length, fds)) => (length, fds),
            // What it says counts without what would have been beside it.
            Ok(Received::Bare(length)) => (length, Vec::new()),
            Ok(Received::Nothing) => return Ok(None),
            Ok(Received::End) => return Err(ClientError::Gone),
            Ok(Received::Unfit) => {
                let text = "a packet that does not fit; is the limit of descriptors reached?";
                return Err(ClientError::Confused(text.into()));
            }
            Err(errno) => return Err(lost(errno, "receiving from the keeper")),
        };
        let message = serde_json::from_slice(&self.buffer[..length]);
        let message = message.map_err(|error| ClientError::Confused(error.to_string()))?;
        Ok(Some(match message {
            Message::Answer(Answer { token, reply }) => Event::Answer {
                token,
                reply,
                fd: fds.pop(),
            },
            Message::Exit(exit) => Event::Exit(exit),
            Message::Orphan(exit) => Event::Orphan(exit),
            Message::Terminate => Event::Terminate,
        }))
    }

    /// Asks for something that has one answer and waits for it. Events that come meanwhile are
    /// kept for [`Client::poll_event`].
    ///
    /// # Errors
    /// Every one of [`ClientError`].
    pub fn call(
        &mut self,
        request: Request,
        fds: &[BorrowedFd<'_>],
        within: Duration,
    ) -> Result<(Reply, Option<OwnedFd>), ClientError> {
        let doing = format!("asking the keeper for {}", word(&request));
        let token = self.send(request, fds)?;
        self.answer(token, &doing, Instant::now(), within)
    }

    /// Waits for the next answer to this request.
    fn answer(
        &mut self,
        token: u64,
        doing: &str,
        since: Instant,
        within: Duration,
    ) -> Result<(Reply, Option<OwnedFd>), ClientError> {
        loop {
            self.flush()?;
            while let Some(event) = self.receive()? {
                match event {
                    Event::Answer {
                        token: Some(other),
                        reply,
                        fd,
                    } if other == token => return fulfilled(reply, fd, doing),
                    other => self.early.push_back(other),
                }
            }
            let Some(left) = within.checked_sub(since.elapsed()) else {
                return Err(ClientError::Late {
                    doing: doing.to_owned(),
                    waited: within,
                });
            };
            let mut flags = PollFlags::IN;
            flags.set(PollFlags::OUT, self.wants_write());
            let left = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            match poll(&mut [PollFd::new(&self.socket, flags)], Some(&left)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(lost(errno, doing)),
            }
        }
    }

    /// Says hello; the first thing to do. How many brains the keeper had before.
    ///
    /// # Errors
    /// As [`Client::call`]; [`ClientError::Refused`] by a keeper of another version.
    pub fn hello(&mut self, within: Duration) -> Result<u64, ClientError> {
        match self.call(Request::Hello { version: VERSION }, &[], within)? {
            (Reply::Welcome { earlier_brains, .. }, _) => Ok(earlier_brains),
            (other, _) => Err(confused(&other)),
        }
    }

    /// Asks to start a program, without waiting: the token of the answer.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn send_spawn(&mut self, program: &Program<'_>) -> Result<u64, ClientError> {
        let texts = packet::sealed(&program.texts()).map_err(|source| ClientError::System {
            doing: format!("writing down the environment of {}", program.name),
            source,
        })?;
        let mut fds = vec![texts.as_fd()];
        fds.extend(program.fds.iter().map(|(fd, _)| *fd));
        self.send(Request::Spawn(program.order()), &fds)
    }

    /// Starts a program.
    ///
    /// # Errors
    /// As [`Client::call`]; [`ClientError::SpawnFailed`] if it did not start.
    pub fn spawn(
        &mut self,
        program: &Program<'_>,
        within: Duration,
    ) -> Result<Started, ClientError> {
        let since = Instant::now();
        let token = self.send_spawn(program)?;
        let doing = format!("starting {}", program.name);
        match self.answer(token, &doing, since, within)? {
            (Reply::Spawned { pid }, pidfd) => Ok(Started { pid, pidfd }),
            (other, _) => Err(confused(&other)),
        }
    }

    /// Gives the keeper duplicates of descriptors to hold, as many as there are.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn put(
        &mut self,
        descriptors: &[(&str, BorrowedFd<'_>)],
        within: Duration,
    ) -> Result<(), ClientError> {
        // So many names of the greatest length fit into a packet, whatever they are made of.
        for some in descriptors.chunks(16) {
            let names = some.iter().map(|(name, _)| (*name).to_owned()).collect();
            let fds: Vec<BorrowedFd<'_>> = some.iter().map(|(_, fd)| *fd).collect();
            self.call(Request::Put { names }, &fds, within)?;
        }
        Ok(())
    }

    /// Gives the keeper bytes to hold for the next brain.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn put_state(
        &mut self,
        key: &str,
        bytes: &[u8],
        within: Duration,
    ) -> Result<(), ClientError> {
        let memfd = packet::sealed(bytes).map_err(|source| ClientError::System {
            doing: format!("writing down the state {key}"),
            source,
        })?;
        let key = key.to_owned();
        self.call(Request::PutState { key }, &[memfd.as_fd()], within)?;
        Ok(())
    }

    /// As [`put_state`](Self::put_state), without waiting: the token of the answer.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn send_state(&mut self, key: &str, bytes: &[u8]) -> Result<u64, ClientError> {
        let memfd = packet::sealed(bytes).map_err(|source| ClientError::System {
            doing: format!("writing down the state {key}"),
            source,
        })?;
        let key = key.to_owned();
        self.send(Request::PutState { key }, &[memfd.as_fd()])
    }

    /// Takes back everything that the keeper holds. The deadline is for all of it.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn list(&mut self, within: Duration) -> Result<Inventory, ClientError> {
        let since = Instant::now();
        let token = self.send(Request::List, &[])?;
        let mut all = Inventory::default();
        loop {
            let (reply, fd) = self.answer(token, "listing what the keeper holds", since, within)?;
            match (reply, fd) {
                (Reply::Process { name, pid, started }, pidfd) => all.processes.push(Running {
                    name,
                    pid,
                    pidfd,
                    started,
                }),
                (Reply::Descriptor { name }, Some(fd)) => all.descriptors.push((name, fd)),
                (Reply::State { key }, Some(memfd)) => {
                    let length = packet::sealed_length(memfd.as_fd());
                    let bytes = packet::read_sealed(memfd, length.unwrap_or(0));
                    let bytes = bytes.map_err(|source| ClientError::System {
                        doing: format!("reading the state {key}"),
                        source,
                    })?;
                    all.states.push((key, bytes));
                }
                (Reply::All { orphans_forgotten }, _) => {
                    all.orphans_forgotten = orphans_forgotten;
                    return Ok(all);
                }
                (other, _) => return Err(confused(&other)),
            }
        }
    }
}

/// What is asked for, in a word.
fn word(request: &Request) -> &'static str {
    match request {
        Request::Hello { .. } => "a welcome",
        Request::Spawn(_) => "a process",
        Request::Put { .. } => "holding descriptors",
        Request::Drop { .. } => "closing descriptors",
        Request::PutState { .. } => "holding state",
        Request::ForgetState { .. } => "forgetting state",
        Request::List => "a list",
        Request::Ack { .. } => "forgetting exits",
        Request::Finish => "its end",
    }
}

fn fulfilled(
    reply: Reply,
    fd: Option<OwnedFd>,
    doing: &str,
) -> Result<(Reply, Option<OwnedFd>), ClientError> {
    match reply {
        Reply::Refused { text } => Err(ClientError::Refused {
            doing: doing.to_owned(),
            text,
        }),
        Reply::SpawnFailed { step, errno, text } => {
            Err(ClientError::SpawnFailed { step, errno, text })
        }
        other => Ok((other, fd)),
    }
}

fn confused(reply: &Reply) -> ClientError {
    ClientError::Confused(format!("{reply:?} as an answer to another request"))
}

fn lost(errno: Errno, doing: &str) -> ClientError {
    match errno {
        Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN => ClientError::Gone,
        _ => ClientError::System {
            doing: doing.to_owned(),
            source: errno.into(),
        },
    }
}
