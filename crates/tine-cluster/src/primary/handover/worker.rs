//! How is a worker written down, with its channel?

use crate::claims::{Claims, WrittenClaims};
use crate::primary::handle::HandleId;
use crate::primary::launch::Seat;
use crate::primary::luggage::{Luggage, Place, Unpacked, broken};
use crate::primary::worker::{Handoff, Link, Process, Reply, Worker, WorkerId};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::AsFd;
use tine_ipc::{Dialect, Limits, OwnedParts, QueuedPart, Serialization, Token};

/// What the name of a channel's descriptor begins with.
pub(in crate::primary) const CHANNEL_NAME: &str = "channel-";

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WrittenWorker {
    id: u32,
    pid: i32,
    pidfd: Option<Place>,
    /// Somebody else waits for its end.
    #[serde(default)]
    told: bool,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    received: Option<usize>,
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

impl WrittenWorker {
    pub(super) fn of<'a>(id: WorkerId, worker: &'a Worker, luggage: &mut Luggage<'a>) -> Self {
        let link = worker.link.as_ref();
        let (pidfd, told) = match &worker.process {
            // Whoever goes on after this process was killed is not its parent.
            _ if luggage.is_lasting() => (None, true),
            Process::Child(pidfd) => (Some(luggage.descriptor(pidfd.as_fd())), false),
            Process::Told(pidfd) => {
                let pidfd = pidfd.as_ref();
                (pidfd.map(|pidfd| luggage.descriptor(pidfd.as_fd())), true)
            }
        };
        Self {
            id: id.0,
            pid: worker.pid.as_raw_nonzero().get(),
            pidfd,
            told,
            seat: worker.seat,
            link: link.map(|link| WrittenLink::of(id, link, luggage)),
            handles: worker.handles.iter().map(|id| id.0).collect(),
            handoffs: luggage.passing(|luggage| {
                let all = worker.handoffs.iter().map(|it| {
                    let connection = luggage.descriptor(it.connection.as_fd());
                    (it.seq, it.handle.0, connection)
                });
                all.collect()
            }),
            replies: luggage.passing(|_| {
                let all = worker.replies.iter();
                all.map(|it| (it.seq, it.ack, it.handle.0)).collect()
            }),
            sent_handles: luggage.passing(|_| worker.sent_handles.iter().copied().collect()),
            claims: match luggage.is_lasting() {
                true => worker.claims.awaited(),
                false => worker.claims.written(),
            },
            online: worker.online,
            disconnecting: worker.disconnecting,
            exited_after_disconnect: worker.exited_after_disconnect,
        }
    }

    pub(super) fn restore(
        self,
        limits: Limits,
        unpacked: &mut Unpacked,
    ) -> io::Result<(WorkerId, Worker)> {
        let pidfd = match self.pidfd {
            Some(place) => Some(unpacked.owned(place)?),
            None => None,
        };
        let process = match (pidfd, self.told) {
            (pidfd, true) => Process::Told(pidfd),
            (Some(pidfd), false) => Process::Child(pidfd),
            (None, false) => return Err(broken("a process without a pidfd")),
        };
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
            process,
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
    fn of<'a>(id: WorkerId, link: &'a Link, luggage: &mut Luggage<'a>) -> Self {
        let parts = link.channel.parts();
        let unclaimed = parts.unclaimed.into_iter();
        let queued = parts.queued.into_iter();
        let in_flight = parts.in_flight.into_iter();
        Self {
            fd: luggage.named(link.fd.as_fd(), || format!("{CHANNEL_NAME}{id}")),
            dialect: match parts.dialect {
                Dialect::Deno => "deno",
                Dialect::Bun => "bun",
                // As it is read: what is not known to differ is Node.
                _ => "node",
            }
            .to_owned(),
            serialization: parts.serialization.to_string(),
            received: match luggage.is_lasting() {
                true => None,
                false => Some(luggage.piece(parts.received.to_vec())),
            },
            unclaimed: luggage.passing(|luggage| {
                let all = unclaimed.map(|fd| fd.map(|fd| luggage.descriptor(fd)));
                all.collect()
            }),
            queued: luggage.passing(|luggage| {
                let all = queued.map(|part| WrittenPart {
                    bytes: luggage.piece(part.bytes.to_vec()),
                    handle: part
                        .handle
                        .map(|(token, fd)| (token.0, luggage.descriptor(fd))),
                    answers: part.answers,
                });
                all.collect()
            }),
            in_flight: luggage.passing(|luggage| {
                let all = in_flight.map(|(token, fd)| (token.0, luggage.descriptor(fd)));
                all.collect()
            }),
            // Unknown to who comes after a kill: it has to ask the kernel.
            plain_unread: luggage.is_lasting() || parts.plain_unread,
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
            received: match self.received {
                Some(number) => unpacked.piece(number)?,
                None => Vec::new(),
            },
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
