//! How does a thread wait for a connection from two places, and for the word to leave? In poll(2).

use super::super::listener::Open;
use super::super::servers::{Next, leaving, primary_is_gone};
use super::Worker;
use rustix::event::{PollFd, PollFlags};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net as unix;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

/// What TCP and unix sockets do differently.
pub(crate) trait Socket: AsFd + fmt::Debug {
    type Stream;
    type Address;

    fn accept(&self) -> io::Result<(Self::Stream, Self::Address)>;
    fn adopt(fd: OwnedFd) -> Self::Stream;
    fn client(stream: &Self::Stream) -> io::Result<Self::Address>;
    fn set_blocking(stream: &Self::Stream) -> io::Result<()>;
}

macro_rules! sockets {
    ($($listener:ty, $stream:ty, $address:ty;)*) => {$(
        impl Socket for $listener {
            type Stream = $stream;
            type Address = $address;

            fn accept(&self) -> io::Result<($stream, $address)> {
                self.accept()
            }

            fn adopt(fd: OwnedFd) -> $stream {
                fd.into()
            }

            fn client(stream: &$stream) -> io::Result<$address> {
                stream.peer_addr()
            }

            fn set_blocking(stream: &$stream) -> io::Result<()> {
                stream.set_nonblocking(false)
            }
        }
    )*};
}

sockets! {
    net::TcpListener, net::TcpStream, SocketAddr;
    unix::UnixListener, unix::UnixStream, unix::SocketAddr;
}

#[derive(Debug)]
pub(super) struct Accepting<S> {
    /// One thread at a time waits; the others wait for it.
    sockets: Mutex<Sockets<S>>,
    worker: crate::worker::Worker,
}

#[derive(Debug)]
struct Sockets<S> {
    // First, so that it is closed before the primary hears of it.
    own: Option<S>,
    open: Open,
    bell: Arc<Bell>,
    heard: unix::UnixStream,
}

impl<S: Socket> Accepting<S> {
    pub(super) fn new(worker: &Worker, own: Option<S>, open: Open) -> io::Result<Self> {
        let (heard, rung) = unix::UnixStream::pair()?;
        heard.set_nonblocking(true)?;
        rung.set_nonblocking(true)?;
        let bell = Arc::new(Bell(rung));
        // Whoever waits in `accept` hears when this process is to leave.
        let mut reason = worker.inner.shared.reason.subscribe();
        let ring = Arc::downgrade(&bell);
        worker.runtime().spawn(async move {
            let _ = reason.wait_for(Option::is_some).await;
            if let Some(bell) = ring.upgrade() {
                bell.ring();
            }
        });
        Ok(Self {
            sockets: Mutex::new(Sockets {
                own,
                open,
                bell,
                heard,
            }),
            worker: worker.inner.clone(),
        })
    }

    /// `None` when no more can come.
    fn next(&self) -> io::Result<Option<(S::Stream, S::Address)>> {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let Sockets {
            own,
            open,
            bell,
            heard,
        } = &mut *sockets;
        let waker = Waker::from(bell.clone());
        let context = Context::from_waker(&waker);
        loop {
            // What has been rung until now is looked at below.
            while heard.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
            if self.is_to_leave() {
                return Ok(None);
            }
            match open.next_connection(&context) {
                Next::Connection(fd) => {
                    let stream = S::adopt(fd);
                    S::set_blocking(&stream)?;
                    if let Ok(client) = S::client(&stream) {
                        return Ok(Some((stream, client)));
                    }
                    continue;
                }
                Next::Waiting => {}
                Next::Gone if own.is_some() => {}
                Next::Gone | Next::Never => return Ok(None),
                Next::Closed => {
                    *own = None;
                    return Ok(None);
                }
            }
            let mut waited_for = vec![PollFd::new(&*heard, PollFlags::IN)];
            if let Some(own) = &*own {
                match own.accept() {
                    Ok((stream, client)) => {
                        S::set_blocking(&stream)?;
                        return Ok(Some((stream, client)));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
                waited_for.push(PollFd::new(own, PollFlags::IN));
            }
            match rustix::event::poll(&mut waited_for, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn is_to_leave(&self) -> bool {
        self.worker.shutdown_reason().is_some() && self.worker.shared.lock().shutdown_asked
    }

    pub(super) fn accept(&self) -> io::Result<(S::Stream, S::Address)> {
        self.next()?.ok_or_else(|| {
            let left = self.worker.exited_after_disconnect() == Some(true) || self.is_to_leave();
            if left { leaving() } else { primary_is_gone() }
        })
    }

    pub(super) fn incoming(&self) -> impl Iterator<Item = io::Result<S::Stream>> + '_ {
        std::iter::from_fn(|| {
            let accepted = self.next().transpose();
            accepted.map(|accepted| accepted.map(|(stream, _)| stream))
        })
    }
}

/// Wakes a thread that waits in poll(2).
#[derive(Debug)]
struct Bell(unix::UnixStream);

impl Bell {
    fn ring(&self) {
        // When it is full it has been rung enough.
        let _ = (&self.0).write(&[1]);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}
