//! What does a process use?

use std::time::Duration;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod platform;

pub use platform::of;

/// What one process uses, its threads included, its children not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time since it began, in user and kernel mode, exact to the nanosecond.
    pub cpu: Duration,
    /// Memory that is in RAM, shared pages included.
    pub resident_bytes: u64,
    /// Open descriptors; `None` where they may not be counted (before Linux 6.2, another user's).
    pub descriptors: Option<usize>,
    /// Times its living threads gave up a processor or had it taken away. May shrink when a
    /// thread ends.
    pub context_switches: u64,
}
