//! How do values become bytes on a channel?

use std::fmt;
use std::str::FromStr;

/// The format of the messages on a channel: the values of `NODE_CHANNEL_SERIALIZATION_MODE`.
/// Both ends must use the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Serialization {
    /// One JSON text per line, as `JSON.stringify` writes it. What a channel uses unless told
    /// otherwise.
    #[default]
    Json,
    /// V8's structured clone format behind a length of four bytes: `Map`, `Set`, `Date`, `BigInt`,
    /// `Buffer` and circular values arrive as what they are. See [`v8`](crate::v8).
    ///
    /// Node 18 stops reading for ever when one of its reads (of 64 KiB) ends inside a length
    /// (nodejs/node#55834, mended in 20), which happens by chance when many messages wait for it.
    /// Bun's format of this name is another one.
    Advanced,
}

impl Serialization {
    /// `json` or `advanced`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Advanced => "advanced",
        }
    }
}

impl fmt::Display for Serialization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word names no serialization.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no serialization: it is `json` or `advanced`")]
pub struct UnknownSerialization {
    word: String,
}

impl FromStr for Serialization {
    type Err = UnknownSerialization;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "json" => Ok(Self::Json),
            "advanced" => Ok(Self::Advanced),
            _ => Err(UnknownSerialization {
                word: word.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// node: test-child-process-advanced-serialization
    #[test]
    fn only_the_two_words_of_node_name_a_serialization() {
        for how in [Serialization::Json, Serialization::Advanced] {
            assert_eq!(how.to_string().parse(), Ok(how));
        }
        for word in ["", "JSON", "foo", "undefined", "advanced "] {
            let error = word.parse::<Serialization>().unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
