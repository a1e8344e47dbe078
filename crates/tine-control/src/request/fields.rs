//! How is a request read without a copy of the whole line in memory?
//!
//! A line may have megabytes. It is read twice: once for `id` and `do` alone, skipping all else,
//! and once straight into the struct of its verb, skipping these two.

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer,
    MapAccess, Visitor,
};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// What every request has.
pub(super) struct Head<'a> {
    pub(super) id: Option<u64>,
    pub(super) word: Option<Cow<'a, str>>,
}

/// Reads the id and the word of a request, and sees that the rest of the line is JSON.
pub(super) fn head(line: &[u8]) -> Result<Head<'_>, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(line);
    let head = json.deserialize_map(HeadVisitor)?;
    json.end()?;
    Ok(head)
}

struct HeadVisitor;

impl<'de> Visitor<'de> for HeadVisitor {
    type Value = Head<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Head<'de>, A::Error> {
        let mut head = Head {
            id: None,
            word: None,
        };
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "id" if head.id.is_some() => return Err(A::Error::duplicate_field("id")),
                "do" if head.word.is_some() => return Err(A::Error::duplicate_field("do")),
                "id" => head.id = Some(map.next_value()?),
                "do" => head.word = Some(map.next_value::<Text<'de>>()?.0),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(head)
    }
}

/// A text that is borrowed from the line unless it has escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        from.deserialize_str(TextVisitor)
    }
}

/// Reads all fields but `id` and `do`.
pub(super) fn read<T: DeserializeOwned>(line: &[u8]) -> Result<T, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(line);
    let it = json.deserialize_map(RestVisitor(PhantomData))?;
    json.end()?;
    Ok(it)
}

struct RestVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for RestVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(Rest(map)))
    }
}

/// A map without the keys `id` and `do`.
struct Rest<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(Text(key)) = self.0.next_key()? {
            if key == "id" || key == "do" {
                self.0.next_value::<IgnoredAny>()?;
                continue;
            }
            return seed.deserialize(key.into_deserializer()).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}
