//! The programs that a chore runs one after another, in the repository.
#![allow(clippy::disallowed_methods)] // a chore is not part of the product: it may start programs itself

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Result;

/// The crates that are made to be published: what is promised of a public interface is checked of these.
pub(crate) const PUBLISHED: [&str; 4] = ["tine-ipc", "tine-rules", "tine-sys", "tine-cluster"];

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Cargo's target folder.
pub(crate) fn target_folder() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => folder.into(),
        None => root().join("target"),
    }
}

/// Runs a program, its output shown. One with a slash in its name is relative to the repository.
pub(crate) fn step(program: &str, arguments: &[&str], set: &[(&str, &str)]) -> Result<()> {
    run(program, arguments, |command| {
        command.envs(set.iter().copied());
    })
}

/// As [`step`], with more to say of the command.
pub(crate) fn run(
    program: &str,
    arguments: &[&str],
    change: impl FnOnce(&mut Command),
) -> Result<()> {
    eprintln!("xtask: {program} {}", arguments.join(" "));
    let path = if program.contains('/') {
        root().join(program)
    } else {
        program.into()
    };
    let mut command = Command::new(path);
    command.args(arguments).current_dir(root());
    change(&mut command);
    let status = command
        .status()
        .map_err(|error| format!("running {program}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{program} failed: {status}"))
    }
}

/// What a program prints, not shown; what it complains of, if it cannot be run or fails.
pub(crate) fn ask(program: &Path, arguments: &[&str]) -> Result<String> {
    let doing = || format!("{} {}", program.display(), arguments.join(" "));
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .map_err(|error| format!("{}: {error}", doing()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let (status, complaint) = (output.status, complaint.trim());
    Err(format!("{}: {status}: {complaint}", doing()))
}

/// What cargo knows of the crates of this workspace.
pub(crate) fn packages() -> Result<Vec<Value>> {
    let arguments = ["metadata", "--format-version", "1", "--no-deps"];
    let text = ask(Path::new("cargo"), &arguments)?;
    let mut all: Value =
        serde_json::from_str(&text).map_err(|e| format!("reading cargo metadata: {e}"))?;
    match all["packages"].take() {
        Value::Array(packages) => Ok(packages),
        _ => Err("cargo metadata names no packages".to_owned()),
    }
}
