//! What is ready, and what is to be written?

use super::event::Event;
use super::handle::{Handle, HandleId, Handles};
use super::passing::Next;
use super::policy::Settings;
use super::worker::{Link, Worker, WorkerId};
use rustix::event::epoll;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tine_ipc::unix::{ChannelError, Flushed, Received};
use tine_rules::Millis;

/// A peer that must read before it can be sent more is tried again this much later.
/// It doubles with every time in vain, up to 32 ms: a peer that is stopped costs nothing.
const FLUSH_AGAIN: Duration = Duration::from_millis(1);
/// Longer ago than that nobody is judged by what was heard: half of what a worker may take.
const LISTEN_AGAIN: Duration = Duration::from_millis(1);
/// Events taken from the kernel at once.
const BATCH: usize = 64;
/// What a channel is watched for. Edges: what has been announced and not read is in
/// [`Inner::unread`].
pub(super) const INCOMING: epoll::EventFlags = epoll::EventFlags::IN
    .union(epoll::EventFlags::RDHUP)
    .union(epoll::EventFlags::ET);
/// What announces the end of a peer.
const ENDING: epoll::EventFlags = epoll::EventFlags::HUP
    .union(epoll::EventFlags::RDHUP)
    .union(epoll::EventFlags::ERR);
/// Bytes read from a channel at once: what a socket holds by default.
const READ: usize = 64 * 1024;

/// What a descriptor in the epoll set is. Numbers are never used twice, so an event for something
/// that is gone finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watched {
    Channel(WorkerId),
    Process(WorkerId),
    Listener(HandleId),
}

impl Watched {
    pub(super) fn pack(self) -> epoll::EventData {
        let (kind, number) = match self {
            Self::Channel(worker) => (0u64, u64::from(worker.0)),
            Self::Process(worker) => (1, u64::from(worker.0)),
            Self::Listener(handle) => (2, handle.0),
        };
        epoll::EventData::new_u64(number << 2 | kind)
    }

    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn unpack(data: epoll::EventData) -> Self {
        let number = data.u64() >> 2;
        match data.u64() & 3 {
            0 => Self::Channel(WorkerId(number as u32)),
            1 => Self::Process(WorkerId(number as u32)),
            _ => Self::Listener(HandleId(number)),
        }
    }
}

/// Why a channel is read to its end.
#[derive(Debug)]
pub(super) enum End {
    /// We close it.
    Ours,
    /// The worker has died.
    Died,
    /// It cannot be written to.
    Failed(ChannelError),
}

#[derive(Debug)]
pub(crate) struct Inner {
    /// The epoll set.
    pub(super) reactor: Arc<OwnedFd>,
    pub(crate) settings: Settings,
    /// This thread does not interrupt others; its workers are not to inherit that.
    pub(super) waits_its_turn: bool,
    pub(crate) inherited: BTreeMap<i32, OwnedFd>,
    pub(super) workers: BTreeMap<WorkerId, Worker>,
    pub(super) handles: Handles,
    pub(crate) events: VecDeque<Event>,
    /// Handles whose waiting connections may have found a worker.
    pub(super) to_pump: BTreeSet<HandleId>,
    /// The same, once it has been heard what workers have said meanwhile.
    pub(super) to_pump_later: BTreeSet<HandleId>,
    /// When that was last heard.
    pub(super) listened: Millis,
    /// Workers whose channel has something to write.
    pub(super) to_flush: BTreeSet<WorkerId>,
    /// Workers whose channel may have something to read that will not be announced again.
    pub(super) unread: BTreeSet<WorkerId>,
    /// Workers that must read before they can be sent more.
    pub(super) to_retry: BTreeSet<WorkerId>,
    /// When sockets that workers have sent here are looked at.
    pub(super) claims_due: Option<Millis>,
    /// When something has to be done without being told.
    pub(crate) due: Option<Millis>,
    pub(super) seq: i64,
    pub(super) next_worker: u32,
    /// Another one whenever what lasts is another.
    pub(super) revision: u64,
    pub(super) buffer: Box<[u8]>,
    pub(crate) zero: Instant,
}

impl Inner {
    pub(crate) fn new(settings: Settings, reactor: Arc<OwnedFd>) -> Self {
        Self {
            reactor,
            waits_its_turn: settings.wait_our_turn
                && tine_sys::scheduling::do_not_interrupt_others().unwrap_or(false),
            settings,
            inherited: BTreeMap::new(),
            workers: BTreeMap::new(),
            handles: Handles::default(),
            events: VecDeque::new(),
            to_pump: BTreeSet::new(),
            to_pump_later: BTreeSet::new(),
            listened: Millis(0),
            to_flush: BTreeSet::new(),
            unread: BTreeSet::new(),
            to_retry: BTreeSet::new(),
            claims_due: None,
            due: None,
            seq: 0,
            next_worker: 0,
            revision: 0,
            buffer: vec![0; READ].into_boxed_slice(),
            zero: Instant::now(),
        }
    }

    pub(super) fn now(&self) -> Millis {
        #[allow(clippy::cast_possible_truncation)]
        Millis(self.zero.elapsed().as_millis() as u64)
    }

    /// Something that lasts is another than it was.
    pub(super) fn changed(&mut self) {
        self.revision += 1;
    }

    /// Takes what the kernel has ready and acts on it. Says whether there may be more: then it
    /// announces nothing, and this has to be called again.
    pub(crate) fn turn(&mut self) -> io::Result<bool> {
        let mut ready: [std::mem::MaybeUninit<epoll::Event>; BATCH] =
            [std::mem::MaybeUninit::uninit(); BATCH];
        let none = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let (events, _) = match epoll::wait(&*self.reactor, &mut ready, Some(&none)) {
            Ok(ready) => ready,
            Err(rustix::io::Errno::INTR) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        let all = events.len() < BATCH;
        for event in events.iter() {
            let (data, flags) = (event.data, event.flags);
            match Watched::unpack(data) {
                Watched::Channel(worker) => {
                    if flags.contains(epoll::EventFlags::OUT) {
                        self.to_flush.insert(worker);
                    }
                    if flags.intersects(ENDING)
                        && let Some(link) = self.link_mut(worker)
                    {
                        link.ending = true;
                    }
                    if flags.intersects(ENDING | epoll::EventFlags::IN) {
                        self.unread.insert(worker);
                    }
                }
                Watched::Process(worker) => self.process_ended(worker),
                Watched::Listener(id) => {
                    if let Some(passing) = self.handles.get_mut(id).and_then(Handle::passing) {
                        passing.listener_is_ready();
                        self.to_pump.insert(id);
                    }
                }
            }
        }
        // One read for each, so that nobody can keep the others waiting.
        for worker in std::mem::take(&mut self.unread) {
            match self.link_mut(worker) {
                None => {}
                Some(link) if link.may_be_read() => self.read_channel(worker),
                Some(_) => {
                    self.unread.insert(worker);
                }
            }
        }
        self.listened = self.now();
        self.to_pump.append(&mut self.to_pump_later);
        self.work();
        Ok(!all || self.has_more())
    }

    /// Whether there is something to do that the kernel will not announce again.
    pub(crate) fn has_more(&self) -> bool {
        let readable = |worker| {
            let known = self.workers.get(worker);
            let link = known.and_then(|known| known.link.as_ref());
            link.is_some_and(Link::may_be_read)
        };
        !self.to_pump_later.is_empty() || self.unread.iter().any(readable)
    }

    /// Passes connections on and writes what there is to write.
    pub(crate) fn work(&mut self) {
        if let Some(due) = self.due
            && due <= self.now()
        {
            self.due = None;
            if self.claims_due.is_some_and(|due| due <= self.now()) {
                self.look_for_closed_sockets();
            } else if let Some(due) = self.claims_due {
                self.wake_at(due);
            }
            self.to_flush.append(&mut self.to_retry);
            let all: Vec<HandleId> = self.handles.iter_mut().map(|(id, _)| id).collect();
            self.to_pump.extend(all);
        }
        while let Some(id) = self.to_pump.pop_first() {
            self.pump(id);
        }
        while let Some(worker) = self.to_flush.pop_first() {
            self.flush(worker);
        }
    }

    pub(super) fn pump(&mut self, id: HandleId) {
        loop {
            let now = self.now();
            // A worker is not to be taken for a slow one because we were slow to listen.
            if now.since(self.listened) >= LISTEN_AGAIN {
                self.to_pump_later.insert(id);
                return;
            }
            let Some(passing) = self.handles.get_mut(id).and_then(Handle::passing) else {
                return;
            };
            let order = passing.rotation.order();
            let next = passing.next(now);
            if passing.rotation.order() != order {
                self.revision += 1;
            }
            let (complaint, wakeup) = (passing.take_complaint(), passing.next_wakeup(now));
            if let Some(error) = complaint
                && let Some(handle) = self.handles.get_mut(id)
            {
                let address = handle.address.clone();
                self.events
                    .push_back(Event::AcceptFailed { address, error });
            }
            let (worker, connection) = match next {
                Next::Give(worker, connection) => (worker, connection),
                Next::Counted => continue,
                Next::Nothing => {
                    if let Some(wakeup) = wakeup {
                        self.wake_at(wakeup);
                    }
                    return;
                }
            };
            let seq = self.seq();
            let Some(passing) = self.handles.get_mut(id).and_then(Handle::passing) else {
                return;
            };
            match self.workers.get_mut(&worker) {
                Some(known) if known.link.is_some() => {
                    known.hand_over(seq, id, connection, &passing.key_json, passing.kind);
                    self.flush(worker);
                }
                _ => {
                    passing.take_back(connection);
                    passing.rotation.remove(worker);
                    self.revision += 1;
                }
            }
        }
    }

    pub(super) fn flush(&mut self, worker: WorkerId) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        let Some(link) = &mut known.link else { return };
        let flushed = tine_ipc::unix::flush(
            link.fd.as_fd(),
            &mut link.channel,
            tine_sys::socket::unread_by_peer,
        );
        let mut must_read = false;
        let blocked = match flushed {
            Ok(Flushed::All) => false,
            Ok(Flushed::WouldBlock) => true,
            Ok(Flushed::PeerMustRead) => {
                must_read = true;
                false
            }
            // The peer is going, or hears no more: what it has written before still counts.
            Err(error) => return self.read_to_the_end(worker, End::Failed(error)),
        };
        if blocked != link.blocked {
            link.blocked = blocked;
            let mut watch = INCOMING;
            if blocked {
                watch |= epoll::EventFlags::OUT;
            }
            let data = Watched::Channel(worker).pack();
            let _ = epoll::modify(&*self.reactor, &link.fd, data, watch);
        }
        if must_read {
            let pause = FLUSH_AGAIN * (1 << link.vain.min(5));
            link.vain += 1;
            self.to_retry.insert(worker);
            let again = self.now().plus(pause);
            self.wake_at(again);
        } else if let Some(link) = self.link_mut(worker) {
            link.vain = 0;
        }
    }

    /// Takes what can still be read, and closes the channel.
    pub(super) fn read_to_the_end(&mut self, worker: WorkerId, end: End) {
        let Some(link) = self.link_mut(worker) else {
            return;
        };
        // What is there now: descendants of a dead worker may hold the other end open, and write
        // to it, for ever.
        let mut left = rustix::io::ioctl_fionread(&link.fd).unwrap_or(0);
        while left > 0 {
            let size = usize::try_from(left).map_or(READ, |left| left.min(READ));
            match self.receive_up_to(worker, size) {
                Some(Ok(Received::Bytes(count) | Received::All(count))) => {
                    left = left.saturating_sub(count as u64)
                }
                Some(Err(broken)) => {
                    return self.channel_closed(worker, Some(broken.to_string()));
                }
                Some(Ok(Received::Closed | Received::WouldBlock)) | None => break,
            }
        }
        let half = self.half_a_message(worker);
        let error = match end {
            End::Ours => None,
            End::Died => half,
            End::Failed(error) => match self.receive_up_to(worker, 1) {
                // The peer has gone; only that it hears no more is worth a word.
                Some(Ok(Received::Closed)) => half,
                _ => Some(error.to_string()),
            },
        };
        self.channel_closed(worker, error);
    }

    /// What is wrong with a channel that ends here, if its last message is not whole.
    fn half_a_message(&mut self, worker: WorkerId) -> Option<String> {
        let half = self.link_mut(worker)?.channel.half_received();
        (half > 0).then(|| format!("the channel has ended {half} bytes into a message"))
    }

    pub(super) fn read_channel(&mut self, worker: WorkerId) {
        match self.receive_up_to(worker, READ) {
            None | Some(Ok(Received::WouldBlock)) => {}
            Some(Ok(Received::Bytes(_))) => {
                self.unread.insert(worker);
            }
            // Its end, once announced, is not announced again.
            Some(Ok(Received::All(_))) => {
                if self.link_mut(worker).is_some_and(|link| link.ending) {
                    self.unread.insert(worker);
                }
            }
            Some(Ok(Received::Closed)) => {
                let error = self.half_a_message(worker);
                self.channel_closed(worker, error);
            }
            Some(Err(error)) => self.channel_closed(worker, Some(error.to_string())),
        }
    }

    /// Reads once from a channel and acts on every message that this completes.
    fn receive_up_to(
        &mut self,
        worker: WorkerId,
        size: usize,
    ) -> Option<Result<Received, ChannelError>> {
        let link = self.workers.get_mut(&worker)?.link.as_mut()?;
        let buffer = &mut self.buffer[..size];
        let dialect = link.channel.dialect();
        let received = tine_ipc::unix::receive(link.fd.as_fd(), &mut link.channel, buffer);
        if link.channel.dialect() != dialect {
            self.revision += 1;
        }
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

    pub(super) fn link_mut(&mut self, worker: WorkerId) -> Option<&mut Link> {
        self.workers.get_mut(&worker)?.link.as_mut()
    }

    pub(super) fn wake_at(&mut self, at: Millis) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}
