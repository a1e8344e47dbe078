//! `cargo xtask test` and `cargo xtask lint`: what must pass before anything lands.

use crate::step::{step, target_folder};
use crate::{Result, features};

/// Sets up the runtimes, builds the release binary and the example worker, and runs every test of
/// the workspace against them. Further arguments go to `cargo test`.
pub(crate) fn main(arguments: &[String]) -> Result<()> {
    step("scripts/setup-runtimes.sh", &[], &[])?;
    let build = [
        "build",
        "--release",
        "--package",
        "tine",
        "--package",
        "tine-cluster",
    ];
    let build = [&build[..], &["--bin", "tine", "--example", "hello"]].concat();
    step("cargo", &build, &[])?;
    let binary = target_folder().join("release/tine");
    let binary = binary
        .to_str()
        .ok_or("the target folder's name is not UTF-8")?;
    let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let test = [
        "test",
        "--workspace",
        "--no-fail-fast",
        "--features",
        "tine-cluster/axum",
    ];
    let test = [&test[..], &given[..]].concat();
    step("cargo", &test, &[("TINE_BIN", binary)])
}

/// `cargo xtask lint`: formatting, clippy, every choice of features, and the documentation, without a
/// warning.
pub(crate) fn lint() -> Result<()> {
    step("cargo", &["fmt", "--all", "--check"], &[])?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ];
    step("cargo", &clippy, &[])?;
    features::main()?;
    let document = [
        "doc",
        "--workspace",
        "--no-deps",
        "--all-features",
        "--document-private-items",
    ];
    step("cargo", &document, &[("RUSTDOCFLAGS", "--deny warnings")])
}
