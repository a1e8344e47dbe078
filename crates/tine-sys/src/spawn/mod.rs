//! Starting a program at a cost that does not grow with the memory of the caller.
//!
//! This is the only place of the project that creates processes.

mod error;
mod request;
mod resolve;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod platform;

pub use error::{SpawnError, Step};
pub use platform::spawn;
pub use request::{Child, Spawn};
pub use resolve::{ResolveError, resolve_program};
