//! Not Linux: no subreaper, no /proc.

use std::io;

use rustix::process::Pid;

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn become_subreaper() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not known on this system: the leader alone.
#[must_use]
pub fn members(session_leader: Pid) -> Vec<Pid> {
    vec![session_leader]
}

/// Not known on this system: nothing.
#[must_use]
pub fn children_of_self() -> Vec<Pid> {
    Vec::new()
}
