//! Which file does a script's name mean?

use super::near;
use crate::around::Around;
use crate::problem::Problem;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use tine_sys::spawn::resolve_program;

/// What a script turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// A file, and words that stood behind it in the same text.
    File { path: PathBuf, more: Vec<String> },
    /// A text for a shell.
    Command(String),
}

/// Finds the script. `interpreted`: an interpreter is named, so that a text with blanks is its
/// script with arguments and not a command for a shell.
pub(super) fn find(
    text: &str,
    interpreted: bool,
    cwd: &Path,
    search: Option<&OsString>,
    around: &Around,
) -> Result<Script, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::error("the script is empty")
            .hint("name a script, a program or a command to start"));
    }
    if !text.contains(char::is_whitespace) || around.absolute(text, cwd).exists() {
        let path = file(text, cwd, search, around)?;
        return Ok(Script::File {
            path,
            more: Vec::new(),
        });
    }
    if !interpreted {
        return Ok(Script::Command(text.trim().to_owned()));
    }
    let mut words = shell_words::split(text).map_err(|error| {
        Problem::error(format!("reading the command `{text}`: {error}"))
            .hint("quotes inside it must be closed, as in a shell")
    })?;
    let first = words.remove(0);
    let path = file(&first, cwd, search, around)?;
    Ok(Script::File { path, more: words })
}

/// In the folder, else among the programs of the `PATH`.
fn file(
    text: &str,
    cwd: &Path,
    search: Option<&OsString>,
    around: &Around,
) -> Result<PathBuf, Problem> {
    let path = around.absolute(text, cwd);
    let here = match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => index(&path),
        Ok(_) => return Ok(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(missing(&path, cwd)),
        Err(error) => Err(
            Problem::error(format!("finding {}: {error}", path.display()))
                .hint("look at the permissions of the folders on the way to it"),
        ),
    };
    if text.contains('/') || text == "." || text == ".." || text == "~" {
        return here;
    }
    here.or_else(|problem| {
        resolve_program(OsStr::new(text), search.map(OsString::as_os_str), cwd).map_err(|_| problem)
    })
}

/// The script of a folder: `main` of its `package.json`, else `index.js`, as in Node.
fn index(folder: &Path) -> Result<PathBuf, Problem> {
    let main = std::fs::read_to_string(folder.join("package.json"))
        .ok()
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .and_then(|package| Some(package.get("main")?.as_str()?.to_owned()));
    let named = main.into_iter().flat_map(|main| {
        let path = crate::around::normal(&folder.join(&main));
        let ended = PathBuf::from(format!("{}.js", path.display()));
        [path.clone(), ended, path.join("index.js")]
    });
    let usual = ["index.js", "index.mjs", "index.cjs", "index.ts"];
    named
        .chain(usual.iter().map(|name| folder.join(name)))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Problem::error(format!(
                "{} is a folder without an index.js",
                folder.display()
            ))
            .hint("name a script in it")
        })
}

fn missing(path: &Path, cwd: &Path) -> Problem {
    let problem = Problem::error(format!("there is no file {}", path.display()));
    match near::file(path) {
        Some(near) => problem.hint(format!("there is a {near}")),
        None if path.parent() == Some(cwd) => problem.hint(format!(
            "name a script or program by its path, or a program in PATH; it was looked for in {}",
            cwd.display()
        )),
        None => problem.hint(format!("relative paths are taken from {}", cwd.display())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;
    use std::fs;

    struct World {
        folder: tempfile::TempDir,
        around: Around,
    }

    fn world() -> World {
        let folder = tempfile::tempdir().unwrap();
        let cwd = folder.path().to_owned();
        World {
            folder,
            around: Around {
                cwd,
                env: [].into(),
                home: "/h".into(),
                tine: "/t".into(),
            },
        }
    }

    impl World {
        fn put(&self, name: &str, text: &str) -> PathBuf {
            let path = self.folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        }

        fn find(&self, text: &str, interpreted: bool) -> Result<Script, Problem> {
            let search = OsString::from("/bin:/usr/bin");
            find(
                text,
                interpreted,
                self.folder.path(),
                Some(&search),
                &self.around,
            )
        }

        fn path(&self, text: &str) -> PathBuf {
            match self.find(text, false).unwrap() {
                Script::File { path, more } if more.is_empty() => path,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn the_folder_comes_before_the_path() {
        let world = world();
        assert!(world.path("sh").ends_with("bin/sh"));
        let mine = world.put("sh", "");
        assert_eq!(world.path("sh"), mine);
        assert_eq!(world.path("./sh"), mine);
    }

    #[test]
    fn a_folder_means_its_main_script() {
        let world = world();
        let index = world.put("a/index.js", "");
        let main = world.put("b/lib/main.js", "");
        world.put("b/package.json", r#"{"main":"./lib/main"}"#);
        fs::create_dir(world.folder.path().join("empty")).unwrap();
        fs::create_dir(world.folder.path().join("env")).unwrap();
        assert_eq!(world.path("a"), index);
        assert_eq!(world.path("b/"), main);
        assert!(world.find("./empty", false).unwrap_err().hint.is_some());
        // A folder that is no app does not hide a program.
        assert!(world.path("env").ends_with("bin/env"));
    }

    #[test]
    fn blanks_make_a_command_unless_there_is_such_a_file() {
        let world = world();
        let file = world.put("my app.js", "");
        assert_eq!(world.path("my app.js"), file);
        assert_eq!(
            world.find("npm run x", false),
            Ok(Script::Command("npm run x".to_owned()))
        );
        let script = world.put("app.py", "");
        assert_eq!(
            world.find("app.py --name 'a b'", true),
            Ok(Script::File {
                path: script,
                more: vec!["--name".to_owned(), "a b".to_owned()]
            })
        );
        assert!(world.find("app.py 'open", true).is_err());
    }

    #[test]
    fn what_is_missing_names_what_may_have_been_meant() {
        let world = world();
        world.put("server.js", "");
        for (text, hint) in [
            ("sever.js", "there is a server.js"),
            ("no-such-program", "it was looked for in"),
            ("./deep/er.js", "relative paths are taken from"),
            ("  ", "name a script"),
        ] {
            let problem = world.find(text, false).unwrap_err();
            assert!(problem.hint.unwrap().contains(hint), "{text}");
        }
    }
}
