//! How does a Rust program join a cluster?
//!
//! Its primary may be tine, a Node program (`cluster.fork` with this program as
//! `process.execPath`), or another Rust program. Nobody but this process sees a difference.
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
//!
//! Messages go both ways, with or without a socket:
//!
//! ```no_run
//! # async fn talk(worker: tine_cluster::worker::Worker) -> Result<(), Box<dyn std::error::Error>> {
//! worker.send(&"up").await?;
//! let mut messages = worker.messages();
//! while let Some(message) = messages.next().await {
//!     println!("the primary says {}", message.read::<String>()?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | question | file |
//! |---|---|
//! | What can a worker listen on? | `listen.rs` |
//! | Where do connections come from? | `listener.rs` |
//! | How does it say something? | `send.rs` |
//! | Where do messages wait? | `inbox.rs` |
//! | When and how does it leave? | `shutdown.rs` |
//! | What does it know, and what does it answer? | `state.rs`, `servers.rs` |
//! | Who holds the lock, and who reads? | `shared.rs`, `task.rs` |
//! | How does a program without tokio join? | `blocking/` |

pub mod blocking;
mod inbox;
mod listen;
mod listener;
mod send;
mod servers;
mod shared;
mod shutdown;
mod state;
mod task;
#[cfg(test)]
mod tests;

pub use inbox::Messages;
pub use listen::{ListenOptions, UdpOptions, UnixOptions};
pub use listener::{Listener, UnixListener};
pub use send::Sending;
pub use shutdown::Reason;

use rustix::net::AddressFamily;
use shared::Shared;
use state::State;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tine_ipc::{Channel, Dialect, Limits, Serialization};
use tokio::net::UnixStream;

const CHANNEL: &str = "NODE_CHANNEL_FD";
const SERIALIZATION: &str = "NODE_CHANNEL_SERIALIZATION_MODE";
const ID: &str = "NODE_UNIQUE_ID";

/// The environment variables that make a process a worker.
///
/// Node removes them from its own environment; a Rust program with threads cannot do that safely,
/// so remove them from the environment of what you start:
///
/// ```
/// # #[allow(clippy::disallowed_methods)]
/// # fn child() -> std::process::Command {
/// let mut child = std::process::Command::new("true");
/// for variable in tine_cluster::worker::VARIABLES {
///     child.env_remove(variable);
/// }
/// # child
/// # }
/// ```
///
/// The channel itself is close-on-exec once [`Worker::from_env`] has been called, and is not
/// inherited.
pub const VARIABLES: [&str; 3] = [CHANNEL, SERIALIZATION, ID];

/// This process as a worker of a cluster, whoever its primary is: tine, Node, or another Rust
/// program.
///
/// Clones are the same worker. Dropping the last one does not leave the cluster: the channel
/// belongs to the process, and to the tokio runtime of [`from_env`](Self::from_env).
#[derive(Debug, Clone)]
pub struct Worker {
    shared: Arc<Shared>,
}

impl Worker {
    /// Joins the cluster that this process was started in: `None` when it was started by other
    /// means, without `NODE_CHANNEL_FD`. Works once in the life of a process.
    ///
    /// A process that was forked without a cluster (`child_process.fork`) has a channel and no
    /// number: it can talk, but not listen, and is not ended with its parent.
    ///
    /// # Errors
    /// When the variable names something that is no channel, or was taken before; when
    /// `NODE_CHANNEL_SERIALIZATION_MODE` is neither `json` nor `advanced`.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled. The runtime needs its timer too, for the rare
    /// cases that too many descriptors are on their way, or that the other end waits until sockets
    /// that it has sent are closed here.
    pub fn from_env() -> io::Result<Option<Self>> {
        let Some(channel) = tine_sys::inherited::take_channel(CHANNEL)? else {
            return Ok(None);
        };
        let serialization = match std::env::var(SERIALIZATION) {
            Err(_) => Serialization::Json,
            Ok(mode) => mode.parse().map_err(|error| {
                let text = format!("reading {SERIALIZATION}: {error}");
                io::Error::new(io::ErrorKind::InvalidInput, text)
            })?,
        };
        let id = std::env::var(ID).ok().and_then(|id| id.parse().ok());
        Self::new(channel, id, serialization).map(Some)
    }

    pub(crate) fn new(
        channel: OwnedFd,
        id: Option<u32>,
        serialization: Serialization,
    ) -> io::Result<Self> {
        if rustix::net::getsockname(&channel)?.address_family() != AddressFamily::UNIX {
            let text = format!("{CHANNEL} does not name an IPC channel");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        rustix::io::ioctl_fionbio(&channel, true)?;
        let socket = UnixStream::from_std(std::os::unix::net::UnixStream::from(channel))?;
        let socket = Arc::new(socket);
        let channel = Channel::with(Limits::default(), Dialect::Node, serialization)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let state = State::new(channel, socket.clone(), id.is_some());
        let runtime = tokio::runtime::Handle::current();
        let shared = Shared::new(state, id, serialization, runtime);
        // The word that it is online goes at once, whatever the program does next.
        shared.with(|_| {});
        task::start(&shared, socket);
        Ok(Self { shared })
    }

    /// `cluster.worker.id`, from 1; `None` in a process that has a channel and is no cluster
    /// worker.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.shared.id
    }

    /// How messages are written on this channel.
    #[must_use]
    pub fn serialization(&self) -> Serialization {
        self.shared.serialization
    }
}
