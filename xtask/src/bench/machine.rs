//! On what, and with which versions, a run was made.
#![allow(clippy::disallowed_methods)] // a chore is not part of the product: it may start programs itself

use std::fs;
use std::path::Path;
use std::process::Command;

use super::tools::{self, Tools, version};

/// Names and values, in the order to show them.
pub(crate) fn describe(tools: &Tools) -> Vec<(&'static str, String)> {
    let or_reason = |program: &Result<_, String>, arguments: &[&str]| match program {
        Ok(path) => version(Command::new::<&std::path::PathBuf>(path).args(arguments)),
        Err(reason) => reason.clone(),
    };
    let pm2 = match &tools.pm2 {
        Ok(script) => pm2_version(script),
        Err(reason) => reason.clone(),
    };
    let tine = or_reason(&tools.tine, &["--version"]);
    let mut all = hardware();
    all.extend([
        (
            "heavy requests (every:ms)",
            std::env::var("HEAVY").unwrap_or_else(|_| "none".to_owned()),
        ),
        ("node", version(Command::new(&tools.node).arg("--version"))),
        ("pm2", pm2),
        ("nginx", or_reason(&tools.nginx, &["-v"])),
        ("wrk", version(Command::new(&tools.wrk).arg("-v"))),
        ("rustc", version(Command::new("rustc").arg("--version"))),
        ("tine", format!("{tine}; checkout {}", commit())),
    ]);
    all
}

/// The same, of a run that needs nothing but node and this checkout.
pub(crate) fn describe_for_node(node: &Path) -> Vec<(&'static str, String)> {
    let mut all = hardware();
    all.extend([
        ("node", version(Command::new(node).arg("--version"))),
        ("rustc", version(Command::new("rustc").arg("--version"))),
        ("checkout", commit()),
    ]);
    all
}

fn hardware() -> Vec<(&'static str, String)> {
    vec![
        (
            "date",
            version(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])),
        ),
        ("cpu", cpu_model()),
        (
            "cores",
            std::thread::available_parallelism()
                .map_or(0, usize::from)
                .to_string(),
        ),
        ("memory", memory()),
        ("kernel", read("/proc/sys/kernel/osrelease")),
        ("load average before", read("/proc/loadavg")),
    ]
}

/// The commit of the checkout, and whether it has changes; the measured binary may be older.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        version(
            Command::new("git")
                .arg("-C")
                .arg(tools::repository())
                .args(arguments),
        )
    };
    let changed = if git(&["status", "--porcelain"]).is_empty() {
        ""
    } else {
        " with changes"
    };
    format!("{}{changed}", git(&["rev-parse", "--short=12", "HEAD"]))
}

/// From its package, because asking pm2 itself starts its daemon.
pub(crate) fn pm2_version(script: &std::path::Path) -> String {
    let package = script
        .parent()
        .and_then(|bin| bin.parent())
        .map(|p| p.join("package.json"));
    let text = package
        .and_then(|p| fs::read_to_string(p).ok())
        .unwrap_or_default();
    let package: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    package["version"].as_str().unwrap_or("unknown").to_owned()
}

fn cpu_model() -> String {
    let text = read("/proc/cpuinfo");
    let model = text
        .lines()
        .find_map(|l| l.strip_prefix("model name")?.split_once(':'));
    model.map_or("unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

fn memory() -> String {
    let text = read("/proc/meminfo");
    let kib = text
        .lines()
        .find_map(|l| l.strip_prefix("MemTotal:")?.split_whitespace().next());
    match kib.and_then(|k| k.parse::<f64>().ok()) {
        Some(kib) => format!("{:.1} GiB", kib / 1024.0 / 1024.0),
        None => "unknown".to_owned(),
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}
