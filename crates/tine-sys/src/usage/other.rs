//! Not Linux: no /proc.

use std::io;
use std::time::Duration;

use rustix::process::Pid;

use super::{Glance, Usage};

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn of(_pid: Pid) -> io::Result<Usage> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn glance(_pid: Pid) -> io::Result<Glance> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not known on this system.
#[must_use]
pub fn since_boot() -> Duration {
    Duration::ZERO
}

/// Not known on this system.
#[must_use]
pub fn is_gone(_error: &io::Error) -> bool {
    false
}
