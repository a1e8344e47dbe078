//! Processes that know nothing of a cluster: the assertions of Node's own tests of
//! `child_process.fork`, with real Node children.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod parity_support;

use parity_support::{DEADLINE, IDLE, Run, SOME, aside, ask, connect, output, rest};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::task::Poll;
use tine_cluster::{Body, Event, ExitStatus, RequestError, SendError, Serialization, Stdio};
use tine_testkit::{Runtime, Signal, process, until};

/// How a child ends that has come to its own end.
const ENDED: (ExitStatus, bool) = (ExitStatus::Code(0), false);

fn plain(_: &mut tine_cluster::Setup) {}

/// node: test-child-process-fork
/// node: test-child-process-send-cb
#[tokio::test]
async fn messages_go_both_ways_and_what_is_none_is_refused() {
    let script = "
        process.on('message', (m) => {
          if (m.hello !== 'world' || process.argv[2] !== 'foo' || process.argv[3] !== 'bar') process.exit(9);
          process.disconnect();
        });
        process.send({ foo: 'bar' });";
    for node in SOME {
        let mut run = Run::children(node, script, |setup| {
            setup.args(["foo", "bar"]);
        });
        let child = run.fork();
        assert_eq!(run.message(&child).await, r#"{"foo":"bar"}"#);
        let no_keys = BTreeMap::from([([1u8, 2], "value")]);
        assert!(matches!(
            child.send(&no_keys).await,
            Err(SendError::Body(_))
        ));
        child
            .send(&BTreeMap::from([("hello", "world")]))
            .await
            .unwrap();
        assert_eq!(run.exit(&child).await, ENDED);
    }
}

/// node: test-child-process-fork3
/// node: test-child-process-send-after-close
#[tokio::test]
async fn a_channel_keeps_no_idle_child_alive_and_nothing_can_be_sent_after_it() {
    for node in Runtime::NODES {
        let mut run = Run::children(node, IDLE, plain);
        let child = run.fork();
        assert_eq!(run.exit(&child).await, ENDED);
        for _ in 0..2 {
            assert!(matches!(child.send("ping").await, Err(SendError::Closed)));
        }
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let sent = child.send_with_handle("pong", socket).await;
        assert!(matches!(sent, Err(SendError::Closed)));
        let asked = child.request::<u8>("ping").await;
        assert!(matches!(asked, Err(RequestError::Send(SendError::Closed))));
    }
}

/// node: test-child-process-disconnect
#[tokio::test]
async fn a_child_is_told_that_its_channel_was_closed_and_ends_by_itself() {
    let script = "
        const server = require('net').createServer((s) => {
          s.resume();
          s.write('ready');
          process.on('disconnect', () => s.end(String(process.connected)));
          s.on('end', () => server.close());
        });
        server.listen(0, '127.0.0.1', () => process.send(server.address().port));";
    for node in Runtime::NODES {
        let mut run = Run::children(node, script, plain);
        let child = run.fork();
        let port = run.message(&child).await.parse().unwrap();
        let client = connect(port).await;
        assert_eq!(ask(&client, "", 5).await, "ready");
        assert!(child.is_connected());
        child.close_channel();
        assert!(!child.is_connected());
        child.close_channel();
        assert_eq!(rest(client).await, "false");
        assert_eq!(run.exit(&child).await, ENDED);
        let names = run.names();
        let closed = names.iter().filter(|name| name.starts_with("disconnect"));
        assert_eq!(closed.count(), 1, "{names:?}");
    }
}

/// node: test-child-process-fork-close
#[tokio::test]
async fn the_last_message_comes_before_the_exit_and_the_streams_end_after_it() {
    let script = "console.log('out'); process.send('hello'); process.exit(0);";
    for node in Runtime::NODES {
        let mut run = Run::children(node, script, |setup| {
            setup.silent(true);
        });
        let child = run.fork();
        assert_eq!(run.exit(&child).await, ENDED);
        assert_eq!(output(child.take_stdout().unwrap()).await, "out\n");
        let names = run.names();
        assert_eq!(
            names[2..],
            [
                "message 1 \"hello\"",
                "disconnect 1 None",
                "exit 1 exit code 0 false"
            ]
        );
    }
}

/// node: test-child-process-fork-closed-channel-segfault
#[tokio::test]
async fn sockets_that_wait_for_a_child_that_ends_are_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for node in Runtime::NODES {
        let mut run = Run::start(node, "process.on('message', () => process.exit(1));");
        let worker = run.fork();
        run.online(&worker).await;
        let mut clients = Vec::new();
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..20 {
            clients.push(TcpStream::connect(address).unwrap());
            let (sent, _) = listener.accept().unwrap();
            let worker = worker.clone();
            waiting.spawn(async move { (number, worker.send_with_handle(&number, sent).await) });
        }
        assert_eq!(run.exit(&worker).await, (ExitStatus::Code(1), false));
        let mut taken = 0;
        while let Some(answered) = waiting.join_next().await {
            match answered.unwrap() {
                (_, Ok(())) => taken += 1,
                (number, Err(error)) => {
                    assert!(matches!(error, SendError::Closed), "{error}");
                    assert_ne!(number, 0, "the first one was taken");
                }
            }
        }
        assert!(taken > 0);
        for client in clients {
            client.set_read_timeout(Some(DEADLINE)).unwrap();
            let end = aside(move || std::io::Read::read(&mut &client, &mut [0; 8])).await;
            // A socket that is closed with nothing unread ends, and is not reset.
            assert_eq!(end.unwrap(), 0);
        }
    }
}

/// node: test-child-process-internal
#[tokio::test]
async fn only_what_begins_with_node_is_internal() {
    let script = "
        process.on('message', (m) => process.send({ message: m }));
        process.on('internalMessage', (m) => process.send({ internal: m }));
        process.send({ cmd: 'fooNODE_' });
        process.send({ cmd: 'NODE_bar' });
        process.send('done');";
    for node in Runtime::NODES {
        let mut run = Run::children(node, script, plain);
        let child = run.fork();
        assert_eq!(
            run.messages(&child, 2).await,
            [r#"{"cmd":"fooNODE_"}"#, r#""done""#]
        );
        for text in [
            r#"{"cmd":"fooNODE_"}"#,
            r#"{"cmd":"NODE_bar"}"#,
            r#"{"cmd":"NODE_"}"#,
        ] {
            child
                .send_body(&Body::from_json(text).unwrap())
                .await
                .unwrap();
        }
        let mut back = run.messages(&child, 5).await.split_off(2);
        // Node tells internal ones at once and queues the others.
        back.sort();
        let expected = [
            r#"{"internal":{"cmd":"NODE_bar"}}"#,
            r#"{"message":{"cmd":"NODE_"}}"#,
            r#"{"message":{"cmd":"fooNODE_"}}"#,
        ];
        assert_eq!(back, expected);
        child.close_channel();
        assert_eq!(run.exit(&child).await, ENDED);
    }
}

/// What a future has come to, once all others have had their turn.
async fn now<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    // The first word may be that it has had enough of the runtime's time already.
    tokio::task::yield_now().await;
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

/// In Node a `send` says whether its message waits; here its future does.
///
/// node: test-child-process-send-returns-boolean
#[tokio::test]
async fn a_message_is_sent_at_once_unless_its_reader_is_too_slow() {
    let script = "
        let count = 0;
        process.on('message', (m) => { if (++count === Number(m)) process.send(count); });
        process.send('ready');";
    for node in SOME {
        let mut run = Run::children(node, script, plain);
        let child = run.fork();
        run.message(&child).await;
        child.kill(Signal::STOP).unwrap();
        let stopped = || process::stat(child.pid()).is_some_and(|stat| stat.state == 'T');
        until("the child to stop", DEADLINE, stopped);

        let mut sent = 0;
        let waiting = loop {
            let (child, number) = (child.clone(), sent + 1);
            // JavaScript reads the number of a text with blanks.
            let text = format!("{number:>1000}");
            let mut sending = Box::pin(async move { child.send(&text).await });
            sent += 1;
            match now(sending.as_mut()).await {
                Poll::Ready(result) => result.unwrap(),
                Poll::Pending => break sending,
            }
            assert!(sent < 100_000, "nothing waits");
        };
        assert!(sent > 10, "only {sent} messages were sent at once");
        assert!(!child.is_dead() && child.is_connected());
        child.kill(Signal::CONT).unwrap();
        let written = tokio::time::timeout(DEADLINE, waiting);
        written.await.expect("the last one to be written").unwrap();
        // It counts those that come in their order.
        let all = run.messages(&child, sent + 1).await;
        assert_eq!(all.last(), Some(&sent.to_string()));
        child.close_channel();
        assert_eq!(run.exit(&child).await, ENDED);
    }
}

/// node: test-child-process-send-utf8
#[tokio::test]
async fn long_texts_of_wide_characters_arrive_whole() {
    let script = "
        const text = 'ß'.repeat(4e5);
        process.on('message', (m) => process.send(m === text, () => process.disconnect()));
        process.send(text);";
    for node in Runtime::NODES {
        for how in [Serialization::Json, Serialization::Advanced] {
            let mut run = Run::children(node, script, |setup| {
                setup.serialization(how);
            });
            let child = run.fork();
            let text = "ß".repeat(400_000);
            let read = |seen: &[Event]| {
                seen.iter().find_map(|event| match event {
                    Event::Message { message, .. } => Some(message.read::<String>().unwrap()),
                    _ => None,
                })
            };
            assert!(run.until("the text", read).await == text);
            child.send(&text).await.unwrap();
            assert_eq!(run.messages(&child, 2).await[1], "true");
            assert_eq!(run.exit(&child).await, ENDED);
        }
    }
}

/// node: test-child-process-silent
#[tokio::test]
async fn a_silent_child_has_pipes_beside_its_channel() {
    let script = "
        process.on('message', () => process.send('got it', () => process.disconnect()));
        process.stdin.on('data', (d) => process.stdout.write(`out: ${d}`));
        process.stderr.write('err');
        process.send('hello');";
    for node in SOME {
        let mut run = Run::children(node, script, |setup| {
            setup.silent(true);
        });
        let child = run.fork();
        assert_eq!(run.message(&child).await, r#""hello""#);
        let stdin = child.take_stdin().unwrap().into_blocking_fd().unwrap();
        std::fs::File::from(stdin).write_all(b"in").unwrap();
        child.send("hello").await.unwrap();
        assert_eq!(run.messages(&child, 2).await[1], r#""got it""#);
        assert_eq!(output(child.take_stdout().unwrap()).await, "out: in");
        assert_eq!(output(child.take_stderr().unwrap()).await, "err");
        assert_eq!(run.exit(&child).await, ENDED);
        assert!(child.take_stdin().is_none() && child.take_stdout().is_none());
    }
}

/// node: test-child-process-stdin-ipc
/// node: test-child-process-stdout-ipc
#[tokio::test]
async fn the_channel_can_be_any_descriptor() {
    let script = "
        process.stdin;
        process.on('message', (m) => process.send(m, () => process.disconnect()));
        process.send('hahah');";
    for node in Runtime::NODES {
        for number in [0, 1, 2, 9] {
            let mut run = Run::children(node, script, |setup| {
                setup.channel_descriptor(number);
            });
            let child = run.fork();
            assert_eq!(run.message(&child).await, r#""hahah""#, "{number}");
            child.send(&number).await.unwrap();
            assert_eq!(run.messages(&child, 2).await[1], number.to_string());
            assert_eq!(run.exit(&child).await, ENDED, "{number}");
        }
    }
}

/// node: test-child-process-fork-stdio
#[tokio::test]
async fn every_descriptor_is_what_was_asked_for() {
    let script = "
        process.stdout.write('this is ignored');
        process.stderr.write('this is not ignored');
        const pipe = new (require('net').Socket)({ fd: 4 });
        process.on('disconnect', () => pipe.unref());
        pipe.setEncoding('utf8');
        pipe.on('data', (d) => process.send(d));";
    for node in SOME {
        let mut run = Run::children(node, script, |setup| {
            setup
                .stdio(1, Stdio::Null)
                .stdio(2, Stdio::Piped)
                .stdio(4, Stdio::Piped);
        });
        let child = run.fork();
        assert!(child.take_stdin().is_none() && child.take_stdout().is_none());
        let pipe = child.take_stdio(4).unwrap();
        pipe.writable().await.unwrap();
        assert_eq!(pipe.try_write(b"through the pipe").unwrap(), 16);
        assert_eq!(run.message(&child).await, r#""through the pipe""#);
        child.close_channel();
        assert_eq!(run.exit(&child).await, ENDED);
        assert_eq!(
            output(child.take_stderr().unwrap()).await,
            "this is not ignored"
        );
    }
}

/// node: test-child-process-fork-stdio-string-variant
#[tokio::test]
async fn a_channel_works_beside_streams_of_every_kind() {
    let script = "
        process.on('message', (m) => process.exit(m.hello === 'world' ? 0 : 9));
        process.send({ foo: 'bar' });";
    for node in SOME {
        for stdio in [Stdio::Piped, Stdio::Inherit, Stdio::Null] {
            let mut run = Run::children(node, script, |setup| {
                for number in 0..3 {
                    setup.stdio(number, stdio.clone());
                }
            });
            let child = run.fork();
            assert_eq!(run.message(&child).await, r#"{"foo":"bar"}"#);
            child
                .send(&BTreeMap::from([("hello", "world")]))
                .await
                .unwrap();
            assert_eq!(run.exit(&child).await, ENDED, "{stdio:?}");
        }
    }
}

/// node: test-child-process-fork-exec-path
/// node: test-child-process-fork-exec-argv
/// node: test-child-process-fork-args
/// node: test-child-process-fork-no-shell
#[tokio::test]
async fn runtime_flags_arguments_and_environment_are_given_as_they_are() {
    let script = "
        const { execPath, execArgv, argv, env } = process;
        process.send([execPath, execArgv, argv.slice(2), env.foo], () => process.exit());";
    for node in Runtime::NODES {
        let runtime = node.path().canonicalize().unwrap();
        let mut run = Run::with(node, script, |setup| {
            setup
                .exec_path(&runtime)
                .exec_argv(["--stack-size=256"])
                .args(["$foo", "", "two words", "--inspect"])
                .env("foo", "bar");
        });
        let child = run.fork();
        let path = runtime.to_str().unwrap();
        let expected =
            format!(r#"["{path}",["--stack-size=256"],["$foo","","two words","--inspect"],"bar"]"#);
        assert_eq!(run.message(&child).await, expected);
        assert_eq!(run.exit(&child).await, ENDED);
    }
}

/// node: test-child-process-fork-and-spawn
#[tokio::test]
async fn what_a_child_starts_has_no_part_in_its_channel() {
    let script = "
        const { spawnSync } = require('child_process');
        if (process.argv[2]) {
          const ours = /^NODE_(CHANNEL|UNIQUE)/;
          const left = Object.keys(process.env).filter((name) => ours.test(name));
          process.stdout.write(JSON.stringify([typeof process.send, left]));
        } else {
          const { status, stdout } = spawnSync(process.execPath, [__filename, 'grandchild']);
          process.send([status, JSON.parse(stdout)]);
        }";
    for node in Runtime::NODES {
        let mut run = Run::children(node, script, plain);
        let child = run.fork();
        assert_eq!(run.message(&child).await, r#"[0,["undefined",[]]]"#);
        assert_eq!(run.exit(&child).await, ENDED);
    }
}

/// node: test-child-process-fork-ref
/// node: test-child-process-fork-ref2
#[tokio::test]
async fn a_child_listens_until_its_channel_closes_and_no_longer() {
    let ours = "
        process.send('1');
        setTimeout(() => process.send('2'), 50);
        process.on('disconnect', () => process.stdout.write('3'));";
    let theirs = "
        process.disconnect();
        setTimeout(() => process.on('message', () => process.exit(9)), 50);";
    for node in SOME {
        let mut run = Run::children(node, ours, |setup| {
            setup.silent(true);
        });
        let child = run.fork();
        assert_eq!(run.messages(&child, 2).await, [r#""1""#, r#""2""#]);
        child.close_channel();
        assert_eq!(run.exit(&child).await, ENDED);
        assert_eq!(output(child.take_stdout().unwrap()).await, "3");

        let mut run = Run::children(node, theirs, plain);
        let child = run.fork();
        assert_eq!(run.disconnect(&child).await, None);
        assert_eq!(run.exit(&child).await, ENDED);
    }
}

/// node: test-child-process-ipc-next-tick
#[tokio::test]
async fn a_message_that_a_child_chokes_on_does_not_cost_the_next_one() {
    let script = "
        const got = [];
        process.on('uncaughtException', (m) => {
          if (got.push(m) === 10) process.send(got, () => process.disconnect());
        });
        process.on('message', (m) => { throw m; });
        process.send('ready');";
    for node in SOME {
        let mut run = Run::children(node, script, plain);
        let child = run.fork();
        run.message(&child).await;
        for number in 0..10 {
            child.send(&number).await.unwrap();
        }
        assert_eq!(run.messages(&child, 2).await[1], "[0,1,2,3,4,5,6,7,8,9]");
        assert_eq!(run.exit(&child).await, ENDED);
    }
}

/// node: test-child-process-fork-advanced-header-serialization
#[tokio::test]
async fn a_length_without_a_message_harms_nobody_else() {
    let script = "
        process.on('message', (m) => process.send(m));
        if (process.argv[2] !== 'echo') {
          const length = Buffer.from(process.argv[2], 'hex');
          require('fs').writeSync(process.channel.fd, length);
          process.exit();
        }";
    for node in Runtime::NODES {
        let mut run = Run::children(node, script, |setup| {
            setup.serialization(Serialization::Advanced).args(["echo"]);
        });
        let other = run.fork();
        // Too short, cut off, and too long.
        for length in [
            "00000001", "000000ff", "7fffffff", "80000000", "80000001", "ffffffff",
        ] {
            run.cluster.setup(|setup| {
                setup.args([length]);
            });
            let child = run.fork();
            assert_eq!(run.exit(&child).await, ENDED, "{length}");
            assert!(run.disconnect(&child).await.is_some(), "{length}");
        }
        other.send("still here").await.unwrap();
        assert_eq!(run.message(&other).await, r#""still here""#);
    }
}

/// node: test-child-process-advanced-serialization-splitted-length-field
#[tokio::test]
async fn lengths_may_be_cut_by_reads() {
    let script = "
        const text = 'A'.repeat(65521);
        for (let i = 0; i < 10; i++) process.send(text);
        process.send('done', () => process.disconnect());";
    for node in Runtime::NODES {
        let mut run = Run::children(node, script, |setup| {
            setup.serialization(Serialization::Advanced);
        });
        let child = run.fork();
        let mut lengths: Vec<usize> = run
            .messages(&child, 11)
            .await
            .iter()
            .map(String::len)
            .collect();
        assert_eq!(lengths.pop(), Some(6));
        assert_eq!(lengths, [65523; 10]);
        assert_eq!(run.exit(&child).await, ENDED);
    }
}
