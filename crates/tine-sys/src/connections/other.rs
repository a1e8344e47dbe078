//! Not Linux: no socket cookies, no sock_diag.

use std::io;
use std::os::fd::BorrowedFd;

use super::Connection;

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn cookie(_fd: BorrowedFd<'_>) -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn open_on_port(_port: u16) -> io::Result<Vec<Connection>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn open_at_listener(_listener: BorrowedFd<'_>) -> io::Result<Vec<Connection>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn unread_at(_ports: &[u16]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}
