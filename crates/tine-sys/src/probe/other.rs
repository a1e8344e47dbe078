//! Not Linux: none of it.

use std::io;

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn seccomp_notify() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn pidfd() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not known on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn clock_synchronised() -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}
