//! The sequences, maps and names that values are read from.

use super::value::Key;
use serde::de::value::Error;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// The elements of a sequence.
pub(super) struct Elements<I>(pub(super) I);

impl<'de, I> SeqAccess<'de> for Elements<I>
where
    I: Iterator,
    I::Item: Deserializer<'de, Error = Error>,
{
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        self.0
            .next()
            .map(|element| seed.deserialize(element))
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint().1
    }
}

/// The entries of a map.
pub(super) struct Entries<I, V> {
    pub(super) entries: I,
    /// That of the key given last.
    pub(super) value: Option<V>,
}

impl<'de, I, K, V> MapAccess<'de> for Entries<I, V>
where
    I: Iterator<Item = (K, V)>,
    K: Deserializer<'de, Error = Error>,
    V: Deserializer<'de, Error = Error>,
{
    type Error = Error;

    fn next_key_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        match self.value.take() {
            Some(value) => seed.deserialize(value),
            None => Err(Error::custom("a value was asked for before its key")),
        }
    }
}

/// The name of a property, which is a number for types that ask for one.
#[derive(Clone, Copy)]
pub(super) struct Name<'v>(pub(super) &'v Key);

macro_rules! parse {
    ($($method:ident $visit:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.to_string().parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Name<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Key::Text(text) => visitor.visit_str(text),
            Key::Index(index) => visitor.visit_string(index.to_string()),
        }
    }

    parse! {
        deserialize_bool visit_bool, deserialize_i8 visit_i64, deserialize_i16 visit_i64,
        deserialize_i32 visit_i64, deserialize_i64 visit_i64, deserialize_u8 visit_u64,
        deserialize_u16 visit_u64, deserialize_u32 visit_u64, deserialize_u64 visit_u64,
        deserialize_i128 visit_i128, deserialize_u128 visit_u128, deserialize_f32 visit_f64,
        deserialize_f64 visit_f64,
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

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.0.to_string().into_deserializer())
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}
