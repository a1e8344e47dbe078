//! The keeper's end of the connection to one brain.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::packet;
use crate::protocol::{Answer, Message, Reply};
use crate::tables::Tables;

/// A connection. At most one request is being answered at any time, and no other is read until
/// the brain has taken the answer: nothing piles up for a brain that does not read.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) socket: OwnedFd,
    /// The brain has said hello, in a version that is spoken here.
    pub(crate) greeted: bool,
    pub(crate) pending: Option<Pending>,
    /// The brain does not listen any more; what it said before it went may still be read.
    deaf: bool,
    told_to_terminate: bool,
    /// The last exit that this brain was told.
    told: u64,
}

/// What is still to be said to the request that was read last.
#[derive(Debug)]
pub(crate) enum Pending {
    Answer(Answer, Option<OwnedFd>),
    /// A list, and how far it has come.
    List(u64, Stage),
}

/// What of a list comes next: what follows this name.
#[derive(Debug)]
pub(crate) enum Stage {
    Processes(Option<String>),
    Descriptors(Option<String>),
    States(Option<String>),
    All,
}

/// What keeps the keeper from saying more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hindrance {
    /// There is no more to say.
    Nothing,
    /// The brain has to read first.
    Full,
    /// Too many descriptors of this user are under way (unix(7), `ETOOMANYREFS`), or memory is
    /// short. No event tells when that is over.
    Shortage,
}

impl Link {
    /// A connection, and the brain's end of it.
    pub(crate) fn new() -> rustix::io::Result<(Self, OwnedFd)> {
        let (socket, brains) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let link = Self {
            socket,
            greeted: false,
            pending: None,
            deaf: false,
            told_to_terminate: false,
            told: 0,
        };
        Ok((link, brains))
    }

    pub(crate) fn answer(&mut self, token: Option<u64>, reply: Reply, fd: Option<OwnedFd>) {
        self.pending = Some(Pending::Answer(Answer { token, reply }, fd));
    }

    /// Nothing more is said; what there is to read may be read.
    pub(crate) fn deafen(&mut self) {
        self.deaf = true;
        self.pending = None;
    }

    /// Says what there is to say, as far as the brain takes it.
    pub(crate) fn speak(&mut self, tables: &Tables, terminate: bool) -> Hindrance {
        loop {
            if self.deaf {
                self.pending = None;
                return Hindrance::Nothing;
            }
            let said = match self.pending.take() {
                Some(Pending::Answer(answer, fd)) => {
                    let said = self.say(
                        Message::Answer(answer.clone()),
                        fd.as_ref().map(AsFd::as_fd),
                    );
                    if said.is_err() {
                        self.pending = Some(Pending::Answer(answer, fd));
                    }
                    said
                }
                Some(Pending::List(token, stage)) => self.list(tables, token, stage),
                None if !self.greeted => return Hindrance::Nothing,
                None if terminate && !self.told_to_terminate => {
                    let said = self.say(Message::Terminate, None);
                    self.told_to_terminate = said.is_ok();
                    said
                }
                None => {
                    let later = (Excluded(self.told), Unbounded);
                    let Some((seq, exit)) = tables.exits.range(later).next() else {
                        return Hindrance::Nothing;
                    };
                    let exit = exit.clone();
                    let said = self.say(
                        if exit.name.is_some() {
                            Message::Exit(exit)
                        } else {
                            Message::Orphan(exit)
                        },
                        None,
                    );
                    if said.is_ok() {
                        self.told = *seq;
                    }
                    said
                }
            };
            match said {
                Ok(()) => {}
                Err(Errno::AGAIN) => return Hindrance::Full,
                Err(Errno::TOOMANYREFS | Errno::NOBUFS | Errno::NOMEM) => {
                    return Hindrance::Shortage;
                }
                Err(_) => self.deaf = true,
            }
        }
    }

    fn say(&self, message: Message, fd: Option<BorrowedFd<'_>>) -> rustix::io::Result<()> {
        // Such types always become JSON.
        let bytes = serde_json::to_vec(&message).map_err(|_| Errno::INVAL)?;
        packet::send(self.socket.as_fd(), &bytes, fd.as_slice())
    }

    /// Says one entry of a list and remembers what follows.
    fn list(&mut self, tables: &Tables, token: u64, stage: Stage) -> rustix::io::Result<()> {
        let (reply, fd, next) = match &stage {
            Stage::Processes(after) => match after_name(&tables.processes, after.as_deref()) {
                Some((name, process)) => {
                    let fd = pidfd_open(process.pid, PidfdFlags::empty()).ok();
                    let reply = Reply::Process {
                        name: name.clone(),
                        pid: process.pid.as_raw_pid(),
                        started: process.started,
                    };
                    (
                        reply,
                        fd.map(Held::Own),
                        Stage::Processes(Some(name.clone())),
                    )
                }
                None => {
                    self.pending = Some(Pending::List(token, Stage::Descriptors(None)));
                    return Ok(());
                }
            },
            Stage::Descriptors(after) => match after_name(&tables.descriptors, after.as_deref()) {
                Some((name, fd)) => {
                    let reply = Reply::Descriptor { name: name.clone() };
                    (
                        reply,
                        Some(Held::Table(fd.as_fd())),
                        Stage::Descriptors(Some(name.clone())),
                    )
                }
                None => {
                    self.pending = Some(Pending::List(token, Stage::States(None)));
                    return Ok(());
                }
            },
            Stage::States(after) => match after_name(&tables.states, after.as_deref()) {
                Some((key, state)) => {
                    let reply = Reply::State { key: key.clone() };
                    let fd = Held::Table(state.memfd.as_fd());
                    (reply, Some(fd), Stage::States(Some(key.clone())))
                }
                None => {
                    self.pending = Some(Pending::List(token, Stage::All));
                    return Ok(());
                }
            },
            Stage::All => {
                let orphans_forgotten = tables.orphans_forgotten;
                self.answer(Some(token), Reply::All { orphans_forgotten }, None);
                return Ok(());
            }
        };
        let answer = Answer {
            token: Some(token),
            reply,
        };
        let said = self.say(Message::Answer(answer), fd.as_ref().map(Held::as_fd));
        let next = if said.is_ok() { next } else { stage };
        self.pending = Some(Pending::List(token, next));
        said
    }
}

/// What goes beside an entry.
enum Held<'fd> {
    Own(OwnedFd),
    Table(BorrowedFd<'fd>),
}

impl Held<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Own(fd) => fd.as_fd(),
            Self::Table(fd) => *fd,
        }
    }
}

/// The first entry whose name follows this one; the list survives changes between entries.
fn after_name<'t, T>(
    table: &'t BTreeMap<String, T>,
    name: Option<&str>,
) -> Option<(&'t String, &'t T)> {
    let from = name.map_or(Unbounded, Excluded);
    table.range::<str, _>((from, Unbounded)).next()
}
