//! What may the value of a field look like, and what does it mean?

use super::node::{Node, Value};
use crate::options::{self, LogFile, Words};
use serde_json::json;
use std::time::Duration;
use tine_control::{Balance, ExecMode, FilterEnv, LogType};
use tine_rules::Instances;

/// A kind of value.
pub(super) trait Shape {
    /// What is made of it.
    type Out;
    /// For an error: what would have been right.
    const EXPECTED: &'static str;
    /// What it means; nothing if it is no such value.
    fn read(node: &Node) -> Option<Self::Out>;
    /// For an editor.
    fn schema() -> serde_json::Value;
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident -> $out:ty, $expected:literal, $schema:expr, |$node:ident| $read:expr;)*) => {
        $(
            $(#[$doc])*
            pub(super) struct $name;

            impl Shape for $name {
                type Out = $out;
                const EXPECTED: &'static str = $expected;

                fn read($node: &Node) -> Option<$out> {
                    $read
                }

                fn schema() -> serde_json::Value {
                    $schema
                }
            }
        )*
    };
}

shapes! {
    Text -> String, "a text", json!({"type": "string"}), |node| node.text().map(str::to_owned);

    Flag -> bool, "true or false", json!({"type": "boolean"}), |node| match node.value {
        Value::Bool(on) => Some(on),
        _ => None,
    };

    /// A user or group.
    Identity -> String, "a name or a number", json!({"type": ["string", "integer"]}), |node| {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Number(_) => Some(u32::try_from(node.integer()?).ok()?.to_string()),
            _ => None,
        }
    };

    Count -> u32, "a whole number from 0",
        json!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+$"}]}),
        |node| u32::try_from(node.integer()?).ok();

    Port -> u16, "a number from 0 to 65535",
        json!({"anyOf": [{"type": "integer", "minimum": 0, "maximum": 65535}, {"type": "string", "pattern": "^[0-9]+$"}]}),
        |node| u16::try_from(node.integer()?).ok();

    Time -> Duration, "milliseconds, or a whole number with s, m or h",
        json!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)?$"}]}),
        |node| match &node.value {
            Value::Text(text) => options::duration(text.trim()).ok(),
            _ => u64::try_from(node.integer()?).ok().map(Duration::from_millis),
        };

    /// Words; a text is split with the quotes of a shell.
    WordList -> Words, "a text or a list of texts",
        json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": ["string", "number", "boolean"]}}]}),
        |node| match &node.value {
            Value::Text(text) => Some(Words::Line(text.clone())),
            Value::Number(_) => Some(Words::List(vec![word(node)?])),
            Value::List(list) => list.iter().map(word).collect::<Option<_>>().map(Words::List),
            _ => None,
        };

    InstanceCount -> Instances, "a number of instances, or \"max\"",
        json!({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^(max|-?[0-9]+)$"}]}),
        |node| match &node.value {
            Value::Text(text) => text.trim().parse().ok(),
            _ => node.integer()?.to_string().parse().ok(),
        };

    Mode -> ExecMode, "\"fork\" or \"cluster\"",
        json!({"enum": ["fork", "cluster", "fork_mode", "cluster_mode"]}),
        |node| match node.text()? {
            "fork" | "fork_mode" => Some(ExecMode::Fork),
            "cluster" | "cluster_mode" => Some(ExecMode::Cluster),
            _ => None,
        };

    Balancing -> Balance, "auto, rr, least, shared, kernel or sticky",
        json!({"enum": ["auto", "rr", "least", "shared", "kernel", "sticky"]}),
        |node| serde_json::from_value(node.text()?.into()).ok();

    LineKind -> LogType, "\"raw\" or \"json\"", json!({"enum": ["raw", "json"]}),
        |node| serde_json::from_value(node.text()?.into()).ok();

    BothLog -> LogFile, "a path, true or false", json!({"type": ["string", "boolean"]}),
        |node| match &node.value {
            Value::Text(path) => Some(LogFile::At(path.clone())),
            Value::Bool(true) => Some(LogFile::Default),
            Value::Bool(false) => Some(LogFile::None),
            _ => None,
        };

    Filter -> FilterEnv, "true, false, a text or a list of texts",
        json!({"anyOf": [{"type": ["boolean", "string"]}, {"type": "array", "items": {"type": "string"}}]}),
        |node| match &node.value {
            Value::Bool(all) => Some(FilterEnv::All(*all)),
            Value::Text(one) => Some(FilterEnv::Named(one.clone())),
            Value::List(list) => list
                .iter()
                .map(|one| one.text().map(str::to_owned))
                .collect::<Option<_>>()
                .map(FilterEnv::Containing),
            _ => None,
        };

    Codes -> Vec<i32>, "an exit code or a list of exit codes",
        json!({"anyOf": [{"$ref": "#/$defs/exit_code"}, {"type": "array", "items": {"$ref": "#/$defs/exit_code"}}]}),
        |node| match &node.value {
            Value::List(list) => list.iter().map(code).collect(),
            Value::Text(text) => text
                .split(|letter: char| letter == ',' || letter.is_whitespace())
                .filter(|word| !word.is_empty())
                .map(|word| word.parse().ok())
                .collect(),
            _ => Some(vec![code(node)?]),
        };

    /// Anything that is an object, as JSON.
    Object -> String, "an object", json!({"type": "object"}), |node| {
        node.map().map(|_| node.to_json().to_string())
    };
}

fn word(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(node.to_json().to_string()),
        _ => None,
    }
}

fn code(node: &Node) -> Option<i32> {
    i32::try_from(node.integer()?).ok()
}

/// `max_restarts` as `maxRestarts`.
pub(super) fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut after = false;
    for letter in name.chars() {
        match letter {
            '_' => after = true,
            letter if std::mem::take(&mut after) => camel.push(letter.to_ascii_uppercase()),
            letter => camel.push(letter),
        }
    }
    camel
}
