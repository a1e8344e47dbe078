//! Where the programs are that a run needs, and which version each is.
#![allow(clippy::disallowed_methods)] // a chore is not part of the product: it may start programs itself

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::options::Options;
pub(crate) use crate::step::{root as repository, target_folder};
use crate::{Result, cleanup};

/// The programs of one run. One that is missing fails the contenders that need it, each with the reason;
/// only node and wrk are needed by all.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) node: PathBuf,
    pub(crate) wrk: PathBuf,
    /// pm2's entry script, run with `node`.
    pub(crate) pm2: Result<PathBuf>,
    pub(crate) nginx: Result<PathBuf>,
    pub(crate) tine: Result<PathBuf>,
}

impl Tools {
    pub(crate) fn find(options: &Options) -> Result<Tools> {
        Ok(Tools {
            node: node(options.node.as_ref())?,
            wrk: on_path("wrk", "apt-get install wrk")?,
            pm2: pm2(),
            nginx: on_path("nginx", "apt-get install nginx-light"),
            tine: exists(options.tine.clone(), "cargo build --release -p tine"),
        })
    }
}

/// The node that was asked for, else the oldest one that is supported and not out of service.
pub(crate) fn node(asked: Option<&PathBuf>) -> Result<PathBuf> {
    let node = match asked {
        Some(path) => exists(path.clone(), "--node names it")?,
        None => exists(runtimes().join("node20/bin/node"), "")
            .or_else(|_| on_path("node", "scripts/setup-runtimes.sh"))?,
    };
    node.canonicalize()
        .map_err(|e| format!("resolving {}: {e}", node.display()))
}

/// pm2's entry script.
pub(crate) fn pm2() -> Result<PathBuf> {
    let script = runtimes().join("pm2/node_modules/pm2/bin/pm2");
    exists(script, "scripts/setup-runtimes.sh --bench")
}

/// What a program prints when asked for its version, first line; or why it could not be asked.
pub(crate) fn version(command: &mut Command) -> String {
    match cleanup::run(command, Duration::from_secs(20)) {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            String::from_utf8_lossy(&text)
                .lines()
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        }
        Err(reason) => format!("unknown: {reason}"),
    }
}

pub(crate) fn runtimes() -> PathBuf {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    variable("TINE_RUNTIMES").unwrap_or_else(|| {
        let cache = variable("XDG_CACHE_HOME")
            .unwrap_or_else(|| variable("HOME").unwrap_or_default().join(".cache"));
        cache.join("tine/runtimes")
    })
}

pub(crate) fn exists(path: PathBuf, hint: &str) -> Result<PathBuf> {
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!("{} is missing (hint: {hint})", path.display()))
    }
}

/// Debian keeps servers in /usr/sbin, which is not on everybody's PATH.
fn on_path(name: &str, hint: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| format!("{name} is missing (hint: {hint})"))
}
