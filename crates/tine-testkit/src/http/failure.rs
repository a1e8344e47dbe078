use std::fmt;
use std::io;
use std::time::Instant;

/// What a client got instead of a whole response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// Nobody listens: connection refused, or no such unix socket.
    Refused,
    /// The connection was reset (RST) before any byte of the response.
    ResetBeforeByte,
    /// The connection was reset within the response.
    ResetAfterByte,
    /// The connection was closed (FIN) before any byte of the response.
    EofBeforeByte,
    /// The connection was closed within the response.
    EofAfterByte,
    /// The response was not whole in time.
    Timeout,
    /// The bytes are no HTTP response, or more than one.
    BadResponse,
    /// The client's own fault: out of ports, out of file descriptors. It says nothing about the
    /// server, and a test that sees it has measured nothing.
    Client,
}

/// One request that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What happened.
    pub kind: FailureKind,
    /// When it happened.
    pub at: Instant,
    /// Since when the connection stood; `None` when it never did.
    pub connected_at: Option<Instant>,
    /// The client's port, to find the connection in the server's words; `None` without a
    /// connection and on unix sockets.
    pub local_port: Option<u16>,
    /// Bytes of this response seen.
    pub bytes_seen: u64,
    /// Responses that came whole on this connection before. A server may close an idle connection
    /// at any time (RFC 9112 section 9.5), so `ResetBeforeByte` and `EofBeforeByte` are
    /// no breach of a promise when this is not 0, unlike everything else.
    pub responses_before: u64,
    /// What was being done, to what, and the system's words.
    pub detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} after {} bytes: {}",
            self.kind, self.bytes_seen, self.detail
        )?;
        if let Some(port) = self.local_port {
            write!(
                f,
                " (from port {port}, after {} responses)",
                self.responses_before
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// The kind of an error of connect, read or write, when `bytes_seen` of the response had come.
pub(super) fn kind_of(error: &io::Error, bytes_seen: u64) -> FailureKind {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => FailureKind::Refused,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => {
            if bytes_seen == 0 {
                FailureKind::ResetBeforeByte
            } else {
                FailureKind::ResetAfterByte
            }
        }
        io::ErrorKind::UnexpectedEof => {
            if bytes_seen == 0 {
                FailureKind::EofBeforeByte
            } else {
                FailureKind::EofAfterByte
            }
        }
        // Linux says EAGAIN where SO_RCVTIMEO or SO_SNDTIMEO has passed (socket(7)).
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => FailureKind::Timeout,
        io::ErrorKind::InvalidData => FailureKind::BadResponse,
        _ => FailureKind::Client,
    }
}
