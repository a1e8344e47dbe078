//! What does the caller's shell look like?

use crate::problem::Problem;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// What relative paths, `~`, names of programs and defaults are taken from.
#[derive(Clone, PartialEq, Eq)]
pub struct Around {
    /// The absolute path of the folder the user is in, as the user knows it (with its symbolic
    /// links).
    pub cwd: PathBuf,
    /// The variables of the shell. What is not UTF-8 is not among them.
    pub env: BTreeMap<String, String>,
    /// The folder of the daemon, for the default paths of logs.
    pub home: PathBuf,
    /// The program `tine` itself, for apps that are its own server of files.
    pub tine: PathBuf,
}

impl fmt::Debug for Around {
    /// Without the values of variables, which are nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around")
            .field("cwd", &self.cwd)
            .field("env", &self.env.keys())
            .field("home", &self.home)
            .field("tine", &self.tine)
            .finish()
    }
}

impl Around {
    /// The surroundings of this process. `home` is the daemon's folder.
    ///
    /// # Errors
    /// The folder it is in is gone or may not be seen.
    pub fn of_this_process(home: PathBuf) -> Result<Around, Problem> {
        let env: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let cwd = std::env::current_dir().map_err(|error| {
            Problem::error(format!("finding the current folder: {error}"))
                .hint("enter a folder that is there")
        })?;
        // The shell's PWD keeps the symbolic links, such as the `current` of a deployment, which
        // point to something else tomorrow.
        let cwd = match env.get("PWD").map(PathBuf::from) {
            Some(path) if path.is_absolute() && same_folder(&path, &cwd) => normal(&path),
            _ => cwd,
        };
        let tine = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("tine"));
        // What the kernel calls a program that was replaced while it runs.
        let tine = match tine
            .to_str()
            .and_then(|path| path.strip_suffix(" (deleted)"))
        {
            Some(path) => PathBuf::from(path),
            None => tine,
        };
        Ok(Around {
            cwd,
            env,
            home,
            tine,
        })
    }

    /// An absolute path: `~` is the user's home, what is relative is taken from `base`, `.` and
    /// `..` are resolved by the letter as `path.resolve` of Node does.
    #[must_use]
    pub fn absolute(&self, text: &str, base: &Path) -> PathBuf {
        let path = match text.strip_prefix('~') {
            Some("") => self.user_home(),
            Some(rest) if rest.starts_with('/') => {
                self.user_home().join(rest.trim_start_matches('/'))
            }
            _ => PathBuf::from(text),
        };
        normal(&base.join(path))
    }

    /// The user's home; `~` itself where there is none, so that the error shows it.
    fn user_home(&self) -> PathBuf {
        match self.env.get("HOME") {
            Some(home) if home.starts_with('/') => PathBuf::from(home),
            _ => PathBuf::from("~"),
        }
    }

    pub(crate) fn path(&self) -> Option<OsString> {
        self.env.get("PATH").map(OsString::from)
    }
}

fn same_folder(one: &Path, other: &Path) -> bool {
    match (std::fs::metadata(one), std::fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// The path without `.` and `..`.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if normal
                    .file_name()
                    .is_some_and(|name| name != OsStr::new("~"))
                {
                    normal.pop();
                } else if normal.as_os_str().is_empty() {
                    normal.push("..");
                }
            }
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;

    fn around(home: &str) -> Around {
        Around {
            cwd: "/srv".into(),
            env: [("HOME".to_owned(), home.to_owned())].into(),
            home: "/h".into(),
            tine: "/usr/bin/tine".into(),
        }
    }

    #[test]
    fn paths_become_absolute_by_the_letter() {
        let around = around("/home/me");
        for (text, path) in [
            ("app.js", "/base/app.js"),
            ("./a/../b.js", "/base/b.js"),
            ("../x", "/x"),
            ("../../../x", "/x"),
            ("/a//b/.", "/a/b"),
            ("~", "/home/me"),
            ("~/logs/x", "/home/me/logs/x"),
            ("~other/x", "/base/~other/x"),
            ("a~", "/base/a~"),
        ] {
            assert_eq!(around.absolute(text, Path::new("/base")), Path::new(path));
        }
    }

    #[test]
    fn values_of_variables_are_not_shown() {
        let shown = format!("{:?}", around("/secret"));
        assert!(shown.contains("HOME") && !shown.contains("secret"));
    }

    #[test]
    fn the_folder_of_this_process_is_absolute() {
        let around = Around::of_this_process("/h".into()).unwrap();
        assert!(around.cwd.is_dir() && around.cwd.is_absolute());
        assert!(around.tine.is_absolute());
    }
}
