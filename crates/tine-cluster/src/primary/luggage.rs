//! What travels beside the text that a primary is written down in?

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A descriptor's place in the list.
pub(crate) type Place = usize;

/// What is handed over beside the JSON.
#[derive(Debug, Default)]
pub(crate) struct Luggage<'a> {
    pub(crate) descriptors: Vec<BorrowedFd<'a>>,
    /// How often each is named.
    pub(crate) uses: Vec<usize>,
    places: BTreeMap<i32, Place>,
    pub(crate) pieces: Vec<Vec<u8>>,
    /// What each descriptor is called, when only what lasts is written down.
    names: Option<Vec<String>>,
}

impl<'a> Luggage<'a> {
    /// For what lasts only: nothing that is half read, half written or on its way.
    pub(super) fn lasting() -> Self {
        Self {
            names: Some(Vec::new()),
            ..Self::default()
        }
    }

    pub(super) fn is_lasting(&self) -> bool {
        self.names.is_some()
    }

    /// What is written down, unless it does not last.
    pub(super) fn passing<T>(&mut self, all: impl FnOnce(&mut Self) -> Vec<T>) -> Vec<T> {
        if self.is_lasting() {
            return Vec::new();
        }
        all(self)
    }

    /// One open file may be named several times; it is handed over once.
    pub(crate) fn descriptor(&mut self, fd: BorrowedFd<'a>) -> Place {
        self.named(fd, String::new)
    }

    /// As [`descriptor`](Self::descriptor), for one that lasts. As long as this primary knows it,
    /// nothing else has the name, nor ever will have.
    pub(super) fn named(&mut self, fd: BorrowedFd<'a>, name: impl FnOnce() -> String) -> Place {
        let place = *self.places.entry(fd.as_raw_fd()).or_insert_with(|| {
            self.descriptors.push(fd);
            self.uses.push(0);
            if let Some(names) = &mut self.names {
                names.push(name());
            }
            self.descriptors.len() - 1
        });
        self.uses[place] += 1;
        place
    }

    pub(super) fn take_names(&mut self) -> Vec<String> {
        self.names.take().unwrap_or_default()
    }

    pub(crate) fn piece(&mut self, bytes: Vec<u8>) -> usize {
        self.pieces.push(bytes);
        self.pieces.len() - 1
    }
}

/// What has been handed over, being unpacked.
#[derive(Debug, Default)]
pub(crate) struct Unpacked {
    /// With how often each is still to be had; `None` once that was all.
    descriptors: Vec<Option<(Arc<OwnedFd>, usize)>>,
    pub(crate) pieces: Vec<Vec<u8>>,
}

impl Unpacked {
    /// Puts in the descriptors, and how often each is named.
    pub(crate) fn put(&mut self, descriptors: Vec<OwnedFd>, uses: &[usize]) {
        let uses = uses.iter().copied().chain(std::iter::repeat(usize::MAX));
        let all = descriptors.into_iter().map(Arc::new).zip(uses);
        self.descriptors = all.map(Some).collect();
    }

    /// A descriptor that several may share.
    pub(crate) fn shared(&mut self, place: Place) -> io::Result<Arc<OwnedFd>> {
        let missing = || broken("a descriptor is missing");
        let slot = self.descriptors.get_mut(place).ok_or_else(missing)?;
        let (fd, uses) = slot.as_mut().ok_or_else(missing)?;
        let fd = fd.clone();
        *uses = uses.saturating_sub(1);
        // The last one takes it along: a process at its limit has no number to spare.
        if *uses == 0 {
            *slot = None;
        }
        Ok(fd)
    }

    /// A descriptor for one owner. Nearly always there is but one.
    pub(crate) fn owned(&mut self, place: Place) -> io::Result<OwnedFd> {
        Arc::try_unwrap(self.shared(place)?).or_else(|shared| shared.try_clone())
    }

    pub(crate) fn piece(&mut self, number: usize) -> io::Result<Vec<u8>> {
        let found = self.pieces.get_mut(number).map(std::mem::take);
        found.ok_or_else(|| broken("a piece of bytes is missing"))
    }
}

pub(crate) fn broken(what: &str) -> io::Error {
    let text = format!("reading what a primary handed over: {what}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}
