//! No connection is lost on its way from the primary to a worker.

mod support;

use support::Cluster;
use tine_cluster::{Event, Policy};
use tine_testkit::{Runtime, Signal, process};

const SERVER: &str = r"
const http = require('http');
http.createServer((request, response) => response.end('pid ' + process.pid)).listen(process.env.PORT);
";

fn two(policy: Policy, node: Runtime, script: &str) -> (Cluster, [tine_cluster::WorkerId; 2]) {
    let mut cluster = Cluster::new(policy, node, script);
    let workers = [cluster.fork(0), cluster.fork(1)];
    workers
        .iter()
        .for_each(|worker| cluster.until_listening(*worker));
    (cluster, workers)
}

/// Node's own primary loses the connections of this test: their clients wait for ever.
#[test]
fn what_a_dying_worker_has_not_read_goes_to_the_next_one() {
    for node in [Runtime::Node18, Runtime::Node20, Runtime::Node26] {
        let (mut cluster, [stuck, other]) = two(Policy::RoundRobin, node, SERVER);
        let (stuck_pid, other_pid) = (cluster.pid(stuck), cluster.pid(other));
        process::signal(stuck_pid, Signal::STOP).unwrap();
        let asked: Vec<_> = (0..6).map(|_| cluster.ask("/")).collect();
        cluster.until(
            "a connection on its way to the stopped worker",
            |primary, _| (primary.connections_in_hand() > 0).then_some(()),
        );
        process::signal(stuck_pid, Signal::KILL).unwrap();
        cluster.until_exit(stuck);
        assert_eq!(cluster.answers(asked), [other_pid; 6]);
        assert_eq!(cluster.primary.connections_in_hand(), 0);
    }
}

#[test]
fn a_dead_workers_socket_goes_to_its_replacement_with_all_that_waits_on_it() {
    let mut cluster = Cluster::new(Policy::Kernel, Runtime::Node20, SERVER);
    let only = cluster.fork(0);
    cluster.until_listening(only);
    let pid = cluster.pid(only);
    process::signal(pid, Signal::STOP).unwrap();
    let asked: Vec<_> = (0..20).map(|_| cluster.ask("/")).collect();
    process::signal(pid, Signal::KILL).unwrap();
    cluster.until_exit(only);
    let late: Vec<_> = (0..20).map(|_| cluster.ask("/")).collect();
    let next = cluster.fork(0);
    cluster.until_listening(next);
    let next_pid = cluster.pid(next);
    assert_eq!(cluster.answers(asked), [next_pid; 20]);
    assert_eq!(cluster.answers(late), [next_pid; 20]);
}

#[test]
fn what_waits_in_a_seat_that_nobody_takes_goes_to_the_others() {
    let (mut cluster, [gone, other]) = two(Policy::Kernel, Runtime::Node20, SERVER);
    let (gone_pid, other_pid) = (cluster.pid(gone), cluster.pid(other));
    process::signal(gone_pid, Signal::STOP).unwrap();
    let asked: Vec<_> = (0..20).map(|_| cluster.ask("/")).collect();
    cluster.until("answers of the other worker", |_, _| {
        asked.iter().any(|one| one.is_finished()).then_some(())
    });
    process::signal(gone_pid, Signal::KILL).unwrap();
    cluster.until_exit(gone);
    cluster.primary.release_seat(tine_cluster::Seat(0));
    assert_eq!(cluster.answers(asked), [other_pid; 20]);
}

/// The worker keeps its event loop busy, so that connections queue up on its own socket, and then
/// closes its server.
#[test]
fn what_waits_on_the_socket_of_a_worker_that_closes_goes_to_the_others() {
    let closing = r"
        const http = require('http');
        const server = http.createServer((request, response) => {
            response.setHeader('Connection', 'close');
            response.end('pid ' + process.pid);
            if (request.url === '/close') response.on('finish', () => {
                const end = Date.now() + 400;
                while (Date.now() < end);
                server.close();
            });
        }).listen(process.env.PORT);
        setInterval(() => {}, 1e6);";
    for node in Runtime::NODES {
        let (mut cluster, _) = two(Policy::Kernel, node, closing);
        let asked = vec![cluster.ask("/close")];
        let closer = cluster.answers(asked)[0];
        let asked: Vec<_> = (0..20).map(|_| cluster.ask("/")).collect();
        assert!(!cluster.answers(asked).contains(&closer), "{node:?}");
    }
}

#[test]
fn a_worker_out_of_descriptors_is_passed_over_and_asked_again_later() {
    let hungry = r"
        const http = require('http'), fs = require('fs');
        let held = [];
        http.createServer((request, response) => response.end('pid ' + process.pid))
            .listen(process.env.PORT);
        process.on('message', (message) => {
            if (message === 'eat') {
                try { for (;;) held.push(fs.openSync('/dev/null')); } catch { process.send('full'); }
            } else {
                held.forEach((fd) => fs.closeSync(fd));
                process.send('empty');
            }
        });";
    let (mut cluster, [hungry, other]) = two(Policy::RoundRobin, Runtime::Node20, hungry);
    let (hungry_pid, other_pid) = (cluster.pid(hungry), cluster.pid(other));
    let limit = rustix::process::Rlimit {
        current: Some(100),
        maximum: Some(100),
    };
    rustix::process::prlimit(
        cluster.primary.pid(hungry),
        rustix::process::Resource::Nofile,
        limit,
    )
    .unwrap();
    let told = |cluster: &mut Cluster, word: &str, count: usize| {
        let json = format!("\"{word}\"");
        cluster.until(word, |_, seen| {
            let said =
                |event: &&Event| matches!(event, Event::Message { json: j, .. } if *j == json);
            (seen.iter().filter(said).count() == count).then_some(())
        });
    };
    assert!(cluster.primary.send(hungry, "\"eat\""));
    told(&mut cluster, "full", 1);
    let asked: Vec<_> = (0..20).map(|_| cluster.ask("/")).collect();
    assert_eq!(cluster.answers(asked), [other_pid; 20]);
    assert!(cluster.primary.send(hungry, "\"spew\""));
    told(&mut cluster, "empty", 1);
    let end = std::time::Instant::now() + support::DEADLINE;
    loop {
        let asked = vec![cluster.ask("/")];
        if cluster.answers(asked) == [hungry_pid] {
            break;
        }
        assert!(std::time::Instant::now() < end, "it is never asked again");
    }
}

#[test]
fn a_worker_that_writes_garbage_harms_nobody_else() {
    let garbage = r"
        const http = require('http'), fs = require('fs');
        http.createServer((request, response) => response.end('pid ' + process.pid))
            .listen(process.env.PORT, () => {
                if (process.env.SEAT === '0') fs.writeSync(3, 'not json at all\n');
            });";
    let mut cluster = Cluster::new(Policy::RoundRobin, Runtime::Node20, garbage);
    let (bad, good) = (cluster.fork(0), cluster.fork(1));
    cluster.until_listening(good);
    let why = cluster.until("the bad worker's channel to be closed", |_, seen| {
        seen.iter().find_map(|event| match event {
            Event::Disconnect { worker, error } if *worker == bad => error.clone(),
            _ => None,
        })
    });
    assert!(
        why.contains("not JSON") && why.contains("not json at all"),
        "{why}"
    );
    let good_pid = cluster.pid(good);
    let asked: Vec<_> = (0..10).map(|_| cluster.ask("/")).collect();
    assert_eq!(cluster.answers(asked), [good_pid; 10]);
    // A Node worker whose channel has closed leaves by itself.
    cluster.until_exit(bad);
}

#[test]
fn a_worker_that_asks_for_ever_and_reads_no_answer_costs_bounded_memory() {
    let hostile = r#"
        const http = require('http'), fs = require('fs');
        if (process.env.SEAT === '0') {
            const line = '{"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,"port":-5,"addressType":7}\n';
            const lines = Buffer.from(line.repeat(500));
            let at = 0;
            for (;;) {
                // Until the primary reads no more: then every write says EAGAIN, for good.
                try { at += fs.writeSync(3, lines, at); at %= lines.length; } catch { }
            }
        }
        http.createServer((request, response) => response.end('pid ' + process.pid))
            .listen(process.env.PORT);"#;
    let mut cluster = Cluster::new(Policy::RoundRobin, Runtime::Node20, hostile);
    let (bad, good) = (cluster.fork(0), cluster.fork(1));
    cluster.until_listening(good);
    let good_pid = cluster.pid(good);
    let own = std::process::id();
    cluster.until("the hostile worker's questions to be left unread", |primary, seen| {
        let failed = |event: &&Event| matches!(event, Event::ListenFailed { worker, .. } if *worker == bad);
        (seen.iter().filter(failed).count() > 1000 && primary.is_reading(bad) == Some(false)).then_some(())
    });
    let before = process::rss_bytes(own).unwrap();
    for _ in 0..20 {
        let asked: Vec<_> = (0..10).map(|_| cluster.ask("/")).collect();
        assert_eq!(cluster.answers(asked), [good_pid; 10]);
    }
    let grown = process::rss_bytes(own).unwrap().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes more");
}

#[test]
fn a_worker_that_stops_listening_to_its_channel_is_let_go() {
    let deaf = r"
        const http = require('http');
        http.createServer((request, response) => response.end('pid ' + process.pid))
            .listen(process.env.PORT);
        if (process.env.SEAT === '0') {
            const { spawnSync } = require('child_process');
            const shut = 'import socket; socket.socket(fileno=0).shutdown(socket.SHUT_RD)';
            setImmediate(() => {
                const done = spawnSync('python3', ['-c', shut], { stdio: [3, 'inherit', 'inherit'] });
                if (done.status !== 0) process.exit(9);
            });
        }";
    let mut cluster = Cluster::new(Policy::RoundRobin, Runtime::Node20, deaf);
    let (bad, good) = (cluster.fork(0), cluster.fork(1));
    cluster.until_listening(good);
    let good_pid = cluster.pid(good);
    cluster.until_exit(bad);
    let asked: Vec<_> = (0..10).map(|_| cluster.ask("/")).collect();
    assert_eq!(cluster.answers(asked), [good_pid; 10]);
}

#[test]
fn what_waits_in_a_seat_waits_on_when_there_are_no_others() {
    let mut cluster = Cluster::new(Policy::Kernel, Runtime::Node20, SERVER);
    let only = cluster.fork(0);
    cluster.until_listening(only);
    let pid = cluster.pid(only);
    process::signal(pid, Signal::STOP).unwrap();
    let asked: Vec<_> = (0..10).map(|_| cluster.ask("/")).collect();
    process::signal(pid, Signal::KILL).unwrap();
    cluster.until_exit(only);
    cluster.primary.release_seat(tine_cluster::Seat(0));
    let next = cluster.fork(0);
    cluster.until_listening(next);
    let next_pid = cluster.pid(next);
    assert_eq!(cluster.answers(asked), [next_pid; 10]);
}
