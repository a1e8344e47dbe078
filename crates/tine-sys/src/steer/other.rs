//! Not Linux: SO_REUSEPORT, if it balances at all, cannot be steered.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn attach_random(_group: BorrowedFd<'_>, _live: &[u32]) -> io::Result<()> {
    unsupported()
}

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn attach_sticky(_group: BorrowedFd<'_>, _table: &[u32]) -> io::Result<()> {
    unsupported()
}

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn detach(_group: BorrowedFd<'_>) -> io::Result<()> {
    unsupported()
}

/// Not available on this system: [`RoundRobin::new`] never gives one.
#[derive(Debug)]
pub struct RoundRobin(std::convert::Infallible);

impl RoundRobin {
    /// Not available on this system.
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn new(_capacity: u32) -> io::Result<Self> {
        unsupported()
    }

    /// Not available on this system.
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn from_descriptors(_descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        unsupported()
    }

    /// Never: there is none.
    #[must_use]
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 3] {
        match self.0 {}
    }

    /// Never called.
    #[must_use]
    pub fn into_descriptors(self) -> Vec<OwnedFd> {
        match self.0 {}
    }

    /// Never called.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        match self.0 {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn attach(&self, _group: BorrowedFd<'_>) -> io::Result<()> {
        match self.0 {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn set_socket(&self, _index: u32, _listener: BorrowedFd<'_>) -> io::Result<()> {
        match self.0 {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn clear_socket(&self, _index: u32) -> io::Result<()> {
        match self.0 {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn set_live(&self, _live: &[u32]) -> io::Result<()> {
        match self.0 {}
    }
}
