//! Why could something not be said?

use tine_ipc::BodyError;

/// A message was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The channel is closed: nothing can be said any more.
    #[error("sending a message: the channel is closed")]
    Closed,
    /// The value cannot be written in the channel's serialization.
    #[error("sending a message: {0}")]
    Body(#[from] BodyError),
    /// The descriptor is of a kind that cannot be sent: Node dies of regular files and terminals.
    #[error("sending a handle: {what} cannot be sent, only TCP, unix and UDP sockets")]
    Handle {
        /// What it is.
        what: String,
    },
    /// The other end has no descriptor free for the handle. The message is lost with it.
    #[error(
        "sending a handle: the other end could not take it, and dropped its message; \
         hint: it is most likely at its limit of open files"
    )]
    HandleRefused,
}

/// A request was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The channel closed before the answer came.
    #[error("waiting for the answer to a request: the channel has closed")]
    Closed,
    /// The other end says that it cannot answer.
    #[error("the request was refused: {0}")]
    Refused(String),
    /// The answer is something else than what was asked for.
    #[error("reading the answer to a request: {0}")]
    Answer(#[source] BodyError),
}
