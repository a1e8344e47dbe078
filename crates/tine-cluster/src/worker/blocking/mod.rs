//! How does a program without tokio join a cluster? A thread of ours keeps the channel.
//!
//! ```no_run
//! use std::io::Write;
//! use tine_cluster::worker::blocking::Worker;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let Some(worker) = Worker::from_env()? else {
//!     return Err("start me with `tine run`".into());
//! };
//! let listener = worker.listen("0.0.0.0:3000".parse()?)?;
//! worker.shutdown_requested(); // From now on SIGTERM ends the loop, not the process.
//! for connection in listener.incoming() {
//!     connection?.write_all(b"hello")?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Everything here blocks the thread that calls it, and must not be called from within a tokio
//! runtime. UDP is missing: the socket is one for all workers and must not be made blocking for
//! them; use [`bind_udp`](super::Worker::bind_udp) on a runtime.

mod accepting;

use accepting::Accepting;

use super::{ListenOptions, Reason, UnixOptions};
use crate::error::{RequestError, SendError};
use crate::handle::Handle;
use crate::message::Message;
use crate::request::RequestId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::net::{self, SocketAddr};
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};
use std::task::{Context, Waker};
use tine_ipc::{Body, Serialization};
use tokio::runtime::{Builder, Handle as Runtime};

/// This process as a worker of a cluster: as [`worker::Worker`](super::Worker), for programs whose
/// threads wait. Clones are the same worker.
#[derive(Debug, Clone)]
pub struct Worker {
    inner: super::Worker,
}

impl Worker {
    /// As [`worker::Worker::from_env`](super::Worker::from_env). Starts one thread, which lives as
    /// long as the process.
    ///
    /// # Errors
    /// As there, and when no thread can be started.
    pub fn from_env() -> io::Result<Option<Self>> {
        Self::start(super::Worker::from_env)
    }

    fn start(make: impl FnOnce() -> io::Result<Option<super::Worker>>) -> io::Result<Option<Self>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let made = {
            let _inside = runtime.enter();
            make()?
        };
        let Some(inner) = made else { return Ok(None) };
        std::thread::Builder::new()
            .name("tine-channel".to_owned())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
        Ok(Some(Self { inner }))
    }

    fn runtime(&self) -> &Runtime {
        &self.inner.shared.runtime
    }

    /// As [`worker::Worker::id`](super::Worker::id).
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.inner.id()
    }

    /// As [`worker::Worker::serialization`](super::Worker::serialization).
    #[must_use]
    pub fn serialization(&self) -> Serialization {
        self.inner.serialization()
    }

    /// As [`worker::Worker::is_connected`](super::Worker::is_connected).
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.inner.is_connected()
    }

    /// As [`exited_after_disconnect`](super::Worker::exited_after_disconnect) there.
    #[must_use]
    pub fn exited_after_disconnect(&self) -> Option<bool> {
        self.inner.exited_after_disconnect()
    }

    /// As [`outlive_primary`](super::Worker::outlive_primary) there.
    pub fn outlive_primary(&self) {
        self.inner.outlive_primary();
    }

    /// Listens on a TCP address that all workers share.
    ///
    /// # Errors
    /// As [`worker::Worker::listen`](super::Worker::listen).
    pub fn listen(&self, address: SocketAddr) -> io::Result<Listener> {
        self.listen_with(ListenOptions::tcp(address))
    }

    /// As [`listen`](Self::listen), with all that can be said about it.
    ///
    /// # Errors
    /// As [`worker::Worker::listen`](super::Worker::listen).
    pub fn listen_with(&self, options: ListenOptions) -> io::Result<Listener> {
        let listener = self.runtime().block_on(self.inner.listen_with(options))?;
        let address = listener.local_addr()?;
        let (own, open) = listener.into_parts()?;
        Ok(Listener {
            accepting: Accepting::new(self, own, open)?,
            address,
        })
    }

    /// Listens on a unix socket that all workers share.
    ///
    /// # Errors
    /// As [`worker::Worker::listen_unix`](super::Worker::listen_unix).
    pub fn listen_unix(&self, path: impl Into<PathBuf>) -> io::Result<UnixListener> {
        self.listen_unix_with(UnixOptions::new(path))
    }

    /// As [`listen_unix`](Self::listen_unix), with all that can be said about it.
    ///
    /// # Errors
    /// As [`worker::Worker::listen_unix`](super::Worker::listen_unix).
    pub fn listen_unix_with(&self, options: UnixOptions) -> io::Result<UnixListener> {
        let listener = self
            .runtime()
            .block_on(self.inner.listen_unix_with(options))?;
        let path = listener.path().to_owned();
        let (own, open) = listener.into_parts()?;
        Ok(UnixListener {
            accepting: Accepting::new(self, own, open)?,
            path,
        })
    }

    /// Sends a message to the primary's program, and waits until it is written to the kernel.
    ///
    /// # Errors
    /// As [`worker::Worker::send`](super::Worker::send).
    pub fn send<T: Serialize + ?Sized>(&self, message: &T) -> Result<(), SendError> {
        self.runtime().block_on(self.inner.send(message))
    }

    /// As [`send`](Self::send), for what is written already.
    ///
    /// # Errors
    /// As [`worker::Worker::send_body`](super::Worker::send_body).
    pub fn send_body(&self, body: &Body) -> Result<(), SendError> {
        self.runtime().block_on(self.inner.send_body(body))
    }

    /// Sends a message with a socket, and waits until the primary has acknowledged it.
    ///
    /// # Errors
    /// As [`worker::Worker::send_with_handle`](super::Worker::send_with_handle).
    pub fn send_with_handle<T: Serialize + ?Sized>(
        &self,
        message: &T,
        handle: impl Into<Handle>,
    ) -> Result<(), SendError> {
        let sending = self.inner.send_with_handle(message, handle);
        self.runtime().block_on(sending)
    }

    /// Asks the primary's program something, and waits for its answer, for ever if need be.
    ///
    /// # Errors
    /// As [`worker::Worker::request`](super::Worker::request).
    pub fn request<Q: Serialize + ?Sized, A: DeserializeOwned>(
        &self,
        question: &Q,
    ) -> Result<A, RequestError> {
        self.runtime().block_on(self.inner.request(question))
    }

    /// Answers a [request](Message::request) of the primary's program.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn reply<T: Serialize + ?Sized>(
        &self,
        request: RequestId,
        answer: &T,
    ) -> Result<(), SendError> {
        self.runtime().block_on(self.inner.reply(request, answer))
    }

    /// Says that a [request](Message::request) cannot be answered, and why.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn refuse(&self, request: RequestId, why: &str) -> Result<(), SendError> {
        self.runtime().block_on(self.inner.refuse(request, why))
    }

    /// The messages of the primary's program: as
    /// [`worker::Worker::messages`](super::Worker::messages).
    #[must_use]
    pub fn messages(&self) -> Messages {
        Messages {
            inner: self.inner.messages(),
            runtime: self.runtime().clone(),
        }
    }

    /// Waits until this process is to leave: as [`worker::Worker::shutdown`](super::Worker::shutdown).
    /// Waiting `accept`s fail from then on.
    pub fn wait_for_shutdown(&self) -> Reason {
        self.runtime().block_on(self.inner.shutdown());
        self.inner.shutdown_reason().unwrap_or(Reason::PrimaryGone)
    }

    /// Whether this process is to leave. The first call has the effects of the first call of
    /// [`worker::Worker::shutdown`](super::Worker::shutdown): SIGINT, SIGTERM and the end of the
    /// primary do not end this process any more, but end its waiting `accept`s.
    pub fn shutdown_requested(&self) -> bool {
        // Asking is what counts; nothing is waited for.
        drop(self.inner.shutdown());
        self.inner.shutdown_reason().is_some()
    }

    /// Leaves the cluster: as [`worker::Worker::disconnect`](super::Worker::disconnect).
    pub fn disconnect(&self) {
        self.runtime().block_on(self.inner.disconnect());
    }

    /// Closes the channel: as [`worker::Worker::close`](super::Worker::close).
    pub fn close(&self) {
        self.runtime().block_on(self.inner.close());
    }
}

/// The messages of the primary's program, from [`Worker::messages`]: an iterator that waits for
/// each, and ends when the channel is closed and all that came before has been read.
#[derive(Debug)]
pub struct Messages {
    inner: super::Messages,
    runtime: Runtime,
}

impl Messages {
    /// The next message if one has come already.
    pub fn try_next(&mut self) -> Option<Message> {
        let nobody = Context::from_waker(Waker::noop());
        match self.inner.poll(&nobody) {
            std::task::Poll::Ready(message) => message,
            std::task::Poll::Pending => None,
        }
    }
}

impl Iterator for Messages {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        self.runtime.block_on(self.inner.next())
    }
}

/// A TCP port shared with the other workers: as [`worker::Listener`](super::Listener). Several
/// threads may accept.
#[derive(Debug)]
pub struct Listener {
    accepting: Accepting<net::TcpListener>,
    address: SocketAddr,
}

impl Listener {
    /// Waits for the next connection. It is in blocking mode.
    ///
    /// # Errors
    /// As [`worker::Listener::accept`](super::Listener::accept), and `NotConnected` once this process
    /// is to leave and has asked for it ([`Worker::wait_for_shutdown`],
    /// [`Worker::shutdown_requested`]).
    pub fn accept(&self) -> io::Result<(net::TcpStream, SocketAddr)> {
        self.accepting.accept()
    }

    /// Connections until no more can come, or this process is to leave: as
    /// [`accept`](Self::accept) again and again.
    pub fn incoming(&self) -> impl Iterator<Item = io::Result<net::TcpStream>> + '_ {
        self.accepting.incoming()
    }

    /// The address that clients connect to, with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

/// A unix socket shared with the other workers: as [`Listener`].
#[derive(Debug)]
pub struct UnixListener {
    accepting: Accepting<unix::UnixListener>,
    path: PathBuf,
}

impl UnixListener {
    /// As [`Listener::accept`].
    ///
    /// # Errors
    /// As [`Listener::accept`].
    pub fn accept(&self) -> io::Result<(unix::UnixStream, unix::SocketAddr)> {
        self.accepting.accept()
    }

    /// As [`Listener::incoming`].
    pub fn incoming(&self) -> impl Iterator<Item = io::Result<unix::UnixStream>> + '_ {
        self.accepting.incoming()
    }

    /// The path that clients connect to, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
