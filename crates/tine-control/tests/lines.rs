//! Every line that can be said is read as it was meant, and no other.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod samples;

use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use tine_control::line::{self, Greeting, ServerLine};
use tine_control::request::{self, ScaleTo, VERBS};
use tine_control::{ErrorCode, Event, Failure, Gap, Problem, Request, Target, What};

fn refusal(line: &str) -> request::NotARequest {
    request::read(line.as_bytes()).expect_err(line)
}

#[test]
fn every_request_is_read_back_as_it_was_written() {
    let mut words = BTreeSet::new();
    for (id, request) in (1..).zip(samples::requests()) {
        words.insert(request.word());
        let line = request.to_line(id).unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let read = request::read(&line).unwrap();
        assert_eq!(read, (id, request), "{}", String::from_utf8_lossy(&line));
    }
    assert_eq!(
        words,
        VERBS.iter().copied().collect(),
        "a verb has no sample"
    );
}

#[test]
fn every_answer_is_read_back_as_it_was_written() {
    for word in VERBS {
        let answer = samples::answer_to(word);
        let line = line::reply(7, &Ok(answer.clone())).unwrap();
        match ServerLine::read(&line).unwrap() {
            ServerLine::Ok(7, ok) => {
                assert_eq!(
                    request::read_answer(word, ok.get()).unwrap(),
                    answer,
                    "{word}"
                );
            }
            other => panic!("{word}: {other:?}"),
        }
    }
}

#[test]
fn notes_events_gaps_and_failures_are_read_back_as_they_were_written() {
    for note in samples::notes() {
        let line = line::note(9, &note).unwrap();
        match ServerLine::read(&line).unwrap() {
            ServerLine::Note(9, read) => assert_eq!(read, note),
            other => panic!("{note:?}: {other:?}"),
        }
    }
    for (number, what) in (1..).zip(samples::happenings()) {
        let event = Event {
            number,
            at: 5,
            what,
        };
        let line = line::event(&event).unwrap();
        match ServerLine::read(&line).unwrap() {
            ServerLine::Event(read) => assert_eq!(read, event),
            other => panic!("{event:?}: {other:?}"),
        }
    }
    let gap = Gap { after: 1, next: 9 };
    match ServerLine::read(&line::gap(&gap).unwrap()).unwrap() {
        ServerLine::Gap(read) => assert_eq!(read, gap),
        other => panic!("{other:?}"),
    }
    let problem = Problem {
        field: "env.A".to_owned(),
        text: "is wrong".to_owned(),
        hint: String::new(),
    };
    for failure in [
        Failure::new(ErrorCode::NotFound, "no app web").hint("look at the list"),
        Failure::invalid("web", vec![problem]),
    ] {
        for id in [Some(3), None] {
            match ServerLine::read(&line::failed(id, &failure).unwrap()).unwrap() {
                ServerLine::Failed(read, again) => assert_eq!((read, again), (id, failure.clone())),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn words_of_a_newer_version_are_told_as_unknown() {
    let read = |text: &str| ServerLine::read(text.as_bytes()).unwrap();
    assert!(matches!(
        read(r#"{"id":1,"note":"dreamt","of":"sheep"}"#),
        ServerLine::Note(1, tine_control::Note::Unknown)
    ));
    assert!(matches!(
        read(r#"{"event":1,"at":2,"what":"dreamt","of":"sheep"}"#),
        ServerLine::Event(Event {
            what: What::Unknown,
            ..
        })
    ));
    assert!(matches!(
        read(r#"{"id":1,"error":{"code":"dreamt","text":"x"}}"#),
        ServerLine::Failed(
            Some(1),
            Failure {
                code: ErrorCode::Unknown,
                ..
            }
        )
    ));
    assert!(matches!(read(r#"{"dream":1}"#), ServerLine::Unknown));
    assert!(ServerLine::read(b"[]").is_err());
}

#[test]
fn codes_are_the_words_that_json_has() {
    for code in [
        ErrorCode::Malformed,
        ErrorCode::UnknownRequest,
        ErrorCode::TooLarge,
        ErrorCode::TooLate,
        ErrorCode::TooMany,
        ErrorCode::TooSlow,
        ErrorCode::NotPermitted,
        ErrorCode::NotFound,
        ErrorCode::AlreadyThere,
        ErrorCode::Invalid,
        ErrorCode::Busy,
        ErrorCode::Unsupported,
        ErrorCode::Ending,
        ErrorCode::Failed,
        ErrorCode::Unknown,
    ] {
        assert_eq!(serde_json::to_value(code).unwrap(), json!(code.word()));
    }
    for status in [
        tine_control::ProcessStatus::Launching,
        tine_control::ProcessStatus::Online,
        tine_control::ProcessStatus::Stopping,
        tine_control::ProcessStatus::Stopped,
        tine_control::ProcessStatus::Errored,
        tine_control::ProcessStatus::WaitingRestart,
    ] {
        assert_eq!(serde_json::to_value(status).unwrap(), json!(status.word()));
    }
}

#[test]
fn what_is_no_request_is_refused_with_its_reason() {
    for (line, id, code, says) in [
        ("", None, ErrorCode::Malformed, "EOF"),
        ("hello", None, ErrorCode::Malformed, "not a request"),
        ("[]", None, ErrorCode::Malformed, "JSON object"),
        ("1", None, ErrorCode::Malformed, "JSON object"),
        ("{}", None, ErrorCode::Malformed, "without an id"),
        (
            r#"{"id":"1","do":"ping"}"#,
            None,
            ErrorCode::Malformed,
            "u64",
        ),
        (
            r#"{"id":-1,"do":"ping"}"#,
            None,
            ErrorCode::Malformed,
            "u64",
        ),
        (
            r#"{"id":1,"id":1,"do":"ping"}"#,
            None,
            ErrorCode::Malformed,
            "duplicate",
        ),
        (
            r#"{"id":1,"do":"ping"} {}"#,
            None,
            ErrorCode::Malformed,
            "trailing",
        ),
        (
            r#"{"do":"ping"}"#,
            None,
            ErrorCode::Malformed,
            "without an id",
        ),
        (r#"{"id":1}"#, Some(1), ErrorCode::Malformed, "without `do`"),
        (
            r#"{"id":1,"do":"dance"}"#,
            Some(1),
            ErrorCode::UnknownRequest,
            "dance",
        ),
        (
            r#"{"id":1,"do":"PING"}"#,
            Some(1),
            ErrorCode::UnknownRequest,
            "PING",
        ),
        (
            r#"{"id":1,"do":"ping","loud":true}"#,
            Some(1),
            ErrorCode::Malformed,
            "loud",
        ),
        (
            r#"{"id":1,"do":"stop"}"#,
            Some(1),
            ErrorCode::Malformed,
            "target",
        ),
        (
            r#"{"id":1,"do":"stop","target":"a","wiat":true}"#,
            Some(1),
            ErrorCode::Malformed,
            "wiat",
        ),
        (
            r#"{"id":1,"do":"stop","target":"a","wait":1}"#,
            Some(1),
            ErrorCode::Malformed,
            "boolean",
        ),
        (
            r#"{"id":1,"do":"start","apps":[{"name":1}]}"#,
            Some(1),
            ErrorCode::Malformed,
            "string",
        ),
    ] {
        let refused = refusal(line);
        assert_eq!(refused.id, id, "{line}");
        assert_eq!(refused.failure.code, code, "{line}");
        assert!(
            refused.failure.text.contains(says),
            "{line}: {}",
            refused.failure.text
        );
    }
    let unknown = refusal(r#"{"id":1,"do":"dance"}"#).failure;
    for word in VERBS {
        assert!(unknown.hint.contains(word), "{}", unknown.hint);
    }
    let long = refusal(&format!(r#"{{"id":1,"do":"{}"}}"#, "é".repeat(5000))).failure;
    assert!(
        long.text.len() < 200,
        "a stranger's word is not repeated at length"
    );
}

#[test]
fn fields_may_come_in_any_order_and_with_escapes() {
    for line in [
        r#"{"target":"web","do":"stop","id":1}"#,
        r#"{"t\u0061rget":"web","\u0064o":"st\u006fp","i\u0064":1}"#,
        "  { \"id\" : 1 , \"do\" : \"stop\" , \"target\" : \"web\" }\r\n",
    ] {
        let (id, request) = request::read(line.as_bytes()).unwrap();
        let Request::Stop(stop) = request else {
            panic!("{request:?}");
        };
        assert_eq!(
            (id, stop.target, stop.wait),
            (1, Target::from_word("web"), true)
        );
    }
}

#[test]
fn a_target_is_what_was_typed_or_what_is_said_of_it() {
    let read = |json: Value| serde_json::from_str::<Target>(&json.to_string());
    let word = |word: &str| Target::Word {
        word: word.to_owned(),
        path: None,
    };
    for (json, target) in [
        (json!("all"), Target::All),
        (json!("web"), word("web")),
        (json!("3"), word("3")),
        (json!(""), word("")),
        (json!("/"), word("/")),
        (json!("//"), word("//")),
        (json!("/srv/app.js"), word("/srv/app.js")),
        (json!("/^a/"), Target::Regex("^a".to_owned())),
        (json!(3), Target::Id(3)),
        (json!({"id": 3}), Target::Id(3)),
        (json!({"name": "all"}), Target::Name("all".to_owned())),
        (json!({"namespace": "n"}), Target::Namespace("n".to_owned())),
        (json!({"regex": "a/b"}), Target::Regex("a/b".to_owned())),
        (
            json!({"word": "app.js", "path": "/srv/app.js"}),
            Target::Word {
                word: "app.js".to_owned(),
                path: Some("/srv/app.js".into()),
            },
        ),
        (json!({"word": "all"}), word("all")),
        (json!([]), Target::Several(vec![])),
        (
            json!([1, "a"]),
            Target::Several(vec![Target::Id(1), word("a")]),
        ),
    ] {
        assert_eq!(read(json.clone()).unwrap(), target, "{json}");
        let again = serde_json::to_value(&target).unwrap();
        assert_eq!(read(again.clone()).unwrap(), target, "{json} as {again}");
    }
    for wrong in [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(4_294_967_296_u64),
        json!({}),
        json!({"id": 1, "name": "a"}),
        json!({"id": "1"}),
        json!({"path": "/a"}),
        json!({"id": 1, "path": "/a"}),
        json!({"nmae": "a"}),
        json!([["a"]]),
    ] {
        assert!(read(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn words_of_a_command_line_become_a_target() {
    let folder = Path::new("/srv");
    assert_eq!(Target::from_words(["all"], folder), Target::All);
    assert_eq!(
        Target::from_words(["a", "/x/"], folder).each(),
        [
            Target::Word {
                word: "a".to_owned(),
                path: Some("/srv/a".into())
            },
            Target::Regex("x".to_owned()),
        ]
    );
    assert_eq!(
        Target::from_words(["a", "/x/"], folder).to_string(),
        "a, /x/"
    );
}

#[test]
fn scaling_is_absolute_or_by_a_difference() {
    for (word, to) in [
        ("0", ScaleTo::Exactly(0)),
        ("4", ScaleTo::Exactly(4)),
        ("+2", ScaleTo::More(2)),
        ("-1", ScaleTo::Fewer(1)),
        ("max", ScaleTo::Cores),
    ] {
        assert_eq!(word.parse(), Ok(to));
        assert_eq!(to.to_string(), word);
        let json = serde_json::to_string(&to).unwrap();
        assert_eq!(serde_json::from_str::<ScaleTo>(&json).unwrap(), to);
    }
    for wrong in ["+", "", "++1", "+-1", "1x", "4294967296", "é", "Max"] {
        assert!(wrong.parse::<ScaleTo>().is_err(), "{wrong}");
    }
    assert!(
        serde_json::from_str::<ScaleTo>("-1").is_err(),
        "a number is absolute"
    );
}

#[test]
fn the_greeting_is_as_documented() {
    let line = line::greeting(&Greeting::new("0.1.0", 77)).unwrap();
    assert_eq!(
        String::from_utf8(line).unwrap(),
        "{\"tine\":\"control\",\"version\":1,\"server\":\"0.1.0\",\"pid\":77}\n"
    );
}

/// Nothing that is read may panic, and what is taken for a request is one.
fn judge(line: &[u8]) {
    if let Ok((id, request)) = request::read(line) {
        let again = request.to_line(id).unwrap();
        assert_eq!(request::read(&again).unwrap(), (id, request));
    }
    let _ = ServerLine::read(line);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        judge(&bytes);
    }

    #[test]
    fn bytes_changed_within_good_lines_are_read_or_refused(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let requests = samples::requests();
        let mut line = which.get(&requests).to_line(1).unwrap();
        for (at, byte) in changes {
            let at = at.index(line.len());
            line[at] = byte;
        }
        if let Some(cut) = cut {
            line.truncate(cut.index(line.len()));
        }
        judge(&line);
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed(depth in 1..100_000_usize, verb in prop::sample::select(VERBS)) {
        for open in ["[", "{\"a\":"] {
            let line = format!(r#"{{"id":1,"do":"{verb}","target":{}"#, open.repeat(depth));
            prop_assert!(request::read(line.as_bytes()).is_err());
        }
    }
}
