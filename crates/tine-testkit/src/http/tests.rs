use super::*;
use crate::misbehave::{Behaviour, Server};
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

const SOON: Duration = Duration::from_millis(50);
const SECONDS: Duration = Duration::from_secs(10);

fn failure(behaviour: Behaviour) -> Failure {
    let server = Server::start(behaviour);
    let timeout = if behaviour == Behaviour::Hang {
        SOON
    } else {
        SECONDS
    };
    get_within(server.address(), "/", timeout).unwrap_err()
}

#[test]
fn a_whole_response_is_read_whole() {
    let server = Server::start(Behaviour::Answer);
    let response = get(server.address(), "/").unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.text(), "pid 42, at your service\n");
    assert_eq!(response.pid(), Some(42));
    assert_eq!(response.header("CONTENT-length"), Some("24"));
}

#[test]
fn chunks_are_read_whole() {
    let server = Server::start(Behaviour::Chunks);
    assert_eq!(
        get(server.address(), "/").unwrap().text(),
        "pid 42 in chunks"
    );
}

#[test]
fn refused() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let failure = get(address, "/").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert_eq!((failure.connected_at, failure.local_port), (None, None));
    let nowhere = std::path::Path::new("/nonexistent/tine.sock");
    assert_eq!(get(nowhere, "/").unwrap_err().kind, FailureKind::Refused);
}

#[test]
fn reset_before_a_byte_and_after_one() {
    let before = failure(Behaviour::ResetAtOnce);
    assert_eq!(
        (before.kind, before.bytes_seen),
        (FailureKind::ResetBeforeByte, 0)
    );
    let after = failure(Behaviour::ResetInBody);
    assert_eq!(after.kind, FailureKind::ResetAfterByte);
    assert!(after.bytes_seen > 0 && after.local_port.is_some() && after.connected_at.is_some());
}

#[test]
fn end_before_a_byte_and_after_one() {
    assert_eq!(
        failure(Behaviour::EndAtOnce).kind,
        FailureKind::EofBeforeByte
    );
    let after = failure(Behaviour::EndInBody);
    assert_eq!(after.kind, FailureKind::EofAfterByte);
    assert!(after.bytes_seen > 0);
    assert_eq!(
        failure(Behaviour::EndInChunks).kind,
        FailureKind::EofAfterByte
    );
}

#[test]
fn silence_is_a_timeout() {
    let began = Instant::now();
    assert_eq!(failure(Behaviour::Hang).kind, FailureKind::Timeout);
    assert!(began.elapsed() >= SOON);
}

#[test]
fn what_is_no_response_or_more_than_one_is_bad() {
    for behaviour in [Behaviour::Babble, Behaviour::TooMuch, Behaviour::NoLength] {
        assert_eq!(
            failure(behaviour).kind,
            FailureKind::BadResponse,
            "{behaviour:?}"
        );
    }
}

#[test]
fn a_full_backlog_is_a_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full.sock");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    // unix(7) takes one connection more than the backlog says.
    let _queued = UnixStream::connect(&path).unwrap();
    assert_eq!(
        get_within(path, "/", SOON).unwrap_err().kind,
        FailureKind::Timeout
    );
}

#[test]
fn a_unix_socket_is_asked_as_a_port_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1000];
        let length = stream.read(&mut request).unwrap();
        assert!(request[..length].starts_with(b"GET /there HTTP/1.1\r\n"));
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 204 Gone\r\n\r\n").unwrap();
    });
    assert_eq!(get(path, "/there").unwrap().status, 204);
    server.join().unwrap();
}

#[test]
fn a_connection_knows_when_the_server_has_closed_it() {
    let server = Server::start(Behaviour::AnswerTwiceThenEnd);
    let end = Instant::now() + SECONDS;
    let mut connection = Connection::open(&server.address().into(), end).unwrap();
    connection.get("/", true, end).unwrap();
    assert!(connection.is_open());
    connection.get("/", true, end).unwrap();
    crate::until("the server's end", SECONDS, || !connection.is_open());
    let failure = connection.get("/", true, end).unwrap_err();
    assert_eq!(failure.responses_before, 2);
    assert!(failure.is_idle_close(), "{failure}");
}
