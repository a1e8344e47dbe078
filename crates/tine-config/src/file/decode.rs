//! What does a process file say of one app, and what of that is wrong?

use super::draft::Draft;
use super::fields::{FIELDS, Field, STATIC_FIELDS, find};
use super::node::{Entry, Node, Value};
use super::read::Document;
use super::sections::{Written, unknown};
use super::variables::Variables;
use crate::problem::{Found, Problem};
use tine_control::refused::{self, Fate, Refused};

/// Values that PM2 has as its defaults: whoever writes them asks for nothing.
const DEFAULTS: &[(&str, &str)] = &[
    ("pmx", "true"),
    ("automation", "true"),
    ("vizion", "true"),
    ("windows_hide", "true"),
    ("kill_retry_time", "100"),
];
/// What says how to watch. Alone it asks for nothing, and beside `watch` that is refused.
const OF_WATCH: &[&str] = &["ignore_watch", "watch_delay", "watch_options"];

/// Reads one app. What is wrong with it is put down with its name.
pub(super) fn decode(written: &Written<'_>, document: &Document, found: &mut Found) -> Draft {
    let node = written.node;
    let mut draft = Draft {
        label: label(written),
        place: written.place,
        is_server: written.is_static,
        ..Draft::default()
    };
    draft.options.name = written.name.map(str::to_owned);
    let mut own = Found::default();
    let mut seen: Vec<(&'static str, &Entry)> = Vec::new();
    for entry in node.map().unwrap_or_default() {
        let fields = if written.is_static {
            STATIC_FIELDS
        } else {
            FIELDS
        };
        if let Some(field) = find(fields, &entry.key) {
            let before = seen.iter().find(|(name, _)| *name == field.name);
            if let Some((_, before)) = before {
                twice(entry, before, document, &mut own);
                continue;
            }
            seen.push((field.name, entry));
            set(&mut draft, field, entry, document, &mut own);
        } else if written.is_static {
            serving(&mut draft, entry, document, &mut own);
        } else if !variables(&mut draft, entry, document, &mut own) {
            other(entry, document, &mut own);
        }
    }
    for problem in own.0 {
        found.add(Problem {
            file: Some(document.shown.clone()),
            ..problem.app(&draft.label)
        });
    }
    draft
}

/// The name, if it has one.
fn label(written: &Written<'_>) -> String {
    let name = written.node.get("name").and_then(Node::text);
    let name = name.filter(|name| !name.trim().is_empty());
    match name.or(written.name) {
        Some(name) => name.to_owned(),
        None => written.label.clone(),
    }
}

fn set(
    draft: &mut Draft,
    field: &'static Field,
    entry: &Entry,
    document: &Document,
    found: &mut Found,
) {
    draft.written.insert(
        field.name,
        (entry.key.clone(), document.place_of_value(entry)),
    );
    // Not given.
    if entry.node.value == Value::Null {
        return;
    }
    if !(field.set)(draft, &entry.node) {
        found.add(wrong(field.expected, entry, document));
    }
}

fn wrong(expected: &str, entry: &Entry, document: &Document) -> Problem {
    let hint = match (&entry.node.value, expected) {
        (Value::Text(text), "true or false") if text == "true" || text == "false" => {
            "write it without quotes"
        }
        _ => "",
    };
    let text = format!("expected {expected}, found {}", entry.node.described());
    Problem::error(text)
        .field(entry.key.as_str())
        .hint(hint)
        .at(document.place_of_value(entry))
}

/// One field under two names. If both say the same, nothing is lost.
fn twice(entry: &Entry, before: &Entry, document: &Document, found: &mut Found) {
    if entry.node.to_json() == before.node.to_json() {
        return;
    }
    let text = if entry.key == before.key {
        "is given twice, with different values".to_owned()
    } else {
        format!("is given as `{}` too, with another value", before.key)
    };
    found.add(
        Problem::error(text)
            .hint("keep one of them")
            .field(entry.key.as_str())
            .at(document.place_of(entry)),
    );
}

/// `env` and `env_NAME`. False if it is none of them.
fn variables(draft: &mut Draft, entry: &Entry, document: &Document, found: &mut Found) -> bool {
    let of = entry.key.strip_prefix("env_").filter(|of| !of.is_empty());
    if entry.key != "env" && of.is_none() {
        return false;
    }
    if entry.key == "env" {
        let place = document.place_of_value(entry);
        draft.written.insert("env", (entry.key.clone(), place));
    }
    if entry.node.value == Value::Null {
        return true;
    }
    match Variables::read(&entry.key, &entry.node) {
        Err(problems) => {
            for problem in problems {
                let place = document.place_of_value(entry);
                let has_place = problem.line.is_some();
                found.add(if has_place {
                    problem
                } else {
                    problem.at(place)
                });
            }
        }
        Ok(read) => match of {
            None => draft.env = read,
            Some(of) => {
                draft.env_of.insert(of.to_owned(), read);
            }
        },
    }
    true
}

/// What a server of files has besides.
fn serving(draft: &mut Draft, entry: &Entry, document: &Document, found: &mut Found) {
    match entry.key.as_str() {
        "basic_auth" | "basicAuth" if entry.node.value == Value::Null => {}
        "basic_auth" | "basicAuth" => {
            let part = |key| entry.node.get(key).and_then(Node::text).map(str::to_owned);
            draft.serve.user = part("username");
            draft.serve.password = part("password");
            if draft.serve.user.is_none() || draft.serve.password.is_none() {
                found.add(
                    Problem::error("expected an object with `username` and `password`, both texts")
                        .field(entry.key.as_str())
                        .at(document.place_of(entry)),
                );
            }
        }
        "monitor" if matches!(entry.node.value, Value::Null | Value::Bool(false)) => {}
        "monitor" => found.add(
            Problem::error("scripts of PM2 Plus are not put into pages")
                .hint("remove it")
                .field(entry.key.as_str())
                .at(document.place_of(entry)),
        ),
        key => {
            let names: Vec<String> = STATIC_FIELDS.iter().flat_map(Field::names).collect();
            let known = names.iter().map(String::as_str);
            found.add(unknown(key, known.chain(["basic_auth"])).at(document.place_of(entry)));
        }
    }
}

/// What is not there, and what nobody knows.
fn other(entry: &Entry, document: &Document, found: &mut Found) {
    let place = document.place_of(entry);
    let Some(field) = refused::field(&entry.key) else {
        let names: Vec<String> = FIELDS.iter().flat_map(Field::names).collect();
        let known = names.iter().map(String::as_str).chain(["env"]);
        found.add(unknown(&entry.key, known).at(place));
        return;
    };
    if asks_for_nothing(field, &entry.node) {
        return;
    }
    let problem = match field.fate {
        Fate::Later | Fate::Never => {
            Problem::error(field.reason).hint(format!("remove `{}`", entry.key))
        }
        Fate::Needless => Problem::warning(field.reason).hint("it can be removed"),
    };
    found.add(problem.field(entry.key.as_str()).at(place));
}

fn asks_for_nothing(field: &Refused, node: &Node) -> bool {
    let value = node.to_json();
    field.is_switched_off_by(&value)
        || OF_WATCH.contains(&field.field)
        || DEFAULTS.contains(&(field.field, value.to_string().as_str()))
}
