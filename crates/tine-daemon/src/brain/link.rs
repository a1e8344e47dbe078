//! How does the brain speak to its keeper?
//!
//! Requests are sent at once and never waited for here; what comes of them goes to whoever asked.
//! The keeper does them in the order they were sent in, also those of a brain that has died
//! meanwhile, so what must be true before another thing is simply sent before it.

use super::app::AppId;
use super::registry::Registry;
use crate::brain::clock::log;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::{Rc, Weak};
use tine_keeper::client::{Client, ClientError, Event, Program};
use tine_keeper::protocol::{Reply, Request};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, oneshot};

/// The connection. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Link(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    client: RefCell<Client>,
    waiting: RefCell<HashMap<u64, Waiting>>,
    /// Something waits to be sent that did not fit.
    unsent: Notify,
    gone: RefCell<Option<String>>,
    /// Processes of which the keeper would not hold what the next brain has to know.
    unheld: RefCell<HashSet<Place>>,
}

/// Who waits for an answer.
#[derive(Debug)]
enum Waiting {
    Spawn(Place),
    /// What must be held before that.
    Hold(Place),
    /// Told when this and all before it is done.
    Done(oneshot::Sender<()>),
}

/// One generation of one slot of one app: what a process is called at the keeper's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) app: AppId,
    pub(super) slot: u32,
    pub(super) generation: u64,
}

impl Place {
    /// Its name at the keeper's.
    pub(super) fn name(self) -> String {
        format!("{}.{}.{}", self.app.0, self.slot, self.generation)
    }

    /// What has this name, or begins with it and a dot.
    pub(super) fn read(name: &str) -> Option<Place> {
        let mut parts = name.split('.');
        Some(Place {
            app: AppId(parts.next()?.parse().ok()?),
            slot: parts.next()?.parse().ok()?,
            generation: parts.next()?.parse().ok()?,
        })
    }
}

/// What came of a spawn.
#[derive(Debug)]
pub(super) enum Spawned {
    /// It executes its program.
    Running { pid: i32, pidfd: Option<OwnedFd> },
    /// Nothing was left behind.
    Failed { errno: i32, text: String },
}

/// Registers a descriptor with tokio.
pub(super) fn watch(fd: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    // Deprecated because a type could change its descriptor while it is registered. An `OwnedFd`
    // cannot: it is one open file until it is dropped. The replacement is an unsafe function.
    #[allow(deprecated)]
    AsyncFd::with_interest(fd, Interest::READABLE | Interest::WRITABLE)
}

impl Link {
    pub(super) fn new(client: Client) -> Self {
        Self(Rc::new(Inner {
            client: RefCell::new(client),
            waiting: RefCell::default(),
            unsent: Notify::new(),
            gone: RefCell::default(),
            unheld: RefCell::default(),
        }))
    }

    /// Why there is no keeper any more, if there is none.
    pub(super) fn gone(&self) -> Option<String> {
        self.0.gone.borrow().clone()
    }

    fn sent(&self, sent: Result<u64, ClientError>, waiting: Option<Waiting>) {
        match sent {
            Ok(token) => {
                if let Some(waiting) = waiting {
                    self.0.waiting.borrow_mut().insert(token, waiting);
                }
                if self.0.client.borrow().wants_write() {
                    self.0.unsent.notify_one();
                }
            }
            Err(error) => log(format_args!("{error}")),
        }
    }

    /// Starts a program; [`Registry`] is told what came of it.
    ///
    /// # Errors
    /// When it cannot even be asked for.
    pub(super) fn spawn(&self, place: Place, program: &Program<'_>) -> Result<(), String> {
        if let Some(why) = self.gone() {
            return Err(format!("the keeper is gone: {why}"));
        }
        let sent = self.0.client.borrow_mut().send_spawn(program);
        match sent {
            Ok(token) => {
                self.sent(Ok(token), Some(Waiting::Spawn(place)));
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Lets the keeper hold duplicates of descriptors.
    pub(super) fn put(&self, names: Vec<String>, fds: &[BorrowedFd<'_>]) {
        // Most of what a packet takes, with room for none more.
        const AT_ONCE: usize = 60;
        for (names, fds) in names.chunks(AT_ONCE).zip(fds.chunks(AT_ONCE)) {
            let names = names.to_vec();
            let sent = self.0.client.borrow_mut().send(Request::Put { names }, fds);
            self.sent(sent, None);
        }
    }

    /// Lets the keeper hold the pipes of a process that is about to be ordered.
    pub(super) fn put_for(&self, place: Place, names: Vec<String>, fds: &[BorrowedFd<'_>]) {
        let sent = self.0.client.borrow_mut().send(Request::Put { names }, fds);
        self.held_for(place, sent);
    }

    /// Lets it hold the state in which such a process is known.
    pub(super) fn put_state_for(&self, place: Place, key: &str, bytes: &[u8]) {
        let sent = self.0.client.borrow_mut().send_state(key, bytes);
        self.held_for(place, sent);
    }

    fn held_for(&self, place: Place, sent: Result<u64, ClientError>) {
        if sent.is_err() {
            self.0.unheld.borrow_mut().insert(place);
        }
        self.sent(sent, Some(Waiting::Hold(place)));
    }

    /// Lets it close them.
    pub(super) fn forget(&self, names: Vec<String>) {
        for names in names.chunks(100) {
            let names = names.to_vec();
            let sent = self
                .0
                .client
                .borrow_mut()
                .send(Request::Drop { names }, &[]);
            self.sent(sent, None);
        }
    }

    /// Lets it hold a state for the next brain.
    pub(super) fn put_state(&self, key: &str, bytes: &[u8]) {
        let sent = self.0.client.borrow_mut().send_state(key, bytes);
        self.sent(sent, None);
    }

    /// Lets it let go of a state.
    pub(super) fn forget_state(&self, key: String) {
        let request = Request::ForgetState { key };
        let sent = self.0.client.borrow_mut().send(request, &[]);
        self.sent(sent, None);
    }

    /// This exit has been heard, and what follows from it is held as state.
    pub(super) fn acknowledge(&self, exit: u64) {
        let request = Request::Ack { exits: vec![exit] };
        let sent = self.0.client.borrow_mut().send(request, &[]);
        self.sent(sent, None);
    }

    /// Waits until all that was sent so far is done: a state that was put is held.
    pub(super) async fn settled(&self) {
        if self.gone().is_some() {
            return;
        }
        let (done, told) = oneshot::channel();
        let request = Request::Drop { names: Vec::new() };
        let sent = self.0.client.borrow_mut().send(request, &[]);
        if sent.is_ok() {
            self.sent(sent, Some(Waiting::Done(done)));
            let _ = told.await;
        }
    }

    /// The keeper ends when this brain does.
    pub(super) fn finish(&self) {
        let sent = self.0.client.borrow_mut().send(Request::Finish, &[]);
        self.sent(sent, None);
    }

    /// Carries what comes from the keeper, for as long as there is one.
    pub(super) async fn carry(self, registry: Weak<Registry>) {
        let watched = self.0.client.borrow().as_fd().try_clone_to_owned();
        let watched = watched.and_then(watch);
        let watched = match watched {
            Ok(watched) => watched,
            Err(error) => return self.lose(&error.to_string()),
        };
        loop {
            loop {
                let event = match self.0.client.borrow_mut().poll_event() {
                    Ok(Some(event)) => event,
                    Ok(None) => break,
                    Err(ClientError::Confused(text)) => {
                        log(format_args!("the keeper said what it never says: {text}"));
                        continue;
                    }
                    Err(error) => {
                        self.lose(&error.to_string());
                        if let Some(registry) = registry.upgrade() {
                            self.give_up(&registry);
                        }
                        return;
                    }
                };
                let Some(registry) = registry.upgrade() else {
                    return;
                };
                self.heard(event, &registry);
            }
            let interest = if self.0.client.borrow().wants_write() {
                Interest::READABLE | Interest::WRITABLE
            } else {
                Interest::READABLE
            };
            tokio::select! {
                ready = watched.ready(interest) => {
                    let Ok(mut ready) = ready else { return };
                    let flushed = self.0.client.borrow_mut().flush();
                    if let Err(error) = flushed {
                        log(format_args!("{error}"));
                    }
                    ready.clear_ready();
                }
                () = self.0.unsent.notified() => {}
            }
        }
    }

    fn lose(&self, why: &str) {
        log(format_args!("the keeper is gone: {why}"));
        *self.0.gone.borrow_mut() = Some(why.to_owned());
    }

    /// What was ordered and not answered will not be answered.
    fn give_up(&self, registry: &Registry) {
        let waiting = std::mem::take(&mut *self.0.waiting.borrow_mut());
        for waiting in waiting.into_values() {
            if let Waiting::Spawn(place) = waiting {
                let text = "the keeper is gone".to_owned();
                registry.spawned(place, Spawned::Failed { errno: 0, text });
            }
        }
        registry.keeper_is_gone();
    }

    /// A process that the next brain would not know is not kept.
    fn unless_unheld(&self, place: Place, spawned: Spawned) -> Spawned {
        if !self.0.unheld.borrow_mut().remove(&place) {
            return spawned;
        }
        if let Spawned::Running { pid, pidfd } = &spawned {
            use std::os::fd::AsFd as _;
            let _ = match (pidfd, tine_sys::Pid::from_raw(*pid)) {
                (Some(pidfd), _) => tine_sys::tree::signal_pidfd(pidfd.as_fd(), 9),
                (None, Some(pid)) => tine_sys::tree::signal(pid, 9),
                (None, None) => Ok(()),
            };
        }
        let text = "the daemon can hold no more processes: raise the limit of open files \
                    (`ulimit -n`) and start it again";
        Spawned::Failed {
            errno: 0,
            text: text.to_owned(),
        }
    }

    fn heard(&self, event: Event, registry: &Registry) {
        match event {
            Event::Answer { token, reply, fd } => {
                let waiting = token.and_then(|token| self.0.waiting.borrow_mut().remove(&token));
                match (waiting, reply) {
                    (Some(Waiting::Spawn(place)), reply) => {
                        let spawned = match reply {
                            Reply::Spawned { pid } => Spawned::Running { pid, pidfd: fd },
                            Reply::SpawnFailed { errno, text, .. } => {
                                Spawned::Failed { errno, text }
                            }
                            Reply::Refused { text } => Spawned::Failed { errno: 0, text },
                            other => Spawned::Failed {
                                errno: 0,
                                text: format!("the keeper answered {other:?}"),
                            },
                        };
                        let spawned = self.unless_unheld(place, spawned);
                        registry.spawned(place, spawned);
                    }
                    (Some(Waiting::Hold(place)), Reply::Refused { text }) => {
                        log(format_args!("refused by the keeper: {text}"));
                        self.0.unheld.borrow_mut().insert(place);
                    }
                    (Some(Waiting::Hold(_)), _) => {}
                    (Some(Waiting::Done(told)), _) => {
                        let _ = told.send(());
                    }
                    (None, Reply::Refused { text }) => {
                        log(format_args!("refused by the keeper: {text}"));
                    }
                    (None, _) => {}
                }
            }
            Event::Exit(exit) => registry.exited(exit),
            Event::Orphan(exit) => self.acknowledge(exit.seq),
            Event::Terminate => registry.terminate(),
        }
    }
}
