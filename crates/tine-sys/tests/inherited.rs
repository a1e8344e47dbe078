//! What a parent passed is taken at the start of the program. Without the test harness, because
//! that has threads and descriptors of its own before any test begins.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod common;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;

use common::{Ends, c, command, ended, output};
use rustix::io::{FdFlags, fcntl_getfd};
use tine_sys::inherited::{take_channel, take_descriptors, take_inherited};
use tine_sys::reap::ExitStatus;
use tine_sys::spawn::{Spawn, spawn};

const ROLE: &str = "TINE_SYS_TEST_CHILD";
const CHANNEL: &str = "TINE_SYS_TEST_CHANNEL";

fn main() {
    match std::env::var(ROLE).as_deref() {
        Ok("everything") => return child_takes_everything(),
        Ok("channel") => return child_takes_the_channel(),
        Ok("numbers") => return child_takes_numbers(),
        _ => {}
    }
    let tests: [(&str, fn()); 4] = [
        (
            "everything_passed_is_taken_and_goes_no_further",
            everything_passed_is_taken_and_goes_no_further,
        ),
        (
            "the_channel_is_taken_from_any_number",
            the_channel_is_taken_from_any_number,
        ),
        (
            "what_names_no_channel_is_refused",
            what_names_no_channel_is_refused,
        ),
        (
            "numbers_are_taken_all_or_none",
            numbers_are_taken_all_or_none,
        ),
    ];
    for (name, test) in tests {
        test();
        println!("{name}: ok");
    }
}

/// This very test, as a child with a task.
fn own_image(role: &str) -> Spawn<'static> {
    let own = std::env::current_exe().unwrap();
    let mut request = command(own.to_str().unwrap(), &[]);
    request.env.push(c(&format!("{ROLE}={role}")));
    request
}

fn child_takes_everything() {
    let taken = take_inherited().unwrap();
    let numbers: Vec<i32> = taken.keys().copied().collect();
    assert!(taken.iter().all(|(number, fd)| fd.as_raw_fd() == *number));
    for fd in taken.values() {
        assert!(fcntl_getfd(fd).unwrap().contains(FdFlags::CLOEXEC));
    }
    let again = take_inherited().unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    let again = take_descriptors(&[100]).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    print!("{numbers:?}");
}

fn everything_passed_is_taken_and_goes_no_further() {
    let mut request = own_image("everything");
    let nothing = fs::File::open("/dev/null").unwrap();
    request.fds = [3, 7, 100].map(|to| (nothing.as_fd(), to)).to_vec();
    assert_eq!(
        output(&request),
        ("[3, 7, 100]".to_owned(), ExitStatus::Code(0))
    );
    request.fds.clear();
    assert_eq!(output(&request), ("[]".to_owned(), ExitStatus::Code(0)));
    // Descriptors it did not pass are none of its business either.
    let child = spawn(&command("/bin/true", &[])).unwrap();
    assert_eq!(ended(&child), ExitStatus::Code(0));
}

fn child_takes_the_channel() {
    let channel = take_channel(CHANNEL).unwrap().unwrap();
    let number: i32 = std::env::var(CHANNEL).unwrap().parse().unwrap();
    assert!(fcntl_getfd(&channel).unwrap().contains(FdFlags::CLOEXEC));
    if number >= 3 {
        assert_eq!(channel.as_raw_fd(), number);
    } else {
        assert!(channel.as_raw_fd() >= 3);
        let there = fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
        assert_eq!(there.to_str(), Some("/dev/null"));
        let flags = match number {
            0 => fcntl_getfd(std::io::stdin()),
            1 => fcntl_getfd(std::io::stdout()),
            _ => fcntl_getfd(std::io::stderr()),
        };
        assert!(
            !flags.unwrap().contains(FdFlags::CLOEXEC),
            "stays for children"
        );
        // Neither number may come to a second owner.
        let moved = take_descriptors(&[channel.as_raw_fd()]).unwrap_err();
        assert_eq!(moved.kind(), ErrorKind::AlreadyExists, "{moved}");
    }
    let again = take_channel(CHANNEL).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists, "{again}");
    // Noise on all three; and programs it starts have no part in the channel.
    println!("to standard output");
    eprint!("");
    let mut nothing = String::new();
    std::io::stdin().read_to_string(&mut nothing).unwrap();
    assert_eq!(nothing, "");
    let child = spawn(&command("/bin/echo", &["from a grandchild"])).unwrap();
    assert_eq!(ended(&child), ExitStatus::Code(0));
    let mut channel = UnixStream::from(channel);
    channel.write_all(b"the channel").unwrap();
}

fn the_channel_is_taken_from_any_number() {
    for number in [0, 1, 2, 3, 77] {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let nothing = fs::File::options()
            .read(true)
            .write(true)
            .open("/dev/null")
            .unwrap();
        let mut request = own_image("channel");
        request.env.push(c(&format!("{CHANNEL}={number}")));
        request.fds = vec![(theirs.as_fd(), number)];
        let others = [0, 1].into_iter().filter(|other| *other != number);
        request
            .fds
            .extend(others.map(|other| (nothing.as_fd(), other)));
        let child = Ends(spawn(&request).unwrap());
        drop(request);
        drop(theirs);
        let mut heard = String::new();
        ours.set_read_timeout(Some(common::PATIENCE)).unwrap();
        ours.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "the channel", "as {number}");
        assert_eq!(ended(&child.0), ExitStatus::Code(0), "as {number}");
    }
}

fn what_names_no_channel_is_refused() {
    assert!(take_channel(CHANNEL).unwrap().is_none());
    let refused = |value: &str| {
        let mut request = own_image("channel");
        request.env.push(c(&format!("{CHANNEL}={value}")));
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        request.fds.push((write.as_fd(), 2));
        let child = Ends(spawn(&request).unwrap());
        drop(request);
        drop(write);
        let mut said = String::new();
        fs::File::from(read).read_to_string(&mut said).unwrap();
        assert_eq!(ended(&child.0), ExitStatus::Code(101));
        said
    };
    for value in ["no number", "-1", "", "99999999999"] {
        let said = refused(value);
        assert!(said.contains("names no descriptor"), "{value}: {said}");
    }
    let said = refused("55");
    assert!(said.contains(&format!("55 of {CHANNEL}")), "{said}");
    assert!(said.contains("Bad file descriptor"), "{said}");
}

fn child_takes_numbers() {
    let refused = |numbers: &[i32]| take_descriptors(numbers).unwrap_err();
    assert_eq!(refused(&[3, 2]).kind(), ErrorKind::InvalidInput);
    assert_eq!(refused(&[3, 3]).kind(), ErrorKind::InvalidInput);
    let closed = refused(&[3, 50]).to_string();
    assert!(
        closed.contains("50") && closed.contains("Bad file"),
        "{closed}"
    );
    // Not one of those was taken.
    let taken = take_descriptors(&[9, 3]).unwrap();
    let numbers: Vec<i32> = taken.iter().map(AsRawFd::as_raw_fd).collect();
    for fd in &taken {
        assert!(fcntl_getfd(fd).unwrap().contains(FdFlags::CLOEXEC));
    }
    assert_eq!(refused(&[3]).kind(), ErrorKind::AlreadyExists);
    drop(taken);
    assert_eq!(
        refused(&[3]).kind(),
        ErrorKind::AlreadyExists,
        "closed is not free"
    );
    assert_eq!(
        take_inherited().unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    assert_eq!(take_descriptors(&[12]).unwrap().len(), 1);
    print!("{numbers:?}");
}

fn numbers_are_taken_all_or_none() {
    let mut request = own_image("numbers");
    let nothing = fs::File::open("/dev/null").unwrap();
    request.fds = [3, 9, 12].map(|to| (nothing.as_fd(), to)).to_vec();
    assert_eq!(output(&request), ("[9, 3]".to_owned(), ExitStatus::Code(0)));
}
