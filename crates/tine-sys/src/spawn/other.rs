//! Not Linux: no `CLONE_PIDFD`.

use rustix::io::Errno;

use super::{Child, Spawn, SpawnError, Step};

/// Not available on this system.
///
/// # Errors
/// Always [`Step::Clone`] with `ENOSYS`.
pub fn spawn(request: &Spawn<'_>) -> Result<Child, SpawnError> {
    Err(SpawnError::new(request, Step::Clone, Errno::NOSYS, 0))
}
