//! How is a value read into a type of Rust?

use super::access::{Elements, Entries, Name};
use super::graph::Graph;
use super::stringify::iso_date;
use super::value::{Key, Value};
use super::{BigInt, decode};
use crate::body::BodyError;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// Deepest nesting that is read into a type: that of serde_json.
const DEPTH: usize = 128;
const TOO_DEEP: &str = "nested too deep";
const TOO_OFTEN: &str = "its references and gaps repeat too much, too often";

/// The longest `BigInt` in words of which digits are made: the time grows with its square.
const LONGEST_IN_DIGITS: usize = 8192;

/// Decodes a whole message into a type.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BodyError> {
    let value = decode(bytes)?;
    let graph = Graph::of(&value, bytes.len());
    T::deserialize(Source::root(&value, &graph)).map_err(|error| {
        let said = error.to_string();
        if said == TOO_DEEP {
            BodyError::TooDeep { limit: DEPTH }
        } else {
            BodyError::Read(said)
        }
    })
}

/// One value, and where it stands.
#[derive(Clone, Copy)]
struct Source<'p, 'v> {
    value: &'v Value,
    graph: &'p Graph<'v>,
    inside: Option<&'p Inside<'p, 'v>>,
    /// It is a key: a string may be asked for where there is a number.
    key: bool,
    /// It is one that the message holds elsewhere, or a gap.
    again: bool,
}

/// What a value costs, in bytes, that is read again, beside the text or the bytes in it: about
/// what it becomes in a type that takes any value.
const AGAIN: usize = 32;
const AGAIN_NESTED: usize = 128;

/// The objects that are open.
struct Inside<'p, 'v> {
    value: &'v Value,
    outer: Option<&'p Inside<'p, 'v>>,
    depth: usize,
}

impl<'p, 'v> Source<'p, 'v> {
    fn root(value: &'v Value, graph: &'p Graph<'v>) -> Self {
        Self {
            value,
            graph,
            inside: None,
            key: false,
            again: false,
        }
    }

    /// Follows references and looks into host objects.
    fn resolved(mut self) -> Result<Self, Error> {
        // Each passes through at least one object, so a host object that is in itself ends.
        for _ in 0..4 {
            self.visit()?;
            match self.value {
                Value::HostObject(inside) => self.value = inside,
                Value::Reference(id) => {
                    let target = self.graph.get(*id);
                    let target = target.ok_or_else(|| Error::custom("a reference to nothing"))?;
                    let mut outer = self.inside;
                    while let Some(open) = outer {
                        if std::ptr::eq(open.value, target) {
                            return Err(Error::custom("the value is circular"));
                        }
                        outer = open.outer;
                    }
                    self.value = target;
                    self.again = true;
                }
                _ => return Ok(self),
            }
        }
        Err(Error::custom("the value is circular"))
    }

    fn visit(&self) -> Result<(), Error> {
        self.visit_ignored()?;
        self.repeat(weight(self.value))
    }

    fn visit_ignored(&self) -> Result<(), Error> {
        let visited = self.graph.visit();
        visited.map_err(|_| Error::custom(TOO_OFTEN))
    }

    /// Counts what is made of a value that the message holds elsewhere.
    fn repeat(&self, bytes: usize) -> Result<(), Error> {
        if !self.again {
            return Ok(());
        }
        let counted = self.graph.repeat(bytes);
        counted.map_err(|_| Error::custom(TOO_OFTEN))
    }

    /// The place of what is in this value.
    fn enter(&self) -> Result<Inside<'p, 'v>, Error> {
        let depth = self.inside.map_or(0, |inside| inside.depth) + 1;
        if depth > DEPTH {
            return Err(Error::custom(TOO_DEEP));
        }
        Ok(Inside {
            value: self.value,
            outer: self.inside,
            depth,
        })
    }

    fn bytes(&self) -> Option<&'v [u8]> {
        match self.value {
            Value::Buffer(bytes)
            | Value::ArrayBuffer(bytes)
            | Value::ResizableArrayBuffer { bytes, .. }
            | Value::TypedArray { bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// The text, where one is asked for.
    fn text(&self) -> Result<Option<String>, Error> {
        Ok(match self.value {
            Value::BigInt(number) | Value::BigIntObject(number) => Some(digits(number)?),
            Value::Int(number) if self.key => Some(number.to_string()),
            Value::Number(number) if self.key => Some(crate::json::number_text(*number)),
            Value::Bool(value) if self.key => Some(value.to_string()),
            Value::Error(error) => Some(match &error.message {
                Some(message) => format!("{}: {message}", error.name),
                None => error.name.clone(),
            }),
            _ => None,
        })
    }

    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let source = self.resolved()?;
        match source.value {
            Value::Date(time) => visit_number(*time, visitor),
            _ => source.any(visitor),
        }
    }

    fn wide<'de, V: Visitor<'de>>(self, signed: bool, visitor: V) -> Result<V::Value, Error> {
        let source = self.resolved()?;
        match source.value {
            Value::BigInt(number) | Value::BigIntObject(number) => {
                if signed && let Ok(number) = i128::try_from(number) {
                    visitor.visit_i128(number)
                } else if let Ok(number) = u128::try_from(number) {
                    visitor.visit_u128(number)
                } else {
                    Err(Error::custom("a BigInt that does not fit"))
                }
            }
            _ => source.number(visitor),
        }
    }

    fn any<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Undefined | Value::Null | Value::Hole => visitor.visit_unit(),
            Value::Bool(value) | Value::BoolObject(value) => visitor.visit_bool(*value),
            Value::Int(number) => visitor.visit_i64((*number).into()),
            Value::Number(number) | Value::NumberObject(number) => visit_number(*number, visitor),
            Value::BigInt(number) | Value::BigIntObject(number) => visit_bigint(number, visitor),
            Value::String(text) | Value::StringObject(text) => visitor.visit_str(text),
            Value::Date(time) => match iso_date(*time) {
                Some(text) => visitor.visit_string(text),
                None => visitor.visit_unit(),
            },
            Value::RegExp(regexp) => {
                visitor.visit_string(format!("/{}/{}", regexp.source, regexp.flags))
            }
            Value::Error(_) | Value::Object(_) | Value::Map(_) => self.map(visitor),
            _ => self.seq(visitor),
        }
    }

    fn map<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let inside = self.enter()?;
        let within = |value| Source {
            value,
            graph: self.graph,
            inside: Some(&inside),
            key: false,
            again: self.again,
        };
        match self.value {
            Value::Object(properties) => visitor.visit_map(Entries {
                // As JSON has it: what is undefined is not there.
                entries: properties
                    .iter()
                    .filter(|(_, value)| !matches!(value, Value::Undefined))
                    .map(|(key, value)| (Name(key), within(value))),
                value: None,
            }),
            Value::Map(entries) => visitor.visit_map(Entries {
                entries: entries.iter().map(|(key, value)| {
                    let key = within(key);
                    (Source { key: true, ..key }, within(value))
                }),
                value: None,
            }),
            Value::Error(error) => {
                let texts = [
                    ("name", Some(&error.name)),
                    ("message", error.message.as_ref()),
                    ("stack", error.stack.as_ref()),
                ];
                let texts = texts.into_iter().filter_map(|(name, text)| {
                    text.map(|text| (name.into_deserializer(), Part::Text(text)))
                });
                let cause = error.cause.as_ref().map(|cause| {
                    let name: StrDeserializer<'_, Error> = "cause".into_deserializer();
                    (name, Part::Value(within(cause)))
                });
                visitor.visit_map(Entries {
                    entries: texts.chain(cause),
                    value: None,
                })
            }
            _ => self.any(visitor),
        }
    }

    fn seq<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let inside = self.enter()?;
        let within = |value| Source {
            value,
            graph: self.graph,
            inside: Some(&inside),
            key: false,
            again: self.again,
        };
        match self.value {
            Value::Array(elements) | Value::Set(elements) => {
                visitor.visit_seq(Elements(elements.iter().map(within)))
            }
            Value::ArrayWithProperties(array) => {
                visitor.visit_seq(Elements(array.elements.iter().map(within)))
            }
            Value::SparseArray { length, properties } => {
                let mut elements = Value::sparse_elements(properties).into_iter().peekable();
                visitor.visit_seq(Elements((0..*length).map(|index| {
                    let element = elements.next_if(|(at, _)| *at == index);
                    match element {
                        Some((_, element)) => within(element),
                        None => Source {
                            again: true,
                            ..within(&Value::Hole)
                        },
                    }
                })))
            }
            Value::Map(entries) => visitor.visit_seq(Elements(
                entries
                    .iter()
                    .map(|(key, value)| Pair(within(key), within(value))),
            )),
            Value::TypedArray { kind, bytes } => {
                let elements = kind.elements(bytes);
                self.repeat(elements.len().saturating_mul(AGAIN))?;
                visitor.visit_seq(Elements(elements.map(Element)))
            }
            _ => match self.bytes() {
                Some(bytes) => {
                    self.repeat(bytes.len().saturating_mul(AGAIN))?;
                    visitor.visit_seq(Elements(
                        bytes.iter().map(|byte| Element(Value::Int((*byte).into()))),
                    ))
                }
                None => Err(Error::invalid_type(Unexpected::Other("value"), &visitor)),
            },
        }
    }
}

/// What reading a value again makes, in bytes, without the values in it.
fn weight(value: &Value) -> usize {
    let key = |key: &Key| match key {
        Key::Index(_) => AGAIN,
        Key::Text(text) => AGAIN + text.len(),
    };
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    match value {
        Value::String(text) | Value::StringObject(text) => AGAIN + text.len(),
        // Up to 20 digits for each.
        Value::BigInt(number) | Value::BigIntObject(number) => AGAIN + number.words().len() * 20,
        Value::RegExp(regexp) => AGAIN + regexp.source.len() + regexp.flags.len(),
        Value::Error(error) => {
            let texts = error.name.len() + text(&error.message) + text(&error.stack);
            AGAIN_NESTED + texts
        }
        Value::Buffer(bytes)
        | Value::ArrayBuffer(bytes)
        | Value::ResizableArrayBuffer { bytes, .. }
        | Value::TypedArray { bytes, .. } => AGAIN_NESTED + bytes.len(),
        Value::Object(properties) | Value::SparseArray { properties, .. } => {
            AGAIN_NESTED + properties.iter().map(|(name, _)| key(name)).sum::<usize>()
        }
        Value::Hole => AGAIN / 2,
        nested if nested.nests() => AGAIN_NESTED,
        _ => AGAIN,
    }
}

fn digits(number: &BigInt) -> Result<String, Error> {
    if number.words().len() > LONGEST_IN_DIGITS {
        return Err(Error::custom("a BigInt too long for digits"));
    }
    Ok(number.to_string())
}

/// As an integer where it is one: a type that asks for one gets it, and a type that asks for a
/// float takes it.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "in range"
)]
fn visit_number<'de, V: Visitor<'de>>(number: f64, visitor: V) -> Result<V::Value, Error> {
    let whole = number.fract() == 0.0 && !(number == 0.0 && number.is_sign_negative());
    if whole && (-2f64.powi(63)..0.0).contains(&number) {
        visitor.visit_i64(number as i64)
    } else if whole && (0.0..2f64.powi(64)).contains(&number) {
        visitor.visit_u64(number as u64)
    } else {
        visitor.visit_f64(number)
    }
}

fn visit_bigint<'de, V: Visitor<'de>>(number: &BigInt, visitor: V) -> Result<V::Value, Error> {
    match i128::try_from(number) {
        Ok(number) => match (i64::try_from(number), u64::try_from(number)) {
            (Ok(number), _) => visitor.visit_i64(number),
            (_, Ok(number)) => visitor.visit_u64(number),
            _ => visitor.visit_string(number.to_string()),
        },
        Err(_) => visitor.visit_string(digits(number)?),
    }
}

macro_rules! ask {
    ($($method:ident => $how:ident ($($more:expr)?),)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.$how($($more,)? visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Source<'_, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.resolved()?.any(visitor)
    }

    ask! {
        deserialize_i8 => number(), deserialize_i16 => number(), deserialize_i32 => number(),
        deserialize_i64 => number(), deserialize_u8 => number(), deserialize_u16 => number(),
        deserialize_u32 => number(), deserialize_u64 => number(), deserialize_f32 => number(),
        deserialize_f64 => number(), deserialize_i128 => wide(true),
        deserialize_u128 => wide(false),
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let source = self.resolved()?;
        match source.text()? {
            Some(text) => visitor.visit_string(text),
            None => source.any(visitor),
        }
    }

    ask! {
        deserialize_string => deserialize_str(), deserialize_char => deserialize_str(),
        deserialize_identifier => deserialize_str(), deserialize_byte_buf => deserialize_bytes(),
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let source = self.resolved()?;
        match source.bytes() {
            Some(bytes) => visitor.visit_bytes(bytes),
            None => source.any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Undefined | Value::Null | Value::Hole => visitor.visit_none(),
            // As `JSON.stringify` says.
            Value::Date(time) if iso_date(*time).is_none() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let source = self.resolved()?;
        match source.value {
            Value::Map(_) => source.seq(visitor),
            _ => source.any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let source = self.resolved()?;
        match source.value {
            Value::String(text) | Value::StringObject(text) => {
                visitor.visit_enum(text.as_str().into_deserializer())
            }
            Value::Object(properties) if let [(name, value)] = properties.as_slice() => {
                let inside = source.enter()?;
                let value = Source {
                    value,
                    inside: Some(&inside),
                    ..source
                };
                visitor.visit_enum(Variant(name, value))
            }
            _ => Err(Error::invalid_type(
                Unexpected::Other("value"),
                &"a string, or an object with one property",
            )),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // Not followed, but counted: an array may have four thousand million gaps.
        self.visit_ignored()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bool unit unit_struct tuple_struct map struct }
}

/// A part of an `Error`.
enum Part<'t, 'p, 'v> {
    Text(&'t str),
    Value(Source<'p, 'v>),
}

impl<'de> Deserializer<'de> for Part<'_, '_, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Text(text) => visitor.visit_str(text),
            Self::Value(source) => source.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Text(_) => visitor.visit_some(self),
            Self::Value(source) => source.deserialize_option(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Self::Text(text) => visitor.visit_enum(text.into_deserializer()),
            Self::Value(source) => source.deserialize_enum(name, variants, visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// One entry of a `Map`, where a sequence is asked for.
struct Pair<'p, 'v>(Source<'p, 'v>, Source<'p, 'v>);

impl<'de> Deserializer<'de> for Pair<'_, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Elements([self.0, self.1].into_iter()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

/// One element of a typed array.
struct Element(Value);

impl<'de> Deserializer<'de> for Element {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let graph = Graph::of(&self.0, 0);
        Source::root(&self.0, &graph).any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// `{"Name": value}`, as serde writes the variants of an enum.
struct Variant<'p, 'v>(&'v Key, Source<'p, 'v>);

impl<'de, 'p, 'v> EnumAccess<'de> for Variant<'p, 'v> {
    type Error = Error;
    type Variant = Source<'p, 'v>;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Source<'p, 'v>), Error> {
        Ok((seed.deserialize(Name(self.0))?, self.1))
    }
}

impl<'de> VariantAccess<'de> for Source<'_, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        serde::Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v8::{ErrorValue, RegExpValue, TypedArrayKind, encode};
    use serde::Deserialize;
    use std::collections::HashMap;

    fn read_value<T: DeserializeOwned>(value: Value) -> Result<T, BodyError> {
        read(&encode(&value).unwrap())
    }

    #[test]
    fn a_date_is_text_or_a_number_as_it_is_asked_for() {
        let text: String = read_value(Value::Date(1.5)).unwrap();
        assert_eq!(text, "1970-01-01T00:00:00.001Z");
        assert_eq!(read_value::<f64>(Value::Date(1.5)), Ok(1.5));
        assert_eq!(read_value::<u64>(Value::Date(7.0)), Ok(7));
        assert_eq!(
            read_value::<Option<String>>(Value::Date(f64::NAN)),
            Ok(None)
        );
    }

    #[test]
    fn a_bigint_is_any_integer_that_it_fits() {
        let big = |number: i128| Value::BigInt(number.into());
        assert_eq!(read_value::<u8>(big(255)), Ok(255));
        assert!(read_value::<u8>(big(256)).is_err());
        assert_eq!(read_value::<u64>(big(u64::MAX.into())), Ok(u64::MAX));
        assert_eq!(read_value::<i128>(big(i128::MIN)), Ok(i128::MIN));
        assert_eq!(
            read_value::<u128>(Value::BigInt(u128::MAX.into())),
            Ok(u128::MAX)
        );
        assert!(read_value::<u128>(big(-1)).is_err());
        assert_eq!(read_value::<String>(big(-12)).as_deref(), Ok("-12"));
        let long = Value::BigInt(BigInt::from_words(false, vec![1; LONGEST_IN_DIGITS + 1]));
        assert!(read_value::<String>(long).is_err());
    }

    #[test]
    fn numbers_are_integers_where_they_are_whole() {
        assert_eq!(read_value::<i64>(Value::Number(5e9)), Ok(5_000_000_000));
        assert_eq!(read_value::<f32>(Value::Int(3)), Ok(3.0));
        assert_eq!(read_value::<u8>(Value::NumberObject(3.0)), Ok(3));
        assert!(read_value::<i64>(Value::Number(0.5)).is_err());
        assert!(read_value::<i64>(Value::Number(1e300)).is_err());
        assert!(
            read_value::<f64>(Value::Number(-0.0))
                .unwrap()
                .is_sign_negative()
        );
        let json: serde_json::Value = read_value(Value::Number(5e9)).unwrap();
        assert_eq!(json.to_string(), "5000000000");
    }

    #[test]
    fn bytes_are_sequences_too() {
        let view = |kind, bytes| Value::TypedArray { kind, bytes };
        assert_eq!(
            read_value::<Vec<u8>>(Value::Buffer(vec![1, 2])),
            Ok(vec![1, 2])
        );
        let numbers = view(TypedArrayKind::Int16Array, vec![0xff, 0xff, 2, 0]);
        assert_eq!(read_value::<Vec<i32>>(numbers), Ok(vec![-1, 2]));
        let numbers = view(TypedArrayKind::Float32Array, 0.5f32.to_le_bytes().to_vec());
        assert_eq!(read_value::<(Option<f64>,)>(numbers), Ok((Some(0.5),)));
        let numbers = view(
            TypedArrayKind::BigUint64Array,
            u64::MAX.to_le_bytes().to_vec(),
        );
        assert_eq!(read_value::<[u64; 1]>(numbers), Ok([u64::MAX]));
    }

    #[test]
    fn maps_sets_and_errors_have_their_shapes() {
        let entries = vec![(Value::Int(1), "one".into()), (Value::Int(2), "two".into())];
        let map = Value::Map(entries);
        let expected = HashMap::from([(1, "one".to_owned()), (2, "two".to_owned())]);
        assert_eq!(read_value(map.clone()), Ok(expected));
        let texts: HashMap<String, String> = read_value(map.clone()).unwrap();
        assert_eq!(texts["2"], "two");
        let pairs: Vec<(u8, String)> = read_value(map).unwrap();
        assert_eq!(pairs[0], (1, "one".to_owned()));
        let numbered = Value::object([("7", Value::Int(1)), ("true", Value::Int(2))]);
        let keys: HashMap<String, u8> = read_value(numbered).unwrap();
        assert_eq!((keys["7"], keys["true"]), (1, 2));
        assert_eq!(
            read_value(Value::object([("7", Value::Int(1))])),
            Ok(HashMap::from([(7u32, 1u8)]))
        );
        assert_eq!(
            read_value::<Vec<u8>>(Value::Set(vec![Value::Int(1)])),
            Ok(vec![1])
        );
        #[derive(Deserialize, Debug, PartialEq)]
        struct Failure {
            name: String,
            message: String,
            cause: Option<u8>,
        }
        let error = Value::Error(Box::new(ErrorValue {
            name: "TypeError".to_owned(),
            message: Some("boom".to_owned()),
            stack: None,
            cause: Some(Value::Int(1)),
        }));
        assert_eq!(
            read_value::<String>(error.clone()).as_deref(),
            Ok("TypeError: boom")
        );
        let expected = Failure {
            name: "TypeError".to_owned(),
            message: "boom".to_owned(),
            cause: Some(1),
        };
        assert_eq!(read_value(error), Ok(expected));
        let regexp = Value::RegExp(Box::new(RegExpValue {
            source: "a".to_owned(),
            flags: "g".to_owned(),
        }));
        assert_eq!(read_value::<String>(regexp).as_deref(), Ok("/a/g"));
    }

    #[test]
    fn what_is_undefined_is_not_there() {
        #[derive(Deserialize, Debug, PartialEq)]
        struct Fields {
            #[serde(default)]
            a: u8,
            b: Option<u8>,
        }
        let value = Value::object([("a", Value::Undefined), ("b", Value::Undefined)]);
        assert_eq!(read_value(value), Ok(Fields { a: 0, b: None }));
        let gaps = Value::SparseArray {
            length: 3,
            properties: vec![
                (Key::Index(2), Value::Int(3)),
                (Key::Index(0), Value::Int(1)),
            ],
        };
        assert_eq!(read_value(gaps), Ok(vec![Some(1), None, Some(3)]));
    }

    #[test]
    fn what_references_repeat_is_limited_in_bytes() {
        let megabyte = 1 << 20;
        let repeated = |object: &Value, repeats| {
            let again = std::iter::repeat_n(Value::Reference(1), repeats);
            Value::array([object.clone()].into_iter().chain(again))
        };
        let refused = |error: Option<BodyError>| {
            assert!(error.unwrap().to_string().contains(TOO_OFTEN));
        };
        let key = "k".repeat(megabyte);
        let large = [
            Value::StringObject("x".repeat(megabyte)),
            Value::object([(key, Value::Null)]),
            Value::Error(Box::new(ErrorValue {
                name: "Error".to_owned(),
                stack: Some("s".repeat(megabyte)),
                ..ErrorValue::default()
            })),
            Value::RegExp(Box::new(RegExpValue {
                source: "r".repeat(megabyte),
                flags: String::new(),
            })),
        ];
        for large in &large {
            assert!(read_value::<serde_json::Value>(repeated(large, 10)).is_ok());
            refused(read_value::<serde_json::Value>(repeated(large, 100)).err());
        }
        let bytes = Value::Buffer(vec![1; megabyte / 4]);
        let view = Value::TypedArray {
            kind: TypedArrayKind::Uint8Array,
            bytes: vec![1; megabyte / 4],
        };
        for large in [bytes, view] {
            assert!(read_value::<Vec<Vec<u8>>>(repeated(&large, 1)).is_ok());
            refused(read_value::<Vec<Vec<u8>>>(repeated(&large, 100)).err());
        }
        // Objects without bytes of their own are memory too.
        let object = Value::object([("a", Value::Int(1))]);
        assert!(read_value::<Vec<serde_json::Value>>(repeated(&object, 50_000)).is_ok());
        refused(read_value::<Vec<serde_json::Value>>(repeated(&object, 1_000_000)).err());
    }

    #[test]
    fn gaps_are_counted_even_where_they_are_ignored() {
        let gaps = |length| Value::SparseArray {
            length,
            properties: Vec::new(),
        };
        type Ignored = Vec<serde::de::IgnoredAny>;
        assert_eq!(read_value::<Ignored>(gaps(1000)).unwrap().len(), 1000);
        assert!(read_value::<Ignored>(gaps(u32::MAX)).is_err());
        assert_eq!(
            read_value::<Vec<()>>(gaps(1_000_000)).unwrap().len(),
            1_000_000
        );
        assert!(read_value::<Vec<()>>(gaps(2_000_000)).is_err());
    }

    #[test]
    fn references_are_followed_and_circles_refused() {
        let shared = Value::object([("x", Value::Int(1))]);
        let twice = Value::array([shared, Value::Reference(1)]);
        let read: Vec<HashMap<String, u8>> = read_value(twice).unwrap();
        assert_eq!(read[0], read[1]);
        let circle = Value::array([Value::Reference(0)]);
        let error = read_value::<serde_json::Value>(circle).unwrap_err();
        assert!(error.to_string().contains("circular"), "{error}");
        let host = Value::HostObject(Box::new(Value::Reference(0)));
        assert!(read_value::<serde_json::Value>(host).is_err());
        // 2^40 values, in some hundred bytes.
        let mut doubled = vec![Value::array([])];
        doubled
            .extend((1..40).map(|id| Value::array([Value::Reference(id), Value::Reference(id)])));
        let error = read_value::<serde::de::IgnoredAny>(Value::Array(doubled.clone()));
        assert!(error.is_ok());
        #[derive(Deserialize)]
        #[allow(dead_code)]
        struct Tree(Vec<Tree>);
        let last = read_value::<Tree>(Value::Array(doubled));
        assert!(last.err().unwrap().to_string().contains("too often"));
    }
}
