//! A process ended: is it replaced, and when?
//!
//! # The rule
//! An end is **final** when the app is not to be restarted (`autorestart` off) or the exit code is
//! one of `stop_exit_codes`. The slot is then *finished*.
//!
//! An end is **stable** when the process had lived for `min_uptime` and, besides, had been ready,
//! or had lived for 30 seconds, or exited with code 0. It is replaced at once, and all short ends
//! before it are forgotten.
//!
//! Any other end is **short**.
//! * A short end of a process that *had not been ready* is a failed start. The first is tried again
//!   at once, the next after 100 ms, then 200, 400 and so on, up to 2 seconds. The
//!   `max_restarts`th failed start in a row makes the slot *errored*. A process that cannot be
//!   created at all is a failed start too.
//! * A short end of a process that *had been ready* (it served: somebody killed it, or some request
//!   crashed it) is replaced at once as long as a budget lasts: 16 such replacements, of which one
//!   is earned back every 500 ms (by time alone: a stable end does not refill it). With the budget
//!   used up, the replacement waits until the next is earned, so that a slot never does this more
//!   than twice a second for long. Only when there have been twice `max_restarts` such ends since
//!   the last stable one is the slot *errored*. Having been ready also ends a row of failed starts.
//!
//! `restart_delay` is added to every delay. `max_restarts` 0 means none: the first short end makes
//! the slot errored. With the default of 16 there are 15 replacements in a row that fail to start,
//! as with PM2. A `min_uptime` below 100 ms counts as 100 ms (PM2 refuses it), so that no setting
//! makes a tight loop.
//!
//! # Backing off
//! With a first delay given ([`RestartHistory::ended_backing_off`]; `exp_backoff_restart_delay` in
//! the words of PM2) one delay takes the place of all those above: the first replacement waits that
//! long, each next one half as long again, up to 15 seconds, rounded down to milliseconds (100, 150,
//! 225, 337, 505, ...; but always longer than the one before). A process that lived for 30 seconds
//! ends the row. As with PM2, short ends then count towards *errored* only within `min_uptime` ×
//! `max_restarts` of the first: an app that waits for its database is not given up, one that
//! `max_restarts` short ends befall in that time is.

use std::time::Duration;

use crate::time::Millis;

/// Having lived this long counts as having worked, for programs of which nobody knows when they
/// are ready.
const WORKED_WITHOUT_READY: Duration = Duration::from_secs(30);
/// The least that `min_uptime` can be.
const LEAST_MIN_UPTIME: Duration = Duration::from_millis(100);

/// The delay before the third attempt to start; it doubles from there.
const FIRST_START_DELAY: Duration = Duration::from_millis(100);
/// The longest delay between two attempts to start.
const LONGEST_START_DELAY: Duration = Duration::from_secs(2);

/// How many replacements of processes that had been ready can be made at once, one by one, before
/// any is earned back.
const QUICK_REPLACEMENTS: u32 = 16;
/// The time that earns one quick replacement back.
const EARN_ONE: Duration = Duration::from_millis(500);

/// The longest delay when backing off.
const LONGEST_BACKOFF: u64 = 15_000;
/// Having lived this long ends a row of growing delays.
const BACKOFF_ENDS_AFTER: Duration = Duration::from_secs(30);

/// How an app wants its processes replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartRules {
    /// Whether a process that ended is replaced at all. Default: true.
    pub autorestart: bool,
    /// A process that lived shorter than this made a short end. Default: 1 s; at least 100 ms.
    pub min_uptime: Duration,
    /// How many failed starts in a row make the slot errored (twice as many when they had been
    /// ready); 0: no short end is forgiven. Default: 16.
    pub max_restarts: u32,
    /// Added to every delay. Default: zero.
    pub restart_delay: Duration,
    /// Exit codes after which there is no replacement. Default: none.
    pub stop_exit_codes: Vec<i32>,
}

impl Default for RestartRules {
    fn default() -> Self {
        RestartRules {
            autorestart: true,
            min_uptime: Duration::from_secs(1),
            max_restarts: 16,
            restart_delay: Duration::ZERO,
            stop_exit_codes: Vec::new(),
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// From its creation to its end.
    pub lived: Duration,
    /// Whether it had been ready to serve.
    pub was_ready: bool,
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
}

/// What is to happen after an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A replacement, at once.
    AtOnce,
    /// A replacement, this much later.
    After(Duration),
    /// No replacement: there have been too many short ends.
    Errored,
    /// No replacement: this end was to be the last.
    Finished,
}

/// What one slot remembers of the processes that ended in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestartHistory {
    /// Failed starts in a row.
    failed_starts: u32,
    /// Short ends of processes that had been ready, since the last stable end.
    quick_ends: u32,
    /// All short ends since the last stable one.
    short_ends: u32,
    /// All replacements there ever were.
    restarts: u64,
    /// When all quick replacements will have been earned back. Kept over stable ends: the bound of
    /// two a second must hold for every sequence of ends.
    budget_full_at: Millis,
    /// The last delay of the row, when backing off; zero: there is no row.
    backed_off: Duration,
    /// Until when short ends count, when backing off.
    counts_until: Millis,
}

/// A [`RestartHistory`] as plain data, with spans of time in place of points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SavedHistory {
    /// Failed starts in a row.
    pub failed_starts: u32,
    /// Short ends of processes that had been ready, since the last stable end.
    pub quick_ends: u32,
    /// All short ends since the last stable one.
    pub short_ends: u32,
    /// All replacements there ever were.
    pub restarts: u64,
    /// How long until all quick replacements are earned back.
    pub budget_full_in: Duration,
    /// The last delay, when backing off.
    pub backed_off: Duration,
    /// For how long short ends still count, when backing off.
    pub counts_for: Duration,
}

impl RestartHistory {
    /// A process of the slot ended at `now`: what next? Remembers it.
    pub fn ended(&mut self, rules: &RestartRules, now: Millis, ended: Ended) -> Verdict {
        self.ended_backing_off(rules, None, now, ended)
    }

    /// As [`ended`](Self::ended), with delays that begin with `first` and grow. `None` and zero:
    /// not backing off.
    pub fn ended_backing_off(
        &mut self,
        rules: &RestartRules,
        first: Option<Duration>,
        now: Millis,
        ended: Ended,
    ) -> Verdict {
        if ended.lived >= BACKOFF_ENDS_AFTER {
            self.backed_off = Duration::ZERO;
        }
        match first.filter(|first| !first.is_zero()) {
            None => self.judge(rules, now, ended, true),
            Some(first) => {
                let counts = self.counts(rules, now);
                let verdict = self.judge(rules, now, ended, counts);
                self.back_off(first, verdict)
            }
        }
    }

    fn judge(&mut self, rules: &RestartRules, now: Millis, ended: Ended, counts: bool) -> Verdict {
        let stops = ended
            .code
            .is_some_and(|code| rules.stop_exit_codes.contains(&code));
        if !rules.autorestart || stops {
            return Verdict::Finished;
        }
        let worked =
            ended.was_ready || ended.lived >= WORKED_WITHOUT_READY || ended.code == Some(0);
        if worked && ended.lived >= rules.min_uptime.max(LEAST_MIN_UPTIME) {
            self.failed_starts = 0;
            self.quick_ends = 0;
            self.short_ends = 0;
            return self.replace(rules, Duration::ZERO);
        }
        if !counts {
            return self.replace(rules, Duration::ZERO);
        }
        if ended.was_ready {
            self.quick_end(rules, now)
        } else {
            self.failed_start(rules)
        }
    }

    /// The slot's process could not be created; `retry_helps` says whether another attempt could
    /// end differently. When it cannot, or the app is not to be restarted, the slot is errored.
    pub fn spawn_failed(&mut self, rules: &RestartRules, retry_helps: bool) -> Verdict {
        if retry_helps && rules.autorestart {
            return self.failed_start(rules);
        }
        self.short_ends = self.short_ends.saturating_add(1);
        Verdict::Errored
    }

    /// As [`spawn_failed`](Self::spawn_failed), with delays that begin with `first` and grow.
    /// `None` and zero: not backing off.
    pub fn spawn_failed_backing_off(
        &mut self,
        rules: &RestartRules,
        first: Option<Duration>,
        now: Millis,
        retry_helps: bool,
    ) -> Verdict {
        match first.filter(|first| !first.is_zero()) {
            None => self.spawn_failed(rules, retry_helps),
            Some(first) => {
                let verdict = if retry_helps && rules.autorestart && !self.counts(rules, now) {
                    self.replace(rules, Duration::ZERO)
                } else {
                    self.spawn_failed(rules, retry_helps)
                };
                self.back_off(first, verdict)
            }
        }
    }

    /// Forgets all short ends and growing delays: somebody has taken the slot in hand. What bounds
    /// the rate of quick replacements is kept.
    pub fn forgive(&mut self) {
        self.failed_starts = 0;
        self.quick_ends = 0;
        self.short_ends = 0;
        self.backed_off = Duration::ZERO;
        self.counts_until = Millis(0);
    }

    /// Everything it remembers, as of `now`.
    #[must_use]
    pub fn saved(&self, now: Millis) -> SavedHistory {
        SavedHistory {
            failed_starts: self.failed_starts,
            quick_ends: self.quick_ends,
            short_ends: self.short_ends,
            restarts: self.restarts,
            budget_full_in: self.budget_full_at.since(now),
            backed_off: self.backed_off,
            counts_for: self.counts_until.since(now),
        }
    }

    /// What was [`saved`](Self::saved), as if it had been at `now`.
    #[must_use]
    pub fn restored(saved: &SavedHistory, now: Millis) -> RestartHistory {
        RestartHistory {
            failed_starts: saved.failed_starts,
            quick_ends: saved.quick_ends,
            short_ends: saved.short_ends,
            restarts: saved.restarts,
            budget_full_at: now.plus(saved.budget_full_in),
            backed_off: saved.backed_off,
            counts_until: now.plus(saved.counts_for),
        }
    }

    /// How many replacements have been granted in this slot since it began.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// How many short ends, of both kinds, there have been since the last stable end.
    #[must_use]
    pub fn short_ends(&self) -> u32 {
        self.short_ends
    }

    /// Whether a short end at `now` counts, when backing off.
    fn counts(&mut self, rules: &RestartRules, now: Millis) -> bool {
        if self.short_ends == 0 {
            let uptime = rules.min_uptime.max(LEAST_MIN_UPTIME);
            self.counts_until = now.plus(uptime.saturating_mul(rules.max_restarts));
        }
        rules.max_restarts == 0 || now < self.counts_until
    }

    fn back_off(&mut self, first: Duration, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::AtOnce | Verdict::After(_) => {
                let last = self.backed_off.as_millis().min(u128::from(LONGEST_BACKOFF)) as u64;
                self.backed_off = if self.backed_off.is_zero() {
                    first
                } else {
                    // A delay of 1 ms would be 1 ms for ever.
                    let next = (last + last / 2).max(last + 1).min(LONGEST_BACKOFF);
                    Duration::from_millis(next)
                };
                Verdict::After(self.backed_off)
            }
            Verdict::Errored | Verdict::Finished => verdict,
        }
    }

    fn failed_start(&mut self, rules: &RestartRules) -> Verdict {
        self.short_ends = self.short_ends.saturating_add(1);
        self.failed_starts = self.failed_starts.saturating_add(1);
        if self.failed_starts >= rules.max_restarts {
            return Verdict::Errored;
        }
        let delay = match self.failed_starts {
            0 | 1 => Duration::ZERO,
            count => FIRST_START_DELAY
                .saturating_mul(2_u32.saturating_pow(count - 2))
                .min(LONGEST_START_DELAY),
        };
        self.replace(rules, delay)
    }

    fn quick_end(&mut self, rules: &RestartRules, now: Millis) -> Verdict {
        self.failed_starts = 0;
        self.short_ends = self.short_ends.saturating_add(1);
        self.quick_ends = self.quick_ends.saturating_add(1);
        if self.quick_ends >= rules.max_restarts.saturating_mul(2) {
            return Verdict::Errored;
        }
        self.budget_full_at = self.budget_full_at.max(now).plus(EARN_ONE);
        let covered = now.plus(EARN_ONE * QUICK_REPLACEMENTS);
        self.replace(rules, self.budget_full_at.since(covered))
    }

    fn replace(&mut self, rules: &RestartRules, delay: Duration) -> Verdict {
        self.restarts += 1;
        let delay = delay.saturating_add(rules.restart_delay);
        if delay.is_zero() {
            Verdict::AtOnce
        } else {
            Verdict::After(delay)
        }
    }
}
