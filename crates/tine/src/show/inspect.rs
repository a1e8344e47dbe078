//! How would Node print a value with `util.inspect`?
//!
//! Near enough for what reads `pm2 prettylist`: one key to a line, single quotes, small objects and
//! arrays of plain values on one line.

use serde_json::Value;

/// A line is not made longer than this.
const LINE: usize = 76;

/// The text of a value.
pub(crate) fn inspect(value: &Value) -> String {
    written(value, 0)
}

fn written(value: &Value, indent: usize) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(it) => it.to_string(),
        Value::Number(it) => it.to_string(),
        Value::String(it) => quoted(it),
        Value::Array(list) => {
            let parts = list.iter().map(|one| written(one, indent + 2)).collect();
            let plain = !list.iter().any(is_nested);
            joined(parts, ["[", "]"], indent, plain)
        }
        Value::Object(map) => {
            let parts = map
                .iter()
                .map(|(name, one)| format!("{}: {}", key(name), written(one, indent + 2)))
                .collect();
            let plain = map.len() <= 6 && !map.values().any(is_nested);
            joined(parts, ["{", "}"], indent, plain)
        }
    }
}

fn is_nested(value: &Value) -> bool {
    match value {
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => false,
    }
}

fn joined(parts: Vec<String>, brackets: [&str; 2], indent: usize, one_line: bool) -> String {
    let [open, close] = brackets;
    if parts.is_empty() {
        return format!("{open}{close}");
    }
    let length: usize = parts.iter().map(|part| part.chars().count() + 2).sum();
    if one_line && indent + length + 2 <= LINE && !parts.iter().any(|part| part.contains('\n')) {
        return format!("{open} {} {close}", parts.join(", "));
    }
    let inner = " ".repeat(indent + 2);
    let outer = " ".repeat(indent);
    format!(
        "{open}\n{inner}{}\n{outer}{close}",
        parts.join(&format!(",\n{inner}"))
    )
}

/// A name as it stands where JavaScript permits it, else in quotes.
fn key(name: &str) -> String {
    let first = |letter: char| letter.is_ascii_alphabetic() || letter == '_' || letter == '$';
    let plain = name.chars().next().is_some_and(first)
        && name
            .chars()
            .all(|letter| first(letter) || letter.is_ascii_digit());
    if plain { name.to_owned() } else { quoted(name) }
}

/// In single quotes; in double ones or backticks if that spares escapes.
fn quoted(text: &str) -> String {
    let quote = ['\'', '"', '`']
        .into_iter()
        .find(|quote| !text.contains(*quote) && (*quote != '`' || !text.contains("${")))
        .unwrap_or('\'');
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\\' => out.push_str("\\\\"),
            letter if letter == quote => {
                out.push('\\');
                out.push(letter);
            }
            letter if letter.is_control() => {
                out.push_str(&format!("\\x{:02X}", u32::from(letter)));
            }
            letter => out.push(letter),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_look_as_node_prints_them() {
        for (value, text) in [
            (json!([]), "[]"),
            (json!({}), "{}"),
            (json!(["a", 1, null, true]), "[ 'a', 1, null, true ]"),
            (json!({"cpu": 0, "memory": 1}), "{ cpu: 0, memory: 1 }"),
            (json!("it's"), "\"it's\""),
            (json!("it's \"so\""), "`it's \"so\"`"),
            (json!("a'b\"c`d"), "'a\\'b\"c`d'"),
            (json!("a\n\u{1b}\\"), "'a\\n\\x1B\\\\'"),
            (json!({"a-b": 1, "1": 2, "$x": 3}), "{ '$x': 3 }"),
        ] {
            if value.get("a-b").is_some() {
                let text = inspect(&value);
                assert!(text.contains("'a-b': 1") && text.contains("'1': 2"));
                assert!(text.contains("$x: 3"));
                continue;
            }
            assert_eq!(inspect(&value), text);
        }
    }

    #[test]
    fn nested_values_have_a_key_to_a_line() {
        let value = json!([{"a": {"b": 1}}]);
        assert_eq!(inspect(&value), "[\n  {\n    a: { b: 1 }\n  }\n]");
        let long = json!({"a": "x".repeat(80)});
        assert_eq!(inspect(&long), format!("{{\n  a: '{}'\n}}", "x".repeat(80)));
    }
}
