//! What `tine run` starts, and how its output reads.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::collections::BTreeSet;
use std::time::Duration;

use tine_testkit::lines::Stream;
use tine_testkit::tine::built_example;
use tine_testkit::{Runtime, Tine, example, fixture, get, runtimes, script, until};

const SECONDS: Duration = Duration::from_secs(20);

#[test]
fn each_line_comes_behind_its_worker_on_the_stream_it_was_written_to() {
    let tine = Tine::workers(fixture("chatty.js"), 2)
        .env("LINES", "3")
        .start();
    tine.wait_ready(SECONDS);
    assert_eq!(tine.stop(), 0);
    for slot in [0, 1] {
        for (stream, word) in [(Stream::Stdout, "out"), (Stream::Stderr, "err")] {
            let prefix = format!("chatty:{slot} | ");
            let lines = tine.texts(stream).into_iter();
            let own: Vec<String> = lines.filter(|line| line.starts_with(&prefix)).collect();
            let expected: Vec<String> = (1..=3).map(|n| format!("{prefix}{word} {n}")).collect();
            assert_eq!(own, expected);
        }
    }
    let alien = |line: &String| !line.starts_with("chatty:");
    assert!(!tine.out().iter().any(alien), "stdout is the programs' own");
    assert!(tine.err().iter().any(alien), "tine speaks on stderr");
}

#[test]
fn a_long_line_stays_one_and_a_last_one_needs_no_end() {
    let long = script(
        "long.js",
        "process.stdout.write('x'.repeat(300_000) + '\\nafter\\n\\nlast');",
    );
    let tine = Tine::run(&long)
        .runtime(Runtime::Node20)
        .args(["--no-autorestart"])
        .start();
    assert_eq!(tine.finish(), 0);
    let texts: Vec<String> = tine
        .out()
        .iter()
        .map(|line| line.replacen("long:0 | ", "", 1))
        .collect();
    let xs: usize = texts.iter().map(|text| text.matches('x').count()).sum();
    assert_eq!(xs, 300_000, "nothing of a long line is lost");
    let rest: Vec<&String> = texts.iter().skip_while(|text| text.contains('x')).collect();
    assert_eq!(rest, ["after", "", "last"]);
    assert!(tine.out().iter().all(|line| line.starts_with("long:0 | ")));
}

#[test]
fn instances_count_the_cores_of_the_affinity_mask() {
    for (word, mask, expected) in [
        ("max", "0", 1),
        ("0", "0,1", 2),
        ("-1", "0,1", 1),
        ("3", "0", 3),
    ] {
        let tine = Tine::workers(fixture("http.js"), word)
            .under(["taskset", "-c", mask])
            .start();
        tine.wait_ready(SECONDS);
        assert_eq!(tine.children().len(), expected, "-i {word} on cores {mask}");
        assert_eq!(tine.stop(), 0);
    }
}

#[test]
fn without_instances_it_is_one_process_and_no_worker() {
    let tine = Tine::run(fixture("http.js"))
        .runtime(Runtime::Node20)
        .start();
    tine.get_when_up("/");
    assert_eq!(tine.children().len(), 1);
    assert_eq!(
        tine.get("/env/NODE_UNIQUE_ID").unwrap().text(),
        "undefined\n"
    );
    assert_eq!(tine.get("/env/NODE_APP_INSTANCE").unwrap().text(), "0\n");
    assert_eq!(tine.stop(), 0);
}

#[test]
fn name_folder_arguments_and_instance_reach_the_program() {
    let here = script(
        "where.js",
        "console.log(JSON.stringify([process.cwd(), process.argv.slice(2), process.env.name,
            process.env.NODE_APP_INSTANCE, process.execArgv]));
         setInterval(() => {}, 1000);
         require('http').createServer().listen(process.env.PORT);",
    );
    let folder = here.folder().canonicalize().unwrap();
    let tine = Tine::workers("where.js", 2)
        .args(["--name", "shop", "--node-args", "--no-warnings"])
        .args(["--cwd", folder.to_str().unwrap()])
        .script_args(["--watch", "a b"])
        .start();
    tine.wait_ready(SECONDS);
    let folder = folder.display();
    let expected: BTreeSet<String> = (0..2)
        .map(|slot| {
            format!(
                "shop:{slot} | [\"{folder}\",[\"--watch\",\"a b\"],\"shop\",\"{slot}\",[\"--no-warnings\"]]"
            )
        })
        .collect();
    until("both lines", SECONDS, || tine.out().len() == 2);
    assert_eq!(tine.out().into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(tine.stop(), 0);
}

#[test]
fn the_hello_example_runs_on_two_workers_under_every_policy() {
    for policy in ["auto", "rr", "least", "shared", "kernel", "sticky"] {
        let tine = Tine::workers(example("hello.js"), 2)
            .balance(policy)
            .start();
        tine.wait_ready(SECONDS);
        assert!(
            tine.get("/")
                .unwrap()
                .text()
                .starts_with("Hello World from worker")
        );
        assert_eq!(tine.stop(), 0, "{policy}");
    }
}

#[test]
fn a_rust_worker_runs_under_every_policy() {
    let hello = built_example("hello");
    for policy in ["rr", "least", "shared", "kernel", "sticky"] {
        let tine = Tine::run(&hello)
            .args(["--interpreter", "none"])
            .instances(2)
            .balance(policy)
            .start();
        tine.wait_ready(SECONDS);
        let seen: BTreeSet<u32> = (0..20)
            .map(|_| tine.get("/").unwrap().pid().unwrap())
            .collect();
        let workers: BTreeSet<u32> = tine.children().into_iter().collect();
        assert!(seen.is_subset(&workers), "{seen:?} of {workers:?}");
        if matches!(policy, "rr" | "kernel") {
            assert_eq!(seen, workers, "{policy}");
        }
        assert_eq!(tine.stop(), 0, "{policy}");
    }
}

#[test]
fn the_book_s_programs_with_a_primary_of_their_own_run_as_they_are() {
    let tine = Tine::run(example("book/01-fork-and-exit.js"))
        .runtime(Runtime::Node20)
        .args(["--no-autorestart"])
        .start();
    assert_eq!(tine.finish(), 0);
    let done = |line: &&String| line.contains("and I am done");
    let forked = |line: &&String| line.contains("forking process");
    let forks = tine.out().iter().filter(forked).count();
    assert!(forks > 0);
    assert_eq!(tine.out().iter().filter(done).count(), forks);

    let tine = Tine::run(example("book/02-messages.js"))
        .runtime(Runtime::Node20)
        .args(["--no-autorestart"])
        .start();
    tine.wait_for_text("hello, primary");
    tine.wait_for_text("hello, worker");
    assert_eq!(tine.stop(), 0);
}

#[test]
fn the_book_s_server_has_a_worker_on_every_core() {
    let tine = Tine::workers(example("book/03-http-on-every-core.js"), 2).start();
    tine.wait_ready(SECONDS);
    let seen: BTreeSet<u32> = (0..8)
        .map(|_| tine.get("/").unwrap().pid().unwrap())
        .collect();
    assert_eq!(seen, tine.children().into_iter().collect());
    assert!(
        !tine.out().iter().any(|line| line.contains("primary:")),
        "tine is the primary"
    );
    assert_eq!(tine.stop(), 0);
}

#[test]
fn the_book_s_failing_workers_are_replaced_after_every_response() {
    for name in ["05-worker-that-fails.js", "06-process-manager.js"] {
        let tine = Tine::workers(example(&format!("book/{name}")), 3).start();
        tine.wait_ready(SECONDS);
        let seen: BTreeSet<u32> = (0..12)
            .map(|_| tine.get("/").unwrap().pid().unwrap())
            .collect();
        assert_eq!(seen.len(), 12, "{name}: each worker answers once");
        assert_eq!(tine.stop(), 0, "{name}");
    }
}

#[test]
fn the_book_s_graceful_server_leaves_by_itself() {
    let packaged = runtimes::with_packages(&example("book/07-graceful-shutdown.js"));
    let tine = Tine::workers(packaged.script(), 3)
        .args(["--kill-timeout", "20000"])
        .start();
    tine.wait_ready(SECONDS);
    let response = get(tine.address(), "/hello/you").unwrap();
    assert_eq!(response.text(), "Hello you!!!");
    assert_eq!(tine.stop(), 0);
    assert!(
        !tine
            .err()
            .iter()
            .any(|line| line.contains("giving up") || line.contains("killed")),
        "{:?}",
        tine.err()
    );
}
