//! What docs/control.md says is what is so.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod samples;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tine_control::limits;
use tine_control::line::{Greeting, ServerLine};
use tine_control::request::{self, VERBS};
use tine_control::{AppSpec, ErrorCode, Note, What};

const DOCUMENT: &str = include_str!("../../../docs/control.md");

/// The lines of each block of JSON.
fn blocks() -> Vec<Vec<&'static str>> {
    let mut blocks = Vec::new();
    let mut open: Option<Vec<&str>> = None;
    for line in DOCUMENT.lines() {
        match (&mut open, line) {
            (None, "```json") => open = Some(Vec::new()),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(lines), line) => lines.push(line),
            (None, _) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// The words that the first column of the table under a heading or after a text has.
fn first_column(after: &str) -> BTreeSet<&'static str> {
    let (_, rest) = DOCUMENT.split_once(after).expect(after);
    rest.lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .flat_map(|line| line.split('|').nth(1).unwrap().split(','))
        .map(|word| word.trim().trim_end_matches('*').trim_matches('`'))
        .collect()
}

#[test]
fn every_example_is_what_is_really_said() {
    let mut asked = BTreeSet::new();
    let mut lines = 0;
    for block in blocks() {
        // Within a block an id is that of its latest request.
        let mut words: BTreeMap<u64, &'static str> = BTreeMap::new();
        for line in block {
            lines += 1;
            let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
            if value.get("tine").is_some() {
                let greeting: Greeting = serde_json::from_value(value).unwrap();
                assert_eq!(greeting.version, limits::VERSION);
                continue;
            }
            if value.get("do").is_some() {
                let (id, request) = request::read(line.as_bytes()).expect(line);
                words.insert(id, request.word());
                asked.insert(request.word());
                continue;
            }
            match ServerLine::read(line.as_bytes()).expect(line) {
                ServerLine::Ok(id, ok) => {
                    let word = words.get(&id).expect(line);
                    let answer = request::read_answer(word, ok.get()).expect(line);
                    // Nothing in the example is unknown to what was read.
                    if *word != "describe" {
                        let again = serde_json::to_value(&answer).unwrap();
                        let given: Value = serde_json::from_str(ok.get()).unwrap();
                        assert_eq!(again, given, "{line}");
                    }
                }
                ServerLine::Failed(id, failure) => {
                    assert!(id.is_none_or(|id| words.contains_key(&id)), "{line}");
                    assert_ne!(failure.code, ErrorCode::Unknown, "{line}");
                }
                ServerLine::Note(id, note) => {
                    assert!(words.contains_key(&id), "{line}");
                    assert_ne!(note, Note::Unknown, "{line}");
                }
                ServerLine::Event(event) => {
                    assert_ne!(event.what, What::Unknown, "{line}");
                    assert_eq!(serde_json::to_value(&event).unwrap(), value, "{line}");
                }
                ServerLine::Gap(_) => {}
                ServerLine::Unknown => panic!("{line}"),
            }
        }
    }
    assert!(lines > 40, "the examples were not found");
    assert_eq!(
        asked,
        VERBS.iter().copied().collect(),
        "a verb has no example"
    );
}

#[test]
fn the_tables_have_every_word() {
    assert_eq!(first_column("## Verbs"), VERBS.iter().copied().collect());

    let notes = samples::notes();
    let words = notes
        .iter()
        .map(|note| serde_json::to_value(note).unwrap()["note"].clone());
    let words: BTreeSet<String> = words
        .map(|word| word.as_str().unwrap().to_owned())
        .collect();
    let table = first_column("They tell how far it has come");
    assert_eq!(table, words.iter().map(String::as_str).collect());

    let all = samples::happenings();
    let words = all
        .iter()
        .map(|what| serde_json::to_value(what).unwrap()["what"].clone());
    let words: BTreeSet<String> = words
        .map(|word| word.as_str().unwrap().to_owned())
        .collect();
    let table = first_column("## Events");
    assert_eq!(table, words.iter().map(String::as_str).collect());

    for word in first_column("## Errors") {
        let code: ErrorCode = serde_json::from_value(word.into()).unwrap();
        assert_ne!(code, ErrorCode::Unknown, "{word}");
    }
    let process = serde_json::to_value(samples::process()).unwrap();
    let mut fields: BTreeSet<&str> = process
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    fields.extend(["next_start", "reason"]);
    assert_eq!(first_column("## Processes"), fields);
}

#[test]
fn the_fields_of_verbs_are_as_in_the_table() {
    let table: BTreeMap<&str, BTreeSet<&str>> = DOCUMENT
        .split_once("## Verbs")
        .unwrap()
        .1
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            let cells: Vec<&str> = line.split('|').collect();
            let word = cells[1].trim_matches([' ', '`']);
            // What stands in brackets is an explanation.
            let fields = cells[2].split(", ").filter_map(|field| {
                let field = field.trim().trim_start_matches('[');
                field.strip_prefix('`')?.split('`').next()
            });
            let fields = fields.filter(|field| !field.contains(['"', '+']) && *field != "4");
            (word, fields.collect())
        })
        .collect();
    for word in VERBS {
        // A field that is not known is answered with those that are.
        let line = format!(r#"{{"id":1,"do":"{word}","nonsense":1}}"#);
        let text = request::read(line.as_bytes()).unwrap_err().failure.text;
        let known: BTreeSet<&str> = text
            .split_once("expected")
            .map_or("", |(_, known)| known)
            .split('`')
            .skip(1)
            .step_by(2)
            .collect();
        assert_eq!(known, table[word], "{word}: {text}");
    }
}

#[test]
fn the_figures_are_those_of_the_code() {
    let mib = |bytes: usize| format!("{} MiB", bytes / 1024 / 1024);
    for (text, figure) in [
        (
            format!("more than {} with its newline", mib(limits::LINE_BYTES)),
            "LINE_BYTES",
        ),
        (
            format!("{} wait that", mib(limits::UNREAD_BYTES)),
            "UNREAD_BYTES",
        ),
        (
            format!("or {} of them", mib(limits::EVENT_BYTES)),
            "EVENT_BYTES",
        ),
        (
            format!("within {} seconds", limits::FIRST_REQUEST.as_secs()),
            "FIRST_REQUEST",
        ),
        (
            format!("{} connections", limits::CONNECTIONS),
            "CONNECTIONS",
        ),
        (
            format!("{} requests of this one", limits::REQUESTS),
            "REQUESTS",
        ),
        ("the last 4,096 are kept".to_owned(), "EVENTS"),
        ("has five seconds to be read".to_owned(), "LAST_WORDS"),
    ] {
        assert!(DOCUMENT.contains(&text), "{figure}: {text}");
    }
    assert_eq!(limits::EVENTS, 4096);
    assert_eq!(limits::LAST_WORDS.as_secs(), 5);
}

#[test]
fn the_three_fields_without_defaults_are_those_that_are_named() {
    assert!(DOCUMENT.contains("Only `name`, `script` and `cwd` have no defaults"));
    let missing: Vec<String> = AppSpec::default()
        .check()
        .into_iter()
        .map(|one| one.field)
        .collect();
    assert_eq!(missing, ["name", "script", "cwd"]);
}
