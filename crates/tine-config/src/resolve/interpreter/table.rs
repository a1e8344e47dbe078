//! What runs a script with this ending?

use super::{Interpreter, Search, runs};
use crate::child;
use crate::problem::Problem;
use std::path::Path;
use std::time::Duration;

/// What runs scripts with these endings: the first of the programs that is there.
const TABLE: &[(&[&str], &[&str])] = &[
    (&["js", "mjs", "cjs"], &["node"]),
    (&["py"], &["python3", "python"]),
    (&["sh", "bash"], &["bash", "sh"]),
    (&["rb"], &["ruby"]),
    (&["php"], &["php"]),
    (&["pl"], &["perl"]),
    (&["lua"], &["lua"]),
];

/// TypeScript: Bun as in PM2, else a Node that strips types by itself, else Deno.
const TYPESCRIPT: &[&str] = &["ts", "mts", "cts"];
/// What Node cannot run by itself.
const WITH_MARKUP: &[&str] = &["tsx", "jsx"];
/// What PM2 runs with programs of its own.
const NOT_RUN: &[(&str, &str)] = &[("coffee", "CoffeeScript"), ("ls", "LiveScript")];

/// Nothing if the ending says nothing.
pub(super) fn find(script: &Path, search: Search<'_>) -> Option<Result<Interpreter, Problem>> {
    let ending = script.extension()?.to_str()?;
    if let Some((_, language)) = NOT_RUN.iter().find(|(known, _)| *known == ending) {
        return Some(Err(Problem::error(format!(
            "{}: there is no runtime for {language} in tine",
            script.display()
        ))
        .hint(
            "translate it to JavaScript, or name what runs it with --interpreter",
        )));
    }
    if TYPESCRIPT.contains(&ending) {
        return Some(typescript(script, search));
    }
    if WITH_MARKUP.contains(&ending) {
        return Some(first(&["bun", "deno"], script, search));
    }
    let (_, programs) = TABLE
        .iter()
        .find(|(endings, _)| endings.contains(&ending))?;
    Some(first(programs, script, search))
}

fn first(programs: &[&str], script: &Path, search: Search<'_>) -> Result<Interpreter, Problem> {
    if let Some(found) = programs.iter().find(|name| search.has(name)) {
        return Ok(runs(*found));
    }
    let wanted = programs.first().copied().unwrap_or_default();
    let text = format!(
        "{} needs `{wanted}`, which is not in PATH",
        script.display()
    );
    let other = ["bun", "deno"].iter().find(|name| search.has(name));
    Err(match other.filter(|_| wanted == "node") {
        Some(other) => Problem::error(text).hint(format!(
            "install Node.js, or use what is there: --interpreter {other}"
        )),
        None => Problem::error(text).hint(remedy(wanted)),
    })
}

fn typescript(script: &Path, search: Search<'_>) -> Result<Interpreter, Problem> {
    if search.has("bun") {
        return Ok(runs("bun"));
    }
    let node = search.program("node").ok();
    if let Some(node) = &node
        && strips_types(node)
    {
        return Ok(runs("node"));
    }
    if search.has("deno") {
        return Ok(runs("deno"));
    }
    let text = match node {
        Some(_) => "which does not run with the Node.js in PATH",
        None => "which needs `bun`, `node` or `deno`, and none of them is in PATH",
    };
    Err(
        Problem::error(format!("{} is TypeScript, {text}", script.display())).hint(
            "install Bun, Deno or Node.js 22.18 or later; or translate it and start the JavaScript",
        ),
    )
}

/// Whether this Node.js runs TypeScript without being asked to: from 22.18, and from 23.6.
pub(crate) fn strips_types(node: &Path) -> bool {
    // An answer takes some 10 milliseconds.
    const LIMIT: Duration = Duration::from_secs(3);
    let Ok(said) = child::said(node, &["--version"], LIMIT) else {
        return false;
    };
    let mut numbers = said.trim().trim_start_matches('v').split('.');
    let mut next = || numbers.next().and_then(|part| part.parse::<u32>().ok());
    match (next(), next()) {
        (Some(22), Some(minor)) => minor >= 18,
        (Some(23), Some(minor)) => minor >= 6,
        (Some(major), Some(_)) => major > 23,
        _ => false,
    }
}

/// How to come by an interpreter.
pub(super) fn remedy(name: &str) -> String {
    let package = match name {
        "node" | "nodejs" => "install Node.js (Debian: apt-get install nodejs)".to_owned(),
        "bun" => "install Bun (npm install -g bun)".to_owned(),
        "python3" | "python" => "install Python (Debian: apt-get install python3)".to_owned(),
        "php" => "install PHP (Debian: apt-get install php-cli)".to_owned(),
        "bash" | "sh" | "ruby" | "perl" | "lua" => {
            format!("install {name} (Debian: apt-get install {name})")
        }
        _ => format!("install {name}, or put its folder into PATH"),
    };
    format!("{package}, or say where it is with --interpreter /path/to/it")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use crate::around::Around;
    use crate::resolve::interpreter::{Search, of};
    use std::ffi::OsString;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use tine_testkit::Runtime;

    /// What runs `script`, where the `PATH` has just these programs.
    fn runner(script: &str, programs: &[&str]) -> Result<Option<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        for name in programs {
            let path = folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let around = Around {
            cwd: folder.path().to_owned(),
            env: [].into(),
            home: "/h".into(),
            tine: "/t".into(),
        };
        let path = OsString::from(folder.path());
        let search = Search {
            cwd: folder.path(),
            path: Some(&path),
            around: &around,
        };
        of(Path::new(script), None, search)
            .map(|found| found.program)
            .map_err(|problem| format!("{problem}; {}", problem.hint.as_deref().unwrap()))
    }

    #[test]
    fn every_ending_has_its_interpreter() {
        for (script, programs, expected) in [
            ("a.js", &["node", "bun"][..], "node"),
            ("a.mjs", &["node"], "node"),
            ("a.cjs", &["node"], "node"),
            ("a.ts", &["bun", "deno"], "bun"),
            ("a.mts", &["deno"], "deno"),
            ("a.cts", &["bun"], "bun"),
            ("a.tsx", &["deno", "node"], "deno"),
            ("a.jsx", &["bun"], "bun"),
            ("a.py", &["python3", "python"], "python3"),
            ("a.py", &["python"], "python"),
            ("a.sh", &["bash", "sh"], "bash"),
            ("a.sh", &["sh"], "sh"),
            ("a.rb", &["ruby"], "ruby"),
            ("a.php", &["php"], "php"),
            ("a.pl", &["perl"], "perl"),
            ("a.lua", &["lua"], "lua"),
        ] {
            assert_eq!(
                runner(script, programs),
                Ok(Some(expected.to_owned())),
                "{script}"
            );
        }
    }

    #[test]
    fn a_missing_interpreter_is_named_with_a_remedy() {
        for (script, programs, words) in [
            ("a.js", &[][..], "apt-get install nodejs"),
            ("a.js", &["bun"], "--interpreter bun"),
            ("a.py", &[], "apt-get install python3"),
            ("a.ts", &[], "none of them is in PATH"),
            ("a.ts", &["node"], "does not run with the Node.js"),
            ("a.tsx", &["node"], "npm install -g bun"),
            ("a.coffee", &["node"], "CoffeeScript"),
            ("a.ls", &["node"], "LiveScript"),
        ] {
            let said = runner(script, programs).unwrap_err();
            assert!(said.contains(words), "{script}: {said}");
        }
    }

    #[test]
    fn node_strips_types_from_the_version_on_that_does() {
        for (runtime, does) in [(Runtime::Node20, false), (Runtime::Node24, true)] {
            assert_eq!(
                super::strips_types(&runtime.path()),
                does,
                "{}",
                runtime.name()
            );
        }
    }
}
