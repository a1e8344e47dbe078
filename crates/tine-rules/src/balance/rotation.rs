//! The members of one listener, who of them is free, and in which order they are served.

use super::recount::Recount;
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

/// Who of the free workers gets the next connection?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// Whose turn it is.
    #[default]
    Turns,
    /// Who holds the fewest connections, as far as is known; of those, whose turn it is.
    Least,
}

/// The members of one listener and whose turn it is.
#[derive(Debug, Clone)]
pub struct Rotation<W> {
    members: Vec<Member<W>>,
    turn: usize,
    order: Order,
    recount: Recount,
}

#[derive(Debug, Clone)]
struct Member<W> {
    worker: W,
    /// When each unanswered connection was handed over, oldest first.
    unanswered: VecDeque<Millis>,
    /// Connections it has answered for and may still hold: never fewer than it does.
    held: usize,
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
        Self::with_order(Order::default())
    }
}

impl<W> Rotation<W> {
    /// Nobody yet, to be served in this order.
    #[must_use]
    pub fn with_order(order: Order) -> Self {
        Self {
            members: Vec::new(),
            turn: 0,
            order,
            recount: Recount::default(),
        }
    }
}

impl<W: Copy + PartialEq> Rotation<W> {
    /// In which order they are served.
    #[must_use]
    pub fn order(&self) -> Order {
        self.order
    }

    /// Serves in another order from now on. Where connections cannot be counted, [`Order::Least`]
    /// must not be left on: what is believed to be held would only grow, and a worker that
    /// joins later would get everything.
    pub fn set_order(&mut self, order: Order) {
        self.order = order;
    }

    /// Adds a worker at the end of the round. Adding it twice changes nothing.
    pub fn add(&mut self, worker: W) {
        if !self.contains(worker) {
            self.members.push(Member {
                worker,
                unanswered: VecDeque::new(),
                held: 0,
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

    /// Who is in the round, in its order.
    pub fn workers(&self) -> impl Iterator<Item = W> {
        self.members.iter().map(|member| member.worker)
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

    /// Gives the next connection to the free worker that the [`Order`] names, and remembers that it
    /// has not answered. `None` when nobody is free.
    pub fn next(&mut self, now: Millis) -> Option<W> {
        let count = self.members.len();
        let mut free = (0..count)
            .map(|step| (self.turn + step) % count)
            .filter(|index| self.members[*index].is_free(now));
        let index = match self.order {
            Order::Turns => free.next(),
            // The first of equals: so they take turns.
            Order::Least => free.min_by_key(|index| self.members[*index].load()),
        }?;
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
                member.held = member.held.saturating_add(1);
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

    /// Whether it is worth counting, before the next connection is given, what each worker holds:
    /// the order is [`Order::Least`], there is a choice, none of the choices is known to hold
    /// nothing, and the last count was long enough ago (see [`EVERY`](super::EVERY) and
    /// [`SHARE`](super::SHARE)). Then say [`set_held`](Self::set_held) for each worker, and
    /// [`counted`](Self::counted).
    #[must_use]
    pub fn needs_count(&self, now: Millis) -> bool {
        if self.order == Order::Turns || !self.recount.is_due(now) {
            return false;
        }
        let mut free = 0;
        for member in self.members.iter().filter(|member| member.is_free(now)) {
            if member.load() == 0 {
                return false;
            }
            free += 1;
        }
        free > 1
    }

    /// A worker holds this many of the connections that it has answered for; those on their way to
    /// it are not among them. From here on each that it takes adds one.
    pub fn set_held(&mut self, worker: W, count: usize) {
        if let Some(index) = self.position(worker) {
            self.members[index].held = count;
        }
    }

    /// How many connections a worker holds at most, those on their way to it included; 0 for one
    /// that is not in the round.
    #[must_use]
    pub fn load(&self, worker: W) -> usize {
        self.position(worker)
            .map_or(0, |index| self.members[index].load())
    }

    /// All were counted, which took `cost` and was over at `now`.
    pub fn counted(&mut self, now: Millis, cost: Duration) {
        self.recount.counted(now, cost);
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
    fn load(&self) -> usize {
        self.held.saturating_add(self.unanswered.len())
    }

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
        let mut rotation = Rotation::with_order(Order::Turns);
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
    fn least(held: &[usize]) -> Rotation<usize> {
        let mut rotation = Rotation::with_order(Order::Least);
        for (worker, count) in held.iter().enumerate() {
            rotation.add(worker);
            rotation.set_held(worker, *count);
        }
        rotation
    }

    fn take(rotation: &mut Rotation<usize>) -> usize {
        let worker = rotation.next(NOW).unwrap();
        rotation.answered(worker, Answer::Taken, NOW);
        worker
    }

    #[test]
    fn the_fewest_are_filled_up_first_and_then_equals_take_turns() {
        let mut rotation = least(&[5, 2, 3, 2]);
        let order: Vec<usize> = (0..9).map(|_| take(&mut rotation)).collect();
        // Fill 1 and 3 to 3 each, then 1, 2, 3 to 5 each, in the order of turns.
        assert_eq!(order, [1, 3, 1, 2, 3, 1, 2, 3, 0]);
        let held: Vec<usize> = (0..4).map(|worker| rotation.load(worker)).collect();
        assert_eq!(held, [6, 5, 5, 5]);
    }

    #[test]
    fn idle_workers_take_exact_turns_in_both_orders() {
        let mut rotation = least(&[0, 0, 0]);
        for turn in 0..30 {
            assert_eq!(take(&mut rotation), turn % 3);
            for worker in 0..3 {
                rotation.set_held(worker, 0);
            }
        }
    }

    #[test]
    fn what_is_on_the_way_counts_and_what_is_refused_does_not() {
        let mut rotation = least(&[1, 0]);
        assert_eq!(rotation.next(NOW), Some(1));
        assert_eq!(rotation.load(1), 1);
        rotation.answered(1, Answer::Refused, NOW);
        assert_eq!(rotation.load(1), 0);
        assert_eq!(take(&mut rotation), 0, "the other one is set aside");
        assert_eq!((rotation.load(0), rotation.load(1)), (2, 0));
        assert_eq!(rotation.load(7), 0);
        rotation.set_held(7, 3);
        assert_eq!(rotation.load(7), 0, "not in the round");
    }

    #[test]
    fn a_stuck_worker_gets_none_although_it_holds_least() {
        let mut rotation = least(&[9, 0]);
        assert_eq!(rotation.next(NOW), Some(1));
        let later = NOW.plus(PATIENCE);
        assert_eq!(rotation.next(later), Some(0));
    }

    #[test]
    fn counting_is_asked_for_only_where_it_can_change_the_choice() {
        let cost = Duration::from_millis(1);
        assert!(least(&[1, 1]).needs_count(NOW));
        assert!(!least(&[1, 0]).needs_count(NOW), "one holds nothing at all");
        assert!(!least(&[1]).needs_count(NOW), "there is no choice");
        assert!(!least(&[]).needs_count(NOW));
        let mut rotation = least(&[1, 1]);
        rotation.set_order(Order::Turns);
        assert_eq!(rotation.order(), Order::Turns);
        assert!(!rotation.needs_count(NOW), "it does not matter");
        rotation.set_order(Order::Least);
        rotation.counted(NOW, cost);
        assert!(!rotation.needs_count(NOW));
        let later = NOW.plus(cost * 19);
        assert!(rotation.needs_count(later));
        rotation.answered(0, Answer::Refused, later);
        assert!(!rotation.needs_count(later), "the only other is set aside");
    }
}
