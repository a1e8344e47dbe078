//! The book's programs do what their reader is told to expect.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod support;

use std::collections::BTreeSet;
use support::{DEADLINE, example};
use tine_testkit::http::who_answers;
use tine_testkit::lines::Stream;
use tine_testkit::{FailureKind, Load, Program, Signal, get, ports, process, until};

fn cores() -> usize {
    std::thread::available_parallelism().unwrap().get()
}

/// A program, and the port that it was given.
struct Book {
    program: Program,
    port: u16,
}

impl Book {
    fn start(name: &str) -> Self {
        let port = ports::free_tcp();
        let mut command = example(name);
        command.env("PORT", port.to_string());
        let program = Program::start(name, command);
        Self { program, port }
    }

    /// What it has printed, only the lines with this in them.
    fn said(&self, what: &str) -> Vec<String> {
        let mut lines = self.program.texts(Stream::Stdout);
        lines.retain(|line| line.contains(what));
        lines
    }

    fn until_said(&self, what: &str, times: usize) {
        until(what, DEADLINE, || self.said(what).len() >= times);
    }

    fn workers(&self) -> BTreeSet<u32> {
        process::children(self.program.pid()).into_iter().collect()
    }

    fn ask(&self, path: &str) -> String {
        get(self.port, path).unwrap().text()
    }

    fn ends_well(&self) {
        assert!(self.program.wait_exit(DEADLINE).success());
    }
}

fn numbers_after(lines: &[String], words: &str) -> BTreeSet<u32> {
    let number = |line: &String| {
        let rest = line.split_once(words).unwrap().1;
        let end = rest.find(|c: char| !c.is_ascii_digit());
        rest[..end.unwrap_or(rest.len())].parse().unwrap()
    };
    lines.iter().map(number).collect()
}

#[test]
fn one_worker_per_core_is_forked_says_its_pid_and_exits() {
    let book = Book::start("book_fork");
    book.ends_well();
    book.program.wait_output_end(DEADLINE);
    let primary = book.said("primary: my pid is ");
    assert_eq!(
        primary,
        [format!("primary: my pid is {}", book.program.pid())]
    );
    let forked: Vec<String> = (1..=cores())
        .map(|number| format!("primary: forking process number {number}"))
        .collect();
    assert_eq!(book.said("forking"), forked);
    let workers = numbers_after(&book.said("worker: my pid is "), "my pid is ");
    assert_eq!(workers.len(), cores());
    assert!(!workers.contains(&book.program.pid()));
    assert!(book.program.processes().is_empty(), "all have exited");
}

#[test]
fn messages_go_both_ways_until_ctrl_c() {
    let book = Book::start("book_messages");
    book.until_said("says: I am here", cores());
    book.until_said("says: do some work", cores());
    let workers = book.workers();
    let heard = numbers_after(&book.said("says: I am here"), "with pid ");
    assert_eq!(heard, workers);
    let told = book.said("says: do some work");
    assert_eq!(numbers_after(&told, "worker "), workers);
    let primary = BTreeSet::from([book.program.pid()]);
    assert_eq!(numbers_after(&told, "with pid "), primary);
    book.program.signal_group(Signal::INT);
    assert!(!book.program.wait_exit(DEADLINE).success());
    until("the end of all", DEADLINE, || {
        book.program.processes().is_empty()
    });
}

#[test]
fn all_cores_serve_one_port() {
    let book = Book::start("book_http");
    book.until_said("listens on", cores());
    assert!(book.ask("/").starts_with("Hello World"));
    let asked = who_answers(book.port, 4 * cores());
    assert_eq!(asked, book.workers());
    // As long as one lives, the server goes on.
    let mut workers = book.workers();
    let last = workers.pop_last().unwrap();
    for worker in workers {
        process::signal(worker, Signal::KILL).unwrap();
    }
    until("only one worker", DEADLINE, || {
        book.workers() == BTreeSet::from([last])
    });
    assert_eq!(who_answers(book.port, 4), BTreeSet::from([last]));
    process::signal(last, Signal::KILL).unwrap();
    // When none is left, nobody is let in.
    until("a closed port", DEADLINE, || {
        let asked = get(book.port, "/");
        asked.is_err_and(|failure| failure.kind == FailureKind::Refused)
    });
}

#[test]
fn a_worker_that_dies_after_each_response_is_replaced_and_every_request_is_answered() {
    const REQUESTS: u64 = 40;
    let book = Book::start("book_replace");
    book.until_said("listens on", cores());
    let load = Load::new(book.port)
        .connections(4)
        .new_connection_each(true);
    let report = load.run_until(REQUESTS);
    report.assert_no_failures();
    // No worker has answered twice.
    assert_eq!(report.by_worker.len() as u64, REQUESTS);
    let died = "died: exit code 1; forking another";
    book.until_said(died, REQUESTS as usize);
    let died = numbers_after(&book.said(died), "worker ");
    let answered = report.by_worker.keys().map(|pid| pid.parse().unwrap());
    assert_eq!(died, answered.collect());
    until("its workers again", DEADLINE, || {
        book.workers().len() == cores()
    });
}

#[cfg(feature = "axum")]
mod graceful {
    use super::*;
    use std::thread::JoinHandle;
    use std::time::{Duration, Instant};
    use tine_testkit::Failure;
    use tine_testkit::http::{TIMEOUT, get_within};

    fn start() -> Book {
        let book = Book::start("book_graceful");
        book.until_said("listens on", cores());
        book
    }

    /// A request that takes seconds, in a thread of its own; under way when this returns.
    fn ask_slowly(book: &Book, seconds: u64) -> JoinHandle<Result<String, Failure>> {
        let (port, path) = (book.port, format!("/slow/{seconds}"));
        let before = book.said("takes its time").len();
        let asked = std::thread::spawn(move || {
            get_within(port, &path, TIMEOUT).map(|answer| answer.text())
        });
        book.until_said("takes its time", before + 1);
        asked
    }

    #[test]
    fn it_greets_by_name() {
        let book = start();
        assert_eq!(book.ask("/hello"), "Hello World !!!\n");
        assert_eq!(book.ask("/hello/rust"), "Hello RUST!!!\n");
    }

    #[test]
    fn an_interrupt_lets_what_is_in_flight_be_answered() {
        let book = start();
        let asked = ask_slowly(&book, 1);
        book.program.signal(Signal::INT);
        assert_eq!(asked.join().unwrap().unwrap(), "1 s later\n");
        book.ends_well();
        assert_eq!(book.said("cleaning up").len(), cores());
        assert_eq!(book.said("has left: exit code 0").len(), cores());
        assert_eq!(book.said("all have left").len(), 1);
    }

    #[test]
    fn a_hangup_replaces_one_after_the_other_and_somebody_always_answers() {
        let book = start();
        let first = book.workers();
        let load = Load::new(book.port).path("/hello/you").connections(3);
        let load = load.new_connection_each(true).run_in_background();
        load.wait_for_more(50, DEADLINE);
        book.program.signal(Signal::HUP);
        book.until_said("all are replaced", 1);
        load.wait_for_more(50, DEADLINE);
        load.stop().assert_no_failures();
        let second = book.workers();
        assert!(second.len() == cores() && second.is_disjoint(&first));
        let replaced = book.said("is replaced by");
        assert_eq!(numbers_after(&replaced, "worker "), first);
        assert_eq!(numbers_after(&replaced, "is replaced by "), second);
    }

    #[test]
    fn who_takes_more_than_five_seconds_is_ended_with_code_1() {
        let book = start();
        let asked = ask_slowly(&book, 60);
        let began = Instant::now();
        book.program.signal(Signal::INT);
        book.ends_well();
        assert!(began.elapsed() >= Duration::from_secs(5));
        assert!(asked.join().unwrap().is_err());
        assert_eq!(book.said("has left: exit code 1").len(), 1);
        assert_eq!(book.said("has left: exit code 0").len(), cores() - 1);
    }
}
