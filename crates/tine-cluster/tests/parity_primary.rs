//! A whole primary program and its end: the assertions of Node's own tests, with real Node
//! workers.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
#![allow(clippy::disallowed_methods, reason = "a test may start programs")]

mod parity_support;

use parity_support::{DEADLINE, SERVER, SOME};
use std::path::PathBuf;
use std::process::Command;
use tine_testkit::{Program, Runtime, Script, Signal, process, script, until};

/// A running `examples/parity_primary.rs`, and the script of its workers.
struct Primary {
    program: Program,
    _script: Script,
}

impl Primary {
    fn start(how: &str, node: Runtime, text: &str, change: impl FnOnce(&mut Command)) -> Self {
        let script = script("worker.js", text);
        let mut command = Command::new(example());
        command.arg(how).arg(node.path()).arg(script.as_ref());
        command
            .env_remove("NODE_OPTIONS")
            .env_remove("NODE_CLUSTER_SCHED_POLICY");
        change(&mut command);
        Self {
            program: Program::start(how, command),
            _script: script,
        }
    }

    fn says(&self, text: &str) {
        let is_it = |line: &tine_testkit::lines::Line| line.text == text;
        self.program.wait_for_line(is_it, text, DEADLINE);
    }

    fn ends(&self) -> Option<i32> {
        let status = self.program.wait_exit(DEADLINE);
        std::os::unix::process::ExitStatusExt::signal(&status)
            .map(|signal| -signal)
            .or(status.code())
    }

    fn words(&self, first: &str) -> Vec<String> {
        let lines = self.program.lines().all().into_iter();
        let text = lines.filter_map(|line| Some(line.text.strip_prefix(first)?.to_owned()));
        text.collect()
    }
}

/// `cargo test` builds examples; with `--test` alone it does not.
fn example() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let profile = here.ancestors().nth(2).unwrap();
    let path = profile.join("examples/parity_primary");
    assert!(
        path.is_file(),
        "no {}\nhint: run cargo build -p tine-cluster --example parity_primary",
        path.display()
    );
    path
}

/// node: test-cluster-primary-error
/// node: test-cluster-primary-kill
/// node: test-cluster-uncaught-exception
#[test]
fn workers_die_with_their_primary_however_it_ends() {
    for node in Runtime::NODES {
        for (how, code) in [("exit", 0), ("panic", 101), ("hook", 42), ("stay", -9)] {
            let primary = Primary::start(how, node, SERVER, |_| ());
            if how == "stay" {
                primary.says("all listen");
                primary.program.signal(Signal::KILL);
            }
            assert_eq!(primary.ends(), Some(code), "{how}");
            let workers = primary.words("worker ");
            assert_eq!(workers.len(), 2);
            for worker in workers {
                let pid: u32 = worker.parse().unwrap();
                let what = format!("worker {pid} of {node:?} to end after {how}");
                until(&what, DEADLINE, || !process::is_alive(pid));
            }
        }
    }
}

/// node: test-cluster-accept-fail
#[test]
fn a_connection_that_cannot_be_accepted_waits_and_the_worker_can_still_close() {
    let text = "
        const net = require('net');
        const server = net.createServer((s) => s.end('served'));
        server.listen(0, '127.0.0.1');
        process.on('message', () => {
          let got = '';
          const client = net.connect(server.address().port, '127.0.0.1');
          client.on('data', (d) => { got += d; });
          client.on('close', () => server.close(() => process.send(got, () => process.disconnect())));
        });";
    for node in SOME {
        let primary = Primary::start("accept", node, text, |_| ());
        assert_eq!(primary.ends(), Some(0));
        primary.program.wait_output_end(DEADLINE);
        assert!(!primary.words("accept failed: ").is_empty());
        assert_eq!(primary.words("message "), [r#""served""#]);
        assert_eq!(primary.words("exit code "), ["0"]);
    }
}

/// node: test-cluster-setup-primary-argv
#[test]
fn workers_get_the_arguments_of_their_primary_unless_told_otherwise() {
    let text = "process.send(process.argv.slice(-2), () => process.exit());";
    for node in SOME {
        let primary = Primary::start("args", node, text, |command| {
            command.args(["OMG,OMG", "with space"]);
        });
        assert_eq!(primary.ends(), Some(0));
        primary.program.wait_output_end(DEADLINE);
        assert_eq!(primary.words("message "), [r#"["OMG,OMG","with space"]"#]);
    }
}

/// The environment says how connections are shared, as the tests disconnect-unshared-tcp and
/// setup-primary of Node rely on.
#[test]
fn the_environment_of_the_primary_names_the_policy() {
    for (word, policy) in [(None, "rr"), (Some("none"), "shared"), (Some("rr"), "rr")] {
        let text = "process.exit()";
        let primary = Primary::start("args", Runtime::Node22, text, |command| {
            if let Some(word) = word {
                command.env("NODE_CLUSTER_SCHED_POLICY", word);
            }
        });
        primary.says(&format!("policy {policy}"));
        assert_eq!(primary.ends(), Some(0));
    }
}

/// node: test-child-process-fork-detached
#[test]
fn a_child_in_a_group_of_its_own_outlives_its_primary_and_can_be_killed() {
    let text = "
        setInterval(() => {}, 1000);
        process.send(process.pid);
        process.on('disconnect', () => console.log('alone'));";
    for node in SOME {
        let primary = Primary::start("detached", node, text, |_| ());
        let child = primary.program.wait_for_line(
            |line| line.text.starts_with("message "),
            "a message",
            DEADLINE,
        );
        let pid: u32 = child.text.trim_start_matches("message ").parse().unwrap();
        primary.program.signal_group(Signal::KILL);
        assert_eq!(primary.ends(), Some(-9));
        primary.says("alone");
        process::signal(pid, Signal::TERM).unwrap();
        until("the child to end", DEADLINE, || !process::is_alive(pid));
    }
}
