//! What do the bytes of V8's structured clone format say?
//!
//! `serialization: 'advanced'` sends what `v8.Serializer` writes, with two additions of Node's
//! own inside *host objects*: a tag 0 for every `Buffer` and typed array, and a tag 1 for any
//! other object of C++, written as a plain one. The published crates for the format have no host
//! objects, so cannot carry a single `Buffer`; hence this module.
//!
//! [`Value`] is the model: what a V8 of Node 18 to 26 wrote is written again byte for byte, but
//! for three things. Lone surrogates become U+FFFD. A string of Latin-1 characters that V8 holds
//! as UTF-16 is written as Latin-1. The `cause` of an `Error` comes behind its `stack`, as Node
//! writes it since 22; all versions read either order.
//!
//! Read are the versions 13 to 16; written is 15, which every Node from 18 and Deno 2 read.
//!
//! Not supported, by name in the [`Error`]: `SharedArrayBuffer` and other shared objects,
//! WebAssembly modules and memories, transferred `ArrayBuffer`s, and views that share an
//! `ArrayBuffer` (tag `V`; Node's channel never sends them).
//!
//! Nothing here trusts a length: no more memory is taken than is in proportion to the bytes that
//! are there, and nesting deeper than [`MAX_DEPTH`] is an error.

mod access;
mod bigint;
mod de;
mod graph;
mod key;
mod reader;
mod ser;
mod splice;
mod stringify;
mod tag;
mod value;
mod writer;

pub use bigint::{BigInt, BigIntRangeError, ParseBigIntError};
pub use value::{ArrayWithProperties, ErrorValue, Key, RegExpValue, TypedArrayKind, Value};

pub(crate) use de::read;
pub(crate) use reader::decode;
pub(crate) use ser::write;
pub(crate) use splice::{properties, property, property_text, with_property};
pub(crate) use stringify::to_json;
pub(crate) use writer::encode;

/// A JSON text in V8's format.
pub(crate) fn from_json(text: &str) -> Result<Vec<u8>, crate::BodyError> {
    Ok(encode(&crate::json::value(text)?)?)
}

/// Deepest nesting that is read or written, in values within values. V8 itself stops where its
/// stack ends.
pub const MAX_DEPTH: usize = 500;

/// The header that is written: version 15.
pub(crate) const HEADER: [u8; 2] = [0xff, 15];

/// Whether `bytes` may begin, or be the beginning of, a value in a version that is read.
pub(crate) fn has_header(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|first| *first == 0xff)
        && bytes
            .get(1)
            .is_none_or(|version| (13..=16).contains(version))
}

/// Whether the version is one that Node reads too: of 16 it dies.
pub(crate) fn is_read_by_all(bytes: &[u8]) -> bool {
    bytes.get(1).is_some_and(|version| *version <= HEADER[1])
}

/// Bytes that cannot be read, or a value that cannot be written, in V8's format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes do not begin with `FF` and a version from 13 to 16.
    #[error("no header of V8's format, version 13 to 16")]
    Header,
    /// The bytes end inside a value.
    #[error("the bytes end inside {what}")]
    Ends {
        /// What was being read.
        what: &'static str,
    },
    /// Bytes that V8 does not write.
    #[error("{what} at byte {at}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where, counted from the header.
        at: usize,
    },
    /// A kind of value that this crate does not know how to carry.
    #[error("{what} cannot be carried")]
    Unsupported {
        /// Its name.
        what: &'static str,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("values nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// Something has more bytes or members than the format can count.
    #[error("{what} of more than 4294967295 bytes or members")]
    TooLong {
        /// What it is.
        what: &'static str,
    },
    /// A [`Value::Reference`] to an object that has not begun before it.
    #[error("a reference to object {id}, which does not exist")]
    Reference {
        /// The number of the object.
        id: u32,
    },
}
