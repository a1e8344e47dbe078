//! How is JSON5 (and with it JSON) read, so that every key has its place?
//!
//! The grammar is that of <https://spec.json5.org>. Libraries for it give no places, or recurse as
//! deep as the text tells them to.

use super::node::{Entry, Node, Value};
use crate::problem::{Lines, Place, Problem};
use serde_json::Number;

/// Deeper is no process file, and would be a danger to the stack.
const DEEPEST: usize = 64;

/// Reads one value.
pub(crate) fn read(text: &str) -> Result<Node, Problem> {
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
        lines: Lines::of(text),
    };
    let node = reader.blanks().and_then(|()| reader.value());
    let node = node.and_then(|node| {
        reader.blanks()?;
        match reader.peek() {
            None => Ok(node),
            Some(_) => Err(reader.unexpected("the end")),
        }
    });
    node.map_err(|wrong| {
        let place = reader.lines.place(wrong.at);
        Problem::error(wrong.text).at(Some(place)).hint(wrong.hint)
    })
}

struct Wrong {
    at: usize,
    text: String,
    hint: &'static str,
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    lines: Lines<'t>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.at += wanted.len_utf8();
        }
        there
    }

    fn here(&self) -> Option<Place> {
        Some(self.lines.place(self.at))
    }

    fn wrong(&self, text: impl Into<String>) -> Wrong {
        Wrong {
            at: self.at,
            text: text.into(),
            hint: "the file is read as JSON5",
        }
    }

    fn unexpected(&self, expected: &str) -> Wrong {
        match self.peek() {
            None => Wrong {
                hint: "close what is open",
                ..self.wrong(format!("expected {expected}, and here the text ends"))
            },
            Some(found) => Wrong {
                hint: "if it is JavaScript, call the file `*.config.js`",
                ..self.wrong(format!("expected {expected}, found {found:?}"))
            },
        }
    }

    /// White space and comments.
    fn blanks(&mut self) -> Result<(), Wrong> {
        loop {
            let rest = &self.text[self.at..];
            if let Some(comment) = rest.strip_prefix("//") {
                let end = comment.find(['\n', '\r', '\u{2028}', '\u{2029}']);
                self.at += 2 + end.unwrap_or(comment.len());
            } else if let Some(comment) = rest.strip_prefix("/*") {
                match comment.find("*/") {
                    Some(end) => self.at += 4 + end,
                    None => return Err(self.wrong("this comment does not end")),
                }
            } else {
                match rest.chars().next() {
                    Some(blank) if blank.is_whitespace() || blank == '\u{feff}' => {
                        self.at += blank.len_utf8();
                    }
                    _ => return Ok(()),
                }
            }
        }
    }

    fn value(&mut self) -> Result<Node, Wrong> {
        let place = self.here();
        let value = match self.peek() {
            Some('{') => self.nested(Reader::object)?,
            Some('[') => self.nested(Reader::list)?,
            Some('"' | '\'') => Value::Text(self.quoted()?),
            Some('+' | '-' | '.' | '0'..='9') => self.number()?,
            Some(letter) if is_word(letter) => self.word()?,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Node::new(value, place))
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Value, Wrong>,
    ) -> Result<Value, Wrong> {
        if self.depth == DEEPEST {
            return Err(self.wrong(format!("it is nested more than {DEEPEST} deep")));
        }
        self.depth += 1;
        self.next();
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, Wrong> {
        let mut map = Vec::new();
        loop {
            self.blanks()?;
            if self.take('}') {
                return Ok(Value::Map(map));
            }
            let place = self.here();
            let key = match self.peek() {
                Some('"' | '\'') => self.quoted()?,
                Some(letter) if is_word(letter) => self.name()?,
                _ => return Err(self.unexpected("a key or `}`")),
            };
            self.blanks()?;
            if !self.take(':') {
                return Err(self.unexpected("`:`"));
            }
            self.blanks()?;
            let node = self.value()?;
            map.push(Entry { key, place, node });
            self.blanks()?;
            if !self.take(',') && self.peek() != Some('}') {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
    }

    fn list(&mut self) -> Result<Value, Wrong> {
        let mut list = Vec::new();
        loop {
            self.blanks()?;
            if self.take(']') {
                return Ok(Value::List(list));
            }
            list.push(self.value()?);
            self.blanks()?;
            if !self.take(',') && self.peek() != Some(']') {
                return Err(self.unexpected("`,` or `]`"));
            }
        }
    }

    fn word(&mut self) -> Result<Value, Wrong> {
        let start = self.at;
        let word = self.name()?;
        match word.as_str() {
            "null" => Ok(Value::Null),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            "NaN" | "Infinity" => Ok(Value::Odd(word)),
            _ => {
                self.at = start;
                Err(Wrong {
                    hint: "put quotes around a text; if it is JavaScript, call the file `*.config.js`",
                    ..self.wrong(format!("`{word}` is not a value"))
                })
            }
        }
    }

    /// A key without quotes.
    fn name(&mut self) -> Result<String, Wrong> {
        let mut name = String::new();
        while let Some(letter) = self.peek() {
            if letter == '\\' {
                self.next();
                if !self.take('u') {
                    return Err(self.unexpected("`u`"));
                }
                name.push(self.unicode()?);
            } else if is_word(letter) || letter.is_ascii_digit() {
                name.push(letter);
                self.next();
            } else {
                break;
            }
        }
        Ok(name)
    }

    fn number(&mut self) -> Result<Value, Wrong> {
        let start = self.at;
        let negative = self.peek() == Some('-');
        if negative || self.peek() == Some('+') {
            self.next();
        }
        let rest = &self.text[self.at..];
        let length = rest
            .find(|letter: char| {
                !(letter.is_ascii_alphanumeric() || matches!(letter, '.' | '+' | '-'))
            })
            .unwrap_or(rest.len());
        let digits = &rest[..length];
        let sign = if negative { "-" } else { "" };
        let number = match digits
            .strip_prefix("0x")
            .or_else(|| digits.strip_prefix("0X"))
        {
            Some(hex) => hexadecimal(hex, negative),
            None if digits == "Infinity" || digits == "NaN" => {
                self.at += length;
                return Ok(Value::Odd(format!("{sign}{digits}")));
            }
            None => decimal(digits, sign),
        };
        match number {
            Some(number) => {
                self.at += length;
                Ok(Value::Number(number))
            }
            None => {
                self.at = start;
                Err(self.wrong(format!("{sign}{digits} is not a number")))
            }
        }
    }

    fn quoted(&mut self) -> Result<String, Wrong> {
        let start = self.at;
        let quote = self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None | Some('\n' | '\r') => {
                    self.at = start;
                    return Err(self.wrong("the quote that begins here does not end on its line"));
                }
                letter if letter == quote => return Ok(text),
                Some('\\') => self.escape(&mut text)?,
                Some(letter) => text.push(letter),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Result<(), Wrong> {
        let letter = match self.next() {
            None => return Err(self.unexpected("the rest of an escape")),
            Some('\r') => {
                self.take('\n');
                return Ok(());
            }
            Some('\n' | '\u{2028}' | '\u{2029}') => return Ok(()),
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\u{b}',
            Some('0') if !self.peek().is_some_and(|next| next.is_ascii_digit()) => '\0',
            Some('x') => {
                let code = self.hexadecimal(2)?;
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            Some('u') => self.unicode()?,
            Some('0'..='9') => return Err(self.wrong("there is no such escape")),
            Some(letter) => letter,
        };
        text.push(letter);
        Ok(())
    }

    /// After `\u`: four digits, or two times four for what is beyond them.
    fn unicode(&mut self) -> Result<char, Wrong> {
        let high = self.hexadecimal(4)?;
        if !(0xd800..0xdc00).contains(&high) || !self.text[self.at..].starts_with("\\u") {
            return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.at;
        self.at += 2;
        let low = self.hexadecimal(4)?;
        if !(0xdc00..0xe000).contains(&low) {
            self.at = before;
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hexadecimal(&mut self, digits: usize) -> Result<u32, Wrong> {
        let code = self.text.get(self.at..self.at + digits);
        let code = code.filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match code.and_then(|code| u32::from_str_radix(code, 16).ok()) {
            Some(code) => {
                self.at += digits;
                Ok(code)
            }
            None => Err(self.unexpected(&format!("{digits} hexadecimal digits"))),
        }
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphabetic() || matches!(letter, '$' | '_' | '\\')
}

fn hexadecimal(digits: &str, negative: bool) -> Option<Number> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = i64::from_str_radix(digits, 16)
        .ok()
        .filter(|_| all_digits)?;
    Some(Number::from(if negative { -number } else { number }))
}

fn decimal(digits: &str, sign: &str) -> Option<Number> {
    let mut bytes = digits.bytes();
    let well_formed = match bytes.next()? {
        b'.' => digits.len() > 1 && digits.as_bytes()[1].is_ascii_digit(),
        b'0' => !digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit),
        first => first.is_ascii_digit(),
    };
    // `f64` also reads words such as `inf`.
    let only_numbers = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !well_formed || !only_numbers {
        return None;
    }
    let text = format!("{sign}{digits}");
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Number::from(whole));
    }
    Number::from_f64(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn json(text: &str) -> serde_json::Value {
        read(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .to_json()
    }

    #[test]
    fn everything_of_the_grammar_is_read() {
        for (text, expected) in [
            ("{a: 1, 'b': 2, \"c\": 3,}", json!({"a": 1, "b": 2, "c": 3})),
            ("[1, 2, ]", json!([1, 2])),
            ("// hello\n/* * */ [/**/] // end", json!([])),
            (
                "[+1, -2, .5, 5., 1e3, 0x1F, -0xa, 0]",
                json!([1, -2, 0.5, 5, 1000, 31, -10, 0]),
            ),
            (
                r#"'it\'s \x41 \u00e9 \ud83d\ude00 \v\0 \q'"#,
                json!("it's A é 😀 \u{b}\0 q"),
            ),
            ("'a\\\nb'", json!("ab")),
            (
                "{$a_1: null, ünï: true, \\u0061b: false}",
                json!({"$a_1": null, "ünï": true, "ab": false}),
            ),
            ("\u{feff} \u{a0}1", json!(1)),
            ("Infinity", json!("Infinity")),
            ("[-Infinity, NaN]", json!(["-Infinity", "NaN"])),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn keys_and_values_have_their_places() {
        let node = read("{\n  ü: 1, script:\n    'x'\n}").unwrap();
        let entry = &node.map().unwrap()[1];
        let place = |line, column| {
            Some(Place {
                line,
                column: Some(column),
            })
        };
        assert_eq!(entry.place, place(2, 9));
        assert_eq!(entry.node.place, place(3, 5));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, place, words) in [
            ("", "1:1", "expected a value"),
            ("{a: 1 b: 2}", "1:7", "expected `,` or `}`"),
            ("{a 1}", "1:4", "expected `:`"),
            ("[1\n2]", "2:1", "expected `,` or `]`"),
            ("{\n a: hello}", "2:5", "`hello` is not a value"),
            ("'open", "1:1", "does not end"),
            ("/* open", "1:1", "does not end"),
            ("01", "1:1", "not a number"),
            ("0x", "1:1", "not a number"),
            ("1.2.3", "1:1", "not a number"),
            ("{} x", "1:4", "expected the end"),
            ("'\\u12'", "1:4", "4 hexadecimal digits"),
            ("[,]", "1:2", "expected a value"),
            ("{a: require('x')}", "1:5", "`require` is not a value"),
            ("{,}", "1:2", "expected a key"),
        ] {
            let problem = read(text).unwrap_err();
            let found = format!("{}:{}", problem.line.unwrap(), problem.column.unwrap());
            assert_eq!(found, place, "{text}: {problem}");
            assert!(problem.text.contains(words), "{text}: {problem}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(&deep).unwrap_err().text.contains("nested"));
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..8)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_is_json5(value in any_json()) {
            prop_assert_eq!(json(&serde_json::to_string(&value).unwrap()), value.clone());
            prop_assert_eq!(json(&serde_json::to_string_pretty(&value).unwrap()), value);
        }

        #[test]
        fn no_text_brings_it_down(text in any::<String>()) {
            let _ = read(&text);
        }

        #[test]
        fn no_near_json_brings_it_down(text in r#"[\[\]{}:,'"\\/*ux0-9a-fe+.\n -]{0,60}"#) {
            let _ = read(&text);
        }
    }
}
