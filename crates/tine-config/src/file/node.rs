//! What is written in a process file, in any language, and where?

use crate::problem::Place;
use serde_json::Number;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Option<Place>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// What JSON has no word for: a function, `NaN`.
    Odd(String),
}

/// A key with its value. A key may occur twice.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Option<Place>,
    pub(crate) node: Node,
}

/// The key that stands for an [`Odd`](Value::Odd) value in what a runtime hands over.
pub(crate) const ODD: &str = "tine:odd";

impl Node {
    pub(crate) fn new(value: Value, place: Option<Place>) -> Node {
        Node { value, place }
    }

    /// Without places.
    pub(crate) fn from_json(json: serde_json::Value) -> Node {
        use serde_json::Value as Json;
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(on) => Value::Bool(on),
            Json::Number(number) => Value::Number(number),
            Json::String(text) => Value::Text(text),
            Json::Array(list) => Value::List(list.into_iter().map(Node::from_json).collect()),
            Json::Object(map) => match map.get(ODD) {
                Some(Json::String(odd)) if map.len() == 1 => Value::Odd(odd.clone()),
                _ => Value::Map(
                    map.into_iter()
                        .map(|(key, json)| Entry {
                            key,
                            place: None,
                            node: Node::from_json(json),
                        })
                        .collect(),
                ),
            },
        };
        Node::new(value, None)
    }

    /// As JSON; of a key that occurs twice, the last counts.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(on) => Json::Bool(*on),
            Value::Number(number) => match integer(number) {
                // As JavaScript writes them: 1.0 is 1.
                Some(whole) => Json::from(whole),
                None => Json::Number(number.clone()),
            },
            Value::Text(text) | Value::Odd(text) => Json::String(text.clone()),
            Value::List(list) => list.iter().map(Node::to_json).collect(),
            Value::Map(map) => map
                .iter()
                .map(|entry| (entry.key.clone(), entry.node.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn map(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let mut all = self.map()?.iter();
        all.find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// A whole number, also one in a text.
    pub(crate) fn integer(&self) -> Option<i64> {
        match &self.value {
            Value::Number(number) => integer(number),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// For an error: what is there instead.
    pub(crate) fn described(&self) -> String {
        const LONGEST: usize = 40;
        match &self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(on) => on.to_string(),
            Value::Number(number) => format!("the number {number}"),
            Value::Text(text) if text.chars().count() > LONGEST => {
                let short: String = text.chars().take(LONGEST).collect();
                format!("the text {short:?}...")
            }
            Value::Text(text) => format!("the text {text:?}"),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "an object".to_owned(),
            Value::Odd(odd) => odd.clone(),
        }
    }
}

/// The number, if it is whole and exact.
fn integer(number: &Number) -> Option<i64> {
    if let Some(whole) = number.as_i64() {
        return Some(whole);
    }
    let float = number.as_f64()?;
    // 2^53: from there on not every whole number is a float of its own.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is whole and small enough"
    )]
    (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
}
