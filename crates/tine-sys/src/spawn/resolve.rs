//! Which file does a program's name mean?

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

/// Where a name is looked for when there is no `PATH` (as glibc's `execvp` does).
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// A name that means no program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No such file, here or in any directory of the `PATH`.
    #[error("finding program {}: no such file{}", .name.display(),
        if *.searched { " in any directory of PATH" } else { "" })]
    NotFound {
        /// The name as it was asked for.
        name: OsString,
        /// Whether the `PATH` was searched (the name has no slash).
        searched: bool,
    },
    /// The file is there, but may not be executed.
    #[error("finding program {}: not executable (permission denied)", .path.display())]
    NotExecutable {
        /// The first such file.
        path: PathBuf,
    },
    /// It is a directory.
    #[error("finding program {}: is a directory", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
}

/// The file that `name` means, as `execvp(3)` would find it: a name with a slash is taken from
/// `cwd`, any other is searched in `path_env` (`/bin:/usr/bin` if absent; an empty entry means
/// `cwd`). A file found but not executable does not end the search. The answer begins with `cwd`
/// if it is relative to it, so it is absolute if `cwd` is.
///
/// Permissions are those of the calling process.
///
/// # Errors
/// [`ResolveError`]; of the files passed over, the first one is named.
pub fn resolve_program(
    name: &OsStr,
    path_env: Option<&OsStr>,
    cwd: &Path,
) -> Result<PathBuf, ResolveError> {
    let searched = !name.as_bytes().contains(&b'/');
    let mut passed_over = None;
    if !name.is_empty() {
        let list = path_env.unwrap_or(OsStr::new(DEFAULT_PATH));
        let here = [Path::new("")];
        let directories: &mut dyn Iterator<Item = &Path> = if searched {
            &mut list
                .as_bytes()
                .split(|byte| *byte == b':')
                .map(|d| Path::new(OsStr::from_bytes(d)))
        } else {
            &mut here.into_iter()
        };
        for directory in directories {
            match examine(cwd.join(directory).join(name)) {
                Ok(Some(path)) => return Ok(path),
                Ok(None) => {}
                Err(error) => passed_over = passed_over.or(Some(error)),
            }
        }
    }
    Err(passed_over.unwrap_or(ResolveError::NotFound {
        name: name.to_owned(),
        searched,
    }))
}

/// The path if it can be executed, nothing if there is no such file.
fn examine(path: PathBuf) -> Result<Option<PathBuf>, ResolveError> {
    let Ok(metadata) = std::fs::metadata(&path) else {
        return Ok(None);
    };
    if metadata.is_dir() {
        return Err(ResolveError::Directory { path });
    }
    match accessat(CWD, &path, Access::EXEC_OK, AtFlags::EACCESS) {
        Ok(()) => Ok(Some(path)),
        Err(_) => Err(ResolveError::NotExecutable { path }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn file(path: &Path, mode: u32) {
        fs::write(path, "").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn searches_the_path_in_order_and_passes_over_what_cannot_run() {
        let home = tempfile::tempdir().unwrap();
        let (a, b) = (home.path().join("a"), home.path().join("b"));
        fs::create_dir_all(a.join("folder")).unwrap();
        fs::create_dir(&b).unwrap();
        file(&a.join("tool"), 0o644);
        file(&b.join("tool"), 0o755);
        file(&a.join("data"), 0o644);
        file(&home.path().join("local"), 0o755);
        let path = OsString::from(format!("{}:{}", a.display(), b.display()));
        let resolve =
            |name: &str, path: &OsStr| resolve_program(OsStr::new(name), Some(path), home.path());

        assert_eq!(resolve("tool", &path), Ok(b.join("tool")));
        assert_eq!(
            resolve("data", &path),
            Err(ResolveError::NotExecutable {
                path: a.join("data")
            })
        );
        assert_eq!(
            resolve("folder", &path),
            Err(ResolveError::Directory {
                path: a.join("folder")
            })
        );
        let missing = resolve("nothing", &path).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "finding program nothing: no such file in any directory of PATH"
        );
        // An empty entry is the working directory; a slash turns the search off.
        assert!(resolve("local", &path).is_err());
        let with_empty = OsString::from(format!("{}:", a.display()));
        assert_eq!(resolve("local", &with_empty), Ok(home.path().join("local")));
        assert_eq!(resolve("./local", &path), Ok(home.path().join("./local")));
        assert_eq!(
            resolve("b/nothing", &path),
            Err(ResolveError::NotFound {
                name: "b/nothing".into(),
                searched: false
            })
        );
        assert!(resolve("", &path).is_err());
    }

    #[test]
    fn without_a_path_the_standard_directories_are_searched() {
        let found = resolve_program(OsStr::new("sh"), None, Path::new("/")).unwrap();
        assert!(found.ends_with("bin/sh"), "{found:?}");
    }
}
