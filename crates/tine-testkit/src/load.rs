mod client;
mod report;

pub use report::Report;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::http::Target;
use crate::wait;

/// When a load ends.
#[derive(Clone, Debug)]
pub enum Until {
    /// When the flag is true.
    Stop(Arc<AtomicBool>),
    /// After this time.
    Elapsed(Duration),
    /// After this many requests, answered or failed.
    Count(u64),
}

impl From<Arc<AtomicBool>> for Until {
    fn from(flag: Arc<AtomicBool>) -> Until {
        Until::Stop(flag)
    }
}

impl From<Duration> for Until {
    fn from(time: Duration) -> Until {
        Until::Elapsed(time)
    }
}

impl From<u64> for Until {
    fn from(count: u64) -> Until {
        Until::Count(count)
    }
}

/// Clients that ask one thing after another, each on a thread of its own, and keep account of every
/// answer and every failure.
///
/// A client whose request failed pauses for a millisecond, so that a server that is down is not
/// asked a hundred thousand times a second. A kept connection that the server has closed while it
/// was idle is opened again; that is no failure.
#[derive(Clone, Debug)]
pub struct Load {
    target: Target,
    path: String,
    connections: usize,
    new_connection_each: bool,
    also_keep_alive: usize,
    timeout: Duration,
    pause: Duration,
    at_most: Duration,
}

impl Load {
    /// One client that keeps its connection, asking for `/`.
    #[must_use]
    pub fn new(target: impl Into<Target>) -> Load {
        Load {
            target: target.into(),
            path: "/".to_owned(),
            connections: 1,
            new_connection_each: false,
            also_keep_alive: 0,
            timeout: Duration::from_secs(10),
            pause: Duration::ZERO,
            at_most: Duration::from_secs(60),
        }
    }

    /// How many clients, and so connections at a time.
    #[must_use]
    pub fn connections(self, connections: usize) -> Load {
        Load {
            connections,
            ..self
        }
    }

    /// Whether they open a new connection for each request.
    #[must_use]
    pub fn new_connection_each(self, new_connection_each: bool) -> Load {
        Load {
            new_connection_each,
            ..self
        }
    }

    /// So many clients more, which keep their connections.
    #[must_use]
    pub fn also_keep_alive(self, also_keep_alive: usize) -> Load {
        Load {
            also_keep_alive,
            ..self
        }
    }

    /// What they ask for.
    #[must_use]
    pub fn path(self, path: &str) -> Load {
        Load {
            path: path.to_owned(),
            ..self
        }
    }

    /// How long a request may take, connecting included; 10 seconds.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Load {
        Load { timeout, ..self }
    }

    /// How long each client waits between an answer and its next request; not at all.
    #[must_use]
    pub fn pause(self, pause: Duration) -> Load {
        Load { pause, ..self }
    }

    /// The longest it goes on, whatever else is said; 60 seconds. See [`Report::cut_short`].
    #[must_use]
    pub fn at_most(self, at_most: Duration) -> Load {
        Load { at_most, ..self }
    }

    /// Runs it. Requests under way at the end are waited for.
    #[must_use]
    pub fn run_until(self, until: impl Into<Until>) -> Report {
        self.start(until.into()).join()
    }

    /// Runs it in the background until its handle says stop.
    #[must_use]
    pub fn run_in_background(self) -> RunningLoad {
        self.start(Until::Stop(Arc::default()))
    }

    fn start(self, until: Until) -> RunningLoad {
        let started = Instant::now();
        let (stop, time, tickets) = match until {
            Until::Stop(flag) => (flag, None, u64::MAX),
            Until::Elapsed(time) => (Arc::default(), Some(time), u64::MAX),
            Until::Count(count) => (Arc::default(), None, count),
        };
        let shared = Arc::new(Shared {
            started,
            stop,
            end: started + time.unwrap_or(self.at_most).min(self.at_most),
            end_is_a_cut: time.is_none_or(|time| time > self.at_most),
            was_cut: AtomicBool::new(false),
            tickets: AtomicU64::new(tickets),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            load: self,
        });
        let load = &shared.load;
        let (fresh, kept) = match load.new_connection_each {
            true => (load.connections, load.also_keep_alive),
            false => (0, load.connections + load.also_keep_alive),
        };
        let threads = std::iter::repeat_n(false, fresh)
            .chain(std::iter::repeat_n(true, kept))
            .map(|keep| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || client::run(&shared, keep))
            })
            .collect();
        RunningLoad { shared, threads }
    }
}

/// What the clients of one load share.
#[derive(Debug)]
struct Shared {
    load: Load,
    started: Instant,
    stop: Arc<AtomicBool>,
    end: Instant,
    end_is_a_cut: bool,
    was_cut: AtomicBool,
    tickets: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
}

impl Shared {
    /// Whether one more request is wanted.
    fn take_ticket(&self) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return false;
        }
        if Instant::now() >= self.end {
            self.was_cut.fetch_or(self.end_is_a_cut, Ordering::Relaxed);
            return false;
        }
        let take = |tickets: u64| tickets.checked_sub(1);
        self.tickets
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }
}

/// A load in the background. Dropping it stops it.
#[derive(Debug)]
pub struct RunningLoad {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Report>>,
}

impl RunningLoad {
    /// Answers so far.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Failures so far.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.shared.failed.load(Ordering::Relaxed)
    }

    /// Waits for `more` answers from now on.
    ///
    /// # Panics
    /// When `deadline` passes first.
    #[track_caller]
    pub fn wait_for_more(&self, more: u64, deadline: Duration) {
        let goal = self.answered() + more;
        wait::until(&format!("{more} more answers under load"), deadline, || {
            let (answered, failed) = (self.answered(), self.failed());
            let missing = goal.saturating_sub(answered);
            if missing == 0 {
                Ok(())
            } else {
                Err(format!(
                    "{missing} were missing, {failed} requests had failed"
                ))
            }
        });
    }

    /// Stops it, waits for the requests under way, and returns the account.
    #[must_use]
    pub fn stop(self) -> Report {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.join()
    }

    fn join(mut self) -> Report {
        let mut report = Report::new(self.shared.started);
        for thread in std::mem::take(&mut self.threads) {
            match thread.join() {
                Ok(part) => report.add(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        report.failures.sort_by_key(|failure| failure.at);
        report.elapsed = self.shared.started.elapsed();
        report.cut_short = self.shared.was_cut.load(Ordering::Relaxed);
        report
    }
}

impl Drop for RunningLoad {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in std::mem::take(&mut self.threads) {
            // A panicking client has said so itself.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
