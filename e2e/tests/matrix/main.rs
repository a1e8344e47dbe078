//! Every runtime under every policy: the real binary, real runtimes, two workers each.
//!
//! A cell of the matrix is a runtime, a policy and a [`Case`]. What a runtime cannot do is listed,
//! with the reason, in `limits.rs`; a test fails when a cell that should work does not, and also
//! when a cell that is listed works after all. What the runs have shown is `docs/compat.md`.
//!
//! Each test is one row of that table and compares its row with the file; with
//! `TINE_WRITE_COMPAT=1` in its environment it writes the row instead. So any test runner may run
//! them in any order, in one process or in many, all or only some.

#![forbid(unsafe_code)]

mod cases;
mod document;
mod limits;
mod sockets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cases::{Case, Finding};
use tine_testkit::lines::Line;
use tine_testkit::{Runtime, Tine, fixture, ports, process, udp, until};

/// How connections are shared: a value of `--balance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Policy {
    RoundRobin,
    Shared,
    Kernel,
}

impl Policy {
    pub(crate) const ALL: [Policy; 3] = [Policy::RoundRobin, Policy::Shared, Policy::Kernel];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Policy::RoundRobin => "rr",
            Policy::Shared => "shared",
            Policy::Kernel => "kernel",
        }
    }
}

/// Shows every cell of a row, and holds what was found against the list of limits and the document.
fn row(runtime: Runtime, policy: Policy) {
    let mut marks = Vec::new();
    let mut wrong = Vec::new();
    for program in cases::PROGRAMS {
        // One broken cell hides no other.
        let found = catch_unwind(AssertUnwindSafe(|| program.show(runtime, policy)));
        let found = found.unwrap_or_else(|panic| {
            let finding = Finding::Fails(said(panic.as_ref()));
            program
                .cases
                .iter()
                .map(|case| (*case, finding.clone()))
                .collect()
        });
        for (case, finding) in found {
            let cell = format!("{} {} {}", runtime.name(), policy.word(), case.title());
            println!("{cell}: {finding}");
            match limits::judge(runtime, case, &finding) {
                Ok(mark) => marks.push((case, mark)),
                Err(why) => wrong.push(format!("{cell}: {why}")),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} cells are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    if let Err(why) = document::settle(runtime, policy, &marks) {
        panic!("{why}");
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (None, Some(text)) => (*text).to_owned(),
        (None, None) => "a panic without words".to_owned(),
    }
}

macro_rules! rows {
    ($($name:ident: $runtime:ident, $policy:ident;)*) => {
        $(
            #[test]
            fn $name() {
                row(Runtime::$runtime, Policy::$policy);
            }
        )*

        #[test]
        fn every_runtime_is_tested_under_every_policy() {
            let tested = [$((Runtime::$runtime, Policy::$policy)),*];
            for runtime in Runtime::ALL {
                for policy in Policy::ALL {
                    assert!(tested.contains(&(runtime, policy)), "no {runtime:?} {policy:?}");
                }
            }
        }
    };
}

rows! {
    node18_under_rr: Node18, RoundRobin;
    node18_under_shared: Node18, Shared;
    node18_under_kernel: Node18, Kernel;
    node20_under_rr: Node20, RoundRobin;
    node20_under_shared: Node20, Shared;
    node20_under_kernel: Node20, Kernel;
    node22_under_rr: Node22, RoundRobin;
    node22_under_shared: Node22, Shared;
    node22_under_kernel: Node22, Kernel;
    node24_under_rr: Node24, RoundRobin;
    node24_under_shared: Node24, Shared;
    node24_under_kernel: Node24, Kernel;
    node26_under_rr: Node26, RoundRobin;
    node26_under_shared: Node26, Shared;
    node26_under_kernel: Node26, Kernel;
    bun_under_rr: Bun, RoundRobin;
    bun_under_shared: Bun, Shared;
    bun_under_kernel: Bun, Kernel;
    deno_under_rr: Deno, RoundRobin;
    deno_under_shared: Deno, Shared;
    deno_under_kernel: Deno, Kernel;
}

/// The footnotes of docs/compat.md say this, too.
#[test]
fn net_servers_of_bun_are_balanced() {
    for policy in Policy::ALL {
        let found = cases::NET_ON_TCP.show(Runtime::Bun, policy);
        assert_eq!(
            found,
            [(Case::NewConnections, Finding::Works)],
            "{policy:?}"
        );
    }
}

/// The footnotes of docs/compat.md say this, too.
#[test]
fn one_deno_worker_alone_answers_datagrams() {
    let port = ports::free_udp();
    let tine = Tine::run(fixture("dgram.js"))
        .instances(1)
        .runtime(Runtime::Deno)
        .port(port)
        .start();
    // Nobody hears that it listens, so there is nothing to wait for but an answer.
    let answer = until("an answer by UDP", Duration::from_secs(30), || {
        let server = ([127, 0, 0, 1], port).into();
        udp::ask(server, b"who", Duration::from_secs(1))
    });
    let worker = process::children(tine.pid());
    let expected = worker.iter().map(|pid| format!("pid {pid}: who"));
    assert_eq!(
        expected.collect::<Vec<_>>(),
        [String::from_utf8_lossy(&answer)]
    );
    let is_ready = |line: &Line| line.text.contains("ready in");
    assert!(
        !tine.lines().all().iter().any(is_ready),
        "it is reported as ready after all"
    );
}

#[test]
fn every_case_is_shown_by_one_program() {
    for case in Case::ALL {
        let programs = cases::PROGRAMS
            .iter()
            .filter(|program| program.cases.contains(&case));
        assert_eq!(programs.count(), 1, "{case:?}");
    }
}
