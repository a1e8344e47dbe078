//! Another program goes on where this one was. Without the test harness, whose image it would be
//! that is replaced.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod common;

use std::ffi::CString;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use common::{c, command, output};
use rustix::io::{FdFlags, fcntl_getfd};
use tine_sys::Pid;
use tine_sys::exec::replace;
use tine_sys::inherited::{keep_over_exec, take_descriptors};
use tine_sys::reap::{ExitStatus, wait_pid};
use tine_sys::socket::{TcpOptions, accept, listen, local_address, tcp_bind};
use tine_sys::spawn::{Spawn, spawn};
use tine_sys::steer::RoundRobin;

const ROLE: &str = "TINE_SYS_TEST_CHILD";
const KEPT: &str = "TINE_SYS_TEST_KEPT";
const SUCCESS: ExitStatus = ExitStatus::Code(0);

fn main() {
    match std::env::var(ROLE).as_deref() {
        Ok("becomes_cat") => return becomes_cat(),
        Ok("fails") => return fails_and_goes_on(),
        Ok("predecessor") => return predecessor(),
        Ok("successor") => return successor(),
        Ok("turns") => return turns_before(),
        Ok("turns_on") => return turns_after(),
        _ => {}
    }
    let tests: [(&str, fn()); 4] = [
        ("signals_are_as_a_program_expects_them", signals),
        ("a_program_that_cannot_be_executed_changes_nothing", failure),
        ("process_children_and_kept_descriptors_stay", kept),
        ("turns_go_on_in_the_next_image", turns),
    ];
    for (name, test) in tests {
        test();
        println!("{name}: ok");
    }
}

fn own_image() -> CString {
    c(std::env::current_exe().unwrap().to_str().unwrap())
}

/// This very test, as a child with a task.
fn in_role(role: &str) -> Spawn<'static> {
    let mut request = command(own_image().to_str().unwrap(), &[]);
    request.env.push(c(&format!("{ROLE}={role}")));
    request
}

fn status() -> String {
    fs::read_to_string("/proc/thread-self/status").unwrap()
}

/// One of the signal sets of a /proc status file.
fn mask(status: &str, label: &str) -> u64 {
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(label)).unwrap();
    u64::from_str_radix(value.trim(), 16).unwrap()
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// SIGTERM blocked, SIGUSR2 ignored (and SIGPIPE, as in every Rust program), SIGUSR1 handled.
fn unusual_signals() {
    extern "C" fn handler(_signal: libc::c_int) {}
    // SAFETY: a handler that does nothing.
    unsafe { libc::signal(libc::SIGUSR1, handler as *const () as libc::sighandler_t) };
    // SAFETY: no handler at all.
    unsafe { libc::signal(libc::SIGUSR2, libc::SIG_IGN) };
    // SAFETY: all zeros is an empty set on Linux.
    let mut blocked: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a live set.
    unsafe { libc::sigaddset(&mut blocked, libc::SIGTERM) };
    // SAFETY: a live set; the old one is not asked for. This thread only.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &blocked, std::ptr::null_mut()) };
    let status = status();
    assert_eq!(mask(&status, "SigBlk:"), bit(libc::SIGTERM));
    assert_ne!(mask(&status, "SigIgn:") & bit(libc::SIGPIPE), 0);
    assert_ne!(mask(&status, "SigCgt:") & bit(libc::SIGUSR1), 0);
}

fn becomes_cat() {
    unusual_signals();
    let failed = replace(
        c"/bin/cat",
        &[c("cat"), c("/proc/self/status")],
        &[c("A=1")],
        &[libc::SIGHUP],
    );
    panic!("{failed}");
}

fn signals() {
    let (status, ended) = output(&in_role("becomes_cat"));
    assert_eq!(ended, SUCCESS);
    assert!(status.starts_with("Name:\tcat\n"), "{status}");
    assert_eq!(mask(&status, "SigBlk:"), bit(libc::SIGHUP), "as asked");
    assert_eq!(mask(&status, "SigCgt:"), 0);
    let ignored = mask(&status, "SigIgn:");
    assert_eq!(ignored & bit(libc::SIGPIPE), 0, "back to default");
    assert_ne!(
        ignored & bit(libc::SIGUSR2),
        0,
        "ignored stays ignored: {ignored:x}"
    );
}

fn fails_and_goes_on() {
    unusual_signals();
    let before = status();
    let failed = replace(c"/nonexistent/program", &[c("program")], &[], &[]);
    let after = status();
    for label in ["SigBlk:", "SigCgt:", "SigIgn:"] {
        assert_eq!(mask(&before, label), mask(&after, label), "{label}");
    }
    print!("{:?}", failed.raw_os_error());
}

fn failure() {
    let expected = format!("{:?}", Some(libc::ENOENT));
    assert_eq!(output(&in_role("fails")), (expected, SUCCESS));
}

fn predecessor() {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    rustix::io::write(&write, b"kept").unwrap();
    keep_over_exec(read.as_fd(), true).unwrap();
    keep_over_exec(write.as_fd(), true).unwrap();
    keep_over_exec(write.as_fd(), false).unwrap();
    assert!(fcntl_getfd(&write).unwrap().contains(FdFlags::CLOEXEC));
    // Lives until something is written to it, so it outlives the exchange.
    let mut child = command("/bin/sh", &["-c", "read line; exit 7"]);
    let (theirs, ours) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    child.fds.push((theirs.as_fd(), 0));
    let child = spawn(&child).unwrap();
    keep_over_exec(ours.as_fd(), true).unwrap();
    let lost = asks_for_its_parents_death();
    let numbers = [
        std::process::id().to_string(),
        child.pid.as_raw_pid().to_string(),
        read.as_raw_fd().to_string(),
        ours.as_raw_fd().to_string(),
        write.as_raw_fd().to_string(),
        lost.to_string(),
    ];
    // Not from the first thread, whose place it takes.
    let other = std::thread::spawn(move || {
        let stays = asks_for_its_parents_death();
        let env = [
            c(&format!("{ROLE}=successor")),
            c(&format!("{KEPT}={} {stays}", numbers.join(" "))),
        ];
        replace(&own_image(), &[c("successor")], &env, &[])
    });
    panic!("{}", other.join().unwrap());
}

/// The number of a child that gets SIGUSR1 when the thread that calls this ends.
fn asks_for_its_parents_death() -> i32 {
    let mut request = command("/bin/sleep", &["60"]);
    request.parent_death_signal = Some(libc::SIGUSR1);
    spawn(&request).unwrap().pid.as_raw_pid()
}

/// Waits for the end of a child by its number.
fn end_of(pid: Pid) -> ExitStatus {
    let mut status = None;
    common::until("a child's end", || {
        status = wait_pid(pid).unwrap();
        status.is_some()
    });
    status.unwrap()
}

fn handed_over() -> Vec<i32> {
    let text = std::env::var(KEPT).unwrap();
    text.split(' ').map(|word| word.parse().unwrap()).collect()
}

fn successor() {
    let handed = handed_over();
    let [own, child, read, ours, not_kept, lost, stays] = handed[..] else {
        panic!("{handed:?}");
    };
    assert_eq!(own as u32, std::process::id());
    assert!(take_descriptors(&[not_kept]).is_err());
    let kept = take_descriptors(&[ours, read]).unwrap();
    let [ours, read] = <[OwnedFd; 2]>::try_from(kept).unwrap();
    // The other end was not kept, so this has an end.
    let mut text = String::new();
    fs::File::from(read).read_to_string(&mut text).unwrap();
    assert_eq!(text, "kept");
    let child = Pid::from_raw(child).unwrap();
    assert_eq!(wait_pid(child).unwrap(), None, "it still runs");
    fs::File::from(ours).write_all(b"end\n").unwrap();
    assert_eq!(end_of(child), ExitStatus::Code(7));
    // The thread that started this one is gone, the one that started the other has gone on as us.
    let by = |signal| ExitStatus::Signal {
        signal,
        core_dumped: false,
    };
    assert_eq!(end_of(Pid::from_raw(lost).unwrap()), by(libc::SIGUSR1));
    let stays = Pid::from_raw(stays).unwrap();
    rustix::process::kill_process(stays, rustix::process::Signal::TERM).unwrap();
    assert_eq!(end_of(stays), by(libc::SIGTERM));
    print!("{}", std::env::args().next().unwrap());
}

fn kept() {
    assert_eq!(
        output(&in_role("predecessor")),
        ("successor".to_owned(), SUCCESS)
    );
}

/// One connection after another; which listener got each.
fn spread(listeners: &[OwnedFd], connections: usize) -> Vec<usize> {
    let address = local_address(listeners[0].as_fd()).unwrap();
    let mut got = Vec::new();
    for _ in 0..connections {
        let _client = TcpStream::connect(address).unwrap();
        common::until("a connection", || {
            let taken = |fd: &OwnedFd| accept(fd.as_fd()).unwrap().is_some();
            let at = listeners.iter().position(taken);
            got.extend(at);
            at.is_some()
        });
    }
    got
}

fn keep_and_number<'a>(fds: impl Iterator<Item = &'a OwnedFd>) -> String {
    let kept = fds.map(|fd| {
        keep_over_exec(fd.as_fd(), true).unwrap();
        fd.as_raw_fd().to_string()
    });
    kept.collect::<Vec<_>>().join(" ")
}

fn turns_before() {
    let turns = match RoundRobin::new(8) {
        Ok(turns) => turns,
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
            print!("not shown: {error}");
            return;
        }
    };
    let options = TcpOptions {
        reuse_port: true,
        only_v6: None,
    };
    let mut address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut listeners = Vec::new();
    for position in 0..3 {
        let listener = tcp_bind(address, &options).unwrap();
        address = local_address(listener.as_fd()).unwrap();
        listen(listener.as_fd(), 16).unwrap();
        turns.set_socket(position, listener.as_fd()).unwrap();
        listeners.push(listener);
    }
    turns.attach(listeners[0].as_fd()).unwrap();
    turns.set_live(&[0, 1, 2]).unwrap();
    assert_eq!(spread(&listeners, 4), [0, 1, 2, 0]);

    // What another version, or a mistake, may hand over.
    let refused = |fds: Vec<OwnedFd>| RoundRobin::from_descriptors(fds).unwrap_err().to_string();
    assert!(refused(Vec::new()).contains("0 descriptors"));
    let null = || OwnedFd::from(fs::File::open("/dev/null").unwrap());
    let said = refused(vec![null(), null(), null()]);
    assert!(said.contains("adopting the map of live sockets"), "{said}");
    let mut mixed = RoundRobin::new(4).unwrap().into_descriptors();
    mixed.swap(0, 1);
    assert!(refused(mixed).contains("it is something else"));
    let other = RoundRobin::new(4).unwrap().into_descriptors();
    let mut mixed = RoundRobin::new(5).unwrap().into_descriptors();
    mixed.splice(..1, other.into_iter().take(1));
    let said = refused(mixed);
    assert!(said.contains("5 sockets"), "{said}");

    let turns = turns.into_descriptors();
    let numbers = keep_and_number(listeners.iter().chain(&turns));
    let env = [
        c(&format!("{ROLE}=turns_on")),
        c(&format!("{KEPT}={numbers}")),
    ];
    panic!("{}", replace(&own_image(), &[c("turns_on")], &env, &[]));
}

fn turns_after() {
    let mut listeners = take_descriptors(&handed_over()).unwrap();
    let turns = RoundRobin::from_descriptors(listeners.split_off(3)).unwrap();
    assert_eq!(turns.capacity(), 8);
    assert_eq!(spread(&listeners, 5), [1, 2, 0, 1, 2], "where they were");
    turns.set_live(&[2, 0]).unwrap();
    let mut got = spread(&listeners, 4);
    got.sort_unstable();
    assert_eq!(got, [0, 0, 2, 2]);
    // A new member, at a position that was empty.
    let options = TcpOptions {
        reuse_port: true,
        only_v6: None,
    };
    let address = local_address(listeners[0].as_fd()).unwrap();
    let fourth = tcp_bind(address, &options).unwrap();
    listen(fourth.as_fd(), 16).unwrap();
    turns.set_socket(7, fourth.as_fd()).unwrap();
    turns.set_live(&[7]).unwrap();
    listeners.push(fourth);
    assert_eq!(spread(&listeners, 3), [3, 3, 3]);
    turns.attach(listeners[0].as_fd()).unwrap();
    assert_eq!(spread(&listeners, 3), [3, 3, 3]);
    print!("turns go on");
}

fn turns() {
    let (said, status) = output(&in_role("turns"));
    assert_eq!(status, SUCCESS, "{said}");
    if said != "turns go on" {
        assert!(said.starts_with("not shown"), "{said}");
        println!("{said}");
    }
}
