//! `tine send` and `tine attach`.

use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use crate::support::*;

/// Says again what it is told.
fn echo(home: &Home) {
    home.write("echo.py", "import sys\nprint('listening', flush=True)\nfor line in sys.stdin: print('heard', line.strip(), flush=True)\n");
    start(home, &["echo.py"]);
    wait_text(home, ".tine/logs/echo-out.log", "listening\n");
}

#[test]
fn a_line_reaches_the_standard_input() {
    let home = home();
    echo(&home);
    home.ok(["send", "echo", "one"]);
    home.ok(["send", "0", "--two words"]);
    let log = wait_text(&home, ".tine/logs/echo-out.log", "two words");
    assert_eq!(log, "listening\nheard one\nheard --two words\n");
    home.refused(5, ["send", "web", "x"]).says("web").hints();
    home.ok(["stop", "echo"]);
    let said = home.run(["send", "echo", "x"]);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.starts_with("error: "), "{said:?}");
}

#[test]
fn attached_one_hears_and_speaks() {
    let home = home();
    echo(&home);
    let (read, mut write) = std::io::pipe().unwrap();
    let attached = home
        .call(["attach", "echo"])
        .start_with_stdin(Stdio::from(OwnedFd::from(read)));
    // What is typed before it is attached is not lost.
    write.write_all(b"by hand\n").unwrap();
    wait_text(&home, ".tine/logs/echo-out.log", "heard by hand");
    write.write_all(b"and again\n").unwrap();
    attached.wait_for_line(
        |line| line.text.contains("heard and again"),
        "the answer",
        SECONDS,
    );
    attached.signal(Signal::INT);
    assert!(is_interrupted(attached.wait_exit(SECONDS)));
    assert_eq!(home.process("echo")["status"], "online");
    home.refused(5, ["attach", "web"]).says("web").hints();
}
