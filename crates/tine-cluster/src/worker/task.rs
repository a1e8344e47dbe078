//! What does a worker say to its primary? One task owns the channel.

use super::is_listener;
use super::listener::{Listener, Passed};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use tine_ipc::unix::{Flushed, Received};
use tine_ipc::{Act, Channel, Cluster, Event, JsScalar, Limits, QueryServer, Reply, encode};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};

/// Connections that may wait to be accepted by the program; more are refused, and go to other
/// workers.
const QUEUE: usize = 128;

/// What the program wants of the channel.
#[derive(Debug)]
pub(super) enum Command {
    Listen {
        query: QueryServer,
        reply: oneshot::Sender<io::Result<Listener>>,
    },
    /// The program has taken a connection that was passed on, or never will.
    Answer {
        seq: i64,
        taken: bool,
    },
    Close {
        key: String,
    },
}

struct Task {
    channel: Channel,
    commands: mpsc::WeakUnboundedSender<Command>,
    leave: watch::Sender<bool>,
    seq: i64,
    asked: HashMap<i64, (QueryServer, oneshot::Sender<io::Result<Listener>>)>,
    /// By key: where passed connections go.
    servers: HashMap<String, mpsc::Sender<Passed>>,
    /// How often each address was asked for.
    indexes: HashMap<String, i64>,
    disconnecting: bool,
}

/// Starts the task. It ends when the channel closes, or after a `disconnect` with the last
/// listener.
pub(super) fn start(
    channel: OwnedFd,
    received: mpsc::UnboundedReceiver<Command>,
    commands: mpsc::WeakUnboundedSender<Command>,
    leave: watch::Sender<bool>,
) -> io::Result<()> {
    let socket = UnixStream::from_std(std::os::unix::net::UnixStream::from(channel))?;
    let mut task = Task {
        channel: Channel::new(Limits::default()),
        commands,
        leave,
        seq: 0,
        asked: HashMap::new(),
        servers: HashMap::new(),
        indexes: HashMap::new(),
        disconnecting: false,
    };
    let seq = task.seq();
    task.channel.send_cluster(&encode::online(seq));
    tokio::spawn(async move {
        task.run(&socket, received).await;
        let _ = task.leave.send(true);
    });
    Ok(())
}

impl Task {
    async fn run(&mut self, socket: &UnixStream, mut received: mpsc::UnboundedReceiver<Command>) {
        let mut buffer = vec![0; 64 * 1024];
        let mut program_gone = false;
        loop {
            // Not through `try_io`: when it is full we wait for it to become writable anyway.
            let blocked = match tine_ipc::unix::flush(
                socket.as_fd(),
                &mut self.channel,
                tine_sys::socket::unread_by_peer,
            ) {
                Ok(flushed) => flushed != Flushed::All,
                Err(_) => return,
            };
            if self.disconnecting && self.servers.is_empty() && !blocked {
                return;
            }
            tokio::select! {
                readable = socket.readable() => {
                    if readable.is_err() || !self.read(socket, &mut buffer) {
                        return;
                    }
                }
                writable = socket.writable(), if blocked => {
                    if writable.is_err() {
                        return;
                    }
                    // Forget that it was writable, so that the next wait is a real one.
                    let _ = socket.try_io(Interest::WRITABLE, || self.flush_more(socket));
                }
                command = received.recv(), if !program_gone => match command {
                    Some(command) => self.command(command),
                    None => program_gone = true,
                },
            }
        }
    }

    /// Reads once. `false` when the primary is gone.
    fn read(&mut self, socket: &UnixStream, buffer: &mut [u8]) -> bool {
        let mut open = true;
        let _ = socket.try_io(Interest::READABLE, || {
            match tine_ipc::unix::receive(socket.as_fd(), &mut self.channel, buffer) {
                Ok(Received::Bytes(_)) => Ok(()),
                Ok(Received::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
                Ok(Received::Closed) | Err(_) => {
                    open = false;
                    Ok(())
                }
            }
        });
        while let Some(event) = self.channel.poll_event() {
            self.heard(event);
        }
        open
    }

    fn flush_more(&mut self, socket: &UnixStream) -> io::Result<()> {
        let unread = tine_sys::socket::unread_by_peer;
        match tine_ipc::unix::flush(socket.as_fd(), &mut self.channel, unread) {
            Ok(Flushed::All) => Ok(()),
            Ok(Flushed::WouldBlock | Flushed::PeerMustRead) => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) => Err(io::Error::other(error)),
        }
    }

    fn seq(&mut self) -> i64 {
        let seq = self.seq;
        self.seq += 1;
        seq
    }

    fn command(&mut self, command: Command) {
        let seq = self.seq();
        match command {
            Command::Answer { seq: ack, taken } => {
                self.channel
                    .send_cluster(&encode::accepted(ack, taken, seq));
            }
            Command::Listen { mut query, reply } => {
                // The nth socket on port 0 is the same port in every worker.
                let base = format!("{}:{}", query.address, query.port);
                let index = self.indexes.entry(base).or_insert(0);
                query.index = *index;
                *index += 1;
                self.channel
                    .send_cluster(&encode::query_server(&query, seq));
                self.asked.insert(seq, (query, reply));
            }
            Command::Close { key } => {
                if self.servers.remove(&key).is_some() {
                    self.channel.send_cluster(&encode::close(&key, seq));
                }
            }
        }
    }

    fn heard(&mut self, event: Event) {
        let Event::Cluster(message, fd) = event else {
            return;
        };
        let Cluster { seq, ack, act } = *message;
        match act {
            Act::Reply(reply) => {
                let asked = ack.and_then(|ack| self.asked.remove(&ack));
                if let Some((query, waiting)) = asked {
                    let listener = self.listener(query, reply, fd);
                    let _ = waiting.send(listener);
                }
            }
            Act::NewConnection { key } => {
                let seq = seq.unwrap_or(-1);
                if !fd.is_some_and(|fd| self.pass(&key, fd, seq)) {
                    let own = self.seq();
                    self.channel
                        .send_cluster(&encode::accepted(seq, false, own));
                }
            }
            Act::Disconnect => {
                self.disconnecting = true;
                let _ = self.leave.send(true);
            }
            _ => {}
        }
    }

    /// Gives a connection to its listener, who will answer it. `false` sends it on to another
    /// worker.
    fn pass(&mut self, key: &str, fd: OwnedFd, seq: i64) -> bool {
        if self.disconnecting {
            return false;
        }
        let Some(listener) = self.servers.get(key) else {
            return false;
        };
        let Ok(permit) = listener.try_reserve() else {
            return false;
        };
        let stream = std::net::TcpStream::from(fd);
        let stream = stream
            .set_nonblocking(true)
            .and_then(|()| TcpStream::from_std(stream));
        stream
            .map(|stream| permit.send(Passed { stream, seq }))
            .is_ok()
    }

    fn listener(
        &mut self,
        mut query: QueryServer,
        reply: Reply,
        fd: Option<OwnedFd>,
    ) -> io::Result<Listener> {
        if let Some(errno) = reply.errno.filter(|errno| *errno < 0) {
            return Err(io::Error::from_raw_os_error(-errno));
        }
        let key = reply.key.unwrap_or_default();
        let invalid = |text| io::Error::new(io::ErrorKind::InvalidData, text);
        let (own, address) = match fd {
            Some(fd) => {
                if !is_listener(&fd) {
                    return Err(invalid(
                        "the primary sent something that is no TCP listener",
                    ));
                }
                let backlog = query.backlog.unwrap_or(511);
                tine_sys::socket::listen(fd.as_fd(), backlog)?;
                let listener = std::net::TcpListener::from(fd);
                listener.set_nonblocking(true)?;
                let listener = TcpListener::from_std(listener)?;
                let address = listener.local_addr()?;
                (Some(listener), address)
            }
            None => {
                let name = reply.socket_name;
                let name = name.ok_or_else(|| invalid("the primary did not say its address"))?;
                let ip = name
                    .address
                    .parse()
                    .map_err(|_| invalid("the primary's address"))?;
                (None, SocketAddr::new(ip, name.port))
            }
        };
        let (sender, passed) = mpsc::channel(QUEUE);
        self.servers.insert(key.clone(), sender);
        query.port = JsScalar::Number(i64::from(address.port()));
        let seq = self.seq();
        self.channel.send_cluster(&encode::listening(&query, seq));
        Ok(Listener {
            own,
            passed,
            address,
            key,
            commands: self.commands.clone(),
        })
    }
}
