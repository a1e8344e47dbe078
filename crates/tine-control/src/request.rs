//! What can be asked of the daemon?
//!
//! A request is one line: a JSON object with a whole number `id` of the client's choice, the word
//! `do`, and the fields of that verb, which are those of its struct here. A field that is not
//! known is an error: what somebody asks for is never left out in silence. (Within an app, which
//! is also stored and read by other versions, it is ignored.)

mod fields;
mod verb;

pub use verb::*;

use crate::reply::{self, Answer, ErrorCode, Failure};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A verb as a type: its word, and what the daemon answers.
pub trait Ask: Serialize + Into<Request> {
    /// The word after `do`.
    const WORD: &'static str;
    /// What comes back when all went well.
    type Answer: DeserializeOwned + Into<Answer>;
}

/// Makes of one table the enum of all requests, their words, how they are written and read, and
/// what answers them.
macro_rules! verbs {
    ($($(#[doc = $doc:literal])+ $verb:ident $word:literal => $answer:ident;)+) => {
        /// Everything that can be asked.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Request {
            $($(#[doc = $doc])+ $verb($verb),)+
        }

        /// The words of all verbs.
        pub const VERBS: &[&str] = &[$($word),+];

        impl Request {
            /// The word after `do`.
            #[must_use]
            pub fn word(&self) -> &'static str {
                match self {
                    $(Request::$verb(_) => $word,)+
                }
            }

            /// The request as a line, with the newline.
            ///
            /// # Errors
            /// When a path in it is not UTF-8, which JSON cannot carry.
            pub fn to_line(&self, id: u64) -> Result<Vec<u8>, serde_json::Error> {
                match self {
                    $(Request::$verb(verb) => line(id, verb),)+
                }
            }

            fn read(word: &str, line: &[u8]) -> Option<Result<Request, serde_json::Error>> {
                match word {
                    $($word => Some(fields::read::<$verb>(line).map(Request::$verb)),)+
                    _ => None,
                }
            }
        }

        /// Reads what a reply has under `ok`, given the word of the verb that it answers.
        ///
        /// # Errors
        /// When the text is not an answer to this verb, or there is no such verb.
        pub fn read_answer(word: &str, ok: &str) -> Result<Answer, serde_json::Error> {
            match word {
                $($word => serde_json::from_str::<reply::$answer>(ok).map(Into::into),)+
                _ => Err(serde::de::Error::unknown_variant(word, VERBS)),
            }
        }

        $(
            impl From<$verb> for Request {
                fn from(verb: $verb) -> Request {
                    Request::$verb(verb)
                }
            }

            impl Ask for $verb {
                const WORD: &'static str = $word;
                type Answer = reply::$answer;
            }
        )+
    };
}

verbs! {
    /// Is anybody there?
    Ping "ping" => Pong;
    /// What is the daemon's version, and since when does it run?
    Version "version" => VersionInfo;

    /// Start apps, or those that are there and not running.
    Start "start" => Acted;
    /// Stop processes and keep their entries.
    Stop "stop" => Acted;
    /// Stop processes and start them again; start those that do not run.
    Restart "restart" => Acted;
    /// Replace processes one after another while the app goes on serving.
    Reload "reload" => Acted;
    /// Stop processes and forget them.
    Delete "delete" => Acted;
    /// Change how many processes an app has.
    Scale "scale" => Acted;

    /// Which processes are there?
    List "list" => Listed;
    /// Everything that is known of some processes and their apps.
    Describe "describe" => Described;
    /// The whole environment of one process.
    Env "env" => Environment;

    /// Freeze the list into the dump.
    Save "save" => Saved;
    /// Start what the dump has and the list has not.
    Resurrect "resurrect" => Acted;
    /// Empty the dump.
    ClearDump "clear_dump" => Done;
    /// Set the counters of restarts back to zero.
    Reset "reset" => Acted;
    /// Send a signal to processes.
    Signal "signal" => Acted;
    /// Write a line to the standard input of processes.
    Send "send" => Acted;
    /// Follow one process; send lines to it with `send` meanwhile.
    Attach "attach" => Done;
    /// Follow what processes write.
    Logs "logs" => Done;
    /// Empty the log files of processes.
    Flush "flush" => Flushed;
    /// Open all log files anew, because somebody has moved them away.
    ReloadLogs "reload_logs" => Done;

    /// Stop all processes and end the daemon.
    Kill "kill" => Done;
    /// Write a setting.
    Set "set" => Done;
    /// Read a setting.
    Get "get" => Settings;
    /// Remove a setting.
    Unset "unset" => Done;
    /// Read all settings.
    Conf "conf" => Settings;
    /// Facts about the daemon, for a report of a fault.
    Report "report" => Reported;

    /// Be told of everything that happens, from now or from a number on.
    Subscribe "subscribe" => Subscribed;
    /// Give up waiting for a request of this connection, or end its stream.
    Cancel "cancel" => Done;
}

/// A request as a line, with the newline.
///
/// # Errors
/// When a path in it is not UTF-8, which JSON cannot carry.
pub fn line<V: Ask>(id: u64, verb: &V) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Line<'a, V> {
        id: u64,
        #[serde(rename = "do")]
        word: &'static str,
        #[serde(flatten)]
        verb: &'a V,
    }
    let mut text = serde_json::to_vec(&Line {
        id,
        word: V::WORD,
        verb,
    })?;
    text.push(b'\n');
    Ok(text)
}

/// A line that is no request, and how to say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotARequest {
    /// Its id, as far as it could be read.
    pub id: Option<u64>,
    /// What is wrong.
    pub failure: Failure,
}

/// Reads a line, without or with its newline.
///
/// # Errors
/// [`NotARequest`], which is to be answered: [`ErrorCode::Malformed`] for what is not JSON, has
/// no id or has wrong fields, [`ErrorCode::UnknownRequest`] for a verb that is not there.
pub fn read(line: &[u8]) -> Result<(u64, Request), NotARequest> {
    let head = fields::head(line).map_err(|error| NotARequest {
        id: None,
        failure: Failure::new(ErrorCode::Malformed, format!("not a request: {error}"))
            .hint("a request is a line such as {\"id\":1,\"do\":\"ping\"}"),
    })?;
    let refuse = |code, text: String, hint: String| NotARequest {
        id: head.id,
        failure: Failure::new(code, text).hint(hint),
    };
    let known = || format!("known are {}", VERBS.join(", "));
    let Some(id) = head.id else {
        return Err(refuse(
            ErrorCode::Malformed,
            "a request without an id".to_owned(),
            "give it a whole number as `id`; the reply will have the same".to_owned(),
        ));
    };
    let Some(word) = head.word else {
        return Err(refuse(
            ErrorCode::Malformed,
            "a request without `do`".to_owned(),
            known(),
        ));
    };
    match Request::read(&word, line) {
        Some(Ok(request)) => Ok((id, request)),
        Some(Err(error)) => Err(refuse(
            ErrorCode::Malformed,
            format!("not a request to {word}: {error}"),
            String::new(),
        )),
        None => Err(refuse(
            ErrorCode::UnknownRequest,
            format!("{:?} is not a request", shortened(&word)),
            known(),
        )),
    }
}

/// So much of a stranger's word as an error should repeat.
fn shortened(word: &str) -> &str {
    let end = word.char_indices().nth(40).map_or(word.len(), |(at, _)| at);
    &word[..end]
}
