//! A primary over real Node workers, driven step by step.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod killed;
mod outside;
mod witness;

pub(crate) use outside::Outside;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tine_cluster::primary::{Event, Launch, Policy, Primary, Seat, Settings, WorkerId};
use tine_testkit::Runtime;
use witness::Witness;

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A primary, its runtime, and the script that its workers run.
pub(crate) struct Cluster {
    runtime: tokio::runtime::Runtime,
    pub(crate) primary: Primary,
    folder: tempfile::TempDir,
    node: Runtime,
    pub(crate) port: u16,
    pub(crate) seen: Vec<Event>,
    witness: Witness,
    /// Processes that the test starts and waits for instead of the primary.
    pub(crate) outside: Option<Outside>,
}

pub(crate) fn settings(policy: Policy) -> Settings {
    Settings {
        policy,
        hold_listeners: true,
        ..Settings::default()
    }
}

impl Cluster {
    pub(crate) fn new(policy: Policy, node: Runtime, script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("worker.js"), script).unwrap();
        let port = tine_testkit::ports::free_tcp();
        Self::with(folder, node, port, || {
            Primary::new(settings(policy)).unwrap()
        })
    }

    /// With a primary that is made otherwise.
    pub(crate) fn with(
        folder: tempfile::TempDir,
        node: Runtime,
        port: u16,
        primary: impl FnOnce() -> Primary,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let primary = runtime.block_on(async { primary() });
        Self {
            runtime,
            primary,
            folder,
            node,
            port,
            seen: Vec::new(),
            witness: Witness::default(),
            outside: None,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn fork(&mut self, seat: u32) -> WorkerId {
        let launch = launch(&self.node.path(), self.folder.path(), self.port, seat);
        let _inside = self.runtime.enter();
        match &mut self.outside {
            None => self.primary.fork(launch).unwrap(),
            Some(outside) => outside.start(&mut self.primary, launch),
        }
    }

    /// Lets the primary work until `condition` holds; it is asked again after every event and
    /// every few milliseconds.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        mut condition: impl FnMut(&mut Primary, &[Event]) -> Option<T>,
    ) -> T {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(outside) = &mut self.outside {
                outside.tell_ends(&mut self.primary);
            }
            self.witness.glance(&self.primary);
            if let Some(value) = condition(&mut self.primary, &self.seen) {
                self.witness.look(&self.primary);
                return value;
            }
            assert!(Instant::now() < end, "no {what}; seen: {:#?}", self.seen);
            let step = Duration::from_millis(5);
            let event = self
                .runtime
                .block_on(async { tokio::time::timeout(step, self.primary.next_event()).await });
            if let Ok(event) = event {
                self.seen.push(event.unwrap());
            }
        }
    }

    pub(crate) fn until_listening(&mut self, worker: WorkerId) {
        self.until(&format!("listening of worker {worker}"), |_, seen| {
            seen.iter()
                .any(|event| matches!(event, Event::Listening(who, _) if *who == worker))
                .then_some(())
        });
    }

    /// Sends one JSON text.
    pub(crate) fn send(&mut self, worker: WorkerId, json: &str) {
        let body = tine_cluster::Body::from_json(json).unwrap();
        let mark = self.primary.send(worker, &body).unwrap();
        assert!(mark.is_some(), "a closed channel");
    }

    pub(crate) fn until_exit(&mut self, worker: WorkerId) {
        self.until(&format!("exit of worker {worker}"), |_, seen| {
            seen.iter()
                .any(|event| matches!(event, Event::Exit { worker: who, .. } if *who == worker))
                .then_some(())
        });
    }

    pub(crate) fn pid(&self, worker: WorkerId) -> u32 {
        self.primary
            .pid(worker)
            .unwrap()
            .as_raw_nonzero()
            .get()
            .unsigned_abs()
    }

    /// Asks for a path in a thread of its own.
    pub(crate) fn ask(&self, path: &str) -> std::thread::JoinHandle<Result<u32, String>> {
        let (port, path) = (self.port, path.to_owned());
        std::thread::spawn(move || {
            let response = tine_testkit::http::get_within(port, &path, DEADLINE)
                .map_err(|e| format!("{e:?}"))?;
            response
                .pid()
                .ok_or_else(|| format!("no pid in {:?}", response.text()))
        })
    }

    /// Asks from an address of this machine in a thread of its own.
    pub(crate) fn ask_from(
        &self,
        from: std::net::IpAddr,
    ) -> std::thread::JoinHandle<Result<u32, String>> {
        let to = std::net::SocketAddr::from(([127, 0, 0, 1], self.port));
        std::thread::spawn(move || {
            let end = Instant::now() + DEADLINE;
            let shown = |failure| format!("{failure:?}");
            let mut connection =
                tine_testkit::http::Connection::open_from(from, to, end).map_err(shown)?;
            let response = connection.get("/", false, end).map_err(shown)?;
            response.pid().ok_or_else(|| "no pid".to_owned())
        })
    }

    /// Lets the primary work until all have their answers: the pid of the worker that gave each.
    pub(crate) fn answers(
        &mut self,
        asked: Vec<std::thread::JoinHandle<Result<u32, String>>>,
    ) -> Vec<u32> {
        self.until("answers", |_, _| {
            asked.iter().all(|one| one.is_finished()).then_some(())
        });
        asked
            .into_iter()
            .map(|one| one.join().unwrap().unwrap())
            .collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Workers leave when their channels close; a stopped one cannot.
        for number in 1..100 {
            let _ = self.primary.signal(WorkerId(number), 9);
        }
    }
}

/// A worker that runs `worker.js` of a folder.
pub(crate) fn launch(node: &Path, folder: &Path, port: u16, seat: u32) -> Launch {
    Launch {
        arguments: vec!["node".into(), folder.join("worker.js").into()],
        environment: vec![
            ("PORT".into(), port.to_string().into()),
            ("SEAT".into(), seat.to_string().into()),
        ],
        own_group: true,
        seat: Seat(seat),
        ..Launch::new(PathBuf::from(node))
    }
}

/// The command that runs an example of this crate, which cargo has built with the tests.
#[allow(dead_code, reason = "not every test file runs one")]
#[allow(clippy::disallowed_methods, reason = "nothing but a test starts it")]
pub(crate) fn example(name: &str) -> std::process::Command {
    let own = std::env::current_exe().unwrap();
    let path = own.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        path.exists(),
        "{} is missing; hint: cargo build -p tine-cluster --examples",
        path.display()
    );
    std::process::Command::new(path)
}
