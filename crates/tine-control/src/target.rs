//! Which processes are meant?

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::path::{Path, PathBuf};

/// The processes that a request is about.
///
/// In JSON: `"all"`; a word as somebody typed it, `"web"`, `"3"` or `"/^api-/"`; a number for an
/// id; one of `{"id":3}`, `{"name":"web"}`, `{"namespace":"shop"}`, `{"regex":"^api-"}`; or a list
/// of these, which means all that any of them means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Every process.
    All,
    /// What a word means is for the daemon to find out, in PM2's order: the name of an app; a
    /// script; a namespace; for a number the id after all of these.
    Word {
        /// The word as it was typed.
        word: String,
        /// The absolute path that the word would be if it were a path; in JSON
        /// `{"word":"app.js","path":"/srv/app.js"}`.
        path: Option<PathBuf>,
    },
    /// The process with this id.
    Id(u32),
    /// The processes of the app with exactly this name.
    Name(String),
    /// The processes of all apps in exactly this namespace.
    Namespace(String),
    /// The processes of all apps of whose name some part matches.
    Regex(String),
    /// The processes that any of these means; no list within the list.
    Several(Vec<Target>),
}

impl Target {
    /// What a word of a command line means: `all`, `/regex/`, or [`Target::Word`].
    #[must_use]
    pub fn from_word(word: &str) -> Target {
        if word == "all" {
            return Target::All;
        }
        let inner = word
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix('/'));
        match inner {
            // Also `/srv/`, as in PM2: somebody who means the folder leaves the last slash out.
            Some(regex) if !regex.is_empty() => Target::Regex(regex.to_owned()),
            _ => Target::Word {
                word: word.to_owned(),
                path: None,
            },
        }
    }

    /// What several words mean together. `folder` is where a relative path among them begins.
    #[must_use]
    pub fn from_words<'a>(words: impl IntoIterator<Item = &'a str>, folder: &Path) -> Target {
        let mut all: Vec<Target> = words
            .into_iter()
            .map(|word| match Target::from_word(word) {
                Target::Word { word, .. } => {
                    let path = Some(folder.join(&word));
                    Target::Word { word, path }
                }
                other => other,
            })
            .collect();
        match (all.len(), all.pop()) {
            (1, Some(one)) => one,
            (_, Some(last)) => {
                all.push(last);
                Target::Several(all)
            }
            (_, None) => Target::Several(Vec::new()),
        }
    }

    /// This target, or each of the list.
    #[must_use]
    pub fn each(&self) -> &[Target] {
        match self {
            Target::Several(list) => list,
            one => std::slice::from_ref(one),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::All => f.write_str("all"),
            Target::Word { word, .. } | Target::Name(word) | Target::Namespace(word) => {
                f.write_str(word)
            }
            Target::Id(id) => write!(f, "{id}"),
            Target::Regex(regex) => write!(f, "/{regex}/"),
            Target::Several(list) => {
                for (index, one) in list.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{one}")?;
                }
                Ok(())
            }
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let entry = |key: &str, value: &str, to: S| {
            let mut map = to.serialize_map(Some(1))?;
            map.serialize_entry(key, value)?;
            map.end()
        };
        match self {
            Target::All => to.serialize_str("all"),
            // A word that a string would not mean again is written with its key.
            Target::Word { word, path: None } if Target::from_word(word) == *self => {
                to.serialize_str(word)
            }
            Target::Word { word, path: None } => entry("word", word, to),
            Target::Word {
                word,
                path: Some(path),
            } => {
                let mut map = to.serialize_map(Some(2))?;
                map.serialize_entry("word", word)?;
                map.serialize_entry("path", path)?;
                map.end()
            }
            Target::Id(id) => {
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry("id", id)?;
                map.end()
            }
            Target::Name(name) => entry("name", name, to),
            Target::Namespace(name) => entry("namespace", name, to),
            Target::Regex(regex) => entry("regex", regex, to),
            Target::Several(list) => to.collect_seq(list),
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TargetVisitor)
    }
}

struct TargetVisitor;

impl<'de> Visitor<'de> for TargetVisitor {
    type Value = Target;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a target: \"all\", a name, an id, {\"id\":0}, {\"name\":\"...\"}, \
             {\"namespace\":\"...\"}, {\"regex\":\"...\"} or a list of these",
        )
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Target, E> {
        Ok(Target::from_word(word))
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<Target, E> {
        u32::try_from(id)
            .map(Target::Id)
            .map_err(|_| E::custom(format!("{id} is not an id")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Target, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = list.next_element()? {
            if matches!(one, Target::Several(_)) {
                return Err(A::Error::custom(
                    "a list of targets within a list of targets",
                ));
            }
            all.push(one);
        }
        Ok(Target::Several(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Target, A::Error> {
        let mut found: Option<Target> = None;
        let mut given_path: Option<PathBuf> = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == "path" {
                given_path = Some(map.next_value()?);
                continue;
            }
            let one = match key.as_str() {
                "id" => Target::Id(map.next_value()?),
                "name" => Target::Name(map.next_value()?),
                "namespace" => Target::Namespace(map.next_value()?),
                "regex" => Target::Regex(map.next_value()?),
                "word" => Target::Word {
                    word: map.next_value()?,
                    path: None,
                },
                _ => {
                    return Err(A::Error::unknown_field(
                        &key,
                        &["id", "name", "namespace", "regex", "word", "path"],
                    ));
                }
            };
            if found.replace(one).is_some() {
                return Err(A::Error::custom("a target with more than one meaning"));
            }
        }
        match (found, given_path) {
            (Some(Target::Word { word, .. }), path) => Ok(Target::Word { word, path }),
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => Err(A::Error::custom("`path` belongs to `word` only")),
            (None, _) => Err(A::Error::custom("a target without a meaning")),
        }
    }
}
