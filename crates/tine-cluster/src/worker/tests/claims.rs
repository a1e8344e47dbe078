//! What does the sender of a connection hear of it?

use super::super::Worker;
use super::primary::{Primary, pair, within};
use serde_json::json;
use tine_ipc::Event;
use tokio::net::{TcpListener, TcpStream};

const KEY: &str = "4:127.0.0.1:5";

/// One end of a connection, and the end to be given away.
async fn connection() -> (TcpStream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mine = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (yours, _) = listener.accept().await.unwrap();
    (mine, yours.into_std().unwrap())
}

/// What the worker answers; acknowledgements of handles are skipped.
async fn answer(primary: &mut Primary) -> serde_json::Value {
    loop {
        match primary.event().await {
            Some(Event::HandleTaken(_)) => {}
            Some(Event::Message { body, .. }) => {
                let value: serde_json::Value = body.read().unwrap();
                if value["cmd"] != "NODE_HANDLE_ACK" {
                    return value;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn count(primary: &mut Primary) -> serde_json::Value {
    let question = json!({ "cmd": "NODE_SOCKET_GET_COUNT", "key": KEY });
    primary.say(&question).await;
    let answer = answer(primary).await;
    assert_eq!(answer["cmd"], "NODE_SOCKET_COUNT", "{answer}");
    assert_eq!(answer["key"], KEY);
    answer["count"].clone()
}

async fn tell_me_when_closed(primary: &mut Primary) {
    let question = json!({ "cmd": "NODE_SOCKET_NOTIFY_CLOSE", "key": KEY });
    primary.say(&question).await;
}

async fn taken(worker: &Worker) -> crate::Message {
    within("the connection", worker.messages().next())
        .await
        .unwrap()
}

/// node: test-child-process-fork-getconnections
#[tokio::test]
async fn a_connection_counts_until_the_program_closes_it() {
    let (worker, mut primary) = pair(None);
    let (_mine, yours) = connection().await;
    primary.give(&yours, Some(KEY)).await;
    drop(yours);
    tell_me_when_closed(&mut primary).await;
    // Not an answer to the first question, as long as it waits …
    assert_eq!(count(&mut primary).await, 1);
    let message = taken(&worker).await;
    assert!(matches!(
        message.handle(),
        Some(crate::Handle::TcpStream(_))
    ));
    // … and as long as it is served.
    assert_eq!(count(&mut primary).await, 1);
    drop(message);
    assert_eq!(answer(&mut primary).await["cmd"], "NODE_SOCKET_ALL_CLOSED");
    assert_eq!(count(&mut primary).await, 0);
    tell_me_when_closed(&mut primary).await;
    assert_eq!(answer(&mut primary).await["cmd"], "NODE_SOCKET_ALL_CLOSED");
}

#[tokio::test]
async fn a_connection_that_nobody_reads_and_that_is_dropped_is_closed() {
    let (worker, mut primary) = pair(None);
    let (_mine, yours) = connection().await;
    primary.give(&yours, Some(KEY)).await;
    drop(yours);
    tell_me_when_closed(&mut primary).await;
    assert_eq!(count(&mut primary).await, 1);
    for _ in 0..64 {
        let (_mine, yours) = connection().await;
        primary.give(&yours, None).await;
    }
    assert_eq!(answer(&mut primary).await["cmd"], "NODE_SOCKET_ALL_CLOSED");
    assert!(worker.messages().dropped() > 0);
}
