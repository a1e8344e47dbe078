//! What is known of a cluster, and who waits for what?
//!
//! One mutex holds everything. Whoever wants something done does it under the mutex at once; the
//! driver does what comes from outside. Nobody waits with the mutex held.

use super::event::Event;
use super::process::{Status, WorkerProcess};
use super::setup::Setup;
use crate::message::Message;
use crate::primary::{self, Inner, Seat, WorkerId};
use crate::request;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use tine_ipc::{Body, Mark, Token};
use tine_rules::Millis;
use tokio::sync::{Notify, oneshot, watch};

/// A worker is not read while what it said and our program has not taken is more than one of
/// these, and read again when it is less than half.
const UNREAD_BYTES: usize = 4 << 20;
const UNREAD_MESSAGES: usize = 10_000;
const UNREAD_HANDLES: usize = 64;
/// Addresses that are remembered of one worker: as many as it can have sockets.
const KNOWN_ADDRESSES: usize = primary::MOST_HANDLES;

/// So many times as much may wait while our program waits for an answer.
const PATIENCE: usize = 8;

/// What everybody who knows the cluster shares.
pub(super) struct Shared {
    state: Mutex<State>,
    /// The driver has to look again: something is due earlier, or the cluster is closed.
    pub(super) poke: Notify,
}

/// Short: it is in every worker and event, and has messages and environments in it.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared { .. }")
    }
}

impl Shared {
    pub(super) fn new(state: State) -> Self {
        Self {
            state: Mutex::new(state),
            poke: Notify::new(),
        }
    }

    /// Does something with the cluster, and then all that follows from it.
    pub(super) fn with<T>(self: &Arc<Self>, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let due = state.due();
        let value = act(&mut state);
        state.settle();
        let more = state.inner.as_ref().is_none_or(Inner::has_more);
        if more || state.due() != due {
            self.poke.notify_one();
        }
        value
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct State {
    /// `None` once the cluster is closed.
    pub(super) inner: Option<Inner>,
    pub(super) setup: Setup,
    pub(super) inspected: u32,
    pub(super) workers: BTreeMap<WorkerId, Known>,
    /// Workers whose program waits for something to be written.
    writing: BTreeSet<WorkerId>,
    pub(super) queue: VecDeque<Event>,
    /// Whether anybody takes events.
    pub(super) listened: bool,
    pub(super) waker: Option<Waker>,
    next_request: u64,
    /// Descriptors that the program before this one has kept.
    pub(super) kept: BTreeMap<String, OwnedFd>,
    pub(super) upgraded: bool,
}

/// One worker.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) process: WorkerProcess,
    pub(super) seat: Seat,
    pub(super) status: watch::Sender<Status>,
    /// Messages that are not written yet, oldest first.
    writes: VecDeque<(Mark, oneshot::Sender<()>)>,
    handles: HashMap<Token, oneshot::Sender<bool>>,
    requests: HashMap<u64, oneshot::Sender<Reply>>,
    /// With so many they are looked through for such that nobody waits for.
    requests_before: usize,
    /// It has been asked to leave.
    leaving: bool,
    unread: Unread,
}

#[derive(Debug, Default)]
struct Unread {
    bytes: usize,
    messages: usize,
    handles: usize,
    held: bool,
}

impl Unread {
    /// What an event weighs: bytes, messages, sockets. Nothing, if no worker can make more of its
    /// kind at will.
    fn weight(event: &Event) -> Option<(WorkerId, [usize; 3])> {
        let weight = match event {
            Event::Message { message, .. } => {
                let handles = usize::from(message.handle().is_some());
                [message.body().len(), 1, handles]
            }
            Event::Listening { .. } | Event::ListenFailed { .. } => [0, 1, 0],
            Event::Setup(_)
            | Event::Fork(_)
            | Event::Online(_)
            | Event::AcceptFailed { .. }
            | Event::Disconnect { .. }
            | Event::Exit { .. } => return None,
        };
        Some((event.worker()?.id(), weight))
    }

    fn is_too_much(&self, times: usize) -> bool {
        self.bytes > times * UNREAD_BYTES
            || self.messages > times * UNREAD_MESSAGES
            || self.handles > times * UNREAD_HANDLES
    }

    fn is_little(&self) -> bool {
        self.bytes <= UNREAD_BYTES / 2
            && self.messages <= UNREAD_MESSAGES / 2
            && self.handles <= UNREAD_HANDLES / 2
    }
}

/// An answer: the message that holds it, or the words of a refusal.
pub(super) type Reply = Result<Body, String>;

impl Known {
    pub(super) fn new(process: WorkerProcess, seat: Seat, status: watch::Sender<Status>) -> Self {
        Self {
            process,
            seat,
            status,
            writes: VecDeque::new(),
            handles: HashMap::new(),
            requests: HashMap::new(),
            requests_before: 16,
            leaving: false,
            unread: Unread::default(),
        }
    }
}

impl State {
    pub(super) fn new(inner: Inner, setup: Setup) -> Self {
        Self {
            inner: Some(inner),
            setup,
            inspected: 0,
            workers: BTreeMap::new(),
            writing: BTreeSet::new(),
            queue: VecDeque::new(),
            listened: true,
            waker: None,
            next_request: 0,
            kept: BTreeMap::new(),
            upgraded: false,
        }
    }

    fn due(&self) -> Option<Millis> {
        self.inner.as_ref()?.due
    }

    /// The lowest place that no worker holds.
    pub(super) fn free_seat(&self) -> Seat {
        let taken: BTreeSet<Seat> = self.workers.values().map(|known| known.seat).collect();
        let mut seats = (0..).map(Seat);
        seats.find(|seat| !taken.contains(seat)).unwrap_or(Seat(0))
    }

    pub(super) fn next_request(&mut self) -> u64 {
        self.next_request += 1;
        self.next_request
    }

    pub(super) fn last_request(&self) -> u64 {
        self.next_request
    }

    pub(super) fn go_on_asking(&mut self, from: u64) {
        self.next_request = from;
    }

    /// Queues an event, if anybody takes them.
    pub(super) fn tell(&mut self, event: Event) {
        if !self.listened {
            return;
        }
        self.count(&event);
        self.queue.push_back(event);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Resolves when all up to the mark is written; at once if it is.
    pub(super) fn when_written(
        &mut self,
        worker: WorkerId,
        mark: Mark,
    ) -> Option<oneshot::Receiver<()>> {
        let written = self.inner.as_ref()?.written(worker);
        if written.is_some_and(|written| written >= mark) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        if let Some(known) = self.workers.get_mut(&worker) {
            known.writes.push_back((mark, sender));
            self.writing.insert(worker);
        }
        Some(receiver)
    }

    pub(super) fn when_answered(
        &mut self,
        worker: WorkerId,
        token: Token,
    ) -> oneshot::Receiver<bool> {
        let (sender, receiver) = oneshot::channel();
        if let Some(known) = self.workers.get_mut(&worker) {
            known.handles.insert(token, sender);
            self.hold_or_not(worker);
        }
        receiver
    }

    pub(super) fn when_replied(
        &mut self,
        worker: WorkerId,
        number: u64,
    ) -> oneshot::Receiver<Reply> {
        let (sender, receiver) = oneshot::channel();
        if let Some(known) = self.workers.get_mut(&worker) {
            // Of those that are given up, not every time.
            if known.requests.len() >= known.requests_before {
                known.requests.retain(|_, waiting| !waiting.is_closed());
                known.requests_before = 2 * known.requests.len() + 16;
            }
            known.requests.insert(number, sender);
            self.hold_or_not(worker);
        }
        receiver
    }

    /// Does what follows from what has just happened, until nothing does.
    pub(super) fn settle(&mut self) {
        loop {
            let Some(inner) = &mut self.inner else { return };
            inner.work();
            let Some(event) = inner.events.pop_front() else {
                break;
            };
            self.happened(event);
        }
        self.finish_writes();
    }

    fn finish_writes(&mut self) {
        let Some(inner) = &self.inner else { return };
        let workers = &mut self.workers;
        self.writing.retain(|worker| {
            let Some(known) = workers.get_mut(worker) else {
                return false;
            };
            let Some(written) = inner.written(*worker) else {
                // Closed: whoever waits learns it from the end of the oneshot.
                known.writes.clear();
                return false;
            };
            while known
                .writes
                .front()
                .is_some_and(|(mark, _)| *mark <= written)
            {
                if let Some((_, waiting)) = known.writes.pop_front() {
                    let _ = waiting.send(());
                }
            }
            !known.writes.is_empty()
        });
    }

    fn happened(&mut self, event: primary::Event) {
        match event {
            primary::Event::Online(worker) => {
                self.change(worker, |status| status.online = true);
                if let Some(worker) = self.process(worker) {
                    self.tell(Event::Online(worker));
                }
            }
            primary::Event::Listening(worker, address) => {
                self.change(worker, |status| {
                    let known = &mut status.listening;
                    if known.len() < KNOWN_ADDRESSES && !known.contains(&address) {
                        known.push(address.clone());
                    }
                });
                if let Some(worker) = self.process(worker) {
                    self.tell(Event::Listening { worker, address });
                }
            }
            primary::Event::ListenFailed {
                worker,
                address,
                error,
            } => {
                if let Some(worker) = self.process(worker) {
                    self.tell(Event::ListenFailed {
                        worker,
                        address,
                        error,
                    });
                }
            }
            primary::Event::AcceptFailed { address, error } => {
                self.tell(Event::AcceptFailed { address, error });
            }
            primary::Event::Message { worker, message } => self.message(worker, message),
            // Only told by who drives the primary by hand.
            primary::Event::Changed => {}
            primary::Event::HandleAnswered {
                worker,
                token,
                taken,
            } => {
                let known = self.workers.get_mut(&worker);
                if let Some(waiting) = known.and_then(|known| known.handles.remove(&token)) {
                    let _ = waiting.send(taken);
                }
            }
            primary::Event::Disconnect { worker, error } => self.disconnected(worker, error),
            primary::Event::Exit {
                worker,
                status,
                exited_after_disconnect,
            } => {
                self.change(worker, |known| {
                    known.exited_after_disconnect = Some(exited_after_disconnect);
                    known.exit = Some(status);
                });
                if let Some(process) = self.process(worker) {
                    self.tell(Event::Exit {
                        worker: process,
                        status,
                        exited_after_disconnect,
                    });
                }
                self.gone(worker, exited_after_disconnect);
            }
        }
    }

    pub(super) fn message(&mut self, worker: WorkerId, message: Message) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        if !known.requests.is_empty()
            && let Some((number, refused)) = request::reply_of(message.body())
            && let Some(waiting) = known.requests.remove(&number)
        {
            let _ = waiting.send(refused.map_or_else(|| Ok(message.into_body()), Err));
            return;
        }
        let worker = known.process.clone();
        self.tell(Event::Message { worker, message });
    }

    /// What is about to wait for our program: a worker that says too much is not read on.
    fn count(&mut self, event: &Event) {
        let Some((worker, [bytes, messages, handles])) = Unread::weight(event) else {
            return;
        };
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        let unread = &mut known.unread;
        unread.bytes += bytes;
        unread.messages += messages;
        unread.handles += handles;
        self.hold_or_not(worker);
    }

    /// Reads a worker, or does not. While our program waits for an answer of it, which is behind what
    /// it has said, eight times as much is taken; so does who was asked to leave and has to say so.
    fn hold_or_not(&mut self, worker: WorkerId) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        // Nearly always.
        if !known.unread.held && !known.unread.is_too_much(1) {
            return;
        }
        let waits = known.leaving
            || known.requests.values().any(|waiting| !waiting.is_closed())
            || known.handles.values().any(|waiting| !waiting.is_closed());
        let unread = &mut known.unread;
        let held = if unread.is_too_much(if waits { PATIENCE } else { 1 }) {
            true
        } else {
            unread.held && !waits && !unread.is_little()
        };
        if held != unread.held {
            unread.held = held;
            if let Some(inner) = &mut self.inner {
                inner.hold(worker, held);
            }
        }
    }

    /// A worker was asked to leave.
    pub(super) fn leaving(&mut self, worker: WorkerId) {
        if let Some(known) = self.workers.get_mut(&worker) {
            known.leaving = true;
            self.hold_or_not(worker);
        }
    }

    /// The next event, for the program to have.
    pub(super) fn take(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        if let Some((worker, [bytes, messages, handles])) = Unread::weight(&event)
            && let Some(known) = self.workers.get_mut(&worker)
        {
            let unread = &mut known.unread;
            unread.bytes = unread.bytes.saturating_sub(bytes);
            unread.messages = unread.messages.saturating_sub(messages);
            unread.handles = unread.handles.saturating_sub(handles);
            if unread.held {
                self.hold_or_not(worker);
            }
        }
        Some(event)
    }

    /// Whether there is something to read that nobody will announce.
    pub(super) fn goes_on(&self) -> bool {
        self.inner.as_ref().is_some_and(Inner::has_more)
    }

    fn unhold(&mut self, worker: WorkerId) {
        if let Some(known) = self.workers.get_mut(&worker)
            && known.unread.held
            && let Some(inner) = &mut self.inner
        {
            known.unread.held = false;
            inner.hold(worker, false);
        }
    }

    /// Nobody takes events any more.
    pub(super) fn unlistened(&mut self) {
        self.listened = false;
        self.waker = None;
        self.queue.clear();
        let all: Vec<WorkerId> = self.workers.keys().copied().collect();
        all.into_iter().for_each(|worker| self.unhold(worker));
    }

    fn disconnected(&mut self, worker: WorkerId, error: Option<String>) {
        let after_disconnect = self
            .inner
            .as_ref()
            .is_some_and(|inner| inner.exited_after_disconnect(worker));
        self.change(worker, |status| {
            status.connected = false;
            status.exited_after_disconnect = Some(after_disconnect);
        });
        if let Some(known) = self.workers.get_mut(&worker) {
            known.writes.clear();
            known.handles.clear();
            known.requests.clear();
            let worker = known.process.clone();
            self.tell(Event::Disconnect { worker, error });
        }
    }

    /// A worker has ended: what waits on sockets of its own goes to the others.
    fn gone(&mut self, worker: WorkerId, left: bool) {
        let Some(known) = self.workers.remove(&worker) else {
            return;
        };
        self.writing.remove(&worker);
        let taken_over = self.workers.values().any(|other| other.seat == known.seat);
        if let Some(inner) = &mut self.inner
            && !taken_over
        {
            inner.leave_seat(known.seat, left);
        }
    }

    fn change(&mut self, worker: WorkerId, change: impl FnOnce(&mut Status)) {
        if let Some(known) = self.workers.get(&worker) {
            known.status.send_modify(change);
        }
    }

    pub(super) fn process(&self, worker: WorkerId) -> Option<WorkerProcess> {
        self.workers.get(&worker).map(|known| known.process.clone())
    }

    /// Closes all channels and listening sockets.
    pub(super) fn close(&mut self) {
        self.inner = None;
        self.writing.clear();
        for (_, known) in std::mem::take(&mut self.workers) {
            known.status.send_modify(|status| status.connected = false);
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
