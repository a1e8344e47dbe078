use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A file in a folder of its own, which goes with it.
#[derive(Debug)]
pub struct Script {
    folder: TempDir,
    path: PathBuf,
}

impl Script {
    /// The folder that it is in: empty otherwise.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl AsRef<Path> for Script {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

/// Writes a program that one test alone needs.
///
/// # Panics
/// When the file cannot be written.
#[must_use]
pub fn script(name: &str, text: &str) -> Script {
    let folder = TempDir::with_prefix("tine-script-")
        .unwrap_or_else(|error| panic!("creating a temporary folder: {error}"));
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
    Script { folder, path }
}
