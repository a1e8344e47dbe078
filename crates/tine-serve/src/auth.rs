//! Who may ask?

use crate::options::Credentials;
use hyper::header::{AUTHORIZATION, HeaderMap};
use std::hint::black_box;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Basic authentication (RFC 7617).
#[derive(Debug, Clone)]
pub(crate) struct Auth {
    /// As it comes in the header.
    expected: Vec<u8>,
}

impl Auth {
    pub(crate) fn new(credentials: &Credentials) -> Self {
        let Credentials { user, password } = credentials;
        Self {
            expected: base64(format!("{user}:{password}").as_bytes()),
        }
    }

    /// Whether a request with these headers comes from somebody who knows the password.
    pub(crate) fn permits(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(AUTHORIZATION) else {
            return false;
        };
        let value = value.as_bytes();
        let Some((scheme, token)) = value.split_at_checked(b"basic ".len()) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(b"basic ") && same(token.trim_ascii(), &self.expected)
    }
}

/// Takes as long wherever the first difference is; only the length can be learnt.
fn same(said: &[u8], expected: &[u8]) -> bool {
    let mut difference = usize::from(said.len() != expected.len());
    for (index, byte) in expected.iter().enumerate() {
        let other = said.get(index).copied().unwrap_or(!byte);
        difference |= usize::from(black_box(byte ^ other));
    }
    black_box(difference) == 0
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) as usize & 63;
            let letter = if place <= three.len() {
                ALPHABET[index]
            } else {
                b'='
            };
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("\u{fb}\u{ff}", "w7vDvw=="),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded.as_bytes());
        }
    }

    #[test]
    fn only_the_right_password_is_permitted() {
        let auth = Auth::new(&Credentials {
            user: "Aladdin".to_owned(),
            password: "open sesame".to_owned(),
        });
        let permits = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            auth.permits(&headers)
        };
        assert!(permits("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert!(permits("bASIC  QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        for wrong in [
            "",
            "Basic",
            "Basic ",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==x",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==",
            "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ] {
            assert!(!permits(wrong), "{wrong}");
        }
        assert!(!auth.permits(&HeaderMap::new()));
    }
}
