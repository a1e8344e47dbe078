//! How does a Rust program join a cluster?
//!
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! use tine_cluster::worker::Worker;
//!
//! let Some(worker) = Worker::from_env()? else {
//!     return Err("start me with `tine run`".into());
//! };
//! let mut listener = worker.listen("0.0.0.0:3000".parse()?).await?;
//! loop {
//!     tokio::select! {
//!         connection = listener.accept() => {
//!             let (stream, client) = connection?;
//!             println!("worker {:?} serves {client}", worker.id());
//!             drop(stream);
//!         }
//!         () = worker.shutdown() => break,
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod listener;
mod task;

pub use listener::Listener;

use rustix::net::AddressFamily;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Once;
use task::Command;
use tine_ipc::{JsScalar, QueryServer};
use tokio::sync::{mpsc, oneshot, watch};

/// This process as a worker of a cluster, whoever its primary is: tine, Node, or another Rust
/// program.
///
/// Dropping it does not leave the cluster; dropping its listeners after
/// [`shutdown`](Self::shutdown) has resolved does.
#[derive(Debug)]
pub struct Worker {
    id: Option<u32>,
    commands: mpsc::UnboundedSender<Command>,
    leave: watch::Sender<bool>,
    leaving: watch::Receiver<bool>,
    signals: Once,
}

impl Worker {
    /// Joins the cluster that this process was started in: `None` when it was started by other
    /// means, without `NODE_CHANNEL_FD`. Works once in the life of a process.
    ///
    /// # Errors
    /// When the variable names something that is no channel, or was taken before.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub fn from_env() -> io::Result<Option<Self>> {
        let Some(channel) = tine_sys::inherited::take_channel("NODE_CHANNEL_FD")? else {
            return Ok(None);
        };
        let id = std::env::var("NODE_UNIQUE_ID")
            .ok()
            .and_then(|id| id.parse().ok());
        Self::new(channel, id).map(Some)
    }

    fn new(channel: OwnedFd, id: Option<u32>) -> io::Result<Self> {
        if rustix::net::getsockname(&channel)?.address_family() != AddressFamily::UNIX {
            let text = "NODE_CHANNEL_FD does not name an IPC channel";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        rustix::io::ioctl_fionbio(&channel, true)?;
        let (commands, received) = mpsc::unbounded_channel();
        let (leave, leaving) = watch::channel(false);
        task::start(channel, received, commands.downgrade(), leave.clone())?;
        Ok(Self {
            id,
            commands,
            leave,
            leaving,
            signals: Once::new(),
        })
    }

    /// `cluster.worker.id`, from 1; `None` in a process that has a channel and is no cluster
    /// worker.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.id
    }

    /// Listens on a TCP address that all workers share. Port 0 is one free port for all of them.
    ///
    /// # Errors
    /// What the primary met when it bound the address, for example that it is in use; or that
    /// the primary is gone.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<Listener> {
        let query = QueryServer {
            address: JsScalar::Text(address.ip().to_string()),
            port: JsScalar::Number(i64::from(address.port())),
            address_type: JsScalar::Number(if address.is_ipv6() { 6 } else { 4 }),
            ..QueryServer::default()
        };
        let (reply, replied) = oneshot::channel();
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the primary is gone");
        let _ = self.commands.send(Command::Listen { query, reply });
        replied.await.map_err(|_| gone())?
    }

    /// Resolves when this process is to leave: the primary asks it to, the primary is gone, or
    /// SIGINT or SIGTERM has come since the first call. May be awaited by several at once, and again
    /// and again: what has come is not forgotten.
    pub async fn shutdown(&self) {
        self.signals.call_once(|| self.heed_signals());
        // An error means that the channel's task is gone, and with it the primary.
        let _ = self.leaving.clone().wait_for(|leaving| *leaving).await;
    }

    /// From now on SIGINT and SIGTERM do not end this process, but ask it to leave.
    fn heed_signals(&self) {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return;
        };
        let leave = self.leave.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            let _ = leave.send(true);
        });
    }
}

/// Whether a descriptor that came from the primary is a listening or bound stream socket.
fn is_listener(fd: &OwnedFd) -> bool {
    use tine_sys::socket::Kind;
    matches!(
        tine_sys::socket::kind(fd.as_fd()),
        Ok(Kind::TcpListener | Kind::TcpUnconnected)
    )
}
