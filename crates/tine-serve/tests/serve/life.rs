//! How the server begins and ends.

use crate::Test;
use crate::common::{Answer, PATIENCE, Server, command};
use crate::site::folder;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use tine_testkit::lines::Stream;
use tine_testkit::{Program, Signal, until};

pub(crate) const TESTS: &[Test] = &[
    ("what_was_begun_is_answered_before_the_end", what_was_begun),
    ("a_second_signal_ends_at_once", a_second_signal),
    (
        "who_keeps_a_connection_does_not_hold_the_end_up",
        who_keeps_a_connection,
    ),
    ("what_cannot_be_served_is_said", what_cannot_be_served),
];

/// A download of which the client has taken the beginning only.
fn download(server: &Server) -> TcpStream {
    let mut stream = server.connect();
    let request = b"GET /big.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    stream.read_exact(&mut [0; 1]).unwrap();
    stream
}

fn big() -> tempfile::TempDir {
    let folder = folder(&[("index.html", "home")]);
    let file = std::fs::File::create(folder.path().join("big.bin")).unwrap();
    file.set_len(64 << 20).unwrap();
    folder
}

fn is_refused(server: &Server) {
    until("nobody listens", PATIENCE, || {
        TcpStream::connect(("127.0.0.1", server.port)).is_err()
    });
}

fn what_was_begun() {
    let folder = big();
    for signal in [Signal::INT, Signal::TERM] {
        let server = Server::start(folder.path(), &[]);
        let mut begun = download(&server);
        server.program.signal(signal);
        is_refused(&server);
        // The first byte was read already.
        let mut rest = Vec::new();
        begun.read_to_end(&mut rest).unwrap();
        let end = rest
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        assert_eq!(rest.len() - end - 4, 64 << 20, "all of it");
        assert_eq!(server.program.wait_exit(PATIENCE).code(), Some(0));
    }
}

fn a_second_signal() {
    let folder = big();
    let server = Server::start(folder.path(), &[]);
    let begun = download(&server);
    server.program.signal(Signal::TERM);
    is_refused(&server);
    assert_eq!(server.program.try_exit(), None, "somebody is being served");
    server.program.signal(Signal::TERM);
    assert_eq!(server.program.wait_exit(PATIENCE).code(), Some(0));
    drop(begun);
}

fn who_keeps_a_connection() {
    let folder = big();
    let server = Server::start(folder.path(), &[]);
    let mut kept = server.connect();
    kept.write_all(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        kept.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    server.program.signal(Signal::TERM);
    is_refused(&server);
    // Still answered, and told that it is the last time.
    kept.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let answer = Answer::read(&mut kept);
    assert_eq!(answer.text(), "home");
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(server.program.wait_exit(PATIENCE).code(), Some(0));
}

fn what_cannot_be_served() {
    let folder = folder(&[("index.html", "home")]);
    let server = Server::start(folder.path(), &[]);
    let port = server.port.to_string();
    let missing = folder.path().join("none");
    for (path, variable, expected) in [
        (
            folder.path(),
            ("PM2_SERVE_PORT", &*port),
            "another program listens there",
        ),
        (&missing, ("PM2_SERVE_PORT", "0"), "opening the folder"),
        (folder.path(), ("PM2_SERVE_PORT", "x"), "PM2_SERVE_PORT"),
        (
            folder.path(),
            ("PM2_SERVE_HOST", "256.1.1.1"),
            "looking up the host",
        ),
        (
            folder.path(),
            ("PM2_SERVE_HOST", "192.0.2.1"),
            "does not have that address",
        ),
    ] {
        let program = Program::start("server", command("server", path, &[variable]));
        assert_eq!(program.wait_exit(PATIENCE).code(), Some(1));
        program.wait_output_end(PATIENCE);
        let said = program.texts(Stream::Stderr).join("\n");
        assert!(said.contains(expected) && said.contains("hint: "), "{said}");
    }
}
