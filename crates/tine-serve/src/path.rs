//! Which file does a path mean?

use percent_encoding::percent_decode_str;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The path of a request, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Below the folder that is served, without `.` and `..`; empty for that folder itself.
    pub(crate) below: PathBuf,
    /// It ends with a slash: a folder is meant.
    pub(crate) is_folder: bool,
}

/// Why a path is not even looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It leads up.
    Up,
    /// No file can be meant by it.
    Nonsense,
    /// Part of it begins with a dot.
    Hidden,
}

impl Wanted {
    /// Reads the path of a request's target, which begins with a slash.
    ///
    /// Each part is decoded by itself, once: an encoded slash is no slash, and a decoded per cent
    /// sign no further code.
    pub(crate) fn read(path: &str, serves_hidden: bool) -> Result<Self, Refused> {
        let path = path.strip_prefix('/').ok_or(Refused::Nonsense)?;
        let mut below = PathBuf::new();
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            let part: Vec<u8> = percent_decode_str(part).collect();
            match &part[..] {
                b".." => return Err(Refused::Up),
                _ if part.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0)) => {
                    return Err(Refused::Nonsense);
                }
                // The last is empty when the path ends with a slash. Elsewhere, `a//b` names no
                // other file than `a/b`, and a target `//host/` must not be led to another host.
                b"" if parts.peek().is_some() => return Err(Refused::Nonsense),
                b"." => return Err(Refused::Nonsense),
                b"" | b".well-known" => {}
                [b'.', ..] if !serves_hidden => return Err(Refused::Hidden),
                _ => {}
            }
            if !part.is_empty() {
                below.push(OsStr::from_bytes(&part));
            }
        }
        Ok(Self {
            below,
            is_folder: path.is_empty() || path.ends_with('/'),
        })
    }

    /// The folder that is served itself.
    pub(crate) fn is_root(&self) -> bool {
        self.below == Path::new("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(path: &str) -> Result<(String, bool), Refused> {
        let wanted = Wanted::read(path, false)?;
        Ok((wanted.below.display().to_string(), wanted.is_folder))
    }

    #[test]
    fn a_path_is_decoded_part_by_part() {
        assert_eq!(below("/"), Ok((String::new(), true)));
        assert_eq!(below("/a/b.txt"), Ok(("a/b.txt".into(), false)));
        assert_eq!(below("/a%20b/"), Ok(("a b".into(), true)));
        assert_eq!(below("/100%25"), Ok(("100%".into(), false)));
        assert_eq!(below("/%252e%252e"), Ok(("%2e%2e".into(), false)));
        assert_eq!(below("/...."), Err(Refused::Hidden));
        assert_eq!(below("/a..b"), Ok(("a..b".into(), false)));
        assert_eq!(below("/%zz"), Ok(("%zz".into(), false)));
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for path in [
            "/..",
            "/../x",
            "/a/../b",
            "/%2e%2e/x",
            "/.%2E/x",
            "/a/%2e./",
        ] {
            assert_eq!(below(path), Err(Refused::Up), "{path}");
        }
        for path in [
            "//etc/passwd",
            "/a//b",
            "/%2fetc/passwd",
            "/a%2f..%2f..%2fb",
            "/..%5c..%5cb",
            "/..\\b",
            "/a%00.html",
            "/./a",
            "*",
            "",
        ] {
            assert_eq!(below(path), Err(Refused::Nonsense), "{path}");
        }
    }

    #[test]
    fn what_begins_with_a_dot_is_hidden() {
        for path in ["/.git/config", "/a/.env", "/%2eenv"] {
            assert_eq!(below(path), Err(Refused::Hidden), "{path}");
            assert!(Wanted::read(path, true).is_ok());
        }
        assert_eq!(
            below("/.well-known/acme"),
            Ok((".well-known/acme".into(), false))
        );
    }
}
