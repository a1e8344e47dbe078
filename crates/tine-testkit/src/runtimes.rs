use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use tempfile::TempDir;

/// The one file with the pinned versions.
const PINNED: &str = include_str!("../../../scripts/runtimes.txt");

/// What a missing runtime's panic advises.
const HINT: &str = "hint: run scripts/setup-runtimes.sh";

/// A JavaScript runtime, in the version that `scripts/runtimes.txt` pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Runtime {
    /// Node.js 18.
    Node18,
    /// Node.js 20.
    Node20,
    /// Node.js 22.
    Node22,
    /// Node.js 24.
    Node24,
    /// Node.js 26.
    Node26,
    /// Bun.
    Bun,
    /// Deno.
    Deno,
}

impl Runtime {
    /// All of them.
    pub const ALL: [Runtime; 7] = [
        Runtime::Node18,
        Runtime::Node20,
        Runtime::Node22,
        Runtime::Node24,
        Runtime::Node26,
        Runtime::Bun,
        Runtime::Deno,
    ];

    /// Every Node.js, oldest first.
    pub const NODES: [Runtime; 5] = [
        Runtime::Node18,
        Runtime::Node20,
        Runtime::Node22,
        Runtime::Node24,
        Runtime::Node26,
    ];

    /// The name of its folder: `node18` … `bun`, `deno`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Runtime::Node18 => "node18",
            Runtime::Node20 => "node20",
            Runtime::Node22 => "node22",
            Runtime::Node24 => "node24",
            Runtime::Node26 => "node26",
            Runtime::Bun => "bun",
            Runtime::Deno => "deno",
        }
    }

    /// Whether it is some Node.js.
    #[must_use]
    pub const fn is_node(self) -> bool {
        !matches!(self, Runtime::Bun | Runtime::Deno)
    }

    /// The pinned version, as `18.20.8`.
    ///
    /// # Panics
    /// When nothing is pinned for this machine's processor.
    #[must_use]
    pub fn version(self) -> &'static str {
        match pins(self.name()).next() {
            Some((_, version)) => version,
            None => panic!(
                "scripts/runtimes.txt has no {} for {}",
                self.name(),
                env::consts::ARCH
            ),
        }
    }

    /// What stands before the script on its command line.
    #[must_use]
    pub const fn args(self) -> &'static [&'static str] {
        match self {
            Runtime::Deno => &["run", "-A"],
            Runtime::Node18
            | Runtime::Node20
            | Runtime::Node22
            | Runtime::Node24
            | Runtime::Node26
            | Runtime::Bun => &[],
        }
    }

    /// The program.
    ///
    /// # Panics
    /// When it is not installed in its pinned version, with the hint how to get it.
    #[must_use]
    pub fn path(self) -> PathBuf {
        let home = folder().join(self.name());
        let stamp = fs::read_to_string(home.join(".tine-pinned")).unwrap_or_default();
        let is_pinned = pins(self.name())
            .any(|(package, version)| stamp.trim_end() == format!("{package}@{version}"));
        assert!(
            is_pinned,
            "{} {} is not installed in {} (found there: {stamp:?})\n{HINT}",
            self.name(),
            self.version(),
            home.display()
        );
        let program = match self {
            Runtime::Bun => "bun",
            Runtime::Deno => "deno",
            _ => "node",
        };
        home.join("bin").join(program)
    }

    /// A command that runs `script` on it, with Express to be found by `require` (not by Deno, which
    /// takes no notice of `NODE_PATH`: see [`with_packages`]).
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn command(self, script: impl AsRef<Path>) -> Command {
        let mut command = Command::new(self.path());
        command
            .args(self.args())
            .arg(script.as_ref())
            .env("NODE_PATH", node_modules());
        command
            .env("NO_COLOR", "1")
            .env("DENO_NO_UPDATE_CHECK", "1");
        command
    }
}

/// Package and version of each line of runtimes.txt that has this name and fits this processor.
fn pins(name: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let cpu = match env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    PINNED.lines().filter_map(move |line| {
        let mut fields = line.split_whitespace();
        let (found, found_cpu) = (fields.next()?, fields.next()?);
        let (_set, package, version) = (fields.next()?, fields.next()?, fields.next()?);
        let fits = found_cpu == "any" || found_cpu.starts_with(cpu);
        (found == name && fits).then_some((package, version))
    })
}

/// The folder that `scripts/setup-runtimes.sh` fills.
///
/// # Panics
/// When none of `TINE_RUNTIMES`, `XDG_CACHE_HOME` and `HOME` is set.
#[must_use]
pub fn folder() -> PathBuf {
    let set = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(folder) = set("TINE_RUNTIMES") {
        return folder;
    }
    let cache = set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(|| panic!("none of TINE_RUNTIMES, XDG_CACHE_HOME, HOME is set"));
    cache.join("tine/runtimes")
}

/// Where the packages (Express) are: the value for `NODE_PATH`.
#[must_use]
pub fn node_modules() -> PathBuf {
    folder().join("node_modules")
}

/// PM2, in the version that `scripts/runtimes.txt` pins: a script for Node.js.
///
/// # Panics
/// When it is not installed in its pinned version, with the hint how to get it.
#[must_use]
pub fn pm2() -> PathBuf {
    let home = folder().join("pm2");
    let stamp = fs::read_to_string(home.join(".tine-pinned")).unwrap_or_default();
    let is_pinned =
        pins("pm2").any(|(package, version)| stamp.trim_end() == format!("{package}@{version}"));
    assert!(
        is_pinned,
        "PM2 is not installed in its pinned version in {} (found there: {stamp:?})\n{HINT}",
        home.display()
    );
    home.join("node_modules/pm2/bin/pm2")
}

/// A copy of a script in a folder that has the packages.
#[derive(Debug)]
pub struct Packaged {
    folder: TempDir,
    name: OsString,
}

impl Packaged {
    /// The copy.
    #[must_use]
    pub fn script(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }
}

/// Copies `script` to where every runtime finds Express. The folder goes with what is returned.
///
/// # Panics
/// When the folder cannot be made, or the packages are not installed.
#[must_use]
pub fn with_packages(script: &Path) -> Packaged {
    assert!(
        node_modules().join("express").is_dir(),
        "Express is not installed\n{HINT}"
    );
    let make = || -> io::Result<TempDir> {
        let folder = TempDir::with_prefix("tine-packages-")?;
        symlink(node_modules(), folder.path().join("node_modules"))?;
        fs::write(
            folder.path().join("package.json"),
            "{ \"type\": \"commonjs\" }",
        )?;
        fs::copy(
            script,
            folder.path().join(script.file_name().unwrap_or_default()),
        )?;
        Ok(folder)
    };
    let folder = make().unwrap_or_else(|error| panic!("packing up {}: {error}", script.display()));
    Packaged {
        folder,
        name: script.file_name().unwrap_or_default().to_owned(),
    }
}

/// A server of `e2e/fixtures`.
///
/// # Panics
/// When there is no such file.
#[must_use]
pub fn fixture(name: &str) -> PathBuf {
    existing("e2e/fixtures", name)
}

/// A program of `examples`.
///
/// # Panics
/// When there is no such file.
#[must_use]
pub fn example(name: &str) -> PathBuf {
    existing("examples", name)
}

fn existing(folder: &str, name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(folder)
        .join(name);
    match path.canonicalize() {
        Ok(path) => path,
        Err(error) => panic!("looking for {}: {error}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runtime_is_pinned_and_says_the_pinned_version() {
        for runtime in Runtime::ALL {
            let output = Command::new(runtime.path())
                .arg("--version")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(
                said.contains(runtime.version()),
                "{} says {said}",
                runtime.name()
            );
        }
    }
}
