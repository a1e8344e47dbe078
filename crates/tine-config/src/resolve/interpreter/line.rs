//! What runs a script whose name says nothing?

use super::{Interpreter, Search, itself, runs, table};
use crate::problem::Problem;
use std::io::Read;
use std::path::Path;

/// How much of a file is looked at. The kernel reads 256 bytes of a `#!` line.
const HEAD: u64 = 512;

/// By its `#!` line, which PM2 does not look at; a binary is executed itself, and a text without
/// such a line goes to Node as in PM2.
pub(super) fn find(script: &Path, search: Search<'_>) -> Result<Interpreter, Problem> {
    let head = head(script)?;
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or(line);
        return match std::str::from_utf8(line).ok().and_then(parse) {
            Some(found) => present(found, script, search),
            // Only the kernel knows what to make of it.
            None => itself(script, search),
        };
    }
    if head.contains(&0) {
        return itself(script, search);
    }
    if search.has("node") {
        return Ok(runs("node"));
    }
    Err(Problem::error(format!(
        "nothing says what runs {}: it has neither a known ending nor a #! line, and there is no \
         node in PATH",
        script.display()
    ))
    .hint("name what runs it with --interpreter"))
}

fn head(script: &Path) -> Result<Vec<u8>, Problem> {
    let mut head = Vec::new();
    let read = std::fs::metadata(script).and_then(|metadata| {
        // Opening a pipe would wait for somebody to write to it.
        if !metadata.is_file() {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        let file = std::fs::File::open(script)?;
        file.take(HEAD).read_to_end(&mut head)
    });
    match read {
        Ok(_) => Ok(head),
        // What may be executed need not be readable.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(vec![0]),
        Err(error) => Err(
            Problem::error(format!("reading {}: {error}", script.display()))
                .hint("name a script or a program"),
        ),
    }
}

/// The interpreter of a `#!` line and its arguments; `/usr/bin/env` is looked through.
fn parse(line: &str) -> Option<Interpreter> {
    let line = line.trim();
    let (program, rest) = match line.split_once([' ', '\t']) {
        Some((program, rest)) => (program, rest.trim()),
        None => (line, ""),
    };
    if !program.starts_with('/') {
        return None;
    }
    if !program.ends_with("/env") {
        // The kernel hands the rest over as one argument.
        let args = (!rest.is_empty()).then(|| rest.to_owned());
        return Some(Interpreter {
            program: Some(program.to_owned()),
            args: args.into_iter().collect(),
        });
    }
    let split = rest
        .strip_prefix("--split-string=")
        .or_else(|| rest.strip_prefix("--split-string "))
        .or_else(|| rest.strip_prefix("-S"));
    let mut words = match split {
        Some(rest) => shell_words::split(rest).ok()?,
        None if rest.is_empty() => return None,
        None => vec![rest.to_owned()],
    };
    let program = words.first()?;
    if program.starts_with('-') || program.contains('=') || program.is_empty() {
        return None;
    }
    let program = words.remove(0);
    Some(Interpreter {
        program: Some(program),
        args: words,
    })
}

fn present(found: Interpreter, script: &Path, search: Search<'_>) -> Result<Interpreter, Problem> {
    let name = found.program.as_deref().unwrap_or_default();
    match search.program(name) {
        Ok(_) => Ok(found),
        Err(error) => Err(Problem::error(format!(
            "{} asks for `{name}` in its first line: {error}",
            script.display()
        ))
        .hint(table::remedy(name))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;
    use crate::around::Around;
    use std::ffi::OsString;
    use std::os::unix::fs::PermissionsExt;

    fn parsed(line: &str) -> Option<(String, Vec<String>)> {
        parse(line).map(|found| (found.program.unwrap(), found.args))
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn first_lines_are_read_as_the_kernel_and_env_read_them() {
        for (line, program, args) in [
            ("/bin/bash", "/bin/bash", &[][..]),
            (" /bin/sh -e -u ", "/bin/sh", &["-e -u"]),
            ("/usr/bin/env node", "node", &[]),
            (
                "/usr/bin/env -S node --flag 'a b'",
                "node",
                &["--flag", "a b"],
            ),
            ("/usr/bin/env --split-string=ruby -w", "ruby", &["-w"]),
        ] {
            assert_eq!(
                parsed(line),
                Some((program.to_owned(), words(args))),
                "{line}"
            );
        }
        for line in [
            "",
            "node",
            "/usr/bin/env",
            "/usr/bin/env -i sh",
            "/usr/bin/env -S A=1 sh",
        ] {
            assert_eq!(parsed(line), None, "{line}");
        }
    }

    #[test]
    fn a_file_is_run_by_what_it_says_of_itself() {
        let folder = tempfile::tempdir().unwrap();
        let around = Around {
            cwd: folder.path().to_owned(),
            env: [].into(),
            home: "/h".into(),
            tine: "/t".into(),
        };
        let path = OsString::from("/usr/local/bin:/usr/bin:/bin");
        let search = Search {
            cwd: folder.path(),
            path: Some(&path),
            around: &around,
        };
        let run = |content: &[u8], mode: u32| {
            let script = folder.path().join("script");
            std::fs::write(&script, content).unwrap();
            std::fs::set_permissions(&script, std::fs::Permissions::from_mode(mode)).unwrap();
            find(&script, search)
        };
        let program = |content: &[u8], mode| run(content, mode).unwrap().program;
        assert_eq!(
            program(b"#!/bin/sh\necho", 0o644).as_deref(),
            Some("/bin/sh")
        );
        assert_eq!(
            program(b"#!/usr/bin/env sh\n", 0o755).as_deref(),
            Some("sh")
        );
        assert_eq!(program(b"\x7fELF\0\0", 0o755), None);
        assert!(
            run(b"\x7fELF\0\0", 0o644)
                .unwrap_err()
                .hint
                .unwrap()
                .contains("chmod")
        );
        assert!(run(b"#!/no/such/thing\n", 0o755).is_err());
        let missing = run(b"#!/usr/bin/env no-such-thing\n", 0o755).unwrap_err();
        assert!(missing.text.contains("asks for `no-such-thing`"));
        let nowhere = Search {
            path: Some(&OsString::new()),
            ..search
        };
        std::fs::write(folder.path().join("text"), "hello").unwrap();
        assert!(find(&folder.path().join("text"), nowhere).is_err());
        assert!(find(Path::new("/dev/null"), search).is_err());
    }
}
