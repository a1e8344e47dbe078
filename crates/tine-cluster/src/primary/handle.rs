//! Which handle answers a worker's question?

use super::bind::{self, Target};
use super::event::ListeningAddress;
use super::group::Group;
use super::passing::Passing;
use super::policy::Policy;
use super::worker::WorkerId;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use tine_ipc::encode::NativeKind;
use tine_ipc::{JsScalar, QueryServer, RawJson, SocketName};
use tine_rules::balance::Order;
use tine_sys::socket::{self, Kind};

/// Sockets that one worker may have asked for, those included that it has not said to have taken.
pub(crate) const MOST_HANDLES: usize = 1000;

/// Sockets that a worker gets even when the primary has few descriptors left.
pub(super) const FIRST_HANDLES: usize = 16;

/// Bytes of a question that are kept for as long as its socket: a path and TLS ticket keys.
const QUESTION: usize = 8 * 1024;

/// The number of a handle, never used twice by one primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct HandleId(pub(super) u64);

/// What workers that asked the same question share.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) key: String,
    pub(super) query: QueryServer,
    pub(super) address: ListeningAddress,
    pub(super) source: Source,
    /// Workers that have been answered, and whether they have said that they listen.
    pub(super) members: BTreeMap<WorkerId, bool>,
    /// What the first worker attached (TLS session ticket keys).
    pub(super) data: Option<RawJson>,
    /// To be removed with the handle.
    pub(super) unlink: Option<PathBuf>,
}

#[derive(Debug)]
pub(super) enum Source {
    /// The primary accepts and passes on.
    Passing {
        passing: Box<Passing>,
        socket_name: Option<SocketName>,
    },
    /// All have the same socket.
    Shared { fd: Arc<OwnedFd>, kind: NativeKind },
    /// Each has a socket of its own.
    Group(Box<Group>),
}

impl Handle {
    /// Binds what the question asks for.
    pub(super) fn open(
        query: QueryServer,
        policy: Policy,
        inherited: &BTreeMap<i32, OwnedFd>,
    ) -> Result<Self, (ListeningAddress, io::Error)> {
        let target = match Target::of(&query) {
            Ok(_) if kept_bytes(&query) > QUESTION => {
                let error = rustix::io::Errno::TOOBIG.into();
                return Err((ListeningAddress::Descriptor(-1), error));
            }
            Ok(target) => target,
            Err(error) => return Err((ListeningAddress::Descriptor(-1), error)),
        };
        let shown = target.shown();
        Self::bind(query, policy, target, inherited).map_err(|error| (shown, error))
    }

    fn bind(
        query: QueryServer,
        policy: Policy,
        target: Target,
        inherited: &BTreeMap<i32, OwnedFd>,
    ) -> io::Result<Self> {
        let key = query.key();
        let mut unlink = None;
        let (source, address) = match target {
            Target::Tcp {
                address,
                only_v6,
                any,
            } => match policy {
                Policy::Kernel | Policy::Sticky => {
                    let group = Group::open(&key, policy, address, only_v6, any, query.backlog)?;
                    let address = group.address;
                    (
                        Source::Group(Box::new(group)),
                        ListeningAddress::Tcp(address),
                    )
                }
                Policy::RoundRobin | Policy::Least | Policy::Shared => {
                    let fd = bind::tcp(address, only_v6, any, false)?;
                    let address = socket::local_address(fd.as_fd())?;
                    let kind = NativeKind::TcpListener;
                    let source = Self::one_socket(&key, &query, policy, fd, kind)?;
                    (source, ListeningAddress::Tcp(address))
                }
            },
            Target::Udp {
                address,
                only_v6,
                reuse_address,
            } => {
                let fd = bind::udp(address, only_v6, reuse_address)?;
                let address = socket::local_address(fd.as_fd())?;
                let source = Source::Shared {
                    fd: Arc::new(fd),
                    kind: NativeKind::Datagram,
                };
                (source, ListeningAddress::Udp(address))
            }
            Target::Unix { path } => {
                let fd = bind::unix(&path, &query)?;
                unlink = Some(path.clone()).filter(|path| path.is_absolute());
                let source = Self::one_socket(&key, &query, policy, fd, NativeKind::UnixListener);
                if let (Err(_), Some(path)) = (&source, &unlink) {
                    // What stays would be "in use" at the next attempt.
                    let _ = std::fs::remove_file(path);
                }
                (source?, ListeningAddress::Unix(path))
            }
            Target::Inherited { number } => {
                let fd = inherited
                    .get(&number)
                    .ok_or(rustix::io::Errno::BADF)
                    .map_err(io::Error::from)?
                    .try_clone()?;
                let kind = match socket::kind(fd.as_fd())? {
                    Kind::TcpListener | Kind::TcpUnconnected => NativeKind::TcpListener,
                    Kind::UnixListener | Kind::UnixOther => NativeKind::UnixListener,
                    Kind::Udp => NativeKind::Datagram,
                    // Node dies of other descriptors.
                    _ => return Err(rustix::io::Errno::INVAL.into()),
                };
                rustix::io::ioctl_fionbio(&fd, true)?;
                let address = match kind {
                    NativeKind::TcpListener => {
                        ListeningAddress::Tcp(socket::local_address(fd.as_fd())?)
                    }
                    NativeKind::Datagram => {
                        ListeningAddress::Udp(socket::local_address(fd.as_fd())?)
                    }
                    _ => ListeningAddress::Descriptor(number),
                };
                let source = if kind == NativeKind::Datagram {
                    Source::Shared {
                        fd: Arc::new(fd),
                        kind,
                    }
                } else {
                    Self::one_socket(&key, &query, policy, fd, kind)?
                };
                (source, address)
            }
        };
        let data = query.data.clone();
        Ok(Self {
            key,
            query,
            address,
            source,
            members: BTreeMap::new(),
            data,
            unlink,
        })
    }

    fn one_socket(
        key: &str,
        query: &QueryServer,
        policy: Policy,
        fd: OwnedFd,
        kind: NativeKind,
    ) -> io::Result<Source> {
        // Listening already here does no harm to workers that listen again, and gives them the
        // true error number of a port that only fails at `listen()`.
        socket::listen(fd.as_fd(), query.backlog.unwrap_or(bind::DEFAULT_BACKLOG))?;
        let passed_on = matches!(policy, Policy::RoundRobin | Policy::Least);
        if !passed_on {
            return Ok(Source::Shared {
                fd: Arc::new(fd),
                kind,
            });
        }
        let (connections, socket_name) = match kind {
            NativeKind::UnixListener => (NativeKind::UnixConnection, None),
            _ => {
                let address = socket::local_address(fd.as_fd())?;
                let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
                let name = SocketName {
                    address: address.ip().to_string(),
                    family: family.to_owned(),
                    port: address.port(),
                };
                (NativeKind::TcpConnection, Some(name))
            }
        };
        // Who holds a unix connection cannot be asked for.
        let order = match policy {
            Policy::Least if connections == NativeKind::TcpConnection => Order::Least,
            _ => Order::Turns,
        };
        let passing = Passing::new(key, Some(fd), connections, order);
        Ok(Source::Passing {
            passing: Box::new(passing),
            socket_name,
        })
    }

    /// Whether a worker's report that it listens is about this handle. The report has the real
    /// port where the question had 0.
    pub(super) fn is_reported_by(&self, report: &QueryServer) -> bool {
        let asked = &self.query;
        if asked.address != report.address
            || asked.address_type != report.address_type
            || asked.fd != report.fd
            || asked.index != report.index && asked.port == JsScalar::Number(0)
        {
            return false;
        }
        if asked.port == report.port {
            return true;
        }
        let bound = match &self.address {
            ListeningAddress::Tcp(address) | ListeningAddress::Udp(address) => address.port(),
            ListeningAddress::Unix(_) | ListeningAddress::Descriptor(_) => return false,
        };
        report.port.number() == Some(i64::from(bound))
    }

    /// The connections that the primary has in its hands for this handle, if it can have any.
    pub(super) fn passing(&mut self) -> Option<&mut Passing> {
        match &mut self.source {
            Source::Passing { passing, .. } => Some(&mut **passing),
            Source::Group(group) => Some(&mut group.passing),
            Source::Shared { .. } => None,
        }
    }

    /// Whether nobody uses it, so that it may be closed.
    pub(super) fn is_unused(&self) -> bool {
        self.members.is_empty()
            && match &self.source {
                Source::Group(group) => !group.has_members(),
                Source::Passing { .. } | Source::Shared { .. } => true,
            }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(path) = &self.unlink {
            // Somebody else may have removed it: that is what was wanted.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn kept_bytes(query: &QueryServer) -> usize {
    query.key().len() + query.data.as_ref().map_or(0, |data| data.get().len())
}

/// All open handles.
#[derive(Debug, Default)]
pub(super) struct Handles {
    all: BTreeMap<HandleId, Handle>,
    by_key: BTreeMap<String, HandleId>,
    next: u64,
}

impl Handles {
    pub(super) fn add(&mut self, handle: Handle) -> HandleId {
        let id = HandleId(self.next);
        self.next += 1;
        self.by_key.insert(handle.key.clone(), id);
        self.all.insert(id, handle);
        id
    }

    /// Puts one where it was in another program image.
    pub(super) fn put(&mut self, id: HandleId, handle: Handle) {
        self.by_key.insert(handle.key.clone(), id);
        self.all.insert(id, handle);
    }

    /// The number of the next one.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn go_on_from(&mut self, next: u64) {
        self.next = next;
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (HandleId, &Handle)> {
        self.all.iter().map(|(id, handle)| (*id, handle))
    }

    pub(super) fn by_key(&self, key: &str) -> Option<HandleId> {
        self.by_key.get(key).copied()
    }

    pub(super) fn get_mut(&mut self, id: HandleId) -> Option<&mut Handle> {
        self.all.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: HandleId) -> Option<Handle> {
        let handle = self.all.remove(&id)?;
        if self.by_key.get(&handle.key) == Some(&id) {
            self.by_key.remove(&handle.key);
        }
        Some(handle)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (HandleId, &mut Handle)> {
        self.all.iter_mut().map(|(id, handle)| (*id, handle))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Handle> {
        self.all.values()
    }

    pub(super) fn unused(&self) -> BTreeSet<HandleId> {
        self.all
            .iter()
            .filter(|(_, handle)| handle.is_unused())
            .map(|(id, _)| *id)
            .collect()
    }
}
