//! What does the user say in one message?

use crate::serialization::Serialization;
use crate::{json, v8};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// The content of one message of the user, as it stood, or will stand, on the wire.
///
/// ```
/// use tine_ipc::{Body, Serialization};
///
/// let body = Body::write(&("hello", 1.0, f64::NAN), Serialization::Json)?;
/// assert_eq!(body.as_json(), Some(r#"["hello",1,null]"#));
/// let (text, number): (String, u8) =
///     Body::write(&("hello", 1), Serialization::Advanced)?.read()?;
/// # assert_eq!((text.as_str(), number), ("hello", 1));
/// # Ok::<(), tine_ipc::BodyError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Body(Content);

#[derive(Debug, Clone, PartialEq)]
enum Content {
    /// One JSON text without line feeds.
    Json(String),
    /// V8's format, header included.
    V8(Vec<u8>),
}

/// A value that no message can carry, or a message that does not hold what was asked for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The value's own `Serialize`, or the format, refuses.
    #[error("the value cannot be written as a message: {0}")]
    Write(String),
    /// The message does not fit the type that was asked for.
    #[error("the message cannot be read: {0}")]
    Read(String),
    /// The text is not one JSON text.
    #[error("not one JSON text: {0}")]
    NotJson(String),
    /// JSON nested deeper than is read into a type.
    #[error("the message is nested deeper than {limit}")]
    TooDeep {
        /// The deepest that is read.
        limit: usize,
    },
    /// `JSON.stringify` refuses the value: it is circular, a `BigInt`, or `undefined`. Or its text
    /// would be too long: see [`Body::to_json`].
    #[error("the message has no JSON text: {0}")]
    NoJson(&'static str),
    /// V8's format.
    #[error("the message in V8's format: {0}")]
    V8(#[from] v8::Error),
    /// The runtime at the other end does not know this kind of handle.
    #[error("the peer's runtime does not know handles of type {0}, and would die of one")]
    Handle(&'static str),
}

impl Body {
    /// Writes a value.
    ///
    /// As JSON it becomes what `JSON.stringify` would make of it: numbers that are not finite are
    /// `null`, -0 is `0`, keys that are numbers or booleans are strings. Integers keep all their
    /// digits, also beyond 2^53, where JavaScript will round them; a `f32` has the shortest digits
    /// that name it.
    ///
    /// In V8's format, bytes (`serialize_bytes`) become a `Buffer`, `None` and `()` are `null`,
    /// structs and maps are plain objects, and integers beyond 2^53 are a `BigInt`. Kinds of
    /// values that serde does not know are written with [`from_value`](Self::from_value).
    ///
    /// # Errors
    /// When the value's `Serialize` fails, or a map has keys that are neither strings, numbers
    /// nor booleans.
    pub fn write<T: Serialize + ?Sized>(value: &T, how: Serialization) -> Result<Self, BodyError> {
        match how {
            Serialization::Json => json::write(value).map(Content::Json),
            Serialization::Advanced => v8::write(value).map(Content::V8),
        }
        .map(Self)
    }

    /// Reads the message into a type.
    ///
    /// From JSON: a lone surrogate (`"\ud800"`) reads as U+FFFD; of a key that appears twice the
    /// last one counts; nesting beyond 128 is an error, as are numbers beyond the range of `f64`
    /// (`1e400`, which JavaScript reads as Infinity), which `JSON.stringify` writes neither.
    ///
    /// From V8's format: `undefined` and `null` are `None` or `()`; a `Date` is a string as JSON
    /// has it, or a number of milliseconds where one is asked for; a `Map` is a map, a `Set` a
    /// sequence; a `Buffer`, `ArrayBuffer` or typed array is bytes, and a sequence where one is
    /// asked for; a `BigInt` is any integer it fits, or a string of digits. An object that appears
    /// several times is read several times; one inside itself is an error. What is read again,
    /// and the gaps of arrays, may take about 16 MiB and 8 bytes for each byte of the message, at
    /// most 512 MiB: without that limit, a short message of references could take any memory.
    ///
    /// # Errors
    /// When the message does not fit the type, or cannot be read at all.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, BodyError> {
        match &self.0 {
            Content::Json(text) => json::read(text),
            Content::V8(bytes) => v8::read(bytes),
        }
    }

    /// A message that is this JSON text.
    ///
    /// # Errors
    /// When it is not one JSON text.
    pub fn from_json(text: impl Into<String>) -> Result<Self, BodyError> {
        let mut text = text.into();
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&text) {
            return Err(BodyError::NotJson(error.to_string()));
        }
        // Legal between tokens only, where a space does as well.
        if text.contains('\n') {
            text = text.replace('\n', " ");
        }
        Ok(Self(Content::Json(text)))
    }

    /// A message exactly as [`as_bytes`](Self::as_bytes) gave it.
    ///
    /// # Errors
    /// When it is no JSON text, or does not begin as V8's format does.
    pub fn from_bytes(bytes: Vec<u8>, how: Serialization) -> Result<Self, BodyError> {
        match how {
            Serialization::Json => Self::from_json(String::from_utf8_lossy(&bytes)),
            Serialization::Advanced if v8::has_header(&bytes) => Ok(Self(Content::V8(bytes))),
            Serialization::Advanced => Err(BodyError::Read("not in V8's format".to_owned())),
        }
    }

    /// A message in V8's format.
    ///
    /// # Errors
    /// When the value is nested too deep, or refers to an object that is not there.
    pub fn from_value(value: &v8::Value) -> Result<Self, BodyError> {
        Ok(Self(Content::V8(v8::encode(value)?)))
    }

    /// The whole of the message, whichever way it is written.
    ///
    /// # Errors
    /// When it cannot be decoded: see [`v8`]. JSON nested deeper than 128 is not read either.
    pub fn value(&self) -> Result<v8::Value, BodyError> {
        match &self.0 {
            Content::Json(text) => json::value(text),
            Content::V8(bytes) => Ok(v8::decode(bytes)?),
        }
    }

    /// The JSON text, if it is one.
    #[must_use]
    pub fn as_json(&self) -> Option<&str> {
        match &self.0 {
            Content::Json(text) => Some(text),
            Content::V8(_) => None,
        }
    }

    /// The JSON text, or what `JSON.stringify` would make of the value.
    ///
    /// # Errors
    /// When the message cannot be decoded, or is what `JSON.stringify` refuses. Also when the text
    /// would be longer than 512 MiB, as long as a string of V8 can be, or when the part of it that
    /// objects make that appear again, and gaps in arrays, would be longer than 16 MiB and 8 bytes
    /// for each byte of the message.
    pub fn to_json(&self) -> Result<String, BodyError> {
        match &self.0 {
            Content::Json(text) => Ok(text.clone()),
            Content::V8(bytes) => v8::to_json(&v8::decode(bytes)?, bytes.len()),
        }
    }

    /// How it is written.
    #[must_use]
    pub fn serialization(&self) -> Serialization {
        match &self.0 {
            Content::Json(_) => Serialization::Json,
            Content::V8(_) => Serialization::Advanced,
        }
    }

    /// Its bytes on the wire, without line feed or length.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Content::Json(text) => text.as_bytes(),
            Content::V8(bytes) => bytes,
        }
    }

    /// How many bytes it has on the wire, without line feed or length. Never 0.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// A line as it came in, found to be JSON.
    pub(crate) fn of_line(text: String) -> Self {
        Self(Content::Json(text))
    }

    /// A frame as it came in, with a header.
    pub(crate) fn of_frame(bytes: Vec<u8>) -> Self {
        Self(Content::V8(bytes))
    }

    /// The same message for a channel that uses `how`, in a version that every peer reads.
    pub(crate) fn converted(&self, how: Serialization) -> Result<Cow<'_, Self>, BodyError> {
        Ok(match (&self.0, how) {
            (Content::Json(_), Serialization::Json) => Cow::Borrowed(self),
            (Content::V8(_), Serialization::Json) => {
                Cow::Owned(Self(Content::Json(self.to_json()?)))
            }
            (Content::Json(text), Serialization::Advanced) => {
                Cow::Owned(Self(Content::V8(v8::from_json(text)?)))
            }
            (Content::V8(bytes), Serialization::Advanced) => {
                if v8::is_read_by_all(bytes) {
                    Cow::Borrowed(self)
                } else {
                    Cow::Owned(Self(Content::V8(v8::encode(&v8::decode(bytes)?)?)))
                }
            }
        })
    }
}
