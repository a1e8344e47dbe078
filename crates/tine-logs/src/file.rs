//! How does a line reach its file?

use crate::error::{Doing, LogError};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// What a program says may be nobody's business but its owner's; the group may read, so that those
/// who collect logs need not be root. A umask takes away more.
const FILE: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP);
const FOLDER: u32 = 0o750;

/// One file. Whatever goes wrong is remembered, and tried again with the next bytes.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    fd: Option<OwnedFd>,
    /// Since [`close_idle`](Self::close_idle) was called.
    was_used: bool,
    /// Bytes that are not in the file and were not told of there.
    lost: u64,
    trouble: Option<LogError>,
    /// The last that is in the file is half a line of which the rest was lost.
    is_torn: bool,
}

impl LogFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            fd: None,
            was_used: false,
            lost: 0,
            trouble: None,
            is_torn: false,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn trouble(&self) -> Option<&LogError> {
        self.trouble.as_ref()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.fd.is_some()
    }

    /// Adds `bytes` at the end of the file. If bytes were lost before, `note` makes the line that
    /// says so. Returns the trouble if it is new.
    pub(crate) fn append(
        &mut self,
        bytes: &[u8],
        note: impl Fn(&str) -> Vec<u8>,
    ) -> Option<LogError> {
        if bytes.is_empty() {
            return None;
        }
        let Some(trouble) = &self.trouble else {
            return self.append_now(bytes, 0);
        };
        let mut all = Vec::with_capacity(bytes.len() + 128);
        if self.is_torn {
            all.push(b'\n');
        }
        let why = text_of(trouble.errno);
        all.extend(note(&format!("tine: {} bytes lost: {why}", self.lost)));
        let noted = all.len();
        all.extend_from_slice(bytes);
        self.append_now(&all, noted)
    }

    /// Of `bytes`, the first `noted` are a note of ours, which is no loss.
    fn append_now(&mut self, bytes: &[u8], noted: usize) -> Option<LogError> {
        let (written, result) = match self.open() {
            Ok(fd) => write_all(fd, bytes).map_or_else(
                |(written, errno)| (written, Err((Doing::Write, errno))),
                |()| (bytes.len(), Ok(())),
            ),
            Err((doing, errno)) => (0, Err((doing, errno))),
        };
        if written > 0 {
            self.is_torn = bytes[written - 1] != b'\n';
        }
        if written >= noted {
            self.lost = 0;
        }
        self.lost += bytes.len().saturating_sub(written.max(noted)) as u64;
        let Err((doing, errno)) = result else {
            self.trouble = None;
            return None;
        };
        let error = LogError {
            doing,
            path: self.path.clone(),
            errno,
            lost: self.lost,
        };
        let is_news = self.trouble.as_ref().map(|old| old.errno) != Some(errno);
        self.trouble = Some(error.clone());
        is_news.then_some(error)
    }

    fn open(&mut self) -> Result<&OwnedFd, (Doing, Errno)> {
        self.was_used = true;
        let fd = match self.fd.take() {
            Some(fd) => fd,
            None => open(&self.path)?,
        };
        Ok(self.fd.insert(fd))
    }

    /// Closes the file; the next bytes open what then has its name.
    pub(crate) fn reopen(&mut self) {
        self.fd = None;
    }

    /// Closes the file if nothing was written to it since the last time that this was called.
    pub(crate) fn close_idle(&mut self) {
        if !std::mem::take(&mut self.was_used) {
            self.fd = None;
        }
    }

    pub(crate) fn truncate(&mut self) -> Result<(), LogError> {
        truncate(&self.path)?;
        self.is_torn = false;
        Ok(())
    }
}

/// Empties a log file, whoever writes to it. One that is not there is empty, and so is what is no
/// file (a device, a pipe).
///
/// # Errors
/// As open(2) and ftruncate(2).
pub fn truncate(path: &Path) -> Result<(), LogError> {
    let failed = |errno| LogError {
        doing: Doing::Truncate,
        path: path.to_owned(),
        errno,
        lost: 0,
    };
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::NOENT | Errno::NXIO) => return Ok(()),
        other => other.map_err(failed)?,
    };
    let stat = rustix::fs::fstat(&fd).map_err(failed)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(());
    }
    rustix::fs::ftruncate(&fd, 0).map_err(failed)
}

/// Never waits: a pipe without a reader (ENXIO) or with a slow one (EAGAIN) loses bytes.
fn open(path: &Path) -> Result<OwnedFd, (Doing, Errno)> {
    let flags = OFlags::WRONLY
        | OFlags::APPEND
        | OFlags::CREATE
        | OFlags::NONBLOCK
        | OFlags::NOCTTY
        | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, FILE) {
        Err(Errno::NOENT) => {}
        other => return other.map_err(|errno| (Doing::Open, errno)),
    }
    if let Some(folder) = path.parent() {
        use std::os::unix::fs::DirBuilderExt as _;
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(FOLDER)
            .create(folder);
        made.map_err(|error| (Doing::MakeFolder, errno_of(&error)))?;
    }
    rustix::fs::open(path, flags, FILE).map_err(|errno| (Doing::Open, errno))
}

/// In one system call, if the file takes it: what others append does not come in between.
fn write_all(fd: &OwnedFd, bytes: &[u8]) -> Result<(), (usize, Errno)> {
    let mut written = 0;
    while written < bytes.len() {
        match rustix::io::write(fd, &bytes[written..]) {
            Ok(0) => return Err((written, Errno::IO)),
            Ok(count) => written += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err((written, errno)),
        }
    }
    Ok(())
}

fn errno_of(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// The words for an error, without its number.
pub(crate) fn text_of(errno: Errno) -> String {
    let text = errno.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
