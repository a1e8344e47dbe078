//! Clients and the server over a real socket.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod samples;
mod world;

use serde_json::json;
use std::net::Shutdown;
use std::time::Duration;
use tine_control::client::{ClientError, Heard};
use tine_control::limits::{CONNECTIONS, LINE_BYTES, REQUESTS, UNREAD_BYTES};
use tine_control::reply::{Acted, Done, Listed, Settings};
use tine_control::request::{Conf, Kill, List, Logs, Ping, Send, Stop};
use tine_control::server::{Gone, Rules};
use tine_control::{Answer, ErrorCode, Failure, Note, Request, Target};
use world::World;

fn line_note(text: &str) -> Note {
    Note::Said {
        text: text.to_owned(),
    }
}

#[test]
fn a_request_gets_its_notes_and_then_its_answer() {
    let world = World::new();
    let mut client = world.client();
    assert_eq!(client.greeting().server, "0.1.0");
    assert_eq!(client.greeting().pid, std::process::id());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let asked = world.next_asked();
            assert_eq!(asked.peer.uid, rustix::process::geteuid().as_raw());
            assert_eq!(asked.peer.pid, Some(std::process::id() as i32));
            assert!(matches!(asked.request, Request::Stop(_)));
            for note in samples::notes() {
                asked.reply.note(&note).unwrap();
            }
            asked.reply.finish(Ok(match samples::answer_to("stop") {
                Answer::Acted(acted) => acted,
                other => panic!("{other:?}"),
            }));
        });
        let stop = Stop {
            target: Target::All,
            wait: true,
        };
        let mut notes = Vec::new();
        let acted: Acted = client
            .ask_with(&stop, |note| {
                notes.push(note);
                Heard::GoOn
            })
            .unwrap();
        assert_eq!(notes, samples::notes());
        assert_eq!(Answer::Acted(acted), samples::answer_to("stop"));
    });
}

#[test]
fn two_clients_get_each_its_own_answer_in_any_order() {
    let world = World::new();
    let (mut one, mut two) = (world.client(), world.client());
    let first = one.send(&Conf {}).unwrap();
    let asked_first = world.next_asked();
    let second = two.send(&Conf {}).unwrap();
    assert_eq!(first, second, "both count from the same number");
    let asked_second = world.next_asked();
    let settings = |name: &str| Settings {
        settings: [(name.to_owned(), String::new())].into(),
    };
    asked_second.reply.finish(Ok(settings("two")));
    assert_eq!(two.ask(&Ping {}).unwrap().pid, 7);
    asked_first.reply.finish(Ok(settings("one")));
    let text = match one.next_line().unwrap() {
        tine_control::line::ServerLine::Ok(id, ok) if id == first => ok.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(text, r#"{"settings":{"one":""}}"#);
}

#[test]
fn failures_reach_the_client_with_their_hint() {
    let world = World::new();
    let mut client = world.client();
    let id = client.send(&Conf {}).unwrap();
    assert_eq!(world.next_asked().reply.id(), id);
    // It was dropped without an answer.
    let mut ask = |outcome: Option<Failure>| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let asked = world.next_asked();
                if let Some(failure) = outcome {
                    asked.reply.finish(Err::<Done, _>(failure));
                }
            });
            match client.ask(&Kill {}).unwrap_err() {
                ClientError::Failed(failure) => failure,
                other => panic!("{other}"),
            }
        })
    };
    let failure = Failure::new(ErrorCode::NotFound, "no app web").hint("look at the list");
    assert_eq!(ask(Some(failure.clone())), failure);
    assert_eq!(ask(None).code, ErrorCode::Failed);
    assert_eq!(client.ask(&Ping {}).unwrap().pid, 7);
}

#[test]
fn an_answer_larger_than_what_may_wait_arrives_whole() {
    let world = World::new();
    let mut client = world.client();
    let count = UNREAD_BYTES / 100;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let processes = vec![samples::process(); count];
            world.next_asked().reply.finish(Ok(Listed { processes }));
        });
        let listed = client.ask(&List::default()).unwrap();
        assert_eq!(listed.processes.len(), count);
        assert_eq!(listed.processes.last(), Some(&samples::process()));
    });
    assert_eq!(client.ask(&Ping {}).unwrap().pid, 7);
}

#[test]
fn a_stream_ends_when_the_client_cancels_it() {
    let world = World::new();
    let mut client = world.client();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let asked = world.next_asked();
            asked.reply.note(&line_note("one")).unwrap();
            world.wait(asked.reply.cancelled());
            assert_eq!(asked.reply.note(&line_note("two")), Err(Gone));
            assert_eq!(world.wait(asked.reply.has_room()), Err(Gone));
            asked.reply.finish(Ok(Done {}));
        });
        let mut notes = 0;
        client
            .ask_with(&Logs::default(), |_| {
                notes += 1;
                Heard::Cancel
            })
            .unwrap();
        assert_eq!(notes, 1);
    });
    let mut raw = world.raw();
    raw.line();
    raw.send("{\"id\":1,\"do\":\"cancel\",\"request\":9}\n");
    assert_eq!(raw.json()["error"]["code"], "not_found");
}

#[test]
fn lines_can_be_sent_while_a_stream_is_followed() {
    let world = World::new();
    let mut client = world.client();
    let mut sender = client.sender().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let following = world.next_asked();
            following.reply.note(&line_note("what?")).unwrap();
            let asked = world.next_asked();
            let Request::Send(Send { line, .. }) = asked.request else {
                panic!("{asked:?}");
            };
            asked.reply.finish(Ok(Acted::default()));
            following.reply.note(&line_note(&line)).unwrap();
            following.reply.finish(Ok(Done {}));
        });
        let mut heard = Vec::new();
        client
            .ask_with(&Logs::default(), |note| {
                if heard.is_empty() {
                    sender
                        .send(&Send {
                            target: Target::Id(0),
                            line: "that".to_owned(),
                        })
                        .unwrap();
                }
                heard.push(note);
                Heard::GoOn
            })
            .unwrap();
        assert_eq!(heard, [line_note("what?"), line_note("that")]);
    });
}

#[test]
fn nobody_waits_for_a_client_that_is_gone() {
    let world = World::new();
    let mut client = world.client();
    client.send(&Logs::default()).unwrap();
    let asked = world.next_asked();
    assert!(!asked.reply.is_cancelled());
    drop(client);
    world.wait(asked.reply.cancelled());
    assert!(asked.reply.is_cancelled());
    assert_eq!(asked.reply.note(&line_note("x")), Err(Gone));
}

#[test]
fn who_stops_sending_still_gets_its_answers_and_is_missed_when_it_goes() {
    let world = World::new();
    let mut raw = world.raw();
    raw.send("{\"id\":5,\"do\":\"conf\"}\n{\"id\":6,\"do\":\"logs\"}\n");
    raw.stream().shutdown(Shutdown::Write).unwrap();
    raw.line();
    let (conf, logs) = (world.next_asked(), world.next_asked());
    conf.reply.finish(Ok(Settings::default()));
    assert_eq!(raw.json(), json!({"id": 5, "ok": {"settings": {}}}));
    logs.reply.note(&line_note("on")).unwrap();
    assert_eq!(raw.json(), json!({"id": 6, "note": "said", "text": "on"}));
    assert!(!logs.reply.is_cancelled());
    drop(raw);
    // Nothing is written, and still it is seen.
    world.wait(logs.reply.cancelled());

    let mut last = world.raw();
    last.send("{\"id\":1,\"do\":\"ping\"}\n");
    last.stream().shutdown(Shutdown::Write).unwrap();
    last.line();
    assert_eq!(last.json(), json!({"id": 1, "ok": {"pid": 7}}));
    assert!(last.is_at_end(), "with all answered the connection ends");
}

#[test]
fn malformed_lines_are_answered_and_the_next_is_heard() {
    let world = World::new();
    let mut raw = world.raw();
    raw.line();
    raw.send("\n  \r\nhello\n{\"id\":1,\"do\":\"dance\"}\n{\"id\":2,\"do\":\"ping\"}\n");
    let refused = raw.json();
    assert_eq!(refused["id"], json!(null));
    assert_eq!(refused["error"]["code"], "malformed");
    let unknown = raw.json();
    assert_eq!(
        (&unknown["id"], &unknown["error"]["code"]),
        (&json!(1), &json!("unknown_request"))
    );
    assert_eq!(raw.json()["id"], 2);
}

#[test]
fn a_request_may_come_in_pieces_and_several_in_one() {
    let world = World::new();
    let mut raw = world.raw();
    raw.line();
    for piece in [
        "{\"id\":",
        "1,\"do\":\"pi",
        "ng\"}",
        "\n{\"id\":2,\"do\":\"ping\"}\n{\"id\":3",
    ] {
        raw.send(piece);
    }
    assert_eq!(raw.json()["id"], 1);
    assert_eq!(raw.json()["id"], 2);
    raw.send(",\"do\":\"ping\"}\n");
    assert_eq!(raw.json()["id"], 3);
}

#[test]
fn who_sends_without_an_end_is_cut_off() {
    let world = World::new();
    let mut raw = world.raw();
    raw.line();
    let piece = "x".repeat(LINE_BYTES / 8);
    for _ in 0..8 {
        raw.send(&piece);
    }
    assert_eq!(raw.json()["error"]["code"], "too_large");
    assert!(raw.is_at_end());
}

#[test]
fn a_request_of_just_the_greatest_length_is_heard() {
    let world = World::new();
    let mut raw = world.raw();
    raw.line();
    let (head, tail) = (
        "{\"id\":1,\"do\":\"set\",\"key\":\"k\",\"value\":\"",
        "\"}\n",
    );
    let fill = LINE_BYTES - head.len() - tail.len();
    raw.send(&format!("{head}{}{tail}", "v".repeat(fill)));
    let asked = world.next_asked();
    match &asked.request {
        Request::Set(set) => assert_eq!(set.value.len(), fill),
        other => panic!("{other:?}"),
    }
    raw.send(&format!("{head}{}{tail}", "v".repeat(fill + 1)));
    assert_eq!(raw.json()["error"]["code"], "too_large");
}

#[test]
fn the_first_request_must_come_in_time_and_then_there_is_no_hurry() {
    let rules = Rules {
        first_request: Duration::from_millis(300),
        ..Rules::of_this_process("0.1.0")
    };
    let world = World::with(rules);
    let mut quick = world.client();
    quick.ask(&Ping {}).unwrap();
    let mut silent = world.raw();
    silent.line();
    let mut babbling = world.raw();
    babbling.line();
    babbling.send("hello\n{\"id\":1");
    assert_eq!(babbling.json()["error"]["code"], "malformed");
    for slow in [&mut silent, &mut babbling] {
        assert_eq!(slow.json()["error"]["code"], "too_late");
        assert!(slow.is_at_end());
    }
    // It has been idle for as long as the others.
    assert_eq!(quick.ask(&Ping {}).unwrap().pid, 7);
}

#[test]
fn too_many_requests_without_replies_are_refused_one_by_one() {
    let world = World::new();
    let mut client = world.client();
    let mut open: Vec<_> = (0..REQUESTS)
        .map(|_| {
            client.send(&Conf {}).unwrap();
            world.next_asked()
        })
        .collect();
    match client.ask(&Conf {}).unwrap_err() {
        ClientError::Failed(failure) => assert_eq!(failure.code, ErrorCode::TooMany),
        other => panic!("{other}"),
    }
    open.pop().unwrap().reply.finish(Ok(Settings::default()));
    client.send(&Conf {}).unwrap();
    open.push(world.next_asked());
}

#[test]
fn one_id_cannot_be_used_twice_at_the_same_time() {
    let world = World::new();
    let mut raw = world.raw();
    raw.line();
    raw.send("{\"id\":1,\"do\":\"conf\"}\n");
    world.next_asked().reply.finish(Ok(Settings::default()));
    assert_eq!(raw.json()["id"], 1);
    raw.send("{\"id\":1,\"do\":\"conf\"}\n{\"id\":1,\"do\":\"conf\"}\n");
    let first = world.next_asked();
    let refused = raw.json();
    assert_eq!(
        (&refused["id"], &refused["error"]["code"]),
        (&json!(null), &json!("malformed"))
    );
    assert!(raw.is_at_end());
    world.wait(first.reply.cancelled());
}

#[test]
fn too_many_connections_are_refused_until_one_ends() {
    let world = World::new();
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| world.client()).collect();
    for client in &mut clients {
        client.ask(&Ping {}).unwrap();
    }
    let refused = tine_control::client::Client::connect(&world.path, world::DEADLINE);
    match refused.unwrap_err() {
        ClientError::Refused(failure) => assert_eq!(failure.code, ErrorCode::TooMany),
        other => panic!("{other}"),
    }
    let mut leaving = clients.pop().unwrap();
    leaving.send(&Logs::default()).unwrap();
    let asked = world.next_asked();
    drop(leaving);
    world.wait(asked.reply.cancelled());
    // The task of the connection ends just after that; until then it may count still.
    let until = std::time::Instant::now() + world::DEADLINE;
    while tine_control::client::Client::connect(&world.path, world::DEADLINE).is_err() {
        assert!(
            std::time::Instant::now() < until,
            "its place is not given to another"
        );
    }
}

#[test]
fn another_user_is_refused_and_told_so() {
    // Root may always connect, so root plays another user, and anybody else a daemon's client
    // that is not its user.
    let is_root = rustix::process::geteuid().is_root();
    let rules = Rules {
        users: if is_root { vec![1] } else { vec![0] },
        ..Rules::of_this_process("0.1.0")
    };
    let world = World::with(rules);
    let connect = || tine_control::client::Client::connect(&world.path, world::DEADLINE);
    if is_root {
        assert!(connect().is_ok(), "root may connect to a daemon of user 1");
    }
    let outcome = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            if !is_root {
                return connect();
            }
            open_to_all(&world.path);
            // Only this thread becomes another user.
            let nobody = rustix::process::Uid::from_raw(65534);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            connect()
        });
        other.join().unwrap()
    });
    match outcome.unwrap_err() {
        ClientError::Refused(failure) => {
            assert_eq!(failure.code, ErrorCode::NotPermitted);
            assert!(!failure.hint.is_empty());
        }
        other => panic!("{other}"),
    }
}

/// Takes away what else keeps another user out, so that only the check of the uid is left.
fn open_to_all(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let open = || std::fs::Permissions::from_mode(0o777);
    let home = path.parent().unwrap();
    for one in [path, home, home.parent().unwrap()] {
        std::fs::set_permissions(one, open()).unwrap();
    }
}

#[test]
fn the_files_modes_alone_keep_another_user_out() {
    if !rustix::process::geteuid().is_root() {
        // Nobody else can become another user; the modes themselves are seen in listen.rs.
        return;
    }
    let world = World::new();
    let outcome = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let nobody = rustix::process::Uid::from_raw(65534);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            tine_control::client::Client::connect(&world.path, world::DEADLINE)
        });
        other.join().unwrap()
    });
    assert!(
        matches!(outcome, Err(ClientError::NotPermitted { .. })),
        "{outcome:?}"
    );
}

#[test]
fn what_was_said_before_the_end_is_delivered() {
    let mut world = World::new();
    let mut client = world.client();
    let id = client.send(&Kill {}).unwrap();
    let asked = world.next_asked();
    let mut idle = world.client();
    idle.ask(&Ping {}).unwrap();
    asked.reply.finish(Ok(Done {}));
    world.end();
    match client.next_line().unwrap() {
        tine_control::line::ServerLine::Ok(of, _) => assert_eq!(of, id),
        other => panic!("{other:?}"),
    }
    for mut client in [client, idle] {
        assert!(matches!(client.next_line(), Err(ClientError::Closed)));
    }
    let gone = tine_control::client::Client::connect(&world.path, world::DEADLINE);
    assert!(
        matches!(gone, Err(ClientError::NotRunning { .. })),
        "{gone:?}"
    );
}
