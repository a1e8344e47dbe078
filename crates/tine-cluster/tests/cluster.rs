//! A cluster over real Node workers, as its user writes it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::time::Duration;
use tine_cluster::cluster::InspectPort;
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

/// A worker that says more than is taken is not read on, but what is behind it and awaited is.
#[tokio::test]
async fn an_answer_behind_more_than_is_taken_still_comes() {
    let script = script(
        "w.js",
        "for (let i = 0; i < 15000; i++) process.send(i);
         process.on('message', (m) => process.send({ 'tine:reply': m['tine:request'], value: 'here' }));",
    );
    let (cluster, mut events) = Cluster::builder()
        .exec(script.as_ref())
        .exec_path(Runtime::Node22.path())
        .start()
        .unwrap();
    let worker = cluster.fork().unwrap();
    let asked = tokio::time::timeout(DEADLINE, worker.request::<String>("where?"));
    assert_eq!(asked.await.expect("an answer in time").unwrap(), "here");
    // So is its leave.
    worker.disconnect();
    let left = tokio::time::timeout(DEADLINE, worker.exited()).await;
    assert_eq!(left.expect("left in time"), Some(ExitStatus::Code(0)));
    let mut messages = 0;
    while let Some(event) = events.try_next() {
        messages += usize::from(matches!(event, Event::Message { .. }));
    }
    assert_eq!(messages, 15_000, "nothing is lost");
}

/// The order of the calls is that of the messages, awaited or not.
#[tokio::test]
async fn what_is_not_awaited_is_sent_all_the_same() {
    let script = script(
        "w.js",
        "process.on('message', (m) => { if (m === 99) { process.send(seen); process.disconnect(); } seen.push(m); });
         const seen = [];",
    );
    let (cluster, mut events) = Cluster::builder()
        .exec(script.as_ref())
        .exec_path(Runtime::Node22.path())
        .start()
        .unwrap();
    let worker = cluster.fork().unwrap();
    let later: Vec<_> = (0..50).map(|number| worker.send(&number)).collect();
    drop(later);
    worker.send(&99).await.unwrap();
    loop {
        if let Event::Message { message, .. } = next(&mut events).await {
            let seen: Vec<u32> = message.read().unwrap();
            assert_eq!(seen, (0..50).collect::<Vec<_>>());
            break;
        }
    }
}

/// Whoever waits is told when nothing can come any more.
#[test]
fn a_cluster_closes_with_the_runtime_it_was_started_in() {
    let one = || tokio::runtime::Runtime::new().unwrap();
    let script = script("w.js", "setInterval(() => {}, 1000)");
    let runtime = one();
    let (worker, mut events, _cluster) = runtime.block_on(async {
        let (cluster, events) = Cluster::builder()
            .exec(script.as_ref())
            .exec_path(Runtime::Node22.path())
            .start()
            .unwrap();
        let worker = cluster.fork().unwrap();
        worker.online().await.unwrap();
        (worker, events, cluster)
    });
    drop(runtime);
    one().block_on(async {
        let gone = tokio::time::timeout(DEADLINE, worker.disconnected()).await;
        gone.expect("told that it is closed");
        assert!(worker.send("hello").await.is_err());
        while events.next().await.is_some() {}
    });
}

/// A closure of the program may look at the cluster that asks it.
#[tokio::test]
async fn what_the_program_is_asked_may_ask_the_cluster() {
    let script = script("w.js", "");
    let (cluster, _events) = Cluster::builder()
        .exec(script.as_ref())
        .exec_path(Runtime::Node22.path())
        .start()
        .unwrap();
    let asked = cluster.clone();
    cluster.setup(|settings| {
        assert!(asked.workers().is_empty());
        let asked = asked.clone();
        let choose = move || u16::try_from(asked.workers().len()).unwrap();
        settings.inspect_port(InspectPort::Chosen(std::sync::Arc::new(choose)));
        settings.exec_argv(["--inspect-port=0"]);
    });
    let worker = cluster.fork().unwrap();
    worker.online().await.unwrap();
    worker.disconnect();
    assert!(worker.exited().await.is_some());
}

/// A worker with two servers is replaced when the new one has both.
#[tokio::test]
async fn a_worker_is_replaced_when_the_new_one_listens_everywhere() {
    let ports = [
        tine_testkit::ports::free_tcp(),
        tine_testkit::ports::free_tcp(),
    ];
    let script = script(
        "w.js",
        "const [one, other] = process.argv.slice(2).map(Number);
         const serve = (port) => require('http').createServer((q, s) => s.end('pid ' + process.pid)).listen(port);
         serve(one); setTimeout(serve, 300, other);",
    );
    let (cluster, _events) = Cluster::builder()
        .exec(script.as_ref())
        .exec_path(Runtime::Node22.path())
        .args(ports.map(|port| port.to_string()))
        .start()
        .unwrap();
    let old = cluster.fork().unwrap();
    while old.addresses().len() < 2 {
        old.listening().await.unwrap();
        tokio::task::yield_now().await;
    }
    let new = cluster.replace(&old).await.unwrap();
    assert_eq!(new.addresses().len(), 2);
    assert_eq!(old.exited().await, Some(ExitStatus::Code(0)));
}
