//! How does a process file become values with places?

use super::find::{Language, language};
use super::node::{Entry, Node};
use super::{javascript, json5, toml, yaml};
use crate::around::Around;
use crate::problem::{Place, Problem};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a process file comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// This file, from the caller's folder if it is relative; the language is told by its name.
    File(PathBuf),
    /// Standard input, JSON or JSON5.
    Stdin,
    /// This text, JSON or JSON5, as if it had come on standard input.
    Text(String),
}

/// The most bytes of a process file.
const LARGEST: u64 = 8 * 1024 * 1024;

/// A process file as it was read.
pub(super) struct Document {
    pub(super) root: Node,
    /// The absolute path.
    pub(super) path: Option<PathBuf>,
    /// How problems name it.
    pub(super) shown: Box<Path>,
    pub(super) language: Language,
    /// The text of a program, in which places are looked for.
    program: Option<String>,
}

impl Document {
    /// The place of a key: of the entry itself, or in the text of a program.
    pub(super) fn place_of(&self, entry: &Entry) -> Option<Place> {
        entry.place.or_else(|| {
            let program = self.program.as_deref()?;
            javascript::place_of_key(program, &entry.key)
        })
    }

    /// The place of a value, else that of its key.
    pub(super) fn place_of_value(&self, entry: &Entry) -> Option<Place> {
        entry.node.place.or_else(|| self.place_of(entry))
    }
}

/// Reads and, if it is a program, evaluates.
pub(super) fn read(source: &Source, time: Duration, around: &Around) -> Result<Document, Problem> {
    let shown = match source {
        Source::File(path) => shown(path, around),
        Source::Stdin | Source::Text(_) => PathBuf::from("-"),
    };
    document(source, &shown, time, around).map_err(|problem| Problem {
        file: Some(shown.into()),
        ..problem
    })
}

/// As short as it is certain: from the caller's folder if it is in it.
fn shown(path: &Path, around: &Around) -> PathBuf {
    let short = path.strip_prefix(&around.cwd).ok();
    let short = short.filter(|short| !short.as_os_str().is_empty());
    short.unwrap_or(path).to_owned()
}

fn document(
    source: &Source,
    shown: &Path,
    time: Duration,
    around: &Around,
) -> Result<Document, Problem> {
    let (path, language, text) = match source {
        Source::Text(text) => (None, Language::Json, text.clone()),
        Source::Stdin => {
            let text = text(std::io::stdin().lock())?;
            (None, Language::Json, text)
        }
        Source::File(path) => {
            let path = crate::around::normal(&around.cwd.join(path));
            let language = language(&path).ok_or_else(|| {
                Problem::error("its name does not say in which language it is written")
                    .hint("call it `*.config.js`, `*.json`, `*.yaml` or `tine.toml`")
            })?;
            let text = text(open(&path)?)?;
            (Some(path), language, text)
        }
    };
    let root = match (language, &path) {
        (Language::Json, _) => json5::read(&text)?,
        (Language::Yaml, _) => yaml::read(&text)?,
        (Language::Toml, _) => toml::read(&text)?,
        (Language::JavaScript | Language::TypeScript, Some(path)) => {
            javascript::read(path, language, time, around)?
        }
        (Language::JavaScript | Language::TypeScript, None) => {
            return Err(Problem::error("a program cannot come from standard input"));
        }
    };
    let is_program = matches!(language, Language::JavaScript | Language::TypeScript);
    Ok(Document {
        root,
        path,
        shown: shown.into(),
        language,
        program: is_program.then_some(text),
    })
}

fn open(path: &Path) -> Result<std::fs::File, Problem> {
    let refuse = |text: String| {
        Problem::error(text).hint("`tine init` writes a first process file; look at the path")
    };
    // Opening a pipe would wait for somebody to write to it.
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(refuse("it is not a file".to_owned())),
        Err(error) => return Err(refuse(format!("reading it: {error}"))),
    }
    std::fs::File::open(path).map_err(|error| refuse(format!("reading it: {error}")))
}

fn text(from: impl Read) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Problem::error(format!("reading it: {error}")).hint("try again"))?;
    if bytes.len() as u64 > LARGEST {
        return Err(Problem::error(format!("it has more than {LARGEST} bytes"))
            .hint("a process file only says which apps there are"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Problem::error(format!("byte {} of it is not UTF-8", at + 1)).hint("save it as UTF-8")
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}
