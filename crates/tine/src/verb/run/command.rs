//! Which program is meant?

use crate::args::Run;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use tine_daemon::{Dialect, ResolveError, resolve_program};

/// What is to be executed.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) folder: PathBuf,
    pub(super) name: String,
    /// Whether the program may understand that it is a cluster worker.
    pub(super) may_be_clustered: bool,
    /// Whether it may know what to do with a channel: a script of another language does not, and
    /// would hand it down to whatever it starts.
    pub(super) speaks_ipc: bool,
    pub(super) dialect: Dialect,
}

/// What runs a script, by the ending of its name.
const INTERPRETERS: [(&[&str], &str); 6] = [
    (&["js", "mjs", "cjs", "ts", "mts", "cts"], "node"),
    (&["py"], "python3"),
    (&["rb"], "ruby"),
    (&["sh", "bash"], "bash"),
    (&["php"], "php"),
    (&["pl"], "perl"),
];

/// Why nothing can be started.
#[derive(Debug)]
pub(super) enum CannotStart {
    Folder {
        path: PathBuf,
        error: std::io::Error,
    },
    NotAFolder {
        path: PathBuf,
    },
    Words {
        command: String,
        error: String,
    },
    NoScript {
        path: PathBuf,
        folder: PathBuf,
        near: Option<String>,
    },
    NoInterpreter {
        name: String,
        script: PathBuf,
        error: ResolveError,
    },
    NoProgram {
        name: String,
        error: ResolveError,
    },
}

impl fmt::Display for CannotStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { path, error } => {
                write!(
                    f,
                    "entering {}: {error}\nhint: --cwd names the folder to run in",
                    path.display()
                )
            }
            Self::NotAFolder { path } => {
                write!(
                    f,
                    "entering {}: not a folder\nhint: --cwd names the folder to run in",
                    path.display()
                )
            }
            Self::Words { command, error } => write!(
                f,
                "reading the command `{command}`: {error}\n\
                 hint: quotes inside it must be closed, as in a shell"
            ),
            Self::NoScript { path, folder, near } => {
                write!(f, "starting {}: no such file", path.display())?;
                match near {
                    Some(near) => write!(f, "\nhint: there is a {near}"),
                    None => write!(f, "\nhint: it was looked for in {}", folder.display()),
                }
            }
            Self::NoInterpreter {
                name,
                script,
                error,
            } => {
                write!(
                    f,
                    "starting {}: it needs `{name}`: {error}",
                    script.display()
                )?;
                match name.as_str() {
                    "node" => f.write_str(
                        "\nhint: install Node.js (Debian: apt-get install nodejs), or say where \
                         it is with --interpreter /path/to/node (or bun, or deno)",
                    ),
                    name => write!(
                        f,
                        "\nhint: install {name}, or say what runs the script with --interpreter"
                    ),
                }
            }
            Self::NoProgram { name, error } => {
                write!(f, "starting {name}: {error}")?;
                match error {
                    ResolveError::Directory { .. } => {
                        f.write_str("\nhint: it is a folder: name a script in it")
                    }
                    ResolveError::NotExecutable { path } => write!(
                        f,
                        "\nhint: chmod +x {}, or name what runs it with --interpreter",
                        path.display()
                    ),
                    _ => f.write_str(
                        "\nhint: name a script or an executable by its path, or a command in PATH",
                    ),
                }
            }
        }
    }
}

/// Finds the program, its arguments and its folder.
pub(super) fn resolve(args: &Run) -> Result<Resolved, CannotStart> {
    let folder = folder(args.cwd.as_deref())?;
    let mut words = words(&args.command, &folder)?;
    words.extend(args.arguments.iter().cloned());
    let first = words.remove(0);
    let path = folder.join(&first);
    let interpreter = match args.interpreter.as_deref() {
        Some("none") => None,
        Some(named) => Some(named.to_owned()),
        None => interpreter_of(&path).map(ToOwned::to_owned),
    };
    let name = path
        .file_stem()
        .unwrap_or(OsStr::new(&first))
        .to_string_lossy()
        .into_owned();
    let search = std::env::var_os("PATH");
    let find = |name: &str| resolve_program(OsStr::new(name), search.as_deref(), &folder);
    let Some(interpreter) = interpreter else {
        if path.is_dir() && !is_command(&first) {
            let error = ResolveError::Directory { path };
            return Err(CannotStart::NoProgram { name: first, error });
        }
        let program = find(&first).map_err(|error| CannotStart::NoProgram {
            name: first.clone(),
            error,
        })?;
        let dialect = Dialect::of_program(&program);
        let arguments = std::iter::once(first)
            .chain(words)
            .map(OsString::from)
            .collect();
        return Ok(Resolved {
            program,
            arguments,
            folder,
            name,
            may_be_clustered: true,
            speaks_ipc: true,
            dialect,
        });
    };
    if !path.is_file() {
        let near = near(&path);
        return Err(CannotStart::NoScript { path, folder, near });
    }
    let program = find(&interpreter).map_err(|error| CannotStart::NoInterpreter {
        name: interpreter.clone(),
        script: path.clone(),
        error,
    })?;
    let kind = Kind::of(&program);
    let given = args
        .interpreter_args
        .as_deref()
        .unwrap_or(kind.default_arguments());
    let given = shell_words::split(given).map_err(|error| CannotStart::Words {
        command: given.to_owned(),
        error: error.to_string(),
    })?;
    let mut arguments: Vec<OsString> = vec![interpreter.into()];
    if kind == Kind::Deno && given.first().is_none_or(|first| first != "run") {
        arguments.push("run".into());
    }
    arguments.extend(given.into_iter().map(OsString::from));
    arguments.push(path.into_os_string());
    arguments.extend(words.into_iter().map(OsString::from));
    Ok(Resolved {
        dialect: Dialect::of_program(&program),
        may_be_clustered: kind != Kind::Other,
        speaks_ipc: kind != Kind::Other,
        program,
        arguments,
        folder,
        name,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Node,
    Bun,
    Deno,
    Other,
}

impl Kind {
    fn of(program: &Path) -> Self {
        match program.file_stem().and_then(OsStr::to_str) {
            Some(name) if name.starts_with("node") => Self::Node,
            Some("bun") => Self::Bun,
            Some("deno") => Self::Deno,
            _ => Self::Other,
        }
    }

    fn default_arguments(self) -> &'static str {
        match self {
            // A server may not even listen without being permitted to.
            Self::Deno => "run --allow-all",
            Self::Node | Self::Bun | Self::Other => "",
        }
    }
}

fn folder(asked: Option<&Path>) -> Result<PathBuf, CannotStart> {
    let path = asked.unwrap_or(Path::new("."));
    let folder = path.canonicalize().map_err(|error| CannotStart::Folder {
        path: path.to_owned(),
        error,
    })?;
    if folder.is_dir() {
        Ok(folder)
    } else {
        Err(CannotStart::NotAFolder { path: folder })
    }
}

/// A command is split as a shell would, unless it is the name of a file as it stands.
fn words(command: &str, folder: &Path) -> Result<Vec<String>, CannotStart> {
    if folder.join(command).exists() {
        return Ok(vec![command.to_owned()]);
    }
    let refused = |error: String| CannotStart::Words {
        command: command.to_owned(),
        error,
    };
    let words = shell_words::split(command).map_err(|error| refused(error.to_string()))?;
    if words.is_empty() {
        return Err(refused("it is empty".to_owned()));
    }
    Ok(words)
}

fn interpreter_of(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?;
    let known = INTERPRETERS
        .iter()
        .find(|(endings, _)| endings.contains(&ending))?;
    Some(known.1)
}

/// Whether a name is looked up in PATH, not in the folder.
fn is_command(name: &str) -> bool {
    !name.contains('/') && name != "." && name != ".."
}

/// A file in the same folder that may have been meant.
fn near(path: &Path) -> Option<String> {
    let wanted = path.file_stem()?.to_string_lossy().to_lowercase();
    let folder = path.parent()?;
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| interpreter_of(Path::new(name)).is_some())
        .filter(|name| {
            let stem = Path::new(name)
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy();
            let stem = stem.to_lowercase();
            stem == wanted || stem.starts_with(&wanted) || wanted.starts_with(&stem)
        })
        .collect();
    names.sort();
    names.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn run(line: &[&str]) -> Run {
        let words = ["tine", "run"].iter().chain(line);
        match crate::args::Args::try_parse_from(words).unwrap().verb {
            crate::args::Verb::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    fn shown(error: CannotStart) -> String {
        error.to_string()
    }

    #[test]
    fn a_command_in_path_is_found_and_split() {
        let resolved = resolve(&run(&["sh -c 'exit 3'", "--", "more"])).unwrap();
        assert!(resolved.program.ends_with("sh"));
        assert_eq!(resolved.arguments, ["sh", "-c", "exit 3", "more"]);
        assert_eq!(resolved.name, "sh");
    }

    #[test]
    fn a_script_runs_under_what_its_ending_says() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("job.sh"), "").unwrap();
        let cwd = folder.path().to_str().unwrap();
        let resolved = resolve(&run(&["job.sh", "--cwd", cwd, "-i", "2"])).unwrap();
        assert!(resolved.program.ends_with("bash"));
        assert!(!resolved.may_be_clustered);
        assert_eq!(resolved.arguments.len(), 2);
    }

    #[test]
    fn a_missing_script_names_one_that_may_have_been_meant() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("server.js"), "").unwrap();
        let cwd = folder.path().to_str().unwrap();
        let error = resolve(&run(&["serve.js", "--cwd", cwd])).unwrap_err();
        assert!(shown(error).contains("hint: there is a server.js"));
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        for line in [
            &["no-such-program"][..],
            &["app.js", "--cwd", "/no/such/folder"],
            &["echo 'unclosed"],
            &["  "],
            &["missing.py"],
            &["/etc/passwd"],
            &["."],
            &["/etc"],
        ] {
            let error = shown(resolve(&run(line)).unwrap_err());
            assert!(error.contains("\nhint: "), "{error}");
        }
    }
}
