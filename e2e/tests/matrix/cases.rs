//! What must a cluster of two do with a program, and how is it shown?

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tine_testkit::lines::Line;
use tine_testkit::{
    Load, RunningTine, Runtime, Signal, Target, Tine, fixture, get, ports, process, runtimes, udp,
    wait,
};

use crate::Policy;
use crate::sockets::{self, Holding, Inodes};

/// In every cell.
const WORKERS: usize = 2;
/// For whatever must happen: far more than it takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// For what is so already, if the kernel's tables can be read in one go.
const SETTLING: Duration = Duration::from_secs(5);
/// Far more than a worker needs to leave. What does not leave by itself gets its signal after half
/// of it.
const KILL_TIMEOUT: &str = "5000";

/// A column of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Case {
    KeepAlive,
    NewConnections,
    Express,
    UnixSocket,
    Datagrams,
    TwoPorts,
    PortZero,
}

impl Case {
    pub(crate) const ALL: [Case; 7] = [
        Case::KeepAlive,
        Case::NewConnections,
        Case::Express,
        Case::UnixSocket,
        Case::Datagrams,
        Case::TwoPorts,
        Case::PortZero,
    ];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Case::KeepAlive => "http keep-alive",
            Case::NewConnections => "http new connections",
            Case::Express => "Express",
            Case::UnixSocket => "net on a unix socket",
            Case::Datagrams => "dgram",
            Case::TwoPorts => "two ports",
            Case::PortZero => "port 0",
        }
    }
}

/// What a cell was found to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// What the policy promises.
    Works,
    /// Everything is answered, but on sockets that the workers made without the primary.
    OnItsOwn,
    /// It does not, and why.
    Fails(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Works => f.write_str("works"),
            Finding::OnItsOwn => f.write_str("works, without the primary's sockets"),
            Finding::Fails(why) => {
                write!(f, "fails: {}", why.lines().next().unwrap_or_default())
            }
        }
    }
}

/// A fixture, and the cases that one run of it shows.
pub(crate) struct Program {
    script: &'static str,
    pub(crate) cases: &'static [Case],
}

pub(crate) const PROGRAMS: [Program; 6] = [
    Program {
        script: "http.js",
        cases: &[Case::KeepAlive, Case::NewConnections],
    },
    Program {
        script: "express.js",
        cases: &[Case::Express],
    },
    Program {
        script: "unix.js",
        cases: &[Case::UnixSocket],
    },
    Program {
        script: "dgram.js",
        cases: &[Case::Datagrams],
    },
    Program {
        script: "two-ports.js",
        cases: &[Case::TwoPorts],
    },
    Program {
        script: "port-zero.js",
        cases: &[Case::PortZero],
    },
];

/// No column of the matrix: `net` servers on a port.
pub(crate) const NET_ON_TCP: Program = Program {
    script: "net.js",
    cases: &[Case::NewConnections],
};

impl Program {
    /// Runs it once, shows its cases, and stops it. A stop that is not clean, or words that no
    /// program said under Node, spoil all of them.
    ///
    /// # Panics
    /// When something does not happen in time.
    pub(crate) fn show(&self, runtime: Runtime, policy: Policy) -> Vec<(Case, Finding)> {
        let all = |why: &str| -> Vec<(Case, Finding)> {
            self.cases
                .iter()
                .map(|case| (*case, Finding::Fails(why.to_owned())))
                .collect()
        };
        let cluster = Cluster::start(self, runtime, policy);
        let found = match &cluster.begun {
            Err(why) => all(why),
            Ok(_) => self
                .cases
                .iter()
                .map(|case| {
                    let shown = cluster.show(*case);
                    (*case, shown.unwrap_or_else(Finding::Fails))
                })
                .collect(),
        };
        let ended = cluster
            .check_undisturbed(self)
            .and_then(|()| cluster.stop());
        let transcript = cluster.tine.transcript();
        let is_worth_telling = ended.is_err()
            || found
                .iter()
                .any(|(_, found)| matches!(found, Finding::Fails(_)));
        if is_worth_telling {
            println!("{transcript}");
        }
        match ended {
            Ok(()) => found,
            Err(why) => all(&why),
        }
    }
}

/// A running program of two workers.
struct Cluster {
    tine: RunningTine,
    policy: Policy,
    udp_port: u16,
    second_port: u16,
    socket: PathBuf,
    /// The workers when all were ready, or why they never were.
    begun: Result<Vec<u32>, String>,
    /// Whether the kernel gives connections in exact turns, where it is the kernel that gives them.
    has_exact_turns: bool,
    // Gone after the program.
    _folder: TempDir,
    _packaged: runtimes::Packaged,
}

/// Where clients come to a program.
enum Way {
    Tcp(u16),
    Udp(u16),
    Unix(PathBuf),
}

impl Way {
    fn sockets(&self) -> Inodes {
        match self {
            Way::Tcp(port) => sockets::on_tcp_port(*port),
            Way::Udp(port) => sockets::on_udp_port(*port),
            Way::Unix(path) => sockets::on_path(path),
        }
    }

    /// How the policy promises that its sockets are held. UDP has nothing to accept, and the
    /// kernel balances TCP only: where a policy does not apply, all share one socket.
    fn holding(&self, policy: Policy) -> Holding {
        match (policy, self) {
            (Policy::RoundRobin, Way::Tcp(_) | Way::Unix(_)) => Holding::Primary,
            (Policy::Kernel, Way::Tcp(_)) => Holding::Each,
            (Policy::RoundRobin, Way::Udp(_))
            | (Policy::Kernel, Way::Udp(_) | Way::Unix(_))
            | (Policy::Shared, _) => Holding::Together,
        }
    }
}

impl Cluster {
    fn start(program: &Program, runtime: Runtime, policy: Policy) -> Cluster {
        let folder = TempDir::with_prefix("tine-matrix-")
            .unwrap_or_else(|error| panic!("creating a temporary folder: {error}"));
        let socket = folder.path().join("it.sock");
        let packaged = runtimes::with_packages(&fixture(program.script));
        let (udp_port, second_port) = (ports::free_udp(), ports::free_tcp());
        let mut tine = Tine::run(packaged.script())
            .instances(WORKERS)
            .balance(policy.word())
            .runtime(runtime)
            .args(["--kill-timeout", KILL_TIMEOUT])
            // Whoever fails once is given up, and says so.
            .args(["--max-restarts", "1"])
            .env("PORT2", second_port.to_string())
            .env("SOCKET_PATH", &socket);
        if program.cases.contains(&Case::Datagrams) {
            tine = tine.port(udp_port);
        }
        let tine = tine.start();
        let is_decided = |line: &Line| {
            !is_of_a_worker(line)
                && (line.text.contains("ready in") || line.text.contains("errored"))
        };
        let line = tine.wait_for_line(is_decided, "ready, or errored", PATIENCE);
        let begun = if line.text.contains("errored") {
            let lines = tine.lines().all().into_iter().filter(is_of_a_worker);
            let words: Vec<String> = lines.map(|line| line.text).collect();
            Err(format!("{}; {}", line.text, words.join("; ")))
        } else {
            let workers = process::children(tine.pid());
            match workers.len() {
                WORKERS => Ok(workers),
                other => Err(format!("ready with {other} workers: {workers:?}")),
            }
        };
        Cluster {
            has_exact_turns: !line.text.contains("no eBPF") && !line.text.contains("no BPF"),
            tine,
            policy,
            udp_port,
            second_port,
            socket,
            begun,
            _folder: folder,
            _packaged: packaged,
        }
    }

    fn show(&self, case: Case) -> Result<Finding, String> {
        let port = self.tine.port();
        match case {
            Case::KeepAlive => self.keeps_connections(port, 1000),
            Case::NewConnections => {
                let finding = self.takes_turns(&Way::Tcp(port), 500, "pid")?;
                self.answers_many_at_once(port, 500)?;
                Ok(finding)
            }
            Case::Express => {
                self.keeps_connections(port, 200)?;
                self.takes_turns(&Way::Tcp(port), 200, "pid")
            }
            Case::UnixSocket => {
                let kind = self.socket.symlink_metadata().map(|data| data.file_type());
                if !kind.is_ok_and(|kind| kind.is_socket()) {
                    return Err(format!("{} is no socket", self.socket.display()));
                }
                self.takes_turns(&Way::Unix(self.socket.clone()), 200, "pid")
            }
            Case::Datagrams => self.answers_datagrams(200),
            Case::TwoPorts => {
                let first = self.takes_turns(&Way::Tcp(port), 200, "on PORT\n")?;
                let second = self.takes_turns(&Way::Tcp(self.second_port), 200, "on PORT2\n")?;
                if first == second {
                    Ok(first)
                } else {
                    Err(format!("the first port {first}, the second {second}"))
                }
            }
            Case::PortZero => {
                let told = wait::until("the port of every worker", PATIENCE, || {
                    let told = self.ports_told();
                    (told.len() == WORKERS).then_some(told)
                });
                match told.iter().all(|port| *port == told[0]) {
                    true => self.takes_turns(&Way::Tcp(told[0]), 200, "pid"),
                    false => Err(format!("each worker has a port of its own: {told:?}")),
                }
            }
        }
    }

    /// The holding of the sockets, which must be what the policy promises, or the runtime's own.
    fn holding(&self, way: &Way) -> Result<Holding, String> {
        let workers = self.begun.as_deref().map_err(Clone::clone)?;
        let promised = way.holding(self.policy);
        // The tables in /proc/net are read in pieces, and lack entries when others come and go in
        // the meantime.
        wait::try_until(SETTLING, || {
            let holding = sockets::holding(&way.sockets(), self.tine.pid(), workers)?;
            if holding == promised || holding == Holding::WithoutPrimary {
                Ok(holding)
            } else {
                let text = "the sockets should be held by";
                Err(format!("{text} {promised:?}, not by {holding:?}"))
            }
        })
    }

    /// So many requests on 8 connections that are kept.
    fn keeps_connections(&self, port: u16, requests: u64) -> Result<Finding, String> {
        const CONNECTIONS: usize = 8;
        let holding = self.holding(&Way::Tcp(port))?;
        let report = Load::new(port).connections(CONNECTIONS).run_until(requests);
        self.check_account(&report, requests)?;
        if report.connections != CONNECTIONS as u64 {
            return Err(format!("connections were not kept\n{report}"));
        }
        let is_spread = matches!(holding, Holding::Primary | Holding::Each);
        if is_spread && self.has_exact_turns && report.by_worker.len() != WORKERS {
            return Err(format!("not every worker got connections\n{report}"));
        }
        Ok(finding(holding))
    }

    /// So many requests on connections of their own, 8 at a time.
    fn answers_many_at_once(&self, port: u16, requests: u64) -> Result<(), String> {
        let load = Load::new(port).connections(8).new_connection_each(true);
        self.check_account(&load.run_until(requests), requests)
    }

    fn check_account(&self, report: &tine_testkit::Report, requests: u64) -> Result<(), String> {
        let workers = self.begun.as_deref().map_err(Clone::clone)?;
        let is_worker = |name: &String| name.parse().is_ok_and(|pid| workers.contains(&pid));
        let is_whole = report.answered == requests
            && report.failed() == 0
            && report.other_statuses.is_empty()
            && !report.cut_short
            && report.by_worker.keys().all(is_worker);
        if is_whole {
            Ok(())
        } else {
            Err(format!(
                "not all of {requests} requests were answered\n{report}"
            ))
        }
    }

    /// So many requests one after another, each on a connection of its own, with `word` in every
    /// answer. Where turns are promised, no worker is ever more than one request ahead of another.
    fn takes_turns(&self, way: &Way, requests: usize, word: &str) -> Result<Finding, String> {
        let workers = self.begun.as_deref().map_err(Clone::clone)?;
        let holding = self.holding(way)?;
        let target: Target = match way {
            Way::Tcp(port) | Way::Udp(port) => (*port).into(),
            Way::Unix(path) => path.clone().into(),
        };
        let is_exact = match holding {
            Holding::Primary => true,
            Holding::Each => self.has_exact_turns,
            Holding::Together | Holding::WithoutPrimary => false,
        };
        let mut shares: BTreeMap<u32, usize> = workers.iter().map(|pid| (*pid, 0)).collect();
        for number in 1..=requests {
            let response = get(target.clone(), "/")
                .map_err(|failure| format!("request {number} of {requests}: {failure}"))?;
            let share = response.pid().and_then(|pid| shares.get_mut(&pid));
            match share {
                Some(share) if response.status == 200 && response.text().contains(word) => {
                    *share += 1;
                }
                _ => return Err(format!("request {number}: an odd answer: {response:?}")),
            }
            let (least, most) = (shares.values().min(), shares.values().max());
            let ahead = most.zip(least).map_or(0, |(most, least)| most - least);
            if is_exact && ahead > 1 {
                return Err(format!(
                    "no exact turns after {number} requests: {shares:?}"
                ));
            }
        }
        // Who shares a socket may go without; where each has its own, nobody does.
        if holding != Holding::Together && shares.values().any(|share| *share == 0) {
            return Err(format!("one worker got nothing: {shares:?}"));
        }
        Ok(finding(holding))
    }

    /// So many questions, one after another.
    fn answers_datagrams(&self, questions: usize) -> Result<Finding, String> {
        let workers = self.begun.as_deref().map_err(Clone::clone)?;
        let holding = self.holding(&Way::Udp(self.udp_port))?;
        for number in 1..=questions {
            let question = format!("question {number}");
            let server = ([127, 0, 0, 1], self.udp_port).into();
            let answer = udp::ask(server, question.as_bytes(), PATIENCE)
                .map_err(|error| format!("{question}: {error}"))?;
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let is_right = workers
                .iter()
                .any(|pid| answer == format!("pid {pid}: {question}"));
            if !is_right {
                return Err(format!("{question}: an odd answer: {answer:?}"));
            }
        }
        Ok(finding(holding))
    }

    fn ports_told(&self) -> Vec<u16> {
        let lines = self.tine.lines().all().into_iter();
        lines
            .filter_map(|line| line.text.split_once(" | port ")?.1.parse().ok())
            .collect()
    }

    /// Nobody was replaced, and the runtimes had nothing to complain about.
    fn check_undisturbed(&self, program: &Program) -> Result<(), String> {
        let Ok(workers) = &self.begun else {
            return Ok(());
        };
        let now = process::children(self.tine.pid());
        if now != *workers {
            return Err(format!("the workers were {workers:?}, and are {now:?}"));
        }
        let tells_port = program.cases.contains(&Case::PortZero);
        let mut words = self.tine.lines().all().into_iter().filter(is_of_a_worker);
        match words.find(|line| !(tells_port && line.text.contains(" | port "))) {
            Some(line) => Err(format!("a worker said: {}", line.text)),
            None => Ok(()),
        }
    }

    /// Stops it as a user does. Nobody had to be killed, and nothing is left.
    fn stop(&self) -> Result<(), String> {
        self.tine.signal(Signal::INT);
        let status = self.tine.wait_exit(PATIENCE);
        let left = self.tine.processes();
        if status.code() != Some(0) || !left.is_empty() {
            return Err(format!("the stop ended with {status}, and left {left:?}"));
        }
        self.tine.wait_output_end(PATIENCE);
        let lines = self.tine.lines().all();
        if let Some(line) = lines.iter().find(|line| line.text.contains("killed")) {
            return Err(format!("the stop was not clean: {}", line.text));
        }
        let port = self.tine.port();
        let ways = [
            Way::Tcp(port),
            Way::Tcp(self.second_port),
            Way::Udp(self.udp_port),
        ];
        if ways.iter().any(|way| !way.sockets().is_empty()) {
            return Err("the stop left a socket".to_owned());
        }
        match self.socket.symlink_metadata() {
            Ok(_) => Err(format!("the stop left {}", self.socket.display())),
            Err(_) => Ok(()),
        }
    }
}

fn finding(holding: Holding) -> Finding {
    match holding {
        Holding::Primary | Holding::Together | Holding::Each => Finding::Works,
        Holding::WithoutPrimary => Finding::OnItsOwn,
    }
}

/// Whether a line of tine's output came from a worker: `NAME:SLOT | WORDS`.
fn is_of_a_worker(line: &Line) -> bool {
    line.text.contains(" | ")
}
