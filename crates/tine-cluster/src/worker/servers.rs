//! Which listeners has this worker, and what waits for each?

use super::state::{Leaving, State};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Waker};
use tine_ipc::{JsScalar, QueryServer, Reply, encode};
use tine_sys::socket::{self, Kind};
use tokio::sync::oneshot;

/// Connections that may wait to be accepted by the program; more are refused, and go to other
/// workers.
const QUEUE: usize = 128;

/// What Node uses when the program gives no backlog.
const DEFAULT_BACKLOG: i32 = 511;

/// What kind of socket is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Tcp,
    Unix,
    Udp,
}

/// A question that the primary has not answered.
#[derive(Debug)]
pub(super) struct Asked {
    query: QueryServer,
    base: String,
    wanted: Wanted,
    reply: oneshot::Sender<io::Result<Granted>>,
}

/// The primary's answer: a place in its list of listeners.
#[derive(Debug)]
pub(super) struct Granted {
    /// Which of the servers here it is; of no meaning for UDP.
    pub(super) server: ServerId,
    /// This process's own socket, unless the primary accepts for all.
    pub(super) socket: Option<OwnedFd>,
    /// The address with the real port.
    pub(super) address: Option<SocketAddr>,
    /// What it is called, for UDP: there is no server here that knows.
    datagram: Option<Named>,
}

#[derive(Debug)]
struct Named {
    key: String,
    base: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServerId(u64);

#[derive(Debug)]
struct Server {
    id: ServerId,
    key: String,
    base: String,
    /// What the primary has passed on and nobody has answered.
    passed: VecDeque<Passed>,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct Passed {
    fd: OwnedFd,
    seq: i64,
}

/// What an asker for the next connection gets.
pub(super) enum Next {
    /// One that the primary has passed on.
    Connection(OwnedFd),
    /// There is none now.
    Waiting,
    /// The primary is gone: it will pass on no more.
    Gone,
    /// This worker has closed the listener.
    Closed,
    /// This worker is to leave, and its program knows: what comes now is for others.
    Never,
}

#[derive(Debug, Default)]
pub(super) struct Servers {
    open: Vec<Server>,
    next_id: u64,
    /// By address: how often it was asked for since it was last not in use, and how many are open.
    indexes: HashMap<String, Index>,
}

#[derive(Debug, Default)]
struct Index {
    next: i64,
    open: usize,
}

impl Servers {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn wake_all(&mut self, wakes: &mut Vec<Waker>) {
        wakes.extend(
            self.open
                .iter_mut()
                .filter_map(|server| server.waker.take()),
        );
    }

    fn take_index(&mut self, base: &str) -> i64 {
        let index = self.indexes.entry(base.to_owned()).or_default();
        index.open += 1;
        index.next += 1;
        index.next - 1
    }

    fn release_index(&mut self, base: &str) {
        if let Some(index) = self.indexes.get_mut(base) {
            index.open -= 1;
            if index.open == 0 {
                self.indexes.remove(base);
            }
        }
    }

    fn add(&mut self, key: String, base: String) -> ServerId {
        let id = ServerId(self.next_id);
        self.next_id += 1;
        self.open.push(Server {
            id,
            key,
            base,
            passed: VecDeque::new(),
            waker: None,
        });
        id
    }
}

impl State {
    /// Asks the primary for a socket.
    pub(super) fn ask(
        &mut self,
        mut query: QueryServer,
        wanted: Wanted,
    ) -> io::Result<oneshot::Receiver<io::Result<Granted>>> {
        if !self.is_open() {
            return Err(primary_is_gone());
        }
        if self.leaving != Leaving::No {
            return Err(leaving());
        }
        let (reply, replied) = oneshot::channel();
        // The nth socket on port 0 is the same port in every worker.
        let base = format!(
            "{}:{}:{}:{}",
            query.address, query.port, query.address_type, query.fd
        );
        query.index = self.servers.take_index(&base);
        let seq = self.seq();
        self.channel
            .send_cluster(&encode::query_server(&query, seq));
        let asked = Asked {
            query,
            base,
            wanted,
            reply,
        };
        self.asked.insert(seq, asked);
        Ok(replied)
    }

    pub(super) fn answered(&mut self, asked: Asked, reply: Reply, fd: Option<OwnedFd>) {
        let Asked {
            mut query,
            base,
            wanted,
            reply: waiting,
        } = asked;
        if let Some(errno) = reply.errno.filter(|errno| *errno < 0) {
            self.servers.release_index(&base);
            let _ = waiting.send(Err(io::Error::from_raw_os_error(-errno)));
            return;
        }
        let key = reply.key.clone().unwrap_or_default();
        let (socket, address) = match usable(&query, wanted, &reply, fd) {
            Ok(usable) => usable,
            Err(error) => {
                self.servers.release_index(&base);
                let seq = self.seq();
                self.channel.send_cluster(&encode::close(&key, seq));
                let _ = waiting.send(Err(error));
                return;
            }
        };
        if wanted == Wanted::Udp && waiting.is_closed() {
            self.servers.release_index(&base);
            let seq = self.seq();
            self.channel.send_cluster(&encode::close(&key, seq));
            return;
        }
        let (server, datagram) = match wanted {
            Wanted::Tcp | Wanted::Unix => (self.servers.add(key, base), None),
            // Nothing is passed on, and nobody sees when the program closes it.
            Wanted::Udp => (ServerId(u64::MAX), Some(Named { key, base })),
        };
        if let Some(address) = address {
            if wanted == Wanted::Tcp && !self.ports.contains(&address.port()) {
                self.ports.push(address.port());
            }
            query.port = JsScalar::Number(i64::from(address.port()));
        }
        let seq = self.seq();
        self.channel.send_cluster(&encode::listening(&query, seq));
        let granted = Granted {
            server,
            socket,
            address,
            datagram,
        };
        if let Err(Ok(granted)) = waiting.send(Ok(granted)) {
            self.return_grant(granted);
        }
    }

    /// The program does not want any more what it has asked for.
    pub(super) fn return_grant(&mut self, granted: Granted) {
        // Before the primary hears of it.
        drop(granted.socket);
        match granted.datagram {
            None => self.close_server(granted.server),
            Some(Named { key, base }) => {
                self.servers.release_index(&base);
                if self.is_open() {
                    let seq = self.seq();
                    self.channel.send_cluster(&encode::close(&key, seq));
                }
            }
        }
    }

    /// Puts a connection before its listener, who will answer it. `false` sends it on to another
    /// worker.
    pub(super) fn pass(&mut self, key: &str, fd: OwnedFd, seq: i64) -> bool {
        if self.takes_no_more() {
            return false;
        }
        let mut servers = self.servers.open.iter_mut();
        let Some(server) = servers.find(|server| server.key == key) else {
            return false;
        };
        if server.passed.len() >= QUEUE {
            return false;
        }
        server.passed.push_back(Passed { fd, seq });
        self.wakes.extend(server.waker.take());
        true
    }

    pub(super) fn answer_connection(&mut self, seq: i64, taken: bool) {
        if !self.is_open() {
            return;
        }
        let own = self.seq();
        self.channel
            .send_cluster(&encode::accepted(seq, taken, own));
    }

    /// The next connection for a listener; it counts as taken from now on.
    pub(super) fn next_connection(&mut self, id: ServerId, cx: &Context<'_>) -> Next {
        let takes_no_more = self.takes_no_more();
        let is_gone = self.socket.is_none();
        let mut servers = self.servers.open.iter_mut();
        let Some(server) = servers.find(|server| server.id == id) else {
            return if takes_no_more {
                Next::Never
            } else {
                Next::Closed
            };
        };
        if takes_no_more {
            server.waker = Some(cx.waker().clone());
            return Next::Never;
        }
        let Some(Passed { fd, seq }) = server.passed.pop_front() else {
            if is_gone {
                return Next::Gone;
            }
            match &mut server.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                None => server.waker = Some(cx.waker().clone()),
            }
            return Next::Waiting;
        };
        self.answer_connection(seq, true);
        self.flush();
        if !self.is_open() {
            // The primary has not heard it: it is for others.
            return Next::Gone;
        }
        Next::Connection(fd)
    }

    /// What the program has not taken goes to other workers.
    pub(super) fn give_up_passed(&mut self) {
        let servers = self.servers.open.iter_mut();
        let passed: Vec<Passed> = servers.flat_map(|server| server.passed.drain(..)).collect();
        for Passed { fd, seq } in passed {
            drop(fd);
            self.answer_connection(seq, false);
        }
    }

    /// The channel is no more: the primary gives to others what has had no answer, and a connection
    /// has one owner.
    pub(super) fn drop_passed(&mut self) {
        for server in &mut self.servers.open {
            server.passed.clear();
        }
    }

    /// Whether no connection comes any more, and nothing is lost by saying so.
    pub(super) fn has_ended(&self, id: ServerId) -> bool {
        let is_open = self.servers.open.iter().any(|server| server.id == id);
        self.takes_no_more() && (self.all_begun || !is_open)
    }

    /// Closes one listener: what the program has not taken goes to other workers.
    pub(super) fn close_server(&mut self, id: ServerId) {
        let open = &mut self.servers.open;
        let Some(at) = open.iter().position(|server| server.id == id) else {
            return;
        };
        let server = open.remove(at);
        self.wakes.extend(server.waker);
        self.servers.release_index(&server.base);
        for Passed { fd, seq } in server.passed {
            // Before it goes elsewhere: its client must not see two owners.
            drop(fd);
            self.answer_connection(seq, false);
        }
        if self.is_open() {
            let seq = self.seq();
            self.channel.send_cluster(&encode::close(&server.key, seq));
        }
    }

    /// The program has taken the socket itself: nobody will see when it closes it.
    pub(super) fn forget_server(&mut self, id: ServerId) {
        let open = &mut self.servers.open;
        if let Some(at) = open.iter().position(|server| server.id == id) {
            let server = open.remove(at);
            for Passed { fd, seq } in server.passed {
                drop(fd);
                self.answer_connection(seq, false);
            }
        }
    }

    pub(super) fn close_servers(&mut self) {
        while let Some(server) = self.servers.open.first() {
            self.close_server(server.id);
        }
    }
}

pub(super) fn primary_is_gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the primary is gone")
}

pub(super) fn leaving() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "this worker leaves its cluster",
    )
}

/// The socket that came with an answer, ready for use, and the address it has.
fn usable(
    query: &QueryServer,
    wanted: Wanted,
    reply: &Reply,
    fd: Option<OwnedFd>,
) -> io::Result<(Option<OwnedFd>, Option<SocketAddr>)> {
    let invalid = |text| io::Error::new(io::ErrorKind::InvalidData, text);
    let Some(fd) = fd else {
        return match wanted {
            Wanted::Udp => Err(invalid("the primary sent no UDP socket")),
            Wanted::Unix => Ok((None, None)),
            Wanted::Tcp => {
                let name = reply.socket_name.as_ref();
                let name = name.ok_or_else(|| invalid("the primary did not say its address"))?;
                let ip = name.address.parse();
                let ip = ip.map_err(|_| invalid("the primary's address is no IP address"))?;
                let address = SocketAddr::new(ip, name.port);
                same_port(query, address)?;
                Ok((None, Some(address)))
            }
        };
    };
    rustix::io::ioctl_fionbio(&fd, true)?;
    let is_wanted = match (wanted, socket::kind(fd.as_fd())?) {
        (Wanted::Tcp, kind) => matches!(kind, Kind::TcpListener | Kind::TcpUnconnected),
        (Wanted::Unix, kind) => matches!(kind, Kind::UnixListener | Kind::UnixOther),
        (Wanted::Udp, kind) => kind == Kind::Udp,
    };
    if !is_wanted {
        return Err(invalid("the primary sent a socket of another kind"));
    }
    let mut address = None;
    if wanted != Wanted::Unix {
        // Before it listens: libuv leaves a socket unbound whose address was in use, and listening
        // would give it any port.
        let bound = socket::local_address(fd.as_fd())?;
        same_port(query, bound)?;
        address = Some(bound);
    }
    if wanted != Wanted::Udp {
        socket::listen(fd.as_fd(), query.backlog.unwrap_or(DEFAULT_BACKLOG))?;
    }
    Ok((Some(fd), address))
}

fn same_port(query: &QueryServer, bound: SocketAddr) -> io::Result<()> {
    match query.port.number() {
        Some(port) if port > 0 && port != i64::from(bound.port()) => {
            Err(rustix::io::Errno::ADDRINUSE.into())
        }
        _ => Ok(()),
    }
}
