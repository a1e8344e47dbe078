//! How is YAML read, so that every key has its place?

use super::node::{Entry, Node, Value};
use crate::problem::{Place, Problem};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// Reads one document, within limits on anchors and depth.
pub(crate) fn read(text: &str) -> Result<Node, Problem> {
    let mut options = serde_saphyr::Options::default();
    options.with_snippet = false;
    // As in YAML 1.2 and js-yaml: `yes` and `on` are texts.
    options.strict_booleans = true;
    // 0755 and 01234 keep their zeros.
    options.leading_zero_numbers_as_strings = true;
    match serde_saphyr::from_str_with_options::<Spanned<Plain>>(text, options) {
        Ok(spanned) => Ok(spanned.into()),
        Err(error) => {
            let place = error.location().and_then(place);
            let text = error.to_string();
            let first = text.lines().next().unwrap_or("it is not YAML").to_owned();
            Err(Problem::error(first)
                .at(place)
                .hint("look at the indentation there; texts with `: ` or `#` in them need quotes"))
        }
    }
}

fn place(location: Location) -> Option<Place> {
    let number = |count| u32::try_from(count).ok().filter(|count| *count > 0);
    Some(Place {
        line: number(location.line())?,
        column: number(location.column()),
    })
}

/// A value whose own place is not known yet.
struct Plain(Value);

impl From<Spanned<Plain>> for Node {
    fn from(spanned: Spanned<Plain>) -> Node {
        Node::new(spanned.value.0, place(spanned.referenced))
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(PlainVisitor).map(Plain)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Value, E> {
        Ok(Value::Bool(on))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(match Number::from_f64(number) {
            Some(number) => Value::Number(number),
            None => Value::Odd(number.to_string()),
        })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(one) = from.next_element::<Spanned<Plain>>()? {
            list.push(one.into());
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((key, node)) = from.next_entry::<Spanned<Key>, Spanned<Plain>>()? {
            map.push(Entry {
                key: key.value.0,
                place: place(key.referenced),
                node: node.into(),
            });
        }
        Ok(Value::Map(map))
    }
}

/// A key: a text, or what can be written as one.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Plain::deserialize(from)?.0 {
            Value::Text(text) => Ok(Key(text)),
            Value::Number(number) => Ok(Key(number.to_string())),
            Value::Bool(on) => Ok(Key(on.to_string())),
            Value::Null => Ok(Key("null".to_owned())),
            Value::List(_) | Value::Map(_) | Value::Odd(_) => {
                Err(D::Error::custom("a key is a text, not a list or an object"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_of_all_kinds_are_read() {
        let text = "zip: 0755\napps:\n  - name: web\n    instances: 2\n    wait_ready: yes\n    cwd: ~\n    \
                    autorestart: false\n    args: [a, 'b c']\n    env: {A: 1.5, 2: x, B: null}\n    \
                    long: |\n      one\n      two\n";
        let expected = json!({"zip": "0755", "apps": [{
            "name": "web", "instances": 2, "wait_ready": "yes", "cwd": null,
            "autorestart": false, "args": ["a", "b c"],
            "env": {"A": 1.5, "2": "x", "B": null}, "long": "one\ntwo\n",
        }]});
        let found = read(text).unwrap().to_json();
        assert_eq!(found, expected);
    }

    #[test]
    fn keys_and_values_have_their_places() {
        let node = read("apps:\n  - name: web\n    max_restart: 3\n").unwrap();
        let app = match &node.get("apps").unwrap().value {
            Value::List(list) => &list[0],
            other => panic!("{other:?}"),
        };
        let entry = &app.map().unwrap()[1];
        let found = |place: Option<Place>| place.map(|place| (place.line, place.column.unwrap()));
        assert_eq!(found(entry.place), Some((3, 5)));
        assert_eq!(found(entry.node.place), Some((3, 18)));
    }

    #[test]
    fn anchors_and_merges_are_followed() {
        let text = "base: &base {cwd: /srv, env: {A: 1}}\napps:\n  - <<: *base\n    script: a.js\n";
        let found = read(text).unwrap().to_json();
        assert_eq!(
            found["apps"][0],
            json!({"script": "a.js", "cwd": "/srv", "env": {"A": 1}})
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for text in [
            "a: [1, 2",
            "a: b: c",
            "a: 1\na: 2",
            "{[a]: 1}",
            "a: *nobody",
        ] {
            let problem = read(text).unwrap_err();
            assert!(!problem.text.is_empty() && problem.hint.is_some(), "{text}");
            assert!(problem.line.is_some(), "{text}: {problem}");
        }
        // An exponential text is refused, not expanded.
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = vec![format!("*a{}", level - 1); 9].join(", ");
            bomb += &format!("a{level}: &a{level} [{before}]\n");
        }
        assert!(read(&bomb).is_err());
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read(&"- ".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_brings_it_down(text in any::<String>()) {
            let _ = read(&text);
        }

        #[test]
        fn no_near_yaml_brings_it_down(text in r"[\[\]{}:,'&*<|>#!%a-c0-9\n -]{0,60}") {
            let _ = read(&text);
        }
    }
}
