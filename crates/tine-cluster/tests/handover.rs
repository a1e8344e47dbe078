//! No connection is lost on its way from the primary to a worker.

mod support;

use support::Cluster;
use tine_cluster::primary::{Event, Policy};
use tine_testkit::{Runtime, Signal, process};

const SERVER: &str = r"
const http = require('http');
http.createServer((request, response) => response.end('pid ' + process.pid)).listen(process.env.PORT);
";

fn two(
    policy: Policy,
    node: Runtime,
    script: &str,
) -> (Cluster, [tine_cluster::primary::WorkerId; 2]) {
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
    cluster.primary.release_seat(tine_cluster::primary::Seat(0));
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
                |event: &&Event| matches!(event, Event::Message { message, .. } if message.body().as_json() == Some(&json));
            (seen.iter().filter(said).count() == count).then_some(())
        });
    };
    cluster.send(hungry, "\"eat\"");
    told(&mut cluster, "full", 1);
    let asked: Vec<_> = (0..20).map(|_| cluster.ask("/")).collect();
    assert_eq!(cluster.answers(asked), [other_pid; 20]);
    cluster.send(hungry, "\"spew\"");
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
    cluster.primary.release_seat(tine_cluster::primary::Seat(0));
    let next = cluster.fork(0);
    cluster.until_listening(next);
    let next_pid = cluster.pid(next);
    assert_eq!(cluster.answers(asked), [next_pid; 10]);
}

/// It says `close` and exits with connections on their way to it that it has not read.
#[test]
fn what_is_on_its_way_to_a_worker_that_closes_and_exits_goes_to_the_others() {
    let leaving = r"
        const http = require('http');
        const server = http.createServer((request, response) => {
            response.setHeader('Connection', 'close');
            response.end('pid ' + process.pid);
            if (request.url === '/leave') response.on('finish', () => {
                const end = Date.now() + 400;
                while (Date.now() < end);
                server.close();
                process.exit(0);
            });
        }).listen(process.env.PORT);";
    let (mut cluster, workers) = two(Policy::RoundRobin, Runtime::Node20, leaving);
    let asked = vec![cluster.ask("/leave")];
    let leaver = cluster.answers(asked)[0];
    let asked: Vec<_> = (0..12).map(|_| cluster.ask("/")).collect();
    assert!(!cluster.answers(asked).contains(&leaver));
    let left = workers
        .into_iter()
        .find(|worker| cluster.primary.pid(*worker).is_none());
    assert!(left.is_some(), "nobody has left");
}

#[test]
fn a_client_that_every_worker_refused_is_served_when_there_is_room() {
    let small = r"
        const http = require('http');
        const server = http.createServer((request, response) => response.end('pid ' + process.pid));
        server.maxConnections = 1;
        server.listen(process.env.PORT);";
    let mut cluster = Cluster::new(Policy::RoundRobin, Runtime::Node20, small);
    let only = cluster.fork(0);
    cluster.until_listening(only);
    let pid = cluster.pid(only);
    let target = tine_testkit::http::Target::from(cluster.port);
    let end = std::time::Instant::now() + support::DEADLINE;
    let kept = std::thread::spawn(move || {
        let mut kept = tine_testkit::http::Connection::open(&target, end).unwrap();
        kept.get("/", true, end).unwrap();
        kept
    });
    cluster.until("the first client", |_, _| kept.is_finished().then_some(()));
    let kept = kept.join().unwrap();
    let asked = vec![cluster.ask("/")];
    cluster.until("a refusal", |primary, _| {
        (primary.connections_in_hand() > 0).then_some(())
    });
    // Nobody drives the primary while the time to ask again goes by.
    std::thread::park_timeout(std::time::Duration::from_millis(200));
    drop(kept);
    assert_eq!(cluster.answers(asked), [pid]);
}

#[test]
fn a_seat_that_is_left_while_nobody_listens_is_emptied_by_whoever_comes_first() {
    let (mut cluster, workers) = two(Policy::Kernel, Runtime::Node20, SERVER);
    let pids = workers.map(|worker| cluster.pid(worker));
    pids.iter()
        .for_each(|pid| process::signal(*pid, Signal::STOP).unwrap());
    let asked: Vec<_> = (0..20).map(|_| cluster.ask("/")).collect();
    pids.iter()
        .for_each(|pid| process::signal(*pid, Signal::KILL).unwrap());
    workers
        .iter()
        .for_each(|worker| cluster.until_exit(*worker));
    cluster.primary.release_seat(tine_cluster::primary::Seat(0));
    let next = cluster.fork(1);
    cluster.until_listening(next);
    let next_pid = cluster.pid(next);
    assert_eq!(cluster.answers(asked), [next_pid; 20]);
}

#[test]
fn a_worker_that_backs_off_moves_no_sticky_client_but_its_own() {
    let mut cluster = Cluster::new(Policy::Sticky, Runtime::Node20, SERVER);
    let workers = [cluster.fork(0), cluster.fork(1), cluster.fork(2)];
    workers
        .iter()
        .for_each(|worker| cluster.until_listening(*worker));
    let ask_all = |cluster: &mut Cluster| {
        let asked = (2..34)
            .map(|last| cluster.ask_from([127, 0, 0, last].into()))
            .collect();
        cluster.answers(asked)
    };
    let before = ask_all(&mut cluster);
    assert_eq!(ask_all(&mut cluster), before);
    let gone = cluster.pid(workers[0]);
    process::signal(gone, Signal::KILL).unwrap();
    cluster.until_exit(workers[0]);
    cluster.primary.lend_seat(tine_cluster::primary::Seat(0));
    let during = ask_all(&mut cluster);
    let back = cluster.fork(0);
    cluster.until_listening(back);
    let back = cluster.pid(back);
    let after = ask_all(&mut cluster);
    for (at, pid) in before.iter().enumerate() {
        if *pid == gone {
            assert_ne!(during[at], gone);
            assert_eq!(after[at], back);
        } else {
            assert_eq!((during[at], after[at]), (*pid, *pid));
        }
    }
}

#[test]
fn a_socket_held_for_later_never_stands_in_the_way_of_the_program_itself() {
    let moving = r"
        const http = require('http'), fs = require('fs');
        const flag = __filename + '.second', second = fs.existsSync(flag);
        fs.writeFileSync(flag, '');
        http.createServer((request, response) => response.end('pid ' + process.pid))
            .listen(process.env.PORT, second ? '127.0.0.1' : '0.0.0.0');";
    for policy in [Policy::RoundRobin, Policy::Shared, Policy::Kernel] {
        let mut cluster = Cluster::new(policy, Runtime::Node20, moving);
        let first = cluster.fork(0);
        cluster.until_listening(first);
        process::signal(cluster.pid(first), Signal::KILL).unwrap();
        cluster.until_exit(first);
        let second = cluster.fork(0);
        cluster.until_listening(second);
        let pid = cluster.pid(second);
        let asked = vec![cluster.ask("/")];
        assert_eq!(cluster.answers(asked), [pid], "{policy}");
    }
}

#[test]
fn a_worker_without_a_descriptor_for_its_socket_is_told_so() {
    let full = r"
        const net = require('net'), fs = require('fs');
        process.on('message', () => {
            try { for (;;) fs.openSync('/dev/null'); } catch { }
            net.createServer().on('error', (error) => process.exit(error.code === 'EMFILE' ? 7 : 8))
                .listen(process.env.PORT, () => process.exit(9));
        });
        process.send('up');";
    for policy in [Policy::Shared, Policy::Kernel] {
        let mut cluster = Cluster::new(policy, Runtime::Node20, full);
        let only = cluster.fork(0);
        cluster.until("up", |_, seen| {
            seen.iter()
                .any(|event| matches!(event, Event::Message { .. }))
                .then_some(())
        });
        let limit = rustix::process::Rlimit {
            current: Some(100),
            maximum: Some(100),
        };
        let pid = cluster.primary.pid(only);
        rustix::process::prlimit(pid, rustix::process::Resource::Nofile, limit).unwrap();
        cluster.send(only, "0");
        cluster.until_exit(only);
        let code = cluster.seen.iter().find_map(|event| match event {
            Event::Exit { status, .. } => Some(*status),
            _ => None,
        });
        assert_eq!(
            code,
            Some(tine_cluster::ExitStatus::Code(7)),
            "{policy}: {:?}",
            cluster.seen
        );
    }
}

/// The one that listens dies; the other, which never asked for the port, says that it closes it.
#[test]
fn a_worker_cannot_close_what_is_not_its_own() {
    let meddling = r#"
        if (process.env.SEAT === '0') {
            const http = require('http');
            http.createServer((request, response) => response.end('pid ' + process.pid))
                .listen(process.env.PORT);
        } else process.on('message', () => {
            const key = `null:${process.env.PORT}:4:undefined`;
            process.send({ cmd: 'NODE_CLUSTER', act: 'close', key, seq: 999 }, () => process.send('said'));
        });"#;
    for policy in [Policy::RoundRobin, Policy::Kernel] {
        let mut cluster = Cluster::new(policy, Runtime::Node20, meddling);
        let (server, meddler) = (cluster.fork(0), cluster.fork(1));
        cluster.until_listening(server);
        process::signal(cluster.pid(server), Signal::KILL).unwrap();
        cluster.until_exit(server);
        cluster.send(meddler, "0");
        cluster.until("the meddler's word", |_, seen| {
            seen.iter()
                .any(|event| matches!(event, Event::Message { .. }))
                .then_some(())
        });
        // Were it closed, this client would be refused before the next one comes.
        assert_eq!(cluster.primary.addresses().len(), 1, "{policy}");
        let asked = vec![cluster.ask("/")];
        let next = cluster.fork(0);
        cluster.until_listening(next);
        let next_pid = cluster.pid(next);
        assert_eq!(cluster.answers(asked), [next_pid], "{policy}");
    }
}
