use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType};

use super::failure::{Failure, FailureKind, kind_of};
use super::response::{Parsed, Response, parse};

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An address and port.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Target {
        Target::Tcp(address)
    }
}

/// A port on 127.0.0.1.
impl From<u16> for Target {
    fn from(port: u16) -> Target {
        Target::Tcp((Ipv4Addr::LOCALHOST, port).into())
    }
}

impl From<&Path> for Target {
    fn from(path: &Path) -> Target {
        Target::Unix(path.to_owned())
    }
}

impl From<PathBuf> for Target {
    fn from(path: PathBuf) -> Target {
        Target::Unix(path)
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Tcp(address) => address.fmt(f),
            Target::Unix(path) => path.display().fmt(f),
        }
    }
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection, good for any number of requests one after another.
#[derive(Debug)]
pub struct Connection {
    target: Target,
    stream: Stream,
    connected_at: Instant,
    local_port: Option<u16>,
    responses: u64,
    is_over: bool,
}

impl Connection {
    /// Connects, until `end` at the latest.
    ///
    /// # Errors
    /// When nobody listens, or nobody takes the connection in time.
    pub fn open(target: &Target, end: Instant) -> Result<Connection, Failure> {
        let failed = |error: &io::Error| Failure {
            kind: kind_of(error, 0),
            at: Instant::now(),
            connected_at: None,
            local_port: None,
            bytes_seen: 0,
            responses_before: 0,
            detail: format!("connecting to {target}: {error}"),
        };
        let stream = match target {
            Target::Tcp(address) => connect_tcp(*address, end).map(Stream::Tcp),
            Target::Unix(path) => connect_unix(path, end).map(Stream::Unix),
        };
        let stream = stream.map_err(|error| failed(&error))?;
        let local_port = match &stream {
            Stream::Tcp(tcp) => Some(tcp.local_addr().map_err(|error| failed(&error))?.port()),
            Stream::Unix(_) => None,
        };
        Ok(Connection {
            target: target.clone(),
            stream,
            connected_at: Instant::now(),
            local_port,
            responses: 0,
            is_over: false,
        })
    }

    /// As [`Connection::open`], from an address of one's own: any of 127.0.0.0/8 is.
    ///
    /// # Errors
    /// As [`Connection::open`], or when `from` is not one's own.
    pub fn open_from(from: IpAddr, to: SocketAddr, end: Instant) -> Result<Connection, Failure> {
        let target = Target::Tcp(to);
        let failed = |error: io::Error| Failure {
            kind: kind_of(&error, 0),
            at: Instant::now(),
            connected_at: None,
            local_port: None,
            bytes_seen: 0,
            responses_before: 0,
            detail: format!("connecting from {from} to {to}: {error}"),
        };
        let stream = connect_from(from, to, end).map_err(failed)?;
        let local_port = Some(stream.local_addr().map_err(failed)?.port());
        Ok(Connection {
            target,
            stream: Stream::Tcp(stream),
            connected_at: Instant::now(),
            local_port,
            responses: 0,
            is_over: false,
        })
    }

    /// Since when it stands.
    #[must_use]
    pub fn connected_at(&self) -> Instant {
        self.connected_at
    }

    /// Asks for `path` and reads the response whole, until `end` at the latest.
    ///
    /// # Errors
    /// What came instead. The connection is of no use after that.
    pub fn get(&mut self, path: &str, keep: bool, end: Instant) -> Result<Response, Failure> {
        let mut seen = Vec::new();
        let result = self.exchange(path, keep, end, &mut seen);
        let (doing, error) = match result {
            Ok(response) => {
                self.responses += 1;
                self.is_over |= !keep || response.is_last();
                return Ok(response);
            }
            Err(failed) => failed,
        };
        self.is_over = true;
        let bytes_seen = seen.len() as u64;
        Err(Failure {
            kind: kind_of(&error, bytes_seen),
            at: Instant::now(),
            connected_at: Some(self.connected_at),
            local_port: self.local_port,
            bytes_seen,
            responses_before: self.responses,
            detail: format!("{doing} {path} from {}: {error}", self.target),
        })
    }

    /// Whether one can still ask: neither side has said that it was the last, and the server has
    /// not closed it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let mut byte = [0; 1];
        // Nothing to read is the only good news: bytes that nobody asked for are none.
        !self.is_over && rustix::net::recv(self.fd(), &mut byte, flags) == Err(Errno::AGAIN)
    }

    fn exchange(
        &mut self,
        path: &str,
        keep: bool,
        end: Instant,
        seen: &mut Vec<u8>,
    ) -> Result<Response, (&'static str, io::Error)> {
        let connection = if keep { "keep-alive" } else { "close" };
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: tine\r\nConnection: {connection}\r\n\r\n");
        self.write_all(request.as_bytes(), end)
            .map_err(|error| ("asking for", error))?;
        loop {
            match parse(seen) {
                Ok(Parsed::Whole(response, length)) if length == seen.len() => return Ok(response),
                Ok(Parsed::Whole(_, length)) => {
                    let more = seen.len() - length;
                    let error = format!("{more} bytes follow the end of the response");
                    return Err(("reading", io::Error::new(io::ErrorKind::InvalidData, error)));
                }
                Ok(Parsed::Incomplete) => {}
                Err(why) => {
                    return Err(("reading", io::Error::new(io::ErrorKind::InvalidData, why)));
                }
            }
            self.read_some(seen, end)
                .map_err(|error| ("reading", error))?;
        }
    }

    fn write_all(&mut self, bytes: &[u8], end: Instant) -> io::Result<()> {
        let left = Some(left(end)?);
        match &mut self.stream {
            Stream::Tcp(tcp) => {
                tcp.set_write_timeout(left)?;
                tcp.write_all(bytes)
            }
            Stream::Unix(unix) => {
                unix.set_write_timeout(left)?;
                unix.write_all(bytes)
            }
        }
    }

    fn read_some(&mut self, seen: &mut Vec<u8>, end: Instant) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let count = loop {
            let left = Some(left(end)?);
            let read = match &mut self.stream {
                Stream::Tcp(tcp) => {
                    tcp.set_read_timeout(left)?;
                    tcp.read(&mut buffer)
                }
                Stream::Unix(unix) => {
                    unix.set_read_timeout(left)?;
                    unix.read(&mut buffer)
                }
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                other => break other?,
            }
        };
        seen.extend_from_slice(&buffer[..count]);
        Ok(())
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::Tcp(tcp) => tcp.as_fd(),
            Stream::Unix(unix) => unix.as_fd(),
        }
    }
}

/// What is left until `end`; never zero, which would mean "for ever" as a socket's time limit.
fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        Ok(left)
    }
}

fn connect_tcp(address: SocketAddr, end: Instant) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, left(end)?)?;
    // Where nobody listens on an ephemeral port, a client may get that very port and meet itself.
    if stream.local_addr()? == address {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A blocking connect(); SO_SNDTIMEO limits it (socket(7)).
fn connect_from(from: IpAddr, to: SocketAddr, end: Instant) -> io::Result<TcpStream> {
    let family = match to {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(left(end)?))?;
    rustix::net::bind(&socket, &SocketAddr::new(from, 0))?;
    rustix::net::connect(&socket, &to)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// connect() on a unix socket waits for a place in the backlog; SO_SNDTIMEO limits it (socket(7)).
fn connect_unix(path: &Path, end: Instant) -> io::Result<UnixStream> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    set_socket_timeout(&socket, Timeout::Send, Some(left(end)?))?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(UnixStream::from(socket))
}

impl Failure {
    /// Whether a server may do this at any time: it closed a connection that had been answered on
    /// before any byte of the next response.
    #[must_use]
    pub fn is_idle_close(&self) -> bool {
        self.responses_before > 0
            && matches!(
                self.kind,
                FailureKind::EofBeforeByte | FailureKind::ResetBeforeByte
            )
    }
}
