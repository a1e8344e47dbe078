//! What does the primary's program say to a worker?

use super::event::ListeningAddress;
use super::handle::Source;
use super::policy::Sharing;
use super::reactor::{End, Inner};
use super::worker::{WorkerId, token};
use rustix::process::Pid;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tine_ipc::{Body, BodyError, Mark, SentHandle, Serialization, Token};
use tine_rules::balance::Order;

impl Inner {
    /// Queues a message; [`work`](Self::work) writes it.
    pub(crate) fn send(
        &mut self,
        worker: WorkerId,
        body: &Body,
    ) -> Result<Option<Mark>, BodyError> {
        let Some(link) = self.link_mut(worker) else {
            return Ok(None);
        };
        let mark = link.channel.send(body)?;
        self.to_flush.insert(worker);
        Ok(Some(mark))
    }

    /// As [`send`](Self::send), with a socket that is heard of again under the token.
    pub(crate) fn send_with_handle(
        &mut self,
        worker: WorkerId,
        body: &Body,
        kind: SentHandle,
        fd: OwnedFd,
    ) -> Result<Option<(Mark, Token)>, BodyError> {
        let token = token(self.seq());
        let Some(known) = self.workers.get_mut(&worker) else {
            return Ok(None);
        };
        let Some(link) = &mut known.link else {
            return Ok(None);
        };
        let mark = link
            .channel
            .send_with_handle(body, kind, Arc::new(fd), token)?;
        known.sent_handles.insert(token.0);
        self.to_flush.insert(worker);
        Ok(Some((mark, token)))
    }

    pub(crate) fn written(&self, worker: WorkerId) -> Option<Mark> {
        let link = self.workers.get(&worker)?.link.as_ref()?;
        Some(link.channel.written())
    }

    pub(crate) fn serialization(&self, worker: WorkerId) -> Option<Serialization> {
        let link = self.workers.get(&worker)?.link.as_ref()?;
        Some(link.channel.serialization())
    }

    /// Stops reading from a worker, or goes on: its program says more than ours listens to.
    pub(crate) fn hold(&mut self, worker: WorkerId, held: bool) {
        if let Some(link) = self.link_mut(worker)
            && link.held != held
        {
            link.held = held;
            self.to_flush.insert(worker);
            self.work();
        }
    }

    pub(crate) fn disconnect(&mut self, worker: WorkerId) {
        let seq = self.seq();
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        known.exited_after_disconnect = true;
        self.revision += 1;
        let handles = known.handles.clone();
        if let Some(link) = &mut known.link
            && !known.disconnecting
        {
            link.channel
                .send_cluster(&tine_ipc::encode::disconnect(seq));
            self.to_flush.insert(worker);
            known.disconnecting = true;
            // Nothing new is to reach it, from now on and not only when it has heard.
            for id in handles {
                match self.handles.get_mut(id).map(|handle| &mut handle.source) {
                    Some(Source::Passing { passing, .. }) => passing.rotation.remove(worker),
                    Some(Source::Group(group)) => group.leaving(worker),
                    Some(Source::Shared { .. }) | None => {}
                }
            }
        }
        self.work();
    }

    /// Closes the primary's end of a worker's channel: what `process.disconnect()` does in Node.
    pub(crate) fn close_channel(&mut self, worker: WorkerId) {
        self.flush(worker);
        self.read_to_the_end(worker, End::Ours);
        self.work();
    }

    pub(crate) fn is_connected(&self, worker: WorkerId) -> bool {
        let known = self.workers.get(&worker);
        known.is_some_and(|known| known.link.is_some())
    }

    pub(crate) fn exited_after_disconnect(&self, worker: WorkerId) -> bool {
        let known = self.workers.get(&worker);
        known.is_some_and(|known| known.exited_after_disconnect)
    }

    pub(crate) fn pid(&self, worker: WorkerId) -> Option<Pid> {
        self.workers.get(&worker).map(|known| known.pid)
    }

    pub(crate) fn signal(&self, worker: WorkerId, signal: i32) -> io::Result<()> {
        match self.workers.get(&worker) {
            Some(known) => match known.process.pidfd() {
                Some(pidfd) => tine_sys::tree::signal_pidfd(pidfd, signal),
                None => {
                    let text = format!("signalling worker {worker}: its pidfd is held elsewhere");
                    Err(io::Error::new(io::ErrorKind::Unsupported, text))
                }
            },
            None => Ok(()),
        }
    }

    pub(crate) fn prune(&mut self) {
        for id in self.handles.unused() {
            self.close_handle(id);
        }
    }

    pub(crate) fn addresses(&self) -> Vec<(ListeningAddress, Sharing)> {
        let shown = self.handles.values().map(|handle| {
            let sharing = match &handle.source {
                Source::Passing { passing, .. } => match passing.rotation.order() {
                    Order::Turns => Sharing::PassedOn,
                    Order::Least => Sharing::FewestConnections,
                },
                Source::Shared { .. } => Sharing::OneSocket,
                Source::Group(group) => Sharing::Kernel(group.report.clone()),
            };
            (handle.address.clone(), sharing)
        });
        shown.collect()
    }
}
