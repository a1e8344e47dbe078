//! `cargo xtask test`: everything that the tests need, then the tests.

#![allow(clippy::disallowed_methods)] // a chore is not part of the product: it may start programs itself

use crate::Result;
use std::path::Path;
use std::process::Command;

/// Sets up the runtimes, builds the release binary and the example worker, and runs every test of
/// the workspace against them. Further arguments go to `cargo test`.
pub(crate) fn main(arguments: &[String]) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("no folder above xtask")?;
    step(root, "scripts/setup-runtimes.sh", &[], &[])?;
    let build = [
        "build",
        "--release",
        "--package",
        "tine",
        "--package",
        "tine-cluster",
    ];
    let build = [&build[..], &["--bin", "tine", "--example", "hello"]].concat();
    step(root, "cargo", &build, &[])?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), Into::into);
    let binary = target.join("release/tine");
    let binary = binary
        .to_str()
        .ok_or("the target folder's name is not UTF-8")?;
    let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let test = [&["test", "--workspace", "--no-fail-fast"], &given[..]].concat();
    step(root, "cargo", &test, &[("TINE_BIN", binary)])
}

/// `cargo xtask lint`: formatting, clippy and the documentation, without a warning.
pub(crate) fn lint() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("no folder above xtask")?;
    step(root, "cargo", &["fmt", "--all", "--check"], &[])?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ];
    step(root, "cargo", &clippy, &[])?;
    let document = [
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ];
    step(
        root,
        "cargo",
        &document,
        &[("RUSTDOCFLAGS", "--deny warnings")],
    )
}

fn step(root: &Path, program: &str, arguments: &[&str], set: &[(&str, &str)]) -> Result<()> {
    eprintln!("xtask: {program} {}", arguments.join(" "));
    let path = if program.contains('/') {
        root.join(program)
    } else {
        program.into()
    };
    let status = Command::new(path)
        .args(arguments)
        .envs(set.iter().copied())
        .current_dir(root)
        .status()
        .map_err(|error| format!("running {program}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{program} failed: {status}"))
    }
}
