//! What the verbs that do something ask for, and what they say of the answer.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod fake;

use fake::{Fake, app, process};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::Read;
use tine_control::reply::{Acted, Failed};
use tine_control::request::{IfPresent, Restart, ScaleTo, Start};
use tine_control::{ErrorCode, ExitInfo, Failure, Note, ProcessStatus, Request};

fn online() -> Fake {
    Fake::willing(vec![process(0, "web", ProcessStatus::Online)], vec![])
}

fn starts(fake: &Fake) -> Vec<Start> {
    let start = |request| match request {
        Request::Start(start) => Some(start),
        _ => None,
    };
    fake.asked().into_iter().filter_map(start).collect()
}

fn changes(words: &[&str]) -> (Restart, Fake) {
    let fake = online();
    fake.run(words).code(0);
    match fake.asked().into_iter().next() {
        Some(Request::Restart(restart)) => (restart, fake),
        other => panic!("{other:?}"),
    }
}

#[test]
fn verbs_ask_for_what_they_are_called() {
    let fake = online();
    for (words, request) in [
        (&["stop", "web"][..], json!({"do": "stop"})),
        (&["del", "all"], json!({"do": "delete", "target": "all"})),
        (
            &["delete", "/^we/"],
            json!({"do": "delete", "target": {"regex": "^we"}}),
        ),
        (&["scale", "web", "-1"], json!({"do": "scale", "to": "-1"})),
        (
            &["scale", "web", "+2", "--no-wait"],
            json!({"do": "scale", "to": "+2", "wait": false}),
        ),
        (&["scale", "web", "0"], json!({"do": "scale", "to": 0})),
        (&["reset", "all"], json!({"do": "reset", "target": "all"})),
        (
            &["sendSignal", "usr2", "all"],
            json!({"do": "signal", "signal": "usr2", "target": "all"}),
        ),
        (&["send", "0", "-x"], json!({"do": "send", "line": "-x"})),
        (
            &["reload", "all", "--force", "--parallel", "2"],
            json!({"do": "reload", "force": true, "parallel": 2}),
        ),
        (&["resurrect"], json!({"do": "resurrect"})),
    ] {
        fake.run(words).code(0);
        let asked = fake.asked().pop().unwrap();
        let line: Value = serde_json::from_slice(&asked.to_line(1).unwrap()).unwrap();
        for (field, value) in request.as_object().unwrap() {
            assert_eq!(line.get(field), Some(value), "{words:?}: {line}");
        }
    }
}

#[test]
fn the_list_comes_at_the_end_and_not_when_it_is_not_wanted() {
    let fake = online();
    let usual = fake
        .run(&["stop", "web"])
        .code(0)
        .says(&["stopped web: 1 online\n"]);
    assert!(usual.out.starts_with("id  name"), "{usual:?}");
    let json = fake.run(&["stop", "web", "--json"]).code(0);
    let answer: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(answer["done"], true);
    for words in [&["stop", "web", "-s"][..], &["-s", "stop", "web"]] {
        let silent = fake.run(words).code(0);
        assert_eq!(
            (silent.out.as_str(), silent.err.as_str()),
            ("", ""),
            "{words:?}"
        );
    }
}

#[test]
fn every_kind_of_failure_has_its_exit_code() {
    for (kind, code) in [
        (ErrorCode::NotFound, 5),
        (ErrorCode::AlreadyThere, 1),
        (ErrorCode::Busy, 1),
        (ErrorCode::Unsupported, 1),
        (ErrorCode::Invalid, 3),
        (ErrorCode::Failed, 4),
        (ErrorCode::Ending, 6),
    ] {
        let fake = Fake::with(vec![], vec![], move |request, _| {
            let stop = matches!(request, Request::Stop(_));
            stop.then(|| Err(Failure::new(kind, "it is so").hint("do this")))
        });
        let said = fake.run(&["stop", "web"]).code(code);
        assert_eq!(said.err, "error: it is so\nhint: do this\n", "{kind:?}");
        assert_eq!(said.out, "");
    }
}

#[test]
fn a_failed_start_says_which_why_and_the_last_lines() {
    let fake = Fake::with(vec![], vec![], |request, reply| {
        let Request::Start(_) = request else {
            return None;
        };
        let one = process(0, "app", ProcessStatus::Errored);
        let (process, status) = (one.who(), one.status);
        let note = Note::Process {
            process,
            status,
            text: String::new(),
        };
        reply.note(&note).unwrap();
        let exit = ExitInfo {
            generation: 1,
            pid: 1,
            at: 1,
            lived: 180,
            code: Some(1),
            signal: None,
            core: false,
            asked: false,
            lines: vec!["Error: listen EADDRINUSE".to_owned()],
        };
        let failed = Failed {
            process: one.who(),
            text: "it ended before it was up".to_owned(),
            hint: "something else has the port".to_owned(),
            exit: Some(exit),
            survivors: vec![],
        };
        Some(Ok(Acted {
            done: true,
            processes: vec![one],
            failed: vec![failed],
            warnings: vec!["it is late".to_owned()],
        }
        .into()))
    });
    fake.write("app.sh", "");
    let parts = [
        "warning: it is late\n",
        "error: app (id 0): it ended before it was up\n",
        "  exit code 1, after 180ms; its last lines:\n  | Error: listen EADDRINUSE\n",
        "hint: something else has the port\n",
    ];
    fake.run(&["start", "app.sh"]).code(1).says(&parts);
    fake.run(&["start", "app.sh", "-s"])
        .code(1)
        .says(&parts[1..]);
}

#[test]
fn a_script_becomes_an_app_with_the_options_that_were_given() {
    let fake = Fake::willing(vec![], vec![]);
    let script = fake.write("app.sh", "");
    fake.run(&[
        "-n",
        "job",
        "start",
        "app.sh",
        "-i",
        "2",
        "--max-restarts",
        "0",
        "--kill-timeout",
        "0",
        "--no-autorestart",
        "--stop-exit-codes",
        "0,3",
        "--namespace",
        "shop",
        "--",
        "-x",
        "two words",
    ])
    .code(0);
    let start = starts(&fake).pop().unwrap();
    let app = &start.apps[0];
    assert_eq!((app.name.as_str(), app.namespace.as_str()), ("job", "shop"));
    assert_eq!(app.script, script);
    assert_eq!(app.args, ["-x", "two words"]);
    assert_eq!(app.instances.to_string(), "2");
    assert_eq!((app.max_restarts, app.autorestart), (0, false));
    assert!(app.kill_timeout.is_zero());
    assert_eq!(app.stop_exit_codes, [0, 3]);
    assert_eq!(start.if_present, IfPresent::Refuse);
    assert!(start.wait);
    assert!(start.inherited_env.contains_key("PATH"));
    fake.run(&["start", "app.sh", "--no-wait"]).code(0);
    assert!(!starts(&fake).pop().unwrap().wait);
}

#[test]
fn what_is_meant_for_this_process_alone_is_not_inherited() {
    let fake = Fake::willing(vec![], vec![]);
    fake.write("app.sh", "");
    let words = ["start", "app.sh"];
    let output = fake
        .command(&words)
        .env("LISTEN_FDNAMES", "x")
        .env("NODE_UNIQUE_ID", "1")
        .env("KEPT", "yes")
        .output()
        .unwrap();
    fake::Said::of(&words, output).code(0);
    let start = starts(&fake).pop().unwrap();
    let env = &start.inherited_env;
    assert!(env.contains_key("KEPT"));
    assert!(!env.contains_key("NODE_UNIQUE_ID") && !env.contains_key("LISTEN_FDNAMES"));
}

#[test]
fn a_known_word_starts_what_is_there() {
    let fake = Fake::willing(vec![process(3, "web", ProcessStatus::Stopped)], vec![]);
    for word in ["web", "3", "default", "all", "/w.b/"] {
        fake.run(&["start", word]).code(0);
        let start = starts(&fake).pop().unwrap();
        assert!(start.apps.is_empty(), "{word}");
        assert!(start.target.is_some(), "{word}");
    }
    // What differs is asked for by a restart, which starts what does not run.
    fake.run(&["start", "web", "--max-restarts", "3", "-a"])
        .code(0);
    let Some(Request::Restart(restart)) = fake.asked().pop() else {
        panic!("{:?}", fake.asked());
    };
    assert_eq!(restart.changes["max_restarts"], 3);
    assert!(restart.inherited_env.is_some());
    fake.run(&["start", "4"])
        .code(5)
        .says(&["no process has the id 4"]);
    fake.run(&["start", "web", "-f"])
        .code(2)
        .says(&["tine scale web +1"]);
}

#[test]
fn what_runs_is_left_as_it_is() {
    let folder = Fake::absent();
    let script = folder.write("web.sh", "");
    let there = |status, script: &std::path::Path| {
        let mut app = app("web", script, "bash");
        // What the program itself makes of this script.
        app.spec.interpreter = interpreter(&folder);
        let fake = Fake::willing(vec![process(0, "web", status)], vec![app]);
        let words = fake.command(&[]).get_args().count();
        assert_eq!(words, 0);
        fake
    };
    let run = |fake: &Fake, words: &[&str]| {
        let output = fake.command(words).current_dir(folder.cwd()).output();
        fake::Said::of(words, output.unwrap())
    };

    let running = there(ProcessStatus::Online, &script);
    run(&running, &["start", "web.sh"])
        .code(0)
        .says(&["web runs already"]);
    let start = starts(&running).pop().unwrap();
    assert!(start.apps.is_empty() && start.target.is_some());

    // It runs, and not as is wanted now: that is no success.
    run(&running, &["start", "web.sh", "-i", "3"])
        .code(1)
        .says(&[
            "web runs already",
            "processes: 1 -> 3",
            "hint: `tine restart NAME`",
        ]);
    run(&running, &["start", "web", "--max-restarts", "3"])
        .code(1)
        .says(&["keeps the options"]);
    assert_eq!(starts(&running).len(), 1, "something was started");

    run(&running, &["start", "web.sh", "-f"]).code(0);
    assert_eq!(starts(&running).pop().unwrap().if_present, IfPresent::Add);

    let stopped = there(ProcessStatus::Stopped, &script);
    run(&stopped, &["start", "web.sh", "-i", "3"]).code(0);
    let start = starts(&stopped).pop().unwrap();
    assert_eq!(
        (start.apps.len(), start.if_present),
        (1, IfPresent::Restart)
    );

    let other = there(ProcessStatus::Online, &script.with_file_name("other.sh"));
    run(&other, &["start", "web.sh"])
        .code(1)
        .says(&["an app called \"web\" is there already", "--name"]);
}

/// What runs a shell script on this machine.
fn interpreter(folder: &Fake) -> Option<String> {
    let asking = Fake::willing(vec![], vec![]);
    let output = asking
        .command(&["start", "web.sh"])
        .current_dir(folder.cwd())
        .output();
    fake::Said::of(&["start"], output.unwrap()).code(0);
    starts(&asking).pop().unwrap().apps[0].interpreter.clone()
}

#[test]
fn options_of_a_restart_change_the_app() {
    let (restart, _fake) = changes(&[
        "restart",
        "web",
        "-i",
        "-1",
        "--restart-delay",
        "0",
        "--node-args=--harmony",
        "-a",
        "--parallel",
        "3",
    ]);
    let changes = Value::Object(restart.changes.0.clone());
    assert_eq!(changes["instances"], -1);
    assert_eq!(changes["restart_delay"], 0);
    assert_eq!(changes["interpreter_args"], json!(["--harmony"]));
    assert_eq!(restart.parallel, Some(3));
    assert!(restart.inherited_env.is_some());
    let (restart, _fake) = self::changes(&["restart", "web", "1"]);
    assert!(restart.changes.is_empty() && restart.inherited_env.is_none());
    assert_eq!(restart.target.each().len(), 2);
}

#[test]
fn options_that_change_nothing_are_told() {
    let fake = Fake::willing(vec![], vec![]);
    fake.write("app.sh", "");
    for option in [
        "--no-vizion",
        "--no-pmx",
        "--no-automation",
        "--disable-trace",
        "--write",
    ] {
        fake.run(&["start", "app.sh", option])
            .code(0)
            .says(&[&format!("warning: {option} changes nothing: ")]);
    }
}

#[test]
fn ctrl_c_ends_the_waiting_and_says_that_it_goes_on() {
    // The start is never answered.
    let fake = Fake::with(vec![], vec![], |_, _| None);
    fake.write("app.sh", "");
    let mut child = fake.spawn(&["start", "app.sh"]);
    fake.wait_for("start");
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::INT).unwrap();
    let mut err = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{err}");
    assert!(err.contains("the start goes on"), "{err}");
}

#[test]
fn fewer_may_be_asked_for_and_nonsense_reaches_nobody() {
    let fake = online();
    fake.run(&["scale", "web", "--", "-1"]).code(0);
    let Some(Request::Scale(scale)) = fake.asked().pop() else {
        panic!("nothing was scaled");
    };
    assert_eq!(scale.to, ScaleTo::Fewer(1));
    fake.run(&["scale", "web", "+-1"]).code(2);
    assert_eq!(fake.asked().len(), 1);
}
