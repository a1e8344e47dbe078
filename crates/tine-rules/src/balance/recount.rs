//! When is it worth counting again what each worker holds?

use crate::time::Millis;
use std::time::Duration;

/// The least time between two counts.
pub const EVERY: Duration = Duration::from_millis(10);
/// Counting takes at most one part of this many of the time: 5 %.
pub const SHARE: u32 = 20;

/// The time of the last count.
#[derive(Debug, Clone, Default)]
pub(super) struct Recount {
    not_before: Option<Millis>,
}

impl Recount {
    pub(super) fn is_due(&self, now: Millis) -> bool {
        self.not_before.is_none_or(|then| now >= then)
    }

    /// A count that took `cost` is over.
    pub(super) fn counted(&mut self, now: Millis, cost: Duration) {
        let pause = EVERY.max(cost.saturating_mul(SHARE - 1));
        self.not_before = Some(now.plus(pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long after a count of this cost the next one is due.
    fn pause(cost: Duration) -> u64 {
        let mut recount = Recount::default();
        assert!(recount.is_due(Millis(0)), "never counted");
        recount.counted(Millis(100), cost);
        let due = (100..).find(|now| recount.is_due(Millis(*now)));
        due.unwrap() - 100
    }

    #[test]
    fn cheap_counts_have_a_least_distance_and_dear_ones_a_share() {
        assert_eq!(pause(Duration::ZERO), 10);
        assert_eq!(pause(Duration::from_micros(500)), 10);
        assert_eq!(pause(Duration::from_millis(1)), 19);
        assert_eq!(pause(Duration::from_millis(100)), 1900);
    }

    #[test]
    fn a_count_that_took_for_ever_is_the_last() {
        let mut recount = Recount::default();
        recount.counted(Millis(100), Duration::MAX);
        assert!(!recount.is_due(Millis(u64::MAX - 1)));
    }
}
