//! Bodies of any content.

use super::{Choices, advanced_body};
use tine_ipc::{Body, Serialization};

/// Reads a body in all ways there are. It may be refused; what is not must be what it was.
///
/// # Panics
/// When the ways do not agree.
pub(crate) fn look_at(body: &Body) {
    let json = body.to_json();
    let any = body.read::<serde_json::Value>();
    let nothing = body.read::<serde::de::IgnoredAny>();
    match body.value() {
        Ok(value) => {
            let again = Body::from_value(&value).expect("what was read can be written");
            assert_eq!(
                format!("{:?}", again.value().unwrap()),
                format!("{value:?}")
            );
            assert!(nothing.is_ok());
        }
        Err(_) if body.serialization() == Serialization::Advanced => {
            assert!(json.is_err() && any.is_err() && nothing.is_err());
        }
        Err(_) => {}
    }
    if let Ok(json) = json {
        Body::from_json(json).expect("it is one JSON text");
    }
}

/// Pieces out of which nearly right messages can be made.
const PIECES: [&[u8]; 40] = [
    b"o",
    b"{\x00",
    b"{\x01",
    b"{\x02",
    b"A\x01",
    b"$\x00\x01",
    b"A\x00$\x00\x00",
    b"a\x05",
    b"@\x01\x05",
    b"a\xff\xff\xff\xff\x0f@\x00\xff\xff\xff\xff\x0f",
    b"\"\x01a",
    b"\"\x03cmd",
    b"\"\x0bNODE_HANDLE",
    b"c\x02\"o",
    b"S\x02\xc3\xa9",
    b"I\x02",
    b"U\x05",
    b"N\x00\x00\x00\x00\x00\x00\xf0\x3f",
    b"^\x00",
    b"^\x01",
    b";",
    b":\x02",
    b"'",
    b",\x01",
    b"rTm\"\x01xs\"\x01yc",
    b".",
    b"\\\x00\x0a\x01x",
    b"\\\x00\x08\x08\x00\x00\x00\x00\x00\x00\xf8\x7f",
    b"\\\x01",
    b"Z\x11\x05\x00\x00\x00\x00\x00\x00\x00",
    b"D\x00\x00\x00\x00\x00\x00\xf8\x7f",
    b"R\"\x01a\x0b",
    b"B\x02\x00\x01",
    b"~\x01\x04\x00",
    b"s\"\x01x",
    b"\x00",
    b"?\x01",
    b"-",
    b"_",
    b"B\xff\xff\xff\xff\x0f",
];

/// Decodes what arbitrary bytes spell as a message in V8's format; whether it could be decoded.
///
/// # Panics
/// When anything is wrong with the answer.
pub(crate) fn play(data: &[u8]) -> bool {
    let mut choices = Choices(data);
    let bytes = match choices.byte() % 4 {
        0 => choices.0.to_vec(),
        1 => {
            let pieces = choices.0.iter();
            let pieces = pieces.map(|byte| PIECES[usize::from(*byte) % PIECES.len()]);
            pieces.collect::<Vec<_>>().concat()
        }
        // Right, but for a few bytes.
        how => {
            let mut bytes = grown(&mut choices, 0);
            for _ in 2..how {
                let at = usize::from(choices.word()) % bytes.len();
                bytes[at] = choices.byte();
            }
            bytes
        }
    };
    let Some(body) = advanced_body(&bytes) else {
        return false;
    };
    look_at(&body);
    body.value().is_ok()
}

/// The bytes of some value, without a header.
fn grown(choices: &mut Choices<'_>, depth: usize) -> Vec<u8> {
    let count = usize::from(choices.byte() % 4);
    let mut inner = || grown(choices, depth + 1);
    let many = |times: usize, inner: &mut dyn FnMut() -> Vec<u8>| -> Vec<u8> {
        (0..times).flat_map(|_| inner()).collect()
    };
    let leaves: [&[u8]; 8] = [
        b"I\x02",
        b"\"\x01a",
        b"\x00c\x02\"o",
        b"^\x00",
        b"\\\x00\x0a\x01x",
        b"D\x00\x00\x00\x00\x00\x00\xf0\x3f",
        b"_",
        b"Z\x10\x01\x00\x00\x00\x00\x00\x00\x00",
    ];
    if depth == 4 {
        return leaves[count].to_vec();
    }
    let length = count as u8;
    let properties = |inner: &mut dyn FnMut() -> Vec<u8>| -> Vec<u8> {
        (0..length)
            .flat_map(|key| [vec![b'"', 1, b'a' + key], inner()].concat())
            .collect()
    };
    match count {
        0 => [
            b"A\x02".to_vec(),
            many(2, &mut inner),
            b"$\x00\x02".to_vec(),
        ]
        .concat(),
        1 => [b"o".to_vec(), properties(&mut inner), vec![b'{', length]].concat(),
        2 => [b";".to_vec(), many(2, &mut inner), b":\x02".to_vec()].concat(),
        _ => {
            let leaf = usize::from(choices.byte()) % (leaves.len() + 2);
            match leaves.get(leaf) {
                Some(leaf) => leaf.to_vec(),
                None if leaf == leaves.len() => {
                    let inner = grown(choices, depth + 1);
                    [b"rTm\"\x01xc".to_vec(), inner, b".".to_vec()].concat()
                }
                None => {
                    let inner = grown(choices, depth + 1);
                    [b"a\x05I\x06".to_vec(), inner, b"@\x01\x05".to_vec()].concat()
                }
            }
        }
    }
}
