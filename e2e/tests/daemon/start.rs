//! `tine start`: every form of what can be started.

use crate::support::*;

#[test]
fn each_language_is_started_with_its_arguments_in_its_folder() {
    let home = home();
    for (script, name, interpreter) in [
        ("app.js", "n", "node"),
        ("app.py", "p", "python3"),
        ("app.sh", "s", "sleep"),
    ] {
        start_with(&home, &[script, "--name", name], &["one two", "--three"]);
        let log = wait_text(&home, &format!(".tine/logs/{name}-out.log"), "cwd: ");
        until(interpreter, SECONDS, || {
            let words = command_line(home.pid(name));
            let found = words
                .first()
                .is_some_and(|word| word.ends_with(interpreter));
            if found {
                Ok(())
            } else {
                Err(format!("{words:?}"))
            }
        });
        let cwd = home.folder().display();
        assert_eq!(log, format!("args: one two --three\ncwd: {cwd}\n"));
    }
    assert_eq!(home.read(".tine/logs/s-error.log"), "complaint\n");
    assert_eq!(statuses(&home), "n online, p online, s online");
}

#[test]
fn a_program_of_the_path_and_one_by_its_own_path_are_executed_themselves() {
    let home = home();
    start_with(&home, &["sleep", "--name", "bare"], &["1000"]);
    start_with(&home, &["/bin/sleep", "--name", "path"], &["1000"]);
    for name in ["bare", "path"] {
        let process = home.process(name);
        assert_eq!(process["exec_mode"], "fork");
        let words = command_line(home.pid(name));
        assert!(
            words[0].ends_with("sleep") && words[1] == "1000",
            "{words:?}"
        );
    }
}

#[test]
fn a_command_in_one_word_is_run_by_a_shell() {
    let home = home();
    start(&home, &["echo from a shell; sleep 1000", "--name", "line"]);
    wait_text(&home, ".tine/logs/line-out.log", "from a shell\n");
    start(&home, &["sleep 1001"]);
    assert_eq!(names(&home)[1].0, "sleep 1001");
}

#[test]
fn several_targets_are_started_by_one_command() {
    let home = home();
    home.write("other.js", NODE);
    home.write(
        "apps.json",
        r#"{"apps": [{"name": "listed", "script": "app.sh"}]}"#,
    );
    let said = start(&home, &["other.js", "app.py", "apps.json"]);
    assert_eq!(statuses(&home), "other online, app online, listed online");
    assert!(said.err.contains("listed: 1 online"), "{said:?}");
    // The list comes at the end, on standard output.
    assert_eq!(said.out.lines().count(), 4, "{said:?}");
}

#[test]
fn names_ids_namespaces_and_patterns_start_what_is_stopped() {
    let home = home();
    for name in ["one", "two", "three"] {
        start(&home, &["app.sh", "--name", name, "--namespace", "group"]);
    }
    for target in ["group", "all", "/t/"] {
        home.ok(["stop", "all"]);
        home.ok(["start", target]);
        let online = names(&home).iter().filter(|one| one.1 == "online").count();
        assert_eq!(online, if target == "/t/" { 2 } else { 3 }, "{target}");
    }
    home.ok(["stop", "all"]);
    home.ok(["start", "0", "three"]);
    assert_eq!(statuses(&home), "one online, two stopped, three online");
}

#[test]
fn what_runs_already_is_left_as_it_is() {
    let home = home();
    start(&home, &["app.sh"]);
    let pid = home.pid("app");
    home.ok(["start", "app"]);
    start(&home, &["app.sh"]);
    assert_eq!(home.pid("app"), pid);
    // What runs is not what is asked for: that must not look like success.
    let said = home.run(["start", "app.sh", "--kill-timeout", "99"]).is(1);
    assert!(said.err.contains("runs already"), "{said:?}");
    assert_eq!(home.pid("app"), pid);
}

#[test]
fn another_script_of_the_same_name_is_refused() {
    let home = home();
    start(&home, &["app.sh"]);
    home.run(["start", "app.py"]).is(1).says("already").hints();
    assert_eq!(home.list().len(), 1);
}

#[test]
fn force_starts_a_further_process_beside_the_one_that_runs() {
    let home = home();
    start(&home, &["app.sh"]);
    start(&home, &["app.sh", "-f"]);
    start(&home, &["app.sh", "--force"]);
    assert_eq!(statuses(&home), "app online, app online, app online");
    assert_eq!(pids(&home, "app").len(), 3);
}

#[test]
fn no_wait_says_that_it_is_accepted_and_does_not_wait() {
    let home = home();
    home.write(
        "slow.js",
        "setTimeout(() => process.send('ready'), 500); setInterval(() => {}, 1e3)",
    );
    let words = ["--wait-ready", "--listen-timeout", "20000", "--no-wait"];
    let said = home.ok([&["start", "slow.js"], &words[..]].concat());
    assert!(said.err.contains("accepted"), "{said:?}");
    home.wait_status("slow", "online");
}

#[test]
fn json_is_the_answer_of_the_daemon() {
    let home = home();
    let said = home.ok(["start", "app.sh", "--json", "--min-uptime", "100"]);
    let answer = said.json();
    assert_eq!(answer["done"], true);
    assert_eq!(answer["processes"][0]["status"], "online");
    assert_eq!(pid_of(&answer["processes"][0]), Some(home.pid("app")));
}

#[test]
fn silent_says_nothing() {
    let home = home();
    for (name, words) in [("one", ["start", "--silent"]), ("two", ["-s", "start"])] {
        let said = home.ok([&words[..], &["app.sh", "--name", name], &QUICK].concat());
        assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
        assert_eq!(home.process(name)["status"], "online");
    }
}

#[test]
fn attach_shows_what_is_written_until_it_is_interrupted() {
    let home = home();
    home.write("tick.sh", "while :; do echo tick; sleep 0.1; done");
    // A daemon that belongs to the home, and not to the command that is ended here.
    start(&home, &["app.sh"]);
    let attached = home
        .call(["start", "tick.sh", "--attach", "--min-uptime", "100"])
        .start();
    attached.wait_for_line(|line| line.text.ends_with("| tick"), "tick", SECONDS);
    attached.signal(Signal::INT);
    assert_eq!(attached.wait_exit(SECONDS).code(), Some(130));
    assert_eq!(home.process("tick")["status"], "online");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "makes a FIFO")]
fn a_fifo_in_the_place_of_a_file_makes_nobody_wait() {
    let home = home();
    let made = |name: &str| {
        let made = std::process::Command::new("mkfifo")
            .arg(home.folder().join(name))
            .status();
        assert!(made.unwrap().success(), "mkfifo {name}");
    };
    made("package.json");
    made("app-0.pid");
    start(&home, &["app.js", "--pid", "app.pid"]);
    assert_eq!(statuses(&home), "app online");
    home.ok(["restart", "app"]);
}
