//! Each fixture and example alone, without tine, on the runtimes where it means something: what
//! goes wrong under tine is then not the fixture's fault.

#![forbid(unsafe_code)]
// These programs are started as a user starts them.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tine_testkit::lines::{Line, Stream};
use tine_testkit::runtimes::Packaged;
use tine_testkit::{
    FailureKind, Load, Program, Response, Runtime, Signal, Target, example, fixture, get, ports,
    process, runtimes, udp, until,
};

const SECONDS: Duration = Duration::from_secs(20);

/// Every kind of runtime, and the oldest and newest Node.
const KINDS: [Runtime; 4] = [
    Runtime::Node18,
    Runtime::Node26,
    Runtime::Bun,
    Runtime::Deno,
];

struct Server {
    program: Program,
    target: Target,
}

impl Server {
    fn start(runtime: Runtime, name: &str, variables: &[(&str, &str)]) -> Server {
        let port = ports::free_tcp();
        let mut command = runtime.command(fixture(name));
        command
            .env("PORT", port.to_string())
            .envs(variables.iter().copied());
        Server::of(
            Program::start(&format!("{name} on {}", runtime.name()), command),
            port,
        )
    }

    fn example(runtime: Runtime, name: &str) -> Server {
        let port = ports::free_tcp();
        let mut command = runtime.command(example(name));
        command.env("PORT", port.to_string());
        Server::of(
            Program::start(&format!("{name} on {}", runtime.name()), command),
            port,
        )
    }

    /// The script as it is, in a folder with Express.
    fn express(runtime: Runtime, script: &Path) -> (Server, Packaged) {
        let port = ports::free_tcp();
        let packaged = runtimes::with_packages(script);
        let mut command = runtime.command(packaged.script());
        command
            .env("PORT", port.to_string())
            .env_remove("NODE_PATH");
        let name = format!("{} on {}", script.display(), runtime.name());
        (Server::of(Program::start(&name, command), port), packaged)
    }

    fn of(program: Program, target: impl Into<Target>) -> Server {
        Server {
            program,
            target: target.into(),
        }
    }

    /// The page, as soon as somebody listens.
    fn get(&self, path: &str) -> Response {
        until(&format!("{path} from {}", self.target), SECONDS, || {
            let exit = self.program.try_exit();
            match get(self.target.clone(), path) {
                Ok(response) => Ok(response),
                Err(failure) if failure.kind == FailureKind::Refused && exit.is_none() => {
                    Err(failure)
                }
                Err(failure) => panic!("{failure} (exit: {exit:?})"),
            }
        })
    }

    fn pid(&self) -> u32 {
        self.program.pid()
    }

    fn is_silent(&self) -> bool {
        self.program.lines().count() == 0
    }
}

fn is(text: &str) -> impl Fn(&Line) -> bool {
    move |line| line.text == text
}

#[test]
fn http_answers_on_every_runtime() {
    for runtime in Runtime::ALL {
        for name in ["http.js", "http.mjs"] {
            let server = Server::start(runtime, name, &[("NODE_APP_INSTANCE", "7")]);
            let text = server.get("/").text();
            assert_eq!(
                text,
                format!("pid {} instance 7\n", server.pid()),
                "{runtime:?} {name}"
            );
            assert!(server.is_silent(), "{}", server.program.transcript());
        }
    }
}

#[test]
fn http_does_what_its_pages_say() {
    for runtime in KINDS {
        let server = Server::start(runtime, "http.js", &[("SOME", "thing")]);
        assert_eq!(server.get("/env/SOME").text(), "thing\n");
        assert_eq!(server.get("/env/NOTHING").text(), "undefined\n");
        assert_eq!(server.get("/argv").text(), "[]\n");
        server.get("/print/to%20out");
        server.get("/error/to%20err");
        let out = server
            .program
            .wait_for_line(is("to out"), "to out", SECONDS);
        let err = server
            .program
            .wait_for_line(is("to err"), "to err", SECONDS);
        assert_eq!((out.stream, err.stream), (Stream::Stdout, Stream::Stderr));
        let failure = get(server.target.clone(), "/exit/5").unwrap_err();
        assert_eq!(failure.bytes_seen, 0, "{runtime:?}: {failure}");
        assert_eq!(
            server.program.wait_exit(SECONDS).code(),
            Some(5),
            "{runtime:?}"
        );
    }
}

#[test]
fn the_plain_servers_answer_with_their_pid() {
    for runtime in KINDS {
        for name in ["net.js", "ignores-sigint.js", "max-connections.js"] {
            let server = Server::start(runtime, name, &[]);
            assert_eq!(
                server.get("/").pid(),
                Some(server.pid()),
                "{runtime:?} {name}"
            );
            assert!(server.is_silent(), "{}", server.program.transcript());
        }
        let (server, _packaged) = Server::express(runtime, &fixture("express.js"));
        assert_eq!(server.get("/").pid(), Some(server.pid()), "{runtime:?}");
        assert!(server.is_silent(), "{}", server.program.transcript());
    }
    let server = Server::start(Runtime::Node24, "express.js", &[]);
    assert_eq!(server.get("/").pid(), Some(server.pid()), "by NODE_PATH");
}

#[test]
fn exclusive_says_so_when_the_port_is_taken() {
    for runtime in KINDS {
        let server = Server::start(runtime, "exclusive.js", &[]);
        assert_eq!(server.get("/").pid(), Some(server.pid()));
        let Target::Tcp(address) = &server.target else {
            panic!("it is on a port")
        };
        let mut second = runtime.command(fixture("exclusive.js"));
        second.env("PORT", address.port().to_string());
        let second = Program::start("the second", second);
        assert_eq!(second.wait_exit(SECONDS).code(), Some(3), "{runtime:?}");
    }
}

#[test]
fn a_unix_socket_and_udp_answer() {
    for runtime in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.sock");
        let mut command = runtime.command(fixture("unix.js"));
        command.arg(&path);
        let server = Server::of(Program::start("unix.js", command), path);
        assert_eq!(server.get("/").pid(), Some(server.pid()), "{runtime:?}");

        let port = ports::free_udp();
        let mut command = runtime.command(fixture("dgram.js"));
        command.env("PORT", port.to_string());
        let program = Program::start("dgram.js", command);
        let answer = until("an answer by UDP", SECONDS, || {
            let here = (Ipv4Addr::LOCALHOST, port).into();
            udp::ask(here, b"hello", Duration::from_millis(500))
        });
        let expected = format!("pid {}: hello", program.pid());
        assert_eq!(String::from_utf8_lossy(&answer), expected, "{runtime:?}");
    }
}

#[test]
fn ports_two_any_and_shared() {
    for runtime in KINDS {
        let second = ports::free_tcp();
        let server = Server::start(runtime, "two-ports.js", &[("PORT2", &second.to_string())]);
        assert!(server.get("/").text().ends_with("on PORT\n"));
        assert!(get(second, "/").unwrap().text().ends_with("on PORT2\n"));

        let program = Program::start("port-zero.js", runtime.command(fixture("port-zero.js")));
        let is_port = |line: &Line| line.text.starts_with("port ");
        let line = program.wait_for_line(is_port, "port N", SECONDS);
        let port: u16 = line.text["port ".len()..].parse().unwrap();
        assert_eq!(
            get(port, "/").unwrap().pid(),
            Some(program.pid()),
            "{runtime:?}"
        );
    }
    let first = Server::start(Runtime::Node26, "reuse-port.js", &[]);
    let Target::Tcp(address) = &first.target else {
        panic!("it is on a port")
    };
    let mut second = Runtime::Node26.command(fixture("reuse-port.js"));
    second.env("PORT", address.port().to_string());
    let second = Program::start("the second", second);
    let mut seen = BTreeSet::new();
    until("answers of both", SECONDS, || {
        seen.insert(first.get("/").pid().unwrap());
        seen == BTreeSet::from([first.pid(), second.pid()])
    });
}

#[test]
fn a_given_socket_is_served() {
    for runtime in Runtime::NODES {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let node = runtime.command(fixture("listen-fd.js"));
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec \"$@\" 3<&0 </dev/null", "sh"])
            .arg(node.get_program());
        command.args(node.get_args());
        let program =
            Program::start_with_stdin("listen-fd.js", command, OwnedFd::from(listener).into());
        assert_eq!(
            get(address, "/").unwrap().pid(),
            Some(program.pid()),
            "{runtime:?}"
        );
    }
}

#[test]
fn slow_is_slow_and_can_stop_half_way() {
    for runtime in KINDS {
        let server = Server::start(runtime, "slow.js", &[]);
        server.get("/");
        let report = Load::new(server.target.clone())
            .path("/?ms=80&half=1")
            .run_until(2);
        report.assert_no_failures();
        assert!(
            report.longest >= Duration::from_millis(80),
            "{runtime:?} {report}"
        );

        let Target::Tcp(address) = &server.target else {
            panic!("it is on a port")
        };
        let mut client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(SECONDS)).unwrap();
        client
            .write_all(b"GET /?ms=60000&half=1 HTTP/1.1\r\nHost: here\r\n\r\n")
            .unwrap();
        let mut seen = String::new();
        while !seen.contains("\r\n\r\npid ") {
            let mut bytes = [0; 1000];
            let length = client.read(&mut bytes).unwrap();
            assert!(length > 0, "{runtime:?} ended after {seen:?}");
            seen.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
        }
        assert!(
            !seen.contains("ms\n"),
            "{runtime:?} sent the whole: {seen:?}"
        );
    }
}

#[test]
fn the_crashing_ones_crash_as_they_say() {
    for runtime in KINDS {
        let server = Server::start(runtime, "crash-at-start.js", &[("EXIT_CODE", "9")]);
        assert_eq!(
            server.program.wait_exit(SECONDS).code(),
            Some(9),
            "{runtime:?}"
        );

        // Only what runs when it listens exits with this code.
        let server = Server::start(runtime, "crash-after-listen.js", &[("EXIT_CODE", "9")]);
        assert_eq!(
            server.program.wait_exit(SECONDS).code(),
            Some(9),
            "{runtime:?}"
        );

        for _ in 0..5 {
            let server = Server::start(runtime, "crash-after-response.js", &[]);
            assert_eq!(server.get("/").pid(), Some(server.pid()), "{runtime:?}");
            assert_eq!(
                server.program.wait_exit(SECONDS).code(),
                Some(1),
                "{runtime:?}"
            );
        }
    }
}

#[test]
fn sigint_is_ignored_and_a_child_survives() {
    for runtime in KINDS {
        let server = Server::start(
            runtime,
            "ignores-sigint.js",
            &[("IGNORE", "SIGINT,SIGTERM")],
        );
        server.get("/");
        server.program.signal(Signal::INT);
        server.program.signal(Signal::TERM);
        assert_eq!(server.get("/").pid(), Some(server.pid()), "{runtime:?}");

        let server = Server::start(runtime, "grandchild.js", &[]);
        let text = server.get("/").text();
        let child: u32 = text.trim().rsplit(' ').next().unwrap().parse().unwrap();
        server.program.signal(Signal::TERM);
        assert_eq!(
            server.program.wait_exit(SECONDS).signal(),
            Some(15),
            "{runtime:?}"
        );
        assert!(process::is_alive(child));
        assert_eq!(server.program.processes(), [child]);
        drop(server);
        assert!(!process::is_alive(child));
    }
}

#[test]
fn chatty_loses_no_line() {
    for runtime in KINDS {
        let server = Server::start(runtime, "chatty.js", &[("LINES", "500"), ("END", "1")]);
        assert_eq!(server.program.wait_exit(SECONDS).code(), Some(0));
        server.program.wait_output_end(SECONDS);
        for (stream, word) in [(Stream::Stdout, "out"), (Stream::Stderr, "err")] {
            let expected: Vec<String> = (1..=500).map(|i| format!("{word} {i}")).collect();
            assert_eq!(server.program.texts(stream), expected, "{runtime:?}");
        }
        let server = Server::start(runtime, "chatty.js", &[]);
        assert!(server.get("/?lines=3").text().ends_with(" lines 3\n"));
        server.program.wait_for_line(is("err 3"), "err 3", SECONDS);
    }
}

#[test]
fn worker_talk_answers_its_parent() {
    let parent = "const child = require('node:child_process').fork(process.argv[1]);\
        child.on('message', (m) => { console.log(JSON.stringify(m.echo), m.pid === child.pid); child.kill(); });\
        child.send({ a: [1, 'ü'] });";
    let mut command = Command::new(Runtime::Node24.path());
    command.args(["-e", parent]).arg(fixture("worker-talk.js"));
    let program = Program::start("a parent", command);
    program.wait_for_line(is("{\"a\":[1,\"ü\"]} true"), "the echo", SECONDS);
    for runtime in KINDS {
        let server = Server::start(runtime, "worker-talk.js", &[]);
        assert_eq!(
            server.get("/?say=x").text(),
            format!("pid {} silent\n", server.pid())
        );
    }
}

#[test]
fn hello_says_who_it_is() {
    for runtime in Runtime::ALL {
        let server = Server::example(runtime, "hello.js");
        let expected = format!("Hello World from worker - (pid {})\n", server.pid());
        assert_eq!(server.get("/").text(), expected, "{runtime:?}");
    }
}

#[test]
fn the_book_runs_with_plain_node() {
    for runtime in [Runtime::Node18, Runtime::Node26] {
        let server = Server::example(runtime, "book/01-fork-and-exit.js");
        assert_eq!(server.program.wait_exit(SECONDS).code(), Some(0));
        server.program.wait_output_end(SECONDS);
        let lines = server.program.texts(Stream::Stdout);
        let count = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
        assert!(count("worker: my pid is ") > 0);
        assert_eq!(
            count("worker: my pid is "),
            count("primary: forking process number ")
        );

        let server = Server::example(runtime, "book/02-messages.js");
        let sent = |line: &Line| line.text.contains("sent {\"text\":\"hello, primary\"");
        server
            .program
            .wait_for_line(sent, "a worker's message", SECONDS);
        let sent = |line: &Line| line.text.contains("sent {\"text\":\"hello, worker ");
        server
            .program
            .wait_for_line(sent, "the primary's message", SECONDS);
        server.program.signal_group(Signal::INT);
        assert_eq!(server.program.wait_exit(SECONDS).signal(), Some(2));

        let server = Server::example(runtime, "book/03-http-on-every-core.js");
        let started = |line: &Line| line.text.ends_with(": started");
        server.program.wait_for_line(started, "a worker", SECONDS);
        let worker = server.get("/").pid().unwrap();
        assert!(process::children(server.pid()).contains(&worker));

        let server = Server::example(runtime, "book/05-worker-that-fails.js");
        let first = server.get("/").pid().unwrap();
        let died = format!("primary: worker {first} died (1), forking another");
        server
            .program
            .wait_for_line(is(&died), "its death", SECONDS);
        assert_ne!(server.get("/").pid().unwrap(), first);

        let server = Server::example(runtime, "book/06-process-manager.js");
        assert_eq!(server.get("/").pid(), Some(server.pid()));
        assert_eq!(server.program.wait_exit(SECONDS).code(), Some(1));
    }
}

#[test]
fn the_book_shuts_down_gracefully() {
    for runtime in KINDS {
        let script = example("book/07-graceful-shutdown.js");
        let (server, _packaged) = Server::express(runtime, &script);
        assert_eq!(server.get("/hello").text(), "Hello World !!!");
        assert_eq!(server.get("/hello/Ada").text(), "Hello Ada!!!");
        server.program.signal(Signal::INT);
        assert_eq!(
            server.program.wait_exit(SECONDS).code(),
            Some(0),
            "{runtime:?}"
        );
    }
}
