//! What is this descriptor, and what waits in it?

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, getpeername, getsockname, sockopt};

/// What a descriptor is, as far as it matters to whom it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Accepts TCP (or MPTCP) connections.
    TcpListener,
    /// One end of a TCP connection that is established.
    TcpConnection,
    /// Neither: not yet, or no longer.
    TcpUnconnected,
    /// Accepts unix stream connections.
    UnixListener,
    /// One end of a unix stream connection.
    UnixConnection,
    /// A unix socket that is not connected, or not a stream.
    UnixOther,
    /// A UDP socket.
    Udp,
    /// A pipe or named pipe.
    Pipe,
    /// A regular file.
    File,
    /// A terminal, /dev/null and their kind.
    CharacterDevice,
    /// Anything else: a directory, an eventfd, a raw socket.
    Other,
}

/// What `fd` is.
///
/// # Errors
/// The kernel's errno; none is known for a descriptor that is open.
pub fn kind(fd: BorrowedFd<'_>) -> io::Result<Kind> {
    Ok(match FileType::from_raw_mode(fstat(fd)?.st_mode) {
        FileType::Socket => socket_kind(fd)?,
        FileType::Fifo => Kind::Pipe,
        FileType::RegularFile => Kind::File,
        FileType::CharacterDevice => Kind::CharacterDevice,
        _ => Kind::Other,
    })
}

#[cfg(target_os = "linux")]
fn socket_kind(fd: BorrowedFd<'_>) -> io::Result<Kind> {
    use rustix::net::ipproto;
    let domain = sockopt::socket_domain(fd)?;
    let stream = sockopt::socket_type(fd)? == SocketType::STREAM;
    let inet = domain == AddressFamily::INET || domain == AddressFamily::INET6;
    let protocol = if inet {
        sockopt::socket_protocol(fd)?
    } else {
        None
    };
    let kind = match protocol {
        // Go listens with MPTCP by default; to who accepts, it is the same.
        Some(ipproto::TCP | ipproto::MPTCP) => match role(fd)? {
            Role::Listener => Kind::TcpListener,
            Role::Connected => Kind::TcpConnection,
            Role::Neither => Kind::TcpUnconnected,
        },
        Some(ipproto::UDP) => Kind::Udp,
        _ if domain == AddressFamily::UNIX => match (stream, role(fd)?) {
            (true, Role::Listener) => Kind::UnixListener,
            (true, Role::Connected) => Kind::UnixConnection,
            _ => Kind::UnixOther,
        },
        _ => Kind::Other,
    };
    Ok(kind)
}

/// Without SO_DOMAIN and SO_PROTOCOL: by the own address, and the type.
#[cfg(not(target_os = "linux"))]
fn socket_kind(fd: BorrowedFd<'_>) -> io::Result<Kind> {
    let family = getsockname(fd)?.address_family();
    let inet = family == AddressFamily::INET || family == AddressFamily::INET6;
    let (stream, unix) = (SocketType::STREAM, family == AddressFamily::UNIX);
    Ok(match (sockopt::socket_type(fd)?, role(fd)?) {
        (kind, Role::Listener) if inet && kind == stream => Kind::TcpListener,
        (kind, Role::Connected) if inet && kind == stream => Kind::TcpConnection,
        (kind, Role::Neither) if inet && kind == stream => Kind::TcpUnconnected,
        (SocketType::DGRAM, _) if inet => Kind::Udp,
        (kind, Role::Listener) if unix && kind == stream => Kind::UnixListener,
        (kind, Role::Connected) if unix && kind == stream => Kind::UnixConnection,
        _ if unix => Kind::UnixOther,
        _ => Kind::Other,
    })
}

enum Role {
    Listener,
    Connected,
    Neither,
}

fn role(fd: BorrowedFd<'_>) -> io::Result<Role> {
    if sockopt::socket_acceptconn(fd)? {
        return Ok(Role::Listener);
    }
    match getpeername(fd) {
        Ok(_) => Ok(Role::Connected),
        // EINVAL: shut down, on systems that tell it apart.
        Err(Errno::NOTCONN | Errno::INVAL) => Ok(Role::Neither),
        Err(errno) => Err(errno.into()),
    }
}

/// The address a socket is bound to; of an unbound one, the unspecified address and port 0.
///
/// # Errors
/// `EAFNOSUPPORT` if it is no IP socket; `ENOTSOCK`.
pub fn local_address(fd: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    Ok(SocketAddr::try_from(getsockname(fd)?)?)
}

/// Connections that wait to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How many wait, established and not accepted.
    pub waiting: u32,
    /// How many may: the backlog the kernel granted.
    pub limit: u32,
}

/// What waits on a TCP listener (TCP_INFO: a listener's `tcpi_unacked` and `tcpi_sacked` are
/// its queue and limit, since Linux 2.6.24).
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] if it does not listen; `EOPNOTSUPP` or `ENOPROTOOPT` if it is no
/// TCP socket; `ENOTSOCK`.
#[cfg(target_os = "linux")]
pub fn queue(fd: BorrowedFd<'_>) -> io::Result<Queue> {
    /// `TCP_LISTEN` of the kernel's include/net/tcp_states.h.
    const STATE_LISTEN: u8 = 10;
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into `info`.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &mut length,
        )
    };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: integers only, zeroed above, so any prefix may have been written.
    let info = unsafe { info.assume_init() };
    if info.tcpi_state != STATE_LISTEN {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the socket does not listen",
        ));
    }
    Ok(Queue {
        waiting: info.tcpi_unacked,
        limit: info.tcpi_sacked,
    })
}

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
#[cfg(not(target_os = "linux"))]
pub fn queue(_fd: BorrowedFd<'_>) -> io::Result<Queue> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Bytes written to a stream that the other side has not taken yet; 0 means all is taken
/// (SIOCOUTQ). On a unix socket: taken by the reading program, counted in the kernel's memory, so
/// more than was written. On TCP: acknowledged by the other kernel.
///
/// # Errors
/// `EINVAL` on a listener, `ENOTTY` if it is no socket.
#[cfg(target_os = "linux")]
pub fn unread_by_peer(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: this request writes one int to where it is told.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCOUTQ, &mut bytes) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
#[cfg(not(target_os = "linux"))]
pub fn unread_by_peer(_fd: BorrowedFd<'_>) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}
