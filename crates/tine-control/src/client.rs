//! How is the daemon asked? Blocking, on the standard library alone.
//!
//! A command asks once and ends, so there is no runtime, no thread and no background here: each
//! call writes, reads and returns.

mod connect;
mod error;
mod lines;

pub use error::ClientError;

use crate::event::{Event, Gap};
use crate::limits::LINE_BYTES;
use crate::line::{Greeting, ServerLine};
use crate::reply::Note;
use crate::request::{self, Ask, Cancel, Subscribe};
use lines::Lines;
use serde_json::value::RawValue;
use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    lines: Lines,
    greeting: Greeting,
    next_id: u64,
    /// Events that came while a reply was waited for.
    early: VecDeque<Told>,
}

/// What a subscriber is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Something happened.
    Event(Event),
    /// Some of what happened is gone.
    Gap(Gap),
}

/// What a [`note`](Client::ask_with) does to the waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Wait on.
    GoOn,
    /// Tell the daemon that nobody waits any more, and wait for the reply to that.
    Cancel,
}

impl Client {
    /// Connects to the daemon behind the socket file `path` and reads its greeting, all within
    /// `limit`.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`] when nobody is there, [`ClientError::Version`] when the daemon
    /// speaks another version, [`ClientError::Refused`] when it says why it will not, and others.
    pub fn connect(path: &Path, limit: Duration) -> Result<Client, ClientError> {
        let stream = connect::connect(path, limit)?;
        Client::over(stream, limit)
    }

    /// Reads the greeting from a stream that is connected already, within `limit`.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), but for [`ClientError::NotRunning`].
    pub fn over(stream: UnixStream, limit: Duration) -> Result<Client, ClientError> {
        let mut lines = Lines::new(stream);
        lines.limit(Some(limit))?;
        let greeting = connect::greeted(lines.next()?)?;
        lines.limit(None)?;
        Ok(Client {
            lines,
            greeting,
            next_id: 1,
            early: VecDeque::new(),
        })
    }

    /// Who answers.
    #[must_use]
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// From now on, no call waits longer than `limit` in all; `None`: as long as it takes, which
    /// is the beginning. After [`ClientError::TimedOut`] the connection is of no use any more.
    pub fn set_limit(&mut self, limit: Option<Duration>) {
        self.lines.set_patience(limit);
    }

    /// Asks, and waits for the answer. Notes are skipped.
    ///
    /// # Errors
    /// [`ClientError::Failed`] with what the daemon says, or what is wrong with the connection.
    pub fn ask<V: Ask>(&mut self, verb: &V) -> Result<V::Answer, ClientError> {
        self.ask_with(verb, |_| Heard::GoOn)
    }

    /// Asks, gives every note to `on_note`, and waits for the answer.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn ask_with<V: Ask>(
        &mut self,
        verb: &V,
        mut on_note: impl FnMut(Note) -> Heard,
    ) -> Result<V::Answer, ClientError> {
        self.lines.begin()?;
        let id = self.write(verb)?;
        let ok = loop {
            match self.read_line()? {
                ServerLine::Note(of, note) if of == id => match on_note(note) {
                    Heard::GoOn => {}
                    Heard::Cancel => {
                        self.write(&Cancel { request: id })?;
                    }
                },
                ServerLine::Ok(of, ok) if of == id => break ok,
                ServerLine::Failed(Some(of), failure) if of == id => {
                    return Err(ClientError::Failed(failure));
                }
                ServerLine::Failed(None, failure) => return Err(ClientError::Refused(failure)),
                other => self.keep(other),
            }
        };
        read::<V>(&ok)
    }

    /// Subscribes; then [`told`](Self::told) waits for what happens.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn subscribe(&mut self, after: Option<u64>) -> Result<u64, ClientError> {
        self.ask(&Subscribe { after }).map(|answer| answer.next)
    }

    /// Waits for the next event, or gap.
    ///
    /// # Errors
    /// What is wrong with the connection; [`ClientError::Refused`] when the daemon cut it and says
    /// why.
    pub fn told(&mut self) -> Result<Told, ClientError> {
        self.lines.begin()?;
        loop {
            if let Some(told) = self.early.pop_front() {
                return Ok(told);
            }
            match self.read_line()? {
                ServerLine::Failed(None, failure) => return Err(ClientError::Refused(failure)),
                other => self.keep(other),
            }
        }
    }

    /// Sends a request without waiting for its reply, and says its id. For those who have several
    /// under way; they read the replies with [`next_line`](Self::next_line).
    ///
    /// # Errors
    /// What is wrong with the connection, or with the request.
    pub fn send<V: Ask>(&mut self, verb: &V) -> Result<u64, ClientError> {
        self.lines.begin()?;
        self.write(verb)
    }

    /// Waits for the next line, whatever it is. Events that came during [`ask`](Self::ask) are not
    /// among them; [`told`](Self::told) has them.
    ///
    /// # Errors
    /// What is wrong with the connection, or with the line.
    pub fn next_line(&mut self) -> Result<ServerLine, ClientError> {
        self.lines.begin()?;
        self.read_line()
    }

    /// A second hold on the same connection that can only send; for a thread that reads the
    /// keyboard while another waits for lines. Its ids have the highest bit set.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    pub fn sender(&self) -> Result<Sender, ClientError> {
        Ok(Sender {
            lines: self.lines.second()?,
            next_id: 1 << 63,
        })
    }

    fn write<V: Ask>(&mut self, verb: &V) -> Result<u64, ClientError> {
        let id = self.next_id;
        self.next_id += 1;
        self.lines.write(&checked_line(id, verb)?)?;
        Ok(id)
    }

    fn read_line(&mut self) -> Result<ServerLine, ClientError> {
        let line = self.lines.next()?;
        ServerLine::read(&line).map_err(ClientError::NotUnderstood)
    }

    fn keep(&mut self, line: ServerLine) {
        match line {
            ServerLine::Event(event) => self.early.push_back(Told::Event(event)),
            ServerLine::Gap(gap) => self.early.push_back(Told::Gap(gap)),
            // Replies to what nobody waits for: a `cancel`, or a `send` by a Sender.
            ServerLine::Ok(..)
            | ServerLine::Failed(..)
            | ServerLine::Note(..)
            | ServerLine::Unknown => {}
        }
    }
}

/// Sends requests whose replies nobody waits for; see [`Client::sender`].
#[derive(Debug)]
pub struct Sender {
    lines: Lines,
    next_id: u64,
}

impl Sender {
    /// Sends a request.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn send<V: Ask>(&mut self, verb: &V) -> Result<u64, ClientError> {
        let id = self.next_id;
        self.next_id += 1;
        self.lines.write(&checked_line(id, verb)?)?;
        Ok(id)
    }
}

fn checked_line<V: Ask>(id: u64, verb: &V) -> Result<Vec<u8>, ClientError> {
    let line = request::line(id, verb).map_err(ClientError::Request)?;
    if line.len() > LINE_BYTES {
        return Err(ClientError::TooLarge { bytes: line.len() });
    }
    Ok(line)
}

/// What [`ServerLine::Ok`] has for a verb.
///
/// # Errors
/// [`ClientError::NotUnderstood`] when it is no answer to this verb.
pub fn read<V: Ask>(ok: &RawValue) -> Result<V::Answer, ClientError> {
    serde_json::from_str(ok.get()).map_err(ClientError::NotUnderstood)
}
