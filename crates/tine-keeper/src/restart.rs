//! When is the brain started again?

use std::time::Duration;

/// When the brain is started again after it has ended: at once, unless it keeps ending soon
/// after it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartRule {
    /// A brain that lived less than this has ended too soon.
    pub short_life: Duration,
    /// The wait after the second such life in a row; doubles with each further one.
    pub first_wait: Duration,
    /// No wait is longer.
    pub longest_wait: Duration,
}

impl Default for RestartRule {
    /// 1 s; 10 ms; 1 s: one that was killed a few times is hardly missed, and one that cannot even
    /// begin takes little of the processor.
    fn default() -> Self {
        Self {
            short_life: Duration::from_secs(1),
            first_wait: Duration::from_millis(10),
            longest_wait: Duration::from_secs(1),
        }
    }
}

/// The rule, and what it has to remember. It never gives up.
#[derive(Debug)]
pub(crate) struct Restarts {
    rule: RestartRule,
    short_lives: u32,
}

impl Restarts {
    pub(crate) fn new(rule: RestartRule) -> Self {
        Self {
            rule,
            short_lives: 0,
        }
    }

    /// How long to wait after a brain that `lived` so long.
    pub(crate) fn wait_after(&mut self, lived: Duration) -> Duration {
        if lived >= self.rule.short_life {
            self.short_lives = 0;
            return Duration::ZERO;
        }
        self.short_lives = self.short_lives.saturating_add(1);
        let Some(doublings) = self.short_lives.checked_sub(2) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let wait = self.rule.first_wait.saturating_mul(factor);
        wait.min(self.rule.longest_wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(lives: &[u64]) -> Vec<u128> {
        let mut restarts = Restarts::new(RestartRule::default());
        let mut wait = |ms: &u64| restarts.wait_after(Duration::from_millis(*ms)).as_millis();
        lives.iter().map(&mut wait).collect()
    }

    #[test]
    fn one_early_end_is_forgiven_and_a_row_of_them_waits_longer_each_time() {
        let expected = [0, 10, 20, 40, 80, 160, 320, 640, 1_000];
        assert_eq!(waits(&[999; 9]), expected);
    }

    #[test]
    fn a_life_of_a_second_forgives_all() {
        assert_eq!(waits(&[5, 5, 5, 1_000, 5, 5]), [0, 10, 20, 0, 0, 10]);
        assert_eq!(waits(&[60_000; 5]), [0; 5]);
    }

    #[test]
    fn it_goes_on_for_ever() {
        let waits = waits(&[0; 10_000]);
        assert!(waits[8..].iter().all(|wait| *wait == 1_000));
    }
}
