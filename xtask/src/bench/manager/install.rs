//! Gets the rival that no other script gets.

use std::path::PathBuf;

use super::super::tools;
use crate::{Result, step};

/// As PyPI has it.
const SUPERVISOR: &str = "supervisor==4.3.0";
pub(super) const HINT: &str = "cargo xtask bench manager --install";

/// A Python of its own with supervisor in it, in the folder of the runtimes. One that is there is left.
pub(super) fn supervisor() -> Result<()> {
    if find().is_ok() {
        return Ok(());
    }
    let folder = home();
    let folder = folder.to_string_lossy();
    step::step("python3", &["-m", "venv", &folder], &[])?;
    let python = format!("{folder}/bin/python3");
    let get = ["-m", "pip", "install", "--quiet", SUPERVISOR];
    step::step(&python, &get, &[("PIP_DISABLE_PIP_VERSION_CHECK", "1")])
}

/// The folder with supervisord and supervisorctl: ours, or the distribution's.
pub(super) fn find() -> Result<PathBuf> {
    let both = |folder: &PathBuf| {
        let file = |name| folder.join(name).is_file();
        file("supervisord") && file("supervisorctl")
    };
    [home().join("bin"), "/usr/bin".into()]
        .into_iter()
        .find(both)
        .ok_or_else(|| format!("supervisord is missing (hint: {HINT})"))
}

fn home() -> PathBuf {
    tools::runtimes().join("supervisor")
}
