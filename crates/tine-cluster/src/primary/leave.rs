//! What becomes of a worker's share when it leaves?

use super::event::Event;
use super::handle::{Handle, HandleId, Source};
use super::launch::Seat;
use super::reactor::{End, Inner};
use super::worker::{Process, Worker, WorkerId};
use rustix::event::epoll;
use std::os::fd::AsFd;
use tine_sys::reap::{self, ExitStatus};

/// How a worker came to leave a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Its program closed the server.
    Closed,
    /// Its channel has closed, the process lives.
    ChannelClosed,
    /// Its process has ended.
    Died,
}

impl Inner {
    pub(super) fn channel_closed(&mut self, worker: WorkerId, error: Option<String>) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        let Some(link) = known.link.take() else {
            return;
        };
        // Whoever holds a duplicate of it would keep it open, and in the set.
        let _ = epoll::delete(&*self.reactor, &link.fd);
        let _ = rustix::net::shutdown(&link.fd, rustix::net::Shutdown::Both);
        drop(link);
        self.revision += 1;
        self.to_retry.remove(&worker);
        let dead = known.status.is_some();
        if !dead {
            for id in known.handles.clone() {
                self.leave_handle_kept(worker, id);
            }
        }
        self.take_back_all(worker);
        self.events.push_back(Event::Disconnect { worker, error });
    }

    /// Whatever a worker has not answered when its channel is closed, it never will: also what was
    /// on its way to a server that it had closed.
    fn take_back_all(&mut self, worker: WorkerId) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        for handoff in std::mem::take(&mut known.handoffs).into_iter().rev() {
            if let Some(passing) = self
                .handles
                .get_mut(handoff.handle)
                .and_then(Handle::passing)
            {
                passing.take_back(handoff.connection);
                self.to_pump.insert(handoff.handle);
            }
        }
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

    /// The pidfd of a worker says that its process has ended.
    pub(super) fn process_ended(&mut self, worker: WorkerId) {
        let Some(Worker {
            process: Process::Child(pidfd),
            ..
        }) = self.workers.get(&worker)
        else {
            return;
        };
        let status = match reap::wait_pidfd(pidfd.as_fd()) {
            Ok(Some(status)) => status,
            Ok(None) => return,
            // Somebody else has reaped it, or nobody may (SIGCHLD is ignored): its end is certain.
            Err(_) => ExitStatus::Unknown,
        };
        let _ = epoll::delete(&*self.reactor, pidfd);
        self.ended(worker, status);
    }

    /// The process of a worker has ended.
    pub(super) fn ended(&mut self, worker: WorkerId, status: ExitStatus) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        known.status = Some(status);
        self.changed();
        // What it said before it died still counts: a message, or that it took a connection.
        self.read_to_the_end(worker, End::Died);
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

    pub(super) fn leave_handle(&mut self, worker: WorkerId, id: HandleId, left: Left) {
        self.changed();
        if let Some(known) = self.workers.get_mut(&worker) {
            known.handles.remove(&id);
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

    pub(super) fn close_if_unused(&mut self, id: HandleId) {
        if self
            .handles
            .get_mut(id)
            .is_some_and(|handle| handle.is_unused())
        {
            self.close_handle(id);
        }
    }

    pub(super) fn close_handle(&mut self, id: HandleId) {
        self.changed();
        self.to_pump.remove(&id);
        let Some(mut handle) = self.handles.remove(id) else {
            return;
        };
        if let Some(listener) = handle.passing().and_then(|passing| passing.listener()) {
            // An inherited one stays open elsewhere, and would stay in the set with it.
            let _ = epoll::delete(&*self.reactor, listener);
        }
    }

    /// Nobody will come to a seat soon, or any more.
    pub(crate) fn leave_seat(&mut self, seat: Seat, for_good: bool) {
        for (id, handle) in self.handles.iter_mut() {
            if let Source::Group(group) = &mut handle.source {
                group.release(seat, for_good);
                self.to_pump.insert(id);
                self.revision += 1;
            }
        }
        self.work();
    }
}
