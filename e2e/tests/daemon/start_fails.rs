//! `tine start` of what does not come up: exit code 1, and its last lines.

use crate::support::*;

const TWICE: [&str; 2] = ["--max-restarts", "2"];

#[test]
fn a_syntax_error_is_shown_with_its_place() {
    let home = home();
    home.write("broken.js", "const a = ;\n");
    let said = home
        .run([["start", "broken.js"], TWICE].concat())
        .is(1)
        .hints();
    assert!(
        said.err.contains("SyntaxError: Unexpected token"),
        "{said:?}"
    );
    assert!(said.err.contains("broken (id 0)"), "{said:?}");
    home.wait_status("broken", "errored");
}

#[test]
fn an_exit_code_and_the_last_words_are_shown() {
    let home = home();
    home.write(
        "three.py",
        "import sys\nprint('no database', file=sys.stderr)\nsys.exit(3)\n",
    );
    let said = home
        .run(["start", "three.py", "--max-restarts", "0"])
        .is(1)
        .hints();
    assert!(said.err.contains("exit code 3"), "{said:?}");
    assert!(said.err.contains("| no database"), "{said:?}");
    let process = home.wait_status("three", "errored");
    assert_eq!(process["exits"][0]["code"], 3);
    assert_eq!(process["restarts"], 0);
}

#[test]
fn a_signal_is_shown_by_its_name() {
    let home = home();
    home.write("crash.sh", "echo about to >&2; kill -SEGV $$");
    let said = home.run(["start", "crash.sh", "--max-restarts", "0"]).is(1);
    assert!(said.err.contains("SIGSEGV"), "{said:?}");
    assert!(said.err.contains("| about to"), "{said:?}");
    let process = home.wait_status("crash", "errored");
    assert_eq!(process["exits"][0]["signal"], "SIGSEGV");
}

#[test]
fn one_that_never_says_ready_fails_and_is_left_running() {
    let home = home();
    let words = ["start", "app.js", "--wait-ready", "--listen-timeout", "300"];
    let said = home.run(words).is(1).says("ready").says("300 ms").hints();
    assert!(said.err.contains("app (id 0)"), "{said:?}");
    let process = home.process("app");
    assert_eq!(process["status"], "launching");
    assert!(pid_of(&process).is_some());
}

#[test]
fn one_of_many_that_fails_is_named_and_the_others_run() {
    let home = home();
    home.write("bad.sh", "echo only me >&2; exit 9");
    home.write(
        "apps.json",
        r#"{"apps": [{"name": "a", "script": "app.sh", "min_uptime": 100},
            {"name": "bad", "script": "bad.sh", "max_restarts": 0},
            {"name": "b", "script": "app.py", "min_uptime": 100}]}"#,
    );
    let said = home.run(["start", "apps.json"]).is(1);
    assert!(
        said.err.contains("bad (id 1)") && said.err.contains("| only me"),
        "{said:?}"
    );
    assert!(!said.err.contains("error: a "), "{said:?}");
    assert_eq!(statuses(&home), "a online, bad errored, b online");
}

#[test]
fn json_has_the_failure_in_it() {
    let home = home();
    home.write("bad.sh", "echo words >&2; exit 4");
    let answer = home
        .run(["start", "bad.sh", "--max-restarts", "0", "--json"])
        .is(1)
        .json();
    assert_eq!(answer["failed"][0]["exit"]["code"], 4);
    assert_eq!(answer["failed"][0]["exit"]["lines"][0], "words");
}

#[test]
fn what_cannot_be_started_at_all_is_not_in_the_list() {
    let home = home();
    home.refused(3, ["start", "missing.js"])
        .says("missing.js")
        .hints();
    home.refused(3, ["start", "app.js", "--interpreter", "no-such-thing"])
        .says("no-such-thing")
        .hints();
    home.refused(3, ["start", "app.js", "--cwd", "/no/such/folder"])
        .says("/no/such/folder")
        .hints();
    home.refused(5, ["start", "77"]).says("77").hints();
    // Nobody needed a daemon for that.
    assert!(home.processes().is_empty());
    assert_eq!(home.ok(["jlist"]).json(), json!([]));
}

#[test]
fn a_program_that_the_kernel_refuses_is_not_tried_for_ever() {
    let home = home();
    // No number of a format that any kernel knows, and executable.
    let path = home.write("nonsense", [0x7f, b'E', b'L', b'F', 9, 9, 9, 9]);
    let mut mode = std::fs::metadata(&path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(&path, mode).unwrap();
    let words = ["start", "./nonsense", "--interpreter", "none"];
    let said = home.run([&words[..], &TWICE].concat());
    assert!(said.code == 1 || said.code == 3, "{said:?}");
    assert!(said.err.contains("xec format error"), "{said:?}");
    if said.code == 1 {
        home.wait_status("nonsense", "errored");
    }
}
