//! Where do a worker's connections come from? Its own socket, or the primary's hands.

use super::task::Command;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A TCP port shared with the other workers.
///
/// Dropping it tells the primary that this worker does not listen any more.
#[derive(Debug)]
pub struct Listener {
    /// This process's own socket, unless the primary accepts for all.
    pub(super) own: Option<TcpListener>,
    /// What the primary passes on: everything, or what another worker has left behind.
    pub(super) passed: mpsc::Receiver<Passed>,
    pub(super) address: SocketAddr,
    pub(super) key: String,
    pub(super) commands: mpsc::WeakUnboundedSender<Command>,
}

/// A connection that the primary has passed on, and that nobody has answered.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) stream: TcpStream,
    pub(super) seq: i64,
}

impl Listener {
    /// Waits for the next connection. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When accepting fails, or, with `BrokenPipe`, when the primary that passed connections on
    /// is gone.
    pub async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let Passed { stream, seq } = tokio::select! {
                own = accept(self.own.as_ref()) => return own,
                passed = self.passed.recv() => match passed {
                    Some(passed) => passed,
                    None if self.own.is_some() => return accept(self.own.as_ref()).await,
                    None => {
                        let text = "the primary is gone";
                        return Err(io::Error::new(io::ErrorKind::BrokenPipe, text));
                    }
                },
            };
            // Only now: what the program has not taken may still go to another worker.
            if let Some(commands) = self.commands.upgrade() {
                let _ = commands.send(Command::Answer { seq, taken: true });
            }
            // A client that has gone already has no address any more.
            if let Ok(client) = stream.peer_addr() {
                return Ok((stream, client));
            }
        }
    }

    /// The address that clients connect to, with the real port.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(commands) = self.commands.upgrade() {
            self.passed.close();
            while let Ok(Passed { seq, .. }) = self.passed.try_recv() {
                let _ = commands.send(Command::Answer { seq, taken: false });
            }
            let _ = commands.send(Command::Close {
                key: std::mem::take(&mut self.key),
            });
        }
    }
}

/// Accepts from a socket of one's own; without one, never.
async fn accept(own: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match own {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}
