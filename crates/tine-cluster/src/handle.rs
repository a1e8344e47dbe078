//! Which sockets can travel with a message?

use crate::error::SendError;
use std::io;
use std::net;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net as unix;
use tine_ipc::SentHandle;
use tine_sys::socket::{self, Kind};

/// A socket that travels with a message, or has come with one.
///
/// At a Node receiver a listener becomes a `net.Server`, a stream a `net.Socket` and a UDP socket
/// a `dgram.Socket`. They are types of the standard library, which belong to no runtime; what is
/// received is in non-blocking mode, as tokio's `from_std` wants it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Handle {
    /// A listening TCP socket.
    TcpListener(net::TcpListener),
    /// A TCP connection.
    TcpStream(net::TcpStream),
    /// A listening unix socket.
    UnixListener(unix::UnixListener),
    /// A unix connection, or one end of a pair.
    UnixStream(unix::UnixStream),
    /// A UDP socket.
    UdpSocket(net::UdpSocket),
    /// Something else that was received, for example a pipe. It cannot be sent.
    Other(OwnedFd),
}

impl Handle {
    /// Whatever the descriptor is, as what it is.
    pub(crate) fn received(fd: OwnedFd) -> Self {
        let kind = socket::kind(fd.as_fd());
        // Whether it blocks is a property of the open file, which the sender has too: only of what
        // nobody reads in another way.
        if !matches!(
            kind,
            Ok(Kind::Pipe | Kind::File | Kind::CharacterDevice | Kind::Other)
        ) {
            let _ = rustix::io::ioctl_fionbio(&fd, true);
        }
        match kind {
            Ok(Kind::TcpListener) => Self::TcpListener(fd.into()),
            // One that is bound and does not listen yet will by its owner's first `listen`.
            Ok(Kind::TcpConnection | Kind::TcpUnconnected) => Self::TcpStream(fd.into()),
            Ok(Kind::UnixListener) => Self::UnixListener(fd.into()),
            Ok(Kind::UnixConnection) => Self::UnixStream(fd.into()),
            Ok(Kind::Udp) => Self::UdpSocket(fd.into()),
            _ => Self::Other(fd),
        }
    }

    /// What the descriptor becomes at its receiver, and the descriptor.
    pub(crate) fn into_sent(self) -> Result<(SentHandle, OwnedFd), SendError> {
        let fd: OwnedFd = match self {
            Self::TcpListener(it) => it.into(),
            Self::TcpStream(it) => it.into(),
            Self::UnixListener(it) => it.into(),
            Self::UnixStream(it) => it.into(),
            Self::UdpSocket(it) => it.into(),
            Self::Other(it) => it,
        };
        // What it is and not what it is called: a receiver aborts on what it does not expect.
        let kind = match socket::kind(fd.as_fd()) {
            Ok(Kind::TcpListener | Kind::UnixListener) => SentHandle::Server,
            Ok(Kind::TcpConnection | Kind::TcpUnconnected | Kind::UnixConnection) => {
                SentHandle::Socket
            }
            Ok(Kind::Udp) => SentHandle::Datagram {
                udp6: socket::local_address(fd.as_fd()).is_ok_and(|address| address.is_ipv6()),
            },
            other => {
                let what = match other {
                    Ok(Kind::Pipe) => "a pipe".to_owned(),
                    Ok(Kind::File) => "a regular file".to_owned(),
                    Ok(Kind::CharacterDevice) => "a terminal or device".to_owned(),
                    Ok(kind) => format!("{kind:?}"),
                    Err(error) => format!("a descriptor of unknown kind ({error})"),
                };
                return Err(SendError::Handle { what });
            }
        };
        // Node 18 hangs in accept() on a blocking listener, and every runtime expects the same.
        let _ = rustix::io::ioctl_fionbio(&fd, true);
        Ok((kind, fd))
    }

    /// The connection, as tokio's.
    ///
    /// # Errors
    /// When it is no TCP connection, or tokio cannot watch it.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub fn into_tcp_stream(self) -> io::Result<tokio::net::TcpStream> {
        match self {
            Self::TcpStream(stream) => tokio::net::TcpStream::from_std(stream),
            other => Err(other.is_not("a TCP connection")),
        }
    }

    /// The listener, as tokio's.
    ///
    /// # Errors
    /// When it is no TCP listener, or tokio cannot watch it.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub fn into_tcp_listener(self) -> io::Result<tokio::net::TcpListener> {
        match self {
            Self::TcpListener(listener) => tokio::net::TcpListener::from_std(listener),
            other => Err(other.is_not("a TCP listener")),
        }
    }

    /// The connection, as tokio's.
    ///
    /// # Errors
    /// When it is no unix connection, or tokio cannot watch it.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub fn into_unix_stream(self) -> io::Result<tokio::net::UnixStream> {
        match self {
            Self::UnixStream(stream) => tokio::net::UnixStream::from_std(stream),
            other => Err(other.is_not("a unix connection")),
        }
    }

    /// The listener, as tokio's.
    ///
    /// # Errors
    /// When it is no unix listener, or tokio cannot watch it.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub fn into_unix_listener(self) -> io::Result<tokio::net::UnixListener> {
        match self {
            Self::UnixListener(listener) => tokio::net::UnixListener::from_std(listener),
            other => Err(other.is_not("a unix listener")),
        }
    }

    /// The socket, as tokio's.
    ///
    /// # Errors
    /// When it is no UDP socket, or tokio cannot watch it.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub fn into_udp_socket(self) -> io::Result<tokio::net::UdpSocket> {
        match self {
            Self::UdpSocket(socket) => tokio::net::UdpSocket::from_std(socket),
            other => Err(other.is_not("a UDP socket")),
        }
    }

    fn is_not(&self, wanted: &str) -> io::Error {
        let what = match self {
            Self::TcpListener(_) => "a TCP listener",
            Self::TcpStream(_) => "a TCP connection",
            Self::UnixListener(_) => "a unix listener",
            Self::UnixStream(_) => "a unix connection",
            Self::UdpSocket(_) => "a UDP socket",
            Self::Other(_) => "no socket that can be used",
        };
        let text = format!("the handle is {what}, not {wanted}");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::TcpListener(it) => it.as_fd(),
            Self::TcpStream(it) => it.as_fd(),
            Self::UnixListener(it) => it.as_fd(),
            Self::UnixStream(it) => it.as_fd(),
            Self::UdpSocket(it) => it.as_fd(),
            Self::Other(it) => it.as_fd(),
        }
    }
}

macro_rules! from_sockets {
    ($($variant:ident: $std:ty, $tokio:ty;)*) => {$(
        impl From<$std> for Handle {
            fn from(socket: $std) -> Self {
                Self::$variant(socket)
            }
        }

        /// Fails only when tokio cannot let go of it.
        impl TryFrom<$tokio> for Handle {
            type Error = io::Error;
            fn try_from(socket: $tokio) -> io::Result<Self> {
                socket.into_std().map(Self::$variant)
            }
        }
    )*};
}

from_sockets! {
    TcpListener: net::TcpListener, tokio::net::TcpListener;
    TcpStream: net::TcpStream, tokio::net::TcpStream;
    UnixListener: unix::UnixListener, tokio::net::UnixListener;
    UnixStream: unix::UnixStream, tokio::net::UnixStream;
    UdpSocket: net::UdpSocket, tokio::net::UdpSocket;
}
