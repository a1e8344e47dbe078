//! Opening sockets: every one is non-blocking (unless said) and close-on-exec.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

/// How to bind a TCP socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpOptions {
    /// Several sockets, all of one user, may have this address (SO_REUSEPORT).
    pub reuse_port: bool,
    /// Whether an IPv6 socket leaves IPv4 alone; the system's default if absent. Ignored for IPv4.
    pub only_v6: Option<bool>,
}

/// How to bind a UDP socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UdpOptions {
    /// Sockets may share the address, the last one bound gets what arrives (SO_REUSEADDR).
    pub reuse_address: bool,
    /// Sockets of one user may share the address and what arrives (SO_REUSEPORT).
    pub reuse_port: bool,
    /// As in [`TcpOptions`].
    pub only_v6: Option<bool>,
}

const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);

/// A TCP socket bound to `address`, not yet listening. SO_REUSEADDR is always set, so that
/// connections still being torn down do not hold the address.
///
/// # Errors
/// The kernel's errno: `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES` (port below 1024), `EAFNOSUPPORT`.
pub fn tcp_bind(address: SocketAddr, options: &TcpOptions) -> io::Result<OwnedFd> {
    let fd = socket(address, SocketType::STREAM, options.only_v6)?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    if options.reuse_port {
        sockopt::set_socket_reuseport(&fd, true)?;
    }
    rustix::net::bind(&fd, &address)?;
    Ok(fd)
}

/// A UDP socket bound to `address`.
///
/// # Errors
/// As [`tcp_bind`].
pub fn udp_bind(address: SocketAddr, options: &UdpOptions) -> io::Result<OwnedFd> {
    let fd = socket(address, SocketType::DGRAM, options.only_v6)?;
    if options.reuse_address {
        sockopt::set_socket_reuseaddr(&fd, true)?;
    }
    if options.reuse_port {
        sockopt::set_socket_reuseport(&fd, true)?;
    }
    rustix::net::bind(&fd, &address)?;
    Ok(fd)
}

fn socket(address: SocketAddr, kind: SocketType, only_v6: Option<bool>) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let fd = rustix::net::socket_with(family, kind, FLAGS, None)?;
    if let (SocketAddr::V6(_), Some(only_v6)) = (address, only_v6) {
        sockopt::set_ipv6_v6only(&fd, only_v6)?;
    }
    Ok(fd)
}

/// A stream socket bound to a path, not yet listening. A path that begins with a NUL byte is a
/// name in the abstract namespace (Linux). What exists at the path is left alone.
///
/// # Errors
/// The kernel's errno: `EADDRINUSE` if the path exists, `ENAMETOOLONG` beyond 107 bytes (108 for an
/// abstract name with its NUL), or as for creating a file.
pub fn unix_bind(path: &Path) -> io::Result<OwnedFd> {
    let address = match path.as_os_str().as_bytes() {
        #[cfg(target_os = "linux")]
        [0, name @ ..] => SocketAddrUnix::new_abstract_name(name)?,
        _ => SocketAddrUnix::new(path)?,
    };
    let fd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    rustix::net::bind(&fd, &address)?;
    Ok(fd)
}

/// Turns SO_REUSEPORT on or off, for sockets made elsewhere. It counts at bind; turning it off
/// afterwards does not keep others from the address.
///
/// # Errors
/// The kernel's errno.
pub fn set_reuse_port(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    Ok(sockopt::set_socket_reuseport(fd, on)?)
}

/// Listens; on a socket that already does, changes the backlog. The kernel holds at most
/// `net.core.somaxconn` of `backlog` connections (negative: as many as that).
///
/// # Errors
/// The kernel's errno; `EADDRINUSE` if another socket listens on the address it was bound to.
pub fn listen(fd: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    Ok(rustix::net::listen(fd, backlog)?)
}

/// The next connection waiting, non-blocking and close-on-exec; `None` if there is none. Blocks on
/// a listener that is itself blocking.
///
/// # Errors
/// The kernel's errno. `ECONNABORTED` and the network errors of accept(2) speak of that one
/// connection, `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM` of this process or machine.
pub fn accept(fd: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    match rustix::io::retry_on_intr(|| rustix::net::accept_with(fd, FLAGS)) {
        Ok(connection) => Ok(Some(connection)),
        Err(Errno::AGAIN) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Two unix stream sockets connected to each other, blocking and close-on-exec.
///
/// # Errors
/// The kernel's errno: `EMFILE`, `ENFILE`.
pub fn stream_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        flags,
        None,
    )?)
}
