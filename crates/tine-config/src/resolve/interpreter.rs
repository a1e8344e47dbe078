//! What runs a script?

mod explicit;
mod line;
mod table;

pub(crate) use table::strips_types;

use crate::around::Around;
use crate::problem::Problem;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use tine_sys::spawn::{ResolveError, resolve_program};

/// What runs the script, and what stands between it and the script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Interpreter {
    /// Nothing: the script is executed itself.
    pub(super) program: Option<String>,
    pub(super) args: Vec<String>,
}

/// Where programs are looked for.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) cwd: &'a Path,
    pub(super) path: Option<&'a OsString>,
    pub(super) around: &'a Around,
}

impl Search<'_> {
    fn program(&self, name: &str) -> Result<std::path::PathBuf, ResolveError> {
        let path = self.path.map(OsString::as_os_str);
        resolve_program(OsStr::new(name), path, self.cwd)
    }

    fn has(&self, name: &str) -> bool {
        self.program(name).is_ok()
    }
}

/// What runs this script: what was named; else by the ending of its name; else what its `#!` line
/// says; else nothing for a binary, and Node for a text.
pub(super) fn of(
    script: &Path,
    named: Option<&str>,
    search: Search<'_>,
) -> Result<Interpreter, Problem> {
    match named {
        Some(named) => explicit::find(named, script, search),
        None => match table::find(script, search) {
            Some(found) => found,
            None => line::find(script, search),
        },
    }
}

/// The script executed itself, if it may be.
fn itself(script: &Path, search: Search<'_>) -> Result<Interpreter, Problem> {
    let Some(text) = script.to_str() else {
        return Ok(Interpreter {
            program: None,
            args: Vec::new(),
        });
    };
    match search.program(text) {
        Ok(_) => Ok(Interpreter {
            program: None,
            args: Vec::new(),
        }),
        Err(error) => Err(
            Problem::error(format!("starting {}: {error}", script.display())).hint(format!(
                "chmod +x {}, or name what runs it with --interpreter",
                script.display()
            )),
        ),
    }
}

fn runs(program: impl Into<String>) -> Interpreter {
    Interpreter {
        program: Some(program.into()),
        args: Vec::new(),
    }
}

/// What kind of program an interpreter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    Node,
    Bun,
    Deno,
    Python,
    Shell,
    Other,
}

impl Runtime {
    /// By its name, whatever its version: `/opt/node-20/bin/node`, `nodejs`, `node20`, `ts-node`.
    pub(crate) fn of(program: &str) -> Runtime {
        let name = program.rsplit('/').next().unwrap_or(program);
        let bare = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
        let bare = bare.trim_end_matches('-');
        match bare {
            "nodejs" => Runtime::Node,
            _ if bare.ends_with("node") => Runtime::Node,
            _ if bare.ends_with("bun") => Runtime::Bun,
            "deno" => Runtime::Deno,
            _ if bare.contains("python") => Runtime::Python,
            "sh" | "bash" | "dash" | "zsh" | "ksh" => Runtime::Shell,
            _ => Runtime::Other,
        }
    }

    /// Whether what it runs can be a worker of a cluster without knowing of it.
    pub(crate) fn clusters(self) -> bool {
        matches!(self, Runtime::Node | Runtime::Bun | Runtime::Deno)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;

    #[test]
    fn runtimes_are_known_by_name_in_every_version() {
        for (program, runtime) in [
            ("node", Runtime::Node),
            ("/opt/node-20/bin/node", Runtime::Node),
            ("nodejs", Runtime::Node),
            ("node20", Runtime::Node),
            ("node-20.1", Runtime::Node),
            ("ts-node", Runtime::Node),
            ("nodemon", Runtime::Other),
            ("/root/.bun/bin/bun", Runtime::Bun),
            ("deno", Runtime::Deno),
            ("python3.11", Runtime::Python),
            ("/venv/bin/python", Runtime::Python),
            ("bash", Runtime::Shell),
            ("ruby", Runtime::Other),
        ] {
            assert_eq!(Runtime::of(program), runtime, "{program}");
        }
    }
}
