//! What can go wrong between a client and the daemon?

use crate::limits::{LINE_BYTES, VERSION};
use crate::reply::Failure;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// There is no socket file, or nobody behind it.
    #[error("no daemon behind {}", path.display())]
    NotRunning {
        /// The socket file.
        path: PathBuf,
    },
    /// The socket file belongs to somebody else.
    #[error("no permission to speak to the daemon behind {}", path.display())]
    NotPermitted {
        /// The socket file.
        path: PathBuf,
    },
    /// The path is longer than the 107 bytes that an address of a socket can have (unix(7)).
    #[error("the path {} is too long for a socket", path.display())]
    PathTooLong {
        /// The socket file.
        path: PathBuf,
    },
    /// Connecting failed otherwise.
    #[error("cannot connect to {}: {error}", path.display())]
    Connect {
        /// The socket file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What answers is not tine, or of a version long gone.
    #[error("what answers is not a daemon of tine: {line}")]
    NotTine {
        /// The beginning of what it said.
        line: String,
    },
    /// The daemon speaks another version.
    #[error(
        "the daemon (tine {server}, pid {pid}) speaks version {theirs} and this program version \
         {VERSION}"
    )]
    Version {
        /// The version of the daemon's program.
        server: String,
        /// Its number in the kernel.
        pid: u32,
        /// The version that it speaks.
        theirs: u32,
    },
    /// The daemon ended the connection, and says why.
    #[error("the daemon ended the connection: {0}")]
    Refused(Failure),
    /// The daemon did not do what was asked, and says why.
    #[error("{0}")]
    Failed(Failure),
    /// The connection ended without a word.
    #[error("the daemon ended the connection")]
    Closed,
    /// There was no answer in time.
    #[error("no answer from the daemon within {} ms", limit.as_millis())]
    TimedOut {
        /// The time it had.
        limit: Duration,
    },
    /// Reading or writing failed otherwise.
    #[error("cannot speak with the daemon: {0}")]
    Stream(#[source] io::Error),
    /// A line of the daemon makes no sense.
    #[error("the daemon says what makes no sense: {0}")]
    NotUnderstood(#[source] serde_json::Error),
    /// A line of the daemon is longer than any should be.
    #[error(
        "the daemon sends a line of more than {} bytes",
        crate::limits::ANSWER_BYTES
    )]
    EndlessLine,
    /// The request cannot be written as JSON.
    #[error("cannot write the request: {0}")]
    Request(#[source] serde_json::Error),
    /// The request is longer than the daemon takes.
    #[error("the request has {bytes} bytes and the daemon takes {LINE_BYTES}")]
    TooLarge {
        /// So many it has.
        bytes: usize,
    },
}

impl ClientError {
    /// What the user can do about it; may be empty.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            ClientError::NotRunning { .. } => "`tine start` starts it".to_owned(),
            ClientError::NotPermitted { .. } => {
                "it belongs to another user; become that user, or set TINE_HOME to a folder of \
                 your own"
                    .to_owned()
            }
            ClientError::PathTooLong { .. } => "set TINE_HOME to a shorter path".to_owned(),
            ClientError::Version { theirs, .. } if *theirs > VERSION => {
                "the daemon is newer; use the program that it was started with".to_owned()
            }
            ClientError::Version { .. } => {
                "the daemon is older; start it anew with this program".to_owned()
            }
            ClientError::TooLarge { .. } => "ask in several steps".to_owned(),
            ClientError::Refused(failure) | ClientError::Failed(failure) => failure.hint.clone(),
            ClientError::TimedOut { .. }
            | ClientError::Connect { .. }
            | ClientError::NotTine { .. }
            | ClientError::Closed
            | ClientError::Stream(_)
            | ClientError::NotUnderstood(_)
            | ClientError::EndlessLine
            | ClientError::Request(_) => String::new(),
        }
    }
}
