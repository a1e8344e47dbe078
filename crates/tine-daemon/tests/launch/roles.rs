//! What this program is besides the test: keeper, brain, and commands that need a daemon.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test may"
)]

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use tine_control::reply::Pong;
use tine_control::request::Request;
use tine_control::server::{Asked, Ending, Events, Rules, serve};
use tine_daemon::home::Home;
use tine_daemon::launch::{ensure, own_program};
use tine_daemon::role;
use tine_keeper::client::Client;
use tine_sys::Pid;

/// The file in a home that makes its brains end at once.
pub(crate) const BREAK: &str = "break";
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn own() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// What this process is, unless it is the test.
pub(crate) fn role() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [role, "--home", home] = words[..] else {
        return None;
    };
    let home = Home::at(home).unwrap();
    Some(match role {
        "keeper" => role::keeper(&home),
        "brain" => brain(&home),
        "ensure" => {
            let client = ensure(&home, &own()).unwrap();
            println!("{}", client.greeting().pid);
            ExitCode::SUCCESS
        }
        "own-program" => {
            std::io::stdin().read_exact(&mut [0]).unwrap();
            println!("{}", own_program().unwrap().display());
            ExitCode::SUCCESS
        }
        other => panic!("no such role: {other}"),
    })
}

fn brain(home: &Home) -> ExitCode {
    let mut keeper = Client::from_environment().unwrap().unwrap();
    if home.folder().join(BREAK).exists() {
        eprintln!("the brain is broken");
        return ExitCode::FAILURE;
    }
    keeper.hello(PATIENCE).unwrap();
    let held = keeper.list(PATIENCE).unwrap();
    let mut held: std::collections::BTreeMap<_, _> = held.descriptors.into_iter().collect();
    let listener = UnixListener::from(held.remove(role::CONTROL_NAME).unwrap());
    let _lock = held.remove(role::LOCK_NAME).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::from_std(listener).unwrap();
        // For its readiness alone: nothing is read through it.
        let gone = UnixStream::from(keeper.as_fd().try_clone_to_owned().unwrap());
        gone.set_nonblocking(true).unwrap();
        let gone = tokio::net::UnixStream::from_std(gone).unwrap();
        let handler = |asked: Asked| {
            let pong = Pong {
                pid: std::process::id(),
            };
            match asked.request {
                Request::Ping(_) => asked.reply.finish(Ok(pong)),
                other => panic!("{other:?}"),
            }
        };
        let ending = Ending::default();
        let rules = Rules::of_this_process("test");
        tokio::select! {
            served = serve(listener, rules, Events::new(1), handler, &ending) => served.unwrap(),
            // It says nothing without being asked but that it has gone.
            _ = gone.readable() => {}
        }
    });
    ExitCode::SUCCESS
}

/// A home of the test's. Its daemon is killed when the test is over.
pub(crate) struct Daemon {
    pub(crate) home: Home,
    _folder: tempfile::TempDir,
}

impl Daemon {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            home: Home::at(folder.path().join("home")).unwrap(),
            _folder: folder,
        }
    }

    /// The keeper, as the lock file says it.
    pub(crate) fn keeper(&self) -> Pid {
        let text = fs::read_to_string(self.home.lock()).unwrap();
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }

    pub(crate) fn kill_without_waiting(&self) {
        // Whatever was started for this home, and nothing else.
        for pid in of(&self.home, "keeper")
            .into_iter()
            .chain(brains_of(&self.home))
        {
            let pid = Pid::from_raw(pid.cast_signed()).unwrap();
            let _ = tine_sys::tree::signal(pid, 9);
        }
    }

    pub(crate) fn kill(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.kill_without_waiting();
            if of(&self.home, "keeper").is_empty() && brains_of(&self.home).is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "a daemon cannot be killed");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn brains_of(home: &Home) -> Vec<u32> {
    of(home, "brain")
}

/// The living processes that have this role for this home.
fn of(home: &Home, role: &str) -> Vec<u32> {
    let wanted = format!("\0{role}\0--home\0{}\0", home.folder().display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        // A zombie has no command line.
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).ends_with(&wanted) {
            found.push(pid);
        }
    }
    found
}

/// A field of /proc/PID/status.
pub(crate) fn status_field(pid: Pid, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.unwrap().trim().to_owned()
}

/// Another process of this program.
pub(crate) struct Run(Child);

impl Run {
    pub(crate) fn ensure(home: &Home, env: &[(&str, &str)]) -> Self {
        let mut command = command(&own(), "ensure", home);
        command.envs(env.iter().copied());
        Self(command.spawn().unwrap())
    }

    pub(crate) fn ensure_by_shell(script: &str, home: &Home) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{script} \"$@\""), "sh"])
            .arg(own())
            .args(["ensure", "--home"])
            .arg(home.folder());
        Self(piped(command).spawn().unwrap())
    }

    pub(crate) fn keeper(home: &Home) -> Self {
        Self(command(&own(), "keeper", home).spawn().unwrap())
    }

    pub(crate) fn own_program(program: &Path, home: &Home) -> Self {
        Self(command(program, "own-program", home).spawn().unwrap())
    }

    pub(crate) fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    /// What it says, once it has ended well.
    pub(crate) fn said(self) -> String {
        let output = self.0.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// As [`said`](Self::said), after it was told to go on.
    pub(crate) fn said_after_a_line(mut self) -> String {
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        self.said()
    }

    /// Its exit code and what it says to people.
    pub(crate) fn ended(self) -> (Option<i32>, String) {
        let output = self.0.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), errors)
    }
}

fn command(program: &Path, role: &str, home: &Home) -> Command {
    let mut command = Command::new(program);
    command.args([role, "--home"]).arg(home.folder());
    piped(command)
}

fn piped(mut command: Command) -> Command {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}
