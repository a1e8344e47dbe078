//! How does this worker say something to the primary's program?

use super::Worker;
use super::shared::Shared;
use super::state::{Answer, State};
use crate::error::{RequestError, SendError};
use crate::handle::Handle;
use crate::request::{self, RequestId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tine_ipc::{Body, BodyError};
use tokio::sync::oneshot;

/// A message on its way. It goes whether or not this is awaited; dropping this does not unsend it.
#[derive(Debug)]
#[must_use = "whether it was sent is known when this is awaited"]
pub struct Sending(Way);

#[derive(Debug)]
enum Way {
    /// All is said.
    Done(Option<SendError>),
    /// Until it is written.
    Unwritten(oneshot::Receiver<()>),
    /// Until its handle is acknowledged.
    Unacknowledged(oneshot::Receiver<Result<(), SendError>>),
}

impl Future for Sending {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Way::Done(error) => {
                // A loop of sends never waits: the other tasks have their turn all the same.
                let turn = ready!(tokio::task::coop::poll_proceed(cx));
                turn.made_progress();
                Poll::Ready(error.take().map_or(Ok(()), Err))
            }
            Way::Unwritten(written) => Pin::new(written)
                .poll(cx)
                .map(|written| written.map_err(|_| SendError::Closed)),
            Way::Unacknowledged(taken) => Pin::new(taken)
                .poll(cx)
                .map(|taken| taken.unwrap_or(Err(SendError::Closed))),
        }
    }
}

impl Sending {
    fn of(sent: Result<Option<oneshot::Receiver<()>>, SendError>) -> Self {
        match sent {
            Ok(None) => Self(Way::Done(None)),
            Ok(Some(written)) => Self(Way::Unwritten(written)),
            Err(error) => Self::failed(error),
        }
    }

    fn failed(error: SendError) -> Self {
        Self(Way::Done(Some(error)))
    }
}

impl Worker {
    /// Sends a message to the primary's program. It is on its way when this returns, in the order
    /// of the calls; the future resolves when it has been written to the kernel, which is to say
    /// at once unless the primary is slow to read. It does not tell that it was read.
    ///
    /// A sender who does not wait piles up memory when the primary does not read.
    ///
    /// An object whose `cmd` begins with `NODE_` is taken for one of the runtime's own.
    ///
    /// # Errors
    /// From the future: [`SendError::Closed`] when the channel is closed or closes first,
    /// [`SendError::Body`] when the value cannot be written in this channel's serialization.
    pub fn send<T: Serialize + ?Sized>(&self, message: &T) -> Sending {
        self.send_or_fail(Body::write(message, self.serialization()))
    }

    /// As [`send`](Self::send), for what is written already: a message to be sent on as it came
    /// ([`Message::body`](crate::Message::body)), or made by [`Body::from_value`].
    ///
    /// # Errors
    /// As [`send`](Self::send); [`SendError::Body`] when it is written in the other serialization
    /// and holds what this one cannot.
    pub fn send_body(&self, body: &Body) -> Sending {
        let sent = self.shared.with(|state| state.say(body));
        Sending::of(sent)
    }

    /// As [`send`](Self::send), with a socket. This process's copy is closed; keep a `try_clone` to
    /// use it further.
    ///
    /// The future resolves when the primary has acknowledged that it has the socket, or the channel
    /// is closed.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`SendError::HandleRefused`] when the primary had no descriptor
    /// free: then neither the message nor the socket has arrived.
    pub fn send_with_handle<T: Serialize + ?Sized>(
        &self,
        message: &T,
        handle: impl Into<Handle>,
    ) -> Sending {
        let body = match Body::write(message, self.serialization()) {
            Ok(body) => body,
            Err(error) => return Sending::failed(error.into()),
        };
        let (kind, fd) = match handle.into().into_sent() {
            Ok(sendable) => sendable,
            Err(error) => return Sending::failed(error),
        };
        let sent = self.shared.with(|state| {
            if !state.is_open() {
                return Err(SendError::Closed);
            }
            state.send_handle(&body, kind, fd)
        });
        match sent {
            Ok(taken) => Sending(Way::Unacknowledged(taken)),
            Err(error) => Sending::failed(error),
        }
    }

    /// Asks the primary's program something, and waits for its answer: there with
    /// [`Message::request`](crate::Message::request), or in Node as described in
    /// [`RequestId`].
    ///
    /// Give it a time limit of your own: a program that does not know of requests never answers.
    ///
    /// # Errors
    /// When it cannot be sent, the channel closes, the other program refuses, or what it answers
    /// is no `A`.
    pub fn request<Q: Serialize + ?Sized, A: DeserializeOwned>(
        &self,
        question: &Q,
    ) -> impl Future<Output = Result<A, RequestError>> + use<Q, A> {
        let how = self.serialization();
        let ask = || {
            let number = self.shared.with(State::next_request)?;
            // Outside of the lock: this is code of the program.
            let body = request::ask(number, question, how)?;
            let answer = self
                .shared
                .with(|state| state.send_request(number, &body))?;
            Ok::<_, SendError>(Waiting {
                shared: self.shared.clone(),
                number,
                answer,
            })
        };
        let sent = ask();
        async move {
            let mut waiting = sent?;
            let answer = (&mut waiting.answer).await;
            let answer = answer.map_err(|_| RequestError::Closed)?;
            let body = answer.map_err(RequestError::Refused)?;
            request::value_of(&body).map_err(RequestError::Answer)
        }
    }

    /// Answers a [request](crate::Message::request) of the primary's program.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn reply<T: Serialize + ?Sized>(&self, request: RequestId, answer: &T) -> Sending {
        self.send_or_fail(request::answer(request, answer, self.serialization()))
    }

    /// Says that a [request](crate::Message::request) cannot be answered, and why.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn refuse(&self, request: RequestId, why: &str) -> Sending {
        self.send_or_fail(request::refuse(request, why, self.serialization()))
    }

    fn send_or_fail(&self, body: Result<Body, BodyError>) -> Sending {
        match body {
            Ok(body) => self.send_body(&body),
            Err(error) => Sending::failed(error.into()),
        }
    }
}

/// For the answer to a request.
struct Waiting {
    shared: Arc<Shared>,
    number: u64,
    answer: oneshot::Receiver<Answer>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.with(|state| state.give_up_request(self.number));
    }
}

impl State {
    /// Queues a message and writes what can be written: what to wait for, if not all was.
    fn say(&mut self, body: &Body) -> Result<Option<oneshot::Receiver<()>>, SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        let mark = self.channel.send(body)?;
        self.flush();
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        Ok(self.until_written(mark))
    }
}
