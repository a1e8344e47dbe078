//! What has been set? The store behind `set`, `get`, `unset` and `conf`.
//!
//! `settings.json` in the home: objects in objects, with texts at the ends. A key names the way to
//! one with `:` or `.` between its parts; a part in double quotes may have these letters in it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::durable::{self, DurableError};
use crate::home::Home;

/// Parts of a key.
const MOST_PARTS: usize = 16;
/// Bytes of a key.
const MOST_KEY_BYTES: usize = 1024;
/// Bytes of a value.
const MOST_VALUE_BYTES: usize = 64 * 1024;
/// Bytes of the file.
const MOST_BYTES: u64 = 1024 * 1024;
/// Words that mean something else to programs in JavaScript that read such a tree.
const RESERVED: [&str; 3] = ["__proto__", "constructor", "prototype"];

/// Why a setting was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The key names nothing that could be there.
    #[error("the key {key:?} {what}")]
    Key {
        /// The key.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// The value is too long.
    #[error("the value of {key:?} has {bytes} bytes, and {MOST_VALUE_BYTES} is the most")]
    Value {
        /// The key.
        key: String,
        /// So many it has.
        bytes: usize,
    },
    /// There is no such setting.
    #[error("nothing is set under {key:?}")]
    NotSet {
        /// The key.
        key: String,
    },
    /// What was to have a value has settings below it.
    #[error("{key:?} has {below} settings below it")]
    Section {
        /// The key.
        key: String,
        /// How many.
        below: usize,
    },
    /// What was to have settings below it has a value.
    #[error("{key:?} cannot be set, because {above:?} has a value")]
    BelowValue {
        /// The key.
        key: String,
        /// The part of it that has a value.
        above: String,
    },
    /// Keys and values do not come in pairs.
    #[error("{0}")]
    Pairs(String),
    /// The file is not what it should be. It is left as it is.
    #[error("{} cannot be understood: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        what: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Unwritten(#[from] DurableError),
}

impl SettingsError {
    /// What the user can do about it; may be empty.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Key { .. } => "a key is like `web:color` or `web.color`; a part with a dot \
                                 in it goes into double quotes"
                .to_owned(),
            Self::NotSet { .. } => "`tine conf` shows all settings".to_owned(),
            Self::Section { key, .. } => format!("`tine unset {key}` removes them"),
            Self::BelowValue { above, .. } => format!("`tine unset {above}` removes it"),
            Self::Pairs(_) => "give `KEY VALUE KEY VALUE`, each value with spaces in quotes".into(),
            Self::Malformed { path, .. } => {
                format!("correct it, or move {} away", path.display())
            }
            Self::Unwritten(error) => error.hint(),
            Self::Value { .. } => "keep it in a file, and its path here".to_owned(),
            Self::Unreadable { .. } => String::new(),
        }
    }
}

/// All settings of one home. What is changed is on the disk when the call returns.
#[derive(Debug)]
pub struct Settings {
    path: PathBuf,
    tree: Map<String, Value>,
}

impl Settings {
    /// Those in the home's file; none if there is no file.
    ///
    /// # Errors
    /// [`SettingsError::Malformed`], [`SettingsError::Unreadable`].
    pub fn load(home: &Home) -> Result<Self, SettingsError> {
        let path = home.settings();
        let tree = read(&path)?;
        Ok(Self { path, tree })
    }

    /// As [`load`](Self::load), for a daemon that has to come up: a file that cannot be understood
    /// is moved aside, and where it went is told with what was wrong with it.
    ///
    /// # Errors
    /// [`SettingsError::Unreadable`], [`SettingsError::Unwritten`].
    pub fn load_or_set_aside(
        home: &Home,
    ) -> Result<(Self, Option<(PathBuf, SettingsError)>), SettingsError> {
        match Self::load(home) {
            Ok(settings) => Ok((settings, None)),
            Err(error @ SettingsError::Malformed { .. }) => {
                let path = home.settings();
                let aside = durable::set_aside(&path)?;
                let tree = Map::new();
                Ok((Self { path, tree }, Some((aside, error))))
            }
            Err(error) => Err(error),
        }
    }

    /// Every setting by its whole key, with `:` between the parts.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        flatten(&self.tree, "", &mut all);
        all
    }

    /// The setting with this key, or all below it, by their whole keys.
    ///
    /// # Errors
    /// [`SettingsError::NotSet`], [`SettingsError::Key`].
    pub fn get(&self, key: &str) -> Result<BTreeMap<String, String>, SettingsError> {
        let parts = parts(key)?;
        let found = self.find(&parts).ok_or_else(|| SettingsError::NotSet {
            key: key.to_owned(),
        })?;
        let mut all = BTreeMap::new();
        match found {
            Value::Object(below) => flatten(below, &whole(&parts), &mut all),
            value => {
                all.insert(whole(&parts), text(value));
            }
        }
        Ok(all)
    }

    /// What is set directly below a name: what belongs to an app or module of that name.
    #[must_use]
    pub fn section(&self, name: &str) -> BTreeMap<String, String> {
        let Some(Value::Object(below)) = self.tree.get(name) else {
            return BTreeMap::new();
        };
        let each = below.iter();
        each.map(|(key, value)| (key.clone(), text(value)))
            .collect()
    }

    /// Sets one.
    ///
    /// # Errors
    /// [`SettingsError`]; then nothing is changed.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SettingsError> {
        self.set_all(&[(key.to_owned(), value.to_owned())])
    }

    /// Sets all of these or none, in this order.
    ///
    /// # Errors
    /// [`SettingsError`]; then nothing is changed.
    pub fn set_all(&mut self, pairs: &[(String, String)]) -> Result<(), SettingsError> {
        let mut tree = self.tree.clone();
        for (key, value) in pairs {
            if value.len() > MOST_VALUE_BYTES {
                return Err(SettingsError::Value {
                    key: key.clone(),
                    bytes: value.len(),
                });
            }
            put(&mut tree, key, value)?;
        }
        self.keep(tree)
    }

    /// Removes a setting, or all below a name, or all that there are (`all`).
    ///
    /// # Errors
    /// [`SettingsError`]; then nothing is changed.
    pub fn unset(&mut self, key: &str) -> Result<(), SettingsError> {
        if key == "all" {
            return self.keep(Map::new());
        }
        let parts = parts(key)?;
        let mut tree = self.tree.clone();
        if !remove(&mut tree, &parts) {
            return Err(SettingsError::NotSet {
                key: key.to_owned(),
            });
        }
        self.keep(tree)
    }

    fn find(&self, parts: &[String]) -> Option<&Value> {
        let (first, rest) = parts.split_first()?;
        rest.iter()
            .try_fold(self.tree.get(first)?, |value, part| value.get(part))
    }

    fn keep(&mut self, tree: Map<String, Value>) -> Result<(), SettingsError> {
        let bytes = serde_json::to_vec_pretty(&tree).map_err(|error| DurableError {
            doing: "write",
            path: self.path.clone(),
            error: error.into(),
        })?;
        if bytes.len() as u64 > MOST_BYTES {
            let error = io::Error::other(format!("more than {MOST_BYTES} bytes"));
            return Err(SettingsError::Unwritten(DurableError {
                doing: "write",
                path: self.path.clone(),
                error,
            }));
        }
        durable::write(&self.path, &bytes)?;
        self.tree = tree;
        Ok(())
    }
}

/// The pairs of a text such as `color red "name.of" "two words"`.
///
/// # Errors
/// [`SettingsError::Pairs`].
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, SettingsError> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in text.chars() {
        match quote {
            Some(open) if letter == open => quote = None,
            Some(_) => word.get_or_insert_default().push(letter),
            None if letter == '"' || letter == '\'' => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            None if letter.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(letter),
        }
    }
    if let Some(open) = quote {
        return Err(SettingsError::Pairs(format!("a {open} is not closed")));
    }
    words.extend(word);
    if words.is_empty() {
        return Err(SettingsError::Pairs("there is no key".to_owned()));
    }
    let mut pairs = Vec::new();
    let mut words = words.into_iter();
    while let Some(key) = words.next() {
        let Some(value) = words.next() else {
            return Err(SettingsError::Pairs(format!(
                "the key {key:?} has no value"
            )));
        };
        pairs.push((key, value));
    }
    Ok(pairs)
}

fn read(path: &Path) -> Result<Map<String, Value>, SettingsError> {
    let malformed = |what: String| SettingsError::Malformed {
        path: path.to_owned(),
        what,
    };
    let bytes = match fs::metadata(path) {
        Ok(there) if there.len() > MOST_BYTES => {
            return Err(malformed(format!("it has more than {MOST_BYTES} bytes")));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Map::new()),
        Ok(_) | Err(_) => fs::read(path).map_err(|error| SettingsError::Unreadable {
            path: path.to_owned(),
            error,
        })?,
    };
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(tree)) => Ok(tree),
        Ok(_) => Err(malformed("it is no object".to_owned())),
        Err(error) => Err(malformed(error.to_string())),
    }
}

fn parts(key: &str) -> Result<Vec<String>, SettingsError> {
    let wrong = |what: String| SettingsError::Key {
        key: key.chars().take(80).collect(),
        what,
    };
    if key.len() > MOST_KEY_BYTES {
        return Err(wrong(format!("has more than {MOST_KEY_BYTES} bytes")));
    }
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for letter in key.chars() {
        match letter {
            '"' => quoted = !quoted,
            ':' | '.' if !quoted => parts.push(String::new()),
            letter if letter.is_control() => return Err(wrong("has a control letter".into())),
            letter => parts.last_mut().map_or((), |part| part.push(letter)),
        }
    }
    if quoted {
        return Err(wrong("has a quote that is not closed".into()));
    }
    if parts.iter().any(String::is_empty) {
        return Err(wrong("has an empty part".into()));
    }
    if parts.len() > MOST_PARTS {
        return Err(wrong(format!("has more than {MOST_PARTS} parts")));
    }
    if let Some(word) = parts.iter().find(|part| RESERVED.contains(&part.as_str())) {
        return Err(wrong(format!("has the reserved word {word}")));
    }
    Ok(parts)
}

/// The key of these parts, as [`parts`] reads it.
fn whole(parts: &[String]) -> String {
    let each = parts.iter().map(|part| match part.contains([':', '.']) {
        true => format!("\"{part}\""),
        false => part.clone(),
    });
    each.collect::<Vec<_>>().join(":")
}

fn put(tree: &mut Map<String, Value>, key: &str, value: &str) -> Result<(), SettingsError> {
    let parts = parts(key)?;
    let Some((last, above)) = parts.split_last() else {
        return Ok(());
    };
    let mut at = tree;
    for (depth, part) in above.iter().enumerate() {
        let next = at
            .entry(part.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        at = match next {
            Value::Object(below) => below,
            _ => {
                return Err(SettingsError::BelowValue {
                    key: key.to_owned(),
                    above: whole(&parts[..=depth]),
                });
            }
        };
    }
    if let Some(Value::Object(below)) = at.get(last)
        && !below.is_empty()
    {
        let mut all = BTreeMap::new();
        flatten(below, "", &mut all);
        return Err(SettingsError::Section {
            key: key.to_owned(),
            below: all.len(),
        });
    }
    at.insert(last.clone(), Value::String(value.to_owned()));
    Ok(())
}

/// Whether it was there. A section that has nothing left goes with it.
fn remove(tree: &mut Map<String, Value>, parts: &[String]) -> bool {
    let Some((first, rest)) = parts.split_first() else {
        return false;
    };
    if rest.is_empty() {
        return tree.remove(first).is_some();
    }
    let Some(Value::Object(below)) = tree.get_mut(first) else {
        return false;
    };
    let removed = remove(below, rest);
    if below.is_empty() {
        tree.remove(first);
    }
    removed
}

fn flatten(tree: &Map<String, Value>, above: &str, all: &mut BTreeMap<String, String>) {
    for (part, value) in tree {
        let own = whole(std::slice::from_ref(part));
        let key = match above {
            "" => own,
            above => format!("{above}:{own}"),
        };
        match value {
            Value::Object(below) => flatten(below, &key, all),
            value => {
                all.insert(key, text(value));
            }
        }
    }
}

/// A text as it is; what somebody has written into the file by hand otherwise as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests;
