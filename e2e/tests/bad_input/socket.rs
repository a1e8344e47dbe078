//! Bytes on the socket that nobody who means well would send.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::bystander::Bystander;
use crate::support::*;
use tine_testkit::control::Control;

fn connect(bystander: &Bystander) -> UnixStream {
    let stream = UnixStream::connect(bystander.home.tine().join("control.sock")).unwrap();
    stream.set_read_timeout(Some(SECONDS)).unwrap();
    stream.set_write_timeout(Some(SECONDS)).unwrap();
    stream
}

/// Everything that is said until the daemon hangs up.
fn rest(mut stream: UnixStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is cut off with bytes unread is a reset: what was heard before counts.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn lines_that_are_no_requests() {
    let bystander = Bystander::new();
    for line in [
        "",
        "nonsense",
        "{",
        "[]",
        "5",
        "null",
        "{\"id\":1}",
        "{\"do\":\"list\"}",
        "{\"id\":-1,\"do\":\"list\"}",
        "{\"id\":\"x\",\"do\":\"list\"}",
        "{\"id\":1,\"do\":5}",
        "{\"id\":1,\"do\":\"dance\"}",
        "{\"id\":1,\"do\":\"list\",\"more\":1}",
        "{\"id\":1,\"do\":\"stop\"}",
        "{\"id\":1,\"do\":\"stop\",\"target\":{}}",
        "{\"id\":1,\"do\":\"stop\",\"target\":{\"regex\":\"(\"}}",
        "{\"id\":1,\"do\":\"scale\",\"target\":\"bystander\",\"to\":-5}",
        "{\"id\":1,\"do\":\"start\",\"apps\":[{}]}",
        "{\"id\":1,\"do\":\"start\",\"apps\":[{\"name\":\"x\",\"script\":\"x\",\"cwd\":\"y\"}]}",
        "{\"id\":1,\"do\":\"signal\",\"target\":\"all\",\"signal\":\"SIGNONE\"}",
        "{\"id\":1,\"do\":\"env\",\"process\":99}",
        "{\"id\":1,\"do\":\"cancel\",\"request\":7}",
    ] {
        let mut stream = connect(&bystander);
        stream
            .write_all(format!("{line}\n{{\"id\":9,\"do\":\"ping\"}}\n").as_bytes())
            .unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let said = rest(stream);
        // The next line is heard.
        assert!(said.contains("{\"id\":9,\"ok\":"), "{line}: {said}");
        let errors = said.matches("\"error\"").count();
        let is_idle = line.is_empty() || line.contains("cancel");
        assert!(errors == 1 || is_idle, "{line}: {said}");
    }
    bystander.is_undisturbed();
}

#[test]
fn regular_expressions_that_would_take_for_ever() {
    let bystander = Bystander::new();
    let mut control = bystander.home.control();
    let began = Instant::now();
    for regex in [
        "(a*)*b".repeat(100),
        "a{1000}{1000}{1000}".to_owned(),
        "(".repeat(100_000),
    ] {
        let _ = control
            .try_ask(json!({"do": "list", "target": {"regex": regex}}))
            .unwrap();
    }
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    bystander.is_undisturbed();
}

#[test]
fn random_bytes() {
    let bystander = Bystander::new();
    let mut random = Random::new();
    for _ in 0..100 {
        let mut stream = connect(&bystander);
        let length = random.below(5000) + 1;
        let bytes: Vec<u8> = (0..length)
            .map(|_| u8::try_from(random.below(256)).unwrap())
            .collect();
        let _ = stream.write_all(&bytes);
        if random.below(2) == 0 {
            drop(stream);
        } else {
            let _ = stream.shutdown(std::net::Shutdown::Write);
            rest(stream);
        }
    }
    bystander.is_undisturbed();
}

#[test]
fn a_line_without_end() {
    let bystander = Bystander::new();
    let mut stream = connect(&bystander);
    let block = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while sent < 64 && stream.write_all(&block).is_ok() {
        sent += 1;
    }
    assert!(sent < 32, "it has taken {sent} MiB");
    let said = rest(stream);
    assert!(
        said.is_empty() || said.contains("too_large") || !said.contains("error"),
        "{said:.200}"
    );
    bystander.is_undisturbed();
    let rss = process::rss_bytes(bystander.home.brain()).unwrap();
    assert!(rss < 100 << 20, "{rss}");
}

#[test]
fn deep_json() {
    let bystander = Bystander::new();
    let mut stream = connect(&bystander);
    let line = format!("{{\"id\":1,\"do\":{}\n", "[".repeat(1 << 20));
    stream.write_all(line.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(rest(stream).contains("malformed"));
    bystander.is_undisturbed();
}

#[test]
fn one_who_says_nothing_and_one_who_says_half_a_line() {
    let bystander = Bystander::new();
    let began = Instant::now();
    let silent = connect(&bystander);
    let mut half = connect(&bystander);
    half.write_all(b"{\"id\":1,\"do\":").unwrap();
    for stream in [silent, half] {
        let said = rest(stream);
        assert!(said.contains("too_late"), "{said}");
    }
    assert!(
        began.elapsed() < Duration::from_secs(25),
        "{:?}",
        began.elapsed()
    );
    bystander.is_undisturbed();
}

#[test]
fn one_who_does_not_read() {
    let bystander = Bystander::new();
    let mut stream = connect(&bystander);
    stream
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    // Some ask and ask and never read an answer.
    let line = "{\"id\":1,\"do\":\"describe\"}\n".repeat(50);
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end && stream.write_all(line.as_bytes()).is_ok() {}
    // The others are heard as ever.
    let began = Instant::now();
    bystander.home.ok(["list"]);
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    let rss = process::rss_bytes(bystander.home.brain()).unwrap();
    assert!(rss < 100 << 20, "{rss}");
    bystander.is_undisturbed();
}

#[test]
fn three_hundred_connections() {
    let bystander = Bystander::new();
    let before = process::fd_count(bystander.home.brain()).unwrap();
    let mut all = Vec::new();
    let mut too_many = 0;
    for _ in 0..300 {
        // Who is one too many is told so instead of being greeted.
        let control = Control::connect(&bystander.home.tine().join("control.sock"));
        match control {
            Ok(control) if control.greeting().get("tine").is_some() => all.push(control),
            Ok(control) => {
                assert_eq!(control.greeting()["error"]["code"], "too_many");
                too_many += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((all.len(), too_many), (256, 44));
    // Those who are connected are heard.
    all[0].ask(json!({"do": "ping"}));
    all[255].ask(json!({"do": "ping"}));
    drop(all);
    until("room again", SECONDS, || {
        let control = Control::connect(&bystander.home.tine().join("control.sock"));
        control.is_ok_and(|control| control.greeting().get("tine").is_some())
    });
    bystander.is_undisturbed();
    until("descriptors as before", SECONDS, || {
        let now = process::fd_count(bystander.home.brain()).unwrap();
        if now <= before + 2 {
            Ok(())
        } else {
            Err(format!("{now} instead of {before}"))
        }
    });
}

#[test]
fn too_many_requests_at_once() {
    let bystander = Bystander::new();
    let mut control = bystander.home.control();
    for _ in 0..200 {
        control
            .send(json!({"do": "logs", "follow": true, "lines": 0}))
            .unwrap();
    }
    let last = control.send(json!({"do": "ping"})).unwrap();
    // Whether it is the ping that is too many or a `logs` before it, it is said.
    let mut refused = 0;
    while refused < 100 {
        let line = control.line().unwrap();
        if line["error"]["code"] == "too_many" {
            refused += 1;
        }
        assert!(line["id"].as_u64().is_none_or(|id| id <= last));
    }
    drop(control);
    bystander.is_undisturbed();
}
