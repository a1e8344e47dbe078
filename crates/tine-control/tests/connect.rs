//! Where the daemon listens, and what a client finds there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tine_control::ErrorCode;
use tine_control::client::{Client, ClientError};
use tine_control::server::{ListenError, listen};

const DEADLINE: Duration = Duration::from_secs(20);

fn home() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    (folder, path)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o777
}

/// What a client makes of a server that says this and hangs up.
fn greeted_with(text: &'static str) -> ClientError {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(text.as_bytes()).unwrap();
    drop(theirs);
    Client::over(ours, DEADLINE).unwrap_err()
}

#[test]
fn another_version_is_named_with_what_to_do() {
    let newer = greeted_with(
        "{\"tine\":\"control\",\"version\":2,\"server\":\"9.0.0\",\"pid\":5,\"more\":[]}\n",
    );
    assert!(
        matches!(&newer, ClientError::Version { server, pid: 5, theirs: 2 } if server == "9.0.0"),
        "{newer:?}"
    );
    assert!(newer.to_string().contains("9.0.0"), "{newer}");
    assert!(newer.hint().contains("newer"));
    let older = greeted_with("{\"tine\":\"control\",\"version\":0}\n");
    assert!(older.hint().contains("older"), "{older}");
}

#[test]
fn what_is_not_tine_is_recognised() {
    for text in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "\n",
        "{}\n",
        "{\"tine\":\"ledger\",\"version\":1}\n",
        "{\"tine\":\"control\",\"version\":\"1\"}\n",
    ] {
        let error = greeted_with(text);
        assert!(
            matches!(error, ClientError::NotTine { .. }),
            "{text}: {error:?}"
        );
    }
    assert!(matches!(greeted_with(""), ClientError::Closed));
    assert!(matches!(
        greeted_with("{\"tine\":\"contr"),
        ClientError::Closed
    ));
    let refused = greeted_with("{\"id\":null,\"error\":{\"code\":\"too_many\",\"text\":\"x\"}}\n");
    assert!(
        matches!(&refused, ClientError::Refused(failure) if failure.code == ErrorCode::TooMany),
        "{refused:?}"
    );
}

#[test]
fn a_daemon_that_says_nothing_is_waited_for_no_longer_than_asked() {
    let (_folder, path) = home();
    let _silent = UnixListener::bind(&path).unwrap();
    let begun = Instant::now();
    let error = Client::connect(&path, Duration::from_millis(50)).unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

#[test]
fn a_daemon_that_does_not_accept_is_waited_for_no_longer_than_asked() {
    let (_folder, path) = home();
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    // The backlog of 0 takes one; the next waits.
    let _first = UnixStream::connect(&path).unwrap();
    let error = Client::connect(&path, Duration::from_millis(50)).unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
}

#[test]
fn nobody_there_is_told_from_other_faults() {
    let (folder, path) = home();
    for nobody in [
        path.clone(),
        folder.path().join("no/such/folder/control.sock"),
    ] {
        let error = Client::connect(&nobody, DEADLINE).unwrap_err();
        assert!(matches!(error, ClientError::NotRunning { .. }), "{error:?}");
    }
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "the file outlives its listener");
    let error = Client::connect(&path, DEADLINE).unwrap_err();
    assert!(matches!(error, ClientError::NotRunning { .. }), "{error:?}");
    let long = folder.path().join("x".repeat(120));
    let error = Client::connect(&long, DEADLINE).unwrap_err();
    assert!(
        matches!(error, ClientError::PathTooLong { .. }),
        "{error:?}"
    );
    assert!(error.hint().contains("TINE_HOME"));
}

#[test]
fn an_answer_that_does_not_come_is_waited_for_no_longer_than_asked() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs
        .write_all(b"{\"tine\":\"control\",\"version\":1,\"server\":\"x\",\"pid\":1}\n")
        .unwrap();
    let mut client = Client::over(ours, DEADLINE).unwrap();
    client.set_limit(Some(Duration::from_millis(50)));
    let error = client.ask(&tine_control::request::Ping {}).unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
    // Half an answer is none either.
    theirs.write_all(b"{\"id\":2,\"ok\":").unwrap();
    let error = client.ask(&tine_control::request::Ping {}).unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
}

#[test]
fn a_request_that_the_daemon_would_not_take_is_not_sent() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs
        .write_all(b"{\"tine\":\"control\",\"version\":1,\"server\":\"x\",\"pid\":1}\n")
        .unwrap();
    let mut client = Client::over(ours, DEADLINE).unwrap();
    let error = client
        .ask(&tine_control::request::Set {
            key: "k".to_owned(),
            value: "v".repeat(tine_control::limits::LINE_BYTES),
        })
        .unwrap_err();
    assert!(matches!(error, ClientError::TooLarge { .. }), "{error:?}");
}

#[test]
fn the_socket_is_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/control.sock");
    let _listener = listen(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&folder.path().join("a")), 0o700);
    let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing but the socket is left");
}

#[test]
fn a_socket_of_the_dead_is_replaced_and_one_of_the_living_is_not() {
    let (_folder, path) = home();
    drop(listen(&path).unwrap());
    let living = listen(&path).unwrap();
    let error = listen(&path).unwrap_err();
    assert!(matches!(error, ListenError::Taken { .. }), "{error:?}");
    let client = UnixStream::connect(&path);
    assert!(client.is_ok());
    drop(living);
    let _next = listen(&path).unwrap();
}

#[test]
fn what_is_not_a_socket_is_left_alone() {
    let (_folder, path) = home();
    std::fs::write(&path, "precious").unwrap();
    let error = listen(&path).unwrap_err();
    assert!(matches!(error, ListenError::NotASocket { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(&path).unwrap();
    // Not even what a link points to.
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    let error = listen(&path).unwrap_err();
    assert!(matches!(error, ListenError::NotASocket { .. }), "{error:?}");
}

#[test]
fn a_folder_that_others_can_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = listen(&folder.path().join("control.sock")).unwrap_err();
    assert!(matches!(error, ListenError::OpenFolder { .. }), "{error:?}");
    assert!(error.hint().starts_with("chmod 700 "));
    assert_eq!(mode(folder.path()), 0o777, "it is not for us to change");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let _listener = listen(&folder.path().join("control.sock")).unwrap();
}

#[test]
fn a_path_that_is_too_long_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = listen(&folder.path().join("x".repeat(120))).unwrap_err();
    assert!(error.hint().contains("TINE_HOME"), "{error:?}");
}
