//! Which processes belong together, and how to signal one of them.

mod signal;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod platform;

pub use platform::{become_subreaper, children_of_self, members};
pub use signal::{signal, signal_pidfd};
