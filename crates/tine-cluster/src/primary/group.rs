//! Which socket does the kernel give the next connection to?
//!
//! Every worker has a socket of its own in one `SO_REUSEPORT` group; the primary keeps a
//! duplicate of each. A program on the group says which sockets receive: those of workers that
//! listen. When a worker dies its socket stays, with what is queued on it, and goes to the next
//! worker in its seat; meanwhile nothing new is steered to it as long as anybody else listens.

use super::bind;
use super::handle::HandleId;
use super::handover::WrittenPassing;
use super::launch::Seat;
use super::luggage::{Luggage, Place, Unpacked};
use super::passing::Passing;
use super::policy::{Policy, SteeringReport};
use super::worker::WorkerId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use tine_ipc::encode::NativeKind;
use tine_rules::balance::Order;
use tine_sys::socket;
use tine_sys::steer;

/// What each descriptor of the steering is called, in its order.
const STEERING_NAMES: [&str; 3] = ["live", "sockets", "program"];

/// The most sockets that exact turns are kept for in one group.
const CAPACITY: u32 = 1024;

#[derive(Debug)]
pub(super) struct Group {
    /// Holds the port: bound first and alone, so that a port in use is noticed, and never
    /// listening, so that it gets nothing.
    reserve: OwnedFd,
    pub(super) address: SocketAddr,
    only_v6: Option<bool>,
    backlog: i32,
    /// In the kernel's order: that of `listen()`; when one is closed the last takes its place.
    sockets: Vec<Socket>,
    /// The number of the next socket.
    next_socket: u32,
    /// Seats that clients are shared out among, with a live worker or not.
    seats: BTreeSet<Seat>,
    /// Seats that nobody will come to soon, and whose sockets could not be emptied yet.
    left: BTreeSet<Seat>,
    steering: Steering,
    pub(super) report: SteeringReport,
    /// For connections taken off the socket of a worker that left.
    pub(super) passing: Passing,
}

#[derive(Debug)]
struct Socket {
    fd: Arc<OwnedFd>,
    /// Never used twice in one group.
    number: u32,
    /// Its place in the eBPF map.
    place: u32,
    seat: Seat,
    holder: Holder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Holder {
    /// Given to a worker that does not say yet that it listens.
    Starting(WorkerId),
    /// A worker accepts from it.
    Listening(WorkerId),
    /// The channel has closed, the process may still accept.
    Leaving(WorkerId),
    /// Its worker has died.
    Nobody,
}

impl Holder {
    fn worker(self) -> Option<WorkerId> {
        match self {
            Self::Starting(worker) | Self::Listening(worker) | Self::Leaving(worker) => {
                Some(worker)
            }
            Self::Nobody => None,
        }
    }
}

#[derive(Debug)]
enum Steering {
    Turns(steer::RoundRobin),
    Random,
    Sticky,
    Hash,
}

/// A group as it is handed over to another program image.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Written {
    reserve: Place,
    address: SocketAddr,
    only_v6: Option<bool>,
    backlog: i32,
    sockets: Vec<WrittenSocket>,
    #[serde(default)]
    next_socket: u32,
    seats: Vec<Seat>,
    left: Vec<Seat>,
    steering: WrittenSteering,
    report: SteeringReport,
    passing: WrittenPassing,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenSocket {
    fd: Place,
    #[serde(default)]
    number: Option<u32>,
    place: u32,
    seat: Seat,
    holder: Holder,
}

#[derive(Debug, Serialize, Deserialize)]
enum WrittenSteering {
    Turns(Vec<Place>),
    Random,
    Sticky,
    Hash,
}

impl Group {
    pub(super) fn write_down<'a>(&'a self, id: HandleId, luggage: &mut Luggage<'a>) -> Written {
        let name = |what: &str| format!("group-{}-{what}", id.0);
        Written {
            reserve: luggage.named(self.reserve.as_fd(), || name("port")),
            address: self.address,
            only_v6: self.only_v6,
            backlog: self.backlog,
            sockets: self
                .sockets
                .iter()
                .map(|socket| WrittenSocket {
                    fd: luggage.named(socket.fd.as_fd(), || {
                        name(&format!("socket-{}", socket.number))
                    }),
                    number: Some(socket.number),
                    place: socket.place,
                    seat: socket.seat,
                    holder: socket.holder,
                })
                .collect(),
            next_socket: self.next_socket,
            seats: self.seats.iter().copied().collect(),
            left: self.left.iter().copied().collect(),
            steering: match &self.steering {
                Steering::Turns(turns) => {
                    let all = turns.descriptors().into_iter().zip(STEERING_NAMES);
                    let all = all.map(|(fd, what)| luggage.named(fd, || name(what)));
                    WrittenSteering::Turns(all.collect())
                }
                Steering::Random => WrittenSteering::Random,
                Steering::Sticky => WrittenSteering::Sticky,
                Steering::Hash => WrittenSteering::Hash,
            },
            report: self.report.clone(),
            passing: WrittenPassing::of(id, &self.passing, luggage),
        }
    }

    /// The kernel steers on as it did; nothing there is changed.
    pub(super) fn restore(
        written: Written,
        key: &str,
        unpacked: &mut Unpacked,
    ) -> io::Result<Self> {
        let mut sockets = Vec::new();
        let mut next_socket = written.next_socket;
        for socket in written.sockets {
            // Older forms have no numbers.
            let number = socket.number.unwrap_or(next_socket);
            next_socket = next_socket.max(number + 1);
            sockets.push(Socket {
                fd: unpacked.shared(socket.fd)?,
                number,
                place: socket.place,
                seat: socket.seat,
                holder: socket.holder,
            });
        }
        let mut report = written.report;
        let steering = match written.steering {
            WrittenSteering::Turns(places) => {
                let mut all = Vec::new();
                for place in places {
                    all.push(unpacked.owned(place)?);
                }
                match steer::RoundRobin::from_descriptors(all) {
                    Ok(turns) => Steering::Turns(turns),
                    // Another version's maps, or no permission any more.
                    Err(error) => {
                        report = SteeringReport::Random {
                            reason: error.to_string(),
                        };
                        Steering::Random
                    }
                }
            }
            WrittenSteering::Random => Steering::Random,
            WrittenSteering::Sticky => Steering::Sticky,
            WrittenSteering::Hash => Steering::Hash,
        };
        let changed = matches!(steering, Steering::Random);
        let mut group = Self {
            reserve: unpacked.owned(written.reserve)?,
            address: written.address,
            only_v6: written.only_v6,
            backlog: written.backlog,
            sockets,
            next_socket,
            seats: written.seats.into_iter().collect(),
            left: written.left.into_iter().collect(),
            steering,
            report,
            passing: written.passing.restore(key, unpacked)?,
        };
        if changed {
            group.steer();
        }
        Ok(group)
    }

    pub(super) fn open(
        key: &str,
        policy: Policy,
        address: SocketAddr,
        only_v6: Option<bool>,
        any: bool,
        backlog: Option<i32>,
    ) -> io::Result<Self> {
        let reserve = bind::tcp(address, only_v6, any, false)?;
        socket::set_reuse_port(reserve.as_fd(), true)?;
        let address = socket::local_address(reserve.as_fd())?;
        let (steering, report) = match policy {
            Policy::Sticky => (Steering::Sticky, SteeringReport::ByClientAddress),
            Policy::Kernel | Policy::RoundRobin | Policy::Least | Policy::Shared => {
                match steer::RoundRobin::new(CAPACITY) {
                    Ok(turns) => (Steering::Turns(turns), SteeringReport::ExactTurns),
                    Err(error) => (
                        Steering::Random,
                        SteeringReport::Random {
                            reason: error.to_string(),
                        },
                    ),
                }
            }
        };
        Ok(Self {
            reserve,
            address,
            only_v6: if address.is_ipv6() { only_v6 } else { None },
            backlog: backlog.unwrap_or(bind::DEFAULT_BACKLOG),
            sockets: Vec::new(),
            next_socket: 0,
            seats: BTreeSet::new(),
            left: BTreeSet::new(),
            steering,
            report,
            passing: Passing::new(key, None, NativeKind::TcpConnection, Order::Turns),
        })
    }

    /// A socket for a worker: the one that the last worker in its seat left behind, else one that
    /// anybody left behind, else a new one.
    pub(super) fn socket_for(&mut self, worker: WorkerId, seat: Seat) -> io::Result<Arc<OwnedFd>> {
        self.seats.insert(seat);
        self.left.remove(&seat);
        let free = |socket: &&mut Socket| socket.holder == Holder::Nobody;
        let found = self
            .sockets
            .iter_mut()
            .filter(free)
            .min_by_key(|socket| socket.seat != seat);
        if let Some(socket) = found {
            socket.holder = Holder::Starting(worker);
            socket.seat = seat;
            return Ok(socket.fd.clone());
        }
        let fd = bind::tcp(self.address, self.only_v6, false, true)?;
        socket::listen(fd.as_fd(), self.backlog)?;
        let fd = Arc::new(fd);
        let place = self.free_place();
        if let Steering::Turns(turns) = &self.steering {
            let placed = turns.set_socket(place, fd.as_fd());
            let attached = placed.and_then(|()| turns.attach(fd.as_fd()));
            if let Err(error) = attached {
                self.steering = Steering::Random;
                self.report = SteeringReport::Random {
                    reason: error.to_string(),
                };
            }
        }
        let holder = Holder::Starting(worker);
        let number = self.next_socket;
        self.next_socket += 1;
        self.sockets.push(Socket {
            fd: fd.clone(),
            number,
            place,
            seat,
            holder,
        });
        self.steer();
        Ok(fd)
    }

    fn free_place(&self) -> u32 {
        (0..CAPACITY)
            .find(|place| self.sockets.iter().all(|socket| socket.place != *place))
            .unwrap_or(CAPACITY)
    }

    /// The worker has said that it listens: it receives from now on. Whether it also takes
    /// connections that others have left behind depends on its runtime.
    pub(super) fn listening(&mut self, worker: WorkerId, takes_connections: bool) {
        for socket in &mut self.sockets {
            if socket.holder == Holder::Starting(worker) {
                socket.holder = Holder::Listening(worker);
            }
        }
        if takes_connections {
            self.passing.rotation.add(worker);
        }
        self.empty_left_seats();
        self.steer();
    }

    /// The worker's channel has closed; its process may live on.
    pub(super) fn leaving(&mut self, worker: WorkerId) {
        self.passing.rotation.remove(worker);
        for socket in &mut self.sockets {
            if socket.holder.worker() == Some(worker) {
                socket.holder = Holder::Leaving(worker);
            }
        }
        self.steer();
    }

    /// The worker's process has ended: its socket waits for the next one in its seat.
    pub(super) fn died(&mut self, worker: WorkerId) {
        self.passing.rotation.remove(worker);
        for socket in &mut self.sockets {
            if socket.holder.worker() == Some(worker) {
                socket.holder = Holder::Nobody;
            }
        }
        self.steer();
    }

    /// The worker has closed its server: a kept duplicate must not keep the port open. What was
    /// queued goes to the others.
    pub(super) fn closed(&mut self, worker: WorkerId) {
        self.passing.rotation.remove(worker);
        self.drop_sockets(|socket| socket.holder.worker() == Some(worker));
    }

    /// Nobody will come to this seat soon, or, `for_good`, any more: what waits there goes to the
    /// others. If there are none, it waits for one.
    pub(super) fn release(&mut self, seat: Seat, for_good: bool) {
        self.left.insert(seat);
        if for_good {
            self.seats.remove(&seat);
        }
        self.empty_left_seats();
    }

    /// Empties the sockets of seats that nobody will come to soon, once there is somebody to take
    /// what waits there.
    fn empty_left_seats(&mut self) {
        if self.left.is_empty() || self.passing.rotation.is_empty() {
            return;
        }
        let left = std::mem::take(&mut self.left);
        self.drop_sockets(|socket| socket.holder == Holder::Nobody && left.contains(&socket.seat));
    }

    fn drop_sockets(&mut self, unwanted: impl Fn(&Socket) -> bool) {
        let mut at = 0;
        let mut doomed = Vec::new();
        // First steer away, so that nothing new arrives on what is being emptied.
        for socket in self.sockets.iter_mut().filter(|socket| unwanted(socket)) {
            socket.holder = Holder::Nobody;
            doomed.push(socket.fd.clone());
        }
        if doomed.is_empty() {
            return;
        }
        self.steer();
        while at < self.sockets.len() {
            if !doomed
                .iter()
                .any(|fd| Arc::ptr_eq(fd, &self.sockets[at].fd))
            {
                at += 1;
                continue;
            }
            let socket = self.sockets.swap_remove(at);
            if !self.passing.rotation.is_empty() {
                while let Ok(Some(connection)) = socket::accept(socket.fd.as_fd()) {
                    self.passing.take_back(Arc::new(connection));
                }
            }
            if let Steering::Turns(turns) = &self.steering {
                // It leaves the map by itself when it is closed; this is only earlier.
                let _ = turns.clear_socket(socket.place);
            }
            // Out of the group now, whoever else still holds a duplicate.
            let _ = rustix::net::shutdown(&socket.fd, rustix::net::Shutdown::Both);
        }
        self.steer();
    }

    /// Whether any worker uses it or may still come to use what was left.
    pub(super) fn has_members(&self) -> bool {
        self.sockets
            .iter()
            .any(|socket| socket.holder != Holder::Nobody)
    }

    /// Says to the kernel which sockets receive.
    fn steer(&mut self) {
        let Some(first) = self.sockets.first() else {
            return;
        };
        let group = first.fd.as_fd();
        let receives = |socket: &Socket| matches!(socket.holder, Holder::Listening(_));
        let result = match &self.steering {
            Steering::Turns(turns) => {
                let live: Vec<u32> = self
                    .sockets
                    .iter()
                    .filter(|s| receives(s))
                    .map(|s| s.place)
                    .collect();
                turns.set_live(&live)
            }
            Steering::Random => {
                let live: Vec<u32> = (0..)
                    .zip(&self.sockets)
                    .filter(|(_, socket)| receives(socket))
                    .map(|(index, _)| index)
                    .collect();
                steer::attach_random(group, &live)
            }
            Steering::Sticky => steer::attach_sticky(group, &self.sticky_table()),
            Steering::Hash => Ok(()),
        };
        if let Err(error) = result {
            self.steering = Steering::Hash;
            self.report = SteeringReport::Hash {
                reason: error.to_string(),
            };
        }
    }

    /// For every seat the socket that its clients reach. The clients of a seat without a live
    /// worker are spread over the next ones, and come back; those of the others stay where they
    /// are.
    fn sticky_table(&self) -> Vec<u32> {
        let live: BTreeMap<Seat, u32> = (0..)
            .zip(&self.sockets)
            .filter(|(_, socket)| matches!(socket.holder, Holder::Listening(_)))
            .map(|(index, socket)| (socket.seat, index))
            .collect();
        let next = |seat: &Seat| {
            live.range(seat..)
                .chain(&live)
                .next()
                .map(|(_, index)| *index)
        };
        self.seats.iter().filter_map(next).collect()
    }
}
