//! How do workers come and go, and what do they say?

use super::bind;
use super::event::{Event, ListeningAddress};
use super::handle::{Handle, HandleId, Handles, Source};
use super::launch::{CHANNEL, ForkError, Launch, Seat};
use super::policy::{Settings, SteeringReport};
use super::worker::{Link, Worker, WorkerId, token};
use rustix::event::epoll;
use rustix::process::Pid;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};
use tine_ipc::unix::{ChannelError, Flushed, Received};
use tine_ipc::{Act, Channel, Cluster, Limits, QueryServer, Token};
use tine_rules::Millis;
use tine_rules::balance::Answer;
use tine_sys::reap::{self, ExitStatus};
use tine_sys::spawn::Spawn;
use tokio::io::unix::AsyncFd;

/// A peer that must read before it can be sent more is tried again this much later.
const FLUSH_AGAIN: Duration = Duration::from_millis(1);
/// Events taken from the kernel at once.
const BATCH: usize = 64;
/// Reads from the channel of a dead process at the most: far more than a socket can hold.
const READS_AFTER_DEATH: usize = 64;
/// Bytes read from a channel at once: what a socket holds by default.
const READ: usize = 64 * 1024;

/// What a descriptor in the epoll set is. Numbers are never used twice, so an event for something
/// that is gone finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watched {
    Channel(WorkerId),
    Process(WorkerId),
    Listener(HandleId),
}

impl Watched {
    fn pack(self) -> epoll::EventData {
        let (kind, number) = match self {
            Self::Channel(worker) => (0u64, u64::from(worker.0)),
            Self::Process(worker) => (1, u64::from(worker.0)),
            Self::Listener(handle) => (2, handle.0),
        };
        epoll::EventData::new_u64(number << 2 | kind)
    }

    #[allow(clippy::cast_possible_truncation)]
    fn unpack(data: epoll::EventData) -> Self {
        let number = data.u64() >> 2;
        match data.u64() & 3 {
            0 => Self::Channel(WorkerId(number as u32)),
            1 => Self::Process(WorkerId(number as u32)),
            _ => Self::Listener(HandleId(number)),
        }
    }
}

/// A cluster's primary.
///
/// It does its work inside [`next_event`](Self::next_event): keep calling it, also when the
/// events are of no interest. It needs a tokio runtime with IO and time enabled.
///
/// Dropping it closes all channels and listening sockets; Node workers leave when their channel
/// closes. It kills nobody.
#[derive(Debug)]
pub struct Primary {
    reactor: AsyncFd<OwnedFd>,
    inner: Inner,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    /// This thread does not interrupt others; its workers are not to inherit that.
    waits_its_turn: bool,
    inherited: BTreeMap<i32, OwnedFd>,
    workers: BTreeMap<WorkerId, Worker>,
    handles: Handles,
    events: VecDeque<Event>,
    /// Handles whose waiting connections may have found a worker.
    to_pump: BTreeSet<HandleId>,
    /// Handles whose listener is not in the epoll set yet.
    to_watch: Vec<HandleId>,
    /// Workers whose channel has something to write.
    to_flush: BTreeSet<WorkerId>,
    /// Workers that must read before they can be sent more.
    to_retry: BTreeSet<WorkerId>,
    retry_at: Millis,
    /// Something may have to be done without being told.
    timed: bool,
    seq: i64,
    next_worker: u32,
    buffer: Box<[u8]>,
    zero: Instant,
}

impl Primary {
    /// A primary without workers.
    ///
    /// # Errors
    /// When the kernel has no descriptor for it.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub fn new(settings: Settings) -> io::Result<Self> {
        let reactor = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self {
            reactor: watch(reactor)?,
            inner: Inner {
                waits_its_turn: settings.wait_our_turn
                    && tine_sys::scheduling::do_not_interrupt_others().unwrap_or(false),
                settings,
                inherited: BTreeMap::new(),
                workers: BTreeMap::new(),
                handles: Handles::default(),
                events: VecDeque::new(),
                to_pump: BTreeSet::new(),
                to_watch: Vec::new(),
                to_flush: BTreeSet::new(),
                to_retry: BTreeSet::new(),
                retry_at: Millis(0),
                timed: false,
                seq: 0,
                next_worker: 0,
                buffer: vec![0; READ].into_boxed_slice(),
                zero: Instant::now(),
            },
        })
    }

    /// Descriptors that workers may name in `listen({fd})`: those that this process was started
    /// with, by their numbers then.
    pub fn offer_descriptors(&mut self, inherited: BTreeMap<i32, OwnedFd>) {
        self.inner.inherited = inherited;
    }

    /// Starts a worker.
    ///
    /// # Errors
    /// When the process cannot be started. Nothing is left of the attempt.
    pub fn fork(&mut self, launch: Launch) -> Result<WorkerId, ForkError> {
        let id = WorkerId(self.inner.next_worker + 1);
        let strings = launch.strings(id.0)?;
        let (ours, theirs) = tine_sys::socket::stream_pair().map_err(ForkError::Channel)?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(|e| ForkError::Channel(e.into()))?;
        let mut descriptors = Vec::with_capacity(4);
        for (fd, number) in [(&launch.stdin, 0), (&launch.stdout, 1), (&launch.stderr, 2)] {
            if let Some(fd) = fd {
                descriptors.push((fd.as_fd(), number));
            }
        }
        if launch.has_channel() {
            descriptors.push((theirs.as_fd(), CHANNEL));
        }
        let child = tine_sys::spawn::spawn(&Spawn {
            program: strings.program,
            argv: strings.arguments,
            env: strings.environment,
            cwd: strings.folder,
            fds: descriptors,
            new_session: false,
            new_group: true,
            ordinary_scheduling: self.inner.waits_its_turn,
            uid: None,
            gid: None,
            parent_death_signal: None,
        })?;
        self.inner.next_worker = id.0;
        let worker = Worker {
            pid: child.pid,
            pidfd: child.pidfd,
            seat: launch.seat,
            link: launch.has_channel().then(|| Link {
                fd: ours,
                channel: Channel::with_dialect(Limits::default(), launch.dialect),
                blocked: false,
            }),
            handles: BTreeSet::new(),
            handoffs: VecDeque::new(),
            online: false,
            disconnecting: false,
            exited_after_disconnect: false,
            status: None,
        };
        let reactor = self.reactor.get_ref();
        let flags = epoll::EventFlags::IN;
        let watched = epoll::add(reactor, &worker.pidfd, Watched::Process(id).pack(), flags)
            .and_then(|()| match &worker.link {
                Some(link) => epoll::add(reactor, &link.fd, Watched::Channel(id).pack(), flags),
                None => Ok(()),
            });
        self.inner.workers.insert(id, worker);
        if let Err(error) = watched {
            // It runs, but would never be heard: end it rather than lose it.
            if let Some(worker) = self.inner.workers.remove(&id) {
                let _ = tine_sys::tree::signal_pidfd(worker.pidfd.as_fd(), 9);
            }
            return Err(ForkError::Channel(error.into()));
        }
        Ok(id)
    }

    /// Waits for what happens next. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When the kernel refuses to tell what is ready, which no caller can mend.
    pub async fn next_event(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.inner.events.pop_front() {
                return Ok(event);
            }
            self.inner.work(self.reactor.get_ref());
            if !self.inner.events.is_empty() {
                continue;
            }
            let mut guard = match self.inner.next_wakeup() {
                None => self.reactor.readable().await?,
                Some(wakeup) => {
                    let at = self.inner.zero + Duration::from_millis(wakeup.0);
                    match tokio::time::timeout_at(at.into(), self.reactor.readable()).await {
                        Ok(guard) => guard?,
                        Err(_elapsed) => {
                            self.inner.timed_out();
                            continue;
                        }
                    }
                }
            };
            if self.inner.turn(guard.get_inner())? == 0 {
                guard.clear_ready();
            }
        }
    }

    /// Asks a worker to leave: to close its servers, then its channel. As in Node it is then an
    /// ordinary process that lives for as long as it has something to do.
    pub fn disconnect(&mut self, worker: WorkerId) {
        let seq = self.inner.seq();
        let Some(known) = self.inner.workers.get_mut(&worker) else {
            return;
        };
        known.exited_after_disconnect = true;
        let handles = known.handles.clone();
        if let Some(link) = &mut known.link
            && !known.disconnecting
        {
            link.channel
                .send_cluster(&tine_ipc::encode::disconnect(seq));
            self.inner.to_flush.insert(worker);
            known.disconnecting = true;
            // Nothing new is to reach it, from now on and not only when it has heard.
            for id in handles {
                match self
                    .inner
                    .handles
                    .get_mut(id)
                    .map(|handle| &mut handle.source)
                {
                    Some(Source::Passing { passing, .. }) => passing.rotation.remove(worker),
                    Some(Source::Group(group)) => group.leaving(worker),
                    Some(Source::Shared { .. }) | None => {}
                }
            }
        }
        self.inner.work(self.reactor.get_ref());
    }

    /// Sends a message to the worker's program: one JSON text. `false` when its channel is
    /// closed.
    pub fn send(&mut self, worker: WorkerId, json: &str) -> bool {
        let Some(known) = self.inner.workers.get_mut(&worker) else {
            return false;
        };
        let Some(link) = &mut known.link else {
            return false;
        };
        link.channel.send_message(json);
        self.inner.to_flush.insert(worker);
        self.inner.work(self.reactor.get_ref());
        true
    }

    /// The process of a worker that has not been reported as ended.
    #[must_use]
    pub fn pid(&self, worker: WorkerId) -> Option<Pid> {
        self.inner.workers.get(&worker).map(|worker| worker.pid)
    }

    /// The worker whose main process has this number, until its end has been reported.
    #[must_use]
    pub fn worker_of(&self, pid: Pid) -> Option<WorkerId> {
        self.inner
            .workers
            .iter()
            .find(|(_, worker)| worker.pid == pid)
            .map(|(id, _)| *id)
    }

    /// Sends a signal to a worker's main process: never to another one that got its number.
    ///
    /// # Errors
    /// When the kernel refuses it. A process that has ended is no error.
    pub fn signal(&self, worker: WorkerId, signal: i32) -> io::Result<()> {
        let Some(known) = self.inner.workers.get(&worker) else {
            return Ok(());
        };
        tine_sys::tree::signal_pidfd(known.pidfd.as_fd(), signal)
    }

    /// Whether the worker's channel is open.
    #[must_use]
    pub fn is_connected(&self, worker: WorkerId) -> bool {
        self.inner
            .workers
            .get(&worker)
            .is_some_and(|worker| worker.link.is_some())
    }

    /// Says that no worker will come to this seat any more: what waits on the sockets left there
    /// goes to the workers that are there, and sockets without any worker are closed.
    pub fn release_seat(&mut self, seat: Seat) {
        for (id, handle) in self.inner.handles.iter_mut() {
            if let Source::Group(group) = &mut handle.source {
                group.release(seat);
                self.inner.to_pump.insert(id);
            }
        }
        if !self
            .inner
            .workers
            .values()
            .any(|worker| worker.status.is_none())
        {
            self.prune();
        }
        self.inner.work(self.reactor.get_ref());
    }

    /// Closes the listening sockets that no worker uses. For the moment when all seats are filled
    /// again after a worker has died.
    pub fn prune(&mut self) {
        for id in self.inner.handles.unused() {
            self.inner.close_handle(id);
        }
    }

    /// What steers the kernel-balanced sockets, if there are any yet.
    #[must_use]
    pub fn steering(&self) -> Option<SteeringReport> {
        self.inner
            .handles
            .values()
            .find_map(|handle| match &handle.source {
                Source::Group(group) => Some(group.report.clone()),
                Source::Passing { .. } | Source::Shared { .. } => None,
            })
    }

    /// Where workers listen now.
    #[must_use]
    pub fn addresses(&self) -> Vec<ListeningAddress> {
        self.inner
            .handles
            .values()
            .map(|handle| handle.address.clone())
            .collect()
    }

    /// Connections that the primary has accepted and no worker has taken.
    #[must_use]
    pub fn connections_in_hand(&mut self) -> usize {
        let waiting: usize = self
            .inner
            .handles
            .iter_mut()
            .filter_map(|(_, handle)| handle.passing().map(|passing| passing.waiting()))
            .sum();
        waiting
            + self
                .inner
                .workers
                .values()
                .map(|worker| worker.handoffs.len())
                .sum::<usize>()
    }
}

/// Registers the epoll set with tokio.
fn watch(reactor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // Deprecated because a type could change its descriptor while it is registered. An `OwnedFd`
    // cannot: it is one open file until it is dropped. The replacement is an unsafe function.
    #[allow(deprecated)]
    AsyncFd::with_interest(reactor, tokio::io::Interest::READABLE)
}

impl Inner {
    fn now(&self) -> Millis {
        #[allow(clippy::cast_possible_truncation)]
        Millis(self.zero.elapsed().as_millis() as u64)
    }

    fn seq(&mut self) -> i64 {
        let seq = self.seq;
        self.seq += 1;
        seq
    }

    /// Takes what the kernel has ready and acts on it. Says how much that was.
    fn turn(&mut self, reactor: &OwnedFd) -> io::Result<usize> {
        let mut ready: [std::mem::MaybeUninit<epoll::Event>; BATCH] =
            [std::mem::MaybeUninit::uninit(); BATCH];
        let none = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let (events, _) = match epoll::wait(reactor, &mut ready, Some(&none)) {
            Ok(ready) => ready,
            Err(rustix::io::Errno::INTR) => return Ok(1),
            Err(error) => return Err(error.into()),
        };
        let count = events.len();
        for event in events.iter() {
            let (data, flags) = (event.data, event.flags);
            match Watched::unpack(data) {
                Watched::Channel(worker) => {
                    if flags.contains(epoll::EventFlags::OUT) {
                        self.to_flush.insert(worker);
                    }
                    let incoming =
                        epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
                    if flags.intersects(incoming) {
                        self.read_channel(worker);
                    }
                }
                Watched::Process(worker) => self.process_ended(reactor, worker),
                Watched::Listener(id) => {
                    if let Some(passing) = self.handles.get_mut(id).and_then(Handle::passing) {
                        passing.listener_is_ready();
                        self.to_pump.insert(id);
                    }
                }
            }
        }
        self.work(reactor);
        Ok(count)
    }

    /// Passes connections on and writes what there is to write.
    fn work(&mut self, reactor: &OwnedFd) {
        if !self.to_retry.is_empty() && self.now() >= self.retry_at {
            self.to_flush.append(&mut self.to_retry);
        }
        while let Some(id) = self.to_watch.pop() {
            if let Some(passing) = self.handles.get_mut(id).and_then(Handle::passing)
                && let Some(listener) = passing.listener()
            {
                // Edge-triggered: it need not be switched off while nobody is free to accept for.
                let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
                let _ = epoll::add(reactor, listener, Watched::Listener(id).pack(), flags);
            }
        }
        while let Some(id) = self.to_pump.pop_first() {
            self.pump(reactor, id);
        }
        while let Some(worker) = self.to_flush.pop_first() {
            self.flush(reactor, worker);
        }
    }

    fn pump(&mut self, reactor: &OwnedFd, id: HandleId) {
        loop {
            let now = self.now();
            let Some(passing) = self.handles.get_mut(id).and_then(Handle::passing) else {
                return;
            };
            let Some((worker, connection)) = passing.next(now) else {
                self.timed |= passing.next_wakeup(now).is_some();
                return;
            };
            let seq = self.seq;
            self.seq += 1;
            match self.workers.get_mut(&worker) {
                Some(known) if known.link.is_some() => {
                    known.hand_over(seq, id, connection, &passing.key_json, passing.kind);
                    self.flush(reactor, worker);
                }
                _ => {
                    passing.take_back(connection);
                    passing.rotation.remove(worker);
                }
            }
        }
    }

    fn flush(&mut self, reactor: &OwnedFd, worker: WorkerId) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        let Some(link) = &mut known.link else { return };
        let flushed = tine_ipc::unix::flush(
            link.fd.as_fd(),
            &mut link.channel,
            tine_sys::socket::unread_by_peer,
        );
        let blocked = match flushed {
            Ok(Flushed::All) => false,
            Ok(Flushed::WouldBlock) => true,
            Ok(Flushed::PeerMustRead) => {
                if self.to_retry.is_empty() {
                    self.retry_at = self.now().plus(FLUSH_AGAIN);
                }
                self.to_retry.insert(worker);
                self.timed = true;
                return;
            }
            // The peer is going: what it has written before can still be read, and reading will
            // tell of the end.
            Err(_) => {
                self.read_channel(worker);
                return;
            }
        };
        if blocked != link.blocked {
            link.blocked = blocked;
            let mut flags = epoll::EventFlags::IN;
            if blocked {
                flags |= epoll::EventFlags::OUT;
            }
            let data = Watched::Channel(worker).pack();
            let _ = epoll::modify(reactor, &link.fd, data, flags);
        }
    }

    fn read_channel(&mut self, worker: WorkerId) {
        match self.receive_once(worker) {
            // One read per turn and worker, so that nobody can keep the others waiting. The set
            // is level-triggered: what is left comes up again.
            None | Some(Ok(Received::Bytes(_) | Received::WouldBlock)) => {}
            Some(Ok(Received::Closed)) => self.channel_closed(worker, None),
            Some(Err(error)) => self.channel_closed(worker, Some(error.to_string())),
        }
    }

    /// Reads once from a channel and acts on every message that this completes.
    fn receive_once(&mut self, worker: WorkerId) -> Option<Result<Received, ChannelError>> {
        let link = self.workers.get_mut(&worker)?.link.as_mut()?;
        let received =
            tine_ipc::unix::receive(link.fd.as_fd(), &mut link.channel, &mut self.buffer);
        while let Some(event) = self
            .link_mut(worker)
            .and_then(|link| link.channel.poll_event())
        {
            self.heard(worker, event);
        }
        // Acknowledgements that the channel has written by itself.
        if self
            .link_mut(worker)
            .is_some_and(|link| link.channel.queued() > 0 && !link.blocked)
        {
            self.to_flush.insert(worker);
        }
        Some(received)
    }

    fn link_mut(&mut self, worker: WorkerId) -> Option<&mut Link> {
        self.workers.get_mut(&worker)?.link.as_mut()
    }

    fn heard(&mut self, worker: WorkerId, event: tine_ipc::Event) {
        match event {
            tine_ipc::Event::Cluster(message, _unwanted) => {
                self.cluster_message(worker, *message);
            }
            tine_ipc::Event::Message { json, internal, .. } => {
                if internal {
                    self.answer_socket_list(worker, &json);
                } else {
                    self.events.push_back(Event::Message { worker, json });
                }
            }
            tine_ipc::Event::HandleTaken(_) => {}
            tine_ipc::Event::HandleRefused(refused) => self.handle_refused(worker, refused),
            _ => {}
        }
    }

    /// A worker that sent us a socket of its server asks what became of it. We keep none.
    fn answer_socket_list(&mut self, worker: WorkerId, json: &str) {
        #[derive(serde::Deserialize)]
        struct Asked {
            cmd: String,
            key: Option<String>,
        }
        let Ok(Asked {
            cmd,
            key: Some(key),
        }) = serde_json::from_str::<Asked>(json)
        else {
            return;
        };
        let key = serde_json::to_string(&key).unwrap_or_default();
        let answer = match cmd.as_str() {
            "NODE_SOCKET_NOTIFY_CLOSE" => {
                format!(r#"{{"cmd":"NODE_SOCKET_ALL_CLOSED","key":{key}}}"#)
            }
            "NODE_SOCKET_GET_COUNT" => {
                format!(r#"{{"cmd":"NODE_SOCKET_COUNT","key":{key},"count":0}}"#)
            }
            _ => return,
        };
        if let Some(link) = self
            .workers
            .get_mut(&worker)
            .and_then(|known| known.link.as_mut())
        {
            link.channel.send_message(&answer);
            self.to_flush.insert(worker);
        }
    }

    fn cluster_message(&mut self, worker: WorkerId, message: Cluster) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        match message.act {
            Act::Online if known.online => {}
            Act::Online => {
                known.online = true;
                self.events.push_back(Event::Online(worker));
            }
            Act::QueryServer(query) => {
                let Some(ack) = message.seq else { return };
                if !known.disconnecting {
                    self.query_server(worker, ack, query);
                }
            }
            Act::Listening(report) => self.listening(worker, &report),
            Act::Reply(reply) => {
                let (Some(seq), Some(accepted)) = (message.ack, reply.accepted) else {
                    return;
                };
                let answer = if accepted {
                    Answer::Taken
                } else {
                    Answer::Refused
                };
                if let Some(handoff) = known.answered(seq) {
                    self.settle(worker, handoff, answer);
                }
            }
            Act::Close { key } => {
                if let Some(id) = self.handles.by_key(&key) {
                    self.leave_handle(worker, id, Left::Closed);
                }
            }
            Act::ExitedAfterDisconnect => {
                known.exited_after_disconnect = true;
                let (Some(ack), seq) = (message.seq, self.seq()) else {
                    return;
                };
                self.say(worker, &tine_ipc::encode::acknowledge(ack, seq));
            }
            Act::NewConnection { .. } | Act::Disconnect | Act::Unknown(_) => {}
            _ => {}
        }
    }

    fn say(&mut self, worker: WorkerId, message: &[u8]) {
        if let Some(link) = self
            .workers
            .get_mut(&worker)
            .and_then(|known| known.link.as_mut())
        {
            link.channel.send_cluster(message);
            self.to_flush.insert(worker);
        }
    }

    /// A worker has answered a connection, one way or the other.
    fn settle(&mut self, worker: WorkerId, handoff: super::worker::Handoff, answer: Answer) {
        let now = self.now();
        let Some(passing) = self
            .handles
            .get_mut(handoff.handle)
            .and_then(Handle::passing)
        else {
            return;
        };
        passing.rotation.answered(worker, answer, now);
        if answer == Answer::Refused {
            passing.take_back(handoff.connection);
        }
        self.to_pump.insert(handoff.handle);
    }

    /// A worker got a message without its descriptor.
    fn handle_refused(&mut self, worker: WorkerId, refused: Token) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        let Some(at) = known
            .handoffs
            .iter()
            .position(|handoff| token(handoff.seq) == refused)
        else {
            return;
        };
        if let Some(handoff) = known.handoffs.remove(at) {
            self.settle(worker, handoff, Answer::Refused);
        }
    }

    fn query_server(&mut self, worker: WorkerId, ack: i64, query: QueryServer) {
        let key = query.key();
        let found = self.handles.by_key(&key);
        let already = found
            .and_then(|id| self.handles.get_mut(id))
            .is_some_and(|handle| handle.members.contains_key(&worker));
        if already {
            // A second socket on the same address: what binding it anew would give.
            let error = io::Error::from(rustix::io::Errno::ADDRINUSE);
            let seq = self.seq();
            let text = tine_ipc::encode::error_reply(&key, ack, seq, bind::errno_of(&error));
            return self.say(worker, &text);
        }
        let id = match found {
            Some(id) => id,
            None => match Handle::open(query.clone(), self.settings.policy, &self.inherited) {
                Ok(handle) => {
                    let id = self.handles.add(handle);
                    self.to_watch.push(id);
                    id
                }
                Err((address, error)) => {
                    let seq = self.seq();
                    let errno = bind::errno_of(&error);
                    self.say(
                        worker,
                        &tine_ipc::encode::error_reply(&key, ack, seq, errno),
                    );
                    self.events.push_back(Event::ListenFailed {
                        worker,
                        address,
                        error,
                    });
                    return;
                }
            },
        };
        if let Err(error) = self.join_handle(worker, id, ack, query) {
            let seq = self.seq();
            let errno = bind::errno_of(&error);
            self.say(
                worker,
                &tine_ipc::encode::error_reply(&key, ack, seq, errno),
            );
            if let Some(handle) = self.handles.get_mut(id) {
                let address = handle.address.clone();
                self.events.push_back(Event::ListenFailed {
                    worker,
                    address,
                    error,
                });
            }
            self.close_if_unused(id);
        }
    }

    /// Answers a question with the handle.
    fn join_handle(
        &mut self,
        worker: WorkerId,
        id: HandleId,
        ack: i64,
        query: QueryServer,
    ) -> io::Result<()> {
        let seq = self.seq();
        let (Some(known), Some(handle)) = (self.workers.get_mut(&worker), self.handles.get_mut(id))
        else {
            return Ok(());
        };
        let Some(link) = &mut known.link else {
            return Ok(());
        };
        if handle.data.is_none() {
            handle.data = query.data;
        }
        let data = handle.data.as_deref();
        match &mut handle.source {
            Source::Passing { socket_name, .. } => {
                let name = socket_name.as_ref();
                link.channel
                    .send_cluster(&tine_ipc::encode::round_robin_reply(
                        &handle.key,
                        ack,
                        seq,
                        name,
                        data,
                    ));
            }
            Source::Shared { fd, kind } => {
                let text = tine_ipc::encode::shared_reply(&handle.key, ack, seq, data);
                link.channel
                    .send_cluster_handle(&text, *kind, fd.clone(), token(seq));
            }
            Source::Group(group) => {
                let fd = group.socket_for(worker, known.seat)?;
                let text = tine_ipc::encode::shared_reply(&handle.key, ack, seq, data);
                let kind = tine_ipc::encode::NativeKind::TcpListener;
                link.channel
                    .send_cluster_handle(&text, kind, fd, token(seq));
            }
        }
        handle.members.insert(worker, false);
        known.handles.insert(id);
        self.to_flush.insert(worker);
        Ok(())
    }

    fn listening(&mut self, worker: WorkerId, report: &QueryServer) {
        let Some(known) = self.workers.get(&worker) else {
            return;
        };
        // Nobody has seen Bun take a passed connection for a socket of its own.
        let takes_connections = known
            .link
            .as_ref()
            .is_some_and(|link| link.channel.dialect() != tine_ipc::Dialect::Bun);
        let mut address = None;
        for id in known.handles.clone() {
            let Some(handle) = self.handles.get_mut(id) else {
                continue;
            };
            if handle.members.get(&worker) != Some(&false) || !handle.is_reported_by(report) {
                continue;
            }
            handle.members.insert(worker, true);
            match &mut handle.source {
                Source::Passing { passing, .. } => passing.rotation.add(worker),
                Source::Group(group) => group.listening(worker, takes_connections),
                Source::Shared { .. } => {}
            }
            address = Some(handle.address.clone());
            self.to_pump.insert(id);
            break;
        }
        // A server that Bun bound for itself, or one that was already listening.
        let address = address.or_else(|| super::bind::Target::of(report).ok().map(|t| t.shown()));
        if let Some(address) = address {
            self.events.push_back(Event::Listening(worker, address));
        }
    }

    fn leave_handle(&mut self, worker: WorkerId, id: HandleId, left: Left) {
        if let Some(known) = self.workers.get_mut(&worker) {
            known.handles.remove(&id);
            // What it has not answered, it has not read.
            let (stay, back): (VecDeque<_>, VecDeque<_>) =
                known.handoffs.drain(..).partition(|handoff| match left {
                    // A worker that closed a server still answers what is on its way to it.
                    Left::Closed => true,
                    Left::ChannelClosed | Left::Died => handoff.handle != id,
                });
            known.handoffs = stay;
            if let Some(passing) = self.handles.get_mut(id).and_then(Handle::passing) {
                for handoff in back.into_iter().rev() {
                    passing.take_back(handoff.connection);
                }
            }
        }
        let Some(handle) = self.handles.get_mut(id) else {
            return;
        };
        handle.members.remove(&worker);
        match (&mut handle.source, left) {
            (Source::Passing { passing, .. }, _) => passing.rotation.remove(worker),
            (Source::Shared { .. }, _) => {}
            (Source::Group(group), Left::Closed) => group.closed(worker),
            (Source::Group(group), Left::ChannelClosed) => group.leaving(worker),
            (Source::Group(group), Left::Died) => group.died(worker),
        }
        self.to_pump.insert(id);
        match left {
            Left::Closed => self.close_if_unused(id),
            Left::ChannelClosed | Left::Died if !self.settings.hold_listeners => {
                self.close_if_unused(id);
            }
            Left::ChannelClosed | Left::Died => {}
        }
    }

    fn close_if_unused(&mut self, id: HandleId) {
        if self
            .handles
            .get_mut(id)
            .is_some_and(|handle| handle.is_unused())
        {
            self.close_handle(id);
        }
    }

    fn close_handle(&mut self, id: HandleId) {
        self.handles.remove(id);
        self.to_pump.remove(&id);
    }

    fn channel_closed(&mut self, worker: WorkerId, error: Option<String>) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        if known.link.take().is_none() {
            return;
        }
        self.to_retry.remove(&worker);
        let dead = known.status.is_some();
        if !dead {
            for id in known.handles.clone() {
                self.leave_handle_kept(worker, id);
            }
        }
        self.events.push_back(Event::Disconnect { worker, error });
    }

    /// The channel has closed and the process has not ended: its handles stay noted until it has.
    fn leave_handle_kept(&mut self, worker: WorkerId, id: HandleId) {
        self.leave_handle(worker, id, Left::ChannelClosed);
        let is_group = self
            .handles
            .get_mut(id)
            .is_some_and(|handle| matches!(handle.source, Source::Group(_)));
        if is_group && let Some(known) = self.workers.get_mut(&worker) {
            known.handles.insert(id);
        }
    }

    fn process_ended(&mut self, reactor: &OwnedFd, worker: WorkerId) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        let status = match reap::wait_pidfd(known.pidfd.as_fd()) {
            Ok(Some(status)) => status,
            Ok(None) => return,
            // Somebody else has reaped it: its end is certain, how it ended is not known.
            Err(_) => ExitStatus::Code(0),
        };
        known.status = Some(status);
        let _ = epoll::delete(reactor, &known.pidfd);
        // What it said before it died still counts: a message, or that it took a connection.
        // Descendants may hold the other end open, and write to it, for ever.
        for _ in 0..READS_AFTER_DEATH {
            if !matches!(self.receive_once(worker), Some(Ok(Received::Bytes(_)))) {
                break;
            }
        }
        self.channel_closed(worker, None);
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        let exited_after_disconnect = known.exited_after_disconnect;
        for id in known.handles.clone() {
            self.leave_handle(worker, id, Left::Died);
        }
        self.workers.remove(&worker);
        self.to_flush.remove(&worker);
        self.events.push_back(Event::Exit {
            worker,
            status,
            exited_after_disconnect,
        });
    }

    fn next_wakeup(&mut self) -> Option<Millis> {
        if !self.timed {
            return None;
        }
        let now = self.now();
        let retry = (!self.to_retry.is_empty()).then_some(self.retry_at);
        let handles = self
            .handles
            .iter_mut()
            .filter_map(|(_, handle)| handle.passing()?.next_wakeup(now))
            .min();
        let next = match (retry, handles) {
            (Some(retry), Some(handles)) => Some(retry.min(handles)),
            (one, other) => one.or(other),
        };
        self.timed = next.is_some();
        next
    }

    fn timed_out(&mut self) {
        let ids: Vec<HandleId> = self.handles.iter_mut().map(|(id, _)| id).collect();
        self.to_pump.extend(ids);
    }
}

/// How a worker came to leave a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Its program closed the server.
    Closed,
    /// Its channel has closed, the process lives.
    ChannelClosed,
    /// Its process has ended.
    Died,
}
