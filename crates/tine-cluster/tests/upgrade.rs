//! A primary's program is replaced by its next version under load, and nobody notices.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;
use support::example;
use tine_testkit::{Load, Program, Runtime, Script, Signal, ports, process, script, until};

const DEADLINE: Duration = Duration::from_secs(20);

/// Counts what it hears and says, so that a message that is lost or doubled shows.
const SERVER: &str = "
    const port = Number(process.argv[2]);
    require('http').createServer((q, s) => setTimeout(() => s.end(`pid ${process.pid}`), 2)).listen(port);
    let said = 0, heard = 0;
    process.on('message', () => { heard++; });
    const more = () => { if (said < 400) { said++; process.send({ said, heard }); setTimeout(more, 5); } };
    more();
    process.on('SIGUSR2', () => process.send({ total: said, heard }));";

struct Primary {
    program: Program,
    port: u16,
    _script: Script,
}

fn start(policy: &str, server: &str) -> Primary {
    let script = script("server.js", server);
    let port = ports::free_tcp();
    let mut command = example("upgrade");
    let node = Runtime::Node20.path();
    let folder = node.parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", folder.display()));
    command.arg(script.as_ref());
    command.args(["3", policy, &port.to_string()]);
    let program = Program::start("primary", command);
    Primary {
        program,
        port,
        _script: script,
    }
}

impl Primary {
    fn wait_for(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        self.program
            .wait_for_line(|line| wanted(&line.text), what, DEADLINE);
    }

    fn workers(&self) -> BTreeSet<u32> {
        process::children(self.program.pid()).into_iter().collect()
    }
}

fn upgrades_under_load(policy: &str) {
    let primary = start(policy, SERVER);
    until("three listening workers", DEADLINE, || {
        let listens = primary.program.texts(tine_testkit::lines::Stream::Stdout);
        listens
            .iter()
            .filter(|line| line.contains("listens"))
            .count()
            == 3
    });
    let workers = primary.workers();
    assert_eq!(workers.len(), 3);
    let load = Load::new(primary.port)
        .connections(6)
        .new_connection_each(true)
        .also_keep_alive(2)
        .run_in_background();
    load.wait_for_more(100, DEADLINE);
    for version in 2..=6 {
        primary.program.signal(Signal::HUP);
        let expected = format!("version {version} of the primary, 3 workers");
        primary.wait_for(&expected, |line| line == expected);
        load.wait_for_more(100, DEADLINE);
    }
    assert_eq!(primary.workers(), workers, "the same processes");

    let report = load.stop();
    report.assert_no_failures();

    // Every message of every worker, once and in order, whichever version heard it.
    until("all messages", DEADLINE, || {
        (1..=3).all(|worker| said(&primary, worker).len() == 400)
    });
    for worker in 1..=3 {
        let said = said(&primary, worker);
        assert_eq!(said, (1..=400).collect::<Vec<_>>(), "worker {worker}");
    }
    // Every answer too.
    for worker in &workers {
        process::signal(*worker, Signal::USR2).unwrap();
    }
    until("all answers heard", DEADLINE, || {
        let texts = primary.program.texts(tine_testkit::lines::Stream::Stdout);
        texts
            .iter()
            .filter(|line| line.contains(r#"{"total":400,"heard":400}"#))
            .count()
            == 3
    });

    // An end is still heard, and its place filled.
    let victim = *workers.first().unwrap();
    process::signal(victim, Signal::KILL).unwrap();
    primary.wait_for("its end", |line| line.contains("ended: signal SIGKILL"));
    until("its replacement", DEADLINE, || primary.workers().len() == 3);
    primary.program.signal(Signal::TERM);
    primary.wait_for("the end", |line| line == "all have left");
    assert!(primary.program.wait_exit(DEADLINE).success());
}

fn said(primary: &Primary, worker: u32) -> Vec<u32> {
    let head = format!(r#"worker {worker} says {{"said":"#);
    let texts = primary.program.texts(tine_testkit::lines::Stream::Stdout);
    let numbers = texts.iter().filter_map(|line| line.strip_prefix(&head));
    numbers
        .map(|rest| rest.split(',').next().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn five_versions_in_a_row_lose_nothing_in_turns_of_the_primary() {
    upgrades_under_load("rr");
}

#[test]
fn five_versions_in_a_row_lose_nothing_in_the_order_of_fewest_connections() {
    upgrades_under_load("least");
}

#[test]
fn five_versions_in_a_row_lose_nothing_in_turns_of_the_kernel() {
    upgrades_under_load("kernel");
}

#[test]
fn five_versions_in_a_row_lose_nothing_by_client_address() {
    upgrades_under_load("sticky");
}

#[test]
fn five_versions_in_a_row_lose_nothing_on_one_shared_socket() {
    upgrades_under_load("shared");
}

#[test]
fn one_request_to_upgrade_upon_the_other_ends_nobody() {
    let primary = start("rr", SERVER);
    until("three listening workers", DEADLINE, || {
        let said = primary.program.texts(tine_testkit::lines::Stream::Stdout);
        said.iter().filter(|line| line.contains("listens")).count() == 3
    });
    let workers = primary.workers();
    for round in 1..=20 {
        // As often as it takes to hit the moment at which the new program has no handler yet.
        for _ in 0..50 {
            primary.program.signal(Signal::HUP);
            std::thread::yield_now();
        }
        until("another version", DEADLINE, || {
            let said = primary.program.texts(tine_testkit::lines::Stream::Stdout);
            let versions = said.iter().filter(|line| line.starts_with("version "));
            versions.count() > round
        });
        assert!(process::is_alive(primary.program.pid()), "round {round}");
    }
    assert_eq!(primary.workers(), workers, "the same processes");
    // One that comes between the runtime's look and the program's is lost with an upgrade.
    until("the end", DEADLINE, || {
        // It may just have ended.
        let _ = process::signal(primary.program.pid(), Signal::TERM);
        let said = primary.program.texts(tine_testkit::lines::Stream::Stdout);
        said.iter().any(|line| line == "all have left")
    });
    assert!(primary.program.wait_exit(DEADLINE).success());
}
