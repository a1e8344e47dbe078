//! A daemon that answers what a test wants and remembers what it was asked.
#![allow(dead_code, reason = "not every test does everything")]
#![allow(clippy::disallowed_methods, reason = "starts the program under test")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use tine_control::reply::{Acted, Described, Listed, Pong};
use tine_control::server::{Asked, Ending, Events, Responder, Rules, listen, serve};
use tine_control::{Answer, AppInfo, ExecMode, Failure, ProcessInfo, ProcessStatus, Request};

/// Nothing in these tests takes this long unless it is broken.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

type Handle = dyn Fn(&Request, &Responder) -> Option<Result<Answer, Failure>> + Send + Sync;

/// What was asked so far.
#[derive(Default)]
struct Heard {
    requests: Mutex<Vec<Request>>,
    more: Condvar,
}

/// The daemon, and the folders of a user who speaks with it.
pub(crate) struct Fake {
    folder: TempDir,
    heard: Arc<Heard>,
    ending: Ending,
    server: Option<JoinHandle<()>>,
}

impl Fake {
    /// A user without a daemon.
    pub(crate) fn absent() -> Fake {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("cwd")).unwrap();
        Fake {
            folder,
            heard: Arc::default(),
            ending: Ending::default(),
            server: None,
        }
    }

    /// A daemon that answers with `handle`; what that does not answer is never answered, but for
    /// the list and descriptions, which have `processes` and `apps`.
    pub(crate) fn with(
        processes: Vec<ProcessInfo>,
        apps: Vec<AppInfo>,
        handle: impl Fn(&Request, &Responder) -> Option<Result<Answer, Failure>> + Send + Sync + 'static,
    ) -> Fake {
        let mut fake = Fake::absent();
        let listener = listen(&fake.home().join("control.sock")).unwrap();
        let (heard, ending) = (Arc::clone(&fake.heard), fake.ending.clone());
        let handle: Box<Handle> = Box::new(handle);
        let apps = apps.into_iter();
        let apps = apps.map(|app| (app.spec.name.clone(), app)).collect();
        let described = Described { processes, apps };
        // What is never answered.
        let open: Mutex<Vec<Responder>> = Mutex::default();
        let handler = move |asked: Asked| {
            let answer = handle(&asked.request, &asked.reply);
            let usual = match &asked.request {
                Request::Ping(_) => Some(Ok(Pong { pid: 7 }.into())),
                Request::List(_) => {
                    let processes = described.processes.clone();
                    Some(Ok(Listed { processes }.into()))
                }
                Request::Describe(_) => Some(Ok(described.clone().into())),
                _ => None,
            };
            match answer.or(usual) {
                Some(answer) => asked.reply.finish(answer),
                None => open.lock().unwrap().push(asked.reply),
            }
            heard.requests.lock().unwrap().push(asked.request);
            heard.more.notify_all();
        };
        fake.server = Some(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::UnixListener::from_std(listener).unwrap();
                let rules = Rules::of_this_process("9.9.9");
                serve(listener, rules, Events::new(100), handler, &ending)
                    .await
                    .unwrap();
            });
        }));
        fake
    }

    /// A daemon that says of everything that is done to processes that it went well.
    pub(crate) fn willing(processes: Vec<ProcessInfo>, apps: Vec<AppInfo>) -> Fake {
        let shown = processes.clone();
        Fake::with(processes, apps, move |request, _| {
            let acts = !matches!(
                request,
                Request::Ping(_) | Request::List(_) | Request::Describe(_)
            );
            acts.then(|| {
                Ok(Acted {
                    done: true,
                    processes: shown.clone(),
                    ..Acted::default()
                }
                .into())
            })
        })
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The folder that the user is in.
    pub(crate) fn cwd(&self) -> PathBuf {
        self.folder.path().join("cwd").canonicalize().unwrap()
    }

    /// Writes a file into that folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.cwd().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tine"));
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("TINE_HOME", self.home())
            .current_dir(self.cwd())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn spawn(&self, words: &[&str]) -> Child {
        self.command(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub(crate) fn run(&self, words: &[&str]) -> Said {
        Said::of(words, self.command(words).output().unwrap())
    }

    /// What was asked, but for questions about what is there.
    pub(crate) fn asked(&self) -> Vec<Request> {
        let requests = self.heard.requests.lock().unwrap();
        let asks = |request: &&Request| !matches!(request, Request::List(_) | Request::Describe(_));
        requests.iter().filter(asks).cloned().collect()
    }

    /// Waits until something like this was asked.
    pub(crate) fn wait_for(&self, word: &str) {
        let is_there = |requests: &mut Vec<Request>| requests.iter().any(|one| one.word() == word);
        let requests = self.heard.requests.lock().unwrap();
        let (_requests, timeout) = self
            .heard
            .more
            .wait_timeout_while(requests, DEADLINE, |requests| !is_there(requests))
            .unwrap();
        assert!(!timeout.timed_out(), "nobody asked to {word}");
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.ending.end();
        if let Some(server) = self.server.take() {
            let ended = server.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) words: String,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

impl Said {
    pub(crate) fn of(words: &[&str], output: Output) -> Said {
        Said {
            words: words.join(" "),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Said {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Checks that all of these stand in what was said to the user.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Said {
        for part in parts {
            assert!(self.err.contains(part), "{part:?} is missing: {self:#?}");
        }
        self
    }
}

pub(crate) fn process(id: u32, name: &str, status: ProcessStatus) -> ProcessInfo {
    let runs = status == ProcessStatus::Online;
    ProcessInfo {
        id,
        name: name.to_owned(),
        namespace: "default".to_owned(),
        slot: 0,
        generation: 1,
        status,
        pid: runs.then_some(4000 + id),
        exec_mode: ExecMode::Fork,
        started: runs.then_some(1),
        created: 1,
        restarts: 0,
        unstable_restarts: 0,
        next_start: None,
        cpu: None,
        memory: None,
        listening: Vec::new(),
        user: "www".to_owned(),
        version: None,
        interpreter_version: None,
        reason: String::new(),
        exits: Vec::new(),
        files: None,
    }
}

/// An app as `tine start` of this script would make it.
pub(crate) fn app(name: &str, script: &Path, interpreter: &str) -> AppInfo {
    let cwd = script.parent().unwrap();
    let mut spec = tine_control::AppSpec::new(name, script, cwd);
    spec.interpreter = Some(interpreter.to_owned());
    AppInfo {
        spec,
        slots: 1,
        policy: None,
    }
}
