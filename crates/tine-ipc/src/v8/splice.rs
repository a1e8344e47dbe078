//! How is one property taken out of a message, or put into one, without decoding the rest?

use super::reader::Reader;
use super::writer::{Progress, Writer};
use super::{Error, HEADER, MAX_DEPTH, Value, decode, tag};

/// Where the value of a property of the object at the top stands.
struct Place {
    begin: usize,
    end: usize,
    /// How many objects have begun before it.
    objects: u32,
    references: bool,
}

fn find(bytes: &[u8], name: &str) -> Result<Option<Place>, Error> {
    let mut reader = Reader::new(bytes)?;
    if reader.tag()? != tag::OBJECT {
        return Ok(None);
    }
    reader.begin_object();
    while !reader.ends(tag::OBJECT_END)? {
        let found = reader.key_is(name)?;
        // Behind the padding, which has to do with the place.
        reader.peek_tag()?;
        let (begin, objects) = (reader.at(), reader.objects);
        reader.references = 0;
        reader.skip()?;
        if found {
            return Ok(Some(Place {
                begin,
                end: reader.at(),
                objects,
                references: reader.references > 0,
            }));
        }
    }
    Ok(None)
}

/// A property of the object at the top, if there is one that is a string.
pub(crate) fn property_text(bytes: &[u8], name: &str) -> Option<String> {
    let place = find(bytes, name).ok()??;
    let mut reader = Reader::resumed(bytes, place.begin, place.objects);
    matches!(reader.peek_tag(), Ok(tag::LATIN1 | tag::UTF16 | tag::UTF8))
        .then(|| reader.string().ok())
        .flatten()
}

/// A property of the object at the top, as a message of its own.
pub(crate) fn property(bytes: &[u8], name: &str) -> Option<Vec<u8>> {
    let place = find(bytes, name).ok()??;
    let mut writer = Writer::new();
    if place.references {
        let mut reader = Reader::resumed(bytes, place.begin, place.objects);
        let value = reader.value().ok()?;
        writer.tree(&value, &mut Progress::default()).ok()?;
        return Some(writer.out);
    }
    // The version is still the one it was written in.
    writer.out[1] = bytes[1];
    append(&mut writer, &bytes[place.begin..place.end], place.begin);
    Some(writer.out)
}

/// Those properties of the object at the top that have one of these names, each with the place of
/// its name among them; the others are passed over. `None` if the bytes are not such an object,
/// or if those properties have more than `longest` bytes, or refer to what is outside of them.
pub(crate) fn properties(
    bytes: &[u8],
    names: &[&str],
    longest: usize,
) -> Option<Vec<(usize, Value)>> {
    let mut reader = Reader::new(bytes).ok()?;
    if reader.tag().ok()? != tag::OBJECT {
        return None;
    }
    reader.begin_object();
    let (mut found, mut count, mut left) = (Vec::new(), 0, longest);
    while !reader.ends(tag::OBJECT_END).ok()? {
        let key = reader.at();
        reader.key_is("").ok()?;
        let is = |name: &&str| Reader::resumed(bytes, key, 0).key_is(name) == Ok(true);
        let name = names.iter().position(is);
        reader.peek_tag().ok()?;
        let (begin, objects) = (reader.at(), reader.objects);
        reader.skip().ok()?;
        count += 1;
        if let Some(name) = name {
            left = left.checked_sub(reader.at() - begin)?;
            let value = Reader::resumed(bytes, begin, objects).value().ok()?;
            found.push((name, value));
        }
    }
    reader.check_count(count).ok()?;
    reader.end().ok()?;
    Some(found)
}

/// The object `head`, which contains no other objects, with `message` as its last property.
pub(crate) fn with_property(head: &[u8], name: &str, message: &[u8]) -> Result<Vec<u8>, Error> {
    let mut reader = Reader::new(head)?;
    let what = "an envelope that is no object";
    if reader.tag()? != tag::OBJECT {
        return Err(Error::Unsupported { what });
    }
    let (mut count, mut end) = (0, reader.at());
    while !reader.ends(tag::OBJECT_END)? {
        reader.key_is("")?;
        reader.skip()?;
        (count, end) = (count + 1, reader.at());
    }
    let mut writer = Writer::new();
    writer.out.reserve(head.len() + message.len() + 16);
    writer.out.extend_from_slice(&head[HEADER.len()..end]);
    writer.string(name)?;
    let mut inside = Reader::new(message)?;
    // What cannot be looked through cannot be known to have no references.
    inside.skip()?;
    inside.end()?;
    if inside.references > 0 || message[..HEADER.len()] != HEADER {
        let mut progress = Progress::default();
        progress.first_object = 1;
        writer.tree(&decode(message)?, &mut progress)?;
    } else {
        append(&mut writer, &message[HEADER.len()..], HEADER.len());
    }
    writer.byte(tag::OBJECT_END);
    writer.count(count + 1, "an object")?;
    Ok(writer.out)
}

/// Bytes that stood at another place: characters of two bytes stand at even ones.
fn append(writer: &mut Writer, bytes: &[u8], stood_at: usize) {
    if writer.out.len() % 2 != stood_at % 2 {
        writer.byte(tag::PADDING);
    }
    writer.out.extend_from_slice(bytes);
}

impl Reader<'_> {
    /// Reads the name of a property; whether it is this one, which must be ASCII and no number.
    fn key_is(&mut self, name: &str) -> Result<bool, Error> {
        match self.tag()? {
            tag::LATIN1 | tag::UTF8 => Ok(self.counted("a string")? == name.as_bytes()),
            tag::UTF16 => {
                let bytes = self.counted("a string")?;
                let units = name.bytes().flat_map(|byte| [byte, 0]);
                Ok(bytes.iter().copied().eq(units))
            }
            tag::INT32 | tag::UINT32 => self.varint("a number").map(|_| false),
            tag::DOUBLE => self.double().map(|_| false),
            _ => Err(Error::Malformed {
                what: "a property without a name",
                at: self.at(),
            }),
        }
    }

    /// Passes over one value as `value` would read it, and without recursion: every message goes
    /// through here.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let tag = self.tag()?;
            if let Some(inside) = self.skip_head(tag)? {
                if open.len() == MAX_DEPTH {
                    return Err(Error::TooDeep);
                }
                open.push(inside);
            }
            while let Some(inside) = open.last_mut() {
                if self.goes_on(inside)? {
                    break;
                }
                open.pop();
            }
            if open.is_empty() {
                return Ok(());
            }
        }
    }

    /// Passes over a value that holds no others, or over the beginning of one that does.
    fn skip_head(&mut self, tag: u8) -> Result<Option<Open>, Error> {
        match tag {
            tag::UNDEFINED | tag::NULL | tag::TRUE | tag::FALSE | tag::HOLE => return Ok(None),
            tag::INT32 | tag::UINT32 => return self.varint("a number").map(|_| None),
            tag::DOUBLE => return self.double().map(|_| None),
            tag::BIGINT => return self.skip_bigint(),
            tag::LATIN1 | tag::UTF16 | tag::UTF8 => {
                return self.counted("a string").map(|_| None);
            }
            tag::REFERENCE => {
                self.references += 1;
                return self.varint("a reference").map(|_| None);
            }
            _ => self.begin_object(),
        }
        let until = |end, counts| Ok(Some(Open::Until { end, counts }));
        match tag {
            tag::OBJECT => return until(tag::OBJECT_END, 1),
            tag::SPARSE_ARRAY => {
                self.varint("an array")?;
                return until(tag::SPARSE_ARRAY_END, 2);
            }
            tag::DENSE_ARRAY => {
                let left = self.varint("an array")?;
                return Ok(Some(Open::Dense { left }));
            }
            tag::MAP => return until(tag::MAP_END, 1),
            tag::SET => return until(tag::SET_END, 1),
            tag::ERROR => return Ok(Some(Open::Error)),
            tag::HOST_OBJECT => {
                if self.varint("a host object")? == 1 {
                    return Ok(Some(Open::One { left: true }));
                }
                self.varint("a typed array")?;
                self.counted("a typed array")?;
            }
            tag::DATE | tag::NUMBER_OBJECT => drop(self.double()?),
            tag::TRUE_OBJECT | tag::FALSE_OBJECT => {}
            tag::BIGINT_OBJECT => return self.skip_bigint(),
            tag::STRING_OBJECT => self.skip_string()?,
            tag::REGEXP => {
                self.skip_string()?;
                self.varint("a regular expression")?;
            }
            tag::ARRAY_BUFFER => drop(self.counted("an ArrayBuffer")?),
            tag::RESIZABLE_ARRAY_BUFFER => {
                let length = self.varint("an ArrayBuffer")?;
                self.varint("an ArrayBuffer")?;
                self.take(length as usize, "an ArrayBuffer")?;
            }
            other => {
                return Err(match tag::unsupported(other) {
                    Some(what) => Error::Unsupported { what },
                    None => Error::Malformed {
                        what: "a tag that V8 does not write",
                        at: self.at(),
                    },
                });
            }
        }
        Ok(None)
    }

    fn skip_bigint(&mut self) -> Result<Option<Open>, Error> {
        let bits = self.varint("a BigInt")?;
        self.take((bits >> 1) as usize, "a BigInt").map(|_| None)
    }

    fn skip_string(&mut self) -> Result<(), Error> {
        match self.tag()? {
            tag::LATIN1 | tag::UTF16 | tag::UTF8 => self.counted("a string").map(drop),
            _ => Err(Error::Malformed {
                what: "what should be a string is none",
                at: self.at(),
            }),
        }
    }

    /// Whether a value comes next that is inside; if not, what it ends with has been passed over.
    fn goes_on(&mut self, inside: &mut Open) -> Result<bool, Error> {
        match inside {
            Open::Dense { left: left @ 1.. } => {
                *left -= 1;
                Ok(true)
            }
            Open::Dense { left: 0 } => {
                *inside = Open::Until {
                    end: tag::DENSE_ARRAY_END,
                    counts: 2,
                };
                self.goes_on(inside)
            }
            Open::Until { end, counts } => {
                if !self.ends(*end)? {
                    return Ok(true);
                }
                for _ in 0..*counts {
                    self.varint("a count")?;
                }
                Ok(false)
            }
            Open::One { left } => Ok(std::mem::take(left)),
            Open::Error => loop {
                match self.take(1, "an Error")?[0] {
                    tag::ERROR_MESSAGE | tag::ERROR_STACK | tag::ERROR_CAUSE => return Ok(true),
                    tag::ERROR_END => return Ok(false),
                    _ => {}
                }
            },
        }
    }
}

/// What the reader is inside of.
enum Open {
    /// Values up to a tag, and some counts behind it.
    Until { end: u8, counts: usize },
    /// So many more values, then as above.
    Dense { left: u32 },
    /// One value, if it is still to come.
    One { left: bool },
    /// Parts with tags of their own.
    Error,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v8::{Value, encode};

    #[test]
    fn what_is_taken_out_stands_as_if_alone() {
        let shared = Value::object([("s", Value::from("漢字"))]);
        let inside = Value::array([
            shared,
            Value::Reference(0),
            Value::Reference(1),
            Value::from("é漢"),
        ]);
        for inside in [inside, Value::from("漢"), Value::Null, Value::array([])] {
            for padding in ["", "x", "xx"] {
                let outer = Value::object([
                    ("first", Value::Buffer(vec![1, 2, 3])),
                    ("text", Value::from(padding)),
                ]);
                let alone = encode(&inside).unwrap();
                let head = encode(&Value::object([("text", Value::from(padding))])).unwrap();
                let whole = with_property(&head, "msg", &alone).unwrap();
                assert_eq!(property(&whole, "msg"), Some(alone.clone()));
                assert_eq!(property_text(&whole, "text"), Some(padding.to_owned()));
                assert_eq!(property(&whole, "none"), None);
                let outer = encode(&outer).unwrap();
                assert_eq!(property_text(&outer, "first"), None);
            }
        }
    }

    #[test]
    fn a_reference_to_what_is_outside_cannot_be_taken_out() {
        let whole = Value::object([("msg", Value::array([Value::Reference(0)]))]);
        assert_eq!(property(&encode(&whole).unwrap(), "msg"), None);
    }
}
