//! How are numbers of instances and times written in JSON?

/// A number of instances: an integer, or the word `max`.
pub(crate) mod instances {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};
    use std::fmt;
    use tine_rules::Instances;

    pub(crate) fn serialize<S: Serializer>(it: &Instances, to: S) -> Result<S::Ok, S::Error> {
        match it {
            Instances::Cores => to.serialize_str("max"),
            Instances::Exactly(count) => to.serialize_u64(count.get() as u64),
            Instances::CoresMinus(fewer) => match i64::try_from(*fewer) {
                Ok(fewer) => to.serialize_i64(-fewer),
                Err(_) => to.serialize_str(&it.to_string()),
            },
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Instances, D::Error> {
        struct Word;

        impl Visitor<'_> for Word {
            type Value = Instances;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of instances or \"max\"")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Instances, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Instances, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Instances, E> {
                word.parse().map_err(E::custom)
            }
        }

        from.deserialize_any(Word)
    }

    #[cfg(feature = "schema")]
    pub(crate) fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [
                { "type": "integer" },
                { "type": "string", "pattern": "^(max|-?[0-9]+)$" },
            ],
            "default": 1,
        })
    }
}

/// A duration, as whole milliseconds.
pub(crate) mod milliseconds {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(crate) fn serialize<S: Serializer>(it: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(it.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

/// A duration, as whole milliseconds, or `null`.
pub(crate) mod milliseconds_or_none {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(crate) fn serialize<S: Serializer>(
        it: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match it {
            Some(time) => super::milliseconds::serialize(time, to),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_millis))
    }
}
