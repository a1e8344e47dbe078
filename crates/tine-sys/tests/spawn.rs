//! A new process is exactly what was asked for, or it does not exist.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::{Ends, c, command, ended, output, shell};
use rustix::io::Errno;
use tine_sys::reap::ExitStatus;
use tine_sys::spawn::{Spawn, SpawnError, Step, spawn};

const SUCCESS: ExitStatus = ExitStatus::Code(0);

/// The child's descriptors and what they are, without the one `ls` lists them through.
fn descriptors(request: &Spawn<'_>) -> BTreeMap<i32, String> {
    let (text, status) = output(request);
    assert_eq!(status, SUCCESS);
    text.lines()
        .filter_map(|line| line.split_once(" -> "))
        .filter(|(_, target)| !target.starts_with("/proc/"))
        .map(|(head, target)| {
            (
                head.rsplit(' ').next().unwrap().parse().unwrap(),
                target.to_owned(),
            )
        })
        .collect()
}

fn list_descriptors() -> Spawn<'static> {
    command("/bin/ls", &["-l", "/proc/self/fd"])
}

fn file(folder: &Path, name: &str, content: &str, mode: u32) -> String {
    let path = folder.join(name);
    File::create(&path)
        .unwrap()
        .write_all(content.as_bytes())
        .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn open(path: &str) -> OwnedFd {
    File::open(path).unwrap().into()
}

#[test]
fn arguments_environment_and_directory_are_as_asked() {
    let mut request = command("/usr/bin/env", &[]);
    request.env = vec![c("A=1"), c("B=two words")];
    assert_eq!(output(&request), ("A=1\nB=two words\n".to_owned(), SUCCESS));

    let mut request = shell("printf '%s|' \"$0\" \"$@\"; pwd");
    request.argv.extend([c("name"), c(""), c("a b")]);
    request.cwd = Some(c("/usr"));
    assert_eq!(output(&request).0, "name||a b|/usr\n");
}

#[test]
fn a_limit_of_descriptors_holds_for_the_new_process_alone() {
    use rustix::process::{Resource, getrlimit};
    let own = getrlimit(Resource::Nofile);
    // A shell need not know numbers of three digits.
    let mut request = shell("ulimit -Sn; ulimit -Hn; read line </proc/self/fd/300 && echo $line");
    let folder = tempfile::tempdir().unwrap();
    let file = open(&file(folder.path(), "f", "beyond\n", 0o644));
    // Placed where the limit no longer reaches.
    request.fds = vec![(file.as_fd(), 300)];
    request.nofile = Some((64, 128));
    assert_eq!(output(&request), ("64\n128\nbeyond\n".to_owned(), SUCCESS));
    assert_eq!(getrlimit(Resource::Nofile), own);

    request.nofile = Some((129, 128));
    let error = spawn(&request).unwrap_err();
    assert_eq!((error.step, error.errno), (Step::Limit, Errno::INVAL));
    assert!(error.to_string().contains("129 of at most 128"), "{error}");
}

#[test]
fn descriptors_arrive_at_their_numbers_even_when_they_swap() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<String> = ["a", "b", "c", "d"]
        .iter()
        .map(|name| file(folder.path(), name, name, 0o644))
        .collect();
    let fds: Vec<OwnedFd> = paths.iter().map(|path| open(path)).collect();
    let number = |index: usize| fds[index].as_raw_fd();
    let free = 200;
    let mut request = list_descriptors();
    request.fds = vec![
        (fds[0].as_fd(), number(1)), // a and b swap,
        (fds[1].as_fd(), number(0)),
        (fds[2].as_fd(), number(2)), // c stays,
        (fds[3].as_fd(), free),      // d goes to two places,
        (fds[3].as_fd(), 0),
        (fds[0].as_fd(), number(3)), // one of them left to a, which so goes to two as well.
    ];
    let seen = descriptors(&request);
    let expected = [
        (number(1), &paths[0]),
        (number(0), &paths[1]),
        (number(2), &paths[2]),
        (free, &paths[3]),
        (0, &paths[3]),
        (number(3), &paths[0]),
    ];
    for (number, path) in expected {
        assert_eq!(
            seen.get(&number),
            Some(path),
            "descriptor {number} of {seen:?}"
        );
    }
    assert_eq!(seen.len(), expected.len() + 2, "and 1 and 2: {seen:?}");
}

#[test]
fn a_chain_of_numbers_each_another_ones_target_is_not_confused() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<String> = (0..8)
        .map(|n| file(folder.path(), &n.to_string(), "", 0o644))
        .collect();
    let fds: Vec<OwnedFd> = paths.iter().map(|path| open(path)).collect();
    for step in 0..8 {
        let mut request = list_descriptors();
        let target = |index: usize| fds[(index + step) % 8].as_raw_fd();
        request.fds = fds
            .iter()
            .enumerate()
            .map(|(index, fd)| (fd.as_fd(), target(index)))
            .collect();
        let seen = descriptors(&request);
        for (index, path) in paths.iter().enumerate() {
            assert_eq!(
                seen.get(&target(index)),
                Some(path),
                "turned by {step}: {seen:?}"
            );
        }
    }
}

#[test]
fn no_other_descriptor_leaks_not_even_one_without_close_on_exec() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(folder.path(), "secret", "", 0o644);
    let opened = open(&secret);
    // `dup` leaves close-on-exec off.
    let leaky = rustix::io::dup(&opened).unwrap();
    let seen = descriptors(&list_descriptors());
    assert_eq!(
        seen.keys().copied().collect::<Vec<_>>(),
        [0, 1, 2],
        "{seen:?}"
    );
    let mut request = list_descriptors();
    request.fds = vec![(leaky.as_fd(), 77)];
    let seen = descriptors(&request);
    assert_eq!(
        seen.keys().copied().collect::<Vec<_>>(),
        [0, 1, 2, 77],
        "{seen:?}"
    );
    assert_eq!(seen[&77], secret);
    drop(leaky);
}

extern "C" fn handler(_signal: libc::c_int) {}

/// The masks of a /proc status file.
fn mask(status: &str, label: &str) -> u64 {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(label))
        .unwrap();
    u64::from_str_radix(value.trim(), 16).unwrap()
}

#[test]
fn signals_are_as_a_program_expects_them() {
    let bit = |signal: i32| 1_u64 << (signal - 1);
    let real_time = libc::SIGRTMIN() + 3;
    for signal in [libc::SIGUSR1, libc::SIGRTMAX()] {
        // SAFETY: a handler that does nothing.
        unsafe { libc::signal(signal, handler as *const () as libc::sighandler_t) };
    }
    for signal in [libc::SIGUSR2, real_time, libc::SIGPIPE] {
        // SAFETY: no handler at all.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // SAFETY: all zeros is an empty set on Linux.
    let mut blocked: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a live set.
    unsafe { libc::sigaddset(&mut blocked, libc::SIGTERM) };
    // SAFETY: a live set; the old one is not asked for. This thread only.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &blocked, std::ptr::null_mut()) };

    let before = fs::read_to_string("/proc/thread-self/status").unwrap();
    let (child, _) = output(&command("/bin/cat", &["/proc/self/status"]));
    let after = fs::read_to_string("/proc/thread-self/status").unwrap();

    assert_eq!(mask(&child, "SigBlk:"), 0);
    assert_eq!(mask(&child, "SigCgt:"), 0);
    let ignored = mask(&child, "SigIgn:");
    assert_eq!(
        ignored & bit(libc::SIGPIPE),
        0,
        "SIGPIPE is back to default"
    );
    assert_ne!(ignored & bit(libc::SIGUSR2), 0, "ignored stays ignored");
    assert_ne!(ignored & bit(real_time), 0, "ignored stays ignored");

    // And the caller has kept what it had.
    for label in ["SigBlk:", "SigCgt:", "SigIgn:"] {
        assert_eq!(mask(&before, label), mask(&after, label), "{label}");
    }
    assert_ne!(mask(&after, "SigBlk:") & bit(libc::SIGTERM), 0);
    assert_ne!(mask(&after, "SigCgt:") & bit(libc::SIGUSR1), 0);
}

#[test]
fn a_new_session_is_led_by_the_child() {
    let session = |request: &Spawn<'_>| {
        let (stat, _) = output(request);
        let fields: Vec<i32> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_ascii_whitespace()
            .filter_map(|field| field.parse().ok())
            .collect();
        let pid: i32 = stat.split(' ').next().unwrap().parse().unwrap();
        (pid, fields[1], fields[2])
    };
    let mut request = command("/bin/cat", &["/proc/self/stat"]);
    let (pid, group, of_caller) = session(&request);
    assert!(pid != group && pid != of_caller);
    request.new_session = true;
    let (pid, group, own) = session(&request);
    assert_eq!((group, own), (pid, pid));
}

fn failure(request: &Spawn<'_>) -> SpawnError {
    spawn(request).expect_err("this cannot start")
}

#[test]
fn what_cannot_start_says_at_which_step_and_leaves_no_zombie() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").to_str().unwrap().to_owned();
    let closed = file(folder.path(), "closed", "#!/bin/sh\n", 0o644);
    let plain = file(folder.path(), "plain", "echo no first line\n", 0o755);
    let lost = file(folder.path(), "lost", "#!/nonexistent/interpreter\n", 0o755);
    let at = |step: Step, errno: Errno, request: &Spawn<'_>| {
        let error = failure(request);
        assert_eq!((error.step, error.errno), (step, errno), "{error}");
        error.to_string()
    };

    let text = at(Step::Execute, Errno::NOENT, &command(&missing, &[]));
    assert_eq!(
        text,
        format!("executing {missing}: No such file or directory")
    );
    let text = at(Step::Execute, Errno::ACCESS, &command(&closed, &[]));
    assert_eq!(text, format!("executing {closed}: Permission denied"));
    let text = at(Step::Execute, Errno::NOEXEC, &command(&plain, &[]));
    assert!(text.contains("#!"), "{text}");
    let text = at(Step::Execute, Errno::NOENT, &command(&lost, &[]));
    assert!(
        text.ends_with("(the interpreter it names does not exist)"),
        "{text}"
    );
    at(
        Step::Execute,
        Errno::ACCESS,
        &command(folder.path().to_str().unwrap(), &[]),
    );

    let mut request = command("/bin/true", &[]);
    request.cwd = Some(c(&missing));
    let text = at(Step::Directory, Errno::NOENT, &request);
    assert_eq!(
        text,
        format!("entering directory {missing}: No such file or directory")
    );

    let fd = open(&plain);
    let mut request = command("/bin/true", &[]);
    request.fds = vec![(fd.as_fd(), 5), (fd.as_fd(), 5)];
    at(Step::Descriptor, Errno::INVAL, &request);
    request.fds = vec![(fd.as_fd(), -1)];
    at(Step::Descriptor, Errno::INVAL, &request);
    request.fds = vec![(fd.as_fd(), i32::MAX)];
    let text = at(Step::Descriptor, Errno::BADF, &request);
    assert!(text.contains("descriptor 2147483647"), "{text}");

    let mut request = command("/bin/true", &[]);
    request.parent_death_signal = Some(999);
    at(Step::DeathSignal, Errno::INVAL, &request);

    // A child that has executed nothing still has the name of the thread it was made by.
    let own_name = fs::read_to_string("/proc/thread-self/comm").unwrap();
    let own = format!(" Z {} ", std::process::id());
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let ours = stat.contains(&own) && stat.contains(&format!("({})", own_name.trim()));
        assert!(!ours, "left behind: {stat}");
    }
}

#[test]
fn another_user_and_group_or_a_clear_refusal() {
    const NOBODY: u32 = 54321;
    let mut request = command("/usr/bin/id", &[]);
    request.gid = Some(NOBODY);
    request.uid = Some(NOBODY);
    if rustix::process::geteuid().is_root() {
        let groups: [libc::gid_t; 2] = [1, 2];
        // SAFETY: reads two group numbers. The plain call changes this thread only.
        let set = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
        assert_eq!(set, 0);
        let (text, status) = output(&request);
        assert_eq!(status, SUCCESS);
        let ids: Vec<&str> = text.trim().split(' ').collect();
        for (id, name) in ids.iter().zip(["uid", "gid", "groups"]) {
            assert!(id.starts_with(&format!("{name}={NOBODY}")), "{text}");
            assert!(!id.contains(','), "no other groups: {text}");
        }
        // Each of the two alone leaves no other group either.
        for (uid, gid) in [(Some(NOBODY), None), (None, Some(NOBODY))] {
            let mut alone = command("/usr/bin/id", &[]);
            (alone.uid, alone.gid) = (uid, gid);
            let (text, status) = output(&alone);
            assert_eq!(status, SUCCESS);
            let id = |id: Option<u32>| id.unwrap_or(0);
            assert!(text.contains(&format!("uid={}", id(uid))), "{text}");
            assert!(text.contains(&format!("gid={}", id(gid))), "{text}");
            assert!(text.contains(&format!("groups={}", id(gid))), "{text}");
            assert!(!text.contains(','), "no other groups: {text}");
        }
        // The child borrowed our memory while it changed; that must leave no trace.
        let dumpable = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(dumpable, rustix::process::DumpableBehavior::Dumpable);
    } else {
        let error = failure(&request);
        assert_eq!(
            (error.step, error.errno),
            (Step::Group, Errno::PERM),
            "{error}"
        );
    }
    // What one already is needs no privilege.
    request.gid = Some(rustix::process::getegid().as_raw());
    request.uid = Some(rustix::process::geteuid().as_raw());
    assert_eq!(output(&request).1, SUCCESS);
}

#[test]
fn the_child_of_a_thread_that_ends_gets_its_signal() {
    let child = std::thread::spawn(|| {
        let mut request = command("/bin/sleep", &["600"]);
        request.parent_death_signal = Some(libc::SIGUSR1);
        Ends(spawn(&request).unwrap())
    });
    let child = child.join().unwrap();
    let signal = ExitStatus::Signal {
        signal: libc::SIGUSR1,
        core_dumped: false,
    };
    assert_eq!(ended(&child.0), signal);
}

#[test]
fn many_threads_may_spawn_at_once() {
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            std::thread::spawn(move || {
                for round in 0..50 {
                    let code = thread * 50 + round;
                    let child = spawn(&shell(&format!("exit {code}"))).unwrap();
                    assert_eq!(ended(&child), ExitStatus::Code(code));
                    assert!(spawn(&command("/nonexistent", &[])).is_err());
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
