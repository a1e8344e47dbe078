//! How workers are asked to leave, at every bad moment: the assertions of Node's own tests, with
//! real Node workers.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod parity_support;

use parity_support::{DEADLINE, IDLE, Run, SOME, ask, connect, rest};
use std::collections::BTreeSet;
use tine_cluster::cluster::Phase;
use tine_cluster::{Event, ExitStatus, ListeningAddress, Policy, SendError, WorkerProcess};
use tine_testkit::{Runtime, process};

/// How a worker ends that has left in good order.
const LEFT: (ExitStatus, bool) = (ExitStatus::Code(0), true);

/// The ways in which workers come to their sockets.
const POLICIES: [Policy; 3] = [Policy::Shared, Policy::RoundRobin, Policy::Kernel];

async fn all_leave(run: &Run) {
    let all = tokio::time::timeout(DEADLINE, run.cluster.disconnect());
    all.await.expect("all workers to leave in time");
}

/// node: test-cluster-worker-disconnect
#[tokio::test]
async fn a_worker_that_is_asked_to_leave_closes_its_server_and_its_channel_and_ends() {
    let script = "
        require('http').createServer().listen(0, '127.0.0.1');
        require('cluster').worker.on('disconnect', () => process.exit(42));";
    for node in Runtime::NODES {
        for policy in POLICIES {
            let mut run = Run::with(node, script, |setup| {
                setup.policy(policy);
            });
            let worker = run.fork();
            run.listening(&worker).await;
            assert_eq!(worker.exited_after_disconnect(), None);
            worker.disconnect();
            assert_eq!(run.disconnect(&worker).await, None);
            // It may have ended since.
            assert!(worker.phase() >= Phase::Disconnected);
            assert_eq!(worker.exited_after_disconnect(), Some(true));
            assert_eq!(run.exit(&worker).await, (ExitStatus::Code(42), true));
            assert!(!process::is_alive(worker.pid()));
            assert!(run.cluster.addresses().is_empty());
            let names = run.names();
            assert_eq!(names[names.len() - 2], "disconnect 1 None");
            assert_eq!(names.len(), 6, "{names:?}");
        }
    }
}

/// node: test-cluster-disconnect
#[tokio::test]
async fn eight_workers_with_two_servers_each_come_and_leave_twice() {
    let script = "
        const net = require('net');
        for (let i = 0; i < 2; i++) net.createServer((s) => s.end('echo')).listen(0, '127.0.0.1');";
    let runs = [
        (Runtime::Node18, Policy::RoundRobin),
        (Runtime::Node22, Policy::Shared),
        (Runtime::Node26, Policy::RoundRobin),
        (Runtime::Node26, Policy::Kernel),
    ];
    for (node, policy) in runs {
        let mut run = Run::with(node, script, |setup| {
            setup.policy(policy);
        });
        for _ in 0..2 {
            let workers: Vec<WorkerProcess> = (0..8).map(|_| run.fork()).collect();
            let ports: BTreeSet<u16> = run
                .until("two servers of each", |seen| {
                    let mut ports = Vec::new();
                    for event in seen {
                        if let Event::Listening {
                            worker,
                            address: ListeningAddress::Tcp(address),
                        } = event
                            && workers.contains(worker)
                        {
                            ports.push(address.port());
                        }
                    }
                    (ports.len() == 16).then(|| ports.into_iter().collect())
                })
                .await;
            assert_eq!(ports.len(), 2, "{ports:?}");
            for port in ports {
                assert_eq!(rest(connect(port).await).await, "echo");
            }
            all_leave(&run).await;
            for worker in &workers {
                assert_eq!(run.exit(worker).await, LEFT);
            }
            assert!(run.cluster.workers().is_empty());
            assert!(run.cluster.addresses().is_empty());
        }
    }
}

/// node: test-cluster-disconnect-with-no-workers
#[tokio::test]
async fn where_nobody_is_all_have_left() {
    let mut run = Run::start(Runtime::Node22, IDLE);
    all_leave(&run).await;
    // And it is no end: workers can still come.
    let worker = run.fork();
    run.online(&worker).await;
    all_leave(&run).await;
    assert_eq!(run.exit(&worker).await, LEFT);
    all_leave(&run).await;
}

/// node: test-cluster-disconnect-idle-worker
#[tokio::test]
async fn idle_workers_leave_when_asked_before_they_have_spoken() {
    for node in Runtime::NODES {
        let mut run = Run::start(node, IDLE);
        let workers = [run.fork(), run.fork()];
        all_leave(&run).await;
        assert!(run.cluster.workers().is_empty());
        for worker in &workers {
            assert_eq!(run.exit(worker).await, LEFT);
        }
    }
}

/// node: test-cluster-disconnect-before-exit
#[tokio::test]
async fn all_can_be_asked_to_leave_while_one_is_leaving() {
    for node in SOME {
        let mut run = Run::start(node, IDLE);
        let worker = run.fork();
        run.online(&worker).await;
        worker.disconnect();
        worker.disconnect();
        run.disconnect(&worker).await;
        all_leave(&run).await;
        assert!(worker.is_dead());
        assert_eq!(run.exit(&worker).await, LEFT);
        let names = run.names();
        assert_eq!(names.len(), 5, "{names:?}");
    }
}

/// node: test-cluster-disconnect-exitedAfterDisconnect-race
#[tokio::test]
async fn a_worker_that_leaves_waits_for_the_primary_to_know() {
    let script = "
        const { worker } = require('cluster');
        let told = false;
        worker.on('disconnect', () => { told = true; });
        worker.disconnect();
        process.nextTick(() => { if (told) process.exit(9); });";
    for node in Runtime::NODES {
        let mut run = Run::start(node, script);
        let worker = run.fork();
        assert_eq!(run.exit(&worker).await, LEFT);
    }
}

/// node: test-cluster-disconnect-leak
#[tokio::test]
async fn a_worker_that_is_asked_to_leave_before_it_listens_leaves_nothing_behind() {
    let script = "require('net').createServer().listen(0);";
    for node in Runtime::NODES {
        for policy in POLICIES {
            let mut run = Run::with(node, script, |setup| {
                setup.policy(policy);
            });
            let worker = run.fork();
            worker.disconnect();
            assert_eq!(run.disconnect(&worker).await, None);
            assert_eq!(run.exit(&worker).await, LEFT);
            assert!(run.cluster.addresses().is_empty());
        }
    }
}

/// node: test-cluster-disconnect-race
#[tokio::test]
async fn one_worker_leaves_while_another_comes_to_listen() {
    let script = "
        const server = require('net').createServer();
        server.listen(0, () => process.send('listening'));";
    for node in Runtime::NODES {
        for policy in POLICIES {
            let mut run = Run::with(node, script, |setup| {
                setup.policy(policy);
            });
            let first = run.fork();
            run.message(&first).await;
            let second = run.fork();
            first.disconnect();
            run.online(&second).await;
            second.disconnect();
            assert_eq!(run.exit(&first).await, LEFT);
            assert_eq!(run.exit(&second).await, LEFT);
            assert!(run.cluster.addresses().is_empty());
        }
    }
}

/// node: test-cluster-disconnect-unshared-tcp
/// node: test-cluster-disconnect-unshared-udp
#[tokio::test]
async fn a_worker_without_servers_leaves_while_another_listens() {
    let script = "
        if (process.env.BOUND === 'tcp') require('net').createServer().listen(0);
        if (process.env.BOUND === 'udp') require('dgram').createSocket('udp4').bind(0);";
    for node in SOME {
        for policy in POLICIES {
            for protocol in ["tcp", "udp"] {
                let mut run = Run::with(node, script, |setup| {
                    setup.policy(policy);
                });
                let unbound = run.fork();
                run.online(&unbound).await;
                let bound = run.cluster.fork_with_env([("BOUND", protocol)]).unwrap();
                run.listening(&bound).await;
                unbound.disconnect();
                run.disconnect(&unbound).await;
                assert!(bound.is_connected());
                all_leave(&run).await;
                assert_eq!(run.exit(&unbound).await, LEFT);
                assert_eq!(run.exit(&bound).await, LEFT);
            }
        }
    }
}

/// node: test-cluster-concurrent-disconnect
#[tokio::test]
async fn messages_to_workers_that_are_leaving_fail_at_the_most_as_closed() {
    let script = "
        const { worker } = require('cluster');
        process.on('message', (m) => { if (worker.isConnected()) worker[m](); });";
    for node in Runtime::NODES {
        let mut run = Run::start(node, script);
        let workers: Vec<WorkerProcess> = (0..4).map(|_| run.fork()).collect();
        for worker in &workers {
            run.online(worker).await;
        }
        let say = async |worker: &WorkerProcess, word: &str| match worker.send(word).await {
            Ok(()) | Err(SendError::Closed) => {}
            Err(error) => panic!("{error}"),
        };
        for (number, worker) in workers.iter().enumerate() {
            say(worker, ["disconnect", "destroy"][number % 2]).await;
        }
        let mut alive = workers.len();
        while alive > 0 {
            match run.next().await {
                Event::Disconnect { .. } => {
                    for worker in &workers {
                        say(worker, "disconnect").await;
                    }
                }
                Event::Exit { status, .. } => {
                    assert_eq!(*status, ExitStatus::Code(0));
                    alive -= 1;
                }
                _ => {}
            }
        }
    }
}

/// node: test-cluster-worker-wait-server-close
#[tokio::test]
async fn a_worker_leaves_after_its_last_connection() {
    let script = "
        let closed = false;
        const server = require('net').createServer((s) => s.on('data', (d) => s.write(d)));
        server.listen(0, '127.0.0.1').on('close', () => { closed = true; });
        process.on('disconnect', () => process.exit(closed ? 42 : 9));";
    for node in Runtime::NODES {
        for policy in POLICIES {
            let mut run = Run::with(node, script, |setup| {
                setup.policy(policy);
            });
            let worker = run.fork();
            let client = connect(run.listening(&worker).await.port()).await;
            assert_eq!(ask(&client, ".", 1).await, ".");
            worker.disconnect();
            // It answers, and is connected, for as long as its client is.
            assert_eq!(ask(&client, "one", 3).await, "one");
            assert_eq!(ask(&client, "two", 3).await, "two");
            assert!(worker.is_connected());
            drop(client);
            assert_eq!(
                run.exit(&worker).await,
                (ExitStatus::Code(42), true),
                "{policy}"
            );
        }
    }
}
