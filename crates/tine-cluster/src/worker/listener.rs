//! Where do a worker's connections come from? Its own socket, or the primary's hands.

use super::listen::NOWHERE;
use super::servers::{Granted, Next, ServerId, leaving, primary_is_gone};
use super::shared::Shared;
use futures_core::Stream;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::net::unix;
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// A TCP port shared with the other workers.
///
/// Under every policy it is used in the same way. It is a [`Stream`] of connections too, which ends
/// when no more can come or this process is to leave; tonic's `serve_with_incoming` takes it. With the feature `axum`,
/// `axum::serve` takes it as it is.
///
/// Where the primary accepts, a connection counts as this worker's when [`accept`](Self::accept)
/// returns it. What waits until then goes to the other workers when this is dropped, which also
/// tells the primary that this worker listens there no more.
#[derive(Debug)]
pub struct Listener {
    accepting: Accepting<Tcp>,
    address: SocketAddr,
}

/// A unix socket shared with the other workers: as [`Listener`].
#[derive(Debug)]
pub struct UnixListener {
    accepting: Accepting<Unix>,
    path: PathBuf,
}

impl Listener {
    pub(super) fn new(open: Open, granted: Granted) -> io::Result<Self> {
        let own = granted.socket.map(TcpListener::from_fd).transpose()?;
        Ok(Self {
            address: granted.address.unwrap_or(NOWHERE),
            accepting: Accepting { open, own },
        })
    }

    /// Waits for the next connection. Nothing is lost when the future is dropped.
    ///
    /// Once [`shutdown`](super::Worker::shutdown) has resolved, or would, this waits for ever: a
    /// server that shuts down while it accepts would cut off the client. What comes then goes to
    /// the other workers when this is dropped.
    ///
    /// # Errors
    /// When accepting fails, as accept(2): `EMFILE` and its kind pass. When no more can come:
    /// `BrokenPipe` if the primary that passed connections on is gone, `NotConnected` if this worker
    /// leaves and has never asked for [`shutdown`](super::Worker::shutdown), or has called
    /// [`disconnect`](super::Worker::disconnect).
    pub async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.accepting.poll_accept(cx)).await
    }

    /// As [`accept`](Self::accept), for a hand-written future.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.accepting.poll_accept(cx)
    }

    /// The address that clients connect to, with the real port.
    ///
    /// # Errors
    /// None; tokio's own listener may fail here, and this stands in its place.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    /// The socket itself, where the policy has given this worker a real one: under every policy but
    /// round robin. It is in non-blocking mode and must stay so, because others may share it. The
    /// primary is not told when it is closed.
    ///
    /// # Errors
    /// This listener, unchanged, when the primary accepts.
    pub fn into_std(mut self) -> Result<std::net::TcpListener, Self> {
        match self.accepting.own.take().map(TcpListener::into_std) {
            Some(Ok(listener)) => {
                self.accepting.open.forget();
                Ok(listener)
            }
            Some(Err(_)) | None => Err(self),
        }
    }
}

impl Listener {
    /// For those who wait in other ways: the own socket, and the place in the list of servers.
    pub(super) fn into_parts(self) -> io::Result<(Option<std::net::TcpListener>, Open)> {
        let Accepting { own, open } = self.accepting;
        Ok((own.map(TcpListener::into_std).transpose()?, open))
    }
}

impl UnixListener {
    /// As [`Listener::into_parts`].
    pub(super) fn into_parts(self) -> io::Result<(Option<std::os::unix::net::UnixListener>, Open)> {
        let Accepting { own, open } = self.accepting;
        let own = own.map(tokio::net::UnixListener::into_std).transpose()?;
        Ok((own, open))
    }

    pub(super) fn new(open: Open, granted: Granted, path: PathBuf) -> io::Result<Self> {
        let own = granted.socket.map(tokio::net::UnixListener::from_fd);
        let own = own.transpose()?;
        Ok(Self {
            accepting: Accepting { open, own },
            path,
        })
    }

    /// As [`Listener::accept`].
    ///
    /// # Errors
    /// As [`Listener::accept`].
    pub async fn accept(&mut self) -> io::Result<(UnixStream, unix::SocketAddr)> {
        poll_fn(|cx| self.accepting.poll_accept(cx)).await
    }

    /// As [`accept`](Self::accept), for a hand-written future.
    ///
    /// # Errors
    /// As [`Listener::accept`].
    pub fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(UnixStream, unix::SocketAddr)>> {
        self.accepting.poll_accept(cx)
    }

    /// The path that clients connect to, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// [`path`](Self::path) as an address.
    ///
    /// # Errors
    /// When the path is longer than 107 bytes: the primary may have bound it by a shorter name.
    pub fn local_addr(&self) -> io::Result<unix::SocketAddr> {
        std::os::unix::net::SocketAddr::from_pathname(&self.path).map(Into::into)
    }

    /// As [`Listener::into_std`].
    ///
    /// # Errors
    /// As [`Listener::into_std`].
    pub fn into_std(mut self) -> Result<std::os::unix::net::UnixListener, Self> {
        let own = self.accepting.own.take();
        match own.map(tokio::net::UnixListener::into_std) {
            Some(Ok(listener)) => {
                self.accepting.open.forget();
                Ok(listener)
            }
            Some(Err(_)) | None => Err(self),
        }
    }
}

impl Stream for Listener {
    type Item = io::Result<TcpStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.accepting.poll_next(cx)
    }
}

impl Stream for UnixListener {
    type Item = io::Result<UnixStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.accepting.poll_next(cx)
    }
}

/// A place in the list of this worker's servers. Dropping it closes the server.
#[derive(Debug)]
pub(crate) struct Open {
    shared: Arc<Shared>,
    id: ServerId,
}

impl Open {
    pub(super) fn new(shared: Arc<Shared>, id: ServerId) -> Self {
        Self { shared, id }
    }

    pub(super) fn next_connection(&self, cx: &Context<'_>) -> Next {
        self.shared.with(|state| state.next_connection(self.id, cx))
    }

    /// From now on what the primary passes on is refused, and the primary is not told.
    fn forget(&self) {
        self.shared.with(|state| state.forget_server(self.id));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.with(|state| state.close_server(self.id));
    }
}

/// What TCP and unix sockets do differently.
pub(crate) trait Transport {
    /// Its own socket.
    type Own: fmt::Debug;
    type Stream;
    type Address;

    fn poll_accept(
        own: &Self::Own,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Self::Stream, Self::Address)>>;

    /// A connection that the primary has accepted. `None` for one whose client has gone already, and
    /// has no address any more.
    fn adopt(fd: OwnedFd) -> io::Result<Option<(Self::Stream, Self::Address)>>;
}

#[derive(Debug)]
pub(crate) struct Tcp;

impl Transport for Tcp {
    type Own = TcpListener;
    type Stream = TcpStream;
    type Address = SocketAddr;

    fn poll_accept(
        own: &TcpListener,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        own.poll_accept(cx)
    }

    fn adopt(fd: OwnedFd) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        let stream = std::net::TcpStream::from(fd);
        stream.set_nonblocking(true)?;
        let Ok(client) = stream.peer_addr() else {
            return Ok(None);
        };
        Ok(Some((TcpStream::from_std(stream)?, client)))
    }
}

#[derive(Debug)]
pub(crate) struct Unix;

impl Transport for Unix {
    type Own = tokio::net::UnixListener;
    type Stream = UnixStream;
    type Address = unix::SocketAddr;

    fn poll_accept(
        own: &tokio::net::UnixListener,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(UnixStream, unix::SocketAddr)>> {
        own.poll_accept(cx)
    }

    fn adopt(fd: OwnedFd) -> io::Result<Option<(UnixStream, unix::SocketAddr)>> {
        let stream = std::os::unix::net::UnixStream::from(fd);
        stream.set_nonblocking(true)?;
        let Ok(client) = stream.peer_addr() else {
            return Ok(None);
        };
        Ok(Some((UnixStream::from_std(stream)?, client.into())))
    }
}

type Accepted<T> = (<T as Transport>::Stream, <T as Transport>::Address);

#[derive(Debug)]
struct Accepting<T: Transport> {
    // First, so that the own socket is closed before the primary hears of it.
    own: Option<T::Own>,
    open: Open,
}

impl<T: Transport> Accepting<T> {
    /// `Ok(None)` when no more can come.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Accepted<T>>>> {
        loop {
            match self.open.next_connection(cx) {
                Next::Connection(fd) => {
                    if let Some(accepted) = T::adopt(fd)? {
                        return Poll::Ready(Ok(Some(accepted)));
                    }
                }
                Next::Waiting => break,
                Next::Never => return Poll::Pending,
                Next::Gone if self.own.is_some() => break,
                Next::Gone => return Poll::Ready(Ok(None)),
                Next::Closed => {
                    self.own = None;
                    return Poll::Ready(Ok(None));
                }
            }
        }
        match &self.own {
            Some(own) => T::poll_accept(own, cx).map_ok(Some),
            None => Poll::Pending,
        }
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted<T>>> {
        let accepted = ready!(self.poll(cx))?;
        Poll::Ready(accepted.ok_or_else(|| self.open.why_no_more()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<T::Stream>>> {
        let accepted = self.poll(cx);
        // Not before: tonic shuts its connections down when this ends.
        if accepted.is_pending() && self.open.has_ended() {
            return Poll::Ready(None);
        }
        let accepted = ready!(accepted);
        Poll::Ready(accepted.map(|it| it.map(|(stream, _)| stream)).transpose())
    }
}

impl Open {
    fn has_ended(&self) -> bool {
        self.shared.lock().has_ended(self.id)
    }

    fn why_no_more(&self) -> io::Error {
        let left = self.shared.lock().exited_after_disconnect() == Some(true);
        if left { leaving() } else { primary_is_gone() }
    }
}

trait FromFd: Sized {
    fn from_fd(fd: OwnedFd) -> io::Result<Self>;
}

impl FromFd for TcpListener {
    fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        Self::from_std(fd.into())
    }
}

impl FromFd for tokio::net::UnixListener {
    fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        Self::from_std(fd.into())
    }
}

#[cfg(feature = "axum")]
mod axum {
    use super::{Listener, SocketAddr, TcpStream, UnixListener, UnixStream, io, unix};
    use std::time::Duration;

    /// As axum waits itself when the machine is out of descriptors.
    const PAUSE: Duration = Duration::from_secs(1);

    /// `axum::serve` knows no error here: when no more can come this waits for ever, and the
    /// graceful shutdown ends it.
    async fn get_over(error: io::Error) {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected => std::future::pending().await,
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset => {}
            _ => tokio::time::sleep(PAUSE).await,
        }
    }

    /// With the feature `axum`.
    impl ::axum::serve::Listener for Listener {
        type Io = TcpStream;
        type Addr = SocketAddr;

        async fn accept(&mut self) -> (TcpStream, SocketAddr) {
            loop {
                match Listener::accept(self).await {
                    Ok(accepted) => return accepted,
                    Err(error) => get_over(error).await,
                }
            }
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Listener::local_addr(self)
        }
    }

    /// With the feature `axum`.
    impl ::axum::serve::Listener for UnixListener {
        type Io = UnixStream;
        type Addr = unix::SocketAddr;

        async fn accept(&mut self) -> (UnixStream, unix::SocketAddr) {
            loop {
                match UnixListener::accept(self).await {
                    Ok(accepted) => return accepted,
                    Err(error) => get_over(error).await,
                }
            }
        }

        fn local_addr(&self) -> io::Result<unix::SocketAddr> {
            UnixListener::local_addr(self)
        }
    }
}
