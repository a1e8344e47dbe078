//! What is each byte of the format called?

pub(super) const PADDING: u8 = 0;
pub(super) const VERIFY_OBJECT_COUNT: u8 = b'?';
pub(super) const HOLE: u8 = b'-';
pub(super) const UNDEFINED: u8 = b'_';
pub(super) const NULL: u8 = b'0';
pub(super) const TRUE: u8 = b'T';
pub(super) const FALSE: u8 = b'F';
/// Zigzag varint.
pub(super) const INT32: u8 = b'I';
/// Varint.
pub(super) const UINT32: u8 = b'U';
/// 8 bytes, little endian.
pub(super) const DOUBLE: u8 = b'N';
/// Varint: bit 0 the sign, the others the count of bytes that follow, little endian.
pub(super) const BIGINT: u8 = b'Z';
/// The three strings: varint count of bytes, then these.
pub(super) const UTF8: u8 = b'S';
pub(super) const LATIN1: u8 = b'"';
pub(super) const UTF16: u8 = b'c';
/// Varint: the number of the object.
pub(super) const REFERENCE: u8 = b'^';
/// Keys and values up to the end, which is followed by how many pairs there were.
pub(super) const OBJECT: u8 = b'o';
pub(super) const OBJECT_END: u8 = b'{';
/// Varint: length. Then as an object; behind the end the count of pairs, and the length again.
pub(super) const SPARSE_ARRAY: u8 = b'a';
pub(super) const SPARSE_ARRAY_END: u8 = b'@';
/// Varint: length. Then so many values, then as a sparse array.
pub(super) const DENSE_ARRAY: u8 = b'A';
pub(super) const DENSE_ARRAY_END: u8 = b'$';
/// A double.
pub(super) const DATE: u8 = b'D';
pub(super) const TRUE_OBJECT: u8 = b'y';
pub(super) const FALSE_OBJECT: u8 = b'x';
pub(super) const NUMBER_OBJECT: u8 = b'n';
pub(super) const BIGINT_OBJECT: u8 = b'z';
pub(super) const STRING_OBJECT: u8 = b's';
/// A string, then a varint of flags.
pub(super) const REGEXP: u8 = b'R';
/// Keys and values up to the end, which is followed by how many of both there were.
pub(super) const MAP: u8 = b';';
pub(super) const MAP_END: u8 = b':';
pub(super) const SET: u8 = b'\'';
pub(super) const SET_END: u8 = b',';
/// Varint: how many bytes, then these.
pub(super) const ARRAY_BUFFER: u8 = b'B';
/// The same with a second varint, the most it may grow to.
pub(super) const RESIZABLE_ARRAY_BUFFER: u8 = b'~';
/// Varint: 0 for a view (varints for its kind and length, bytes), 1 for another object, as a value.
pub(super) const HOST_OBJECT: u8 = b'\\';
/// Parts by tags of their own.
pub(super) const ERROR: u8 = b'r';
pub(super) const ERROR_MESSAGE: u8 = b'm';
pub(super) const ERROR_STACK: u8 = b's';
pub(super) const ERROR_CAUSE: u8 = b'c';
pub(super) const ERROR_END: u8 = b'.';

/// The prototypes of errors other than `Error` itself.
pub(super) const ERROR_NAMES: [(u8, &str); 6] = [
    (b'E', "EvalError"),
    (b'R', "RangeError"),
    (b'F', "ReferenceError"),
    (b'S', "SyntaxError"),
    (b'T', "TypeError"),
    (b'U', "URIError"),
];

/// The letters of the flags of a regular expression, from the lowest bit on.
pub(super) const REGEXP_FLAGS: [char; 9] = ['g', 'i', 'm', 'y', 'u', 's', 'l', 'd', 'v'];

/// What this crate knows by name and cannot carry.
pub(super) fn unsupported(tag: u8) -> Option<&'static str> {
    Some(match tag {
        b'V' => "a view that shares an ArrayBuffer",
        b't' => "a transferred ArrayBuffer",
        b'u' => "a SharedArrayBuffer",
        b'p' => "a shared object",
        b'w' => "a WebAssembly module",
        b'm' => "a WebAssembly memory",
        _ => return None,
    })
}

/// The views by their number in Node's host objects; 10 is `Buffer`.
pub(super) const BUFFER: u32 = 10;
