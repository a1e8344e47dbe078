//! What is in a message of the program at the other end?

use crate::handle::Handle;
use crate::request::{self, RequestId};
use serde::de::DeserializeOwned;
use tine_ipc::{Body, BodyError};

/// A message of the program at the other end of a channel, in the order in which it was sent.
#[derive(Debug)]
pub struct Message {
    body: Body,
    handle: Option<Handle>,
}

impl Message {
    pub(crate) fn new(body: Body, handle: Option<Handle>) -> Self {
        Self { body, handle }
    }

    /// What was said, as `T`. Of a [request](Self::request), its value.
    ///
    /// # Errors
    /// When it is something else than a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, BodyError> {
        match self.request() {
            Some(_) => request::value_of(&self.body),
            None => self.body.read(),
        }
    }

    /// The message exactly as it stood on the wire.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The socket that came with it.
    #[must_use]
    pub fn handle(&self) -> Option<&Handle> {
        self.handle.as_ref()
    }

    /// Takes the socket that came with it. One that is not taken is closed with the message.
    pub fn take_handle(&mut self) -> Option<Handle> {
        self.handle.take()
    }

    pub(crate) fn into_body(self) -> Body {
        self.body
    }

    /// The number to answer under, if the other end sent this as a request: see
    /// [`Worker::request`](crate::worker::Worker::request), and [`RequestId`].
    #[must_use]
    pub fn request(&self) -> Option<RequestId> {
        request::number_of(&self.body)
    }
}
