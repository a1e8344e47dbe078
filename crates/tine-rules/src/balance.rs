//! Which worker gets the next connection that the primary has accepted?
//!
//! Strict rotation over the workers that are free. A worker is *free* when it has answered every
//! connection handed to it, or when it is answering promptly: fewer than [`WINDOW`] are unanswered
//! and the oldest of them was handed over less than [`PATIENCE`] ago. So an idle cluster is served
//! in exact turns, a prompt worker gets several connections on the way at once (Node's primary
//! allows one, which costs a third of the throughput), and a worker whose event loop is stuck gets
//! no more until it answers.
//!
//! A worker that *refuses* (it is at its `maxConnections`, or out of descriptors) is set aside for
//! a moment that doubles from [`ASIDE_FIRST`] to [`ASIDE_LONGEST`]; Node's primary offers it the
//! same connection again at once, and spins when all refuse.
//!
//! When nobody is free the primary accepts nothing: what waits, waits in the kernel's backlog,
//! where no crash can lose it.

use crate::time::Millis;
use std::collections::VecDeque;
use std::time::Duration;

/// The most connections on their way to one worker.
pub const WINDOW: usize = 8;
/// How long the oldest connection may be unanswered before its worker counts as busy.
pub const PATIENCE: Duration = Duration::from_millis(2);
/// For how long a worker is set aside after its first refusal.
pub const ASIDE_FIRST: Duration = Duration::from_millis(5);
/// The longest that a worker is set aside.
pub const ASIDE_LONGEST: Duration = Duration::from_millis(80);

/// The members of one listener and whose turn it is.
#[derive(Debug, Clone)]
pub struct Rotation<W> {
    members: Vec<Member<W>>,
    turn: usize,
}

#[derive(Debug, Clone)]
struct Member<W> {
    worker: W,
    /// When each unanswered connection was handed over, oldest first.
    unanswered: VecDeque<Millis>,
    refusals: u32,
    aside_until: Option<Millis>,
}

/// What a worker said to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It has it.
    Taken,
    /// It does not want it now.
    Refused,
}

impl<W> Default for Rotation<W> {
    fn default() -> Self {
        Self {
            members: Vec::new(),
            turn: 0,
        }
    }
}

impl<W: Copy + PartialEq> Rotation<W> {
    /// Adds a worker at the end of the round. Adding it twice changes nothing.
    pub fn add(&mut self, worker: W) {
        if !self.contains(worker) {
            self.members.push(Member {
                worker,
                unanswered: VecDeque::new(),
                refusals: 0,
                aside_until: None,
            });
        }
    }

    /// Takes a worker out of the round; the others keep their turns.
    pub fn remove(&mut self, worker: W) {
        if let Some(index) = self.position(worker) {
            self.members.remove(index);
            if index < self.turn {
                self.turn -= 1;
            }
        }
    }

    /// Whether the worker is in the round.
    #[must_use]
    pub fn contains(&self, worker: W) -> bool {
        self.position(worker).is_some()
    }

    /// How many workers are in the round.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody is in the round.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Connections on their way, over all workers.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.members
            .iter()
            .map(|member| member.unanswered.len())
            .sum()
    }

    /// Whether some worker would get a connection now.
    #[must_use]
    pub fn anyone_free(&self, now: Millis) -> bool {
        self.members.iter().any(|member| member.is_free(now))
    }

    /// Gives the next connection to the worker whose turn it is, and remembers that it has not
    /// answered. `None` when nobody is free.
    pub fn next(&mut self, now: Millis) -> Option<W> {
        let count = self.members.len();
        let index = (0..count)
            .map(|step| (self.turn + step) % count)
            .find(|index| self.members[*index].is_free(now))?;
        self.turn = (index + 1) % count;
        let member = &mut self.members[index];
        member.aside_until = None;
        member.unanswered.push_back(now);
        Some(member.worker)
    }

    /// A worker has answered its oldest connection.
    pub fn answered(&mut self, worker: W, answer: Answer, now: Millis) {
        let Some(index) = self.position(worker) else {
            return;
        };
        let member = &mut self.members[index];
        member.unanswered.pop_front();
        match answer {
            Answer::Taken => {
                member.refusals = 0;
                member.aside_until = None;
            }
            Answer::Refused => {
                let aside = ASIDE_FIRST
                    .saturating_mul(1 << member.refusals.min(16))
                    .min(ASIDE_LONGEST);
                member.refusals = member.refusals.saturating_add(1);
                member.aside_until = Some(now.plus(aside));
            }
        }
    }

    /// When a worker that was set aside may be asked again: the only thing here that no message
    /// announces. Always later than `now`; `None` when nobody is aside.
    #[must_use]
    pub fn next_wakeup(&self, now: Millis) -> Option<Millis> {
        let aside = self.members.iter().filter_map(|member| member.aside_until);
        aside.filter(|until| *until > now).min()
    }

    fn position(&self, worker: W) -> Option<usize> {
        self.members
            .iter()
            .position(|member| member.worker == worker)
    }
}

impl<W> Member<W> {
    fn is_free(&self, now: Millis) -> bool {
        if self.aside_until.is_some_and(|until| now < until) {
            return false;
        }
        match self.unanswered.front() {
            None => true,
            // One that refused last time is tried with a single connection.
            Some(_) if self.refusals > 0 => false,
            Some(oldest) => self.unanswered.len() < WINDOW && now < oldest.plus(PATIENCE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1000);

    fn rotation(workers: std::ops::Range<u32>) -> Rotation<u32> {
        let mut rotation = Rotation::default();
        workers.for_each(|worker| rotation.add(worker));
        rotation
    }

    #[test]
    fn idle_workers_are_served_in_exact_turns() {
        let mut rotation = rotation(0..4);
        let mut counts = [0; 4];
        for _ in 0..10_000 {
            let worker = rotation.next(NOW).unwrap();
            counts[worker as usize] += 1;
            rotation.answered(worker, Answer::Taken, NOW);
        }
        assert_eq!(counts, [2500; 4]);
    }

    #[test]
    fn prompt_workers_get_several_on_the_way_and_never_more_than_the_window() {
        let mut rotation = rotation(0..2);
        let given = std::iter::from_fn(|| rotation.next(NOW)).count();
        assert_eq!(given, 2 * WINDOW);
        assert_eq!(rotation.unanswered(), 2 * WINDOW);
        assert!(!rotation.anyone_free(NOW));
    }

    #[test]
    fn a_stuck_worker_gets_no_more_until_it_answers() {
        let mut rotation = rotation(0..2);
        assert_eq!(rotation.next(NOW), Some(0));
        let later = NOW.plus(PATIENCE);
        for _ in 0..20 {
            assert_eq!(rotation.next(later), Some(1));
            rotation.answered(1, Answer::Taken, later);
        }
        rotation.answered(0, Answer::Taken, later);
        assert_eq!(rotation.next(later), Some(0));
    }

    #[test]
    fn refusing_workers_are_asked_ever_more_seldom_and_forgiven_at_once() {
        let mut rotation = rotation(0..1);
        let mut now = NOW;
        let mut waits = Vec::new();
        for round in 0..7 {
            assert_eq!(rotation.next(now), Some(0));
            assert!(
                round == 0 || rotation.next(now).is_none(),
                "one at a time after a refusal"
            );
            rotation.answered(0, Answer::Refused, now);
            let wakeup = rotation.next_wakeup(now).unwrap();
            assert!(!rotation.anyone_free(Millis(wakeup.0 - 1)));
            waits.push(wakeup.0 - now.0);
            now = wakeup;
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 80, 80]);
        assert_eq!(rotation.next(now), Some(0));
        rotation.answered(0, Answer::Taken, now);
        assert_eq!(rotation.next_wakeup(now), None);
        assert!(rotation.anyone_free(now));
    }

    #[test]
    fn a_leaving_worker_does_not_disturb_the_turns_of_the_others() {
        let mut rotation = rotation(0..4);
        let take = |rotation: &mut Rotation<u32>| {
            let worker = rotation.next(NOW).unwrap();
            rotation.answered(worker, Answer::Taken, NOW);
            worker
        };
        assert_eq!((take(&mut rotation), take(&mut rotation)), (0, 1));
        rotation.remove(0);
        assert_eq!((take(&mut rotation), take(&mut rotation)), (2, 3));
        rotation.remove(3);
        assert_eq!((take(&mut rotation), take(&mut rotation)), (1, 2));
        rotation.remove(1);
        rotation.remove(2);
        assert_eq!(rotation.next(NOW), None);
    }
}
