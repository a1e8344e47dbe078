//! What would `JSON.stringify` make of it?

use super::graph::Graph;
use super::value::{Key, TypedArrayKind, Value};
use super::{Error, MAX_DEPTH};
use crate::body::BodyError;
use crate::json;

/// The longest text that is made: V8 has no longer strings, so `JSON.stringify` throws there too.
const LONGEST: usize = 512 << 20;

/// The JSON text of a value that has `length` bytes on the wire.
pub(crate) fn to_json(value: &Value, length: usize) -> Result<String, BodyError> {
    to_json_within(value, length, LONGEST)
}

fn to_json_within(value: &Value, length: usize, longest: usize) -> Result<String, BodyError> {
    let mut text = Text {
        out: String::new(),
        longest,
        graph: Graph::of(value, length),
        open: Vec::new(),
        again: false,
    };
    if text.value(value)? {
        Ok(text.out)
    } else {
        Err(BodyError::NoJson("it is undefined"))
    }
}

struct Text<'v> {
    out: String,
    longest: usize,
    graph: Graph<'v>,
    /// What the present value is inside of.
    open: Vec<&'v Value>,
    /// The present value is one that the message holds elsewhere.
    again: bool,
}

const TOO_LONG: BodyError = BodyError::NoJson("it would be too long");

type Result<T, E = BodyError> = std::result::Result<T, E>;

impl<'v> Text<'v> {
    /// Writes a value; `false` if JSON has nothing for it.
    fn value(&mut self, value: &'v Value) -> Result<bool> {
        self.visit()?;
        match value {
            Value::Undefined => return Ok(false),
            Value::Null | Value::Hole => self.put("null")?,
            Value::Bool(bool) | Value::BoolObject(bool) => {
                self.put(if *bool { "true" } else { "false" })?;
            }
            Value::Int(number) => self.put(&number.to_string())?,
            Value::Number(number) | Value::NumberObject(number) => {
                self.put(&json::number(*number))?;
            }
            Value::BigInt(_) | Value::BigIntObject(_) => {
                return Err(BodyError::NoJson("it contains a BigInt"));
            }
            Value::String(text) | Value::StringObject(text) => self.string(text)?,
            Value::Date(time) => match iso_date(*time) {
                Some(date) => self.string(&date)?,
                None => self.put("null")?,
            },
            Value::RegExp(_)
            | Value::ArrayBuffer(_)
            | Value::ResizableArrayBuffer { .. }
            | Value::Map(_)
            | Value::Set(_)
            | Value::Error(_) => self.put("{}")?,
            Value::Buffer(bytes) => self.buffer(bytes)?,
            Value::TypedArray { kind, bytes } => self.typed_array(*kind, bytes)?,
            Value::Reference(id) => {
                let Some(target) = self.graph.get(*id) else {
                    return Err(Error::Reference { id: *id }.into());
                };
                let outer = std::mem::replace(&mut self.again, true);
                let written = self.value(target);
                self.again = outer;
                return written;
            }
            nested => return self.inside(nested),
        }
        Ok(true)
    }

    fn inside(&mut self, value: &'v Value) -> Result<bool> {
        if self.open.iter().any(|open| std::ptr::eq(*open, value)) {
            return Err(BodyError::NoJson("it is circular"));
        }
        if self.open.len() == MAX_DEPTH {
            return Err(Error::TooDeep.into());
        }
        self.open.push(value);
        let result = match value {
            Value::Object(properties) => self.object(properties).map(|()| true),
            Value::Array(elements) => self.array(elements).map(|()| true),
            Value::ArrayWithProperties(array) => self.array(&array.elements).map(|()| true),
            Value::SparseArray { length, properties } => {
                self.sparse_array(*length, properties).map(|()| true)
            }
            Value::HostObject(inside) => self.value(inside),
            _ => Ok(false),
        };
        self.open.pop();
        result
    }

    fn visit(&self) -> Result<()> {
        self.graph.visit().map_err(|_| TOO_LONG)
    }

    fn repeat(&self, bytes: usize) -> Result<()> {
        self.graph.repeat(bytes).map_err(|_| TOO_LONG)
    }

    /// All that is written. Counted even if it is taken back: it has cost its time.
    fn put(&mut self, text: &str) -> Result<()> {
        if self.again {
            self.repeat(text.len())?;
        }
        if text.len() > self.longest - self.out.len() {
            return Err(TOO_LONG);
        }
        self.out.push_str(text);
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<()> {
        let text = serde_json::to_string(text);
        let text = text.map_err(|error| BodyError::Write(error.to_string()))?;
        self.put(&text)
    }

    fn object(&mut self, properties: &'v [(Key, Value)]) -> Result<()> {
        self.put("{")?;
        let mut first = true;
        for (key, value) in properties {
            let before = self.out.len();
            if !first {
                self.put(",")?;
            }
            match key {
                Key::Index(index) => self.put(&format!("\"{index}\""))?,
                Key::Text(text) => self.string(text)?,
            }
            self.put(":")?;
            if self.value(value)? {
                first = false;
            } else {
                self.out.truncate(before);
            }
        }
        self.put("}")
    }

    fn element(&mut self, value: &'v Value) -> Result<()> {
        if !self.value(value)? {
            self.put("null")?;
        }
        Ok(())
    }

    fn array(&mut self, elements: &'v [Value]) -> Result<()> {
        self.put("[")?;
        for (index, element) in elements.iter().enumerate() {
            if index > 0 {
                self.put(",")?;
            }
            self.element(element)?;
        }
        self.put("]")
    }

    fn sparse_array(&mut self, length: u32, properties: &'v [(Key, Value)]) -> Result<()> {
        let elements = Value::sparse_elements(properties);
        let mut rest = elements.as_slice();
        self.put("[")?;
        for index in 0..length {
            if index > 0 {
                self.put(",")?;
            }
            self.visit()?;
            match rest.split_first() {
                Some((&(at, element), behind)) if at == index => {
                    rest = behind;
                    self.element(element)?;
                }
                _ => {
                    self.repeat("null".len())?;
                    self.put("null")?;
                }
            }
        }
        self.put("]")
    }

    /// What `Buffer.prototype.toJSON` says.
    fn buffer(&mut self, bytes: &[u8]) -> Result<()> {
        self.put(r#"{"type":"Buffer","data":["#)?;
        for (index, byte) in bytes.iter().enumerate() {
            if index > 0 {
                self.put(",")?;
            }
            self.put(&byte.to_string())?;
        }
        self.put("]}")
    }

    fn typed_array(&mut self, kind: TypedArrayKind, bytes: &[u8]) -> Result<()> {
        self.put("{")?;
        if kind != TypedArrayKind::DataView {
            for (index, element) in kind.elements(bytes).enumerate() {
                if index > 0 {
                    self.put(",")?;
                }
                self.put(&format!("\"{index}\":"))?;
                match element {
                    Value::Int(number) => self.put(&number.to_string())?,
                    Value::Number(number) => self.put(&json::number(number))?,
                    _ => return Err(BodyError::NoJson("it contains a BigInt")),
                }
            }
        }
        self.put("}")
    }
}

impl TypedArrayKind {
    /// The elements of a view on these bytes; those of a `DataView` are its bytes.
    pub(super) fn elements(self, bytes: &[u8]) -> impl ExactSizeIterator<Item = Value> + '_ {
        bytes.chunks_exact(self.element_size()).map(move |element| {
            let mut wide = [0; 8];
            wide[..element.len()].copy_from_slice(element);
            let word = u64::from_le_bytes(wide);
            // Sign extension of what fills the upper end of the word.
            let shift = 64 - 8 * element.len();
            let signed = (word << shift).cast_signed() >> shift;
            #[allow(clippy::cast_possible_truncation, reason = "the rest is 0")]
            match self {
                Self::Int8Array | Self::Int16Array | Self::Int32Array => Value::Int(signed as i32),
                Self::Uint8Array
                | Self::Uint8ClampedArray
                | Self::DataView
                | Self::Uint16Array
                | Self::Uint32Array => Value::number(word as u32 as f64),
                Self::Float16Array => Value::number(half(word as u16)),
                Self::Float32Array => Value::number(f32::from_bits(word as u32).into()),
                Self::Float64Array => Value::number(f64::from_bits(word)),
                Self::BigInt64Array => Value::BigInt(signed.into()),
                Self::BigUint64Array => Value::BigInt(word.into()),
            }
        })
    }
}

/// The number that 16 bits are in IEEE 754's half precision.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let fraction = f64::from(bits & 0x3ff);
    sign * match i32::from(bits >> 10 & 0x1f) {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

/// `Date.prototype.toISOString`; `None` if the date is invalid.
pub(super) fn iso_date(time: f64) -> Option<String> {
    if time.is_nan() || time.abs() > 8.64e15 {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "below 2^53")]
    let time = time as i64;
    let (days, millis) = (time.div_euclid(86_400_000), time.rem_euclid(86_400_000));
    // Days into years of 400-year cycles that begin in March, so that leap days come last.
    let days = days + 719_468;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * day + 2) / 153;
    let day = day - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = cycle * 400 + year + i64::from(month <= 2);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Some(format!(
        "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_iso_8601() {
        for (time, text) in [
            (0.0, "1970-01-01T00:00:00.000Z"),
            (1.9, "1970-01-01T00:00:00.001Z"),
            (-1.0, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000.0, "2000-02-29T00:00:00.000Z"),
            (1_234_567_890_123.0, "2009-02-13T23:31:30.123Z"),
            (253_402_300_800_000.0, "+010000-01-01T00:00:00.000Z"),
            (8.64e15, "+275760-09-13T00:00:00.000Z"),
            (-8.64e15, "-271821-04-20T00:00:00.000Z"),
            (-62_167_219_200_001.0, "-000001-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(iso_date(time).as_deref(), Some(text));
        }
        assert_eq!(iso_date(f64::NAN), None);
        assert_eq!(iso_date(8.65e15), None);
    }

    fn json_of(value: &Value) -> Result<String> {
        to_json(value, crate::v8::encode(value).unwrap().len())
    }

    /// A large object, then references to it, `repeats` of them.
    fn repeated(object: Value, repeats: usize) -> Value {
        let again = std::iter::repeat_n(Value::Reference(1), repeats);
        Value::array([object].into_iter().chain(again))
    }

    #[test]
    fn what_references_repeat_is_limited_in_bytes() {
        let megabyte = 1 << 20;
        let key = "k".repeat(megabyte);
        let number = |kind| Value::TypedArray {
            kind,
            bytes: vec![1; megabyte],
        };
        for large in [
            Value::StringObject("x".repeat(megabyte)),
            Value::Buffer(vec![1; megabyte]),
            number(TypedArrayKind::Uint32Array),
            Value::object([(key.as_str(), Value::Null)]),
            // Its text is nothing in the end, and was made all the same.
            Value::object([(key.as_str(), Value::Undefined)]),
        ] {
            assert!(json_of(&repeated(large.clone(), 1)).is_ok());
            let refused = json_of(&repeated(large, 100));
            assert_eq!(refused, Err(TOO_LONG));
        }
        // What is small may come as often as there is room for it on the wire.
        let small = Value::object([("a", Value::Int(1))]);
        assert!(json_of(&repeated(small, 300_000)).is_ok());
    }

    #[test]
    fn what_stands_in_the_message_itself_is_not_limited_so() {
        let value = Value::TypedArray {
            kind: TypedArrayKind::Uint8Array,
            bytes: vec![255; 2 << 20],
        };
        // Said to have no bytes on the wire, it would be allowed 16 MiB by references.
        assert!(to_json(&value, 0).unwrap().len() > 26 << 20);
    }

    #[test]
    fn no_text_is_longer_than_the_longest() {
        let value = Value::array([Value::from("abc"), Value::Buffer(vec![1])]);
        let text = to_json(&value, 0).unwrap();
        assert_eq!(to_json_within(&value, 0, text.len()).as_ref(), Ok(&text));
        for longest in 0..text.len() {
            assert_eq!(to_json_within(&value, 0, longest), Err(TOO_LONG));
        }
    }

    #[test]
    fn half_precision_is_read() {
        for (bits, number) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x7bff, 65504.0),
            (0x7c00, f64::INFINITY),
            (0x3555, 0.333_251_953_125),
        ] {
            assert_eq!(half(bits), number);
        }
        assert!(half(0x7e00).is_nan());
    }
}
