//! Lines over a blocking stream, with limits.

use super::ClientError;
use crate::limits::ANSWER_BYTES;
use rustix::io::Errno;
use rustix::net::SendFlags;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// As much as is read at a time.
const CHUNK: usize = 64 * 1024;

/// A stream of lines.
#[derive(Debug)]
pub(super) struct Lines {
    stream: UnixStream,
    /// What was read and not taken yet.
    waiting: Vec<u8>,
    /// So much of it is known to have no newline.
    searched: usize,
    /// How long a call may take in all.
    patience: Option<Duration>,
    /// When this call must be at an end, and how long it had.
    until: Option<(Instant, Duration)>,
}

impl Lines {
    pub(super) fn new(stream: UnixStream) -> Self {
        Lines {
            stream,
            waiting: Vec::new(),
            searched: 0,
            patience: None,
            until: None,
        }
    }

    /// How long each call from now on may take.
    pub(super) fn set_patience(&mut self, patience: Option<Duration>) {
        self.patience = patience;
    }

    /// A call begins.
    pub(super) fn begin(&mut self) -> Result<(), ClientError> {
        self.limit(self.patience)
    }

    /// What follows must be at an end within `limit`.
    pub(super) fn limit(&mut self, limit: Option<Duration>) -> Result<(), ClientError> {
        let had_limit = self.until.is_some();
        self.until = limit.and_then(|limit| Some((Instant::now().checked_add(limit)?, limit)));
        if had_limit && self.until.is_none() {
            self.stream
                .set_read_timeout(None)
                .and_then(|()| self.stream.set_write_timeout(None))
                .map_err(ClientError::Stream)?;
        }
        Ok(())
    }

    /// The next line with its newline.
    pub(super) fn next(&mut self) -> Result<Vec<u8>, ClientError> {
        loop {
            let rest = self.waiting.get(self.searched..).unwrap_or_default();
            if let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                let end = self.searched + at + 1;
                self.searched = 0;
                let rest = self.waiting.split_off(end);
                return Ok(std::mem::replace(&mut self.waiting, rest));
            }
            self.searched = self.waiting.len();
            if self.waiting.len() >= ANSWER_BYTES {
                return Err(ClientError::EndlessLine);
            }
            self.fill()?;
        }
    }

    /// Reads once.
    fn fill(&mut self) -> Result<(), ClientError> {
        loop {
            if let Some(left) = self.left()? {
                self.stream
                    .set_read_timeout(Some(left))
                    .map_err(ClientError::Stream)?;
            }
            let had = self.waiting.len();
            self.waiting.resize(had + CHUNK, 0);
            let read = match self.waiting.get_mut(had..) {
                Some(room) => self.stream.read(room),
                None => Ok(0),
            };
            self.waiting
                .truncate(had + read.as_ref().copied().unwrap_or(0));
            match read {
                Ok(0) => return Err(ClientError::Closed),
                Ok(_) => return Ok(()),
                // Time is looked at again at the beginning.
                Err(error) if is_passing(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(ClientError::Closed);
                }
                Err(error) => return Err(ClientError::Stream(error)),
            }
        }
    }

    /// Writes it all.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), ClientError> {
        while !bytes.is_empty() {
            if let Some(left) = self.left()? {
                self.stream
                    .set_write_timeout(Some(left))
                    .map_err(ClientError::Stream)?;
            }
            // Not `write`: a program that lets SIGPIPE kill it must not die of a daemon that went.
            match rustix::net::send(&self.stream, bytes, SendFlags::NOSIGNAL) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(Errno::PIPE | Errno::CONNRESET) => return self.why_it_is_closed(),
                Err(errno) => return Err(ClientError::Stream(errno.into())),
            }
        }
        Ok(())
    }

    /// The daemon closed the connection: its last line may say why.
    fn why_it_is_closed(&mut self) -> Result<(), ClientError> {
        while let Ok(line) = self.next() {
            if let Ok(crate::line::ServerLine::Failed(None, failure)) =
                crate::line::ServerLine::read(&line)
            {
                return Err(ClientError::Refused(failure));
            }
        }
        Err(ClientError::Closed)
    }

    /// A second hold on the stream, for writing.
    pub(super) fn second(&self) -> Result<Lines, ClientError> {
        self.stream
            .try_clone()
            .map(Lines::new)
            .map_err(ClientError::Stream)
    }

    /// The time that is left, if it is limited.
    fn left(&self) -> Result<Option<Duration>, ClientError> {
        let Some((until, limit)) = self.until else {
            return Ok(None);
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ClientError::TimedOut { limit });
        }
        Ok(Some(left))
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
