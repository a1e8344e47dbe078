//! Which bytes hold this value?

use super::value::{Key, TypedArrayKind, Value};
use super::{BigInt, Error, HEADER, MAX_DEPTH, tag};

/// Encodes a whole message.
pub(crate) fn encode(value: &Value) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::new();
    writer.tree(value, &mut Progress::default())?;
    Ok(writer.out)
}

/// The bytes of a message so far.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) out: Vec<u8>,
}

/// How far into a tree.
#[derive(Debug, Default)]
pub(super) struct Progress {
    depth: usize,
    /// How many objects have begun.
    objects: u32,
    /// The number in the message of the object that the tree calls 0.
    pub(super) first_object: u32,
}

type Result<T = (), E = Error> = std::result::Result<T, E>;

impl Writer {
    /// With the header.
    pub(super) fn new() -> Self {
        Self {
            out: HEADER.to_vec(),
        }
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    pub(super) fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    pub(super) fn count(&mut self, count: usize, what: &'static str) -> Result {
        self.varint(u32::try_from(count).map_err(|_| Error::TooLong { what })?);
        Ok(())
    }

    fn counted(&mut self, bytes: &[u8], what: &'static str) -> Result {
        self.count(bytes.len(), what)?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn int(&mut self, number: i32) {
        self.byte(tag::INT32);
        self.varint(((number << 1) ^ (number >> 31)).cast_unsigned());
    }

    fn double(&mut self, tag: u8, number: f64) {
        self.byte(tag);
        self.out.extend_from_slice(&number.to_le_bytes());
    }

    /// A number as V8 would hold it.
    pub(super) fn number(&mut self, number: f64) {
        match Value::number(number) {
            Value::Int(int) => self.int(int),
            _ => self.double(tag::DOUBLE, number),
        }
    }

    pub(super) fn bigint(&mut self, tag: u8, number: &BigInt) -> Result {
        let what = "a BigInt";
        let length = u32::try_from(number.words().len() * 8);
        let length = length.ok().filter(|length| *length < 1 << 31);
        self.byte(tag);
        self.varint(length.ok_or(Error::TooLong { what })? << 1 | u32::from(number.is_negative()));
        for word in number.words() {
            self.out.extend_from_slice(&word.to_le_bytes());
        }
        Ok(())
    }

    /// Latin-1 if it can be, as V8 holds it.
    pub(super) fn string(&mut self, text: &str) -> Result {
        let what = "a string";
        if text.is_ascii() {
            self.byte(tag::LATIN1);
            return self.counted(text.as_bytes(), what);
        }
        if text.chars().all(|char| u8::try_from(char).is_ok()) {
            self.byte(tag::LATIN1);
            self.count(text.chars().count(), what)?;
            self.out
                .extend(text.chars().filter_map(|char| u8::try_from(char).ok()));
            return Ok(());
        }
        let length = text.encode_utf16().count() * 2;
        let length = u32::try_from(length).map_err(|_| Error::TooLong { what })?;
        // The characters stand at even places.
        let varint = (u32::BITS - length.leading_zeros()).div_ceil(7) as usize;
        if !(self.out.len() + 1 + varint).is_multiple_of(2) {
            self.byte(tag::PADDING);
        }
        self.byte(tag::UTF16);
        self.varint(length);
        for unit in text.encode_utf16() {
            self.out.extend_from_slice(&unit.to_le_bytes());
        }
        Ok(())
    }

    pub(super) fn key(&mut self, key: &Key) -> Result {
        match key {
            Key::Index(index) => self.number(f64::from(*index)),
            Key::Text(text) => self.string(text)?,
        }
        Ok(())
    }

    pub(super) fn buffer(&mut self, bytes: &[u8]) -> Result {
        self.view(tag::BUFFER, bytes)
    }

    fn view(&mut self, index: u32, bytes: &[u8]) -> Result {
        self.byte(tag::HOST_OBJECT);
        self.varint(0);
        self.varint(index);
        self.counted(bytes, "a typed array")
    }

    /// A value with all that is in it.
    pub(super) fn tree(&mut self, value: &Value, progress: &mut Progress) -> Result {
        if progress.depth == MAX_DEPTH && value.nests() {
            return Err(Error::TooDeep);
        }
        if value.is_object() {
            progress.objects = progress.objects.saturating_add(1);
        }
        progress.depth += 1;
        let result = match value {
            Value::Object(properties) => {
                self.byte(tag::OBJECT);
                self.properties(properties, tag::OBJECT_END, progress)
            }
            Value::Array(elements) => self.dense_array(elements, &[], progress),
            Value::ArrayWithProperties(array) => {
                self.dense_array(&array.elements, &array.properties, progress)
            }
            Value::SparseArray { length, properties } => {
                self.sparse_array(*length, properties, progress)
            }
            Value::Map(entries) => self.map(entries, progress),
            Value::Set(members) => self.set(members, progress),
            Value::Error(error) => self.error(error, progress),
            Value::HostObject(inside) => {
                self.byte(tag::HOST_OBJECT);
                self.varint(1);
                self.tree(inside, progress)
            }
            Value::Reference(id) => self.reference(*id, progress),
            leaf => self.leaf(leaf),
        };
        progress.depth -= 1;
        result
    }

    fn reference(&mut self, id: u32, progress: &Progress) -> Result {
        if id >= progress.objects {
            return Err(Error::Reference { id });
        }
        let number = id.checked_add(progress.first_object);
        self.byte(tag::REFERENCE);
        self.varint(number.ok_or(Error::Reference { id })?);
        Ok(())
    }

    fn properties(
        &mut self,
        properties: &[(Key, Value)],
        end: u8,
        progress: &mut Progress,
    ) -> Result {
        for (key, value) in properties {
            self.key(key)?;
            self.tree(value, progress)?;
        }
        self.byte(end);
        self.count(properties.len(), "an object")
    }

    fn dense_array(
        &mut self,
        elements: &[Value],
        properties: &[(Key, Value)],
        progress: &mut Progress,
    ) -> Result {
        self.byte(tag::DENSE_ARRAY);
        self.count(elements.len(), "an array")?;
        for element in elements {
            self.tree(element, progress)?;
        }
        self.properties(properties, tag::DENSE_ARRAY_END, progress)?;
        self.count(elements.len(), "an array")
    }

    fn sparse_array(
        &mut self,
        length: u32,
        properties: &[(Key, Value)],
        progress: &mut Progress,
    ) -> Result {
        self.byte(tag::SPARSE_ARRAY);
        self.varint(length);
        self.properties(properties, tag::SPARSE_ARRAY_END, progress)?;
        self.varint(length);
        Ok(())
    }

    fn map(&mut self, entries: &[(Value, Value)], progress: &mut Progress) -> Result {
        self.byte(tag::MAP);
        for (key, value) in entries {
            self.tree(key, progress)?;
            self.tree(value, progress)?;
        }
        self.byte(tag::MAP_END);
        self.count(entries.len().saturating_mul(2), "a Map")
    }

    fn set(&mut self, members: &[Value], progress: &mut Progress) -> Result {
        self.byte(tag::SET);
        for member in members {
            self.tree(member, progress)?;
        }
        self.byte(tag::SET_END);
        self.count(members.len(), "a Set")
    }

    fn error(&mut self, error: &super::ErrorValue, progress: &mut Progress) -> Result {
        self.byte(tag::ERROR);
        let known = tag::ERROR_NAMES
            .iter()
            .find(|(_, name)| *name == error.name);
        if let Some((tag, _)) = known {
            self.byte(*tag);
        }
        if let Some(message) = &error.message {
            self.byte(tag::ERROR_MESSAGE);
            self.string(message)?;
        }
        if let Some(stack) = &error.stack {
            self.byte(tag::ERROR_STACK);
            self.string(stack)?;
        }
        if let Some(cause) = &error.cause {
            self.byte(tag::ERROR_CAUSE);
            self.tree(cause, progress)?;
        }
        self.byte(tag::ERROR_END);
        Ok(())
    }

    /// A value that holds no others.
    #[inline(never)]
    fn leaf(&mut self, value: &Value) -> Result {
        match value {
            Value::Undefined => self.byte(tag::UNDEFINED),
            Value::Null => self.byte(tag::NULL),
            Value::Bool(true) => self.byte(tag::TRUE),
            Value::Bool(false) => self.byte(tag::FALSE),
            Value::Hole => self.byte(tag::HOLE),
            Value::Int(number) => self.int(*number),
            Value::Number(number) => self.double(tag::DOUBLE, *number),
            Value::BigInt(number) => self.bigint(tag::BIGINT, number)?,
            Value::String(text) => self.string(text)?,
            Value::Date(time) => self.double(tag::DATE, *time),
            Value::BoolObject(true) => self.byte(tag::TRUE_OBJECT),
            Value::BoolObject(false) => self.byte(tag::FALSE_OBJECT),
            Value::NumberObject(number) => self.double(tag::NUMBER_OBJECT, *number),
            Value::BigIntObject(number) => self.bigint(tag::BIGINT_OBJECT, number)?,
            Value::StringObject(text) => {
                self.byte(tag::STRING_OBJECT);
                self.string(text)?;
            }
            Value::RegExp(regexp) => {
                self.byte(tag::REGEXP);
                self.string(&regexp.source)?;
                self.varint(regexp_bits(&regexp.flags)?);
            }
            Value::Buffer(bytes) => self.buffer(bytes)?,
            Value::ArrayBuffer(bytes) => {
                self.byte(tag::ARRAY_BUFFER);
                self.counted(bytes, "an ArrayBuffer")?;
            }
            Value::ResizableArrayBuffer { bytes, max } => {
                if (*max as usize) < bytes.len() {
                    let what = "an ArrayBuffer longer than it may be";
                    return Err(Error::Unsupported { what });
                }
                self.byte(tag::RESIZABLE_ARRAY_BUFFER);
                self.count(bytes.len(), "an ArrayBuffer")?;
                self.varint(*max);
                self.out.extend_from_slice(bytes);
            }
            Value::TypedArray { kind, bytes } => {
                if !bytes.len().is_multiple_of(kind.element_size()) {
                    let what = "a typed array with half an element";
                    return Err(Error::Unsupported { what });
                }
                self.view(kind.index(), bytes)?;
            }
            // Those that hold others are not given here.
            _ => {}
        }
        Ok(())
    }
}

fn regexp_bits(flags: &str) -> Result<u32> {
    let mut bits = 0;
    for letter in flags.chars() {
        let bit = tag::REGEXP_FLAGS.iter().position(|flag| *flag == letter);
        bits |= 1
            << bit.ok_or(Error::Unsupported {
                what: "a regular expression with unknown flags",
            })?;
    }
    Ok(bits)
}

impl TypedArrayKind {
    const BY_INDEX: [Option<Self>; 14] = [
        Some(Self::Int8Array),
        Some(Self::Uint8Array),
        Some(Self::Uint8ClampedArray),
        Some(Self::Int16Array),
        Some(Self::Uint16Array),
        Some(Self::Int32Array),
        Some(Self::Uint32Array),
        Some(Self::Float32Array),
        Some(Self::Float64Array),
        Some(Self::DataView),
        None, // Buffer
        Some(Self::BigInt64Array),
        Some(Self::BigUint64Array),
        Some(Self::Float16Array),
    ];

    pub(super) fn of_index(index: u32) -> Option<Self> {
        Self::BY_INDEX.get(index as usize).copied().flatten()
    }

    fn index(self) -> u32 {
        let index = Self::BY_INDEX.iter().position(|kind| *kind == Some(self));
        index.map_or(tag::BUFFER, |index| index as u32)
    }
}
