//! What cannot be had or sent is refused before anything happens: the assertions of Node's own
//! tests, with real Node children.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod parity_support;

use parity_support::{Run, SOME, output};
use std::net::TcpListener;
use tine_cluster::{Cluster, Event, ExitStatus, ForkError, Handle, SendError, Stdio};
use tine_testkit::Runtime;

/// node: test-cluster-eaddrinuse
#[tokio::test]
async fn a_child_that_finds_its_port_taken_gets_it_once_it_is_free() {
    let script = "
        const server = require('net').createServer();
        const listen = () => server.listen(Number(process.argv[2]), '127.0.0.1');
        server.on('error', (error) => process.send(error.code));
        server.on('listening', () => { process.send('listening'); process.disconnect(); server.close(); });
        process.on('message', listen);
        listen();";
    for node in SOME {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let mut run = Run::children(node, script, |setup| {
            setup.args([port.to_string()]);
        });
        let child = run.fork();
        assert_eq!(run.message(&child).await, r#""EADDRINUSE""#);
        drop(taken);
        child.send("again").await.unwrap();
        let said = run.messages(&child, 2).await;
        assert_eq!(said[1], r#""listening""#, "{node:?}");
        assert_eq!(run.exit(&child).await, (ExitStatus::Code(0), false));
    }
}

/// node: test-child-process-send-type-error
#[tokio::test]
async fn what_node_would_die_of_is_not_sent() {
    let script = "process.on('message', (m, handle) => {
        process.send([m, handle === undefined]);
        if (m === 'end') process.disconnect();
    });";
    for node in SOME {
        let mut run = Run::children(node, script, |_| {});
        let child = run.fork();
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let device = std::fs::File::open("/dev/null").unwrap();
        let (pipe, _end) = std::io::pipe().unwrap();
        for refused in [file.into(), device.into(), pipe.into()] {
            let sent = child.send_with_handle("x", Handle::Other(refused)).await;
            assert!(matches!(sent, Err(SendError::Handle { .. })), "{sent:?}");
        }
        let bytes: [Vec<u8>; 1] = [vec![]];
        let no_keys: std::collections::BTreeMap<_, _> = [(bytes, 1)].into();
        let sent = child.send(&no_keys).await;
        assert!(matches!(sent, Err(SendError::Body(_))), "{sent:?}");
        child.send("end").await.unwrap();
        // Nothing else has arrived.
        assert_eq!(run.message(&child).await, r#"["end",true]"#, "{node:?}");
        assert_eq!(run.exit(&child).await, (ExitStatus::Code(0), false));
    }
}

/// node: test-child-process-reject-null-bytes
#[tokio::test]
async fn a_text_with_a_null_byte_starts_nothing() {
    let node = Runtime::Node22.path();
    let (cluster, mut events) = Cluster::builder()
        .exec("worker.js")
        .exec_path(&node)
        .start()
        .unwrap();
    let refused = |what: &str, change: &dyn Fn(&mut tine_cluster::Setup)| {
        let kept = cluster.settings();
        cluster.setup(|setup| change(setup));
        let error = cluster.fork().unwrap_err();
        assert!(matches!(error, ForkError::Nul(_)), "{what}: {error}");
        assert!(error.to_string().contains(what), "{error}");
        cluster.setup(|setup| *setup = kept);
    };
    refused("argument", &|setup| {
        setup.args(["a\0b"]);
    });
    refused("argument", &|setup| {
        setup.exec("a\0b.js");
    });
    refused("argument", &|setup| {
        setup.exec_argv(["--a\0b"]);
    });
    refused("environment", &|setup| {
        setup.env("NAME", "a\0b");
    });
    refused("environment", &|setup| {
        setup.env("NA\0ME", "b");
    });
    refused("folder", &|setup| {
        setup.cwd("/tmp/a\0b");
    });
    assert!(cluster.workers().is_empty());
    while let Some(event) = events.try_next() {
        assert!(matches!(event, Event::Setup(_)), "{event:?}");
    }
}

/// node: test-child-process-stdio
#[tokio::test]
async fn each_standard_stream_is_what_was_asked_for() {
    let script = "
        const kind = (fd) => { const s = require('fs').fstatSync(fd);
          return s.isFIFO() ? 'pipe' : s.isCharacterDevice() ? 'device' : s.isSocket() ? 'socket' : 'file'; };
        process.send([0, 1, 2].map(kind));
        console.log('out'); console.error('err');
        process.stdin.on('data', (d) => { process.send(String(d)); process.disconnect(); process.stdin.destroy(); });";
    for node in SOME {
        let mut run = Run::children(node, script, |setup| {
            setup.silent(true);
        });
        let child = run.fork();
        assert_eq!(run.message(&child).await, r#"["pipe","pipe","pipe"]"#);
        let mut input = child.take_stdin().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut input, b"typed")
            .await
            .unwrap();
        assert_eq!(run.messages(&child, 2).await[1], r#""typed""#);
        assert_eq!(output(child.take_stdout().unwrap()).await, "out\n");
        assert_eq!(output(child.take_stderr().unwrap()).await, "err\n");
        // Each only once.
        assert!(child.take_stdin().is_none() && child.take_stdout().is_none());

        let file = tempfile::tempfile().unwrap();
        let mut read = file.try_clone().unwrap();
        run.cluster.setup(|setup| {
            setup
                .stdio(0, Stdio::Null)
                .stdio(1, file)
                .stdio(2, Stdio::Null);
        });
        let child = run.fork();
        let kinds = run.message(&child).await;
        assert_eq!(kinds, r#"["device","file","device"]"#, "{node:?}");
        child.close_channel();
        run.exit(&child).await;
        let mut written = String::new();
        std::io::Seek::rewind(&mut read).unwrap();
        std::io::Read::read_to_string(&mut read, &mut written).unwrap();
        assert_eq!(written, "out\n", "{node:?}");
    }
}
