//! How does a primary go on in another program image?
//!
//! Everything that it knows is written down, and every descriptor that it has is named, so that
//! who gets both is the same primary: over `execve`, or by passing descriptors to another process.
//! What is written is JSON with pieces of bytes beside it. A field that is not known is ignored, so a
//! form can grow; an older program does not understand a kind of event or socket that is newer than
//! it, and then takes nothing over.

mod handle;
mod worker;

use self::handle::WrittenHandle;
pub(super) use self::handle::WrittenPassing;
pub(super) use self::worker::CHANNEL_NAME;
use self::worker::WrittenWorker;
use super::handle::{Handle, HandleId};
use super::luggage::{Luggage, Place, Unpacked, broken};
use super::policy::Policy;
use super::reactor::{Inner, Watched};
use rustix::event::epoll;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::AsFd;
use tine_ipc::Limits;

/// The form of what is written. A reader refuses another number.
const FORM: u32 = 1;

/// A whole primary, as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Written {
    form: u32,
    policy: Policy,
    seq: i64,
    next_worker: u32,
    next_handle: u64,
    workers: Vec<WrittenWorker>,
    handles: Vec<WrittenHandle>,
    inherited: Vec<(i32, Place)>,
}

/// So many numbers of messages are written down as used at a time.
const SEQ_BLOCK: i64 = 1 << 20;

/// A number that no message has had, and none will have before this changes.
fn never_used(seq: i64) -> i64 {
    (seq / SEQ_BLOCK + 2) * SEQ_BLOCK
}

impl Inner {
    /// The number of the next message.
    pub(super) fn seq(&mut self) -> i64 {
        let seq = self.seq;
        self.seq += 1;
        if self.seq % SEQ_BLOCK == 0 {
            self.changed();
        }
        seq
    }

    /// Writes everything down. Nothing changes; what has not been told yet has to be told by the
    /// caller.
    pub(crate) fn write_down<'a>(&'a self, luggage: &mut Luggage<'a>) -> io::Result<Written> {
        let workers = self.workers.iter();
        let handles = self.handles.entries();
        Ok(Written {
            form: FORM,
            policy: self.settings.policy,
            seq: match luggage.is_lasting() {
                true => never_used(self.seq),
                false => self.seq,
            },
            next_worker: self.next_worker,
            next_handle: self.handles.next(),
            workers: workers
                .map(|(id, worker)| WrittenWorker::of(*id, worker, luggage))
                .collect(),
            handles: handles
                .map(|(id, handle)| WrittenHandle::of(id, handle, luggage))
                .collect(),
            inherited: self
                .inherited
                .iter()
                .map(|(number, fd)| {
                    let place = luggage.named(fd.as_fd(), || format!("inherited-{number}"));
                    (*number, place)
                })
                .collect(),
        })
    }

    /// Goes on where another one stopped. `self` is new.
    pub(crate) fn take_over(
        &mut self,
        written: Written,
        unpacked: &mut Unpacked,
    ) -> io::Result<()> {
        if written.form != FORM {
            return Err(broken(&format!("form {} is not known", written.form)));
        }
        self.settings.policy = written.policy;
        self.seq = written.seq;
        self.next_worker = written.next_worker;
        for (number, place) in written.inherited {
            let fd = unpacked.owned(place)?;
            // What this program offers by itself is newer.
            self.inherited.entry(number).or_insert(fd);
        }
        for handle in written.handles {
            let (id, handle) = handle.restore(unpacked)?;
            self.handles.put(id, handle);
            self.watch_listener(id)?;
            // Whoever was about to come has to be looked for again.
            if let Some(passing) = self.handles.get_mut(id).and_then(Handle::passing) {
                passing.listener_is_ready();
            }
            self.to_pump.insert(id);
        }
        self.handles.go_on_from(written.next_handle);
        let limits = Limits::default().message(self.settings.message_limit);
        for worker in written.workers {
            let (id, worker) = worker.restore(limits, unpacked)?;
            self.watch_worker(id, &worker)?;
            self.to_flush.insert(id);
            self.workers.insert(id, worker);
        }
        self.look_for_closed_sockets();
        Ok(())
    }

    /// Watches where connections come from, if they come here at all.
    pub(super) fn watch_listener(&mut self, id: HandleId) -> io::Result<()> {
        let handle = self.handles.get_mut(id);
        let passing = handle.and_then(Handle::passing);
        if let Some(listener) = passing.and_then(|passing| passing.listener()) {
            // Edge-triggered: it need not be switched off while nobody is free to accept for.
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(
                &*self.reactor,
                listener,
                Watched::Listener(id).pack(),
                flags,
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primary::policy::Settings;
    use std::sync::Arc;

    #[test]
    fn a_number_that_was_written_down_as_unused_is_never_used_unless_the_revision_says_so() {
        let reactor = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let mut inner = Inner::new(Settings::default(), Arc::new(reactor));
        let (mut written, mut revision) = (never_used(inner.seq), inner.revision);
        let mut changes = 0;
        for _ in 0..3 * SEQ_BLOCK {
            // Whoever writes it down may be late by thousands.
            assert!(inner.seq() + 10_000 < written);
            if inner.revision != revision {
                changes += 1;
                revision = inner.revision;
                written = never_used(inner.seq);
            }
            assert_eq!(written, never_used(inner.seq));
        }
        assert_eq!(changes, 3);
    }
}
