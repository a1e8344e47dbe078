//! What of a primary must outlive a kill of its process?
//!
//! A hand-over ([`super::handover`]) has a last moment in which everything is written down. A kill
//! has none, so what lasts is written down beforehand, again whenever it has changed: who the
//! workers are, where they listen, in which order they are served, and every descriptor that none of
//! them could do without. What is on its way at any moment is not among it.

use super::core::Primary;
use super::event::ListeningAddress;
use super::handover::{CHANNEL_NAME, Written};
use super::launch::Seat;
use super::luggage::{Luggage, Unpacked, broken};
use super::policy::Settings;
use super::reactor::Inner;
use super::worker::WorkerId;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// What lasts of a primary: see [`Primary::facts`].
#[derive(Debug)]
pub struct Facts<'a> {
    /// Everything that is no descriptor.
    pub json: String,
    /// Every descriptor, and its name: up to some 40 bytes of `a-z`, `0-9` and `-`. A name stands for
    /// one open file: as long as it is listed it is the same one, and once it is not, it never is
    /// again.
    pub descriptors: Vec<(String, BorrowedFd<'a>)>,
}

/// A worker as it is now: see [`Primary::workers`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerState {
    /// Its number.
    pub id: WorkerId,
    /// Its process.
    pub pid: Pid,
    /// Its place.
    pub seat: Seat,
    /// Whether it has spoken.
    pub online: bool,
    /// Whether its channel is open.
    pub connected: bool,
    /// Whether one side has asked that it leave.
    pub leaving: bool,
    /// Where it has said that it listens, and still does. Not what it has bound for itself.
    pub listening: Vec<ListeningAddress>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    /// The names of the descriptors, in the order of their places.
    names: Vec<String>,
    /// How often each is used.
    uses: Vec<usize>,
    primary: Written,
}

impl Primary {
    /// What must be held elsewhere so that another process can go on with
    /// [`restore`](Self::restore) when this one is killed. It has changed whenever
    /// [`revision`](Self::revision) has.
    ///
    /// Whoever holds it should first take the descriptors that are new, then the text in place of
    /// the old one, and only then let go of the descriptors that are no longer listed: so what the
    /// text names is there at any moment. Until those are let go of, an address whose server has
    /// closed is still bound.
    ///
    /// # Errors
    /// None that is known.
    pub fn facts(&self) -> io::Result<Facts<'_>> {
        let mut luggage = Luggage::lasting();
        let primary = self.inner.write_down(&mut luggage)?;
        let names = luggage.take_names();
        let document = Document {
            names,
            uses: luggage.uses,
            primary,
        };
        let json = serde_json::to_string(&document).map_err(io::Error::other)?;
        let descriptors = document.names.into_iter().zip(luggage.descriptors);
        Ok(Facts {
            json,
            descriptors: descriptors.collect(),
        })
    }

    /// Another number whenever [`facts`](Self::facts) has another answer. Costs nothing. No
    /// connection and no message changes it.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.inner.revision
    }

    /// From now on, [`next_event`](Self::next_event) tells with [`Event::Changed`](super::Event)
    /// that the revision is another than at the last time: also when nothing else has happened
    /// that its owner would be told.
    pub fn tell_changes(&mut self) {
        self.told.get_or_insert(self.inner.revision);
    }

    /// A primary made of another one's facts, after the process of that one has ended without a
    /// word. `take` is asked once for each descriptor, by its name.
    ///
    /// It is another process's workers that it has: their ends have to be [told](Self::ended), also
    /// of those that have ended meanwhile. New connections go to all that listen, new workers and
    /// messages both ways work at once. [`tell_changes`](Self::tell_changes) is on, and the first
    /// event is that the facts have changed: nothing is sent with numbers that were used before, and
    /// for that they have to be held again. How connections are shared stays as it was; the
    /// other settings are those given.
    ///
    /// What a kill still loses, because it was in that process and nowhere else:
    /// - a message that was read in part, or written in part, which the other side takes for a
    ///   broken channel; and all that was queued for a worker that did not read;
    /// - connections that were accepted and given to no worker (they are reset), and one that a
    ///   worker refuses that it was given before;
    /// - the answer to a worker that had asked for a socket when the process was killed, and the
    ///   socket that it was given if that is not yet among the facts: its `listen` waits for ever;
    /// - events that were not taken, and which sockets sent to workers have arrived;
    /// - that a worker refused a connection for want of descriptors, if it does so just then: that
    ///   connection waits until the worker ends;
    /// - with [`Policy::Least`](super::Policy::Least), who holds the older connections: only new
    ///   ones count.
    ///
    /// A primary that is *dropped* removes the files of its unix sockets. One whose facts are to be
    /// used is therefore not to be dropped, but to end with its process.
    ///
    /// # Errors
    /// When the text is none of [`facts`](Self::facts), or of a version that is not known; when a
    /// descriptor is missing, other than a channel (which then counts as closed); when the kernel has
    /// no descriptor.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub fn restore(
        settings: Settings,
        json: &str,
        take: &mut dyn FnMut(&str) -> Option<OwnedFd>,
    ) -> io::Result<Self> {
        let document: Document =
            serde_json::from_str(json).map_err(|error| broken(&error.to_string()))?;
        let mut descriptors = Vec::with_capacity(document.names.len());
        for name in &document.names {
            descriptors.push(match take(name) {
                Some(fd) => fd,
                None if name.starts_with(CHANNEL_NAME) => closed_channel()?,
                None => return Err(broken(&format!("there is no descriptor called {name}"))),
            });
        }
        let mut unpacked = Unpacked::default();
        unpacked.put(descriptors, &document.uses);
        let mut primary = Self::new(settings)?;
        primary.tell_changes();
        primary.inner.take_over(document.primary, &mut unpacked)?;
        primary.inner.changed();
        Ok(primary)
    }

    /// All workers whose end has not been reported.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerState> {
        let workers = self.inner.workers.iter();
        let all = workers.map(|(id, known)| WorkerState {
            id: *id,
            pid: known.pid,
            seat: known.seat,
            online: known.online,
            connected: known.link.is_some(),
            leaving: known.disconnecting || known.exited_after_disconnect,
            listening: self.inner.listens_at(*id),
        });
        all.collect()
    }
}

impl Inner {
    fn listens_at(&self, worker: WorkerId) -> Vec<ListeningAddress> {
        let all = self.handles.values();
        let own = all.filter(|handle| handle.members.get(&worker) == Some(&true));
        own.map(|handle| handle.address.clone()).collect()
    }
}

/// As a channel is whose other end is closed.
fn closed_channel() -> io::Result<OwnedFd> {
    let (ours, _theirs) = tine_sys::socket::stream_pair()?;
    Ok(ours)
}
