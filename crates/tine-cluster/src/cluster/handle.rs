//! What can be asked of a cluster?

use super::driver;
use super::event::{Event, Events};
use super::process::{Gone, Status, WorkerProcess};
use super::setup::Setup;
use super::state::{Known, Shared, State};
use super::stdio;
use crate::primary::{self, ForkError, Inner, ListeningAddress, Policy, Seat, Sharing, WorkerId};
use rustix::event::epoll;
use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use tokio::sync::watch;

/// A cluster's primary: forks workers, shares their sockets, passes their messages.
///
/// Its work is done by a task of the tokio runtime it was started in. All clones are the same
/// cluster; when the last one is dropped it closes: all channels and listening sockets with it.
/// Workers then leave by themselves, as under Node when the primary ends. Nobody is killed, and nobody
/// reaped: [`disconnect`](Self::disconnect) first in a program that goes on. It also closes when the
/// runtime it was started in is shut down.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub(super) shared: Arc<Shared>,
    _alive: Arc<Alive>,
}

/// Closes the cluster with its last owner; the driver and the workers are none.
#[derive(Debug)]
struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.with(State::close);
    }
}

impl Cluster {
    /// Settings to start a cluster with.
    #[must_use]
    pub fn builder() -> Setup {
        Setup::default()
    }

    pub(super) fn start(setup: Setup) -> io::Result<(Self, Events)> {
        let reactor = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let watched = primary::watch(reactor.clone())?;
        let mut inner = Inner::new(setup.settings(), reactor);
        inner.inherited = setup.offered()?;
        let shared = Arc::new(Shared::new(State::new(inner, setup.clone())));
        {
            let mut state = shared.lock();
            state.tell(Event::Setup(Box::new(setup)));
            if let Err(error) = state.take_over(&shared) {
                // Workers know the one that they refer to.
                state.close();
                return Err(error);
            }
        }
        // What was taken over may have something to do at once.
        shared.with(|_| ());
        driver::start(shared.clone(), watched);
        let events = Events {
            shared: shared.clone(),
        };
        let cluster = Self {
            _alive: Arc::new(Alive(shared.clone())),
            shared,
        };
        Ok((cluster, events))
    }

    /// The settings that the next worker will get.
    #[must_use]
    pub fn settings(&self) -> Setup {
        self.shared.lock().setup.clone()
    }

    /// Changes the settings for workers to come; those that run keep theirs. How connections are
    /// shared, and whatever else concerns the whole cluster, stays as it was.
    ///
    /// ```no_run
    /// # fn change(cluster: tine_cluster::Cluster) {
    /// cluster.setup(|settings| {
    ///     settings.cwd("/srv/app").env("LEVEL", "2");
    /// });
    /// # }
    /// ```
    pub fn setup(&self, change: impl FnOnce(&mut Setup)) {
        // Of two threads that change them at once the later one wins.
        let mut setup = self.settings();
        change(&mut setup);
        self.shared.with(|state| {
            state.setup = setup.clone();
            state.tell(Event::Setup(Box::new(setup)));
        });
    }

    /// Starts a worker.
    ///
    /// # Errors
    /// When the process cannot be started. Nothing is left of the attempt.
    ///
    /// # Panics
    /// Outside of a tokio runtime, if one of its streams is [`Piped`](super::Stdio::Piped).
    pub fn fork(&self) -> Result<WorkerProcess, ForkError> {
        self.fork_with_env(std::iter::empty::<(OsString, OsString)>())
    }

    /// Starts a worker with some more variables in its environment.
    ///
    /// # Errors
    /// As [`fork`](Self::fork).
    ///
    /// # Panics
    /// As [`fork`](Self::fork).
    pub fn fork_with_env<N: Into<OsString>, V: Into<OsString>>(
        &self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<WorkerProcess, ForkError> {
        let variables: Vec<_> = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        self.fork_in(None, &variables)
    }

    fn fork_in(
        &self,
        seat: Option<Seat>,
        variables: &[(OsString, OsString)],
    ) -> Result<WorkerProcess, ForkError> {
        // What the program itself is asked (an inspector's port), and the search for the program, are no
        // business of those who wait for the cluster.
        let (mut setup, mut inspected) = {
            let mut state = self.shared.lock();
            state.inspected += 1;
            (state.setup.clone(), state.inspected - 1)
        };
        for (name, value) in variables {
            setup.env(name, value);
        }
        let opened = stdio::open(setup.streams()).map_err(ForkError::Streams)?;
        let mut launch = setup
            .launch(Seat(0), &mut inspected)
            .map_err(ForkError::Program)?;
        launch.descriptors = opened.theirs;
        self.shared.with(|state| {
            let seat = seat.unwrap_or_else(|| state.free_seat());
            launch.seat = seat;
            let inner = state.inner.as_mut().ok_or(ForkError::Closed)?;
            let id = inner.fork(launch)?;
            let pid = inner.pid(id).ok_or(ForkError::Closed)?;
            let (status, receiver) = watch::channel(Status::new());
            let worker = WorkerProcess::new(id, pid, self.shared.clone(), receiver, opened.ours);
            let known = Known::new(worker.clone(), seat, status);
            state.workers.insert(id, known);
            state.tell(Event::Fork(worker.clone()));
            Ok(worker)
        })
    }

    /// Puts a new worker in the place of one: starts it, waits until it listens at as
    /// many addresses, and only then
    /// asks the old one to leave. Under load no connection is refused or lost. The old worker may
    /// live on for what it has begun; give it a deadline with
    /// [`exited`](WorkerProcess::exited) and [`kill`](WorkerProcess::kill).
    ///
    /// # Errors
    /// When the new worker cannot be started or ends before it listens: the old one then serves
    /// on. It waits for as long as the new one takes; put `tokio::time::timeout` around it:
    /// when that ends it, the new worker is killed and nothing has happened to the old one.
    pub async fn replace(&self, old: &WorkerProcess) -> Result<WorkerProcess, ReplaceError> {
        let seat = {
            let state = self.shared.lock();
            state.workers.get(&old.id()).map(|known| known.seat)
        };
        let addresses = old.addresses().len();
        // Ends the new one unless it has come to listen.
        struct OnTrial(Option<WorkerProcess>);
        impl Drop for OnTrial {
            fn drop(&mut self) {
                if let Some(worker) = &self.0 {
                    let _ = worker.kill(rustix::process::Signal::KILL);
                }
            }
        }
        let new = self.fork_in(seat, &[])?;
        let mut trial = OnTrial(Some(new.clone()));
        new.listening_at(addresses).await?;
        trial.0 = None;
        old.disconnect();
        Ok(new)
    }

    /// All workers that have not ended, by their numbers.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerProcess> {
        let state = self.shared.lock();
        let workers = state.workers.values();
        workers.map(|known| known.process.clone()).collect()
    }

    /// The worker of a number, until it has ended.
    #[must_use]
    pub fn worker(&self, id: WorkerId) -> Option<WorkerProcess> {
        self.shared.lock().process(id)
    }

    /// Asks all workers to leave, and resolves when all that were there have ended. Dropping the
    /// future does not take the request back. A worker may take its time for what it has begun:
    /// put `tokio::time::timeout` around it and kill who is left.
    pub async fn disconnect(&self) {
        let workers = self.workers();
        workers.iter().for_each(WorkerProcess::disconnect);
        for worker in workers {
            worker.exited().await;
        }
    }

    /// Where workers listen now, and how each address is shared.
    #[must_use]
    pub fn addresses(&self) -> Vec<(ListeningAddress, Sharing)> {
        let state = self.shared.lock();
        state.inner.as_ref().map_or(Vec::new(), Inner::addresses)
    }

    /// How connections are shared.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let state = self.shared.lock();
        let inner = state.inner.as_ref();
        inner.map_or(Policy::default(), |inner| inner.settings.policy)
    }

    /// Closes the listening sockets that no worker uses: with
    /// [`hold_listeners`](Setup::hold_listeners) nothing else does.
    pub fn close_unused_listeners(&self) {
        self.shared.with(|state| {
            if let Some(inner) = &mut state.inner {
                inner.prune();
            }
        });
    }
}

/// A worker could not be replaced. The old one serves on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplaceError {
    /// The new one could not be started.
    #[error("replacing a worker: {0}")]
    Fork(#[from] ForkError),
    /// The new one ended before it listened.
    #[error("replacing a worker: before it listened, {0}")]
    Gone(#[from] Gone),
}
