//! What value do these bytes hold?

use super::value::{ArrayWithProperties, ErrorValue, Key, RegExpValue, TypedArrayKind, Value};
use super::{BigInt, Error, HEADER, MAX_DEPTH, has_header, tag};
use crate::json;

/// Decodes a whole message.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, Error> {
    let mut reader = Reader::new(bytes)?;
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

/// A place in a message.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    /// How many objects have begun.
    pub(super) objects: u32,
    /// How many references have been read or skipped.
    pub(super) references: usize,
    /// The number of the object that is to be called 0; those before it are not known.
    pub(super) first_object: u32,
}

type Result<T, E = Error> = std::result::Result<T, E>;

impl<'a> Reader<'a> {
    /// Behind the header.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        if bytes.len() < HEADER.len() || !has_header(bytes) {
            return Err(Error::Header);
        }
        Ok(Self {
            bytes,
            at: HEADER.len(),
            depth: 0,
            objects: 0,
            references: 0,
            first_object: 0,
        })
    }

    /// A reader of the same bytes at `at`, where `objects` have begun. These are not known to it.
    pub(super) fn resumed(bytes: &'a [u8], at: usize, objects: u32) -> Self {
        Self {
            bytes,
            at,
            depth: 0,
            objects,
            references: 0,
            first_object: objects,
        }
    }

    /// Where it is, in bytes from the header.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn malformed<T>(&self, what: &'static str) -> Result<T> {
        Err(Error::Malformed { what, at: self.at })
    }

    fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8]> {
        if count > self.remaining() {
            return Err(Error::Ends { what });
        }
        let taken = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(taken)
    }

    /// As V8 reads it: bits that do not fit are dropped.
    pub(super) fn varint(&mut self, what: &'static str) -> Result<u32> {
        let mut value = 0u32;
        let mut shift = 0u32;
        loop {
            let byte = self.take(1, what)?[0];
            if shift < u32::BITS {
                value |= u32::from(byte & 0x7f) << shift;
                shift += 7;
            }
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
    }

    /// A count of bytes, and these.
    pub(super) fn counted(&mut self, what: &'static str) -> Result<&'a [u8]> {
        let count = self.varint(what)?;
        self.take(count as usize, what)
    }

    pub(super) fn double(&mut self) -> Result<f64> {
        let bytes = self.take(8, "a number")?;
        let bytes = bytes.first_chunk().copied().unwrap_or_default();
        Ok(f64::from_le_bytes(bytes))
    }

    pub(super) fn int(&mut self) -> Result<i32> {
        let zigzag = self.varint("a number")?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    /// The next tag, which is not consumed. Padding is.
    pub(super) fn peek_tag(&mut self) -> Result<u8> {
        loop {
            match self.bytes.get(self.at) {
                None => return Err(Error::Ends { what: "a value" }),
                Some(&tag::PADDING) => self.at += 1,
                Some(&tag) => return Ok(tag),
            }
        }
    }

    pub(super) fn tag(&mut self) -> Result<u8> {
        loop {
            let tag = self.peek_tag()?;
            self.at += 1;
            if tag != tag::VERIFY_OBJECT_COUNT {
                return Ok(tag);
            }
            self.varint("a count of objects")?;
        }
    }

    /// Whether the next tag is `end`, which is then consumed.
    pub(super) fn ends(&mut self, end: u8) -> Result<bool> {
        let is_end = self.peek_tag()? == end;
        self.at += usize::from(is_end);
        Ok(is_end)
    }

    /// The count behind an end, which must be true.
    pub(super) fn check_count(&mut self, count: usize) -> Result<()> {
        if self.varint("a count")? as usize == count {
            Ok(())
        } else {
            self.malformed("a count that is not true")
        }
    }

    /// Nothing but padding may be left.
    pub(super) fn end(&mut self) -> Result<()> {
        match self.peek_tag() {
            Err(_) => Ok(()),
            Ok(_) => self.malformed("more than one value"),
        }
    }

    /// One level deeper.
    pub(super) fn deeper<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    /// An object has begun.
    pub(super) fn begin_object(&mut self) {
        self.objects = self.objects.saturating_add(1);
    }

    /// One value. Split by what it holds, so that what nests takes little stack.
    pub(super) fn value(&mut self) -> Result<Value> {
        match self.tag()? {
            tag::OBJECT => self.deeper(Self::object),
            tag::DENSE_ARRAY => self.deeper(Self::dense_array),
            tag::SPARSE_ARRAY => self.deeper(Self::sparse_array),
            tag::MAP => self.deeper(Self::map),
            tag::SET => self.deeper(Self::set),
            tag::ERROR => self.deeper(Self::error),
            tag::HOST_OBJECT => self.deeper(Self::host_object),
            tag => self.leaf(tag),
        }
    }

    /// A value that holds no others.
    #[inline(never)]
    fn leaf(&mut self, tag: u8) -> Result<Value> {
        Ok(match tag {
            tag::UNDEFINED => Value::Undefined,
            tag::NULL => Value::Null,
            tag::TRUE => Value::Bool(true),
            tag::FALSE => Value::Bool(false),
            tag::HOLE => Value::Hole,
            tag::INT32 => Value::Int(self.int()?),
            tag::UINT32 => Value::number(self.varint("a number")?.into()),
            tag::DOUBLE => Value::Number(self.double()?),
            tag::BIGINT => Value::BigInt(self.bigint()?),
            tag::UTF8 | tag::LATIN1 | tag::UTF16 => Value::String(self.text(tag)?),
            tag::REFERENCE => self.reference()?,
            tag => {
                self.begin_object();
                self.leaf_object(tag)?
            }
        })
    }

    fn leaf_object(&mut self, tag: u8) -> Result<Value> {
        Ok(match tag {
            tag::DATE => Value::Date(self.double()?),
            tag::TRUE_OBJECT => Value::BoolObject(true),
            tag::FALSE_OBJECT => Value::BoolObject(false),
            tag::NUMBER_OBJECT => Value::NumberObject(self.double()?),
            tag::BIGINT_OBJECT => Value::BigIntObject(self.bigint()?),
            tag::STRING_OBJECT => Value::StringObject(self.string()?),
            tag::REGEXP => {
                let source = self.string()?;
                let flags = self.regexp_flags()?;
                Value::RegExp(Box::new(RegExpValue { source, flags }))
            }
            tag::ARRAY_BUFFER => Value::ArrayBuffer(self.counted("an ArrayBuffer")?.to_vec()),
            tag::RESIZABLE_ARRAY_BUFFER => {
                let length = self.varint("an ArrayBuffer")?;
                let max = self.varint("an ArrayBuffer")?;
                if max < length {
                    return self.malformed("an ArrayBuffer longer than it may be");
                }
                let bytes = self.take(length as usize, "an ArrayBuffer")?.to_vec();
                Value::ResizableArrayBuffer { bytes, max }
            }
            other => match tag::unsupported(other) {
                Some(what) => return Err(Error::Unsupported { what }),
                None => return self.malformed("a tag that V8 does not write"),
            },
        })
    }

    fn reference(&mut self) -> Result<Value> {
        self.references += 1;
        let id = self.varint("a reference")?;
        match id.checked_sub(self.first_object) {
            Some(own) if id < self.objects => Ok(Value::Reference(own)),
            _ => Err(Error::Reference { id }),
        }
    }

    fn bigint(&mut self) -> Result<BigInt> {
        let bits = self.varint("a BigInt")?;
        let digits = self.take((bits >> 1) as usize, "a BigInt")?;
        let words = digits.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        });
        Ok(BigInt::from_words(bits & 1 == 1, words.collect()))
    }

    fn regexp_flags(&mut self) -> Result<String> {
        let bits = self.varint("a regular expression")?;
        if bits >> tag::REGEXP_FLAGS.len() != 0 {
            return self.malformed("unknown flags of a regular expression");
        }
        let set = tag::REGEXP_FLAGS.iter().enumerate();
        let mut flags: Vec<char> = set
            .filter(|(bit, _)| bits >> bit & 1 == 1)
            .map(|(_, letter)| *letter)
            .collect();
        flags.sort_unstable();
        Ok(flags.into_iter().collect())
    }

    /// A string with its tag.
    pub(super) fn string(&mut self) -> Result<String> {
        let tag = self.tag()?;
        self.text(tag)
    }

    /// A string whose tag has been read.
    fn text(&mut self, tag: u8) -> Result<String> {
        match tag {
            tag::LATIN1 => {
                let bytes = self.counted("a string")?;
                Ok(if bytes.is_ascii() {
                    String::from_utf8_lossy(bytes).into_owned()
                } else {
                    bytes.iter().map(|byte| char::from(*byte)).collect()
                })
            }
            tag::UTF16 => {
                let bytes = self.counted("a string")?;
                let (units, odd) = bytes.as_chunks::<2>();
                if !odd.is_empty() {
                    return self.malformed("half a character");
                }
                let units = units.iter().map(|unit| u16::from_le_bytes(*unit));
                Ok(char::decode_utf16(units)
                    .map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect())
            }
            tag::UTF8 => Ok(String::from_utf8_lossy(self.counted("a string")?).into_owned()),
            _ => self.malformed("what should be a string is none"),
        }
    }

    /// The name of a property.
    fn key(&mut self) -> Result<Key> {
        let number = match self.tag()? {
            tag::INT32 => f64::from(self.int()?),
            tag::UINT32 => f64::from(self.varint("a number")?),
            tag::DOUBLE => self.double()?,
            tag => return self.text(tag).map(Key::Text),
        };
        Ok(Key::from(json::number_text(number)))
    }

    fn properties(&mut self, end: u8) -> Result<Vec<(Key, Value)>> {
        let mut properties = Vec::new();
        while !self.ends(end)? {
            let key = self.key()?;
            properties.push((key, self.value()?));
        }
        self.check_count(properties.len())?;
        Ok(properties)
    }

    fn object(&mut self) -> Result<Value> {
        self.begin_object();
        self.properties(tag::OBJECT_END).map(Value::Object)
    }

    fn dense_array(&mut self) -> Result<Value> {
        self.begin_object();
        let length = self.varint("an array")? as usize;
        if length > self.remaining() {
            return Err(Error::Ends { what: "an array" });
        }
        let mut elements = Vec::new();
        while elements.len() < length {
            elements.push(self.value()?);
        }
        let properties = self.properties(tag::DENSE_ARRAY_END)?;
        self.check_count(length)?;
        Ok(if properties.is_empty() {
            Value::Array(elements)
        } else {
            Value::ArrayWithProperties(Box::new(ArrayWithProperties {
                elements,
                properties,
            }))
        })
    }

    fn sparse_array(&mut self) -> Result<Value> {
        self.begin_object();
        let length = self.varint("an array")?;
        let properties = self.properties(tag::SPARSE_ARRAY_END)?;
        self.check_count(length as usize)?;
        Ok(Value::SparseArray { length, properties })
    }

    fn map(&mut self) -> Result<Value> {
        self.begin_object();
        let mut entries = Vec::new();
        while !self.ends(tag::MAP_END)? {
            let key = self.value()?;
            entries.push((key, self.value()?));
        }
        self.check_count(entries.len() * 2)?;
        Ok(Value::Map(entries))
    }

    fn set(&mut self) -> Result<Value> {
        self.begin_object();
        let mut members = Vec::new();
        while !self.ends(tag::SET_END)? {
            members.push(self.value()?);
        }
        self.check_count(members.len())?;
        Ok(Value::Set(members))
    }

    fn error(&mut self) -> Result<Value> {
        self.begin_object();
        let mut error = Box::new(ErrorValue {
            name: "Error".to_owned(),
            ..ErrorValue::default()
        });
        loop {
            // Not `tag`: V8 reads these as numbers, without padding.
            match self.take(1, "an Error")?[0] {
                tag::ERROR_MESSAGE => error.message = Some(self.string()?),
                tag::ERROR_STACK => error.stack = Some(self.string()?),
                tag::ERROR_CAUSE => error.cause = Some(self.value()?),
                tag::ERROR_END => return Ok(Value::Error(error)),
                other => match tag::ERROR_NAMES.iter().find(|(tag, _)| *tag == other) {
                    Some((_, name)) => error.name = (*name).to_owned(),
                    None => return self.malformed("an unknown part of an Error"),
                },
            }
        }
    }

    fn host_object(&mut self) -> Result<Value> {
        self.begin_object();
        match self.varint("a host object")? {
            0 => self.view(),
            1 => Ok(Value::HostObject(Box::new(self.value()?))),
            _ => self.malformed("a host object that Node does not write"),
        }
    }

    fn view(&mut self) -> Result<Value> {
        let index = self.varint("a typed array")?;
        if index == tag::BUFFER {
            return Ok(Value::Buffer(self.counted("a Buffer")?.to_vec()));
        }
        let Some(kind) = TypedArrayKind::of_index(index) else {
            return self.malformed("an unknown typed array");
        };
        let bytes = self.counted("a typed array")?.to_vec();
        if !bytes.len().is_multiple_of(kind.element_size()) {
            return self.malformed("a typed array with half an element");
        }
        Ok(Value::TypedArray { kind, bytes })
    }
}
