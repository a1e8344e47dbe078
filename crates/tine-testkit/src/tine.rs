use std::env;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::http::{self, Failure, Response};
use crate::lines::{Line, Stream};
use crate::{Program, Runtime, Signal, ports, process, runtimes, wait};

/// How long [`RunningTine::finish`] and its like wait: far longer than anything takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// What a test's own surroundings must not pass on.
const REMOVED: [&str; 11] = [
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID",
    "NODE_CLUSTER_SCHED_POLICY",
    "NODE_APP_INSTANCE",
    "NODE_OPTIONS",
    "NODE_ENV",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "NOTIFY_SOCKET",
];

/// A command line of the real binary, which is `$TINE_BIN`, or else the one that cargo built beside
/// this test.
///
/// It gets a home of its own (`HOME`, `TINE_HOME`), a free port (`PORT`), and Express (`NODE_PATH`).
#[derive(Debug)]
pub struct Tine {
    before: Vec<OsString>,
    options: Vec<OsString>,
    script_args: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    port: u16,
    under: Vec<OsString>,
    stdin: Stdio,
    stdout: Option<Stdio>,
}

impl Tine {
    /// `tine ARGS…`
    #[must_use]
    pub fn command<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Tine {
        Tine {
            before: args.into_iter().map(Into::into).collect(),
            options: Vec::new(),
            script_args: Vec::new(),
            variables: Vec::new(),
            folder: None,
            port: ports::free_tcp(),
            under: Vec::new(),
            stdin: Stdio::null(),
            stdout: None,
        }
    }

    /// `tine run SCRIPT`
    #[must_use]
    pub fn run(script: impl AsRef<Path>) -> Tine {
        Tine::command([OsString::from("run"), script.as_ref().into()])
    }

    /// `tine run SCRIPT -i COUNT`, on the Node.js that is used where any will do.
    ///
    /// # Panics
    /// When that Node.js is not installed.
    #[must_use]
    pub fn workers(script: impl AsRef<Path>, count: impl ToString) -> Tine {
        Tine::run(script).instances(count).runtime(Runtime::Node20)
    }

    /// `-i COUNT`: a number, or `max`.
    #[must_use]
    pub fn instances(self, count: impl ToString) -> Tine {
        self.args(["-i".to_owned(), count.to_string()])
    }

    /// `--balance WAY`.
    #[must_use]
    pub fn balance(self, way: &str) -> Tine {
        self.args(["--balance", way])
    }

    /// `--interpreter PATH`, and `--interpreter-args ARGS` where the runtime needs any.
    ///
    /// # Panics
    /// When the runtime is not installed.
    #[must_use]
    pub fn runtime(self, runtime: Runtime) -> Tine {
        let tine = self.args([OsString::from("--interpreter"), runtime.path().into()]);
        match runtime.args() {
            [] => tine,
            args => tine.args(["--interpreter-args".to_owned(), args.join(" ")]),
        }
    }

    /// More options, after all that were given before.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Tine {
        self.options.extend(args.into_iter().map(Into::into));
        self
    }

    /// What comes at the end, after `--`.
    #[must_use]
    pub fn script_args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Tine {
        self.script_args.extend(args.into_iter().map(Into::into));
        self
    }

    /// A variable of the environment; the last of a name counts.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Tine {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// The working directory.
    #[must_use]
    pub fn current_dir(self, folder: impl Into<PathBuf>) -> Tine {
        Tine {
            folder: Some(folder.into()),
            ..self
        }
    }

    /// The port in `PORT`, instead of a free one.
    #[must_use]
    pub fn port(self, port: u16) -> Tine {
        Tine { port, ..self }
    }

    /// Another program that starts it, such as `taskset`: this comes before the binary's path.
    #[must_use]
    pub fn under<A: Into<OsString>>(mut self, words: impl IntoIterator<Item = A>) -> Tine {
        self.under.extend(words.into_iter().map(Into::into));
        self
    }

    /// Its standard input; nothing if not given.
    #[must_use]
    pub fn stdin(self, stdin: impl Into<Stdio>) -> Tine {
        Tine {
            stdin: stdin.into(),
            ..self
        }
    }

    /// Its standard output, which is not captured then.
    #[must_use]
    pub fn stdout(self, stdout: impl Into<Stdio>) -> Tine {
        Tine {
            stdout: Some(stdout.into()),
            ..self
        }
    }

    /// Starts it in a new home.
    ///
    /// # Panics
    /// When the binary is missing or does not start.
    #[must_use]
    pub fn start(self) -> RunningTine {
        self.start_binary(&binary())
    }

    fn start_binary(self, binary: &Path) -> RunningTine {
        let home = TempDir::with_prefix("tine-test-")
            .unwrap_or_else(|error| panic!("creating a temporary home: {error}"));
        let mut words = self.under.into_iter().chain([OsString::from(binary)]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        surround(&mut command, home.path(), self.port);
        command
            .envs(self.variables)
            .args(&self.before)
            .args(self.options);
        if !self.script_args.is_empty() {
            command.arg("--").args(self.script_args);
        }
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        let name = self.before.join(" ".as_ref());
        let name = format!("tine {}", name.to_string_lossy());
        let program = Program::start_with(&name, command, self.stdin, self.stdout);
        RunningTine {
            program,
            home,
            port: self.port,
        }
    }
}

/// Gives a command of the binary the surroundings of a test: a home and a port of its own, Express,
/// and nothing of what the test itself was started with.
pub(crate) fn surround(command: &mut Command, home: &Path, port: u16) {
    for name in REMOVED {
        command.env_remove(name);
    }
    for (name, _) in env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("TINE_") || name.starts_with("PM2_")
    }) {
        command.env_remove(name);
    }
    command
        .env("HOME", home)
        .env("TINE_HOME", home.join(".tine"))
        .env("PORT", port.to_string())
        .env("NODE_PATH", runtimes::node_modules())
        .env("NO_COLOR", "1")
        .env("DENO_NO_UPDATE_CHECK", "1");
}

/// A running `tine`; everything a [`Program`] can is there, too.
#[derive(Debug)]
pub struct RunningTine {
    // First, so that it is gone before its home is.
    program: Program,
    home: TempDir,
    port: u16,
}

impl RunningTine {
    /// The port in its `PORT`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its `HOME`; `TINE_HOME` is `.tine` in it.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Waits until it says on its standard error that the program is ready.
    ///
    /// # Panics
    /// When `deadline` passes first, or it ends.
    #[track_caller]
    pub fn wait_ready(&self, deadline: Duration) -> Line {
        let is_ready = |line: &Line| {
            line.stream == crate::lines::Stream::Stderr && line.text.contains("ready")
        };
        self.program
            .wait_for_line(is_ready, "ready, on stderr", deadline)
    }

    /// The processes it has started itself and that are alive: workers, and orphans that came to
    /// it. In the order of their numbers.
    #[must_use]
    pub fn children(&self) -> Vec<u32> {
        process::children(self.program.pid())
    }

    /// Waits for a line, on either stream, that contains `text`.
    ///
    /// # Panics
    /// When none comes within 20 seconds, or none can come any more.
    #[track_caller]
    pub fn wait_for_text(&self, text: &str) -> Line {
        self.program
            .wait_for_line(|line| line.text.contains(text), text, DEADLINE)
    }

    /// The page, as soon as somebody listens: for programs that do not say when they are ready.
    ///
    /// # Panics
    /// When nobody answers within 20 seconds.
    #[track_caller]
    pub fn get_when_up(&self, path: &str) -> Response {
        wait::until(&format!("an answer on {path}"), DEADLINE, || self.get(path))
    }

    /// Waits for its end and that of its output, and returns its exit code.
    ///
    /// # Panics
    /// When it takes longer than 20 seconds, or a signal ended it.
    #[track_caller]
    pub fn finish(&self) -> i32 {
        let status = self.program.wait_exit(DEADLINE);
        self.program.wait_output_end(DEADLINE);
        match status.code() {
            Some(code) => code,
            None => panic!("tine was ended: {status}"),
        }
    }

    /// Asks it to stop, as Ctrl-C does but to itself alone; then as [`finish`](Self::finish), and
    /// nothing of what it started is left.
    ///
    /// # Panics
    /// As [`finish`](Self::finish), or when something is left.
    #[track_caller]
    pub fn stop(&self) -> i32 {
        self.program.signal(Signal::INT);
        let code = self.finish();
        let left = self.program.processes();
        assert!(left.is_empty(), "left behind: {left:?}");
        code
    }

    /// What the programs printed on their standard output, with tine's prefixes.
    #[must_use]
    pub fn out(&self) -> Vec<String> {
        self.program.texts(Stream::Stdout)
    }

    /// What tine and the programs said on standard error.
    #[must_use]
    pub fn err(&self) -> Vec<String> {
        self.program.texts(Stream::Stderr)
    }

    /// Asks for a page on a new connection.
    ///
    /// # Errors
    /// As [`http::get`].
    pub fn get(&self, path: &str) -> Result<Response, Failure> {
        http::get(self.address(), path)
    }
}

impl Deref for RunningTine {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

/// The binary under test.
///
/// # Panics
/// When there is none, with the hint how to get it.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("TINE_BIN").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        assert!(
            path.is_file(),
            "TINE_BIN is {}, which is no file",
            path.display()
        );
        return path;
    }
    let here = env::current_exe().unwrap_or_else(|error| panic!("asking for my path: {error}"));
    match beside(&here) {
        Some(path) => path,
        None => panic!(
            "no tine beside {}\nhint: run cargo build -p tine",
            here.display()
        ),
    }
}

/// A program that cargo has built from `crates/*/examples`, beside the binary under test or in this
/// test's own target folder.
///
/// # Panics
/// When there is none, with the hint how to get it.
#[must_use]
pub fn built_example(name: &str) -> PathBuf {
    let here = env::current_exe().unwrap_or_else(|error| panic!("asking for my path: {error}"));
    let binary = binary();
    let profiles = here.ancestors().chain(binary.ancestors());
    let found = profiles
        .skip(1)
        .map(|folder| folder.join("examples").join(name))
        .find(|path| path.is_file());
    match found {
        Some(path) => path,
        None => panic!(
            "no example {name} beside {}\nhint: run cargo build --example {name} -p tine-cluster",
            binary.display()
        ),
    }
}

/// A test is at `target/PROFILE/deps/TEST`, an example or tool elsewhere below `target/PROFILE`:
/// its own profile's binary comes first, then the release one, then the debug one.
fn beside(test: &Path) -> Option<PathBuf> {
    let mut profiles = test.ancestors().skip(1);
    let own = profiles.find(|folder| folder.file_name().is_some_and(|name| name != "deps"))?;
    let target = own.parent()?;
    [own.to_owned(), target.join("release"), target.join("debug")]
        .into_iter()
        .map(|folder| folder.join("tine"))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const SECONDS: Duration = Duration::from_secs(10);

    #[test]
    fn the_command_line_and_surroundings_are_as_asked() {
        let script = "printf '%s,' \"$0\" \"$@\" \"$PORT\" \"$MORE\" \"$TINE_HOME\" \"$PWD\"; \
            echo; echo it is ready >&2";
        let tine = Tine::command(["-c", script, "run"])
            .instances(0)
            .balance("rr");
        let tine = tine
            .script_args(["-x"])
            .args(["--watch"])
            .env("MORE", "1")
            .env("MORE", "2");
        let running = tine
            .port(4242)
            .current_dir("/")
            .start_binary(Path::new("/bin/sh"));
        running.wait_ready(SECONDS);
        assert_eq!(running.wait_exit(SECONDS).code(), Some(0));
        running.wait_output_end(SECONDS);
        let home = running.home().join(".tine").display().to_string();
        let expected = format!("run,-i,0,--balance,rr,--watch,--,-x,4242,2,{home},/,");
        assert_eq!(running.texts(crate::lines::Stream::Stdout), [expected]);
        let home = running.home().to_owned();
        assert!(home.is_dir());
        drop(running);
        assert!(!home.exists());
    }

    #[test]
    fn the_binary_of_the_same_profile_comes_first() {
        let target = TempDir::new().unwrap();
        let test = target.path().join("debug/deps/reload-0123");
        for folder in ["debug/deps", "release"] {
            fs::create_dir_all(target.path().join(folder)).unwrap();
        }
        assert_eq!(beside(&test), None);
        fs::write(target.path().join("release/tine"), "").unwrap();
        assert_eq!(beside(&test), Some(target.path().join("release/tine")));
        fs::write(target.path().join("debug/tine"), "").unwrap();
        assert_eq!(beside(&test), Some(target.path().join("debug/tine")));
    }
}
