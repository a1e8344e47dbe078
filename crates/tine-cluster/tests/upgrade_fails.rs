//! A primary is replaced by its next version at the worst moment, or cannot be: nothing is lost.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod probe_support;

use probe_support::{DEADLINE, Probe, Worker, example};
use std::os::unix::fs::PermissionsExt as _;
use tine_testkit::{Program, Script, Signal, process, script, until};

fn peer() -> Script {
    script("peer.py", include_str!("probe_support/hostile.py"))
}

fn fork_peer(probe: &Probe, script: &Script, kind: &str) -> Worker {
    let words = format!(
        "python3 {} {kind} {}",
        script.as_ref().display(),
        probe.port
    );
    probe.fork(&words)
}

/// Becomes the next version, which has so many workers.
fn upgrade(probe: &Probe, version: u32, workers: usize) {
    probe.tell("upgrade");
    probe.wait(&format!(
        "version {version}, {workers} workers, upgraded true"
    ));
}

/// Sends a message to a server that answers with the same.
fn echo(probe: &Probe, worker: u32, number: u32) {
    let text = format!("\"{}\"", "e".repeat(number as usize));
    let begin = format!("message {worker} {} bytes", text.len());
    probe.ask(&format!("send {worker} {text}"), &begin);
}

/// Descriptors from 3 upward that a program started now would inherit.
fn not_close_on_exec(pid: u32) -> Vec<String> {
    const CLOSE_ON_EXEC: u32 = 0o2_000_000;
    let folder = format!("/proc/{pid}/fdinfo");
    let all = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap());
    let open = all.filter(|entry| {
        let number: u32 = entry.file_name().to_str().unwrap().parse().unwrap();
        let Ok(text) = std::fs::read_to_string(entry.path()) else {
            return false;
        };
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = u32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
        number > 2 && flags & CLOSE_ON_EXEC == 0
    });
    open.map(|entry| entry.path().display().to_string())
        .collect()
}

#[test]
fn a_program_that_cannot_be_run_changes_nothing() {
    let probe = Probe::serving(&[], 2);
    probe.ask("keep one", "kept one ");
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let missing = folder.path().join("missing");
    let cases = [
        (missing.clone(), "No such file"),
        (missing.join("below"), "No such file"),
        (file("forbidden", "#!/bin/sh\n", 0o644), "Permission denied"),
        (file("text", "just text\n", 0o755), "Exec format error"),
        (file("empty", "", 0o755), "Exec format error"),
        (
            file("orphaned", "#!/no/such/shell\n", 0o755),
            "No such file",
        ),
        (folder.path().to_owned(), "Permission denied"),
    ];
    // Whoever started the test may have left some open.
    let open = not_close_on_exec(probe.program.pid());
    let before = probe.descriptors();
    let load = probe.load();
    for (number, (path, words)) in (1..).zip(cases) {
        let path = path.display().to_string();
        let line = probe.ask(
            &format!("upgrade {path}"),
            "upgrading the primary: running ",
        );
        assert!(line.contains(&path), "{line}");
        assert!(line.contains(words), "{line}");
        assert!(line.contains("version 1 goes on"), "{line}");
        echo(&probe, 1, number);
        echo(&probe, 2, number);
        load.wait_for_more(20, DEADLINE);
    }
    probe.wait_for_descriptors(before);
    assert_eq!(not_close_on_exec(probe.program.pid()), open);
    // And then it goes well.
    upgrade(&probe, 2, 2);
    load.wait_for_more(20, DEADLINE);
    load.stop().assert_no_failures();
    assert_eq!(not_close_on_exec(probe.program.pid()), open);
}

#[test]
fn a_message_of_which_half_has_arrived_arrives_whole() {
    let script = peer();
    let probe = Probe::serving(&[], 1);
    for (version, how) in (2..).zip(["json", "advanced"]) {
        probe.tell(how);
        let worker = fork_peer(&probe, &script, "in-halves");
        probe.wait(&format!("done {}", worker.pid));
        upgrade(&probe, version, 2);
        probe.tell(&format!("send {} 1", worker.id));
        probe.wait(&format!("message {} 10000002 bytes", worker.id));
        probe.kill(worker);
    }
    // With a socket that has arrived already.
    probe.tell("json");
    let worker = fork_peer(&probe, &script, "in-halves-with-socket");
    probe.wait(&format!("done {}", worker.pid));
    upgrade(&probe, 4, 2);
    probe.tell(&format!("send {} 1", worker.id));
    probe.wait(&format!("message {} 10000002 bytes", worker.id));
    assert_eq!(
        probe
            .lines(&format!("handle {} UnixStream", worker.id))
            .len(),
        1
    );
    probe.kill(worker);
}

#[test]
fn ten_megabytes_that_a_stopped_worker_has_not_read_reach_it() {
    let probe = Probe::serving(&[], 2);
    let load = probe.load();
    let stopped = probe.fork_server();
    probe.wait(&format!("listening {} ", stopped.id));
    process::signal(stopped.pid, Signal::STOP).unwrap();
    probe.tell(&format!("fill {} 10000000", stopped.id));
    for version in 2..5 {
        upgrade(&probe, version, 3);
    }
    process::signal(stopped.pid, Signal::CONT).unwrap();
    probe.wait(&format!("message {} 10000002 bytes", stopped.id));
    load.wait_for_more(20, DEADLINE);
    load.stop().assert_no_failures();
}

/// Numbers with sockets; the worker says each number back that came with one.
const RETURNS: &str = "
    process.on('message', (number, socket) => {
        if (!socket) return;
        socket.close();
        process.send(number);
    });
    process.send('ready');";

#[test]
fn sockets_on_their_way_to_a_worker_arrive_once_and_in_order() {
    let script = script("returns.js", RETURNS);
    let probe = Probe::start(&[]);
    let worker = probe.fork(&script.as_ref().display().to_string());
    probe.wait("message 1 ");
    process::signal(worker.pid, Signal::STOP).unwrap();
    let before = probe.descriptors();
    // More than its socket holds: some are written, and some are not.
    probe.tell("give 1 500");
    until("500 sockets", DEADLINE, || {
        probe.descriptors() >= before + 500
    });
    upgrade(&probe, 2, 1);
    assert!(probe.descriptors() >= before + 500);
    upgrade(&probe, 3, 1);
    process::signal(worker.pid, Signal::CONT).unwrap();
    until("500 answers", DEADLINE, || {
        probe.ask("report", "reported");
        !probe.lines("count 1 500").is_empty()
    });
    assert_eq!(probe.lines("disorder"), [""; 0]);
    assert_eq!(probe.lines("first"), ["first 1 0"]);
    probe.wait_for_descriptors(before);
}

#[test]
fn sockets_of_a_worker_that_nobody_has_taken_are_the_next_versions() {
    let script = peer();
    let probe = Probe::start(&[("LEAVE", "1")]);
    let worker = fork_peer(&probe, &script, "numbered");
    let before = probe.descriptors();
    until("sockets to wait", DEADLINE, || {
        probe.descriptors() > before + 60
    });
    upgrade(&probe, 2, 1);
    upgrade(&probe, 3, 1);
    assert!(probe.descriptors() > before + 60);
    probe.tell("take");
    probe.wait(&format!("handle {} UnixStream ×200", worker.id));
    assert_eq!(probe.lines("disorder"), [""; 0]);
    assert_eq!(probe.lines("first"), ["first 1 0"]);
    assert_eq!(probe.lines("online"), ["online 1"]);
    probe.wait_for_descriptors(before);
}

#[test]
fn the_end_of_a_worker_that_nobody_has_heard_of_is_told_by_the_next_version() {
    let script = peer();
    let probe = Probe::start(&[("LEAVE", "1")]);
    let empty = probe.descriptors();
    let worker = fork_peer(&probe, &script, "many-and-die");
    until("its death", DEADLINE, || !process::is_alive(worker.pid));
    until("its end to be seen", DEADLINE, || {
        process::stat(worker.pid).is_none()
    });
    upgrade(&probe, 2, 0);
    upgrade(&probe, 3, 0);
    let from = probe.mark();
    probe.tell("take");
    probe.wait("exit 1 exit code 5");
    let lines = probe.program.lines().all();
    let told: Vec<&str> = lines[from..]
        .iter()
        .map(|line| line.text.as_str())
        .collect();
    let expected = [
        "online 1",
        "handle 1 UnixStream ×1 ",
        "first 1 0",
        "handle 1 UnixStream ×100 ",
        "handle 1 UnixStream ×200 ",
        "disconnect 1 None",
        "exit 1 exit code 5",
    ];
    assert_eq!(told, expected);
    probe.wait_for_descriptors(empty);
}

#[test]
fn what_is_kept_is_kept_also_after_an_attempt_that_failed() {
    let probe = Probe::start(&[]);
    let one = probe.ask("keep one", "kept one ");
    let two = probe.ask("keep two", "kept two ");
    probe.ask("upgrade /no/such/program", "upgrading the primary: ");
    let from = probe.mark();
    upgrade(&probe, 2, 0);
    assert_eq!(probe.wait_from(from, "kept one "), one);
    assert_eq!(probe.wait_from(from, "kept two "), two);
}

#[test]
fn a_pipe_that_nobody_has_taken_can_be_taken_by_the_next_version() {
    let script = peer();
    let probe = Probe::start(&[]);
    probe.tell("piped");
    let worker = fork_peer(&probe, &script, "talkative");
    probe.wait("online 1");
    upgrade(&probe, 2, 1);
    upgrade(&probe, 3, 1);
    probe.tell("read 1");
    probe.wait("output 1 said before");
    probe.tell("send 1 1");
    probe.wait("output 1 said after");
    probe.kill(worker);
}

/// Which of the two comes first is left to chance, many times.
#[test]
fn a_worker_that_is_killed_meanwhile_ends_once() {
    let script = peer();
    let probe = Probe::serving(&[], 2);
    let load = probe.load();
    for round in 0..12u32 {
        let worker = fork_peer(&probe, &script, "talkative");
        probe.wait(&format!("online {}", worker.id));
        let version = round + 2;
        probe.tell("upgrade");
        let until_then = std::time::Duration::from_micros(u64::from(round) * 400);
        std::thread::park_timeout(until_then);
        process::signal(worker.pid, Signal::KILL).unwrap();
        probe.wait(&format!("version {version}, "));
        let end = format!("exit {} ", worker.id);
        probe.wait(&end);
        echo(&probe, 1, round + 1);
        assert_eq!(probe.lines(&end).len(), 1);
        assert_eq!(process::zombies(probe.program.pid()), [0; 0]);
    }
    load.wait_for_more(20, DEADLINE);
    load.stop().assert_no_failures();
}

#[test]
fn two_upgrades_at_once_are_one() {
    let probe = Probe::serving(&[], 2);
    let load = probe.load();
    for version in 2..8 {
        probe.tell("twice");
        probe.wait(&format!("version {version}, 2 workers, upgraded true"));
        echo(&probe, 1, version);
        echo(&probe, 2, version);
    }
    assert_eq!(probe.lines("version ").len(), 7);
    assert_eq!(probe.lines("upgrading"), [""; 0]);
    load.stop().assert_no_failures();
}

/// Nothing of it can be made by an upgrade: only by a program that passes on what it should not.
#[test]
#[allow(clippy::disallowed_methods, reason = "nothing but a test starts it")]
fn what_is_no_handover_is_refused_with_a_word_or_not_meant() {
    let start = |value: &str, nine: &str| {
        let mut command = std::process::Command::new("sh");
        let probe = example("upgrade_probe");
        let line = format!(
            "TINE_CLUSTER_HANDOVER={value} exec {} {nine}",
            probe.display()
        );
        command.args(["-c", &line]);
        Program::start("primary", command)
    };
    let refused = |program: Program, words: &str| {
        program.wait_for_line(|line| line.text.contains(words), words, DEADLINE);
        assert_eq!(program.wait_exit(DEADLINE).code(), Some(1), "{words}");
    };
    let begins = |program: Program, value: &str| {
        let begin = "version 1, 0 workers, upgraded false";
        program.wait_for_line(|line| line.text == begin, value, DEADLINE);
    };
    // A program that was replaced by other means has the variable, and under the number nothing, or
    // something else: a device that never ends, a folder, a file.
    for nine in ["9<&-", "9</dev/zero", "9</", "9</etc/passwd"] {
        begins(start("$$:9", nine), nine);
    }
    for value in ["1:9", "abc", "$$:", "$$", ":", "''"] {
        begins(start(value, "9</etc/passwd"), value);
    }

    // What looks like one and is broken.
    let maker = script("maker.py", MAKER);
    for (content, words) in [
        ("", "it has no beginning"),
        ("0500", "it has no beginning"),
        ("ffffffffffffffff5b", "it ends too early"),
        (
            "05000000000000005b312c325d",
            "reading what a primary handed over: ",
        ),
    ] {
        let mut command = std::process::Command::new("python3");
        command.arg(maker.as_ref()).arg(content);
        command.arg(example("upgrade_probe"));
        refused(Program::start("primary", command), words);
    }
}

/// Leaves a memory file with this content behind, as an upgrade does.
const MAKER: &str = "
import os, sys
file = os.memfd_create('tine-cluster', 0)
os.write(file, bytes.fromhex(sys.argv[1]))
os.lseek(file, 0, os.SEEK_SET)
os.environ['TINE_CLUSTER_HANDOVER'] = f'{os.getpid()}:{file}'
os.execv(sys.argv[2], [sys.argv[2]])";
