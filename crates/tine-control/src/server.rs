//! How are clients heard? On tokio; one task reads and one writes for each connection.
//!
//! The server accepts, sees who it is, keeps the limits of [`limits`](crate::limits), and reads
//! requests. What is asked goes to a [`Handler`] with a [`Responder`] for the reply; only
//! `subscribe` and `cancel` are answered here. Nothing wakes up while nothing is said.

mod connection;
mod events;
mod listen;
mod outbox;
mod responder;

pub use events::Events;
pub use listen::{ListenError, listen};
pub use responder::{Gone, Responder};

use crate::limits::{CONNECTIONS, LAST_WORDS};
use crate::line::{self, Greeting};
use crate::reply::{ErrorCode, Failure};
use crate::request::Request;
use connection::Shared;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The pause before accepting again when the system has no descriptor left. Nothing tells when it
/// has one, and the listener stays readable: without a pause this would spin.
const NO_DESCRIPTOR: Duration = Duration::from_millis(100);

/// Somebody asked for something.
#[derive(Debug)]
pub struct Asked {
    /// What.
    pub request: Request,
    /// Who.
    pub peer: Peer,
    /// For the answer. When it is dropped without one, the client is told that it failed.
    pub reply: Responder,
}

/// Who is at the other end, as the kernel says (`SO_PEERCRED`, unix(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The user who connected.
    pub uid: u32,
    /// The process that connected; none when it is in a namespace that cannot be seen from here.
    pub pid: Option<i32>,
}

/// Takes what is asked. It must not block: it starts what takes time, and gives the [`Responder`]
/// to whoever will know the answer.
pub trait Handler: Send + Sync + 'static {
    /// Takes one request.
    fn handle(&self, asked: Asked);
}

impl<F: Fn(Asked) + Send + Sync + 'static> Handler for F {
    fn handle(&self, asked: Asked) {
        self(asked);
    }
}

/// Who may speak to the daemon, and how it presents itself.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The version of the program, for the greeting.
    pub server: String,
    /// The users who may connect, besides root. Usually the daemon's own (effective) user.
    pub users: Vec<u32>,
    /// How long a client has for its first request. Usually
    /// [`FIRST_REQUEST`](crate::limits::FIRST_REQUEST).
    pub first_request: Duration,
}

impl Rules {
    /// The rules for a daemon that serves the user it runs as.
    #[must_use]
    pub fn of_this_process(server: impl Into<String>) -> Self {
        Rules {
            server: server.into(),
            users: vec![rustix::process::geteuid().as_raw()],
            first_request: crate::limits::FIRST_REQUEST,
        }
    }

    fn permit(&self, uid: u32) -> bool {
        uid == 0 || self.users.contains(&uid)
    }
}

/// Ends a [`serve`] that runs. Dropping it ends nothing.
#[derive(Debug, Clone)]
pub struct Ending(watch::Sender<bool>);

impl Default for Ending {
    fn default() -> Self {
        Ending(watch::channel(false).0)
    }
}

impl Ending {
    /// No more connections are accepted and no more requests read; what has been said to clients
    /// is delivered, for at most [`LAST_WORDS`].
    pub fn end(&self) {
        self.0.send_replace(true);
    }
}

/// Accepts and serves clients, until `ending` is asked to. Dropping the future cuts all clients.
///
/// # Errors
/// When the listener itself is broken. Clients cannot make it fail, nor can a lack of descriptors:
/// then those who connect wait.
pub async fn serve<H: Handler>(
    listener: UnixListener,
    rules: Rules,
    events: Events,
    handler: H,
    ending: &Ending,
) -> io::Result<()> {
    let mut ended = ending.0.subscribe();
    let shared = Arc::new(Shared {
        greeting: Greeting::new(rules.server.clone(), std::process::id()),
        rules,
        events,
        handler,
        ended: ended.clone(),
    });
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ended.wait_for(|ended| *ended) => break,
        };
        match accepted {
            Ok((stream, _)) if connections.len() >= CONNECTIONS => {
                refuse(
                    &stream,
                    &Failure::new(
                        ErrorCode::TooMany,
                        format!("there are {CONNECTIONS} connections already"),
                    ),
                );
            }
            Ok((stream, _)) => match stream.peer_cred() {
                Ok(cred) if shared.rules.permit(cred.uid()) => {
                    let peer = Peer {
                        uid: cred.uid(),
                        pid: cred.pid(),
                    };
                    connections.spawn(connection::serve(stream, peer, Arc::clone(&shared)));
                }
                Ok(cred) => refuse(
                    &stream,
                    &Failure::new(
                        ErrorCode::NotPermitted,
                        format!("user {} may not speak to this daemon", cred.uid()),
                    )
                    .hint("only the user it runs as and root may"),
                ),
                // Whoever it was is gone, or the kernel will not say: either way nobody to serve.
                Err(_) => {}
            },
            Err(error) if is_passing(&error) => {}
            Err(error) if is_lack(&error) => tokio::select! {
                () = tokio::time::sleep(NO_DESCRIPTOR) => {}
                _ = ended.wait_for(|ended| *ended) => break,
            },
            Err(error) => return Err(error),
        }
    }
    drop(listener);
    // The connections have seen the end themselves and deliver what waits.
    let delivered = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_WORDS, delivered).await;
    Ok(())
}

/// Says why and hangs up. What does not fit into the empty buffer of a new socket is not said.
fn refuse(stream: &UnixStream, why: &Failure) {
    if let Ok(line) = line::failed(None, why) {
        let _ = stream.try_write(&line);
    }
}

/// Errors of accept(2) that are about one connection only.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
    )
}

/// Errors of accept(2) that say that the system or this process has no more to give.
fn is_lack(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}
