//! What does this kernel permit? Each answer is from having tried, where nothing is left behind.

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod platform;

pub use platform::{clock_synchronised, pidfd, seccomp_notify};
