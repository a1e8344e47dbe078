mod call;

pub use call::{Call, Said};

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::control::Control;
use crate::http::{self, Failure, Response};
use crate::process::Stat;
use crate::{Runtime, ports, process, tine, wait};

/// Marks everything that belongs to one home: the daemon, and what it starts.
const MARK: &str = "TINE_TEST_HOME";

/// A folder that is `HOME` and has a `TINE_HOME` in it, and the daemon that some command of it may
/// have started. The commands are run in it.
///
/// Dropping it ends the daemon with `tine kill`. What is left then is killed, and is a failure of
/// the test.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
    mark: String,
    port: u16,
    binary: PathBuf,
    is_ended: bool,
}

impl Home {
    /// A new one; no daemon runs.
    ///
    /// # Panics
    /// When there is no binary, or no folder can be made.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Home {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = TempDir::with_prefix("tine-home-")
            .unwrap_or_else(|error| panic!("creating a temporary home: {error}"));
        Home {
            folder,
            mark: format!("{}-{number}", std::process::id()),
            port: ports::free_tcp(),
            binary: tine::binary(),
            is_ended: false,
        }
    }

    /// `HOME`, and the folder that commands are run in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `TINE_HOME`; it is not there before the first command that needs it.
    #[must_use]
    pub fn tine(&self) -> PathBuf {
        self.folder.path().join(".tine")
    }

    /// The `PORT` of all commands, and so of what they start.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Writes a file, with the folders it needs.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, text));
        written.unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
        path
    }

    /// The text of a file; what is not there is empty.
    #[must_use]
    pub fn read(&self, name: impl AsRef<Path>) -> String {
        let bytes = fs::read(self.folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// `tine ARGS…`, yet to be run.
    #[must_use]
    pub fn call<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Call {
        let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
        let name = format!("tine {}", args.join(" ".as_ref()).to_string_lossy());
        let mut command = Command::new(&self.binary);
        tine::surround(&mut command, self.folder.path(), self.port);
        let node = Runtime::Node20.path();
        let node = node.parent().unwrap_or(Path::new("/")).as_os_str();
        let mut path = node.to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        command
            .env(MARK, &self.mark)
            .env("PATH", path)
            .current_dir(self.folder.path())
            .args(args);
        Call::new(name, command)
    }

    /// Runs `tine ARGS…` to its end.
    ///
    /// # Panics
    /// When it does not end in time.
    #[track_caller]
    pub fn run<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Said {
        self.call(args).run()
    }

    /// As [`run`](Self::run), and its exit code is 0.
    ///
    /// # Panics
    /// When it is another, with what it said.
    #[track_caller]
    pub fn ok<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Said {
        self.run(args).is(0)
    }

    /// As [`run`](Self::run), and it exits with `code` and says an error.
    ///
    /// # Panics
    /// When it does not, with what it said.
    #[track_caller]
    pub fn refused<A: Into<OsString>>(&self, code: i32, args: impl IntoIterator<Item = A>) -> Said {
        self.run(args).is_error(code)
    }

    /// A new connection to the daemon.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn control(&self) -> Control {
        let socket = self.tine().join("control.sock");
        Control::connect(&socket)
            .unwrap_or_else(|error| panic!("connecting to {}: {error}", socket.display()))
    }

    /// Asks the daemon what must succeed.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn ask(&self, request: Value) -> Value {
        self.control().ask(request)
    }

    /// The entries of the list, in the order of their ids.
    ///
    /// # Panics
    /// When no daemon answers.
    #[track_caller]
    pub fn list(&self) -> Vec<Value> {
        let mut answer = self.ask(json!({"do": "list"}));
        let Value::Array(mut list) = answer["processes"].take() else {
            panic!("no processes in {answer}");
        };
        list.sort_by_key(|one| one["id"].as_u64());
        list
    }

    /// Everything that is known of the first process of an app.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn process(&self, app: &str) -> Value {
        self.ask(json!({"do": "describe", "target": {"name": app}}))["processes"][0].take()
    }

    /// What the daemon keeps of an app.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn spec(&self, app: &str) -> Value {
        self.ask(json!({"do": "describe", "target": {"name": app}}))["apps"][app]["spec"].take()
    }

    /// The number of the first process of an app.
    ///
    /// # Panics
    /// When it has none.
    #[track_caller]
    pub fn pid(&self, app: &str) -> u32 {
        let process = self.process(app);
        match pid_of(&process) {
            Some(pid) => pid,
            None => panic!("{app} has no pid: {process}"),
        }
    }

    /// Waits until the first process of an app is as it should be, and returns it.
    ///
    /// # Panics
    /// When that takes longer than 30 seconds, with what it is then.
    #[track_caller]
    pub fn wait_for(&self, app: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        wait::until(&format!("{app}: {what}"), Duration::from_secs(30), || {
            let process = self.process(app);
            if is_so(&process) {
                Ok(process)
            } else {
                Err(process.to_string())
            }
        })
    }

    /// Waits until the first process of an app has a status, and returns it.
    ///
    /// # Panics
    /// When that takes longer than 30 seconds.
    #[track_caller]
    pub fn wait_status(&self, app: &str, status: &str) -> Value {
        self.wait_for(app, status, |process| process["status"] == status)
    }

    /// The number of the keeper.
    ///
    /// # Panics
    /// When no daemon answers.
    #[track_caller]
    pub fn keeper(&self) -> u32 {
        number(&self.ask(json!({"do": "version"}))["keeper"])
    }

    /// The number of the brain.
    ///
    /// # Panics
    /// When no daemon answers.
    #[track_caller]
    pub fn brain(&self) -> u32 {
        number(&self.ask(json!({"do": "version"}))["pid"])
    }

    /// Everybody alive whom the daemon has started: the children of the keeper but for the brain.
    ///
    /// # Panics
    /// When no daemon answers.
    #[track_caller]
    pub fn workers(&self) -> Vec<u32> {
        let version = self.ask(json!({"do": "version"}));
        let brain = number(&version["pid"]);
        let mut all = process::children(number(&version["keeper"]));
        all.retain(|pid| *pid != brain);
        all
    }

    /// Everything alive that belongs to it, wherever it hangs in the tree: the daemon, and all that
    /// has inherited the environment of a command.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        process::marked(&format!("{MARK}={}", self.mark))
    }

    /// Asks for a page on its port, on a new connection.
    ///
    /// # Errors
    /// As [`http::get`].
    pub fn get(&self, path: &str) -> Result<Response, Failure> {
        http::get(self.address(), path)
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Ends the daemon with `tine kill`, and then nothing of it is left.
    ///
    /// # Panics
    /// When something is left.
    #[track_caller]
    pub fn end(mut self) {
        if let Err(trouble) = self.put_an_end() {
            panic!("{trouble}");
        }
    }

    /// Everything alive that belongs to it or hangs below what does: an app may have been given an
    /// environment of its own.
    fn everybody(&self) -> Vec<Stat> {
        let mut all = self.processes();
        let below: Vec<u32> = all
            .iter()
            .flat_map(|pid| process::descendants(*pid))
            .collect();
        all.extend(below);
        all.sort_unstable();
        all.dedup();
        all.into_iter().filter_map(process::stat).collect()
    }

    fn put_an_end(&mut self) -> Result<(), String> {
        self.is_ended = true;
        let known = self.everybody();
        let mut trouble = String::new();
        if !known.is_empty() {
            match self.call(["kill"]).try_run() {
                Ok(said) if said.code == 0 => {}
                Ok(said) => trouble = format!("{said:?}\n"),
                Err(late) => trouble = late,
            }
        }
        let is_there = |one: &Stat| {
            process::stat(one.pid).is_some_and(|now| now.is_same(*one) && now.is_alive())
        };
        // The keeper is the last to go, just after it has been said that the daemon has ended.
        let mut left = Vec::new();
        let _ = wait::try_until(Duration::from_secs(5), || {
            left = known.iter().filter(|one| is_there(one)).copied().collect();
            left.extend(self.everybody());
            left.is_empty()
        });
        for one in &left {
            let words = fs::read(format!("/proc/{}/cmdline", one.pid)).unwrap_or_default();
            let words = String::from_utf8_lossy(&words).replace('\0', " ");
            trouble.push_str(&format!("left behind: {} {words}\n", one.pid));
        }
        for one in &left {
            process::kill_tree(one.pid);
        }
        process::kill_marked(&format!("{MARK}={}", self.mark));
        if trouble.is_empty() {
            Ok(())
        } else {
            Err(format!("after `tine kill`: {trouble}{}", self.words()))
        }
    }

    /// The words of the daemon.
    fn words(&self) -> String {
        format!("daemon.log:\n{}", self.read(".tine/daemon.log"))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let panics = thread::panicking();
        if panics {
            eprintln!("{}", self.words());
        }
        if !self.is_ended
            && let Err(trouble) = self.put_an_end()
        {
            assert!(panics, "{trouble}");
            eprintln!("{trouble}");
        }
    }
}

/// The `pid` of an entry of the list, if it has one.
#[must_use]
pub fn pid_of(process: &Value) -> Option<u32> {
    process["pid"].as_u64().and_then(|pid| pid.try_into().ok())
}

#[track_caller]
fn number(value: &Value) -> u32 {
    match value.as_u64().and_then(|pid| pid.try_into().ok()) {
        Some(pid) => pid,
        None => panic!("{value} is no pid"),
    }
}
