//! `cargo xtask semver`: what the published crates promised once, they still keep.
//!
//! cargo-semver-checks compares their public interface with that of the commit in `xtask/api-baseline`.
//! The tool is built once per machine, which takes some minutes.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::step::{self, PUBLISHED, ask, root, run};

/// The version is pinned: a newer one may know more kinds of breaks, and reads the JSON of newer compilers.
const VERSION: &str = "0.51.0";
const FILE: &str = "xtask/api-baseline";

pub(crate) fn main() -> Result<()> {
    let path = root().join(FILE);
    let text = std::fs::read_to_string(&path).map_err(|e| format!("reading {FILE}: {e}"))?;
    let baseline = Baseline::parse(&text).map_err(|e| format!("{FILE}: {e}"))?;
    let git = Path::new("git");
    let commit = format!("{}^{{commit}}", baseline.commit);
    if ask(git, &["cat-file", "-e", &commit]).is_err() {
        // A shallow clone, or a history that was written anew: there is nothing to compare with here.
        eprintln!(
            "warning: the public interfaces were not compared: {FILE} names {}, which is no commit of \
             this clone\nhint: git fetch --unshallow, or name another commit",
            baseline.commit
        );
        return Ok(());
    }
    let tool = tool()?;
    let tool = tool.to_str().ok_or("the tools' folder is not UTF-8")?;
    let mut arguments = vec!["semver-checks", "--baseline-rev", &baseline.commit];
    if baseline.breaking {
        arguments.extend(["--release-type", "major"]);
    }
    for name in PUBLISHED {
        arguments.extend(["--package", name]);
    }
    step::step(tool, &arguments, &[])
}

/// With what the interfaces of today are compared.
#[derive(Debug, PartialEq, Eq)]
struct Baseline {
    commit: String,
    /// Breaks since then are meant: only that the comparison can be made is checked.
    breaking: bool,
}

impl Baseline {
    /// The one line that is neither empty nor a remark.
    fn parse(text: &str) -> Result<Baseline> {
        let mut lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err("one line with a commit is wanted".to_owned());
        };
        let (commit, breaking) = match line.split_once(' ') {
            None => (line, false),
            Some((commit, "breaking")) => (commit, true),
            Some((_, word)) => return Err(format!("{word:?} is not `breaking`")),
        };
        // A branch or an option is none: it would not be the same thing tomorrow.
        if commit.len() != 40 || !commit.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(format!("{commit:?} is not a whole commit number"));
        }
        Ok(Baseline {
            commit: commit.to_owned(),
            breaking,
        })
    }
}

/// The tool of the pinned version; built, if this machine has not got it.
fn tool() -> Result<PathBuf> {
    let folder = tools_folder()?;
    let binary = folder.join("bin/cargo-semver-checks");
    let says = ask(&binary, &["semver-checks", "--version"]).unwrap_or_default();
    if says.split_whitespace().last() == Some(VERSION) {
        return Ok(binary);
    }
    let root = folder.to_str().ok_or("the tools' folder is not UTF-8")?;
    let install = ["install", "cargo-semver-checks", "--locked", "--force"];
    let install = [&install[..], &["--version", VERSION, "--root", root]].concat();
    run("cargo", &install, |command| {
        // Hundreds of megabytes that nobody needs again; cargo's own choice is a temporary folder.
        command.env_remove("CARGO_TARGET_DIR");
    })?;
    Ok(binary)
}

/// Beside the runtimes that `scripts/setup-runtimes.sh` installs.
fn tools_folder() -> Result<PathBuf> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    variable("TINE_TOOLS")
        .or_else(|| Some(cache?.join("tine/tools")))
        .ok_or_else(|| {
            "no folder for tools: none of TINE_TOOLS, XDG_CACHE_HOME, HOME is set".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_baseline_is_one_whole_commit_number() {
        let parse = |text: &str| Baseline::parse(text).map(|b| (b.commit, b.breaking));
        let text = format!("# remark\n\n{COMMIT}\n");
        assert_eq!(parse(&text), Ok((COMMIT.to_owned(), false)));
        assert_eq!(
            parse(&format!("{COMMIT} breaking")),
            Ok((COMMIT.to_owned(), true))
        );
        for wrong in [
            "",
            "# x",
            "main",
            &COMMIT[1..],
            &text.repeat(2),
            &format!("{COMMIT} x"),
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_file_in_the_repository_can_be_read() {
        let text = std::fs::read_to_string(root().join(FILE)).unwrap();
        Baseline::parse(&text).unwrap();
    }
}
