//! What lines does a server send?

use crate::event::{Event, Gap};
use crate::reply::{Answer, Failure, Note};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The first line of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The word `control`: this is tine, and what follows is described here.
    pub tine: String,
    /// The [version](crate::limits::VERSION) of what is said.
    pub version: u32,
    /// The version of the program.
    pub server: String,
    /// The number of the daemon in the kernel.
    pub pid: u32,
}

/// The word in every [`Greeting`].
pub const GREETING: &str = "control";

impl Greeting {
    /// The greeting of this version of the protocol.
    #[must_use]
    pub fn new(server: impl Into<String>, pid: u32) -> Self {
        Greeting {
            tine: GREETING.to_owned(),
            version: crate::limits::VERSION,
            server: server.into(),
            pid,
        }
    }
}

/// Any line of a server after its greeting.
#[derive(Debug)]
pub enum ServerLine {
    /// A notice before the reply to this request.
    Note(u64, Note),
    /// The reply: what [`read_answer`](crate::request::read_answer) or a struct of
    /// [`reply`](crate::reply) reads.
    Ok(u64, Box<RawValue>),
    /// The reply of failure. Without an id it is about a line without one, or about the connection,
    /// which ends then.
    Failed(Option<u64>, Failure),
    /// An event.
    Event(Event),
    /// Events are missing.
    Gap(Gap),
    /// A line of a kind that this version does not know, to be skipped.
    Unknown,
}

impl ServerLine {
    /// Reads a line, without or with its newline.
    ///
    /// # Errors
    /// When it is not JSON, or one of the known kinds with wrong fields.
    pub fn read(line: &[u8]) -> Result<ServerLine, serde_json::Error> {
        /// All that a line can have; a number of an event or a note decides what the rest is.
        #[derive(Deserialize)]
        struct Any<'a> {
            id: Option<u64>,
            #[serde(borrow)]
            ok: Option<&'a RawValue>,
            error: Option<Failure>,
            #[serde(borrow)]
            note: Option<&'a RawValue>,
            #[serde(borrow)]
            event: Option<&'a RawValue>,
            gap: Option<Gap>,
        }
        let any: Any<'_> = serde_json::from_slice(line)?;
        Ok(match any {
            Any {
                id: Some(id),
                ok: Some(ok),
                ..
            } => ServerLine::Ok(id, ok.to_owned()),
            Any {
                id,
                error: Some(failure),
                ..
            } => ServerLine::Failed(id, failure),
            Any {
                id: Some(id),
                note: Some(_),
                ..
            } => ServerLine::Note(id, serde_json::from_slice(line)?),
            Any { event: Some(_), .. } => ServerLine::Event(serde_json::from_slice(line)?),
            Any { gap: Some(gap), .. } => ServerLine::Gap(gap),
            Any { .. } => ServerLine::Unknown,
        })
    }
}

/// The greeting as a line.
///
/// # Errors
/// As every line; but nothing in this one can fail.
pub fn greeting(greeting: &Greeting) -> Result<Vec<u8>, serde_json::Error> {
    line(greeting)
}

/// The reply to a request as a line.
///
/// # Errors
/// When a path in it is not UTF-8, which JSON cannot carry.
pub fn reply(id: u64, outcome: &Result<Answer, Failure>) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Ok<'a> {
        id: u64,
        ok: &'a Answer,
    }
    match outcome {
        Result::Ok(ok) => line(&Ok { id, ok }),
        Err(failure) => failed(Some(id), failure),
    }
}

/// The reply of failure as a line; without an id it is about the connection, or about a line
/// without one.
///
/// # Errors
/// As every line; but nothing in this one can fail.
pub fn failed(id: Option<u64>, error: &Failure) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Failed<'a> {
        id: Option<u64>,
        error: &'a Failure,
    }
    line(&Failed { id, error })
}

/// A notice as a line.
///
/// # Errors
/// As every line; but nothing in this one can fail.
pub fn note(id: u64, note: &Note) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Noted<'a> {
        id: u64,
        #[serde(flatten)]
        note: &'a Note,
    }
    line(&Noted { id, note })
}

/// An event as a line.
///
/// # Errors
/// When a path in it is not UTF-8, which JSON cannot carry.
pub fn event(event: &Event) -> Result<Vec<u8>, serde_json::Error> {
    line(event)
}

/// A gap as a line.
///
/// # Errors
/// As every line; but nothing in this one can fail.
pub fn gap(gap: &Gap) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Gapped<'a> {
        gap: &'a Gap,
    }
    line(&Gapped { gap })
}

fn line<T: Serialize>(it: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = serde_json::to_vec(it)?;
    text.push(b'\n');
    Ok(text)
}
