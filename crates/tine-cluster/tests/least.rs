//! Of connections that last, each goes to the worker that holds the fewest.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod probe_support;

use probe_support::{DEADLINE, Probe};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use tine_cluster::{Cluster, ListeningAddress, Policy, Sharing, WorkerProcess};
use tine_testkit::{Load, Runtime, Script, Signal, ports, script, udp, until};

/// Says who it is to every connection, and keeps it for as long as the client does.
const SERVER: &str = "
    const where = process.argv[2];
    require('net').createServer((socket) => {
        socket.on('error', () => {});
        socket.resume();
        socket.write(`${process.pid}\\n`);
    }).listen(/^\\d+$/.test(where) ? { port: Number(where), host: '127.0.0.1' } : where);";

/// Longer ago than that a count of so few connections never is.
const OUT_OF_DATE: Duration = Duration::from_millis(200);

struct Scene {
    runtime: tokio::runtime::Runtime,
    cluster: Cluster,
    port: u16,
    _script: Script,
}

impl Scene {
    fn new(policy: Policy, server: &str, argument: Option<&str>) -> Self {
        let script = script("server.js", server);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let port = ports::free_tcp();
        let argument = argument.map_or_else(|| port.to_string(), str::to_owned);
        let (cluster, _nobody_listens) = {
            let _inside = runtime.enter();
            let mut setup = Cluster::builder();
            setup
                .exec(script.as_ref())
                .exec_path(Runtime::Node22.path())
                .args([argument])
                .policy(policy)
                .hold_listeners(true);
            setup.start().unwrap()
        };
        Self {
            runtime,
            cluster,
            port,
            _script: script,
        }
    }

    /// A worker that listens.
    fn fork(&self) -> WorkerProcess {
        let _inside = self.runtime.enter();
        let worker = self.cluster.fork().unwrap();
        self.wait(worker.listening()).unwrap();
        worker
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let limited = async { tokio::time::timeout(DEADLINE, future).await };
        self.runtime.block_on(limited).unwrap()
    }

    fn open(&self) -> Client {
        Client::open(self.port)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for worker in self.cluster.workers() {
            let _ = worker.kill(Signal::KILL);
        }
    }
}

/// A connection that lasts, and who has it.
struct Client {
    worker: u32,
    _stream: TcpStream,
}

impl Client {
    fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let worker = told(&stream);
        Self {
            worker,
            _stream: stream,
        }
    }
}

fn told(stream: impl std::io::Read) -> u32 {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.trim().parse().unwrap()
}

fn counts(clients: &[Client]) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for client in clients {
        *counts.entry(client.worker).or_default() += 1;
    }
    counts
}

/// Connections that somebody has open at a port of this machine (proc_net(5)); those that wait for
/// their last packets are nobody's.
fn open_at(port: u16) -> usize {
    const ESTABLISHED: &str = "01";
    const CLOSE_WAIT: &str = "08";
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let here = format!("0100007F:{port:04X}");
    let rows = table.lines().skip(1).filter(|row| {
        let mut fields = row.split_whitespace().skip(1);
        let (local, _, state) = (fields.next(), fields.next(), fields.next());
        local == Some(&here) && [Some(ESTABLISHED), Some(CLOSE_WAIT)].contains(&state)
    });
    rows.count()
}

/// Waits until no worker has what the clients have closed, and the last count is out of date.
fn until_counted_anew(port: u16, open: usize) {
    until("the workers to have closed too", DEADLINE, || {
        open_at(port) == open
    });
    let began = Instant::now();
    until("a count to be due", DEADLINE, || {
        began.elapsed() > OUT_OF_DATE
    });
}

/// Numbers that look like chance and are always the same.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[test]
fn whatever_is_opened_and_closed_the_next_goes_to_who_holds_the_fewest() {
    let scene = Scene::new(Policy::Least, SERVER, None);
    let workers: Vec<u32> = (0..3).map(|_| scene.fork().pid()).collect();
    let mut chance = Chance(7);
    let mut clients: Vec<Client> = Vec::new();
    for _round in 0..12 {
        for _ in 0..chance.below(12) {
            if !clients.is_empty() {
                clients.swap_remove(chance.below(clients.len()));
            }
        }
        until_counted_anew(scene.port, clients.len());
        for _ in 0..1 + chance.below(9) {
            let held = counts(&clients);
            let held = |worker: &u32| held.get(worker).copied().unwrap_or(0);
            let fewest = workers.iter().map(held).min().unwrap();
            let next = scene.open();
            let had = held(&next.worker);
            assert_eq!(had, fewest, "{:?}, then {}", counts(&clients), next.worker);
            clients.push(next);
        }
    }
}

#[test]
fn who_has_fifty_that_do_not_end_gets_no_more_until_the_others_have_as_many() {
    let scene = Scene::new(Policy::Least, SERVER, None);
    let first = scene.fork().pid();
    let mut clients: Vec<Client> = (0..50).map(|_| scene.open()).collect();
    let others = [scene.fork().pid(), scene.fork().pid()];
    // They join with nothing, and fill up side by side.
    for round in 0..50 {
        let pair = [scene.open(), scene.open()];
        for other in others {
            let given = pair.iter().filter(|client| client.worker == other).count();
            assert_eq!(given, 1, "round {round}");
        }
        clients.extend(pair);
    }
    let last = [scene.open(), scene.open(), scene.open()];
    assert_eq!(
        counts(&last),
        [first, others[0], others[1]].map(|pid| (pid, 1)).into()
    );
}

#[test]
fn a_replacement_begins_with_none_and_is_filled_no_higher_than_the_others() {
    let scene = Scene::new(Policy::Least, SERVER, None);
    let workers = [scene.fork(), scene.fork(), scene.fork()];
    let mut clients: Vec<Client> = (0..60).map(|_| scene.open()).collect();
    let expected = workers.each_ref().map(|worker| (worker.pid(), 20));
    assert_eq!(counts(&clients), expected.into());

    // One that dies takes its connections along.
    workers[0].kill(Signal::KILL).unwrap();
    scene.wait(workers[0].exited());
    clients.retain(|client| client.worker != workers[0].pid());
    let next = scene.fork();
    until_counted_anew(scene.port, clients.len());
    let filling: Vec<Client> = (0..20).map(|_| scene.open()).collect();
    assert_eq!(counts(&filling), [(next.pid(), 20)].into());
    clients.extend(filling);

    // One that leaves keeps its own, and gets no more.
    let newest = {
        let _inside = scene.runtime.enter();
        scene.wait(scene.cluster.replace(&workers[1])).unwrap()
    };
    let filling: Vec<Client> = (0..20).map(|_| scene.open()).collect();
    assert_eq!(counts(&filling), [(newest.pid(), 20)].into());
    clients.extend(filling);
    let last: Vec<Client> = (0..9).map(|_| scene.open()).collect();
    let expected = [next.pid(), workers[2].pid(), newest.pid()].map(|pid| (pid, 3));
    assert_eq!(counts(&last), expected.into());
}

/// Who holds a unix connection cannot be asked for, so these go in turns.
#[test]
fn unix_connections_go_in_turns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let scene = Scene::new(Policy::Least, SERVER, path.to_str());
    let open = || {
        let stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        (told(&stream), stream)
    };
    let first = scene.fork();
    let held: Vec<_> = (0..10).map(|_| open()).collect();
    assert!(held.iter().all(|(worker, _)| *worker == first.pid()));
    let second = scene.fork();
    let more: Vec<u32> = (0..6).map(|_| open().0).collect();
    let turns = [more[0], more[1]].repeat(3);
    assert_eq!(more, turns);
    assert!(more.contains(&first.pid()) && more.contains(&second.pid()));
    let expected = (ListeningAddress::Unix(path.clone()), Sharing::PassedOn);
    assert_eq!(scene.cluster.addresses(), [expected]);
}

#[test]
fn datagrams_come_to_one_socket_that_all_have() {
    let server = "
        const socket = require('dgram').createSocket('udp4');
        socket.on('message', (_, from) => socket.send(`pid ${process.pid}`, from.port, from.address));
        socket.bind(Number(process.argv[2]), '127.0.0.1');";
    let scene = Scene::new(Policy::Least, server, None);
    let workers = [scene.fork(), scene.fork()];
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], scene.port));
    for _ in 0..20 {
        let answer = udp::ask(address, b"who", DEADLINE).unwrap();
        let known = workers
            .iter()
            .any(|one| answer == format!("pid {}", one.pid()).as_bytes());
        assert!(known, "{answer:?}");
    }
    let expected = (ListeningAddress::Udp(address), Sharing::OneSocket);
    assert_eq!(scene.cluster.addresses(), [expected]);
}

/// Each of four workers has 2,500 of 10,000 short connections, but for so many. On an idle machine
/// 50 are the most in both orders; on one that is busy some workers are not idle.
const SPREAD: u64 = 700;

#[test]
fn short_connections_to_idle_workers_are_shared_as_in_turns() {
    let server = "
        require('http').createServer((q, s) => s.end(`pid ${process.pid}`))
            .listen(Number(process.argv[2]), '127.0.0.1');";
    for policy in [Policy::RoundRobin, Policy::Least] {
        let scene = Scene::new(policy, server, None);
        for _ in 0..4 {
            scene.fork();
        }
        let report = Load::new(scene.port)
            .connections(2)
            .new_connection_each(true)
            .timeout(DEADLINE)
            .at_most(DEADLINE * 3)
            .run_until(10_000);
        report.assert_no_failures();
        println!("{policy}: {report}");
        assert_eq!(report.by_worker.len(), 4);
        for count in report.by_worker.values() {
            assert!(count.abs_diff(2500) <= SPREAD, "{policy}: {report}");
        }
    }
}

#[test]
fn what_each_holds_is_still_known_after_an_upgrade() {
    let script = script("server.js", SERVER);
    let probe = Probe::start(&[("POLICY", "least")]);
    let words = format!("{} {}", script.as_ref().display(), probe.port);
    let fork = || {
        let worker = probe.fork(&words);
        probe.wait(&format!("listening {} ", worker.id));
        worker.pid
    };
    let first = fork();
    let mut clients: Vec<Client> = (0..10).map(|_| Client::open(probe.port)).collect();
    let second = fork();
    clients.extend((0..4).map(|_| Client::open(probe.port)));
    assert_eq!(counts(&clients), [(first, 10), (second, 4)].into());
    for version in 2..5 {
        probe.tell("upgrade");
        probe.wait(&format!("version {version}, 2 workers"));
        let more = [Client::open(probe.port), Client::open(probe.port)];
        assert_eq!(counts(&more), [(second, 2)].into(), "version {version}");
        clients.extend(more);
    }
    let last = [Client::open(probe.port), Client::open(probe.port)];
    assert_eq!(counts(&last), [(first, 1), (second, 1)].into());
}
