//! How is a value of Rust written?

use super::tag;
use super::value::Key;
use super::writer::Writer;
use super::{BigInt, Error as FormatError};
use crate::body::BodyError;
use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// `serde::de::value::Error` is an error for writing too.
type Error = serde::de::value::Error;
type Result<T = (), E = Error> = std::result::Result<T, E>;

/// The largest integer of which `f64` knows its neighbours, 2^53 - 1.
const SAFE: i128 = (1 << 53) - 1;

/// Encodes a value as a whole message.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, BodyError> {
    let mut writer = Writer::new();
    let written = value.serialize(&mut writer);
    written.map_err(|error| BodyError::Write(error.to_string()))?;
    Ok(writer.out)
}

fn refused(error: FormatError) -> Error {
    Error::custom(error)
}

impl Writer {
    fn integer(&mut self, number: i128) -> Result {
        #[allow(clippy::cast_precision_loss, reason = "below 2^53")]
        if (-SAFE..=SAFE).contains(&number) {
            self.number(number as f64);
            Ok(())
        } else {
            self.big(&BigInt::from(number))
        }
    }

    fn big(&mut self, number: &BigInt) -> Result {
        self.bigint(tag::BIGINT, number).map_err(refused)
    }

    fn text(&mut self, text: &str) -> Result {
        self.string(text).map_err(refused)
    }

    fn begin_array(&mut self, length: Option<usize>) -> Result<Array<'_>> {
        self.byte(tag::DENSE_ARRAY);
        let length_at = self.out.len();
        match length {
            Some(length) => self.count(length, "an array").map_err(refused)?,
            // A varint of fixed length, to be filled in when the length is known.
            None => self.out.extend_from_slice(&[0; 5]),
        }
        Ok(Array {
            writer: self,
            announced: length,
            length_at,
            count: 0,
            in_variant: false,
        })
    }

    fn begin_object(&mut self) -> Object<'_> {
        self.byte(tag::OBJECT);
        Object {
            writer: self,
            count: 0,
            in_variant: false,
        }
    }

    /// `{"variant": …` of which the value is to follow.
    fn begin_variant(&mut self, variant: &str) -> Result {
        self.byte(tag::OBJECT);
        self.key(&Key::from(variant)).map_err(refused)
    }

    fn end_variant(&mut self) {
        self.byte(tag::OBJECT_END);
        self.varint(1);
    }
}

/// An array that is being written.
pub(crate) struct Array<'w> {
    writer: &'w mut Writer,
    announced: Option<usize>,
    length_at: usize,
    count: usize,
    /// The object around it, which names a variant, ends with it.
    in_variant: bool,
}

impl Array<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.count += 1;
        value.serialize(&mut *self.writer)
    }

    fn finish(self) -> Result {
        let Ok(length) = u32::try_from(self.count) else {
            return Err(refused(FormatError::TooLong { what: "an array" }));
        };
        match self.announced {
            Some(announced) if announced != self.count => {
                return Err(Error::custom(format!(
                    "a sequence said to have {announced} elements had {length}"
                )));
            }
            Some(_) => {}
            None => {
                let place = &mut self.writer.out[self.length_at..self.length_at + 5];
                for (index, byte) in place.iter_mut().enumerate() {
                    let more = if index < 4 { 0x80 } else { 0 };
                    *byte = (length >> (7 * index)) as u8 & 0x7f | more;
                }
            }
        }
        self.writer.byte(tag::DENSE_ARRAY_END);
        self.writer.varint(0);
        self.writer.varint(length);
        if self.in_variant {
            self.writer.end_variant();
        }
        Ok(())
    }
}

/// An object that is being written.
pub(crate) struct Object<'w> {
    writer: &'w mut Writer,
    count: usize,
    /// The object around it, which names a variant, ends with it.
    in_variant: bool,
}

impl Object<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result {
        self.count += 1;
        self.writer.key(&Key::from(name)).map_err(refused)?;
        value.serialize(&mut *self.writer)
    }

    fn finish(self) -> Result {
        self.writer.byte(tag::OBJECT_END);
        let counted = self.writer.count(self.count, "an object");
        counted.map_err(refused)?;
        if self.in_variant {
            self.writer.end_variant();
        }
        Ok(())
    }
}

impl<'w> Serializer for &'w mut Writer {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Array<'w>;
    type SerializeTuple = Array<'w>;
    type SerializeTupleStruct = Array<'w>;
    type SerializeTupleVariant = Array<'w>;
    type SerializeMap = Object<'w>;
    type SerializeStruct = Object<'w>;
    type SerializeStructVariant = Object<'w>;

    fn serialize_bool(self, value: bool) -> Result {
        self.byte(if value { tag::TRUE } else { tag::FALSE });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result {
        self.integer(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result {
        self.integer(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result {
        self.integer(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result {
        self.integer(value.into())
    }

    fn serialize_i128(self, value: i128) -> Result {
        self.integer(value)
    }

    fn serialize_u8(self, value: u8) -> Result {
        self.integer(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result {
        self.integer(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result {
        self.integer(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result {
        self.integer(value.into())
    }

    fn serialize_u128(self, value: u128) -> Result {
        match i128::try_from(value) {
            Ok(value) => self.integer(value),
            Err(_) => self.big(&value.into()),
        }
    }

    fn serialize_f32(self, value: f32) -> Result {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result {
        self.number(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result {
        self.text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result {
        self.text(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result {
        self.buffer(value).map_err(refused)
    }

    fn serialize_none(self) -> Result {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result {
        self.byte(tag::NULL);
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result {
        self.text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result {
        self.begin_variant(variant)?;
        value.serialize(&mut *self)?;
        self.end_variant();
        Ok(())
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Array<'w>> {
        self.begin_array(length)
    }

    fn serialize_tuple(self, length: usize) -> Result<Array<'w>> {
        self.begin_array(Some(length))
    }

    fn serialize_tuple_struct(self, _name: &'static str, length: usize) -> Result<Array<'w>> {
        self.begin_array(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Array<'w>> {
        self.begin_variant(variant)?;
        let mut array = self.begin_array(Some(length))?;
        array.in_variant = true;
        Ok(array)
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Object<'w>> {
        Ok(self.begin_object())
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Object<'w>> {
        Ok(self.begin_object())
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Object<'w>> {
        self.begin_variant(variant)?;
        let mut object = self.begin_object();
        object.in_variant = true;
        Ok(object)
    }
}

macro_rules! array {
    ($($trait:ident $method:ident),*) => {$(
        impl $trait for Array<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
                self.element(value)
            }

            fn end(self) -> Result {
                self.finish()
            }
        }
    )*};
}

array!(SerializeSeq serialize_element, SerializeTuple serialize_element);
array!(SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field);

macro_rules! object {
    ($($trait:ident),*) => {$(
        impl $trait for Object<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result {
                self.field(name, value)
            }

            fn end(self) -> Result {
                self.finish()
            }
        }
    )*};
}

object!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Object<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result {
        // The names that JSON would have.
        let text = super::key::name(key)?;
        self.count += 1;
        self.writer.key(&Key::from(text)).map_err(refused)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result {
        self.finish()
    }
}
