//! What does a process file in JavaScript export?

use super::find::Language;
use super::node::{Node, ODD};
use crate::around::Around;
use crate::child::{NoAnswer, Order, ask};
use crate::problem::{Place, Problem, number};
use crate::resolve::{Runtime, strips_types};
use serde::Deserialize;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tine_sys::spawn::resolve_program;

/// The part of it that the runtime runs.
const EVALUATE: &str = include_str!("evaluate.js");
/// How much a file may export, in bytes of JSON.
const LARGEST: usize = 8 * 1024 * 1024;
/// What would make the runtime take us for something that we are not.
const KEPT_FROM_IT: &[&str] = &[
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID",
];

/// What the runtime answers.
#[derive(Deserialize)]
struct Said {
    value: Option<serde_json::Value>,
    error: Option<String>,
    code: Option<serde_json::Value>,
    stack: Option<String>,
}

/// Has the file evaluated by Node, else Bun, else Deno; TypeScript by Bun, else a Node that strips
/// types, else Deno. It runs in the caller's folder with the caller's variables; what it prints goes
/// to standard error.
pub(super) fn read(
    path: &Path,
    language: Language,
    time: Duration,
    around: &Around,
) -> Result<Node, Problem> {
    let program = runtime(language, around)?;
    let runtime = Runtime::of(&program.to_string_lossy());
    let Some(file) = path.to_str() else {
        return Err(Problem::error("its path is not UTF-8").hint("rename it"));
    };
    let code = format!(
        "const FILE = {}, ODD = {};\n{EVALUATE}",
        serde_json::Value::from(file),
        serde_json::Value::from(ODD)
    );
    let args: &[&str] = match (runtime, language) {
        (Runtime::Deno, _) => &["eval", &code],
        (Runtime::Node, Language::TypeScript) => {
            &["--disable-warning=ExperimentalWarning", "-e", &code]
        }
        _ => &["-e", &code],
    };
    let env: Vec<(String, String)> = around
        .env
        .iter()
        .filter(|(name, _)| !KEPT_FROM_IT.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let answer = ask(&Order {
        program: &program,
        args,
        env: &env,
        cwd: &around.cwd,
        answers_on: 3,
        time,
        bytes: LARGEST,
    });
    let name = program.display();
    let answer = answer.map_err(|none| match none {
        NoAnswer::TooSlow => Problem::error(format!(
            "evaluating it with {name} took more than {} seconds",
            time.as_secs_f64()
        ))
        .hint("a process file only says which apps there are; look for a loop, or something it waits for"),
        NoAnswer::TooLong => Problem::error(format!("it exports more than {LARGEST} bytes"))
            .hint("a process file only says which apps there are"),
        NoAnswer::System(error) => {
            Problem::error(format!("evaluating it with {name}: {error}"))
                .hint("write the file in JSON, YAML or TOML, or install Node.js")
        }
    })?;
    if answer.bytes.is_empty() {
        return Err(Problem::error(format!(
            "{name} ended with {} before it had been read",
            answer.exit
        ))
        .hint("see what it said above; a process file must not call process.exit()"));
    }
    let said: Said = serde_json::from_slice(&answer.bytes).map_err(|error| {
        Problem::error(format!("{name} answered something else than JSON: {error}"))
            .hint("a process file must not write to descriptor 3")
    })?;
    match (said.error, said.value) {
        (Some(error), _) => Err(failed(
            &error,
            said.code.as_ref(),
            said.stack.as_deref(),
            file,
        )),
        (None, Some(value)) => Ok(Node::from_json(value)),
        (None, None) => Err(Problem::error("it exports nothing")
            .hint("write `module.exports = { apps: [...] }`, or `export default` in a module")),
    }
}

fn runtime(language: Language, around: &Around) -> Result<PathBuf, Problem> {
    let path = around.path();
    let find = |name: &str| {
        let found = resolve_program(OsStr::new(name), path.as_deref(), &around.cwd);
        found.ok()
    };
    let found = match language {
        Language::TypeScript => find("bun")
            .or_else(|| find("node").filter(|node| strips_types(node)))
            .or_else(|| find("deno")),
        _ => find("node")
            .or_else(|| find("bun"))
            .or_else(|| find("deno")),
    };
    found.ok_or_else(|| {
        let wanted = match language {
            Language::TypeScript => "it is TypeScript, which needs Bun, Node.js 22.18 or Deno",
            _ => "it is JavaScript, which needs Node.js, Bun or Deno",
        };
        Problem::error(format!("{wanted}, and none of them is in PATH"))
            .hint("install one of them, or write the file in JSON, YAML or TOML")
    })
}

/// An error of the file itself, with the first lines of where it happened.
fn failed(
    error: &str,
    code: Option<&serde_json::Value>,
    stack: Option<&str>,
    file: &str,
) -> Problem {
    const FRAMES: usize = 3;
    let mut text = format!("evaluating it: {error}");
    let frames = stack.unwrap_or_default().lines();
    let frames = frames.filter(|line| line.trim_start().starts_with("at "));
    // Those below are of the runtime and our own.
    let frames = frames.filter(|line| line.contains('/') && !line.contains("[eval"));
    for frame in frames.take(FRAMES) {
        text += "\n    ";
        text += frame.trim();
    }
    let is_module = error.contains("Unexpected token 'export'")
        || error.contains("Cannot use import statement outside a module");
    let hint = if is_module {
        "call it `*.config.mjs`, or write `module.exports =`"
    } else if error.contains("is not defined in ES module scope") {
        "call it `*.config.cjs`, or write `export default`"
    } else if code.and_then(serde_json::Value::as_str) == Some("MODULE_NOT_FOUND")
        || error.contains("Cannot find")
    {
        "install what it needs (npm install), or look at the path"
    } else {
        "correct the file; it is evaluated as a program"
    };
    let place = stack.and_then(|stack| place(stack, file));
    Problem::error(text).hint(hint).at(place)
}

/// The first place in the file itself that a stack names: `FILE:LINE` or `FILE:LINE:COLUMN`.
fn place(stack: &str, file: &str) -> Option<Place> {
    stack.match_indices(file).find_map(|(at, _)| {
        let rest = stack[at + file.len()..].strip_prefix(':')?;
        let mut numbers = rest.split(|letter: char| !letter.is_ascii_digit());
        let line = numbers.next()?.parse().ok()?;
        let follows = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let column = follows
            .starts_with(':')
            .then(|| numbers.next()?.parse().ok())
            .flatten();
        Some(Place { line, column })
    })
}

/// The place of a key in the text of a program: only if the word occurs there once, for then it is
/// the one.
pub(super) fn place_of_key(text: &str, key: &str) -> Option<Place> {
    let is_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$');
    if key.is_empty() || !key.chars().all(is_word) {
        return None;
    }
    let mut whole = text.match_indices(key).filter(|(at, _)| {
        let before = text[..*at].chars().next_back();
        let after = text[at + key.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    });
    let (at, _) = whole.next()?;
    if whole.next().is_some() {
        return None;
    }
    let before = text[..at].bytes().filter(|byte| *byte == b'\n').count();
    Some(Place {
        line: number(before + 1),
        column: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;

    #[test]
    fn a_key_that_occurs_once_has_a_line_and_others_have_none() {
        let text = "module.exports = {\n  apps: [{ name: 'name',\n    max_restart: 3 }],\n}";
        assert_eq!(
            place_of_key(text, "max_restart").map(|place| place.line),
            Some(3)
        );
        assert_eq!(place_of_key(text, "apps").map(|place| place.line), Some(2));
        for key in ["name", "restart", "absent", "", "a b"] {
            assert_eq!(place_of_key(text, key), None, "{key}");
        }
    }

    #[test]
    fn the_first_place_of_a_stack_in_the_file_is_found() {
        let file = "/srv/a.config.js";
        for (stack, expected) in [
            (
                "Error: x\n    at f (/other.js:9:9)\n    at file:///srv/a.config.js:3:9",
                Some((3, Some(9))),
            ),
            (
                "/srv/a.config.js:4\n  oops\n  ^^^^\nSyntaxError: x",
                Some((4, None)),
            ),
            (
                "Error: Cannot find module 'x'\nRequire stack:\n- /srv/a.config.js\n at x",
                None,
            ),
        ] {
            let found = place(stack, file).map(|place| (place.line, place.column));
            assert_eq!(found, expected, "{stack}");
        }
    }
}
