//! What values can a message hold?

use super::BigInt;
use std::fmt;

/// A value of JavaScript, as far as a message can hold it.
///
/// It is a tree. An object that appears again, be it inside itself, is a
/// [`Reference`](Self::Reference) at its later places. Objects are numbered from 0 in the order
/// in which they begin: every variant that is an object in JavaScript counts, strings and
/// `BigInt`s do not.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `undefined`.
    Undefined,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number that V8 holds as a small integer.
    Int(i32),
    /// Any other number.
    Number(f64),
    /// A `BigInt`.
    BigInt(BigInt),
    /// A string. Lone surrogates have become U+FFFD.
    String(String),
    /// A place in an array at which there is nothing.
    Hole,
    /// A `Date`, in milliseconds since 1970; NaN if invalid.
    Date(f64),
    /// A regular expression.
    RegExp(Box<RegExpValue>),
    /// Node's `Buffer`.
    Buffer(Vec<u8>),
    /// An `ArrayBuffer` of fixed length.
    ArrayBuffer(Vec<u8>),
    /// An `ArrayBuffer` that can be resized.
    ResizableArrayBuffer {
        /// What is in it now.
        bytes: Vec<u8>,
        /// How many bytes it may grow to.
        max: u32,
    },
    /// Any typed array but `Buffer`, or a `DataView`. The bytes are in the order of the machine:
    /// little endian wherever Node runs.
    TypedArray {
        /// Which of them.
        kind: TypedArrayKind,
        /// Its bytes; a whole number of elements.
        bytes: Vec<u8>,
    },
    /// An array that V8 holds without gaps; may contain [`Hole`](Self::Hole) all the same.
    Array(Vec<Value>),
    /// Such an array with properties of its own.
    ArrayWithProperties(Box<ArrayWithProperties>),
    /// An array that V8 holds with gaps: `[1, , 3]`.
    SparseArray {
        /// Its `length`.
        length: u32,
        /// Elements by index, and what else was put on it.
        properties: Vec<(Key, Value)>,
    },
    /// A plain object, or one of a class, which arrives as a plain one. In order.
    Object(Vec<(Key, Value)>),
    /// A `Map`, in order.
    Map(Vec<(Value, Value)>),
    /// A `Set`, in order.
    Set(Vec<Value>),
    /// An `Error` or one of its built-in kinds.
    Error(Box<ErrorValue>),
    /// `new Boolean(…)`.
    BoolObject(bool),
    /// `new Number(…)`.
    NumberObject(f64),
    /// `Object(1n)`.
    BigIntObject(BigInt),
    /// `new String(…)`.
    StringObject(String),
    /// An object of C++ (a handle, a stream), of which Node sends the own properties: the value
    /// inside is a plain object.
    HostObject(Box<Value>),
    /// The object with this number, again.
    Reference(u32),
}

/// The name of a property.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// An index of an array, below 2^32 - 1, which V8 writes as a number.
    Index(u32),
    /// Any other name.
    Text(String),
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        match index_of(text) {
            Some(index) => Self::Index(index),
            None => Self::Text(text.to_owned()),
        }
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        match index_of(&text) {
            Some(index) => Self::Index(index),
            None => Self::Text(text),
        }
    }
}

/// The index that this name is, by the rules of ECMAScript: digits without leading zeros.
pub(crate) fn index_of(text: &str) -> Option<u32> {
    let plain = text == "0" || (text.starts_with(|c: char| ('1'..='9').contains(&c)));
    let digits = plain && text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    let index: u32 = digits.then(|| text.parse().ok()).flatten()?;
    (index != u32::MAX).then_some(index)
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => index.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl PartialEq<str> for Key {
    fn eq(&self, other: &str) -> bool {
        match self {
            Self::Index(index) => index_of(other) == Some(*index),
            Self::Text(text) => text == other,
        }
    }
}

/// What a regular expression holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegExpValue {
    /// What stands between the slashes.
    pub source: String,
    /// Letters out of `dgimsuvy`, and `l`, which is V8's own.
    pub flags: String,
}

/// An array on which something was put beside its elements.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ArrayWithProperties {
    /// In order; may contain [`Value::Hole`].
    pub elements: Vec<Value>,
    /// The properties.
    pub properties: Vec<(Key, Value)>,
}

/// What an `Error` holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ErrorValue {
    /// `Error`, `EvalError`, `RangeError`, `ReferenceError`, `SyntaxError`, `TypeError` or
    /// `URIError`. Any other is written as `Error`, as V8 does.
    pub name: String,
    /// Its `message`, if it has one of its own.
    pub message: Option<String>,
    /// Its `stack`, if it is a string.
    pub stack: Option<String>,
    /// Its `cause`, if it has one. Node 18 does not send it.
    pub cause: Option<Value>,
}

/// The views on an `ArrayBuffer`, but for Node's `Buffer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "they are called as in JavaScript")]
#[non_exhaustive]
pub enum TypedArrayKind {
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    DataView,
    BigInt64Array,
    BigUint64Array,
    /// Since Node 24.
    Float16Array,
}

impl TypedArrayKind {
    /// Bytes per element; 1 for a `DataView`.
    #[must_use]
    pub fn element_size(self) -> usize {
        match self {
            Self::Int8Array | Self::Uint8Array | Self::Uint8ClampedArray | Self::DataView => 1,
            Self::Int16Array | Self::Uint16Array | Self::Float16Array => 2,
            Self::Int32Array | Self::Uint32Array | Self::Float32Array => 4,
            Self::Float64Array | Self::BigInt64Array | Self::BigUint64Array => 8,
        }
    }
}

impl Value {
    /// A plain object.
    pub fn object<K: Into<Key>>(properties: impl IntoIterator<Item = (K, Value)>) -> Self {
        let properties = properties.into_iter();
        Self::Object(properties.map(|(key, value)| (key.into(), value)).collect())
    }

    /// An array without gaps.
    pub fn array(elements: impl IntoIterator<Item = Value>) -> Self {
        Self::Array(elements.into_iter().collect())
    }

    /// The number as V8 would hold it: as [`Int`](Self::Int) where that is the same number.
    #[must_use]
    pub fn number(number: f64) -> Self {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "compared with the original"
        )]
        let int = number as i32;
        if f64::from(int) == number && !(int == 0 && number.is_sign_negative()) {
            Self::Int(int)
        } else {
            Self::Number(number)
        }
    }

    /// A property of an object or an array, by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Object(properties) | Self::SparseArray { properties, .. } => {
                find(properties, name)
            }
            Self::Array(elements) => element(elements, name),
            Self::ArrayWithProperties(array) => {
                element(&array.elements, name).or_else(|| find(&array.properties, name))
            }
            Self::HostObject(inside) => inside.get(name),
            _ => None,
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::StringObject(text) => Some(text),
            _ => None,
        }
    }

    /// The number, whichever way it is held.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(f64::from(*number)),
            Self::Number(number) | Self::NumberObject(number) => Some(*number),
            _ => None,
        }
    }
}

/// The last of that name, as JavaScript would keep it.
fn find<'a>(properties: &'a [(Key, Value)], name: &str) -> Option<&'a Value> {
    let mut found = properties.iter().rev().filter(|(key, _)| key == name);
    found.next().map(|(_, value)| value)
}

fn element<'a>(elements: &'a [Value], name: &str) -> Option<&'a Value> {
    let element = index_of(name).and_then(|index| elements.get(index as usize));
    element.filter(|element| !matches!(element, Value::Hole))
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::number(number)
    }
}

impl From<BigInt> for Value {
    fn from(number: BigInt) -> Self {
        Self::BigInt(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_an_index_only_in_its_one_spelling() {
        for (text, index) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("4294967294", Some(4_294_967_294)),
            ("4294967295", None),
            ("4294967296", None),
            ("07", None),
            ("-1", None),
            ("+1", None),
            ("", None),
            ("1e3", None),
        ] {
            assert_eq!(index_of(text), index, "{text}");
            assert_eq!(Key::from(text).to_string(), text);
        }
    }

    #[test]
    fn a_value_is_small() {
        // One byte on the wire may become a value, so its size is what a peer can multiply with.
        assert!(size_of::<Value>() <= 32, "{}", size_of::<Value>());
    }

    #[test]
    fn minus_zero_is_no_integer() {
        assert_eq!(Value::number(5.0), Value::Int(5));
        assert!(matches!(Value::number(-0.0), Value::Number(_)));
        assert!(matches!(Value::number(f64::NAN), Value::Number(_)));
        assert!(matches!(Value::number(2_147_483_648.0), Value::Number(_)));
    }
}
