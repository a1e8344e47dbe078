//! When is now? A point in time that somebody else has read from a clock.

use std::time::Duration;

/// A point in time: milliseconds of a monotonic clock whose zero is the caller's choice.
///
/// The rules only compare and subtract such points, so any zero will do, as long as one caller
/// keeps to one clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

impl Millis {
    /// The point `span` later. Part of a millisecond counts as a whole one, so that nothing comes
    /// too early; past the end of the clock it stays at the end.
    #[must_use]
    pub const fn plus(self, span: Duration) -> Millis {
        let whole = span.as_millis();
        let part = if span.subsec_nanos().is_multiple_of(1_000_000) {
            0
        } else {
            1
        };
        let total = whole + part;
        if total > u64::MAX as u128 {
            return Millis(u64::MAX);
        }
        Millis(self.0.saturating_add(total as u64))
    }

    /// How long ago `earlier` was; zero when it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Millis) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_never_cut_short() {
        assert_eq!(Millis(5).plus(Duration::ZERO), Millis(5));
        assert_eq!(Millis(5).plus(Duration::from_millis(7)), Millis(12));
        assert_eq!(Millis(5).plus(Duration::from_nanos(1)), Millis(6));
        assert_eq!(Millis(5).plus(Duration::from_micros(1_500)), Millis(7));
    }

    #[test]
    fn the_end_of_the_clock_is_not_passed() {
        assert_eq!(Millis(5).plus(Duration::MAX), Millis(u64::MAX));
        assert_eq!(
            Millis(u64::MAX).plus(Duration::from_millis(1)),
            Millis(u64::MAX)
        );
    }

    #[test]
    fn what_is_not_earlier_is_no_time_ago() {
        assert_eq!(Millis(12).since(Millis(5)), Duration::from_millis(7));
        assert_eq!(Millis(5).since(Millis(12)), Duration::ZERO);
    }
}
