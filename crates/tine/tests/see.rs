//! What the verbs that only look show.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod fake;

use fake::{Fake, app, process};
use serde_json::Value;
use std::io::Read;
use std::path::Path;
use tine_control::reply::{Done, Environment, Settings};
use tine_control::request::Stream;
use tine_control::{ErrorCode, Failure, Note, ProcessStatus, Request};

fn two() -> Fake {
    let processes = vec![
        process(1, "web", ProcessStatus::Online),
        process(0, "api", ProcessStatus::Stopped),
    ];
    let apps = vec![app("web", Path::new("/srv/app.js"), "node")];
    Fake::with(processes, apps, |request, reply| match request {
        Request::Env(_) => {
            let env = [("A", "1"), ("B", "two words")].into_iter().collect();
            Some(Ok(Environment { env }.into()))
        }
        Request::Conf(_) | Request::Get(_) => {
            let settings = [("a:b", "c")].map(|(k, v)| (k.to_owned(), v.to_owned()));
            let settings = settings.into_iter().collect();
            Some(Ok(Settings { settings }.into()))
        }
        Request::Logs(_) => {
            for (stream, text) in [(Stream::Out, "listening"), (Stream::Err, "oh no")] {
                let process = process(1, "web", ProcessStatus::Online).who();
                let (at, text) = (Some(1_763_820_001_234), text.to_owned());
                let _ = reply.note(&Note::Line {
                    process,
                    stream,
                    at,
                    text,
                });
            }
            Some(Ok(Done {}.into()))
        }
        Request::Describe(describe) if describe.target.to_string() == "nope" => {
            let failure = Failure::new(ErrorCode::NotFound, "nothing is called \"nope\"");
            Some(Err(failure.hint("there is an app called web")))
        }
        _ => None,
    })
}

#[test]
fn the_list_has_a_line_for_each_process_by_name() {
    let fake = two();
    let list = fake.run(&["ls"]).code(0);
    let names: Vec<&str> = list
        .out
        .lines()
        .map(|line| line.split_whitespace().nth(1).unwrap())
        .collect();
    assert_eq!(names, ["name", "api", "web"]);
    let list = fake.run(&["list", "--sort", "id:desc"]).code(0);
    assert!(list.out.lines().nth(1).unwrap().contains("web"), "{list:?}");
    let mini = fake.run(&["ls", "-m"]).code(0);
    assert!(mini.out.contains("+--- web\n"), "{mini:?}");
}

#[test]
fn the_list_is_json_in_two_forms() {
    let fake = two();
    let own: Value = serde_json::from_str(&fake.run(&["list", "--json"]).code(0).out).unwrap();
    assert_eq!(own["processes"][0]["name"], "api");
    let pm2: Value = serde_json::from_str(&fake.run(&["jlist"]).code(0).out).unwrap();
    assert_eq!(pm2[0]["pm2_env"]["pm_exec_path"], "/srv/app.js");
    assert_eq!(pm2[1]["pid"], 0);
    let pretty = fake.run(&["prettylist"]).code(0);
    assert!(pretty.out.contains("    name: 'web',\n"), "{pretty:?}");
    // Data is data also when all talk is silenced.
    assert_eq!(
        fake.run(&["jlist", "-s"]).code(0).out,
        fake.run(&["jlist"]).out
    );
}

#[test]
fn a_reader_who_goes_away_is_no_fault() {
    let fake = two();
    for words in [
        &["list"][..],
        &["jlist"],
        &["prettylist"],
        &["logs", "--nostream"],
        &["env", "1"],
    ] {
        let mut child = fake.spawn(words);
        drop(child.stdout.take());
        let mut err = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        let code = child.wait().unwrap().code();
        assert_eq!((code, err.as_str()), (Some(0), ""), "{words:?}");
    }
}

#[test]
fn a_full_disk_is_a_fault() {
    let fake = two();
    let words = ["list"];
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = fake.command(&words).stdout(full).output().unwrap();
    fake::Said::of(&words, output)
        .code(4)
        .says(&["writing to standard output"]);
}

#[test]
fn ids_and_pids_and_variables_are_plain_lines() {
    let fake = two();
    assert_eq!(fake.run(&["id", "web"]).code(0).out, "[ 1, 0 ]\n");
    assert_eq!(fake.run(&["pid", "web"]).code(0).out, "4001\n0\n");
    let own = std::process::id();
    assert_eq!(fake.run(&["pid"]).code(0).out, format!("{own}\n"));
    assert_eq!(fake.run(&["env", "1"]).code(0).out, "A: 1\nB: two words\n");
    assert_eq!(
        fake.run(&["env", "1", "--json"]).code(0).out,
        "{\"A\":\"1\",\"B\":\"two words\"}\n"
    );
    assert_eq!(fake.run(&["ping"]).code(0).out, "{ msg: 'pong' }\n");
    assert_eq!(fake.run(&["get", "a:b"]).code(0).out, "c\n");
    assert_eq!(fake.run(&["conf"]).code(0).out, "a:b: c\n");
}

#[test]
fn a_description_of_what_is_not_there_says_what_is() {
    let fake = two();
    fake.run(&["show", "nope"]).code(5).says(&[
        "error: nothing is called \"nope\"\n",
        "hint: there is an app called web\n",
    ]);
    let shown = fake.run(&["desc", "web"]).code(0);
    assert!(
        shown.out.contains("script path            /srv/app.js"),
        "{shown:?}"
    );
}

#[test]
fn lines_come_in_the_form_that_was_asked_for() {
    let fake = two();
    let plain = fake.run(&["logs", "--nostream"]).code(0);
    assert_eq!(plain.out, "1|web | listening\n1|web | oh no\n");
    let raw = fake.run(&["logs", "--raw", "--nostream"]).code(0);
    assert_eq!(
        (raw.out.as_str(), raw.err.as_str()),
        ("listening\n", "oh no\n")
    );
    let json = fake
        .run(&["log", "--json", "--nostream", "--lines", "3", "--err"])
        .code(0);
    let first: Value = serde_json::from_str(json.out.lines().next().unwrap()).unwrap();
    assert_eq!(first["app_name"], "web");
    let Some(Request::Logs(last)) = fake.asked().pop() else {
        panic!("it was not asked for lines");
    };
    assert_eq!(
        (last.lines, last.follow, last.stream),
        (3, false, Some(Stream::Err))
    );
    let format = fake.run(&["logs", "--format", "--nostream"]).code(0);
    assert!(
        format.out.ends_with("type=error message=oh no\n"),
        "{format:?}"
    );
    let dated = fake
        .run(&["logs", "--timestamp", "[on] YYYY", "--nostream"])
        .code(0);
    assert!(dated.out.contains("| on 2025: listening\n"), "{dated:?}");
}
