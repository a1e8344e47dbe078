//! Which processes belong together, and how to signal one of them.

#[cfg(target_os = "linux")]
mod descend;
#[cfg(target_os = "linux")]
mod forest;
mod signal;
#[cfg(target_os = "linux")]
mod survivors;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod platform;

#[cfg(target_os = "linux")]
pub use descend::{children, descendants, session_of};
#[cfg(target_os = "linux")]
pub use forest::Forest;
pub use platform::{become_subreaper, children_of_self, members};
pub use signal::{signal, signal_pidfd};
#[cfg(target_os = "linux")]
pub use survivors::{Survivor, survivors};
