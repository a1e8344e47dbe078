//! How is a handle written down, with its sockets?

use crate::primary::event::ListeningAddress;
use crate::primary::group::{self, Group};
use crate::primary::handle::{Handle, HandleId, Source};
use crate::primary::holders::Holders;
use crate::primary::luggage::{Luggage, Place, Unpacked, broken};
use crate::primary::passing::Passing;
use crate::primary::worker::WorkerId;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use tine_ipc::encode::NativeKind;
use tine_ipc::{Limits, QueryServer, SocketName};
use tine_rules::balance::Order;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WrittenHandle {
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
    Group(Box<group::Written>),
}

/// See [`Passing`].
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::primary) struct WrittenPassing {
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

impl WrittenHandle {
    pub(super) fn of<'a>(id: HandleId, handle: &'a Handle, luggage: &mut Luggage<'a>) -> Self {
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
                    WrittenPassing::of(id, passing, luggage),
                    socket_name.clone(),
                ),
                Source::Shared { fd, kind } => {
                    let place = luggage.named(fd.as_fd(), || listener_name(id));
                    WrittenSource::Shared(place, (*kind).into())
                }
                Source::Group(group) => {
                    WrittenSource::Group(Box::new(group.write_down(id, luggage)))
                }
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

    pub(super) fn restore(self, unpacked: &mut Unpacked) -> io::Result<(HandleId, Handle)> {
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

fn listener_name(id: HandleId) -> String {
    format!("listener-{}", id.0)
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
    pub(in crate::primary) fn of<'a>(
        id: HandleId,
        passing: &'a Passing,
        luggage: &mut Luggage<'a>,
    ) -> Self {
        let listener = passing.listener();
        Self {
            listener: listener.map(|fd| luggage.named(fd.as_fd(), || listener_name(id))),
            kind: passing.kind.into(),
            members: passing.rotation.workers().map(|worker| worker.0).collect(),
            waiting: luggage.passing(|luggage| {
                let all = passing.in_hand();
                all.map(|connection| luggage.descriptor(connection.as_fd()))
                    .collect()
            }),
            holders: match passing.rotation.order() {
                Order::Turns => None,
                Order::Least => Some(luggage.passing(|_| {
                    let all = passing.holders.all();
                    all.map(|(cookie, worker)| (cookie, worker.0)).collect()
                })),
            },
        }
    }

    pub(in crate::primary) fn restore(
        self,
        key: &str,
        unpacked: &mut Unpacked,
    ) -> io::Result<Passing> {
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
