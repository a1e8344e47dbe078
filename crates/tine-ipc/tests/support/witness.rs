//! Which descriptor is it, and does anybody still hold it?

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;

/// The name of an open file, the same in all its duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Name(u64);

impl Name {
    pub(crate) fn of(fd: BorrowedFd<'_>) -> Self {
        let file = File::from(fd.try_clone_to_owned().unwrap());
        Self(file.metadata().unwrap().ino())
    }
}

/// Watches one descriptor from its other end.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) name: Name,
    other_end: UnixStream,
}

impl Witness {
    /// A descriptor to be sent around, and its witness.
    pub(crate) fn pair() -> (Self, OwnedFd) {
        let (other_end, watched) = UnixStream::pair().unwrap();
        other_end.set_nonblocking(true).unwrap();
        let name = Name::of(watched.as_fd());
        (Self { name, other_end }, watched.into())
    }

    /// Whether every duplicate has been closed.
    pub(crate) fn is_closed(&self) -> bool {
        match (&self.other_end).read(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }
}
