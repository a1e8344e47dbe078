//! How does a primary go on in another program image?
//!
//! Everything that it knows is written down, and every descriptor that it has is named, so that
//! who gets both is the same primary: over `execve`, or by passing descriptors to another process.
//! What is written is JSON with pieces of bytes beside it. A field that is not known is ignored, so a
//! form can grow; an older program does not understand a kind of event or socket that is newer than
//! it, and then takes nothing over.

use super::event::ListeningAddress;
use super::group::Group;
use super::handle::{Handle, HandleId, Source};
use super::holders::Holders;
use super::launch::Seat;
use super::passing::Passing;
use super::policy::Policy;
use super::reactor::{Inner, Watched};
use super::worker::{Handoff, Link, Reply, Worker, WorkerId};
use crate::claims::{Claims, WrittenClaims};
use rustix::event::epoll;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use tine_ipc::encode::NativeKind;
use tine_ipc::{
    Dialect, Limits, OwnedParts, QueryServer, QueuedPart, Serialization, SocketName, Token,
};
use tine_rules::balance::Order;

/// The form of what is written. A reader refuses another number.
const FORM: u32 = 1;

/// A descriptor's place in the list.
pub(crate) type Place = usize;

/// What is handed over beside the JSON.
#[derive(Debug, Default)]
pub(crate) struct Luggage<'a> {
    pub(crate) descriptors: Vec<BorrowedFd<'a>>,
    /// How often each is named.
    pub(crate) uses: Vec<usize>,
    places: BTreeMap<i32, Place>,
    pub(crate) pieces: Vec<Vec<u8>>,
}

impl<'a> Luggage<'a> {
    /// One open file may be named several times; it is handed over once.
    pub(crate) fn descriptor(&mut self, fd: BorrowedFd<'a>) -> Place {
        let place = *self.places.entry(fd.as_raw_fd()).or_insert_with(|| {
            self.descriptors.push(fd);
            self.uses.push(0);
            self.descriptors.len() - 1
        });
        self.uses[place] += 1;
        place
    }

    pub(crate) fn piece(&mut self, bytes: Vec<u8>) -> usize {
        self.pieces.push(bytes);
        self.pieces.len() - 1
    }
}

/// What has been handed over, being unpacked.
#[derive(Debug, Default)]
pub(crate) struct Unpacked {
    /// With how often each is still to be had; `None` once that was all.
    descriptors: Vec<Option<(Arc<OwnedFd>, usize)>>,
    pub(crate) pieces: Vec<Vec<u8>>,
}

impl Unpacked {
    /// Puts in the descriptors, and how often each is named.
    pub(crate) fn put(&mut self, descriptors: Vec<OwnedFd>, uses: &[usize]) {
        let uses = uses.iter().copied().chain(std::iter::repeat(usize::MAX));
        let all = descriptors.into_iter().map(Arc::new).zip(uses);
        self.descriptors = all.map(Some).collect();
    }

    /// A descriptor that several may share.
    pub(crate) fn shared(&mut self, place: Place) -> io::Result<Arc<OwnedFd>> {
        let missing = || broken("a descriptor is missing");
        let slot = self.descriptors.get_mut(place).ok_or_else(missing)?;
        let (fd, uses) = slot.as_mut().ok_or_else(missing)?;
        let fd = fd.clone();
        *uses = uses.saturating_sub(1);
        // The last one takes it along: a process at its limit has no number to spare.
        if *uses == 0 {
            *slot = None;
        }
        Ok(fd)
    }

    /// A descriptor for one owner. Nearly always there is but one.
    pub(crate) fn owned(&mut self, place: Place) -> io::Result<OwnedFd> {
        Arc::try_unwrap(self.shared(place)?).or_else(|shared| shared.try_clone())
    }

    pub(crate) fn piece(&mut self, number: usize) -> io::Result<Vec<u8>> {
        let found = self.pieces.get_mut(number).map(std::mem::take);
        found.ok_or_else(|| broken("a piece of bytes is missing"))
    }
}

pub(crate) fn broken(what: &str) -> io::Error {
    let text = format!("reading what a primary handed over: {what}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// A whole primary, as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Written {
    form: u32,
    policy: Policy,
    seq: i64,
    next_worker: u32,
    next_handle: u64,
    workers: Vec<WrittenWorker>,
    handles: Vec<WrittenHandle>,
    inherited: Vec<(i32, Place)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenWorker {
    id: u32,
    pid: i32,
    pidfd: Place,
    seat: Seat,
    link: Option<WrittenLink>,
    handles: Vec<u64>,
    /// Number, handle, connection.
    handoffs: Vec<(i64, u64, Place)>,
    /// Number, what it answers, handle.
    replies: Vec<(i64, i64, u64)>,
    sent_handles: Vec<u64>,
    #[serde(default)]
    claims: WrittenClaims,
    online: bool,
    disconnecting: bool,
    exited_after_disconnect: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenLink {
    fd: Place,
    dialect: String,
    serialization: String,
    received: usize,
    /// `None` where the kernel had lost one.
    unclaimed: Vec<Option<Place>>,
    queued: Vec<WrittenPart>,
    in_flight: Vec<(u64, Place)>,
    plain_unread: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenPart {
    bytes: usize,
    handle: Option<(u64, Place)>,
    answers: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenHandle {
    id: u64,
    key: String,
    /// The question it answers, as on the wire.
    query: String,
    address: ListeningAddress,
    source: WrittenSource,
    members: Vec<(u32, bool)>,
    data: Option<String>,
    unlink: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
enum WrittenSource {
    Passing(WrittenPassing, Option<SocketName>),
    Shared(Place, WrittenKind),
    Group(Box<super::group::Written>),
}

/// See [`Passing`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WrittenPassing {
    listener: Option<Place>,
    kind: WrittenKind,
    members: Vec<u32>,
    waiting: Vec<Place>,
    /// In the order of the fewest connections: number and worker of each.
    holders: Option<Vec<(u64, u32)>>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum WrittenKind {
    TcpListener,
    UnixListener,
    TcpConnection,
    UnixConnection,
    Datagram,
}

impl From<NativeKind> for WrittenKind {
    fn from(kind: NativeKind) -> Self {
        match kind {
            NativeKind::UnixListener => Self::UnixListener,
            NativeKind::TcpConnection => Self::TcpConnection,
            NativeKind::UnixConnection => Self::UnixConnection,
            NativeKind::Datagram => Self::Datagram,
            // `TcpListener`; there is no other kind that a primary makes.
            _ => Self::TcpListener,
        }
    }
}

impl From<WrittenKind> for NativeKind {
    fn from(kind: WrittenKind) -> Self {
        match kind {
            WrittenKind::TcpListener => Self::TcpListener,
            WrittenKind::UnixListener => Self::UnixListener,
            WrittenKind::TcpConnection => Self::TcpConnection,
            WrittenKind::UnixConnection => Self::UnixConnection,
            WrittenKind::Datagram => Self::Datagram,
        }
    }
}

impl Inner {
    /// Writes everything down. Nothing changes; what has not been told yet has to be told by the
    /// caller.
    pub(crate) fn write_down<'a>(&'a self, luggage: &mut Luggage<'a>) -> io::Result<Written> {
        let workers = self.workers.iter();
        let handles = self.handles.entries();
        Ok(Written {
            form: FORM,
            policy: self.settings.policy,
            seq: self.seq,
            next_worker: self.next_worker,
            next_handle: self.handles.next(),
            workers: workers
                .map(|(id, worker)| WrittenWorker::of(*id, worker, luggage))
                .collect(),
            handles: handles
                .map(|(id, handle)| WrittenHandle::of(id, handle, luggage))
                .collect(),
            inherited: self
                .inherited
                .iter()
                .map(|(number, fd)| (*number, luggage.descriptor(fd.as_fd())))
                .collect(),
        })
    }

    /// Goes on where another one stopped. `self` is new.
    pub(crate) fn take_over(
        &mut self,
        written: Written,
        unpacked: &mut Unpacked,
    ) -> io::Result<()> {
        if written.form != FORM {
            return Err(broken(&format!("form {} is not known", written.form)));
        }
        self.settings.policy = written.policy;
        self.seq = written.seq;
        self.next_worker = written.next_worker;
        for (number, place) in written.inherited {
            let fd = unpacked.owned(place)?;
            // What this program offers by itself is newer.
            self.inherited.entry(number).or_insert(fd);
        }
        for handle in written.handles {
            let (id, handle) = handle.restore(unpacked)?;
            self.handles.put(id, handle);
            self.watch_listener(id)?;
            // Whoever was about to come has to be looked for again.
            if let Some(passing) = self.handles.get_mut(id).and_then(Handle::passing) {
                passing.listener_is_ready();
            }
            self.to_pump.insert(id);
        }
        self.handles.go_on_from(written.next_handle);
        let limits = Limits::default().message(self.settings.message_limit);
        for worker in written.workers {
            let (id, worker) = worker.restore(limits, unpacked)?;
            self.watch_worker(id, &worker)?;
            self.to_flush.insert(id);
            self.workers.insert(id, worker);
        }
        self.look_for_closed_sockets();
        Ok(())
    }

    /// Watches where connections come from, if they come here at all.
    pub(super) fn watch_listener(&mut self, id: HandleId) -> io::Result<()> {
        let handle = self.handles.get_mut(id);
        let passing = handle.and_then(Handle::passing);
        if let Some(listener) = passing.and_then(|passing| passing.listener()) {
            // Edge-triggered: it need not be switched off while nobody is free to accept for.
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(
                &*self.reactor,
                listener,
                Watched::Listener(id).pack(),
                flags,
            )?;
        }
        Ok(())
    }
}

impl WrittenWorker {
    fn of<'a>(id: WorkerId, worker: &'a Worker, luggage: &mut Luggage<'a>) -> Self {
        let link = worker.link.as_ref();
        Self {
            id: id.0,
            pid: worker.pid.as_raw_nonzero().get(),
            pidfd: luggage.descriptor(worker.pidfd.as_fd()),
            seat: worker.seat,
            link: link.map(|link| WrittenLink::of(link, luggage)),
            handles: worker.handles.iter().map(|id| id.0).collect(),
            handoffs: worker
                .handoffs
                .iter()
                .map(|it| {
                    (
                        it.seq,
                        it.handle.0,
                        luggage.descriptor(it.connection.as_fd()),
                    )
                })
                .collect(),
            replies: worker
                .replies
                .iter()
                .map(|it| (it.seq, it.ack, it.handle.0))
                .collect(),
            sent_handles: worker.sent_handles.iter().copied().collect(),
            claims: worker.claims.written(),
            online: worker.online,
            disconnecting: worker.disconnecting,
            exited_after_disconnect: worker.exited_after_disconnect,
        }
    }

    fn restore(self, limits: Limits, unpacked: &mut Unpacked) -> io::Result<(WorkerId, Worker)> {
        let handoffs = self.handoffs.into_iter().map(|(seq, handle, place)| {
            Ok(Handoff {
                seq,
                handle: HandleId(handle),
                connection: unpacked.shared(place)?,
            })
        });
        let handoffs = handoffs.collect::<io::Result<VecDeque<_>>>()?;
        let replies = self.replies.into_iter().map(|(seq, ack, handle)| Reply {
            seq,
            ack,
            handle: HandleId(handle),
        });
        let worker = Worker {
            pid: Pid::from_raw(self.pid).ok_or_else(|| broken("a process number of 0"))?,
            pidfd: unpacked.owned(self.pidfd)?,
            seat: self.seat,
            link: match self.link {
                Some(link) => Some(link.restore(limits, unpacked)?),
                None => None,
            },
            handles: self.handles.into_iter().map(HandleId).collect(),
            handoffs,
            replies: replies.collect(),
            sent_handles: self.sent_handles.into_iter().collect::<BTreeSet<_>>(),
            claims: Claims::of(self.claims),
            online: self.online,
            disconnecting: self.disconnecting,
            exited_after_disconnect: self.exited_after_disconnect,
            status: None,
        };
        Ok((WorkerId(self.id), worker))
    }
}

impl WrittenLink {
    fn of<'a>(link: &'a Link, luggage: &mut Luggage<'a>) -> Self {
        let parts = link.channel.parts();
        let unclaimed = parts.unclaimed.into_iter();
        let queued = parts.queued.into_iter();
        let in_flight = parts.in_flight.into_iter();
        Self {
            fd: luggage.descriptor(link.fd.as_fd()),
            dialect: match parts.dialect {
                Dialect::Deno => "deno",
                Dialect::Bun => "bun",
                // As it is read: what is not known to differ is Node.
                _ => "node",
            }
            .to_owned(),
            serialization: parts.serialization.to_string(),
            received: luggage.piece(parts.received.to_vec()),
            unclaimed: unclaimed
                .map(|fd| fd.map(|fd| luggage.descriptor(fd)))
                .collect(),
            queued: queued
                .map(|part| WrittenPart {
                    bytes: luggage.piece(part.bytes.to_vec()),
                    handle: part
                        .handle
                        .map(|(token, fd)| (token.0, luggage.descriptor(fd))),
                    answers: part.answers,
                })
                .collect(),
            in_flight: in_flight
                .map(|(token, fd)| (token.0, luggage.descriptor(fd)))
                .collect(),
            plain_unread: parts.plain_unread,
        }
    }

    fn restore(self, limits: Limits, unpacked: &mut Unpacked) -> io::Result<Link> {
        let dialect = match &*self.dialect {
            "deno" => Dialect::Deno,
            "bun" => Dialect::Bun,
            _ => Dialect::Node,
        };
        let serialization: Serialization = self
            .serialization
            .parse()
            .map_err(|_| broken("a serialization that is not known"))?;
        let handle = |unpacked: &mut Unpacked, (token, place): (u64, Place)| {
            io::Result::Ok((Token(token), unpacked.shared(place)?))
        };
        let mut queued = Vec::new();
        for part in self.queued {
            queued.push(QueuedPart {
                bytes: unpacked.piece(part.bytes)?,
                handle: match part.handle {
                    Some(sent) => Some(handle(unpacked, sent)?),
                    None => None,
                },
                answers: part.answers,
            });
        }
        let mut in_flight = Vec::new();
        for sent in self.in_flight {
            in_flight.push(handle(unpacked, sent)?);
        }
        let mut unclaimed = Vec::new();
        for place in self.unclaimed {
            unclaimed.push(match place {
                Some(place) => Some(unpacked.owned(place)?),
                None => None,
            });
        }
        let parts = OwnedParts {
            dialect,
            serialization,
            received: unpacked.piece(self.received)?,
            unclaimed,
            queued,
            in_flight,
            plain_unread: self.plain_unread,
        };
        let channel = tine_ipc::Channel::from_parts(limits, parts)
            .map_err(|error| broken(&error.to_string()))?;
        Ok(Link::new(unpacked.owned(self.fd)?, channel))
    }
}

impl WrittenHandle {
    fn of<'a>(id: HandleId, handle: &'a Handle, luggage: &mut Luggage<'a>) -> Self {
        let query = tine_ipc::encode::query_server(&handle.query, 0);
        Self {
            id: id.0,
            key: handle.key.clone(),
            query: String::from_utf8_lossy(&query).into_owned(),
            address: handle.address.clone(),
            source: match &handle.source {
                Source::Passing {
                    passing,
                    socket_name,
                } => WrittenSource::Passing(
                    WrittenPassing::of(passing, luggage),
                    socket_name.clone(),
                ),
                Source::Shared { fd, kind } => {
                    WrittenSource::Shared(luggage.descriptor(fd.as_fd()), (*kind).into())
                }
                Source::Group(group) => WrittenSource::Group(Box::new(group.write_down(luggage))),
            },
            members: handle
                .members
                .iter()
                .map(|(worker, listens)| (worker.0, *listens))
                .collect(),
            data: handle.data.as_ref().map(|data| data.get().to_owned()),
            unlink: handle.unlink.clone(),
        }
    }

    fn restore(self, unpacked: &mut Unpacked) -> io::Result<(HandleId, Handle)> {
        let source = match self.source {
            WrittenSource::Passing(passing, socket_name) => Source::Passing {
                passing: Box::new(passing.restore(&self.key, unpacked)?),
                socket_name,
            },
            WrittenSource::Shared(place, kind) => Source::Shared {
                fd: unpacked.shared(place)?,
                kind: kind.into(),
            },
            WrittenSource::Group(group) => {
                Source::Group(Box::new(Group::restore(*group, &self.key, unpacked)?))
            }
        };
        let handle = Handle {
            query: question(&self.query)?,
            key: self.key,
            address: self.address,
            source,
            members: self
                .members
                .into_iter()
                .map(|(worker, listens)| (WorkerId(worker), listens))
                .collect(),
            data: match self.data {
                Some(text) => Some(
                    serde_json::value::RawValue::from_string(text)
                        .map_err(|_| broken("the data of a handle"))?,
                ),
                None => None,
            },
            unlink: self.unlink,
        };
        Ok((HandleId(self.id), handle))
    }
}

/// Reads a question as a channel does.
fn question(text: &str) -> io::Result<QueryServer> {
    let mut channel = tine_ipc::Channel::new(Limits::default());
    let _ = channel.receive(format!("{text}\n").as_bytes());
    if let Some(tine_ipc::Event::Cluster(message, _)) = channel.poll_event()
        && let tine_ipc::Act::QueryServer(query) = message.act
    {
        return Ok(query);
    }
    Err(broken("the question of a handle"))
}

impl WrittenPassing {
    pub(super) fn of<'a>(passing: &'a Passing, luggage: &mut Luggage<'a>) -> Self {
        Self {
            listener: passing.listener().map(|fd| luggage.descriptor(fd.as_fd())),
            kind: passing.kind.into(),
            members: passing.rotation.workers().map(|worker| worker.0).collect(),
            waiting: passing
                .in_hand()
                .map(|connection| luggage.descriptor(connection.as_fd()))
                .collect(),
            holders: match passing.rotation.order() {
                Order::Turns => None,
                Order::Least => {
                    let all = passing.holders.all();
                    Some(all.map(|(cookie, worker)| (cookie, worker.0)).collect())
                }
            },
        }
    }

    pub(super) fn restore(self, key: &str, unpacked: &mut Unpacked) -> io::Result<Passing> {
        let listener = match self.listener {
            Some(place) => Some(unpacked.owned(place)?),
            None => None,
        };
        let order = match self.holders {
            Some(_) => Order::Least,
            None => Order::Turns,
        };
        let mut passing = Passing::new(key, listener, self.kind.into(), order);
        let holders = self.holders.into_iter().flatten();
        passing.holders = Holders::of(holders.map(|(cookie, worker)| (cookie, WorkerId(worker))));
        for worker in self.members.into_iter().map(WorkerId) {
            passing.rotation.add(worker);
            let held = passing
                .holders
                .all()
                .filter(|(_, holder)| *holder == worker);
            let held = held.count();
            passing.rotation.set_held(worker, held);
        }
        for place in self.waiting.into_iter().rev() {
            passing.take_back(unpacked.shared(place)?);
        }
        Ok(passing)
    }
}
