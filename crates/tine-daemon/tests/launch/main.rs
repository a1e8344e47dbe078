//! Real daemons, started as a command starts them. Without the test harness: this very program is
//! the keeper and the brain too; the brain answers `ping` and nothing else.
//!
//! `cargo test -p tine-daemon --test launch -- NAME` runs the tests whose names hold NAME.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod roles;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use roles::{BREAK, Daemon, Run, brains_of, own, status_field};
use rustix::fs::{FlockOperation, flock};
use tine_control::client::{Client, ClientError};
use tine_control::request;
use tine_daemon::home::{Home, HomeError};
use tine_daemon::launch::{LaunchError, ensure, own_program};
use tine_sys::Pid;

fn main() -> ExitCode {
    if let Some(code) = roles::role() {
        return code;
    }
    let tests: [(&str, fn()); 13] = [
        ("one_daemon_for_eight_threads", one_daemon_for_eight_threads),
        (
            "one_daemon_for_eight_processes",
            one_daemon_for_eight_processes,
        ),
        ("it_stands_alone", it_stands_alone),
        (
            "nothing_said_to_us_is_passed_on",
            nothing_said_to_us_is_passed_on,
        ),
        (
            "what_a_shell_ignores_is_heeded",
            what_a_shell_ignores_is_heeded,
        ),
        ("a_stale_socket_is_replaced", a_stale_socket_is_replaced),
        (
            "a_killed_daemon_is_followed_by_another",
            a_killed_daemon_is_followed_by_another,
        ),
        ("a_killed_brain_comes_back", a_killed_brain_comes_back),
        ("the_lock_is_held_for_life", the_lock_is_held_for_life),
        ("last_words_are_quoted", last_words_are_quoted),
        ("what_is_in_the_way_is_named", what_is_in_the_way_is_named),
        (
            "in_the_foreground_it_makes_its_own_socket",
            in_the_foreground_it_makes_its_own_socket,
        ),
        (
            "a_replaced_program_is_found_by_its_path",
            a_replaced_program_is_found_by_its_path,
        ),
    ];
    let wanted = std::env::args().skip(1).find(|text| !text.starts_with('-'));
    for (name, test) in tests {
        if wanted.as_deref().is_none_or(|wanted| name.contains(wanted)) {
            test();
            println!("{name}: ok");
        }
    }
    ExitCode::SUCCESS
}

fn one_daemon_for_eight_threads() {
    let daemon = Daemon::new();
    for _ in 0..5 {
        let barrier = Barrier::new(8);
        let pids: Vec<u32> = std::thread::scope(|scope| {
            let each: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let mut client = ensure(&daemon.home, &own()).unwrap();
                        client.ask(&request::Ping {}).unwrap().pid
                    })
                })
                .collect();
            each.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
        assert_eq!(brains_of(&daemon.home), [pids[0]]);
        daemon.kill();
    }
}

fn one_daemon_for_eight_processes() {
    let daemon = Daemon::new();
    for _ in 0..3 {
        let commands: Vec<Run> = (0..8).map(|_| Run::ensure(&daemon.home, &[])).collect();
        let pids: Vec<String> = commands.into_iter().map(Run::said).collect();
        assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
        assert_eq!(brains_of(&daemon.home).len(), 1);
        daemon.kill();
    }
}

fn it_stands_alone() {
    let daemon = Daemon::new();
    Run::ensure(&daemon.home, &[]).said();
    let keeper = daemon.keeper();
    let folder = format!("/proc/{}", keeper.as_raw_pid());
    assert_eq!(
        fs::read_link(format!("{folder}/cwd")).unwrap(),
        Path::new("/")
    );
    // A session of its own without a terminal, and whoever started it is not its parent.
    assert_eq!(rustix::process::getsid(Some(keeper)).unwrap(), keeper);
    assert_ne!(
        status_field(keeper, "PPid:"),
        std::process::id().to_string()
    );
    assert_eq!(status_field(keeper, "SigBlk:"), "0000000000000000");
    for number in 0..3 {
        let target = fs::read_link(format!("{folder}/fd/{number}")).unwrap();
        assert_eq!(target, Path::new("/dev/null"));
    }
    // What has started it has left no zombie: it could only be a child of this process.
    let children = tine_sys::tree::children(rustix::process::getpid()).unwrap();
    assert_eq!(children, []);
    for (path, mode) in [
        (daemon.home.control_socket(), 0o600),
        (daemon.home.log(), 0o600),
        (daemon.home.lock(), 0o600),
        (daemon.home.folder().to_owned(), 0o700),
    ] {
        let found = fs::metadata(&path).unwrap().mode() & 0o777;
        assert_eq!(found, mode, "{}", path.display());
    }
}

fn nothing_said_to_us_is_passed_on() {
    let daemon = Daemon::new();
    let told = [
        ("NODE_CHANNEL_FD", "9"),
        ("NODE_UNIQUE_ID", "3"),
        ("LISTEN_FDS", "1"),
        ("NOTIFY_SOCKET", "/x"),
        ("TZ", "Europe/Zurich"),
        ("LANG", "C.UTF-8"),
    ];
    Run::ensure(&daemon.home, &told).said();
    let keeper = daemon.keeper();
    let brain = brains_of(&daemon.home)[0];
    for pid in [keeper.as_raw_pid(), brain.cast_signed()] {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
        let environment = String::from_utf8(environment).unwrap();
        let names: Vec<&str> = environment
            .split('\0')
            .filter_map(|line| line.split_once('='))
            .map(|(name, _)| name)
            .collect();
        for (name, _) in &told[..4] {
            assert!(!names.contains(name), "{name}");
        }
        for name in ["TZ", "LANG", "PATH"] {
            assert!(names.contains(&name), "{name}");
        }
    }
}

fn what_a_shell_ignores_is_heeded() {
    let daemon = Daemon::new();
    Run::ensure_by_shell("trap '' INT QUIT HUP TERM USR1; exec", &daemon.home).said();
    // Only SIGPIPE (13), which Rust ignores; 32 and 33 are libc's own and out of reach.
    let ignored = |pid| {
        let mask = u64::from_str_radix(&status_field(pid, "SigIgn:"), 16).unwrap();
        mask & !(0b11 << 31)
    };
    let brain = Pid::from_raw(brains_of(&daemon.home)[0].cast_signed()).unwrap();
    for pid in [daemon.keeper(), brain] {
        assert_eq!(ignored(pid), 1 << 12);
    }
}

fn a_stale_socket_is_replaced() {
    let daemon = Daemon::new();
    daemon.home.prepare().unwrap();
    drop(UnixListener::bind(daemon.home.control_socket()).unwrap());
    let mut client = ensure(&daemon.home, &own()).unwrap();
    client.ask(&request::Ping {}).unwrap();
}

fn a_killed_daemon_is_followed_by_another() {
    let daemon = Daemon::new();
    let first = ensure(&daemon.home, &own()).unwrap().greeting().pid;
    // Both at once; not waited for: the next one finds them ending.
    daemon.kill_without_waiting();
    let second = ensure(&daemon.home, &own()).unwrap().greeting().pid;
    assert_ne!(first, second);
    assert_eq!(brains_of(&daemon.home), [second]);
}

fn a_killed_brain_comes_back() {
    let daemon = Daemon::new();
    let first = ensure(&daemon.home, &own()).unwrap().greeting().pid;
    let keeper = daemon.keeper();
    tine_sys::tree::signal(Pid::from_raw(first.cast_signed()).unwrap(), 9).unwrap();
    // The socket was never closed: this waits in it for the next brain. A connection that the dying
    // one had in its hands is cut, and tried again.
    let second = ensure(&daemon.home, &own()).unwrap().greeting().pid;
    assert_ne!(first, second);
    assert_eq!(daemon.keeper(), keeper);
}

fn the_lock_is_held_for_life() {
    let daemon = Daemon::new();
    let file = |home: &Home| fs::File::options().read(true).open(home.lock()).unwrap();
    ensure(&daemon.home, &own()).unwrap();
    let lock = file(&daemon.home);
    let mine = || flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
    assert!(!mine());
    let text = fs::read_to_string(daemon.home.lock()).unwrap();
    assert_eq!(text.trim(), daemon.keeper().as_raw_pid().to_string());
    daemon.kill();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !mine() {
        assert!(Instant::now() < deadline, "the lock was not released");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn last_words_are_quoted() {
    let daemon = Daemon::new();
    daemon.home.prepare().unwrap();
    fs::write(daemon.home.log(), "words of another day\n").unwrap();
    // A brain that says why and ends, again and again.
    fs::write(daemon.home.folder().join(BREAK), "").unwrap();
    let begun = Instant::now();
    let error = ensure(&daemon.home, &own()).unwrap_err();
    assert!(matches!(error, LaunchError::Silent { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("| the brain is broken"), "{text}");
    assert!(!text.contains("another day"), "{text}");
    assert!(error.hint().contains("daemon.log"), "{}", error.hint());
    assert!(begun.elapsed() < Duration::from_secs(15));
    // It is mended, and the keeper that tries again and again starts a good one.
    fs::remove_file(daemon.home.folder().join(BREAK)).unwrap();
    ensure(&daemon.home, &own()).unwrap();
    assert_eq!(brains_of(&daemon.home).len(), 1);
}

fn what_is_in_the_way_is_named() {
    let daemon = Daemon::new();
    let home = &daemon.home;
    home.prepare().unwrap();

    let error = ensure(home, Path::new("/nowhere/tine")).unwrap_err();
    assert!(error.to_string().contains("/nowhere/tine"), "{error}");
    assert!(
        error.hint().contains("moved or removed"),
        "{}",
        error.hint()
    );
    fs::remove_file(home.control_socket()).unwrap();

    let error = ensure(home, Path::new("/bin/false")).unwrap_err();
    assert!(matches!(error, LaunchError::Ended { .. }), "{error:?}");
    assert!(error.to_string().contains("exit code 1"), "{error}");
    fs::remove_file(home.control_socket()).unwrap();

    fs::write(home.control_socket(), "mine").unwrap();
    let error = ensure(home, &own()).unwrap_err();
    assert!(error.to_string().contains("control.sock"), "{error}");
    assert_eq!(fs::read_to_string(home.control_socket()).unwrap(), "mine");
    fs::remove_file(home.control_socket()).unwrap();

    fs::remove_file(home.lock()).unwrap();
    fs::create_dir(home.lock()).unwrap();
    let error = ensure(home, &own()).unwrap_err();
    assert!(error.to_string().contains("daemon.lock"), "{error}");
    fs::remove_dir(home.lock()).unwrap();

    fs::set_permissions(home.folder(), fs::Permissions::from_mode(0o777)).unwrap();
    let error = ensure(home, &own()).unwrap_err();
    assert!(
        matches!(error, LaunchError::Home(HomeError::Open { .. })),
        "{error:?}"
    );
    fs::set_permissions(home.folder(), fs::Permissions::from_mode(0o700)).unwrap();

    assert_eq!(brains_of(home), [0_u32; 0]);
    ensure(home, &own()).unwrap();
}

fn in_the_foreground_it_makes_its_own_socket() {
    let daemon = Daemon::new();
    let first = Run::keeper(&daemon.home);
    let deadline = Instant::now() + Duration::from_secs(10);
    let client = loop {
        match Client::connect(&daemon.home.control_socket(), Duration::from_secs(10)) {
            Ok(client) => break client,
            Err(ClientError::NotRunning { .. }) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(daemon.keeper().as_raw_pid(), first.pid());
    let same = ensure(&daemon.home, &own()).unwrap().greeting().pid;
    assert_eq!(same, client.greeting().pid);
    // A second one is refused and disturbs nothing.
    let (code, said) = Run::keeper(&daemon.home).ended();
    assert_eq!(code, Some(4));
    assert!(said.contains("runs already"), "{said}");
    assert!(said.contains("tine kill"), "{said}");
    ensure(&daemon.home, &own()).unwrap();
    daemon.kill();
    first.ended();
}

fn a_replaced_program_is_found_by_its_path() {
    assert_eq!(own_program().unwrap(), own());
    let daemon = Daemon::new();
    daemon.home.prepare().unwrap();
    let copy = daemon.home.folder().join("program");
    fs::copy(own(), &copy).unwrap();
    for replaced in [true, false] {
        let asked = Run::own_program(&copy, &daemon.home);
        // As package managers do: another file under the name.
        if replaced {
            let other = daemon.home.folder().join("other");
            fs::copy(own(), &other).unwrap();
            fs::rename(&other, &copy).unwrap();
        }
        assert_eq!(asked.said_after_a_line(), copy.to_str().unwrap());
    }
}
