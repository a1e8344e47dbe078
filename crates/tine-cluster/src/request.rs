//! Which answer belongs to which question?
//!
//! Requests and replies are ordinary messages, so that a Node program can take part:
//!
//! | message | meaning |
//! |---|---|
//! | `{"tine:request": 7, "value": …}` | a request; the number is the asker's |
//! | `{"tine:reply": 7, "value": …}` | its answer |
//! | `{"tine:reply": 7, "error": "…"}` | it cannot be answered, and why |
//!
//! ```js
//! process.on('message', (m) => {
//!   if (m && 'tine:request' in m) process.send({ 'tine:reply': m['tine:request'], value: m.value * 2 });
//! });
//! ```
//!
//! A reply to a number that nobody waits for is an ordinary message.

use memchr::memmem::Finder;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;
use tine_ipc::{Body, BodyError, Serialization};

/// The number of a request, to answer it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(crate) u64);

/// Looks for a word that every request, or every reply, contains.
type Word = LazyLock<Finder<'static>>;
static REQUEST: Word = LazyLock::new(|| Finder::new("tine:request"));
static REPLY: Word = LazyLock::new(|| Finder::new("tine:reply"));

#[derive(Serialize)]
struct Request<'a, T: ?Sized> {
    #[serde(rename = "tine:request")]
    number: u64,
    value: &'a T,
}

#[derive(Serialize)]
struct Reply<'a, T: ?Sized> {
    #[serde(rename = "tine:reply")]
    number: u64,
    value: &'a T,
}

#[derive(Serialize)]
struct Refusal<'a> {
    #[serde(rename = "tine:reply")]
    number: u64,
    error: &'a str,
}

#[derive(Deserialize)]
struct RequestNumber {
    #[serde(rename = "tine:request")]
    number: u64,
}

#[derive(Deserialize)]
struct ReplyHead {
    #[serde(rename = "tine:reply")]
    number: u64,
    #[serde(default)]
    error: Option<String>,
    #[serde(default, rename = "value")]
    _value: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct NoValue {
    #[serde(default)]
    value: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Value<T> {
    value: T,
}

pub(crate) fn ask<T: Serialize + ?Sized>(
    number: u64,
    value: &T,
    how: Serialization,
) -> Result<Body, BodyError> {
    Body::write(&Request { number, value }, how)
}

pub(crate) fn answer<T: Serialize + ?Sized>(
    request: RequestId,
    value: &T,
    how: Serialization,
) -> Result<Body, BodyError> {
    let number = request.0;
    Body::write(&Reply { number, value }, how)
}

pub(crate) fn refuse(
    request: RequestId,
    error: &str,
    how: Serialization,
) -> Result<Body, BodyError> {
    let number = request.0;
    Body::write(&Refusal { number, error }, how)
}

/// The number of a message that is a request.
pub(crate) fn number_of(body: &Body) -> Option<RequestId> {
    if !mentions(body, &REQUEST) {
        return None;
    }
    let head: RequestNumber = body.read().ok()?;
    Some(RequestId(head.number))
}

/// What a message that is a reply answers, and the words of a refusal.
pub(crate) fn reply_of(body: &Body) -> Option<(u64, Option<String>)> {
    if !mentions(body, &REPLY) {
        return None;
    }
    let head: ReplyHead = body.read().ok()?;
    Some((head.number, head.error))
}

/// The value of a request or a reply.
pub(crate) fn value_of<T: DeserializeOwned>(body: &Body) -> Result<T, BodyError> {
    match body.read::<Value<T>>() {
        Ok(read) => Ok(read.value),
        // `undefined` has no place in JSON: the field is left out.
        Err(error) => match body.read::<NoValue>() {
            Ok(NoValue { value: None }) => Body::from_json("null")?.read(),
            _ => Err(error),
        },
    }
}

/// Whether it can be one at all: no message of another kind is to be parsed for nothing.
fn mentions(body: &Body, word: &Finder<'_>) -> bool {
    word.find(body.as_bytes()).is_some()
}
