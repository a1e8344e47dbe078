//! Ports, sockets and descriptors: what a program asks for, it gets, or hears why not.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use tine_testkit::http::{Connection, who_answers};
use tine_testkit::{FailureKind, Program, RunningTine, Runtime, Target, Tine, fixture};
use tine_testkit::{http, ports, process, script, udp, until};

const SECONDS: Duration = Duration::from_secs(20);
const POLICIES: [&str; 3] = ["rr", "shared", "kernel"];

fn pids(tine: &RunningTine) -> BTreeSet<u32> {
    tine.children().into_iter().collect()
}

#[test]
fn a_port_in_use_is_told_as_node_s_own_cluster_tells_it() {
    let teller = script(
        "teller.js",
        "const cluster = require('cluster');
         if (cluster.isPrimary) {
           cluster.fork();
         } else {
           const server = require('net').createServer();
           server.on('error', (e) => {
             console.log(JSON.stringify([e.code, e.errno, e.syscall, e.address, e.port, e.message]));
             process.exit(0);
           });
           server.listen(Number(process.env.PORT), process.env.HOST);
         }",
    );
    for host in ["127.0.0.1", "::"] {
        let holder = TcpListener::bind((host, 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        let mut command = Runtime::Node20.command(&teller);
        command.env("PORT", port.to_string()).env("HOST", host);
        let node = Program::start("Node's own cluster", command);
        assert!(node.wait_exit(SECONDS).success());
        node.wait_output_end(SECONDS);
        let expected = node.lines().all().remove(0).text;
        assert!(expected.contains("EADDRINUSE"), "{expected}");
        for policy in POLICIES {
            let tine = Tine::workers(&teller, 1)
                .balance(policy)
                .args(["--stop-exit-codes", "0"])
                .port(port)
                .env("HOST", host)
                .start();
            assert_eq!(tine.finish(), 0);
            assert_eq!(tine.out(), [format!("teller:0 | {expected}")], "{policy}");
            let me = format!("pid {} holds", std::process::id());
            assert!(
                tine.err().iter().any(|line| line.contains(&me)),
                "tine names the holder: {:?}",
                tine.err()
            );
        }
    }
}

#[test]
fn a_port_of_another_tine_is_not_shared_with_it() {
    for policy in POLICIES {
        let first = Tine::workers(fixture("http.js"), 2).balance(policy).start();
        first.wait_ready(SECONDS);
        let second = Tine::workers(fixture("http.js"), 2)
            .balance(policy)
            .args(["--max-restarts", "1"])
            .port(first.port())
            .start();
        assert_eq!(second.finish(), 1, "{policy}");
        let err = second.err().join("\n");
        assert!(err.contains("EADDRINUSE"), "{err}");
        // Tine holds it under every policy, the workers under some.
        let holders: Vec<u32> = [first.children(), vec![first.pid()]].concat();
        assert!(
            holders
                .iter()
                .any(|pid| err.contains(&format!("pid {pid} holds"))),
            "{err}"
        );
        assert!(who_answers(first.port(), 20).is_subset(&pids(&first)));
        assert_eq!(first.stop(), 0);
    }
}

#[test]
fn any_free_port_is_the_same_for_all_workers() {
    for policy in POLICIES {
        let tine = Tine::workers(fixture("port-zero.js"), 2)
            .balance(policy)
            .start();
        tine.wait_ready(SECONDS);
        until("both to say their port", SECONDS, || tine.out().len() == 2);
        let told: BTreeSet<u16> = tine
            .out()
            .iter()
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(told.len(), 1, "{policy}: {told:?}");
        let port = *told.first().unwrap();
        let seen = who_answers(port, 20);
        assert!(seen.is_subset(&pids(&tine)));
        assert!(policy == "shared" || seen.len() == 2, "{policy}");
        // And the next one in that place gets it again.
        process::signal(tine.children()[0], tine_testkit::Signal::KILL).unwrap();
        until("the replacement to say its port", SECONDS, || {
            tine.out().len() == 3
        });
        assert!(
            tine.out()[2].ends_with(&format!("port {port}")),
            "{:?}",
            tine.out()
        );
        assert_eq!(tine.stop(), 0);
    }
}

#[test]
fn two_ports_are_both_served() {
    for policy in POLICIES {
        let second = ports::free_tcp();
        let tine = Tine::workers(fixture("two-ports.js"), 2)
            .balance(policy)
            .env("PORT2", second.to_string())
            .start();
        tine.wait_ready(SECONDS);
        for (port, name) in [(tine.port(), "PORT"), (second, "PORT2")] {
            // Ready means one port; the other follows at once.
            let body = until(name, SECONDS, || http::get(port, "/")).text();
            assert!(body.ends_with(&format!(" on {name}\n")), "{body}");
        }
        assert_eq!(tine.stop(), 0);
    }
}

#[test]
fn datagrams_reach_the_workers() {
    let port = ports::free_udp();
    let tine = Tine::workers(fixture("dgram.js"), 2).port(port).start();
    tine.wait_ready(SECONDS);
    let server = SocketAddr::from(([127, 0, 0, 1], port));
    for number in 0..20 {
        let question = format!("question {number}");
        let answer = udp::ask(server, question.as_bytes(), SECONDS).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (who, what) = answer.split_once(": ").unwrap();
        assert!(pids(&tine).contains(&who["pid ".len()..].parse().unwrap()));
        assert_eq!(what, question);
    }
    assert_eq!(tine.stop(), 0);
}

#[test]
fn an_exclusive_port_belongs_to_one_worker() {
    let tine = Tine::workers(fixture("exclusive.js"), 2)
        .args(["--stop-exit-codes", "3"])
        .start();
    tine.wait_for_text("exit code 3");
    let seen = who_answers(tine.port(), 5);
    assert_eq!(seen, pids(&tine));
    assert_eq!(seen.len(), 1);
    assert_eq!(tine.stop(), 0);
}

#[test]
fn reuse_port_is_between_the_program_and_the_kernel() {
    let tine = Tine::run(fixture("reuse-port.js"))
        .runtime(Runtime::Node22)
        .instances(2)
        .start();
    tine.get_when_up("/");
    let workers = pids(&tine);
    until("an answer of each", SECONDS, || {
        who_answers(tine.port(), 10) == workers
    });
    assert_eq!(tine.stop(), 0);
}

#[test]
fn a_socket_that_tine_was_given_can_be_named_by_its_number() {
    for policy in POLICIES {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        // A shell can pass on what it has as 0 under another number.
        let tine = Tine::workers(fixture("listen-fd.js"), 2)
            .balance(policy)
            .under(["sh", "-c", "exec \"$0\" \"$@\" 7<&0 </dev/null"])
            .stdin(OwnedFd::from(socket))
            .env("LISTEN_FD", "7")
            .start();
        tine.wait_ready(SECONDS);
        let seen = who_answers(address, 20);
        assert!(seen.is_subset(&pids(&tine)), "{policy}");
        assert!(policy != "rr" || seen.len() == 2);
        assert_eq!(tine.stop(), 0);
    }
}

#[test]
fn a_descriptor_that_tine_was_not_given_is_refused() {
    let tine = Tine::workers(fixture("listen-fd.js"), 1)
        .env("LISTEN_FD", "77")
        .args(["--max-restarts", "1"])
        .start();
    assert_eq!(tine.finish(), 1);
    assert!(
        tine.err().iter().any(|line| line.contains("EBADF")),
        "{:?}",
        tine.err()
    );
}

#[test]
fn ipv6_alone_leaves_the_port_of_ipv4_free() {
    let six = script(
        "six.js",
        "require('http').createServer((q, s) => s.end(`pid ${process.pid}`))
           .listen({ port: Number(process.env.PORT), host: '::', ipv6Only: true });",
    );
    for policy in POLICIES {
        let tine = Tine::workers(&six, 2).balance(policy).start();
        tine.wait_ready(SECONDS);
        let address: SocketAddr = (Ipv6Addr::LOCALHOST, tine.port()).into();
        assert!(who_answers(address, 10).is_subset(&pids(&tine)));
        assert_eq!(tine.get("/").unwrap_err().kind, FailureKind::Refused);
        TcpListener::bind(("0.0.0.0", tine.port())).unwrap();
        assert_eq!(tine.stop(), 0);
    }
}

#[test]
fn a_server_that_closes_frees_its_port_and_may_come_back() {
    let door = script(
        "door.js",
        "const server = require('http').createServer((q, s) => s.end(`pid ${process.pid}`));
         const open = () => server.listen(process.env.PORT, () => console.log('open'));
         process.on('SIGUSR2', () => server.listening
           ? server.close(() => console.log('closed')) : open());
         setInterval(() => {}, 1000);
         open();",
    );
    for policy in POLICIES {
        let tine = Tine::workers(&door, 2).balance(policy).start();
        tine.wait_ready(SECONDS);
        let said = |word: &str, times: usize| {
            until(&format!("{times} x {word}"), SECONDS, || {
                let count = tine
                    .out()
                    .iter()
                    .filter(|line| line.ends_with(word))
                    .count();
                if count == times {
                    Ok(())
                } else {
                    Err(format!("{count}"))
                }
            });
        };
        let turn = || {
            for pid in tine.children() {
                process::signal(pid, tine_testkit::Signal::USR2).unwrap();
            }
        };
        turn();
        said("closed", 2);
        until("the port to be free", SECONDS, || {
            TcpListener::bind(("0.0.0.0", tine.port()))
        });
        turn();
        said("open", 4);
        let seen = who_answers(tine.port(), 20);
        assert!(seen.is_subset(&pids(&tine)));
        assert!(policy == "shared" || seen.len() == 2, "{policy}");
        assert_eq!(tine.stop(), 0);
    }
}

#[test]
fn one_worker_that_closes_leaves_the_port_to_the_other() {
    let door = script(
        "leave.js",
        "const server = require('http').createServer((q, s) => s.end(`pid ${process.pid}`));
         process.on('SIGUSR2', () => server.close(() => console.log('closed')));
         setInterval(() => {}, 1000);
         server.listen(process.env.PORT);",
    );
    for policy in POLICIES {
        let tine = Tine::workers(&door, 2).balance(policy).start();
        tine.wait_ready(SECONDS);
        let workers = tine.children();
        process::signal(workers[0], tine_testkit::Signal::USR2).unwrap();
        tine.wait_for_text("closed");
        assert_eq!(
            who_answers(tine.port(), 20),
            BTreeSet::from([workers[1]]),
            "{policy}"
        );
        assert_eq!(tine.stop(), 0);
    }
}

#[test]
fn two_servers_of_one_worker_cannot_have_the_same_port() {
    let twice = script(
        "twice.js",
        "const net = require('net');
         net.createServer().listen(Number(process.env.PORT), () => {
           net.createServer().on('error', (e) => console.log(e.code, e.syscall))
             .listen(Number(process.env.PORT));
         });",
    );
    for policy in POLICIES {
        let tine = Tine::workers(&twice, 1).balance(policy).start();
        let line = tine.wait_for_text(" | ");
        assert_eq!(line.text, "twice:0 | EADDRINUSE bind", "{policy}");
        assert_eq!(tine.stop(), 0);
    }
}

#[test]
fn node_s_own_word_for_the_policy_is_taken() {
    for (word, says) in [("rr", "rr:"), ("none", "shared:")] {
        let tine = Tine::workers(fixture("http.js"), 2)
            .env("NODE_CLUSTER_SCHED_POLICY", word)
            .start();
        let ready = tine.wait_ready(SECONDS);
        assert!(ready.text.contains(says), "{}", ready.text);
        assert_eq!(tine.stop(), 0);
        let tine = Tine::workers(fixture("http.js"), 2)
            .env("NODE_CLUSTER_SCHED_POLICY", word)
            .balance("kernel")
            .start();
        let ready = tine.wait_ready(SECONDS);
        assert!(
            ready.text.contains("kernel:"),
            "what is asked for comes first"
        );
        assert_eq!(tine.stop(), 0);
    }
}

#[test]
fn who_finds_all_workers_full_waits_quietly_and_is_served_when_one_is_not() {
    let tine = Tine::workers(fixture("max-connections.js"), 2)
        .balance("rr")
        .start();
    tine.wait_ready(SECONDS);
    let port = tine.port();
    let ask = |path: &'static str| {
        thread::spawn(move || {
            let response = http::get(port, path).unwrap();
            (Instant::now(), response.pid().unwrap())
        })
    };
    let long = ask("/?ms=8000");
    let short = ask("/?ms=4000");
    until("both workers to be full", SECONDS, || {
        connections(port) == 2
    });
    let waiting = ask("/?ms=0");
    until("the third to wait", SECONDS, || connections(port) == 3);
    let before = process::context_switches(tine.pid()).unwrap();
    let cpu_before = process::cpu_time(tine.pid()).unwrap();
    let began = Instant::now();
    until("two seconds of waiting", SECONDS, || {
        began.elapsed() >= Duration::from_secs(2)
    });
    let after = process::context_switches(tine.pid()).unwrap();
    let cpu = process::cpu_time(tine.pid()).unwrap() - cpu_before;
    assert!(
        !waiting.is_finished() && !short.is_finished(),
        "the machine is too slow for this test"
    );
    let switches = after.voluntary - before.voluntary;
    assert!(switches < 200, "tine woke up {switches} times in 2 s");
    assert!(cpu < Duration::from_millis(100), "tine took {cpu:?} of 2 s");
    let (short_at, short_pid) = short.join().unwrap();
    let (served_at, served_by) = waiting.join().unwrap();
    let (long_at, long_pid) = long.join().unwrap();
    assert!(short_at < served_at && served_at < long_at);
    assert_eq!(served_by, short_pid);
    assert_ne!(long_pid, short_pid);
    assert_eq!(tine.stop(), 0);
}

/// Established connections to the port, accepted or not, as their clients' ends see it.
fn connections(port: u16) -> usize {
    let to = format!(":{port:04X}");
    let text = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let is_one = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.len() > 3 && fields[2].ends_with(&to) && fields[3] == "01"
    };
    text.lines().filter(is_one).count()
}

#[test]
fn a_client_that_says_nothing_costs_nobody_else_anything() {
    for policy in POLICIES {
        let tine = Tine::workers(fixture("http.js"), 2).balance(policy).start();
        tine.wait_ready(SECONDS);
        let end = Instant::now() + SECONDS;
        let target = Target::Tcp(tine.address());
        let _silent: Vec<Connection> = (0..100)
            .map(|_| Connection::open(&target, end).unwrap())
            .collect();
        assert!(who_answers(tine.port(), 10).is_subset(&pids(&tine)));
        assert_eq!(tine.stop(), 0);
    }
}
