//! Unix sockets: shared like ports, and their files with them.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tine_testkit::http::who_answers;
use tine_testkit::{RunningTine, Tine, fixture, script};

const SECONDS: Duration = Duration::from_secs(20);
const POLICIES: [&str; 3] = ["rr", "shared", "kernel"];

fn pids(tine: &RunningTine) -> BTreeSet<u32> {
    tine.children().into_iter().collect()
}

#[test]
fn a_unix_socket_is_shared_and_its_file_goes_with_the_app() {
    for policy in POLICIES {
        let folder = script("unix.js", &fs::read_to_string(fixture("unix.js")).unwrap());
        let cwd = folder.folder().to_str().unwrap();
        let tine = Tine::workers("unix.js", 2)
            .balance(policy)
            .args(["--cwd", cwd])
            .env("SOCKET_PATH", "here.sock")
            .start();
        tine.wait_ready(SECONDS);
        let path = folder.folder().join("here.sock");
        let seen = who_answers(path.as_path(), 20);
        assert!(seen.is_subset(&pids(&tine)));
        assert!(policy != "rr" || seen.len() == 2);
        assert_eq!(tine.stop(), 0);
        assert!(!path.exists(), "{policy}: the file is gone");
    }
}

#[test]
fn a_path_longer_than_the_kernel_takes_is_listened_on_all_the_same() {
    let deep = script("unix.js", &fs::read_to_string(fixture("unix.js")).unwrap());
    let folder = deep.folder().join("d".repeat(120));
    fs::create_dir(&folder).unwrap();
    let path = folder.join("s");
    for policy in POLICIES {
        let tine = Tine::workers(&deep, 2)
            .balance(policy)
            .env("SOCKET_PATH", &path)
            .start();
        tine.wait_ready(SECONDS);
        // Its folder is the way to it, for clients too: whose path is short.
        let folder = fs::File::open(&folder).unwrap();
        let short = PathBuf::from(format!("/proc/self/fd/{}/s", folder.as_raw_fd()));
        assert!(who_answers(short, 10).is_subset(&pids(&tine)));
        assert_eq!(tine.stop(), 0);
        assert!(!path.exists());
    }
}

#[test]
fn a_unix_socket_is_as_open_as_the_program_wants_it() {
    let open = script(
        "open.js",
        "require('net').createServer().listen({ path: process.env.SOCKET_PATH,
           readableAll: process.env.OPEN.includes('r'), writableAll: process.env.OPEN.includes('w') });",
    );
    let path = open.folder().join("s");
    for (wanted, expected) in [("-", 0o700), ("r", 0o744), ("rw", 0o766)] {
        let tine = Tine::workers(&open, 2)
            .under(["sh", "-c", "umask 077; exec \"$0\" \"$@\""])
            .env("SOCKET_PATH", &path)
            .env("OPEN", wanted)
            .start();
        tine.wait_ready(SECONDS);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, expected, "{wanted}: {mode:o}");
        assert_eq!(tine.stop(), 0);
    }
}

#[test]
fn a_unix_socket_in_use_is_told_as_such() {
    let first = script("unix.js", &fs::read_to_string(fixture("unix.js")).unwrap());
    let path = first.folder().join("s");
    let one = Tine::workers(&first, 1).env("SOCKET_PATH", &path).start();
    one.wait_ready(SECONDS);
    let two = Tine::workers(&first, 1)
        .env("SOCKET_PATH", &path)
        .args(["--max-restarts", "1"])
        .start();
    assert_eq!(two.finish(), 1);
    assert!(
        two.err().iter().any(|line| line.contains("EADDRINUSE")),
        "{:?}",
        two.err()
    );
    assert_eq!(
        who_answers(path.as_path(), 3),
        pids(&one),
        "who was there first stays"
    );
    assert_eq!(one.stop(), 0);
}
