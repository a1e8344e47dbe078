//! How `tine run` ends, and that nothing is left then.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use tine_testkit::http::Connection;
use tine_testkit::lines::Line;
use tine_testkit::{RunningTine, Runtime, Script, Signal, Target, Tine, fixture};
use tine_testkit::{process, script, until};

const SECONDS: Duration = Duration::from_secs(20);
/// A kill timeout that is never reached.
const PATIENT: [&str; 2] = ["--kill-timeout", "40000"];

fn index_of(tine: &RunningTine, text: &str) -> usize {
    let lines = tine.lines().all();
    let found = lines.iter().position(|line| line.text.contains(text));
    found.unwrap_or_else(|| panic!("no line has {text:?}\n{}", tine.transcript()))
}

fn assert_port_free(port: u16) {
    until(&format!("port {port} to be free"), SECONDS, || {
        TcpListener::bind(("0.0.0.0", port))
    });
}

/// Nothing stops it but SIGKILL, and it has a child in a session of its own.
fn stubborn() -> Script {
    script(
        "stubborn.js",
        "for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => console.log(signal));
         const { spawn } = require('child_process');
         spawn('sleep', ['120'], { detached: true, stdio: 'ignore' }).unref();
         spawn('sh', ['-c', 'trap \"\" INT TERM; sleep 120; :'], { stdio: 'inherit' });
         require('http').createServer((q, s) => s.end(`pid ${process.pid}`)).listen(process.env.PORT);",
    )
}

fn stubborn_tree(tine: &RunningTine, workers: usize) {
    // Each has two sleeps and a shell below it.
    until("the whole trees", SECONDS, || {
        let count = tine.processes().len();
        if count == workers * 4 {
            Ok(())
        } else {
            Err(format!("{count} processes"))
        }
    });
}

/// Asks slow.js, and reads the head of its response: from now on the request is in its hands.
fn begin_slow(tine: &RunningTine, ms: u32) -> TcpStream {
    let mut client = TcpStream::connect(tine.address()).unwrap();
    client.set_read_timeout(Some(SECONDS)).unwrap();
    let request = format!("GET /?ms={ms}&half=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    let mut head = [0; 12];
    client.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    client
}

fn rest(client: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_request_in_flight_is_answered_before_the_end() {
    for (balance, signal) in [
        ("rr", Signal::INT),
        ("shared", Signal::INT),
        ("kernel", Signal::INT),
        ("rr", Signal::TERM),
        ("kernel", Signal::HUP),
    ] {
        let tine = Tine::workers(fixture("slow.js"), 2)
            .balance(balance)
            .args(PATIENT)
            .start();
        tine.wait_ready(SECONDS);
        let mut client = begin_slow(&tine, 1500);
        // As a terminal does: to everybody in the foreground.
        tine.signal_group(signal);
        assert!(rest(&mut client).ends_with(b"took 1500 ms\n"));
        assert_eq!(tine.finish(), 0, "{balance} {signal:?}");
        assert!(tine.processes().is_empty());
        assert_port_free(tine.port());
    }
}

#[test]
fn a_worker_is_disconnected_first_and_signalled_when_it_stays() {
    let talker = script(
        "talker.js",
        "process.on('disconnect', () => console.log('heard disconnect'));
         process.on('SIGTERM', () => { console.log('heard SIGTERM'); process.exit(0); });
         setInterval(() => {}, 1000);
         require('http').createServer().listen(process.env.PORT);",
    );
    for balance in ["rr", "kernel"] {
        let tine = Tine::workers(&talker, 1)
            .balance(balance)
            .args(["--stop-signal", "SIGTERM", "--kill-timeout", "4000"])
            .start();
        tine.wait_ready(SECONDS);
        assert_eq!(tine.stop(), 0);
        let (first, second) = ("heard disconnect", "heard SIGTERM");
        assert!(index_of(&tine, first) < index_of(&tine, second));
        assert!(!tine.err().iter().any(|line| line.contains("killed")));
    }
}

#[test]
fn a_plain_program_is_signalled_at_once() {
    let talker = script(
        "talker.js",
        "process.on('SIGINT', () => { console.log('heard SIGINT'); process.exit(3); });
         require('http').createServer().listen(process.env.PORT, () => console.log('up'));",
    );
    let tine = Tine::run(&talker)
        .runtime(Runtime::Node20)
        .args(PATIENT)
        .start();
    tine.wait_for_text("up");
    assert_eq!(
        tine.stop(),
        0,
        "how it leaves when asked to is its own business"
    );
    index_of(&tine, "heard SIGINT");
}

#[test]
fn who_does_not_leave_is_killed_with_everything_it_started() {
    let stubborn = stubborn();
    let tine = Tine::workers(&stubborn, 2)
        .args(["--kill-timeout", "400"])
        .start();
    tine.wait_ready(SECONDS);
    stubborn_tree(&tine, 2);
    assert_eq!(tine.stop(), 0);
    let killed = tine
        .err()
        .into_iter()
        .filter(|line| line.contains("killed"));
    assert_eq!(killed.count(), 2);
    assert_port_free(tine.port());
}

#[test]
fn a_signal_that_is_ignored_is_no_way_to_stay() {
    let tine = Tine::workers(fixture("ignores-sigint.js"), 2)
        .args(["--kill-timeout", "400"])
        .start();
    tine.wait_ready(SECONDS);
    // A kept connection keeps the process alive after the disconnect.
    let end = Instant::now() + SECONDS;
    let mut kept = Connection::open(&Target::Tcp(tine.address()), end).unwrap();
    let pid = kept.get("/", true, end).unwrap().pid().unwrap();
    assert_eq!(tine.stop(), 0);
    assert!(!process::is_alive(pid));
}

#[test]
fn what_a_worker_leaves_behind_is_ended_with_it() {
    let tine = Tine::workers(fixture("grandchild.js"), 2)
        .args(PATIENT)
        .start();
    tine.wait_ready(SECONDS);
    until("two workers and two sleeps", SECONDS, || {
        tine.processes().len() == 4
    });
    assert_eq!(tine.stop(), 0);
}

#[test]
fn a_second_ctrl_c_ends_everything_at_once() {
    let stubborn = stubborn();
    let tine = Tine::workers(&stubborn, 2).args(PATIENT).start();
    tine.wait_ready(SECONDS);
    stubborn_tree(&tine, 2);
    tine.signal(Signal::INT);
    tine.wait_for_text("stopping");
    let first = Instant::now();
    until(
        "more than the tenth of a second of one key press",
        SECONDS,
        || first.elapsed() > Duration::from_millis(150),
    );
    tine.signal(Signal::INT);
    assert_eq!(tine.finish(), 130);
    assert!(tine.processes().is_empty());
    assert_port_free(tine.port());
}

#[test]
fn a_ctrl_c_that_arrives_twice_is_one() {
    let tine = Tine::workers(fixture("slow.js"), 2).args(PATIENT).start();
    tine.wait_ready(SECONDS);
    let mut client = begin_slow(&tine, 1000);
    tine.signal(Signal::INT);
    tine.signal(Signal::INT);
    assert!(rest(&mut client).ends_with(b"took 1000 ms\n"));
    assert_eq!(tine.finish(), 0);
}

#[test]
fn a_kill_timeout_of_nothing_is_honoured() {
    let stubborn = stubborn();
    let tine = Tine::workers(&stubborn, 1)
        .args(["--kill-timeout", "0"])
        .start();
    tine.wait_ready(SECONDS);
    stubborn_tree(&tine, 1);
    assert_eq!(tine.stop(), 0);
}

#[test]
fn a_stop_ends_the_waiting_for_the_next_attempt() {
    let tine = Tine::workers(fixture("crash-at-start.js"), 2)
        .args(["--restart-delay", "600000"])
        .start();
    tine.wait_for_text("exit code 1");
    tine.signal(Signal::TERM);
    assert_eq!(tine.finish(), 0);
    assert!(tine.processes().is_empty());
}

#[test]
fn a_stop_while_workers_start_leaves_nobody() {
    let tine = Tine::workers(fixture("http.js"), 4).start();
    tine.wait_for_text("started");
    tine.signal(Signal::TERM);
    assert_eq!(tine.finish(), 0);
    assert!(tine.processes().is_empty());
}

#[test]
fn nobody_reads_what_is_typed() {
    let tine = Tine::workers(fixture("http.js"), 2).start();
    tine.wait_ready(SECONDS);
    for pid in tine.children() {
        let stdin = std::fs::read_link(format!("/proc/{pid}/fd/0")).unwrap();
        assert_eq!(stdin.to_str(), Some("/dev/null"));
    }
    assert_eq!(tine.stop(), 0);
}

#[test]
fn workers_leave_by_themselves_when_tine_is_killed() {
    for balance in ["rr", "shared", "kernel"] {
        let tine = Tine::workers(fixture("http.js"), 2)
            .balance(balance)
            .start();
        tine.wait_ready(SECONDS);
        tine.signal(Signal::KILL);
        until("nobody to be left", SECONDS, || tine.processes().is_empty());
        assert_port_free(tine.port());
    }
}

#[test]
fn a_line_cut_by_the_end_is_still_printed() {
    let cut = script(
        "cut.js",
        "process.on('SIGINT', () => { process.stdout.write('no end'); process.exit(0); });
         setInterval(() => {}, 1000);
         require('http').createServer().listen(process.env.PORT);",
    );
    let tine = Tine::workers(&cut, 1).start();
    tine.wait_ready(SECONDS);
    assert_eq!(tine.stop(), 0);
    let is_cut = |line: &Line| line.text == "cut:0 | no end";
    assert!(
        tine.lines().all().iter().any(is_cut),
        "{}",
        tine.transcript()
    );
}

#[test]
fn a_program_that_would_not_notice_the_end_of_tine_ends_with_it() {
    let tine = Tine::command(["run", "sleep 600"]).start();
    tine.wait_for_text("started");
    let child = tine.children()[0];
    tine.signal(Signal::KILL);
    until("the end of the program", SECONDS, || {
        !process::is_alive(child)
    });
}

#[test]
fn the_command_of_a_shell_is_asked_to_end_with_it() {
    let tine = Tine::command(["run", "sh -c 'echo up; sleep 600; exit 3'"]).start();
    tine.wait_for_text("up");
    assert_eq!(tine.stop(), 0);
    assert!(!tine.err().iter().any(|line| line.contains("killed")));
}
