//! A cluster over real Node workers, as its user writes it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::time::Duration;
use tine_cluster::{Cluster, Event, Events, ExitStatus, Serialization};
use tine_testkit::{Runtime, script};

const DEADLINE: Duration = Duration::from_secs(20);

async fn next(events: &mut Events) -> Event {
    let next = tokio::time::timeout(DEADLINE, events.next());
    next.await
        .expect("an event in time")
        .expect("an open cluster")
}

fn name(event: &Event) -> String {
    match event {
        Event::Setup(_) => "setup".into(),
        Event::Fork(worker) => format!("fork {}", worker.id()),
        Event::Online(worker) => format!("online {}", worker.id()),
        Event::Listening { worker, address } => format!("listening {} {address}", worker.id()),
        Event::Message { worker, message } => {
            format!(
                "message {} {}",
                worker.id(),
                message.body().to_json().unwrap()
            )
        }
        Event::Disconnect { worker, error } => format!("disconnect {} {error:?}", worker.id()),
        Event::Exit {
            worker,
            status,
            exited_after_disconnect,
        } => format!("exit {} {status} {exited_after_disconnect}", worker.id()),
        other => format!("{other:?}"),
    }
}

/// node: test-cluster-worker-exit
#[tokio::test]
async fn every_event_comes_once_and_in_order() {
    for node in Runtime::NODES {
        for how in [Serialization::Json, Serialization::Advanced] {
            let script = script(
                "w.js",
                "process.on('message', (m) => { process.send({got: m}); if (m === 'go') process.exit(42) });
                 require('net').createServer().listen(0);",
            );
            let (cluster, mut events) = Cluster::builder()
                .exec(script.as_ref())
                .exec_path(node.path())
                .serialization(how)
                .start()
                .unwrap();
            let worker = cluster.fork().unwrap();
            let mut seen = Vec::new();
            loop {
                let event = next(&mut events).await;
                match &event {
                    Event::Listening { worker, .. } => {
                        worker.send(&(1, "two", None::<u8>)).await.unwrap();
                        worker.send("go").await.unwrap();
                    }
                    Event::Exit { status, .. } => {
                        assert_eq!(*status, ExitStatus::Code(42));
                        seen.push(name(&event));
                        break;
                    }
                    _ => {}
                }
                seen.push(name(&event));
            }
            assert!(worker.is_dead() && !worker.is_connected());
            assert_eq!(worker.exited_after_disconnect(), Some(false));
            assert!(cluster.workers().is_empty());
            let port = seen[3].rsplit(':').next().unwrap().to_owned();
            assert_eq!(
                seen,
                [
                    "setup".to_owned(),
                    "fork 1".into(),
                    "online 1".into(),
                    format!("listening 1 [::]:{port}"),
                    r#"message 1 {"got":[1,"two",null]}"#.into(),
                    r#"message 1 {"got":"go"}"#.into(),
                    "disconnect 1 None".into(),
                    "exit 1 exit code 42 false".into(),
                ],
                "{node:?} {how}"
            );
        }
    }
}
