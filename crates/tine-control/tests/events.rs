//! The stream of events: in order, resumed, and never at the cost of others.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod samples;
mod world;

use serde_json::json;
use std::io::Read;
use tine_control::client::{Client, ClientError, Told};
use tine_control::limits::{EVENT_BYTES, EVENTS, UNREAD_BYTES};
use tine_control::request::{List, Logs, Ping, Subscribe};
use tine_control::{ErrorCode, Event, Gap, What};
use world::World;

fn saved(text: impl Into<String>) -> What {
    What::AppChanged { app: text.into() }
}

fn event(client: &mut Client) -> Event {
    match client.told().unwrap() {
        Told::Event(event) => event,
        Told::Gap(gap) => panic!("{gap:?}"),
    }
}

#[test]
fn a_subscriber_is_told_everything_in_order() {
    let world = World::new();
    world.events.publish(1, saved("before"));
    let mut client = world.client();
    assert_eq!(client.subscribe(None).unwrap(), 101);
    for (number, what) in (101..).zip(samples::happenings()) {
        assert_eq!(world.events.publish(number * 2, what), number);
    }
    for (number, what) in (101..).zip(samples::happenings()) {
        let at = number * 2;
        assert_eq!(event(&mut client), Event { number, at, what });
    }
    assert_eq!(
        world.events.next(),
        101 + samples::happenings().len() as u64
    );
}

#[test]
fn who_comes_back_gets_what_it_missed() {
    let world = World::new();
    let mut client = world.client();
    client.subscribe(None).unwrap();
    world.events.publish(1, saved("a"));
    assert_eq!(event(&mut client).number, 100);
    drop(client);
    world.events.publish(2, saved("b"));
    world.events.publish(3, saved("c"));
    let mut again = world.client();
    assert_eq!(again.subscribe(Some(100)).unwrap(), 101);
    world.events.publish(4, saved("d"));
    for (number, name) in [(101, "b"), (102, "c"), (103, "d")] {
        let event = event(&mut again);
        assert_eq!((event.number, event.what), (number, saved(name)));
    }
    let mut up_to_date = world.client();
    assert_eq!(up_to_date.subscribe(Some(103)).unwrap(), 104);
    world.events.publish(5, saved("e"));
    assert_eq!(event(&mut up_to_date).number, 104);
    let mut from_the_first = world.client();
    assert_eq!(from_the_first.subscribe(Some(99)).unwrap(), 100);
    assert_eq!(event(&mut from_the_first).number, 100);
}

#[test]
fn what_is_gone_or_was_never_there_is_a_gap() {
    let world = World::new();
    for at in 0..EVENTS as u64 + 10 {
        world.events.publish(at, saved("x"));
    }
    let next = 100 + EVENTS as u64 + 10;
    let oldest = 110;
    for after in [0, oldest - 2, next, next + 5, u64::MAX] {
        let mut client = world.client();
        assert_eq!(client.subscribe(Some(after)).unwrap(), next, "{after}");
        assert_eq!(client.told().unwrap(), Told::Gap(Gap { after, next }));
    }
    let mut just = world.client();
    assert_eq!(just.subscribe(Some(oldest - 1)).unwrap(), oldest);
    assert_eq!(event(&mut just).number, oldest);
    let mut told_on = world.client();
    told_on.subscribe(Some(0)).unwrap();
    assert!(matches!(told_on.told().unwrap(), Told::Gap(_)));
    world.events.publish(1, saved("y"));
    assert_eq!(event(&mut told_on).number, next);
}

#[test]
fn long_events_are_forgotten_sooner() {
    let world = World::new();
    let long = "x".repeat(EVENT_BYTES / 2);
    for at in 0..3 {
        world.events.publish(at, saved(long.clone()));
    }
    let mut client = world.client();
    client.subscribe(Some(100)).unwrap();
    let gap = Gap {
        after: 100,
        next: 103,
    };
    assert_eq!(client.told().unwrap(), Told::Gap(gap));
    let mut client = world.client();
    client.subscribe(Some(101)).unwrap();
    assert_eq!(event(&mut client).number, 102);
}

#[test]
fn an_event_that_json_cannot_carry_is_left_out() {
    use std::os::unix::ffi::OsStrExt;
    let world = World::new();
    let mut client = world.client();
    client.subscribe(None).unwrap();
    let file = std::ffi::OsStr::from_bytes(b"/\xff").into();
    assert_eq!(world.events.publish(1, What::Saved { file }), 100);
    world.events.publish(2, saved("next"));
    assert_eq!(event(&mut client).number, 101);
    let mut again = world.client();
    again.subscribe(Some(99)).unwrap();
    assert_eq!(event(&mut again).number, 101);
}

#[test]
fn a_connection_has_one_subscription() {
    let world = World::new();
    let mut client = world.client();
    client.subscribe(None).unwrap();
    match client.subscribe(None).unwrap_err() {
        ClientError::Failed(failure) => assert_eq!(failure.code, ErrorCode::Busy),
        other => panic!("{other}"),
    }
    world.events.publish(1, saved("once"));
    world.events.publish(2, saved("end"));
    assert_eq!(event(&mut client).number, 100);
    assert_eq!(event(&mut client).number, 101);
}

#[test]
fn events_during_a_request_are_kept_for_later() {
    let world = World::new();
    let mut client = world.client();
    client.ask(&Subscribe::default()).unwrap();
    world.events.publish(1, saved("a"));
    assert_eq!(client.ask(&Ping {}).unwrap().pid, 7);
    world.events.publish(2, saved("b"));
    assert_eq!(event(&mut client).what, saved("a"));
    assert_eq!(event(&mut client).what, saved("b"));
}

#[test]
fn who_does_not_read_is_cut_off_and_nobody_else_notices() {
    let world = World::new();
    let mut slow = world.raw();
    slow.line();
    slow.send("{\"id\":1,\"do\":\"subscribe\"}\n{\"id\":2,\"do\":\"logs\"}\n");
    let followed = world.next_asked();
    assert_eq!(slow.json(), json!({"id": 1, "ok": {"next": 100}}));
    let mut quick = world.client();
    quick.subscribe(None).unwrap();
    let text = "x".repeat(16 * 1024);
    // More than may wait, and than the kernel takes for two sockets.
    for number in 100..100 + 2 * (UNREAD_BYTES / text.len()) as u64 {
        world.events.publish(number, saved(text.clone()));
        assert_eq!(event(&mut quick).number, number);
    }
    world.wait(followed.reply.cancelled());
    assert_eq!(quick.ask(&Ping {}).unwrap().pid, 7);

    let mut rest = String::new();
    slow.reader.read_to_string(&mut rest).unwrap();
    let lines: Vec<&str> = rest.lines().collect();
    let (last, told) = lines.split_last().unwrap();
    for (number, line) in (100..).zip(told) {
        let event: Event = serde_json::from_str(line).unwrap();
        assert_eq!(event.number, number, "whole lines, in order");
    }
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(
        (&last["id"], &last["error"]["code"]),
        (&json!(null), &json!("too_slow"))
    );
    assert!(rest.len() < UNREAD_BYTES, "what waited was thrown away");
}

#[test]
fn who_asks_and_does_not_read_is_cut_off_too() {
    let world = World::new();
    let mut slow = world.client();
    slow.send(&Logs::default()).unwrap();
    let followed = world.next_asked();
    let processes = vec![samples::process(); 2000];
    let mut answered = 0;
    // The kernel holds some of it.
    while !followed.reply.is_cancelled() && followed.reply.waiting() < UNREAD_BYTES {
        slow.send(&List::default()).unwrap();
        let processes = processes.clone();
        let listed = tine_control::reply::Listed { processes };
        world.next_asked().reply.finish(Ok(listed));
        answered += 1;
        assert!(answered < 100, "nothing waits, though nobody reads");
    }
    // One more than may be.
    slow.send(&Ping {}).unwrap();
    world.wait(followed.reply.cancelled());
    let refused = loop {
        match slow.next_line() {
            Ok(tine_control::line::ServerLine::Failed(None, failure)) => break failure,
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(refused.code, ErrorCode::TooSlow);
}

#[test]
fn a_stream_of_notes_can_wait_for_its_reader() {
    let world = World::new();
    let mut client = world.client();
    client.send(&Logs::default()).unwrap();
    let asked = world.next_asked();
    let note = tine_control::Note::Said {
        text: "x".repeat(16 * 1024),
    };
    let count = 3 * UNREAD_BYTES / (16 * 1024);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..count {
                world.wait(asked.reply.has_room()).unwrap();
                asked.reply.note(&note).unwrap();
                assert!(asked.reply.waiting() <= UNREAD_BYTES);
            }
            asked.reply.finish(Ok(tine_control::reply::Done {}));
        });
        let mut notes = 0;
        loop {
            match client.next_line().unwrap() {
                tine_control::line::ServerLine::Note(..) => notes += 1,
                tine_control::line::ServerLine::Ok(..) => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(notes, count);
    });
}

#[test]
fn a_subscriber_that_stopped_sending_is_told_on() {
    let world = World::new();
    let mut raw = world.raw();
    raw.line();
    raw.send("{\"id\":1,\"do\":\"subscribe\"}\n");
    raw.stream().shutdown(std::net::Shutdown::Write).unwrap();
    raw.line();
    world.events.publish(1, saved("a"));
    assert_eq!(raw.json()["event"], 100);
    assert_eq!(world.client().ask(&Ping {}).unwrap().pid, 7);
    world.events.publish(1, saved("b"));
    assert_eq!(raw.json()["event"], 101);
}
