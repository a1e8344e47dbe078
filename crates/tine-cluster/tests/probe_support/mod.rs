//! A primary in a process of its own, looked at from outside: `examples/upgrade_probe.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
#![allow(dead_code, reason = "each test file uses a part")]

use std::cell::RefCell;
use std::io::{PipeWriter, Write as _};
use std::path::PathBuf;
use std::time::Duration;
use tine_testkit::load::RunningLoad;
use tine_testkit::{Load, Program, Runtime, Script, ports, process, script, until};

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A worker that answers requests, and messages with themselves.
const SERVER: &str = "
    const port = Number(process.argv[2]);
    require('http').createServer((q, s) => s.end(`pid ${process.pid}`)).listen(port, '127.0.0.1');
    process.on('message', (m) => process.send(m));";

/// One worker of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worker {
    pub(crate) id: u32,
    pub(crate) pid: u32,
}

pub(crate) struct Probe {
    pub(crate) program: Program,
    pub(crate) port: u16,
    input: RefCell<PipeWriter>,
    server: Script,
}

/// The file of an example of this crate, which cargo has built with the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        path.exists(),
        "{} is missing; hint: cargo build -p tine-cluster --examples",
        path.display()
    );
    path
}

impl Probe {
    /// A primary without workers.
    #[allow(clippy::disallowed_methods, reason = "nothing but a test starts it")]
    pub(crate) fn start(environment: &[(&str, &str)]) -> Self {
        let mut command = std::process::Command::new(example("upgrade_probe"));
        let node = Runtime::Node20.path();
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", node.parent().unwrap().display());
        command.env("PATH", path);
        command.envs(environment.iter().copied());
        let (reader, writer) = std::io::pipe().unwrap();
        let probe = Self {
            program: Program::start_with_stdin("primary", command, reader.into()),
            port: ports::free_tcp(),
            input: RefCell::new(writer),
            server: script("server.js", SERVER),
        };
        probe.wait("version 1, ");
        probe
    }

    /// The same with so many workers that listen, all of whose news has come.
    pub(crate) fn serving(environment: &[(&str, &str)], count: usize) -> Self {
        let probe = Self::start(environment);
        for _ in 0..count {
            let worker = probe.fork_server();
            probe.wait(&format!("listening {} ", worker.id));
        }
        probe
    }

    pub(crate) fn fork_server(&self) -> Worker {
        let script = self.server.as_ref().display().to_string();
        self.fork(&format!("{script} {}", self.port))
    }

    /// Starts a worker of any program.
    pub(crate) fn fork(&self, words: &str) -> Worker {
        let line = self.ask(&format!("fork {words}"), "fork ");
        let mut words = line.split(' ').skip(1).map(|word| word.parse().unwrap());
        Worker {
            id: words.next().unwrap(),
            pid: words.next().unwrap(),
        }
    }

    pub(crate) fn tell(&self, command: &str) {
        let mut input = self.input.borrow_mut();
        writeln!(input, "{command}").unwrap();
    }

    /// What it says next that begins like this, after it was told something.
    pub(crate) fn ask(&self, command: &str, answer: &str) -> String {
        let from = self.mark();
        self.tell(command);
        self.wait_from(from, answer)
    }

    pub(crate) fn mark(&self) -> usize {
        self.program.lines().count()
    }

    /// The first line since the start that begins like this.
    pub(crate) fn wait(&self, begin: &str) -> String {
        self.wait_from(0, begin)
    }

    pub(crate) fn wait_from(&self, from: usize, begin: &str) -> String {
        let found = self.program.wait_for_line_from(
            from,
            |line| line.text.starts_with(begin),
            begin,
            DEADLINE,
        );
        found.text
    }

    /// All lines so far that begin like this.
    pub(crate) fn lines(&self, begin: &str) -> Vec<String> {
        let all = self.program.lines().all().into_iter();
        all.map(|line| line.text)
            .filter(|text| text.starts_with(begin))
            .collect()
    }

    /// Requests over new and kept connections, until they are stopped.
    pub(crate) fn load(&self) -> RunningLoad {
        let load = Load::new(self.port)
            .connections(2)
            .new_connection_each(true)
            .also_keep_alive(1)
            .pause(Duration::from_millis(1))
            .timeout(DEADLINE)
            .at_most(DEADLINE * 5)
            .run_in_background();
        load.wait_for_more(100, DEADLINE);
        load
    }

    pub(crate) fn descriptors(&self) -> usize {
        process::fd_count(self.program.pid()).unwrap()
    }

    /// Waits until it has so many descriptors open: under load there are moments without a
    /// connection in its hands.
    pub(crate) fn wait_for_descriptors(&self, count: usize) {
        until("no descriptor left over", DEADLINE, || {
            let now = self.descriptors();
            if now == count {
                Ok(())
            } else {
                Err(format!("{now} instead of {count}"))
            }
        });
    }

    /// The most memory it has ever had (`VmHWM`), in bytes.
    pub(crate) fn peak(&self) -> u64 {
        let path = format!("/proc/{}/status", self.program.pid());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.unwrap().trim().strip_suffix(" kB").unwrap();
        number.parse::<u64>().unwrap() * 1024
    }

    pub(crate) fn kill(&self, worker: Worker) {
        let _ = process::signal(worker.pid, tine_testkit::Signal::KILL);
        self.wait(&format!("exit {} ", worker.id));
    }
}
