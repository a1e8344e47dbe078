//! How many processors may be used at the same time?

use std::num::NonZeroUsize;

#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod platform;

pub use platform::usable;

/// What bounds the processors this process may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cores {
    /// The smaller of the other two, a part of a core counted as a whole one.
    pub usable: NonZeroUsize,
    /// Processors the scheduler may put this process on.
    pub affinity: usize,
    /// Processors' worth of time that the tightest control group above this process allows (1.5:
    /// one and a half); `None` when there is no limit.
    pub quota: Option<f64>,
}

impl Cores {
    fn new(affinity: usize, quota: Option<f64>) -> Self {
        // A cast from f64 stops at the bounds of the type, so a huge quota is no problem.
        let allowed = quota.map_or(usize::MAX, |quota| quota.ceil() as usize);
        let usable = NonZeroUsize::new(affinity.min(allowed)).unwrap_or(NonZeroUsize::MIN);
        Self {
            usable,
            affinity,
            quota,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_bound_counts_and_at_least_one_core_is_left() {
        let usable = |affinity, quota| Cores::new(affinity, quota).usable.get();
        assert_eq!(usable(8, None), 8);
        assert_eq!(usable(8, Some(2.0)), 2);
        assert_eq!(usable(8, Some(1.5)), 2);
        assert_eq!(usable(2, Some(16.0)), 2);
        assert_eq!(usable(4, Some(0.1)), 1);
        assert_eq!(usable(4, Some(0.0)), 1);
        assert_eq!(usable(0, None), 1);
    }
}
