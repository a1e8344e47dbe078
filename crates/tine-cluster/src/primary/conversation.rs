//! What do workers say, and what are they answered?

use super::bind;
use super::event::{Event, ListeningAddress};
use super::handle::{FIRST_HANDLES, Handle, HandleId, MOST_HANDLES, Source};
use super::leave::Left;
use super::reactor::Inner;
use super::worker::{Handoff, Reply, WorkerId, token};
use crate::Message;
use crate::claims::Asked;
use std::io;
use std::os::fd::AsRawFd as _;
use std::time::Duration;
use tine_ipc::{Act, Body, Cluster, QueryServer, Token};
use tine_rules::balance::Answer;

/// A server that waits for sockets it sent here to be closed hears of it at most this much later.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// What could not be had, and why not.
type Refusal = (ListeningAddress, io::Error);

fn is_in_use(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::ADDRINUSE.raw_os_error())
}

impl Inner {
    pub(super) fn heard(&mut self, worker: WorkerId, event: tine_ipc::Event) {
        match event {
            tine_ipc::Event::Cluster(message, _unwanted) => {
                self.cluster_message(worker, *message);
            }
            tine_ipc::Event::Message {
                body,
                internal,
                handle,
            } => {
                if internal {
                    self.answer_socket_list(worker, &body);
                } else {
                    let known = self.workers.get_mut(&worker);
                    let handle = known
                        .zip(handle)
                        .map(|(known, handle)| crate::claims::received(handle, &mut known.claims));
                    let message = Message::new(body, handle);
                    self.events.push_back(Event::Message { worker, message });
                }
            }
            tine_ipc::Event::HandleTaken(token) => {
                let ours = self.own_handle_answered(worker, token, true);
                if !ours {
                    let _ = self.reply_acknowledged(worker, token);
                }
            }
            tine_ipc::Event::HandleRefused(token) => {
                let ours = self.own_handle_answered(worker, token, false);
                if !ours {
                    self.handle_refused(worker, token);
                }
            }
            _ => {}
        }
    }

    /// A socket that our program sent has been answered for. `false` when it was none of those.
    fn own_handle_answered(&mut self, worker: WorkerId, token: Token, taken: bool) -> bool {
        let known = self.workers.get_mut(&worker);
        if !known.is_some_and(|known| known.sent_handles.remove(&token.0)) {
            return false;
        }
        self.events.push_back(Event::HandleAnswered {
            worker,
            token,
            taken,
        });
        true
    }

    /// A worker that sent us sockets of its server asks what became of them.
    fn answer_socket_list(&mut self, worker: WorkerId, body: &Body) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        if let Some(answer) = Asked::answer(body, &mut known.claims) {
            let _ = self.send(worker, &answer);
        } else if known.claims.is_awaited() {
            self.revision += 1;
            self.look_again();
        }
    }

    /// Tells workers that wait for it that sockets of theirs are closed here.
    pub(super) fn look_for_closed_sockets(&mut self) {
        let mut answers = Vec::new();
        for (worker, known) in &mut self.workers {
            for key in known.claims.closed_since() {
                answers.push((*worker, tine_ipc::encode::socket_all_closed(&key)));
                self.revision += 1;
            }
        }
        for (worker, answer) in answers {
            let _ = self.send(worker, &answer);
        }
        self.claims_due = None;
        if self.workers.values().any(|known| known.claims.is_awaited()) {
            self.look_again();
        }
    }

    fn look_again(&mut self) {
        let due = self.now().plus(ASK_AGAIN);
        let due = self.claims_due.map_or(due, |other| other.min(due));
        self.claims_due = Some(due);
        self.wake_at(due);
    }

    fn cluster_message(&mut self, worker: WorkerId, message: Cluster) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        match message.act {
            Act::Online if known.online => {}
            Act::Online => {
                known.online = true;
                self.revision += 1;
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
                // Only what is its own: a socket held for others is not for it to close.
                let own = self
                    .handles
                    .by_key(&key)
                    .filter(|id| known.handles.contains(id));
                if let Some(id) = own {
                    self.leave_handle(worker, id, Left::Closed);
                }
            }
            Act::ExitedAfterDisconnect => {
                known.exited_after_disconnect = true;
                self.revision += 1;
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
    fn settle(&mut self, worker: WorkerId, handoff: Handoff, answer: Answer) {
        let now = self.now();
        let Some(passing) = self
            .handles
            .get_mut(handoff.handle)
            .and_then(Handle::passing)
        else {
            return;
        };
        passing.rotation.answered(worker, answer, now);
        match answer {
            Answer::Taken => passing.taken(worker, &handoff.connection),
            Answer::Refused => passing.take_back(handoff.connection),
        }
        self.to_pump.insert(handoff.handle);
    }

    /// A worker got a message without its descriptor.
    fn handle_refused(&mut self, worker: WorkerId, refused: Token) {
        if let Some(reply) = self.reply_acknowledged(worker, refused) {
            // It has no descriptor free, and its `listen()` would wait for ever.
            let Some(handle) = self.handles.get_mut(reply.handle) else {
                return;
            };
            let (key, address) = (handle.key.clone(), handle.address.clone());
            self.leave_handle(worker, reply.handle, Left::Closed);
            let error = io::Error::from(rustix::io::Errno::MFILE);
            return self.refuse(worker, &key, reply.ack, address, error);
        }
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        let at = known
            .handoffs
            .iter()
            .position(|handoff| token(handoff.seq) == refused);
        if let Some(handoff) = at.and_then(|at| known.handoffs.remove(at)) {
            self.settle(worker, handoff, Answer::Refused);
        }
    }

    /// The answer to a question that this acknowledgement is about, if it is about one.
    fn reply_acknowledged(&mut self, worker: WorkerId, which: Token) -> Option<Reply> {
        let replies = &mut self.workers.get_mut(&worker)?.replies;
        let at = replies.iter().position(|reply| token(reply.seq) == which)?;
        replies.remove(at)
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
        if self.has_enough(worker) {
            let target = bind::Target::of(&query).map(|target| target.shown());
            let address = target.unwrap_or(ListeningAddress::Descriptor(-1));
            let error = io::Error::from(rustix::io::Errno::MFILE);
            return self.refuse(worker, &key, ack, address, error);
        }
        let id = match found {
            Some(id) => id,
            None => match self.open_handle(&query) {
                Ok(id) => id,
                Err((address, error)) => return self.refuse(worker, &key, ack, address, error),
            },
        };
        if let Err(error) = self.join_handle(worker, id, ack, query) {
            if let Some(handle) = self.handles.get_mut(id) {
                let address = handle.address.clone();
                self.refuse(worker, &key, ack, address, error);
            }
            self.close_if_unused(id);
        }
    }

    /// Whether a worker has so many sockets that one more would be at the cost of others. What it
    /// has given back and never said to have taken counts: it is still open here.
    fn has_enough(&self, worker: WorkerId) -> bool {
        let Some(known) = self.workers.get(&worker) else {
            return true;
        };
        let count = known.handles.len() + known.replies.len();
        count >= MOST_HANDLES || count >= FIRST_HANDLES && self.descriptors_are_scarce()
    }

    /// Whether more than half of the descriptors that this process may have are in use.
    fn descriptors_are_scarce(&self) -> bool {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        // A new one gets the lowest number that is free.
        match rustix::io::fcntl_dupfd_cloexec(&*self.reactor, 0) {
            Ok(fd) => {
                let number = u64::try_from(fd.as_raw_fd()).unwrap_or(u64::MAX);
                limit.is_some_and(|limit| number > limit / 2)
            }
            Err(_) => true,
        }
    }

    /// Tells a worker that it cannot have what it asked for, and our owner why.
    fn refuse(
        &mut self,
        worker: WorkerId,
        key: &str,
        ack: i64,
        address: ListeningAddress,
        error: io::Error,
    ) {
        let seq = self.seq();
        let errno = bind::errno_of(&error);
        self.say(worker, &tine_ipc::encode::error_reply(key, ack, seq, errno));
        self.events.push_back(Event::ListenFailed {
            worker,
            address,
            error,
        });
    }

    /// Binds what a question asks for, and watches it if connections come from it.
    fn open_handle(&mut self, query: &QueryServer) -> Result<HandleId, Refusal> {
        let open =
            |inner: &Self| Handle::open(query.clone(), inner.settings.policy, &inner.inherited);
        let mut opened = open(self);
        if matches!(&opened, Err((_, error)) if is_in_use(error)) && self.make_way(query) {
            opened = open(self);
        }
        let handle = opened?;
        let address = handle.address.clone();
        let id = self.handles.add(handle);
        self.changed();
        if let Err(error) = self.watch_listener(id) {
            self.handles.remove(id);
            return Err((address, error));
        }
        Ok(id)
    }

    /// Closes sockets that are only held for workers to come, if they are in the way of what one
    /// asks for now. Whether there were any.
    fn make_way(&mut self, query: &QueryServer) -> bool {
        let Some(port) = query.port.number() else {
            return false;
        };
        let mut closed = false;
        for id in self.handles.unused() {
            let held = self
                .handles
                .get_mut(id)
                .and_then(|handle| match &handle.address {
                    ListeningAddress::Tcp(address) | ListeningAddress::Udp(address) => {
                        Some(i64::from(address.port()))
                    }
                    ListeningAddress::Unix(_) | ListeningAddress::Descriptor(_) => None,
                });
            if held == Some(port) {
                self.close_handle(id);
                closed = true;
            }
        }
        closed
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
        self.revision += 1;
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
                known.replies.push_back(Reply {
                    seq,
                    ack,
                    handle: id,
                });
            }
            Source::Group(group) => {
                let fd = group.socket_for(worker, known.seat)?;
                let text = tine_ipc::encode::shared_reply(&handle.key, ack, seq, data);
                let kind = tine_ipc::encode::NativeKind::TcpListener;
                link.channel
                    .send_cluster_handle(&text, kind, fd, token(seq));
                known.replies.push_back(Reply {
                    seq,
                    ack,
                    handle: id,
                });
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
        if known.disconnecting {
            return;
        }
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
            self.revision += 1;
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
        let address = address.or_else(|| bind::Target::of(report).ok().map(|t| t.shown()));
        if let Some(address) = address {
            self.events.push_back(Event::Listening(worker, address));
        }
    }
}
