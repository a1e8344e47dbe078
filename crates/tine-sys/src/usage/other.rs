//! Not Linux: no /proc.

use std::io;

use rustix::process::Pid;

use super::Usage;

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn of(_pid: Pid) -> io::Result<Usage> {
    Err(io::ErrorKind::Unsupported.into())
}
