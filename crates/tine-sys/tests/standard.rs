//! Standard input, output and error are numbers like all others. Without the test harness, because
//! they must be three different things here, and the first descriptors to be moved.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod common;

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use common::{c, command, ended};
use tine_sys::reap::ExitStatus;
use tine_sys::spawn::spawn;

const ROLE: &str = "TINE_SYS_TEST_CHILD";

fn main() {
    if std::env::var_os(ROLE).is_some() {
        return child();
    }
    standard_descriptors_swap();
    println!("standard_descriptors_swap: ok");
}

/// Has three different files as 0, 1 and 2, and a pipe as 5.
fn child() {
    let (zero, one, two) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let five = tine_sys::inherited::take_descriptors(&[5]).unwrap();
    // Turned around, and each of them at a higher number too; one of those is that of the pipe,
    // which is itself needed at 9.
    let mut request = command("/bin/sh", &["-c", "ls -l /proc/self/fd 8>&1 >&9"]);
    request.fds = vec![
        (zero.as_fd(), 1),
        (one.as_fd(), 2),
        (two.as_fd(), 0),
        (zero.as_fd(), 5),
        (one.as_fd(), 6),
        (two.as_fd(), 7),
        (five[0].as_fd(), 9),
    ];
    let lister = spawn(&request).unwrap();
    assert_eq!(ended(&lister), ExitStatus::Code(0));
}

fn standard_descriptors_swap() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = ["a", "b", "c"]
        .map(|name| folder.path().join(name))
        .to_vec();
    let files: Vec<OwnedFd> = paths
        .iter()
        .map(|path| File::create(path).unwrap().into())
        .collect();
    let own = std::env::current_exe().unwrap();
    let mut request = command(own.to_str().unwrap(), &[]);
    request.env.push(c(&format!("{ROLE}=1")));
    request.fds = (0..).zip(&files).map(|(to, fd)| (fd.as_fd(), to)).collect();
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    request.fds.push((write.as_fd(), 5));
    let child = spawn(&request).unwrap();
    drop(request);
    drop(write);
    let listed = std::io::read_to_string(File::from(read)).unwrap();
    let said = std::fs::read_to_string(&paths[2]).unwrap();
    assert_eq!(ended(&child), ExitStatus::Code(0), "{said}");
    // What was 1 is told as 8, because 1 is where that list went.
    for (number, file) in [(8, 0), (2, 1), (0, 2), (5, 0), (6, 1), (7, 2)] {
        let line = format!(" {number} -> {}\n", paths[file].display());
        assert!(listed.contains(&line), "{line} in {listed}");
    }
}
