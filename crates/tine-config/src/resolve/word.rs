//! What kind of thing does a word of `tine start` mean?

use crate::around::Around;
use crate::file::is_process_file;
use std::path::PathBuf;

/// What a word means by its looks. Whether an app, a namespace or an id of this kind is there, the
/// daemon knows: it is asked for a [`Number`](Kind::Number), a [`Bare`](Kind::Bare) word, and with
/// the path also for a [`Path`](Kind::Path), before anything new is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The name of a process file; the path is absolute.
    ProcessFile(PathBuf),
    /// `-`: a process file on standard input.
    Stdin,
    /// Digits alone: an id, unless it is somebody's name.
    Number(u64),
    /// A word without slash, dot and blank: an app, a namespace, `all`, or a program.
    Bare,
    /// A script or program; the path is the absolute one that it would have in the folder.
    Path(PathBuf),
    /// A text with blanks that is no file: a command for a shell.
    Command,
}

/// What a word means, seen from the folder of the caller. Only for a word with blanks the disk is
/// asked whether it is the name of a file.
///
/// A process file is known by the last part of its path: `.json`, `.json5`, `.yml`, `.yaml`,
/// `.config.js`, `.config.cjs`, `.config.mjs` or `.config.ts` anywhere in it, or the
/// ending `.toml`. PM2 looks at the whole path, so that `/x.json/app.js` is a process file
/// there.
#[must_use]
pub fn kind_of(word: &str, around: &Around) -> Kind {
    if word == "-" {
        return Kind::Stdin;
    }
    let path = around.absolute(word, &around.cwd);
    if word.contains(char::is_whitespace) && !path.exists() {
        return Kind::Command;
    }
    if is_process_file(&path) {
        return Kind::ProcessFile(path);
    }
    if !word.is_empty()
        && word.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(number) = word.parse()
    {
        return Kind::Number(number);
    }
    if word.contains(['/', '.', '~']) || word.is_empty() {
        return Kind::Path(path);
    }
    Kind::Bare
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;

    #[test]
    fn words_are_told_apart_by_their_looks() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("my app.js"), "").unwrap();
        let around = Around {
            cwd: folder.path().to_owned(),
            env: [].into(),
            home: "/h".into(),
            tine: "/t".into(),
        };
        let kind = |word| kind_of(word, &around);
        for word in [
            "app.json",
            "a.json5",
            "x/app.yml",
            "app.yaml",
            "ecosystem.config.js",
            "ecosystem.config.cjs",
            "e.config.mjs",
            "e.config.ts",
            "my.json.bak",
            "tine.toml",
            "shop.tine.toml",
            "shop.toml",
            "package.json",
        ] {
            assert!(matches!(kind(word), Kind::ProcessFile(_)), "{word}");
        }
        for word in [
            "app.js",
            "./web",
            "ecosystem.js",
            "x.json/app.js",
            "..",
            "~",
            "",
        ] {
            assert!(matches!(kind(word), Kind::Path(_)), "{word}");
        }
        assert_eq!(kind("-"), Kind::Stdin);
        assert_eq!(kind("12"), Kind::Number(12));
        assert_eq!(kind("99999999999999999999999"), Kind::Bare);
        for word in ["web", "all", "api-1", "-1"] {
            assert_eq!(kind(word), Kind::Bare, "{word}");
        }
        assert_eq!(kind("npm run start -- --config=a.json"), Kind::Command);
        assert_eq!(
            kind("my app.js"),
            Kind::Path(folder.path().join("my app.js"))
        );
    }
}
