//! What do workers say, and what are they answered?

use super::bind;
use super::event::Event;
use super::handle::{Handle, HandleId, Source};
use super::reactor::Inner;
use super::worker::{Handoff, WorkerId, token};
use rustix::event::epoll;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use tine_ipc::{Act, Cluster, QueryServer, Token};
use tine_rules::balance::Answer;
use tine_sys::reap::{self, ExitStatus};

impl Inner {
    pub(super) fn heard(&mut self, worker: WorkerId, event: tine_ipc::Event) {
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
        let address = address.or_else(|| bind::Target::of(report).ok().map(|t| t.shown()));
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

    pub(super) fn close_handle(&mut self, id: HandleId) {
        self.handles.remove(id);
        self.to_pump.remove(&id);
    }

    pub(super) fn channel_closed(&mut self, worker: WorkerId, error: Option<String>) {
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

    pub(super) fn process_ended(&mut self, reactor: &OwnedFd, worker: WorkerId) {
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
        self.read_to_the_end(worker);
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
