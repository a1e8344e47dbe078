//! What do `JSON.stringify` and `JSON.parse` make of it?

use crate::body::BodyError;
use crate::v8::{Key, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::ser::Formatter;
use std::io;

/// Deepest nesting that serde_json reads into a type.
const MAX_DEPTH: usize = 128;

/// Writes numbers as JavaScript does, and never a line feed.
struct JavaScript;

impl Formatter for JavaScript {
    fn write_f64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(number(value).as_bytes())
    }

    fn write_f32<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        writer.write_all(number_of_digits(value == 0.0, &format!("{value:e}")).as_bytes())
    }

    fn write_raw_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Line feeds are legal between the tokens of a JSON text, and the end of a message here.
        for (index, piece) in fragment.split('\n').enumerate() {
            if index > 0 {
                writer.write_all(b" ")?;
            }
            writer.write_all(piece.as_bytes())?;
        }
        Ok(())
    }
}

/// `String(value)`, but `null` for what JSON has no number for.
pub(crate) fn number(value: f64) -> String {
    if value.is_finite() {
        let shortest = format!("{value:e}");
        number_of_digits(
            value == 0.0,
            &even_of_two(value, &shortest).unwrap_or(shortest),
        )
    } else {
        "null".to_owned()
    }
}

/// Where two shortest texts are equally near (2^-25 lies in the middle between 2.9802322387695312e-8
/// and 2.9802322387695313e-8), JavaScript takes the one that ends in an even digit; Rust may not.
fn even_of_two(value: f64, shortest: &str) -> Option<String> {
    let (mantissa, exponent) = shortest.split_once('e')?;
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    if digits < 16 {
        return None;
    }
    let is_half = |more: usize| {
        let exact = format!("{value:.*e}", digits + more);
        let (exact, exact_exponent) = exact.split_once('e')?;
        let (head, tail) = exact.split_at(exact.len() - more - 1);
        let half = tail.starts_with('5') && tail[1..].bytes().all(|digit| digit == b'0');
        (half && exact_exponent == exponent).then(|| format!("{head}e{exponent}"))
    };
    // No f64 has more than 767 digits.
    is_half(0).and_then(|_| is_half(760)).filter(|lower| {
        let even = lower
            .split_once('e')
            .is_some_and(|(digits, _)| digits.ends_with(['0', '2', '4', '6', '8']));
        even && lower.parse() == Ok(value)
    })
}

/// ECMAScript's Number::toString, from the shortest digits as Rust's `{:e}` has them: `-1.25e3`.
fn number_of_digits(is_zero: bool, scientific: &str) -> String {
    if is_zero {
        return "0".to_owned();
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    // Where the point stands, counted from the first digit.
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let body = if (count..=21).contains(&point) {
        format!(
            "{digits}{}",
            "0".repeat((point - count).unsigned_abs() as usize)
        )
    } else if (1..=21).contains(&point) {
        let (whole, fraction) = digits.split_at(point.unsigned_abs() as usize);
        format!("{whole}.{fraction}")
    } else if (-5..=0).contains(&point) {
        format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
    } else {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{first}{dot}{rest}e{:+}", point - 1)
    };
    format!("{sign}{body}")
}

/// `JSON.stringify(value)`.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T) -> Result<String, BodyError> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, JavaScript);
    value
        .serialize(&mut serializer)
        .map_err(|error| BodyError::Write(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| BodyError::Write(error.to_string()))
}

/// `JSON.parse(text)`, into a type.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, BodyError> {
    let error = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // Only now, because it is rare: what serde_json refuses and JavaScript does not.
    let mended = without_lone_surrogates(text);
    let again = match &mended {
        Some(text) => serde_json::from_str(text),
        None => Err(error),
    };
    let error = match again {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let said = error.to_string();
    if said.starts_with("duplicate field") {
        let text = mended.as_deref().unwrap_or(text);
        // A map of values keeps the last of each name.
        let value = serde_json::from_str::<serde_json::Value>(text);
        if let Ok(value) = value.and_then(serde_json::from_value) {
            return Ok(value);
        }
    }
    Err(if said.starts_with("recursion limit exceeded") {
        BodyError::TooDeep { limit: MAX_DEPTH }
    } else {
        BodyError::Read(said)
    })
}

/// The text with `\ufffd` for every escaped surrogate that has no other half; `None` if there is
/// no such.
fn without_lone_surrogates(text: &str) -> Option<String> {
    let mut mended = String::new();
    let mut kept = 0;
    let mut at = 0;
    let bytes = text.as_bytes();
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        let escape = at + found;
        let Some(unit) = escaped_unit(bytes, escape) else {
            at = (escape + 2).min(bytes.len());
            continue;
        };
        let next = escaped_unit(bytes, escape + 6);
        match (unit, next) {
            (0xd800..=0xdbff, Some(0xdc00..=0xdfff)) => at = escape + 12,
            (0xd800..=0xdfff, _) => {
                at = escape + 6;
                mended.push_str(&text[kept..escape]);
                mended.push_str("\\ufffd");
                kept = at;
            }
            _ => at = escape + 6,
        }
    }
    if kept == 0 {
        return None;
    }
    mended.push_str(&text[kept..]);
    Some(mended)
}

/// The code unit that `\uXXXX` at this place stands for.
fn escaped_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.starts_with('+') {
        return None;
    }
    u16::from_str_radix(digits, 16).ok()
}

/// `JSON.parse(text)`, as V8 would hold it.
pub(crate) fn value(text: &str) -> Result<Value, BodyError> {
    read::<AsValue>(text).map(|AsValue(value)| value)
}

/// `String(value)`.
pub(crate) fn number_text(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        number(value)
    }
}

impl<'de> serde::Deserialize<'de> for AsValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AsValueVisitor).map(AsValue)
    }
}

/// What any JSON text becomes as a value of V8's.
struct AsValue(Value);
struct AsValueVisitor;

impl<'de> serde::de::Visitor<'de> for AsValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any JSON text")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    #[allow(clippy::cast_precision_loss, reason = "as JavaScript does")]
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::number(value as f64))
    }

    #[allow(clippy::cast_precision_loss, reason = "as JavaScript does")]
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(AsValue(element)) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut properties: Vec<(Key, Value)> = Vec::new();
        while let Some((key, AsValue(value))) = map.next_entry::<String, AsValue>()? {
            properties.push((Key::from(key), value));
        }
        Ok(Value::Object(last_of_each(properties)))
    }
}

/// As `JSON.parse` has it: indices first and in order; of a key that appears twice, the last value
/// at the first place.
fn last_of_each(properties: Vec<(Key, Value)>) -> Vec<(Key, Value)> {
    let mut places: std::collections::HashMap<Key, usize> = std::collections::HashMap::new();
    let mut kept: Vec<(Key, Value)> = Vec::with_capacity(properties.len());
    let few = properties.len() <= 8;
    for (key, value) in properties {
        let place = if few {
            kept.iter().position(|(known, _)| *known == key)
        } else {
            places.get(&key).copied()
        };
        match place {
            Some(place) => kept[place].1 = value,
            None => {
                if !few {
                    places.insert(key.clone(), kept.len());
                }
                kept.push((key, value));
            }
        }
    }
    kept.sort_by_key(|(key, _)| match key {
        Key::Index(index) => (0, *index),
        Key::Text(_) => (1, 0),
    });
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[test]
    fn numbers_look_as_in_javascript() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (100.0, "100"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.25e22, "-1.25e+22"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (0.000_001, "0.000001"),
            (0.000_000_1, "1e-7"),
            (1.5e-7, "1.5e-7"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            // Halfway between two texts: the even one.
            (2f64.powi(-25), "2.9802322387695312e-8"),
            (-2f64.powi(-25), "-2.9802322387695312e-8"),
            (f64::NAN, "null"),
            (f64::NEG_INFINITY, "null"),
        ] {
            assert_eq!(super::number(number), text);
        }
    }

    #[test]
    fn values_are_written_as_json_stringify_does() {
        assert_eq!(write(&(0.1f32, f32::NAN, -0.0f32)).unwrap(), "[0.1,null,0]");
        assert_eq!(write(&u64::MAX).unwrap(), "18446744073709551615");
        assert_eq!(
            write(&BTreeMap::from([(true, 1)])).unwrap(),
            r#"{"true":1}"#
        );
        assert_eq!(write(&BTreeMap::from([(-3, 1)])).unwrap(), r#"{"-3":1}"#);
        assert_eq!(
            write("a\nb\u{1}\u{2028}/").unwrap(),
            "\"a\\nb\\u0001\u{2028}/\""
        );
        let raw = serde_json::value::RawValue::from_string("{\n\"a\":\n1}".to_owned()).unwrap();
        assert_eq!(write(&raw).unwrap(), "{ \"a\": 1}");
        assert!(write(&BTreeMap::from([((1, 2), 1)])).is_err());
    }

    #[test]
    fn what_javascript_reads_is_read() {
        for (text, expected) in [
            (r#""\ud800""#, "\u{fffd}"),
            (r#""\udc00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\ude00""#, "\u{1f600}"),
            (r#""\\ud800\ud800""#, "\\ud800\u{fffd}"),
            (r#""\ud83d\ud83d\ude00\n""#, "\u{fffd}\u{1f600}\n"),
        ] {
            assert_eq!(read::<String>(text).as_deref(), Ok(expected), "{text}");
        }
        #[derive(Deserialize, Debug, PartialEq)]
        struct Point {
            x: u8,
        }
        assert_eq!(read(r#"{"x":1,"x":2}"#), Ok(Point { x: 2 }));
        assert_eq!(read(r#"{"x":1,"y":"\ud800","x":2}"#), Ok(Point { x: 2 }));
        assert!(read::<f64>("-0").unwrap().is_sign_negative());
        assert_eq!(read::<f64>("1e-400"), Ok(0.0));
        assert!(matches!(read::<f64>("1e400"), Err(BodyError::Read(_))));
        let deep = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(read::<serde_json::Value>(&deep(MAX_DEPTH - 1)).is_ok());
        let limit = MAX_DEPTH;
        let too_deep = read::<serde_json::Value>(&deep(MAX_DEPTH));
        assert_eq!(too_deep, Err(BodyError::TooDeep { limit }));
    }

    #[test]
    fn keys_are_ordered_as_json_parse_does() {
        let text = |text| crate::v8::to_json(&value(text).unwrap(), 0).unwrap();
        assert_eq!(
            text(r#"{"b":1,"2":2,"a":3,"1":4}"#),
            r#"{"1":4,"2":2,"b":1,"a":3}"#
        );
        assert_eq!(text(r#"{"a":1,"b":2,"a":3}"#), r#"{"a":3,"b":2}"#);
        assert_eq!(text("[1.0,1e0,-0,1e21]"), "[1,1,0,1e+21]");
    }
}
