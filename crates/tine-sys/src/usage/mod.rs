//! What does a process use?

use std::time::Duration;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod platform;

#[cfg(target_os = "linux")]
mod glance;

#[cfg(target_os = "linux")]
pub use glance::{Meter, Reading, glance, is_gone, since_boot};
pub use platform::of;
#[cfg(not(target_os = "linux"))]
pub use platform::{glance, is_gone, since_boot};

/// What one process uses, its threads included, its children not: what can be had cheaply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Its parent; 0 when that is outside of what can be seen.
    pub parent: i32,
    /// Processor time since it began, in user and kernel mode, in steps of a clock tick (10 ms).
    pub cpu: Duration,
    /// Memory that is in RAM, shared pages included.
    pub resident_bytes: u64,
    /// When it was started, by the clock of [`since_boot`]. A number that is used again has
    /// another one.
    pub started: Duration,
}

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
