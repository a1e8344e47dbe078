//! Who talks to whom, and how the two processes are started, told what to do, and stopped.
#![allow(clippy::disallowed_methods)] // a chore is not part of the product: it may start programs itself

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::Signal;

use super::record::Load;
use crate::{Result, cleanup};

const READY_LIMIT: Duration = Duration::from_secs(30);
/// A load is planned to take a few seconds; when the machine is busy it may take longer.
const LOAD_LIMIT: Duration = Duration::from_secs(120);

/// The primary's side, then the worker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pair {
    Raw,
    RustRust,
    RustNode,
    NodeRust,
    NodeNode,
}

impl Pair {
    pub(super) const ALL: [Pair; 5] = [
        Pair::Raw,
        Pair::RustRust,
        Pair::RustNode,
        Pair::NodeRust,
        Pair::NodeNode,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Pair::Raw => "raw",
            Pair::RustRust => "rust-rust",
            Pair::RustNode => "rust-node",
            Pair::NodeRust => "node-rust",
            Pair::NodeNode => "node-node",
        }
    }

    pub(super) fn what(self) -> &'static str {
        match self {
            Pair::Raw => {
                "two processes and a socket pair of the same kind, blocking: one write(2) of the same size per \
                 message, read(2) into 64 KiB (a round trip: into the message's size); nothing is parsed or built"
            }
            Pair::RustRust => {
                "tine_cluster::Cluster and tine_cluster::worker::Worker, each send awaited"
            }
            Pair::RustNode => "tine_cluster::Cluster, each send awaited, and a Node worker",
            Pair::NodeRust => {
                "node:cluster's primary and tine_cluster::worker::Worker, each send awaited"
            }
            Pair::NodeNode => {
                "node:cluster on both sides; many messages are sent 64 at a time, the next when the last of \
                 them has been written"
            }
        }
    }

    pub(super) fn is_ours(self) -> bool {
        matches!(self, Pair::RustRust | Pair::RustNode | Pair::NodeRust)
    }
}

/// Where the programs are.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) node: PathBuf,
    /// `xtask/examples/ipc.rs`, built.
    pub(super) rust: PathBuf,
    /// `bench/ipc`.
    pub(super) scripts: PathBuf,
}

impl Programs {
    fn command(&self, pair: Pair) -> Command {
        let rust = |words: &[&str]| {
            let mut command = Command::new(&self.rust);
            command.args(words);
            command
        };
        let node = || {
            let mut command = Command::new(&self.node);
            command.arg(self.scripts.join("primary.js"));
            command
        };
        let worker = self.scripts.join("worker.js");
        let mut command = match pair {
            Pair::Raw => rust(&["raw"]),
            Pair::RustRust | Pair::RustNode => rust(&["primary"]),
            Pair::NodeRust | Pair::NodeNode => node(),
        };
        match pair {
            Pair::Raw => {}
            Pair::RustRust => {
                command.arg(&self.rust);
            }
            Pair::RustNode => {
                command.arg(worker).arg(&self.node);
            }
            Pair::NodeRust => {
                command.arg("worker").arg(&self.rust);
            }
            Pair::NodeNode => {
                command.arg(worker);
            }
        }
        for name in [
            "NODE_OPTIONS",
            "NODE_CHANNEL_FD",
            "NODE_CHANNEL_SERIALIZATION_MODE",
            "NODE_UNIQUE_ID",
            "NODE_CLUSTER_SCHED_POLICY",
        ] {
            command.env_remove(name);
        }
        command
    }
}

/// Two processes that are ready for a load.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) primary: u32,
    pub(super) worker: u32,
    /// None once there are no more.
    tasks: Option<ChildStdin>,
    answers: Receiver<String>,
    complaints: PathBuf,
}

impl Running {
    pub(super) fn start(pair: Pair, programs: &Programs, scratch: &Path) -> Result<Running> {
        let complaints = scratch.join(pair.name());
        let log = File::create(&complaints)
            .map_err(|e| format!("creating {}: {e}", complaints.display()))?;
        let mut command = programs.command(pair);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = cleanup::spawn(&mut command)?;
        let (Some(tasks), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("starting a primary: it has no pipes".to_owned());
        };
        let (sender, answers) = channel();
        // Ends with the output of the primary.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(|line| line.ok()) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut running = Running {
            primary: child.id(),
            worker: 0,
            tasks: Some(tasks),
            answers,
            complaints,
        };
        running.worker = running.answer("ready", READY_LIMIT)?;
        Ok(running)
    }

    /// Has so many messages sent; how long it took, by the primary's clock.
    pub(super) fn run(&mut self, load: Load, count: u64) -> Result<Duration> {
        let task = format!("{} {} {count}\n", load.word(), load.bytes());
        let tasks = self.tasks.as_mut().ok_or("asking for a load: too late")?;
        tasks
            .write_all(task.as_bytes())
            .map_err(|e| format!("asking for a load: {e}{}", self.last_words()))?;
        self.answer("done", LOAD_LIMIT).map(Duration::from_nanos)
    }

    /// Tells both processes that there is nothing more to do.
    pub(super) fn finish(&mut self) {
        self.tasks = None;
    }

    /// Ends both processes, whatever they are doing.
    pub(super) fn kill(&self) {
        for pid in [self.primary, self.worker] {
            cleanup::signal(pid, Signal::KILL);
        }
    }

    fn answer<T: std::str::FromStr>(&mut self, word: &str, limit: Duration) -> Result<T> {
        let line = self.answers.recv_timeout(limit).map_err(|e| match e {
            RecvTimeoutError::Timeout => format!("no {word:?} within {limit:?}"),
            RecvTimeoutError::Disconnected => format!("ended before {word:?}"),
        });
        let line = line.map_err(|e| e + &self.last_words())?;
        line.strip_prefix(word)
            .and_then(|number| number.trim().parse().ok())
            .ok_or_else(|| format!("said {line:?} where {word:?} was due"))
    }

    /// What the two have complained of, for an error.
    fn last_words(&self) -> String {
        let bytes = std::fs::read(&self.complaints).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let tells = |line: &&str| !line.is_empty() && !line.starts_with("at ");
        let lines: Vec<&str> = text.lines().map(str::trim).filter(tells).collect();
        if lines.is_empty() {
            return String::new();
        }
        format!(": {}", lines[lines.len().saturating_sub(6)..].join(" / "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for a in Pair::ALL {
            let same = Pair::ALL.into_iter().filter(|b| b.name() == a.name());
            assert_eq!(same.count(), 1);
        }
    }
}
