//! What a parent passed is taken at the start of the program. Without the test harness, because
//! that has threads and descriptors of its own before any test begins.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod common;

use std::os::fd::{AsFd, AsRawFd};

use common::{c, command, ended, output};
use tine_sys::inherited::take_inherited;
use tine_sys::reap::ExitStatus;

const ROLE: &str = "TINE_SYS_TEST_IS_THE_CHILD";

fn main() {
    if std::env::var_os(ROLE).is_some() {
        child();
    } else {
        everything_passed_is_taken_and_goes_no_further();
        println!("everything_passed_is_taken_and_goes_no_further: ok");
    }
}

fn child() {
    let taken = take_inherited().unwrap();
    let numbers: Vec<i32> = taken.keys().copied().collect();
    assert!(taken.iter().all(|(number, fd)| fd.as_raw_fd() == *number));
    for fd in taken.values() {
        let flags = rustix::io::fcntl_getfd(fd).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
    let again = take_inherited().unwrap_err();
    assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
    print!("{numbers:?}");
}

fn everything_passed_is_taken_and_goes_no_further() {
    let own = std::env::current_exe().unwrap();
    let mut request = command(own.to_str().unwrap(), &[]);
    request.env.push(c(&format!("{ROLE}=1")));
    let nothing = std::fs::File::open("/dev/null").unwrap();
    request.fds = [3, 7, 100].map(|to| (nothing.as_fd(), to)).to_vec();
    assert_eq!(
        output(&request),
        ("[3, 7, 100]".to_owned(), ExitStatus::Code(0))
    );
    request.fds.clear();
    assert_eq!(output(&request), ("[]".to_owned(), ExitStatus::Code(0)));
    // Descriptors it did not pass are none of its business either.
    let child = tine_sys::spawn::spawn(&command("/bin/true", &[])).unwrap();
    assert_eq!(ended(&child), ExitStatus::Code(0));
}
