//! How is TOML read, so that every key has its place?

use super::node::{Entry, Node, Value};
use crate::problem::{Lines, Problem};
use serde_json::Number;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads a whole file.
pub(crate) fn read(text: &str) -> Result<Node, Problem> {
    let lines = Lines::of(text);
    match DeTable::parse(text) {
        Ok(table) => Ok(Node::new(map(table.get_ref(), &lines), None)),
        Err(error) => {
            let place = error.span().map(|span| lines.place(span.start));
            let message = error.message().replace('\n', ", ");
            Err(Problem::error(message).at(place).hint(
                "TOML writes `key = value`, texts in quotes, and each app below its own [[apps]]",
            ))
        }
    }
}

fn map(table: &DeTable<'_>, lines: &Lines<'_>) -> Value {
    let mut map: Vec<(usize, Entry)> = table
        .iter()
        .map(|(key, value)| {
            let start = key.span().start;
            let entry = Entry {
                key: key.get_ref().clone().into_owned(),
                place: Some(lines.place(start)),
                node: node(value, lines),
            };
            (start, entry)
        })
        .collect();
    // The table is sorted by name; the file is not.
    map.sort_by_key(|(start, _)| *start);
    Value::Map(map.into_iter().map(|(_, entry)| entry).collect())
}

fn node(value: &Spanned<DeValue<'_>>, lines: &Lines<'_>) -> Node {
    let place = lines.place(value.span().start);
    let read = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Number(number.into()),
            Err(_) => Value::Odd(format!("the number {number}")),
        },
        DeValue::Float(number) => {
            let float = number.as_str().parse().ok().and_then(Number::from_f64);
            match float {
                Some(float) => Value::Number(float),
                None => Value::Odd(number.as_str().to_owned()),
            }
        }
        DeValue::Boolean(on) => Value::Bool(*on),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(list) => Value::List(list.iter().map(|one| node(one, lines)).collect()),
        DeValue::Table(table) => map(table, lines),
    };
    Node::new(read, Some(place))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;
    use crate::problem::Place;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_of_all_kinds_are_read_in_their_order() {
        let text = "[[apps]]\nname = 'web'\ninstances = 0x10\nfloat = 1.5\nbig = 1_000\n\
                    when = 2025-01-02\nwait_ready = true\nargs = ['a', \"b c\"]\n\
                    [apps.env]\nZ = '1'\nA = 2\n";
        let node = read(text).unwrap();
        let found = node.to_json();
        assert_eq!(
            found,
            json!({"apps": [{
                "name": "web", "instances": 16, "float": 1.5, "big": 1000, "when": "2025-01-02",
                "wait_ready": true, "args": ["a", "b c"], "env": {"Z": "1", "A": 2},
            }]})
        );
        let env: Vec<&String> = found["apps"][0]["env"]
            .as_object()
            .unwrap()
            .keys()
            .collect();
        assert_eq!(env, ["Z", "A"]);
    }

    #[test]
    fn keys_and_values_have_their_places() {
        let node = read("[[apps]]\nname = 'ü'\n  max_restart = 3\n").unwrap();
        let app = match &node.get("apps").unwrap().value {
            Value::List(list) => &list[0],
            other => panic!("{other:?}"),
        };
        let entry = &app.map().unwrap()[1];
        let found = |place: Option<Place>| place.map(|place| (place.line, place.column.unwrap()));
        assert_eq!(found(entry.place), Some((3, 3)));
        assert_eq!(found(entry.node.place), Some((3, 17)));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, line) in [
            ("a = ", 1),
            ("x = 1\na b", 2),
            ("a = 1\na = 2", 2),
            ("[[x]", 1),
        ] {
            let problem = read(text).unwrap_err();
            assert_eq!(problem.line, Some(line), "{text}: {problem}");
            assert!(problem.hint.is_some() && !problem.text.contains('\n'));
        }
        assert!(read(&format!("a = {}", "[".repeat(100_000))).is_err());
    }

    proptest! {
        #[test]
        fn no_text_brings_it_down(text in any::<String>()) {
            let _ = read(&text);
        }

        #[test]
        fn no_near_toml_brings_it_down(text in r#"[\[\]{}=.,'"a-c0-9\n -]{0,60}"#) {
            let _ = read(&text);
        }
    }
}
