//! `tine logs`, `flush` and `reloadLogs`.

use crate::support::*;
use tine_testkit::lines::Stream;

/// An app that has written so many lines to each of its streams, and then waits for `more`.
fn writer(home: &Home, lines: u32) {
    home.write(
        "writes.sh",
        format!(
            "i=1; while [ $i -le {lines} ]; do echo out $i; echo err $i >&2; i=$((i+1)); done
             touch written
             while :; do if [ -e more ]; then rm more; echo more out; echo more err >&2; fi; \
             sleep 0.05; done"
        ),
    );
    start(home, &["writes.sh"]);
    until("the lines", SECONDS, || {
        home.folder().join("written").exists()
    });
    wait_text(home, ".tine/logs/writes-out.log", &format!("out {lines}\n"));
    wait_text(
        home,
        ".tine/logs/writes-error.log",
        &format!("err {lines}\n"),
    );
}

#[test]
fn the_last_lines_of_both_streams_or_one() {
    let home = home();
    writer(&home, 30);
    let lines = |words: &[&str]| -> Vec<String> {
        let said = home.ok([&["logs", "--nostream", "--raw"], words].concat());
        said.out
            .lines()
            .chain(said.err.lines())
            .map(ToOwned::to_owned)
            .collect()
    };
    let last = |word: &str, from: u32| {
        (from..=30)
            .map(|n| format!("{word} {n}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&["--out", "--lines", "3"]), last("out", 28));
    assert_eq!(lines(&["--err", "--lines", "2"]), last("err", 29));
    assert_eq!(lines(&["--out"]), last("out", 16));
    let both = lines(&["--lines", "2"]);
    for line in ["out 30", "err 30"] {
        assert!(both.iter().any(|one| one == line), "{both:?}");
    }
    assert_eq!(lines(&["--lines", "0"]), Vec::<String>::new());
}

#[test]
fn a_line_says_whose_it_is() {
    let home = home();
    writer(&home, 1);
    let text = home.ok(["logs", "writes", "--nostream", "--out"]).out;
    assert!(
        text.starts_with("0|writes") && text.ends_with("| out 1\n"),
        "{text:?}"
    );
    let json = home
        .ok(["logs", "0", "--nostream", "--out", "--json"])
        .json();
    assert_eq!(
        (&json["message"], &json["type"]),
        (&json!("out 1"), &json!("out"))
    );
    assert_eq!(
        (&json["app_name"], &json["process_id"]),
        (&json!("writes"), &json!(0))
    );
    let text = home.ok(["logs", "--nostream", "--out", "--format"]).out;
    assert!(
        text.contains("app=writes id=0 type=out message=out 1"),
        "{text}"
    );
    home.ok(["logs", "--nostream", "--out", "--timestamp"]);
    home.ok(["logs", "--nostream", "--out", "--highlight", "out"]);
    home.refused(5, ["logs", "web", "--nostream"])
        .says("web")
        .hints();
}

#[test]
fn what_comes_is_followed_until_it_is_interrupted() {
    let home = home();
    writer(&home, 5);
    let following = home.call(["logs", "--raw", "--lines", "1"]).start();
    following.wait_for_line(|line| line.text == "out 5", "the last line", SECONDS);
    home.write("more", "");
    let line = following.wait_for_line(|line| line.text == "more err", "more", SECONDS);
    assert_eq!(line.stream, Stream::Stderr);
    let line = following.wait_for_line(|line| line.text == "more out", "more", SECONDS);
    assert_eq!(line.stream, Stream::Stdout);
    // A replaced process is followed on.
    home.ok(["restart", "writes"]);
    let from = following.lines().count();
    home.write("more", "");
    following.wait_for_line_from(from, |line| line.text == "more out", "more", SECONDS);
    following.signal(Signal::INT);
    assert!(is_interrupted(following.wait_exit(SECONDS)));
}

#[test]
fn only_the_wanted_stream_of_the_wanted_app_is_followed() {
    let home = home();
    writer(&home, 1);
    start(&home, &["app.sh"]);
    let following = home
        .call(["logs", "/^wri/", "--err", "--lines", "0"])
        .start();
    // The first lines come when it is connected; there are none, so they are asked for until heard.
    until("a line of what is followed", SECONDS, || {
        home.write("more", "");
        following.lines().count() > 0
    });
    for line in following.lines().all() {
        assert!(line.text.ends_with("more err"), "{}", line.text);
    }
}

#[test]
fn a_line_without_an_end_is_there_when_its_process_has_ended() {
    let home = home();
    home.write("half.sh", "printf half; exec sleep 1000");
    start(&home, &["half.sh"]);
    home.ok(["stop", "half"]);
    let text = wait_text(&home, ".tine/logs/half-out.log", "half");
    assert_eq!(text.trim_end(), "half");
}

#[test]
fn files_are_emptied_and_written_on() {
    let home = home();
    writer(&home, 5);
    start(&home, &["app.sh"]);
    wait_text(&home, ".tine/logs/app-out.log", "cwd: ");
    let said = home.ok(["flush", "writes"]);
    assert!(
        said.out.contains("writes-out.log") || said.err.contains("writes-out.log"),
        "{said:?}"
    );
    assert_eq!(home.read(".tine/logs/writes-out.log"), "");
    assert_ne!(home.read(".tine/logs/app-out.log"), "");
    home.write("more", "");
    wait_text(&home, ".tine/logs/writes-out.log", "more out\n");
    assert_eq!(home.read(".tine/logs/writes-out.log"), "more out\n");
    home.ok(["flush"]);
    assert_eq!(home.read(".tine/logs/app-out.log"), "");
    home.refused(5, ["flush", "web"]).says("web").hints();
}

#[test]
fn files_that_were_moved_away_are_made_anew() {
    let home = home();
    writer(&home, 2);
    let log = home.tine().join("logs/writes-out.log");
    std::fs::rename(&log, home.folder().join("moved.log")).unwrap();
    home.ok(["reloadLogs"]);
    home.write("more", "");
    wait_text(&home, ".tine/logs/writes-out.log", "more out\n");
    assert_eq!(home.read("moved.log"), "out 1\nout 2\n");
    home.ok(["reload-logs"]);
}

#[test]
fn a_log_that_cannot_be_written_does_not_stop_the_process() {
    let home = home();
    start(&home, &["app.sh", "-o", "/dev/full"]);
    let pid = home.pid("app");
    home.ok(["logs", "app", "--nostream"]);
    assert_eq!(
        (home.pid("app"), home.process("app")["status"].clone()),
        (pid, json!("online"))
    );
}
