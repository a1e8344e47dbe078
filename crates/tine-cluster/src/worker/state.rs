//! What does a worker know, and what does it say to its primary?

use super::inbox::Inbox;
use super::servers::{Asked, Servers};
use super::shutdown::Reason;
use crate::claims::{self, Claims};
use crate::error::SendError;
use crate::message::Message;
use crate::request;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tine_ipc::unix::Flushed;
use tine_ipc::{Act, Body, Channel, Cluster, Event, Mark, SentHandle, Token, encode};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

/// Why nothing is written now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blocked {
    /// The socket is full.
    Full,
    /// The kernel lets no more descriptors be in flight.
    TooManyHandles,
}

/// How this worker is leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    No,
    /// The primary has asked: the channel closes with the last listener.
    Asked,
    /// Its own wish: the channel closes when the primary has acknowledged this.
    Announced {
        seq: i64,
    },
    /// The channel closes when all is written.
    Closing,
}

/// What became of a request: its whole answer, or the words of a refusal.
pub(super) type Answer = Result<Body, String>;

#[derive(Debug)]
pub(super) struct State {
    pub(super) channel: Channel,
    /// `None` once the channel is closed.
    pub(super) socket: Option<Arc<UnixStream>>,
    pub(super) blocked: Option<Blocked>,
    /// Writing has failed: the primary has closed its end. What it said before is still read.
    mute: bool,
    task: Option<Waker>,
    /// What was in the way of writing when the task went to sleep.
    task_knows: Option<Blocked>,
    paused: bool,
    /// Somebody has asked for a disconnect.
    meant: bool,
    is_cluster_worker: bool,
    seq: i64,
    pub(super) asked: HashMap<i64, Asked>,
    pub(super) servers: Servers,
    pub(super) inbox: Inbox,
    /// The sockets of the primary's program's servers that came here.
    pub(super) claims: Claims,
    /// Who waits until how much is written, oldest first.
    unwritten: VecDeque<(Mark, oneshot::Sender<()>)>,
    handles: HashMap<Token, oneshot::Sender<Result<(), SendError>>>,
    next_handle: u64,
    /// Those that somebody waits for.
    requests: HashMap<u64, oneshot::Sender<Answer>>,
    next_request: u64,
    /// Requests that nobody waits for any more: their answers are no messages.
    given_up: BTreeSet<u64>,
    pub(super) leaving: Leaving,
    pub(super) shutdown_asked: bool,
    pub(super) outlive: bool,
    // For `Shared::give_back`.
    pub(super) wakes: Vec<Waker>,
    pub(super) reason: Option<Reason>,
    /// A reason has been given, here or by a signal.
    to_leave: bool,
    /// Nothing is lost any more when the program stops serving: `Worker::shutdown` has resolved.
    pub(super) all_begun: bool,
    /// The TCP ports that it has listened on.
    pub(super) ports: Vec<u16>,
    pub(super) must_end_itself: bool,
}

impl State {
    pub(super) fn new(channel: Channel, socket: Arc<UnixStream>, is_cluster_worker: bool) -> Self {
        let mut state = Self {
            channel,
            socket: Some(socket),
            blocked: None,
            mute: false,
            task: None,
            task_knows: None,
            paused: false,
            meant: false,
            is_cluster_worker,
            seq: 0,
            asked: HashMap::new(),
            servers: Servers::default(),
            inbox: Inbox::default(),
            claims: Claims::default(),
            unwritten: VecDeque::new(),
            handles: HashMap::new(),
            next_handle: 0,
            requests: HashMap::new(),
            next_request: 0,
            given_up: BTreeSet::new(),
            leaving: Leaving::No,
            shutdown_asked: false,
            outlive: false,
            wakes: Vec::new(),
            reason: None,
            to_leave: false,
            all_begun: false,
            ports: Vec::new(),
            must_end_itself: false,
        };
        if is_cluster_worker {
            let seq = state.seq();
            state.channel.send_cluster(&encode::online(seq));
        }
        state
    }

    pub(super) fn seq(&mut self) -> i64 {
        let seq = self.seq;
        self.seq += 1;
        seq
    }

    /// Whether anything can still be said.
    pub(super) fn is_open(&self) -> bool {
        self.socket.is_some() && !self.mute
    }

    // Writing.

    /// Writes what is queued, as far as the socket takes it.
    pub(super) fn flush(&mut self) {
        let Some(socket) = &self.socket else { return };
        if self.mute || self.blocked.is_some() || self.channel.queued() == 0 {
            return;
        }
        let unread = tine_sys::socket::unread_by_peer;
        match tine_ipc::unix::flush(socket.as_fd(), &mut self.channel, unread) {
            Ok(Flushed::All) => {}
            Ok(Flushed::WouldBlock) => self.blocked = Some(Blocked::Full),
            Ok(Flushed::PeerMustRead) => self.blocked = Some(Blocked::TooManyHandles),
            Err(_) => {
                self.mute = true;
                self.drop_passed();
                self.unwritten.clear();
                self.handles.clear();
                self.requests.clear();
            }
        }
        let written = self.channel.written();
        while let Some((_, waiting)) = self.unwritten.pop_front_if(|(mark, _)| *mark <= written) {
            // Whoever has stopped waiting does not want to know.
            let _ = waiting.send(());
        }
    }

    /// What to wait for until everything up to `mark` is written; `None` if it is.
    pub(super) fn until_written(&mut self, mark: Mark) -> Option<oneshot::Receiver<()>> {
        if self.channel.written() >= mark {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        self.unwritten.push_back((mark, sender));
        Some(receiver)
    }

    pub(super) fn send_handle(
        &mut self,
        body: &Body,
        kind: SentHandle,
        fd: OwnedFd,
    ) -> Result<oneshot::Receiver<Result<(), SendError>>, SendError> {
        let token = Token(self.next_handle);
        self.next_handle += 1;
        self.channel
            .send_with_handle(body, kind, Arc::new(fd), token)?;
        let (sender, receiver) = oneshot::channel();
        self.handles.insert(token, sender);
        Ok(receiver)
    }

    /// A number for a request that is about to be written.
    pub(super) fn next_request(&mut self) -> Result<u64, SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        let number = self.next_request;
        self.next_request += 1;
        Ok(number)
    }

    /// Sends a request: what its answer comes through.
    pub(super) fn send_request(
        &mut self,
        number: u64,
        body: &Body,
    ) -> Result<oneshot::Receiver<Answer>, SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        self.channel.send(body)?;
        let (sender, receiver) = oneshot::channel();
        self.requests.insert(number, sender);
        Ok(receiver)
    }

    /// Nobody waits for this answer any more, if it has not come.
    pub(super) fn give_up_request(&mut self, number: u64) {
        /// A program that never answers must not fill the memory.
        const MANY: usize = 1000;
        if self.requests.remove(&number).is_none() {
            return;
        }
        if self.given_up.len() >= MANY {
            self.given_up.pop_first();
        }
        self.given_up.insert(number);
    }

    /// Gives an answer to who waits for it; what is none comes back.
    fn reply(&mut self, body: Body) -> Option<Body> {
        if self.requests.is_empty() && self.given_up.is_empty() {
            return Some(body);
        }
        let Some((number, refusal)) = request::reply_of(&body) else {
            return Some(body);
        };
        if let Some(asker) = self.requests.remove(&number) {
            let _ = asker.send(refusal.map_or(Ok(body), Err));
            return None;
        }
        (!self.given_up.remove(&number)).then_some(body)
    }

    // The task.

    pub(super) fn register_task(&mut self, waker: &Waker) {
        self.task_knows = self.blocked;
        match &mut self.task {
            Some(task) => task.clone_from(waker),
            None => self.task = Some(waker.clone()),
        }
    }

    /// Wakes the task for what only it can do.
    pub(super) fn call_task_if_needed(&mut self) {
        let wanted = self.is_finished()
            || (self.blocked.is_some() && self.blocked != self.task_knows)
            || (self.paused && !self.must_pause());
        if wanted && let Some(task) = self.task.take() {
            self.wakes.push(task);
        }
    }

    /// Whether reading is to stop until the program has read its messages. It must not while
    /// something is waited for that comes behind them.
    fn must_pause(&self) -> bool {
        self.inbox.holds_too_much(self.paused)
            && self.leaving == Leaving::No
            && self.asked.is_empty()
            && self.handles.is_empty()
            && self.requests.is_empty()
    }

    pub(super) fn pause(&mut self) -> bool {
        self.paused = self.must_pause();
        self.paused
    }

    #[cfg(test)]
    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(super) fn poll_unpaused(&mut self, cx: &Context<'_>) -> Poll<()> {
        let must_write = self.blocked == Some(Blocked::Full);
        if self.pause() && !must_write && self.socket.is_some() {
            self.register_task(cx.waker());
            return Poll::Pending;
        }
        self.paused = false;
        Poll::Ready(())
    }

    // What comes in.

    pub(super) fn heard(&mut self, event: Event) {
        match event {
            Event::Cluster(message, fd) => self.cluster(*message, fd),
            Event::Message {
                body,
                internal: false,
                handle,
            } => {
                let Some(body) = self.reply(body) else { return };
                let handle = handle.map(|handle| claims::received(handle, &mut self.claims));
                let dropped = self.inbox.push(body, handle, &mut self.wakes);
                for request in dropped.iter().filter_map(Message::request) {
                    let text = "the worker's program does not read its messages";
                    let how = self.channel.serialization();
                    if let Ok(refusal) = request::refuse(request, text, how) {
                        let _ = self.channel.send(&refusal);
                    }
                }
            }
            Event::Message { body, .. } => {
                if let Some(answer) = claims::Asked::answer(&body, &mut self.claims) {
                    let _ = self.channel.send(&answer);
                }
            }
            Event::HandleTaken(token) => {
                if let Some(waiting) = self.handles.remove(&token) {
                    let _ = waiting.send(Ok(()));
                }
            }
            Event::HandleRefused(token) => {
                if let Some(waiting) = self.handles.remove(&token) {
                    let _ = waiting.send(Err(SendError::HandleRefused));
                }
            }
            _ => {}
        }
    }

    fn cluster(&mut self, message: Cluster, fd: Option<OwnedFd>) {
        let Cluster { seq, ack, act, .. } = message;
        match act {
            Act::Reply(reply) => {
                let Some(ack) = ack else { return };
                if let Some(asked) = self.asked.remove(&ack) {
                    self.answered(asked, reply, fd);
                } else if self.leaving == (Leaving::Announced { seq: ack }) {
                    self.leaving = Leaving::Closing;
                }
            }
            Act::NewConnection { key } => {
                let seq = seq.unwrap_or(-1);
                let welcome = self.leaving == Leaving::No && self.is_open();
                if !fd.is_some_and(|fd| welcome && self.pass(&key, fd, seq)) {
                    self.answer_connection(seq, false);
                }
            }
            Act::Disconnect if self.leaving == Leaving::No => {
                self.leaving = Leaving::Asked;
                self.meant = true;
                self.is_to_leave(Reason::Disconnect);
                if !self.shutdown_asked {
                    self.close_servers();
                }
            }
            _ => {}
        }
    }

    /// Tells senders that wait for it that sockets of theirs are closed here.
    pub(super) fn look_for_closed_sockets(&mut self) {
        for key in self.claims.closed_since() {
            let _ = self.channel.send(&encode::socket_all_closed(&key));
        }
    }

    // Leaving.

    /// The first reason stays.
    pub(super) fn is_to_leave(&mut self, reason: Reason) {
        self.reason.get_or_insert(reason);
        self.to_leave = true;
        if self.takes_no_more() {
            self.give_up_passed();
        }
        self.servers.wake_all(&mut self.wakes);
    }

    /// Whether the program has been told to stop accepting, in the way that it has asked for.
    pub(super) fn takes_no_more(&self) -> bool {
        self.to_leave && self.shutdown_asked && self.leaving_by_others()
    }

    /// The program may stop serving now.
    pub(super) fn all_have_begun(&mut self) {
        self.all_begun = true;
        self.servers.wake_all(&mut self.wakes);
    }

    /// On its own wish the listeners are closed, and say so.
    fn leaving_by_others(&self) -> bool {
        matches!(self.leaving, Leaving::No | Leaving::Asked)
    }

    /// Begins to leave on this process's own wish.
    pub(super) fn leave(&mut self) {
        if self.leaving != Leaving::No || self.socket.is_none() {
            return;
        }
        self.is_to_leave(Reason::OwnWish);
        self.close_servers();
        if self.is_cluster_worker {
            let seq = self.seq();
            self.channel
                .send_cluster(&encode::exited_after_disconnect(seq));
            self.leaving = Leaving::Announced { seq };
            self.meant = true;
        } else {
            self.leaving = Leaving::Closing;
        }
    }

    pub(super) fn close_when_said(&mut self) {
        if self.socket.is_none() {
            return;
        }
        self.is_to_leave(Reason::OwnWish);
        // Before the channel closes: the primary takes back then what nobody has answered.
        self.give_up_passed();
        self.leaving = Leaving::Closing;
    }

    /// Whether the channel is to be closed now.
    pub(super) fn is_finished(&self) -> bool {
        let is_time = match self.leaving {
            Leaving::No | Leaving::Announced { .. } => false,
            Leaving::Asked => self.servers.is_empty(),
            Leaving::Closing => true,
        };
        is_time && (self.mute || self.channel.queued() == 0 && self.channel.in_flight() == 0)
    }

    /// The primary has closed the channel.
    pub(super) fn primary_gone(&mut self) {
        if self.leaving != Leaving::No {
            return;
        }
        self.is_to_leave(Reason::PrimaryGone);
        self.must_end_itself = self.is_cluster_worker && !self.shutdown_asked && !self.outlive;
    }

    /// Lets everybody know who waits for something that will not come.
    pub(super) fn close(&mut self) {
        if self.socket.take().is_none() {
            return;
        }
        self.drop_passed();
        self.asked.clear();
        self.unwritten.clear();
        self.handles.clear();
        self.requests.clear();
        self.inbox.close(&mut self.wakes);
        self.servers.wake_all(&mut self.wakes);
    }

    pub(super) fn exited_after_disconnect(&self) -> Option<bool> {
        match (self.meant, &self.socket) {
            (true, _) => Some(true),
            (false, Some(_)) => None,
            (false, None) => Some(false),
        }
    }
}
