//! How workers come, what they say, and how they end: the assertions of Node's own tests, with
//! real Node workers.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod parity_support;

use parity_support::{IDLE, Run, SERVER, SOME, ask, connect, killed, rest};
use std::net::TcpListener;
use tine_cluster::cluster::Phase;
use tine_cluster::{Body, Event, ExitStatus, ListeningAddress, Policy, SendError, Serialization};
use tine_ipc::v8::Value;
use tine_testkit::{Runtime, Signal, process};

/// node: test-cluster-basic
#[tokio::test]
async fn a_worker_goes_through_all_phases_and_every_event_names_it() {
    for node in Runtime::NODES {
        let script = "
            const names = ['NODE_UNIQUE_ID', 'NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE'];
            process.send(names.filter((name) => name in process.env));
            process.on('message', () => require('http').createServer().listen(0, '127.0.0.1'));";
        let mut run = Run::start(node, script);
        let worker = run.fork();
        assert_eq!(worker.id().to_string(), "1");
        assert_eq!(worker.phase(), Phase::Forked);
        assert_eq!(
            run.message(&worker).await,
            "[]",
            "variables of the channel are left"
        );
        assert_eq!(worker.phase(), Phase::Online);

        worker.send("listen").await.unwrap();
        let address = run.listening(&worker).await;
        assert_eq!(worker.phase(), Phase::Listening);
        assert_eq!(worker.addresses(), [ListeningAddress::Tcp(address)]);

        worker.kill(Signal::TERM).unwrap();
        assert_eq!(run.exit(&worker).await, (killed(Signal::TERM), false));
        assert_eq!(worker.phase(), Phase::Dead);
        let expected = [
            "setup",
            "fork 1",
            "online 1",
            "message 1 []",
            &format!("listening 1 127.0.0.1:{}", address.port()),
            "disconnect 1 None",
            "exit 1 signal SIGTERM false",
        ];
        assert_eq!(run.names(), expected);
    }
}

/// node: test-cluster-advanced-serialization
#[tokio::test]
async fn a_value_that_contains_itself_comes_back_as_it_was() {
    for node in Runtime::NODES {
        let mut run = Run::with(
            node,
            "process.on('message', (m) => process.send(m))",
            |setup| {
                setup.serialization(Serialization::Advanced);
            },
        );
        let worker = run.fork();
        run.online(&worker).await;
        let circular = Value::object([("circular", Value::Reference(0))]);
        let body = Body::from_value(&circular).unwrap();
        worker.send_body(&body).await.unwrap();
        let back = run
            .until("the message", |seen| {
                seen.iter().find_map(|event| match event {
                    Event::Message { message, .. } => Some(message.body().value().unwrap()),
                    _ => None,
                })
            })
            .await;
        assert_eq!(back, circular);
    }
}

/// node: test-cluster-message
#[tokio::test]
async fn messages_go_both_ways_beside_connections() {
    let script = "
        let socket, message;
        const answer = () => { if (socket && message) socket.end(JSON.stringify({ message })); };
        require('net').createServer((s) => {
          socket = s;
          answer();
          process.send('hello primary');
        }).listen(0, '127.0.0.1');
        process.on('message', (m) => { message = m; answer(); });";
    for node in Runtime::NODES {
        let mut run = Run::start(node, script);
        let worker = run.fork();
        let client = connect(run.listening(&worker).await.port()).await;
        worker.send("hello worker").await.unwrap();
        assert_eq!(run.message(&worker).await, r#""hello primary""#);
        assert_eq!(rest(client).await, r#"{"message":"hello worker"}"#);
        worker.kill(Signal::TERM).unwrap();
        run.exit(&worker).await;
    }
}

/// node: test-cluster-worker-init
#[tokio::test]
async fn the_worker_object_in_the_worker_gets_messages() {
    let script = "
        const { worker } = require('cluster');
        worker.on('message', (m) => process.send(m === 'foo'));";
    for node in SOME {
        let mut run = Run::start(node, script);
        let worker = run.fork();
        run.online(&worker).await;
        worker.send("foo").await.unwrap();
        assert_eq!(run.message(&worker).await, "true");
        worker.disconnect();
        assert_eq!(run.exit(&worker).await, (ExitStatus::Code(0), true));
    }
}

/// node: test-cluster-worker-events
#[tokio::test]
async fn a_message_that_is_sent_at_once_reaches_process_and_worker() {
    let script = "
        const { worker } = require('cluster');
        const got = [];
        const from = (who) => (m) => {
          got.push(`${who}: ${m}`);
          if (got.length < 2) return;
          worker.once('error', (e) => process.send(got.sort(), () => process.exit(e === 'HI' ? 2 : 3)));
          process.emit('error', 'HI');
        };
        process.on('message', from('process'));
        worker.on('message', from('worker'));";
    for node in SOME {
        let mut run = Run::start(node, script);
        let worker = run.fork();
        worker.send("SOME").await.unwrap();
        assert_eq!(run.exit(&worker).await, (ExitStatus::Code(2), false));
        assert_eq!(
            run.message(&worker).await,
            r#"["process: SOME","worker: SOME"]"#
        );
    }
}

/// node: test-cluster-invalid-message
#[tokio::test]
async fn an_answer_that_nobody_waits_for_is_ignored_by_both_sides() {
    let script = "
        process.send({ cmd: 'NODE_CLUSTER', ack: -1 });
        process.send({ cmd: 'NODE_CLUSTER', act: 'nonsense', seq: 7 });
        process.send('after it');";
    for node in Runtime::NODES {
        let mut run = Run::start(node, script);
        let worker = run.fork();
        run.online(&worker).await;
        let unwanted = Body::from_json(r#"{"cmd":"NODE_CLUSTER","ack":-1}"#).unwrap();
        worker.send_body(&unwanted).await.unwrap();
        worker.disconnect();
        assert_eq!(run.exit(&worker).await, (ExitStatus::Code(0), true));
        assert_eq!(run.disconnect(&worker).await, None);
        assert_eq!(run.messages(&worker, 1).await, [r#""after it""#]);
    }
}

/// node: test-cluster-worker-death
#[tokio::test]
async fn the_exit_code_of_a_worker_is_told() {
    for node in SOME {
        let mut run = Run::start(node, "process.exit(42)");
        let worker = run.fork();
        assert_eq!(run.exit(&worker).await, (ExitStatus::Code(42), false));
        assert_eq!(worker.exited().await, Some(ExitStatus::Code(42)));
    }
}

/// node: test-cluster-worker-kill
/// node: test-cluster-worker-kill-signal
#[tokio::test]
async fn a_killed_worker_has_not_left_by_itself_and_is_gone() {
    for node in SOME {
        for signal in [Signal::KILL, Signal::TERM] {
            let mut run = Run::start(node, SERVER);
            let worker = run.fork();
            let address = run.listening(&worker).await;
            worker.kill(signal).unwrap();
            assert_eq!(run.exit(&worker).await, (killed(signal), false));
            assert_eq!(worker.exited_after_disconnect(), Some(false));
            assert_eq!(worker.phase(), Phase::Dead);
            assert!(run.cluster.workers().is_empty());
            assert!(run.cluster.worker(worker.id()).is_none());
            assert!(!process::is_alive(worker.pid()));
            let end = killed(signal);
            let expected = [
                "setup".into(),
                "fork 1".into(),
                "online 1".into(),
                format!("listening 1 {address}"),
                "disconnect 1 None".into(),
                format!("exit 1 {end} false"),
            ];
            assert_eq!(run.names(), expected);
        }
    }
}

/// node: test-cluster-kill-infinite-loop
#[tokio::test]
async fn a_signal_ends_a_worker_that_spins() {
    for node in SOME {
        let mut run = Run::start(node, "process.send('spinning', () => { for (;;); })");
        let worker = run.fork();
        run.message(&worker).await;
        worker.kill(Signal::TERM).unwrap();
        assert_eq!(run.exit(&worker).await, (killed(Signal::TERM), false));
    }
}

/// node: test-cluster-worker-isdead
#[tokio::test]
async fn a_worker_is_dead_when_its_exit_is_told_and_not_before() {
    for node in SOME {
        let mut run = Run::start(node, "process.send(require('cluster').worker.isDead())");
        let worker = run.fork();
        assert!(!worker.is_dead());
        assert_eq!(run.message(&worker).await, "false");
        assert!(!worker.is_dead());
        worker.kill(Signal::TERM).unwrap();
        run.exit(&worker).await;
        assert!(worker.is_dead());
    }
}

/// node: test-cluster-worker-isconnected
#[tokio::test]
async fn a_worker_is_connected_from_its_start_to_its_disconnect() {
    let script = "
        const { worker } = require('cluster');
        process.on('disconnect', () => { process.exitCode = worker.isConnected() ? 9 : 0; });
        process.send(worker.isConnected());";
    for node in SOME {
        let mut run = Run::start(node, script);
        let worker = run.fork();
        assert!(worker.is_connected());
        assert_eq!(run.message(&worker).await, "true");
        assert!(worker.is_connected());
        worker.disconnect();
        run.disconnect(&worker).await;
        assert!(!worker.is_connected());
        assert_eq!(run.exit(&worker).await, (ExitStatus::Code(0), true));
    }
}

/// node: test-cluster-process-disconnect
#[tokio::test]
async fn a_listening_worker_that_closes_its_channel_exits_with_0() {
    let script = "
        const server = require('net').createServer();
        server.listen(0, () => process.disconnect());";
    for node in Runtime::NODES {
        let mut run = Run::start(node, script);
        let worker = run.fork();
        assert_eq!(run.exit(&worker).await, (ExitStatus::Code(0), false));
        assert_eq!(run.disconnect(&worker).await, None);
    }
}

/// node: test-cluster-worker-destroy
/// node: test-cluster-kill-disconnect
#[tokio::test]
async fn a_worker_that_leaves_by_itself_has_left_after_disconnect() {
    let script = "
        const { worker } = require('cluster');
        if (process.env.WAY === 'both') {
          process.on('disconnect', () => worker.destroy());
          worker.disconnect();
        } else {
          worker[process.env.WAY]();
        }";
    for node in Runtime::NODES {
        let mut run = Run::start(node, script);
        for way in ["disconnect", "kill", "destroy", "both"] {
            let worker = run.cluster.fork_with_env([("WAY", way)]).unwrap();
            run.disconnect(&worker).await;
            assert_eq!(worker.exited_after_disconnect(), Some(true), "{way}");
            assert_eq!(
                run.exit(&worker).await,
                (ExitStatus::Code(0), true),
                "{way}"
            );
            assert_eq!(worker.exited_after_disconnect(), Some(true), "{way}");
        }
    }
}

/// node: test-cluster-call-and-destroy
#[tokio::test]
async fn a_worker_that_has_left_can_still_be_killed() {
    let script = "
        const { worker } = require('cluster');
        if (worker.isConnected()) worker.disconnect();";
    for node in SOME {
        let mut run = Run::start(node, script);
        let worker = run.fork();
        run.disconnect(&worker).await;
        assert!(!worker.is_connected());
        worker.kill(Signal::TERM).unwrap();
        let (status, left) = run.exit(&worker).await;
        assert!(left);
        assert!([ExitStatus::Code(0), killed(Signal::TERM)].contains(&status));
        worker.kill(Signal::TERM).unwrap();
        worker.disconnect();
        worker.close_channel();
        assert!(matches!(worker.send("late").await, Err(SendError::Closed)));
        let exits = run
            .names()
            .iter()
            .filter(|name| name.starts_with("exit"))
            .count();
        assert_eq!(exits, 1);
    }
}

/// node: test-cluster-ipc-throw
#[tokio::test]
async fn a_program_that_throws_when_it_cannot_listen_disturbs_nobody() {
    let script = "
        process.on('uncaughtException', (e) => { process.exitCode = e.code === 'EADDRINUSE' ? 7 : 8; });
        const server = require('http').createServer();
        server.on('error', (e) => { require('cluster').worker.disconnect(); throw e; });
        server.listen(Number(process.env.PORT));";
    let held = TcpListener::bind("[::]:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    for node in SOME {
        let mut run = Run::start(node, script);
        let worker = run.cluster.fork_with_env([("PORT", &port)]).unwrap();
        assert_eq!(run.exit(&worker).await, (ExitStatus::Code(7), true));
        let in_use = |event: &Event| match event {
            Event::ListenFailed { error, .. } => error.kind() == std::io::ErrorKind::AddrInUse,
            _ => false,
        };
        assert_eq!(run.seen.iter().filter(|event| in_use(event)).count(), 1);
    }
}

/// node: test-cluster-worker-disconnect-on-error
#[tokio::test]
async fn a_worker_that_cannot_listen_can_leave() {
    let script = "
        process.on('message', ({ port }) => {
          const server = require('http').createServer();
          server.on('error', () => require('cluster').worker.disconnect());
          server.listen(port);
        });";
    let held = TcpListener::bind("[::]:0").unwrap();
    let port = held.local_addr().unwrap().port();
    for node in Runtime::NODES {
        for policy in [Policy::Shared, Policy::Kernel, Policy::RoundRobin] {
            let mut run = Run::with(node, script, |setup| {
                setup.policy(policy);
            });
            let worker = run.fork();
            let to = std::collections::BTreeMap::from([("port", port)]);
            worker.send(&to).await.unwrap();
            assert_eq!(
                run.exit(&worker).await,
                (ExitStatus::Code(0), true),
                "{policy}"
            );
        }
    }
}

/// node: test-cluster-worker-no-exit
#[tokio::test]
async fn a_worker_that_has_left_lives_while_it_holds_a_connection() {
    let script = "
        process.on('message', (port) => {
          const socket = require('net').connect(port, '127.0.0.1');
          socket.on('data', () => socket.write('here'));
        });";
    for node in SOME {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut run = Run::start(node, script);
        let worker = run.fork();
        worker.send(&port).await.unwrap();
        let (held, _) = parity_support::aside(move || listener.accept().unwrap()).await;
        held.set_read_timeout(Some(parity_support::DEADLINE))
            .unwrap();
        worker.disconnect();
        run.disconnect(&worker).await;
        // What it says after the end of its channel, it says because it lives.
        assert_eq!(ask(&held, "still", 4).await, "here");
        assert_eq!(ask(&held, "there", 4).await, "here");
        assert_eq!(
            (worker.is_dead(), worker.phase()),
            (false, Phase::Disconnected)
        );
        drop(held);
        assert_eq!(run.exit(&worker).await, (ExitStatus::Code(0), true));
    }
}

/// node: test-cluster-rr-domain-listen
#[tokio::test]
async fn a_server_in_an_active_domain_listens() {
    let script = "
        require('domain').create().run(() => {
          require('http').createServer().listen(0, '127.0.0.1');
        });";
    for node in SOME {
        let mut run = Run::start(node, script);
        let worker = run.fork();
        run.listening(&worker).await;
        worker.kill(Signal::TERM).unwrap();
        assert_eq!(run.exit(&worker).await, (killed(Signal::TERM), false));
    }
}

/// node: test-cluster-rr-handle-close
/// node: test-cluster-rr-handle-ref-unref
#[tokio::test]
async fn a_server_that_is_closed_or_let_go_keeps_no_worker_alive() {
    for node in Runtime::NODES {
        for how in [
            "server.close()",
            "server.unref()",
            "server.unref().ref().unref()",
        ] {
            let script = format!(
                "const server = require('net').createServer();
                 server.listen(0, () => {{ process.channel.unref(); {how}; }});"
            );
            let mut run = Run::start(node, &script);
            let worker = run.fork();
            assert_eq!(
                run.exit(&worker).await,
                (ExitStatus::Code(0), false),
                "{how}"
            );
        }
    }
}

/// node: test-cluster-rr-handle-keep-loop-alive
#[tokio::test]
async fn a_server_alone_keeps_its_worker_alive() {
    // A timer that keeps nothing alive fires only where something else does.
    let script = "
        require('net').createServer().listen(0, () => {
          process.channel.unref();
          setTimeout(() => process.send('alive'), 200).unref();
        });";
    for node in SOME {
        let mut run = Run::start(node, script);
        let worker = run.fork();
        assert_eq!(run.message(&worker).await, r#""alive""#);
        worker.kill(Signal::TERM).unwrap();
        assert_eq!(run.exit(&worker).await, (killed(Signal::TERM), false));
    }
}

/// node: test-cluster-rr-ref
#[tokio::test]
async fn a_server_can_be_let_go_and_held_again_and_closed() {
    let script = "
        const server = require('net').createServer();
        server.listen(0, () => server.unref().ref().close(() => process.send('done')));";
    for node in Runtime::NODES {
        let mut run = Run::start(node, script);
        let worker = run.fork();
        assert_eq!(run.message(&worker).await, r#""done""#);
        assert!(run.cluster.addresses().is_empty());
        worker.kill(Signal::TERM).unwrap();
        assert_eq!(run.exit(&worker).await, (killed(Signal::TERM), false));
    }
}

/// node: test-cluster-worker-forced-exit
#[tokio::test]
async fn a_worker_that_is_asked_to_leave_ends_in_its_own_time_and_one_cut_off_at_once() {
    let script = "process.on('disconnect', () => setTimeout(() => process.exit(42), 10));";
    for node in Runtime::NODES {
        let mut run = Run::start(node, script);
        let (asked, cut_off) = (run.fork(), run.fork());
        run.online(&asked).await;
        asked.disconnect();
        run.online(&cut_off).await;
        cut_off.close_channel();
        assert_eq!(run.exit(&asked).await, (ExitStatus::Code(42), true));
        assert_eq!(run.exit(&cut_off).await, (ExitStatus::Code(0), false));
    }
}

/// What a primary's program does with an idle worker before that has said a word.
#[tokio::test]
async fn a_worker_can_be_ended_before_it_has_spoken() {
    for node in SOME {
        let mut run = Run::start(node, IDLE);
        let worker = run.fork();
        worker.kill(Signal::KILL).unwrap();
        assert_eq!(run.exit(&worker).await, (killed(Signal::KILL), false));
        assert!(worker.online().await.is_err() && worker.listening().await.is_err());
    }
}
