//! What workers are started as: the assertions of Node's own tests, with real Node workers.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod parity_support;

use parity_support::{DEADLINE, IDLE, Run, SOME, killed, output};
use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::Path;
use tine_cluster::cluster::InspectPort;
use tine_cluster::{Cluster, Event, ExitStatus, Serialization, Setup, Stdio, WorkerProcess};
use tine_testkit::lines::{Lines, Stream};
use tine_testkit::{Runtime, Signal, ports};

/// The settings that the next event brings.
async fn told(run: &mut Run) -> Setup {
    match run.next().await {
        Event::Setup(setup) => (**setup).clone(),
        other => panic!("{other:?}"),
    }
}

fn texts(all: &[std::ffi::OsString]) -> Vec<&str> {
    all.iter().map(|one| one.to_str().unwrap()).collect()
}

/// node: test-cluster-setup-primary-cumulative
#[tokio::test]
async fn settings_begin_with_the_defaults_and_later_ones_leave_the_others() {
    let (cluster, _events) = Cluster::builder().start().unwrap();
    let all = |setup: &Setup| {
        let args = setup.get_args().map(|args| texts(args).join(" "));
        let exec = setup.get_exec().map(|exec| exec.display().to_string());
        let silent = matches!(setup.get_stdio(1), Some(Stdio::Piped));
        let flags = texts(setup.get_exec_argv()).join(" ");
        (exec, args, flags, silent, setup.get_serialization())
    };
    let json = Serialization::Json;
    let defaults = (None, None, String::new(), false, json);
    assert_eq!(all(&cluster.settings()), defaults);
    cluster.setup(|_| ());
    assert_eq!(all(&cluster.settings()), defaults);

    cluster.setup(|setup| {
        setup.exec("overridden");
    });
    let exec = Some("overridden".to_owned());
    let expected = (exec.clone(), None, String::new(), false, json);
    assert_eq!(all(&cluster.settings()), expected);
    cluster.setup(|setup| {
        setup.args(["foo", "bar"]);
    });
    cluster.setup(|setup| {
        setup.exec_argv(["baz", "bang"]);
    });
    let args = Some("foo bar".to_owned());
    let expected = (exec, args, "baz bang".to_owned(), false, json);
    assert_eq!(all(&cluster.settings()), expected);
    cluster.setup(|_| ());
    assert_eq!(all(&cluster.settings()), expected);
}

/// node: test-cluster-setup-primary-emit
/// node: test-cluster-setup-primary-multiple
#[tokio::test]
async fn every_change_of_the_settings_is_told_with_the_settings_of_its_time() {
    let mut run = Run::start(Runtime::Node22, IDLE);
    let first = told(&mut run).await;
    assert!(texts(first.get_args().unwrap()).is_empty());
    // Some at once, some while nothing else is waiting.
    for argument in ["one", "two"] {
        run.cluster.setup(|setup| {
            setup.args([argument]);
        });
    }
    assert_eq!(texts(told(&mut run).await.get_args().unwrap()), ["one"]);
    assert_eq!(texts(told(&mut run).await.get_args().unwrap()), ["two"]);
    run.cluster.setup(|setup| {
        setup.exec_argv(["--flag"]);
    });
    let last = told(&mut run).await;
    assert_eq!(texts(last.get_args().unwrap()), ["two"]);
    assert_eq!(texts(last.get_exec_argv()), ["--flag"]);
    run.cluster.setup(|setup| {
        setup.exec_argv([""; 0]);
    });
    let worker = run.fork();
    run.online(&worker).await;
    let names = run.names();
    assert_eq!(names[..5], ["setup"; 5]);
    assert_eq!(names[5..], ["fork 1", "online 1"]);
}

/// node: test-cluster-setup-primary
#[tokio::test]
async fn arguments_reach_silent_workers() {
    let script = "console.log('unseen'); process.send(process.argv[2]);";
    for node in SOME {
        let mut run = Run::with(node, script, |setup| {
            setup.args(["custom argument"]).silent(true);
        });
        let setup = told(&mut run).await;
        assert_eq!(texts(setup.get_args().unwrap()), ["custom argument"]);
        assert!(matches!(setup.get_stdio(0), Some(Stdio::Piped)));
        for worker in [run.fork(), run.fork()] {
            run.online(&worker).await;
            assert_eq!(run.message(&worker).await, r#""custom argument""#);
            worker.kill(Signal::TERM).unwrap();
            run.exit(&worker).await;
            assert_eq!(output(worker.take_stdout().unwrap()).await, "unseen\n");
        }
    }
}

/// node: test-cluster-cwd
#[tokio::test]
async fn another_folder_is_for_workers_to_come() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().canonicalize().unwrap();
    let here = std::env::current_dir().unwrap();
    let json = |path: &Path| format!("{:?}", path.to_str().unwrap());
    for node in SOME {
        let script = "process.send(process.cwd(), () => process.disconnect());";
        let mut run = Run::start(node, script);
        assert_eq!(run.cluster.settings().get_cwd(), None);
        let before = run.fork();
        run.cluster.setup(|setup| {
            setup.cwd(&there);
        });
        assert_eq!(run.cluster.settings().get_cwd(), Some(&*there));
        let after = run.fork();
        assert_eq!(run.message(&before).await, json(&here));
        assert_eq!(run.message(&after).await, json(&there));
        run.exit(&before).await;
        run.exit(&after).await;
    }
}

/// node: test-cluster-fork-env
#[tokio::test]
async fn variables_of_one_fork_are_added_and_win() {
    let script = "
        const { A, B, C } = process.env;
        const sent = require('cluster').worker.send([A, B, C, 'PATH' in process.env]);
        if (sent !== true) process.exit(9);";
    for node in SOME {
        let mut run = Run::with(node, script, |setup| {
            setup.env("A", "kept").env("B", "old").env_remove("C");
        });
        let more = [("B", "new"), ("C", "added")];
        let worker = run.cluster.fork_with_env(more).unwrap();
        assert_eq!(run.message(&worker).await, r#"["kept","new","added",true]"#);
        // They are for this one alone.
        let next = run.fork();
        assert_eq!(run.message(&next).await, r#"["kept","old",null,true]"#);
    }
}

/// node: test-cluster-fork-stdio
#[tokio::test]
async fn a_fifth_descriptor_is_a_pipe_for_both_directions() {
    let script = "
        const pipe = new (require('net').Socket)({ fd: 4 });
        pipe.unref();
        pipe.on('data', (d) => pipe.write(d));";
    for node in Runtime::NODES {
        let mut run = Run::with(node, script, |setup| {
            setup.silent(true).stdio(4, Stdio::Piped);
        });
        let worker = run.fork();
        let pipe = worker.take_stdio(4).unwrap();
        assert!(worker.take_stdio(4).is_none());
        let pipe = pipe.into_std().unwrap();
        pipe.set_nonblocking(false).unwrap();
        pipe.set_read_timeout(Some(DEADLINE)).unwrap();
        let answer = parity_support::aside(move || {
            use std::io::{Read as _, Write as _};
            let mut answer = [0; 6];
            (&pipe).write_all(b"foobar").unwrap();
            (&pipe).read_exact(&mut answer).unwrap();
            answer
        });
        assert_eq!(&answer.await, b"foobar");
        worker.disconnect();
        assert_eq!(run.exit(&worker).await, (ExitStatus::Code(0), true));
    }
}

/// node: test-cluster-fork-windowsHide
#[tokio::test]
async fn a_silent_worker_comes_online_takes_a_message_and_leaves() {
    let script = "
        const { worker } = require('cluster');
        worker.on('message', () => worker.disconnect());";
    for node in SOME {
        let mut run = Run::with(node, script, |setup| {
            setup.silent(true);
        });
        let worker = run.fork();
        run.online(&worker).await;
        worker.send("shutdown").await.unwrap();
        assert_eq!(run.exit(&worker).await, (ExitStatus::Code(0), true));
        let out = output(worker.take_stdout().unwrap()).await;
        let err = output(worker.take_stderr().unwrap()).await;
        assert_eq!((out.as_str(), err.as_str()), ("", ""));
    }
}

/// The port that a worker says its inspector listens on.
async fn inspector(worker: &WorkerProcess) -> u16 {
    let pipe = worker.take_stderr().unwrap().into_blocking_fd().unwrap();
    parity_support::aside(move || {
        let lines = Lines::default();
        lines.read(Stream::Stderr, std::fs::File::from(pipe));
        let begin = "Debugger listening on ws://127.0.0.1:";
        let told = |line: &tine_testkit::lines::Line| line.text.starts_with(begin);
        let line = lines.wait_for(0, DEADLINE, told).unwrap();
        let (port, _) = line.text[begin.len()..].split_once('/').unwrap();
        port.parse().unwrap()
    })
    .await
}

/// node: test-cluster-inspect-brk
#[tokio::test]
async fn inspected_workers_wait_at_a_breakpoint_with_a_port_of_their_own() {
    let mut port = ports::free_tcp();
    // The worker's port is the next one: it has to be free, too.
    let port = loop {
        let next = ports::free_tcp();
        if next == port + 1 {
            break port;
        }
        port = next;
    };
    for node in SOME {
        for (flag, wanted) in [
            (format!("--inspect-brk={port}"), Some(port + 1)),
            ("--inspect-brk".to_owned(), None),
        ] {
            let mut run = Run::with(node, "process.send('reached')", |setup| {
                setup.exec_argv([flag]).silent(true);
                if wanted.is_none() {
                    setup.inspect_port(InspectPort::Fixed(0));
                }
            });
            let worker = run.fork();
            let listens = inspector(&worker).await;
            assert!(wanted.is_none_or(|wanted| wanted == listens), "{listens}");
            TcpStream::connect(("127.0.0.1", listens)).unwrap();
            worker.kill(Signal::TERM).unwrap();
            assert_eq!(run.exit(&worker).await, (killed(Signal::TERM), false));
            let names = run.names();
            assert!(
                !names.iter().any(|name| name.starts_with("message")),
                "{names:?}"
            );
        }
    }
}

/// node: test-inspector-port-zero-cluster
#[tokio::test]
async fn inspected_workers_without_a_given_port_have_any_free_one_each() {
    for node in SOME {
        let mut run = Run::with(node, "process.exit(0)", |setup| {
            setup.exec_argv(["--inspect=0"]).silent(true);
        });
        let mut ports = BTreeSet::new();
        let workers = [run.fork(), run.fork(), run.fork()];
        for worker in &workers {
            ports.insert(inspector(worker).await);
            assert_eq!(run.exit(worker).await, (ExitStatus::Code(0), false));
        }
        assert!(ports.iter().all(|port| *port >= 1024), "{ports:?}");
    }
}
