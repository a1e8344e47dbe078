use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::http::{Failure, FailureKind, Response};

/// Failures kept in full; beyond that they are only counted.
const KEPT_FAILURES: usize = 10_000;

/// Failures that are shown in full.
const SHOWN_FAILURES: usize = 10;

/// The account of a load.
#[derive(Clone, Debug)]
pub struct Report {
    /// When it began.
    pub started: Instant,
    /// How long it took, the last requests included.
    pub elapsed: Duration,
    /// Requests that were answered whole, with status 200.
    pub answered: u64,
    /// Requests that were answered whole with another status, by status.
    pub other_statuses: BTreeMap<u16, u64>,
    /// Requests that failed, by kind.
    pub failed: BTreeMap<FailureKind, u64>,
    /// The first 10,000 failures of each client.
    pub failures: Vec<Failure>,
    /// Answers by the pid that the body tells (`?` where it tells none).
    pub by_worker: BTreeMap<String, u64>,
    /// The longest time from asking (connecting included) to the last byte, of what was answered.
    pub longest: Duration,
    /// Connections opened.
    pub connections: u64,
    /// It ended because of [`Load::at_most`](super::Load::at_most): whatever was done to the
    /// server later was not under load.
    pub cut_short: bool,
}

impl Report {
    pub(super) fn new(started: Instant) -> Report {
        Report {
            started,
            elapsed: Duration::ZERO,
            answered: 0,
            other_statuses: BTreeMap::new(),
            failed: BTreeMap::new(),
            failures: Vec::new(),
            by_worker: BTreeMap::new(),
            longest: Duration::ZERO,
            connections: 0,
            cut_short: false,
        }
    }

    pub(super) fn answer(&mut self, response: &Response, took: Duration) {
        match response.status {
            200 => self.answered += 1,
            other => *self.other_statuses.entry(other).or_default() += 1,
        }
        let worker = response
            .pid()
            .map_or_else(|| "?".to_owned(), |pid| pid.to_string());
        *self.by_worker.entry(worker).or_default() += 1;
        self.longest = self.longest.max(took);
    }

    pub(super) fn failure(&mut self, failure: Failure) {
        *self.failed.entry(failure.kind).or_default() += 1;
        if self.failures.len() < KEPT_FAILURES {
            self.failures.push(failure);
        }
    }

    pub(super) fn add(&mut self, other: Report) {
        self.answered += other.answered;
        for (status, count) in other.other_statuses {
            *self.other_statuses.entry(status).or_default() += count;
        }
        for (kind, count) in other.failed {
            *self.failed.entry(kind).or_default() += count;
        }
        self.failures.extend(other.failures);
        for (worker, count) in other.by_worker {
            *self.by_worker.entry(worker).or_default() += count;
        }
        self.longest = self.longest.max(other.longest);
        self.connections += other.connections;
    }

    /// How many requests failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Panics unless there were answers, nothing but answers of status 200, and to the end.
    ///
    /// # Panics
    /// As it says, with the whole account.
    #[track_caller]
    pub fn assert_no_failures(&self) {
        assert!(
            !self.cut_short,
            "the load had to stop before it was told to\n{self}"
        );
        assert!(
            self.answered > 0,
            "nothing was answered, so nothing is known\n{self}"
        );
        assert!(
            self.failed.is_empty() && self.other_statuses.is_empty(),
            "requests failed under load\n{self}"
        );
    }

    /// As [`Report::assert_no_failures`], but a server may have closed kept connections between two
    /// requests ([`Failure::is_idle_close`]).
    ///
    /// # Panics
    /// As it says, with the whole account.
    #[track_caller]
    pub fn assert_no_failures_but_idle_closes(&self) {
        let mut serious = self.clone();
        for failure in self
            .failures
            .iter()
            .filter(|failure| failure.is_idle_close())
        {
            if let Some(count) = serious.failed.get_mut(&failure.kind) {
                *count -= 1;
            }
        }
        serious.failed.retain(|_, count| *count > 0);
        serious.assert_no_failures();
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} answered in {:.3} s on {} connections, longest {:.3} s",
            self.answered,
            self.elapsed.as_secs_f64(),
            self.connections,
            self.longest.as_secs_f64()
        )?;
        writeln!(f, "by worker: {:?}", self.by_worker)?;
        if !self.other_statuses.is_empty() {
            writeln!(f, "other statuses: {:?}", self.other_statuses)?;
        }
        if !self.failed.is_empty() {
            writeln!(f, "{} failed: {:?}", self.failed(), self.failed)?;
        }
        for failure in self.failures.iter().take(SHOWN_FAILURES) {
            let at = failure.at.saturating_duration_since(self.started);
            writeln!(f, "{:9.3} s {failure}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
