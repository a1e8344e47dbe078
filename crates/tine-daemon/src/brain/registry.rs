//! What is there, and who is told of what happens to it?

use super::app::{App, AppId, Core};
use super::clock::{Clock, log, wall};
use super::deposit::{self, FORM, Held, WrittenDaemon};
use super::link::{Link, Place, Spawned, watch};
use super::orphans::Orphans;
use super::output::Followers;
use super::versions::Versions;
use crate::home::Home;
use crate::listening::Listening;
use crate::sample::Sampler;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};
use tine_cluster::primary::Primary;
use tine_control::server::{Ending, Events};
use tine_control::{Note, ProcessStatus, Variables, What, Who};
use tine_keeper::protocol::{Exit, Status};
use tokio::sync::{Notify, mpsc};

/// Everything that this brain has.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) home: Home,
    pub(super) link: Link,
    pub(super) events: Events,
    pub(super) clock: Clock,
    pub(super) followers: Rc<Followers>,
    pub(super) orphans: Orphans,
    pub(super) versions: Rc<Versions>,
    /// Whose daemon it is.
    pub(super) user: Rc<str>,
    pub(super) ending: Ending,
    /// When the daemon was first started, in milliseconds since 1970.
    pub(super) started: u64,
    pub(super) sampler: RefCell<Sampler>,
    /// By id.
    pub(super) listening: RefCell<Listening<u32>>,
    apps: RefCell<BTreeMap<AppId, Rc<App>>>,
    names: RefCell<BTreeMap<String, AppId>>,
    next_app: Cell<u32>,
    next_process: Cell<u32>,
    /// Environments that several apps share.
    shared: RefCell<Vec<Weak<Variables>>>,
    watchers: RefCell<Vec<Weak<Watched>>>,
    is_ending: Cell<bool>,
    /// How many apps are being looked at whether they listen.
    pub(super) lookers: Cell<u32>,
    /// Told when all have ended, before the daemon does.
    pub(super) gone: Notify,
    /// Told when somebody asks for something.
    pub(super) busy: Notify,
    /// Told when a process has ended.
    pub(super) ended: Notify,
    /// Told when the keeper was asked to end.
    pub(super) terminated: Notify,
}

/// Hears what happens to some apps, until it is dropped.
#[derive(Debug)]
pub(super) struct Watcher(Rc<Watched>);

#[derive(Debug)]
struct Watched {
    apps: RefCell<BTreeSet<AppId>>,
    tell: mpsc::UnboundedSender<Note>,
}

impl Watcher {
    /// Hears of this app too.
    pub(super) fn follow(&self, app: AppId) {
        self.0.apps.borrow_mut().insert(app);
    }

    /// Says something itself.
    pub(super) fn say(&self, note: Note) {
        let _ = self.0.tell.send(note);
    }
}

impl Registry {
    pub(super) fn new(home: Home, link: Link, before: WrittenDaemon) -> Rc<Self> {
        // More than any daemon of before can have counted to.
        let first = wall().saturating_mul(1000);
        Rc::new(Self {
            home,
            link,
            events: Events::new(first),
            clock: Clock::new(),
            followers: Rc::default(),
            orphans: Orphans::default(),
            versions: Rc::default(),
            user: user().into(),
            ending: Ending::default(),
            started: before.started,
            sampler: RefCell::default(),
            listening: RefCell::default(),
            apps: RefCell::default(),
            names: RefCell::default(),
            next_app: Cell::new(before.next_app),
            next_process: Cell::new(before.next_process),
            shared: RefCell::default(),
            watchers: RefCell::default(),
            is_ending: Cell::new(false),
            lookers: Cell::new(0),
            gone: Notify::new(),
            busy: Notify::new(),
            ended: Notify::new(),
            terminated: Notify::new(),
        })
    }

    /// All apps, in the order they came in.
    pub(super) fn apps(&self) -> Vec<Rc<App>> {
        self.apps.borrow().values().cloned().collect()
    }

    pub(super) fn app(&self, id: AppId) -> Option<Rc<App>> {
        self.apps.borrow().get(&id).cloned()
    }

    /// The app of this name.
    pub(super) fn named(&self, name: &str) -> Option<Rc<App>> {
        let id = *self.names.borrow().get(name)?;
        self.app(id)
    }

    /// A number for a new app.
    pub(super) fn new_app_id(&self) -> AppId {
        let id = self.next_app.get();
        self.next_app.set(id + 1);
        AppId(id)
    }

    /// An id for a new process of the list: counted on, from 0 when the list is empty.
    pub(super) fn new_process_id(&self) -> u32 {
        let id = self.next_process.get();
        self.next_process.set(id + 1);
        id
    }

    /// Gives the keeper the numbers that are next.
    pub(super) fn hold(&self) {
        let written = WrittenDaemon {
            form: FORM,
            started: self.started,
            next_process: self.next_process.get(),
            next_app: self.next_app.get(),
        };
        deposit::hold_daemon(&self.link, &written);
    }

    /// Takes an app in and begins to look after it.
    pub(super) fn add(
        self: &Rc<Self>,
        core: Core,
        primary: Option<Box<Primary>>,
        held: Held,
    ) -> Rc<App> {
        let (id, name) = (core.id, core.spec.name.clone());
        self.next_app.set(self.next_app.get().max(id.0 + 1));
        for slot in core.slots.values() {
            let next = self.next_process.get().max(slot.id + 1);
            self.next_process.set(next);
        }
        let app = App::new(id, core);
        self.names.borrow_mut().insert(name, id);
        self.apps.borrow_mut().insert(id, app.clone());
        tokio::task::spawn_local(app.clone().look_after(Rc::downgrade(self), primary, held));
        app
    }

    /// The last slot of an app is gone.
    pub(super) fn remove(&self, app: &App) {
        self.apps.borrow_mut().remove(&app.id);
        self.names.borrow_mut().retain(|_, id| *id != app.id);
        if self.apps.borrow().is_empty() {
            self.next_process.set(0);
        }
        self.hold();
    }

    /// The app has another name.
    pub(super) fn renamed(&self, app: AppId, name: &str) {
        let mut names = self.names.borrow_mut();
        names.retain(|_, id| *id != app);
        names.insert(name.to_owned(), app);
    }

    /// The same variables, held once for all who have them.
    pub(super) fn share(&self, variables: Variables) -> Rc<Variables> {
        let mut shared = self.shared.borrow_mut();
        shared.retain(|held| held.strong_count() > 0);
        // Nearly always there is one: the environment of the one shell that starts everything.
        let same = shared.iter().filter_map(Weak::upgrade);
        if let Some(same) = same.into_iter().find(|held| **held == variables) {
            return same;
        }
        let new = Rc::new(variables);
        shared.push(Rc::downgrade(&new));
        new
    }

    /// What came of a spawn.
    pub(super) fn spawned(&self, place: Place, spawned: Spawned) {
        match self.app(place.app) {
            Some(app) => app.spawned(place, spawned),
            None => {
                // Removed while it was being started.
                if let Spawned::Running {
                    pidfd: Some(pidfd), ..
                } = spawned
                {
                    use std::os::fd::AsFd;
                    let _ = tine_sys::tree::signal_pidfd(pidfd.as_fd(), 9);
                }
            }
        }
    }

    /// A process has ended.
    pub(super) fn exited(&self, exit: Exit) {
        let place = exit.name.as_deref().and_then(Place::read);
        match place.and_then(|place| Some((self.app(place.app)?, place))) {
            Some((app, place)) => app.exited(place, exit),
            None => self.link.acknowledge(exit.seq),
        }
    }

    /// Nobody reaps any more, and nothing can be started. What runs goes on, and that it ends can
    /// still be seen, though not how.
    pub(super) fn keeper_is_gone(&self) {
        for app in self.apps() {
            let core = app.core.borrow();
            for (slot, entry) in &core.slots {
                for (generation, process) in &entry.processes {
                    let place = Place {
                        app: app.id,
                        slot: *slot,
                        generation: *generation,
                    };
                    let pidfd = process.pidfd.as_ref();
                    let pidfd = pidfd.and_then(|pidfd| pidfd.try_clone().ok());
                    if let (Some(pidfd), Some(pid)) = (pidfd, process.pid) {
                        let pid = pid.as_raw_nonzero().get();
                        tokio::task::spawn_local(tell_end(app.clone(), place, pid, pidfd));
                    }
                }
            }
        }
    }

    /// The keeper was asked to end.
    pub(super) fn terminate(&self) {
        log(format_args!("asked to end"));
        self.terminated.notify_one();
    }

    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.get()
    }

    pub(super) fn set_ending(&self) {
        self.is_ending.set(true);
    }

    /// Hears of what happens to apps that it will name.
    pub(super) fn watch(&self, tell: mpsc::UnboundedSender<Note>) -> Watcher {
        let watched = Rc::new(Watched {
            apps: RefCell::default(),
            tell,
        });
        let mut watchers = self.watchers.borrow_mut();
        watchers.retain(|watcher| watcher.strong_count() > 0);
        watchers.push(Rc::downgrade(&watched));
        Watcher(watched)
    }

    /// A process has come to another status.
    pub(super) fn status_changed(
        &self,
        app: AppId,
        process: Who,
        status: ProcessStatus,
        pid: Option<u32>,
        text: String,
    ) {
        for watcher in self.watchers.borrow().iter().filter_map(Weak::upgrade) {
            if watcher.apps.borrow().contains(&app) {
                let _ = watcher.tell.send(Note::Process {
                    process: process.clone(),
                    status,
                    text: text.clone(),
                });
            }
        }
        self.publish(What::Status {
            process,
            status,
            pid,
            text,
        });
    }

    /// Tells all who have subscribed.
    pub(super) fn publish(&self, what: What) {
        self.events.publish(wall(), what);
    }
}

/// Tells an app that a process has ended which nobody reaps for it.
async fn tell_end(app: Rc<App>, place: Place, pid: i32, pidfd: OwnedFd) {
    // A pidfd becomes readable when its process ends (pidfd_open(2)).
    let Ok(watched) = watch(pidfd) else { return };
    if watched.readable().await.is_ok() {
        let exit = Exit {
            seq: 0,
            name: Some(place.name()),
            pid,
            status: Status::Unknown,
            at: wall(),
        };
        app.exited(place, exit);
    }
}

/// The name of the user whose daemon it is.
fn user() -> String {
    let number = rustix::process::geteuid().as_raw();
    let known = tine_sys::user::by_id(number).ok().flatten();
    known.map_or_else(|| number.to_string(), |user| user.name)
}
