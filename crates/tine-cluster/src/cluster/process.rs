//! What can be asked of one worker?

use super::state::{Reply, Shared};
use super::stdio::End;
use crate::error::{RequestError, SendError};
use crate::handle::Handle;
use crate::primary::{ListeningAddress, WorkerId};
use crate::request::{self, RequestId};
use rustix::process::{Pid, Signal};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tine_ipc::{Body, BodyError};
use tine_sys::reap::ExitStatus;
use tokio::net::{UnixStream, unix::pipe};
use tokio::sync::{oneshot, watch};

/// A worker, as its primary sees it: Node's `Worker` object. All clones are the same worker. It
/// can be asked about after the process has ended; dropping it does nothing to the process.
#[derive(Clone)]
pub struct WorkerProcess(Arc<Inside>);

struct Inside {
    id: WorkerId,
    pid: Pid,
    shared: Arc<Shared>,
    status: watch::Receiver<Status>,
    ends: Mutex<BTreeMap<i32, End>>,
}

/// What is known of a worker.
#[derive(Debug, Clone)]
pub(super) struct Status {
    pub(super) online: bool,
    pub(super) listening: Vec<ListeningAddress>,
    pub(super) connected: bool,
    pub(super) exited_after_disconnect: Option<bool>,
    pub(super) exit: Option<ExitStatus>,
}

/// Where a worker is in its life: Node's `worker.state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The process was started and has not spoken.
    Forked,
    /// It has spoken.
    Online,
    /// It listens somewhere.
    Listening,
    /// Its channel is closed.
    Disconnected,
    /// The process has ended.
    Dead,
}

/// The worker disconnected or ended before what was waited for could come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the worker is gone{}", .status.map_or(String::new(), |status| format!(": {status}")))]
#[non_exhaustive]
pub struct Gone {
    /// How it ended, if it has.
    pub status: Option<ExitStatus>,
}

impl WorkerProcess {
    pub(super) fn new(
        id: WorkerId,
        pid: Pid,
        shared: Arc<Shared>,
        status: watch::Receiver<Status>,
        ends: BTreeMap<i32, End>,
    ) -> Self {
        Self(Arc::new(Inside {
            id,
            pid,
            shared,
            status,
            ends: Mutex::new(ends),
        }))
    }

    /// Its number, from 1, never used twice by one cluster.
    #[must_use]
    pub fn id(&self) -> WorkerId {
        self.0.id
    }

    /// The number of its process. Another process may have it once this one [is
    /// dead](Self::is_dead).
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Where it is in its life now: when events wait to be taken, that is further on than what they
    /// tell.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.0.status.borrow().phase()
    }

    /// Whether its channel is open.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.status.borrow().connected
    }

    /// Whether the process has ended.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.0.status.borrow().exit.is_some()
    }

    /// Whether it left because one side asked for it; `None` while it is connected.
    #[must_use]
    pub fn exited_after_disconnect(&self) -> Option<bool> {
        self.0.status.borrow().exited_after_disconnect
    }

    /// Where it has said that it listens.
    #[must_use]
    pub fn addresses(&self) -> Vec<ListeningAddress> {
        self.0.status.borrow().listening.clone()
    }

    /// Resolves when the process has said its first word.
    ///
    /// # Errors
    /// When it never will.
    pub async fn online(&self) -> Result<(), Gone> {
        self.until(|status| status.online.then_some(())).await
    }

    /// Resolves when a server of the worker listens: where the first one does.
    ///
    /// # Errors
    /// When none ever will.
    pub async fn listening(&self) -> Result<ListeningAddress, Gone> {
        self.until(|status| status.listening.first().cloned()).await
    }

    /// Resolves when the worker listens at as many addresses, or is online if that is none.
    pub(super) async fn listening_at(&self, count: usize) -> Result<(), Gone> {
        let ready = |status: &Status| status.online && status.listening.len() >= count;
        self.until(|status| ready(status).then_some(())).await
    }

    async fn until<T>(&self, found: impl Fn(&Status) -> Option<T>) -> Result<T, Gone> {
        let mut status = self.0.status.clone();
        let settled = |status: &Status| found(status).is_some() || !status.connected;
        let status = match status.wait_for(settled).await {
            Ok(status) => status.clone(),
            Err(_closed) => self.0.status.borrow().clone(),
        };
        let gone = Gone {
            status: status.exit,
        };
        found(&status).ok_or(gone)
    }

    /// Resolves when the channel is closed; at once if it is.
    pub async fn disconnected(&self) {
        let mut status = self.0.status.clone();
        let _ = status.wait_for(|status| !status.connected).await;
    }

    /// Resolves when the process has ended: how. `None` when the cluster was closed before.
    pub async fn exited(&self) -> Option<ExitStatus> {
        let mut status = self.0.status.clone();
        let _ = status.wait_for(|status| status.exit.is_some()).await;
        self.status().exit
    }

    /// Sends a message to the worker's program: any value. It is on its way when this returns, and
    /// messages arrive in the order of the calls; what is returned need not be awaited. It resolves when
    /// the message is written to the channel, which is not yet when it has been read: when the worker
    /// reads slowly, it waits. Dropping it does not take the message back.
    ///
    /// # Errors
    /// When the channel is closed, or the value cannot be written. [`SendError::Closed`] after the
    /// wait says that the message may not have arrived.
    pub fn send<T: Serialize + ?Sized>(&self, value: &T) -> Sending {
        match self.body(|how| Body::write(value, how)) {
            Ok(body) => self.send_body(&body),
            Err(error) => Sending::failed(error),
        }
    }

    /// Sends a message exactly as given: see [`Message::body`](crate::Message::body).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_body(&self, body: &Body) -> Sending {
        let queued = self.0.shared.with(|state| {
            let inner = state.inner.as_mut().ok_or(SendError::Closed)?;
            let mark = inner.send(self.0.id, body)?.ok_or(SendError::Closed)?;
            inner.work();
            if !inner.is_connected(self.0.id) {
                return Err(SendError::Closed);
            }
            Ok(state.when_written(self.0.id, mark))
        });
        match queued {
            Ok(Some(written)) => Sending::new(Wait::Written(written)),
            Ok(None) => Sending::new(Wait::Nothing),
            Err(error) => Sending::failed(error),
        }
    }

    /// Sends a message with a socket, as [`send`](Self::send) does. Resolves when the worker has
    /// taken the socket; until then it is kept open here, and is closed here then. To go on using it,
    /// send a duplicate (`try_clone`).
    ///
    /// # Errors
    /// As [`send`](Self::send); when the handle is none that can be sent; or when the worker
    /// could not take it, which loses the message with it.
    pub fn send_with_handle<T: Serialize + ?Sized>(
        &self,
        value: &T,
        handle: impl Into<Handle>,
    ) -> Sending {
        let queue = || {
            let body = self.body(|how| Body::write(value, how))?;
            let (kind, fd) = handle.into().into_sent()?;
            self.0.shared.with(|state| {
                let inner = state.inner.as_mut().ok_or(SendError::Closed)?;
                let sent = inner.send_with_handle(self.0.id, &body, kind, fd)?;
                let (_, token) = sent.ok_or(SendError::Closed)?;
                Ok::<_, SendError>(state.when_answered(self.0.id, token))
            })
        };
        match queue() {
            Ok(taken) => Sending::new(Wait::Taken(taken)),
            Err(error) => Sending::failed(error),
        }
    }

    /// Sends a request, as [`send`](Self::send) does, and waits for the answer: a message whose form
    /// is documented at [`RequestId`], so that programs in any language can answer. It waits for ever
    /// if the worker never does; put `tokio::time::timeout` around it.
    ///
    /// # Errors
    /// When it cannot be sent, the channel closes before the answer, the worker refuses, or the
    /// answer is no `A`.
    pub fn request<A: DeserializeOwned>(&self, value: &(impl Serialize + ?Sized)) -> Asking<A> {
        let number = self.0.shared.with(super::state::State::next_request);
        let state = match self.body(|how| request::ask(number, value, how)) {
            Ok(body) => {
                let reply = self
                    .0
                    .shared
                    .with(|state| state.when_replied(self.0.id, number));
                Ok((self.send_body(&body), reply))
            }
            Err(error) => Err(Some(error)),
        };
        Asking {
            state,
            answer: PhantomData,
        }
    }

    /// Answers a request of the worker, as [`send`](Self::send) does.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn reply<T: Serialize + ?Sized>(&self, request: RequestId, value: &T) -> Sending {
        match self.body(|how| request::answer(request, value, how)) {
            Ok(body) => self.send_body(&body),
            Err(error) => Sending::failed(error),
        }
    }

    /// Says that a request of the worker cannot be answered, and why, as [`send`](Self::send) does.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn refuse(&self, request: RequestId, why: &str) -> Sending {
        match self.body(|how| request::refuse(request, why, how)) {
            Ok(body) => self.send_body(&body),
            Err(error) => Sending::failed(error),
        }
    }

    fn body(
        &self,
        write: impl FnOnce(tine_ipc::Serialization) -> Result<Body, BodyError>,
    ) -> Result<Body, SendError> {
        let how = {
            let state = self.0.shared.lock();
            let inner = state.inner.as_ref().ok_or(SendError::Closed)?;
            inner.serialization(self.0.id).ok_or(SendError::Closed)?
        };
        Ok(write(how)?)
    }

    /// Asks the worker to leave: to close its servers, then its channel. It is then an ordinary
    /// process that lives for as long as it has something to do; give it a deadline with
    /// [`exited`](Self::exited) and [`kill`](Self::kill). No new connection reaches it from now
    /// on. Asking twice changes nothing.
    pub fn disconnect(&self) {
        self.0.shared.with(|state| {
            if let Some(inner) = &mut state.inner {
                inner.disconnect(self.0.id);
                state.leaving(self.0.id);
            }
        });
    }

    /// Closes the channel without a word, as `worker.process.disconnect()` does: a Node worker
    /// exits at once, whatever it is doing.
    pub fn close_channel(&self) {
        self.0.shared.with(|state| {
            if let Some(inner) = &mut state.inner {
                inner.close_channel(self.0.id);
            }
        });
    }

    /// Sends a signal to the worker's process: never to another one that got its number. A
    /// process that has ended is no error.
    ///
    /// # Errors
    /// When the kernel refuses it, most likely because the worker runs as another user.
    pub fn kill(&self, signal: Signal) -> io::Result<()> {
        let state = self.0.shared.lock();
        match &state.inner {
            Some(inner) => inner.signal(self.0.id, signal.as_raw()),
            None => Ok(()),
        }
    }

    /// The worker's standard input, if it was [`Stdio::Piped`](super::Stdio::Piped) and has not
    /// been taken.
    #[must_use]
    pub fn take_stdin(&self) -> Option<pipe::Sender> {
        match self.take(0)? {
            End::In(pipe) => Some(pipe),
            End::Out(_) | End::Both(_) => None,
        }
    }

    /// The worker's standard output, if it was [`Stdio::Piped`](super::Stdio::Piped) and has not
    /// been taken.
    #[must_use]
    pub fn take_stdout(&self) -> Option<pipe::Receiver> {
        match self.take(1)? {
            End::Out(pipe) => Some(pipe),
            End::In(_) | End::Both(_) => None,
        }
    }

    /// The worker's standard error, if it was [`Stdio::Piped`](super::Stdio::Piped) and has not
    /// been taken.
    #[must_use]
    pub fn take_stderr(&self) -> Option<pipe::Receiver> {
        match self.take(2)? {
            End::Out(pipe) => Some(pipe),
            End::In(_) | End::Both(_) => None,
        }
    }

    /// The primary's end of the worker's descriptor of a number from 3 upward, if it was
    /// [`Stdio::Piped`](super::Stdio::Piped) and has not been taken.
    #[must_use]
    pub fn take_stdio(&self, number: i32) -> Option<UnixStream> {
        match self.take(number)? {
            End::Both(stream) => Some(stream),
            End::In(_) | End::Out(_) => None,
        }
    }

    /// Duplicates of the ends that nobody has taken.
    pub(super) fn ends(&self) -> io::Result<Vec<(i32, OwnedFd)>> {
        let ends = self.0.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let duplicates = ends.iter().map(|(number, end)| {
            let fd = match end {
                End::In(pipe) => pipe.as_fd(),
                End::Out(pipe) => pipe.as_fd(),
                End::Both(stream) => stream.as_fd(),
            };
            Ok((*number, fd.try_clone_to_owned()?))
        });
        duplicates.collect()
    }

    pub(super) fn status(&self) -> Status {
        self.0.status.borrow().clone()
    }

    fn take(&self, number: i32) -> Option<End> {
        let mut ends = self.0.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.remove(&number)
    }
}

impl fmt::Debug for WorkerProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerProcess")
            .field("id", &self.0.id)
            .field("pid", &self.pid())
            .field("phase", &self.phase())
            .finish_non_exhaustive()
    }
}

/// A message on its way to a worker; a future that says when it is written, or its socket taken.
#[derive(Debug)]
#[must_use = "that it could not be sent is only heard by who awaits it"]
pub struct Sending(Result<Wait, Option<SendError>>);

#[derive(Debug)]
enum Wait {
    Nothing,
    Written(oneshot::Receiver<()>),
    Taken(oneshot::Receiver<bool>),
}

impl Sending {
    fn new(wait: Wait) -> Self {
        Self(Ok(wait))
    }

    fn failed(error: SendError) -> Self {
        Self(Err(Some(error)))
    }
}

impl Future for Sending {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match &mut self.0 {
            Err(error) => Err(error.take().unwrap_or(SendError::Closed)),
            Ok(Wait::Nothing) => {
                // Who sends without ever waiting still lets others work.
                ready!(tokio::task::coop::poll_proceed(context)).made_progress();
                Ok(())
            }
            Ok(Wait::Written(written)) => {
                ready!(Pin::new(written).poll(context)).map_err(|_| SendError::Closed)
            }
            Ok(Wait::Taken(taken)) => match ready!(Pin::new(taken).poll(context)) {
                Ok(true) => Ok(()),
                Ok(false) => Err(SendError::HandleRefused),
                Err(_closed) => Err(SendError::Closed),
            },
        })
    }
}

/// A request on its way to a worker; a future of the answer.
#[must_use = "the answer is only heard by who awaits it"]
pub struct Asking<A> {
    state: Result<(Sending, oneshot::Receiver<Reply>), Option<SendError>>,
    answer: PhantomData<fn() -> A>,
}

impl<A> fmt::Debug for Asking<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").finish_non_exhaustive()
    }
}

impl<A: DeserializeOwned> Future for Asking<A> {
    type Output = Result<A, RequestError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (_sending, reply) = match &mut self.state {
            Ok(waiting) => waiting,
            Err(error) => {
                let error = error.take().unwrap_or(SendError::Closed);
                return Poll::Ready(Err(error.into()));
            }
        };
        // That it could not be sent closes the channel, and the reply with it.
        Poll::Ready(match ready!(Pin::new(reply).poll(context)) {
            Ok(Reply::Ok(body)) => request::value_of(&body).map_err(RequestError::Answer),
            Ok(Reply::Err(refusal)) => Err(RequestError::Refused(refusal)),
            Err(_closed) => Err(RequestError::Closed),
        })
    }
}

impl PartialEq for WorkerProcess {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for WorkerProcess {}

impl Status {
    pub(super) fn new() -> Self {
        Self {
            online: false,
            listening: Vec::new(),
            connected: true,
            exited_after_disconnect: None,
            exit: None,
        }
    }

    fn phase(&self) -> Phase {
        if self.exit.is_some() {
            Phase::Dead
        } else if !self.connected {
            Phase::Disconnected
        } else if !self.listening.is_empty() {
            Phase::Listening
        } else if self.online {
            Phase::Online
        } else {
            Phase::Forked
        }
    }
}
