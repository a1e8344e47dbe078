use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Program, process, wait};

/// How long a command may take: far longer than any does.
const DEADLINE: Duration = Duration::from_secs(60);

/// So many bytes of its output are kept.
const MOST: u64 = 64 << 20;

/// One command, yet to be run.
#[derive(Debug)]
pub struct Call {
    name: String,
    command: Command,
    stdin: Vec<u8>,
    deadline: Duration,
}

impl Call {
    pub(super) fn new(name: String, command: Command) -> Call {
        Call {
            name,
            command,
            stdin: Vec::new(),
            deadline: DEADLINE,
        }
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Call {
        self.command.env(name, value);
        self
    }

    /// Without this variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Call {
        self.command.env_remove(name);
        self
    }

    /// The folder it is run in.
    #[must_use]
    pub fn folder(mut self, folder: impl AsRef<Path>) -> Call {
        self.command.current_dir(folder);
        self
    }

    /// What it reads from its standard input; nothing if not given.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Call {
        self.stdin = text.into();
        self
    }

    /// The user it is run as; only root may.
    #[must_use]
    pub fn user(mut self, uid: u32) -> Call {
        self.command.uid(uid);
        self
    }

    /// Starts it, for what goes on until it is stopped. Dropping that kills what *it* has started.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(self) -> Program {
        Program::start(&self.name, self.command)
    }

    /// As [`start`](Self::start), with this on its standard input.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_with_stdin(self, stdin: Stdio) -> Program {
        Program::start_with_stdin(&self.name, self.command, stdin)
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it does not end in time.
    #[track_caller]
    pub fn run(self) -> Said {
        match self.try_run() {
            Ok(said) => said,
            Err(late) => panic!("{late}"),
        }
    }

    pub(super) fn try_run(mut self) -> Result<Said, String> {
        let began = Instant::now();
        let end = began + self.deadline;
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let name = self.name;
        let mut child = match self.command.spawn() {
            Ok(child) => child,
            Err(error) => return Err(format!("starting {name}: {error}")),
        };
        if let Some(mut stdin) = child.stdin.take() {
            let text = self.stdin;
            // It may end before it has read all, or read nothing at all.
            thread::spawn(move || drop(stdin.write_all(&text)));
        }
        let out = child.stdout.take().map(whole);
        let err = child.stderr.take().map(whole);
        let code = wait::try_until(self.deadline, || child.try_wait().ok().flatten());
        let code = match code {
            Ok(status) => status.code(),
            Err(_) => {
                process::kill_tree(child.id());
                let _ = child.wait();
                None
            }
        };
        let read = |from: Option<Receiver<Vec<u8>>>| {
            let left = end.saturating_duration_since(Instant::now());
            let bytes = from?.recv_timeout(left.max(Duration::from_secs(5))).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        match (code, read(out), read(err)) {
            (Some(code), Some(out), Some(err)) => Ok(Said {
                name,
                code,
                out,
                err,
                took: began.elapsed(),
            }),
            (None, out, err) => {
                let [out, err] = [out, err].map(|text| text.as_deref().map(start));
                Err(format!("{name} did not end by itself: {out:?} {err:?}\n"))
            }
            // Somebody whom it has started holds its output.
            (Some(_), out, err) => Err(format!(
                "{name} ended, its output did not: {out:?} {err:?}\n"
            )),
        }
    }
}

/// Reads to the end, on a thread.
fn whole(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (to, all) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.by_ref().take(MOST).read_to_end(&mut bytes);
        let _ = io::copy(&mut from, &mut io::sink());
        let _ = to.send(bytes);
    });
    all
}

/// What became of a command.
#[derive(Clone)]
pub struct Said {
    /// Its words.
    pub name: String,
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({:?}) ", start(&self.name), self.took)?;
        write!(
            f,
            "code {}\nout: {}\nerr: {}",
            self.code,
            start(&self.out),
            start(&self.err)
        )
    }
}

/// As much of a text as anybody wants to see.
fn start(text: &str) -> String {
    const ENOUGH: usize = 4000;
    if text.chars().nth(ENOUGH).is_none() {
        return text.to_owned();
    }
    let start: String = text.chars().take(ENOUGH).collect();
    format!("{start}... ({} bytes)", text.len())
}

impl Said {
    /// It has exited with `code`.
    ///
    /// # Panics
    /// When it has not.
    #[track_caller]
    pub fn is(self, code: i32) -> Said {
        assert!(
            self.code == code,
            "exit code {code} was expected of {self:?}"
        );
        self
    }

    /// It has exited with `code`, has said an error on standard error, and nothing on standard
    /// output.
    ///
    /// # Panics
    /// When it has not.
    #[track_caller]
    pub fn is_error(self, code: i32) -> Said {
        let said = self.is(code);
        assert!(
            said.err.lines().any(|line| line.starts_with("error: ")),
            "no error in {said:?}"
        );
        assert!(!said.err.contains("panicked"), "{said:?}");
        assert!(said.out.is_empty(), "{said:?}");
        said
    }

    /// Standard error has these words.
    ///
    /// # Panics
    /// When it has not.
    #[track_caller]
    pub fn says(self, words: &str) -> Said {
        assert!(self.err.contains(words), "{words:?} is not in {self:?}");
        self
    }

    /// There is advice.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn hints(self) -> Said {
        assert!(self.err.contains("hint: "), "no hint in {self:?}");
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.name, self.out))
    }
}
