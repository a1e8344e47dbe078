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
    pub(super) source: Source,
    pub(super) address: SocketAddr,
    pub(super) key: String,
    pub(super) commands: mpsc::WeakUnboundedSender<Command>,
}

#[derive(Debug)]
pub(super) enum Source {
    /// The primary accepts and passes on.
    Passed(mpsc::Receiver<Passed>),
    /// This process accepts.
    Own(TcpListener),
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
        match &mut self.source {
            Source::Own(listener) => listener.accept().await,
            Source::Passed(connections) => loop {
                let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the primary is gone");
                let Passed { stream, seq } = connections.recv().await.ok_or_else(gone)?;
                // Only now: what the program has not taken may still go to another worker.
                if let Some(commands) = self.commands.upgrade() {
                    let _ = commands.send(Command::Answer { seq, taken: true });
                }
                // A client that has gone already has no address any more.
                if let Ok(client) = stream.peer_addr() {
                    return Ok((stream, client));
                }
            },
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
            if let Source::Passed(connections) = &mut self.source {
                connections.close();
                while let Ok(Passed { seq, .. }) = connections.try_recv() {
                    let _ = commands.send(Command::Answer { seq, taken: false });
                }
            }
            let _ = commands.send(Command::Close {
                key: std::mem::take(&mut self.key),
            });
        }
    }
}
