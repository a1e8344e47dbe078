//! Every worker is replaced under load, and no client notices.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod support;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Display;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use support::{DEADLINE, example};
use tine_cluster::{Cluster, ExitStatus, Policy, WorkerProcess};
use tine_testkit::http::{Connection, who_answers};
use tine_testkit::{Load, ports, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::health_client::HealthClient;

const POLICIES: [Policy; 5] = [
    Policy::RoundRobin,
    Policy::Least,
    Policy::Shared,
    Policy::Kernel,
    Policy::Sticky,
];
const WORKERS: usize = 3;
/// So often each is replaced.
const ROUNDS: usize = 2;

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(DEADLINE, future).await;
    done.unwrap_or_else(|_| panic!("waited {DEADLINE:?} for: {what}"))
}

/// A running cluster, with its port.
struct Rolling {
    cluster: Cluster,
    port: u16,
    first: BTreeSet<u32>,
}

impl Rolling {
    async fn start(server: &str, policy: Policy) -> Self {
        let port = ports::free_tcp();
        let (cluster, _) = Cluster::builder()
            .exec(example(server).get_program())
            .args(Vec::<OsString>::new())
            .env("PORT", port.to_string())
            .policy(policy)
            .hold_listeners(true)
            .start()
            .unwrap();
        for _ in 0..WORKERS {
            let worker = cluster.fork().unwrap();
            in_time("a listening worker", worker.listening())
                .await
                .unwrap();
        }
        let first = pids(&cluster);
        Self {
            cluster,
            port,
            first,
        }
    }

    /// Replaces every worker as often as there are rounds, each time under load: all clients are
    /// answered in between.
    async fn replace_all(&self, rounds: usize, answered: impl Fn() -> u64) {
        let more_answers = || {
            let goal = answered() + 20;
            tokio::task::block_in_place(|| until("more answers", DEADLINE, || answered() >= goal));
        };
        more_answers();
        for _ in 0..rounds {
            for old in self.cluster.workers() {
                let new = self.cluster.replace(&old);
                in_time("a replacement", new).await.unwrap();
                let exit = in_time("the end of the old worker", old.exited()).await;
                assert_eq!(exit, Some(ExitStatus::Code(0)));
                more_answers();
            }
        }
        let last = pids(&self.cluster);
        assert!(last.len() == WORKERS && last.is_disjoint(&self.first));
    }
}

fn pids(cluster: &Cluster) -> BTreeSet<u32> {
    cluster.workers().iter().map(WorkerProcess::pid).collect()
}

/// What clients of our own have met.
#[derive(Default)]
struct Account {
    stopped: AtomicBool,
    answered: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl Account {
    fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }

    fn note<E: Display>(&self, who: &str, outcome: Result<(), E>) {
        match outcome {
            Ok(()) => _ = self.answered.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push(format!("{who}: {error}"));
            }
        }
    }

    fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    #[track_caller]
    fn assert_no_failures(&self, where_: &str) {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(failures.is_empty(), "{where_}: {failures:#?}");
        assert!(self.answered() > 0, "{where_}: nothing was answered");
    }
}

/// An address of its own for each client, so that `sticky` has something to tell apart.
fn address(client: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 2 + client)
}

fn server(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

// HTTP

/// A client whose requests come some time after its connections: up to 20 ms.
fn late(client: u8, port: u16, account: &Account) {
    for pause in (0..20).cycle() {
        if !account.goes_on() {
            break;
        }
        let end = Instant::now() + DEADLINE;
        let connection = Connection::open_from(address(client).into(), server(port), end);
        let answer = connection.and_then(|mut connection| {
            // What is to be shown is that this does no harm.
            std::thread::park_timeout(Duration::from_millis(pause));
            connection.get("/", false, end)
        });
        account.note("late", answer.map(drop));
    }
}

/// It says goodbye on the connections that its clients keep.
const KEEP_ALIVE: &str = "keep_alive";

async fn http(server: &str, policies: &[Policy], rounds: usize) {
    const KEPT: usize = 2;
    for policy in policies {
        let rolling = Rolling::start(server, *policy).await;
        let port = rolling.port;
        let fresh = Load::new(port).connections(3).new_connection_each(true);
        let fresh = fresh.run_in_background();
        let kept = Load::new(port).connections(KEPT).run_in_background();
        let account = Arc::new(Account::default());
        let late: Vec<_> = (0..6)
            .map(|client| {
                let account = account.clone();
                std::thread::spawn(move || late(client, port, &account))
            })
            .collect();
        let answered = || {
            fresh
                .answered()
                .min(kept.answered())
                .min(account.answered())
        };
        rolling.replace_all(rounds, answered).await;
        let last = pids(&rolling.cluster);
        tokio::task::block_in_place(|| {
            account.stop();
            late.into_iter().for_each(|thread| thread.join().unwrap());
            fresh.stop().assert_no_failures();
            account.assert_no_failures(&format!("{server} {policy}"));
            let kept = kept.stop();
            if server == KEEP_ALIVE {
                kept.assert_no_failures();
            } else {
                // A server that shuts down closes connections that are idle, and a request may be
                // on its way on one of them. RFC 9112 section 9.5 lets it, and clients know it.
                kept.assert_no_failures_but_idle_closes();
                println!("{server} {policy}: {} idle closes", kept.failed());
                // Each replacement closes each client's connection once at most.
                assert!(kept.failed() <= (KEPT * WORKERS * rounds) as u64, "{kept}");
            }
            assert!(who_answers(port, 20).is_subset(&last), "{server} {policy}");
        });
    }
}

#[cfg(feature = "axum")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axum_workers_are_replaced_without_a_lost_connection() {
    http("axum", &POLICIES, ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hyper_workers_are_replaced_without_a_lost_connection() {
    http("hello", &POLICIES, ROUNDS).await;
}

#[cfg(feature = "axum")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_say_goodbye_lose_nothing_on_kept_connections_either() {
    let policies = [Policy::RoundRobin, Policy::Kernel];
    http(KEEP_ALIVE, &policies, 1).await;
}

// gRPC

async fn check(channel: Channel) -> Result<(), tonic::Status> {
    let request = tonic_health::pb::HealthCheckRequest::default();
    let checked = HealthClient::new(channel).check(request).await?;
    match checked.into_inner().status {
        1 => Ok(()),
        other => Err(tonic::Status::unknown(format!("status {other}"))),
    }
}

/// Whether a call has never been begun because the server leaves, which may show at any moment
/// between two calls: its GOAWAY has come first (RFC 9113 section 6.8), or tonic has noticed the end
/// of the connection while the call waited to be written. gRPC clients are to make such a call again
/// by themselves (gRFC A6, "transparent retries"); tonic leaves that to its user.
fn is_not_begun(status: &tonic::Status) -> bool {
    let shown = format!("{status:?}");
    shown.contains(r#"GoAway(b"", NO_ERROR, Remote)"#)
        || shown.contains(r#"hyper::Error(Canceled, "connection closed")"#)
}

async fn grpc_client(client: u8, port: u16, keeps: bool, accounts: [Arc<Account>; 2]) {
    let [account, not_begun] = accounts;
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))
        .unwrap()
        .local_address(Some(address(client).into()))
        .timeout(DEADLINE);
    let mut channel = endpoint.connect_lazy();
    while account.goes_on() {
        if !keeps {
            channel = endpoint.connect_lazy();
        }
        let who = if keeps { "kept channel" } else { "new channel" };
        match check(channel.clone()).await {
            Err(status) if is_not_begun(&status) => not_begun.note::<io::Error>(who, Ok(())),
            outcome => account.note(who, outcome),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tonic_workers_are_replaced_without_a_failed_call() {
    const CLIENTS: u8 = 6;
    for policy in POLICIES {
        let rolling = Rolling::start("tonic", policy).await;
        let accounts: [Arc<Account>; 2] = Default::default();
        let not_begun: [Arc<Account>; 2] = Default::default();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let keeps = usize::from(client % 2);
                let accounts = [accounts[keeps].clone(), not_begun[keeps].clone()];
                tokio::spawn(grpc_client(client, rolling.port, keeps == 1, accounts))
            })
            .collect();
        let answered = || accounts[0].answered().min(accounts[1].answered());
        rolling.replace_all(ROUNDS, answered).await;
        accounts.iter().for_each(|account| account.stop());
        for client in clients {
            in_time("the end of a client", client).await.unwrap();
        }
        for account in &accounts {
            account.assert_no_failures(&format!("tonic {policy}"));
        }
        let not_begun = not_begun.map(|account| account.answered());
        println!("tonic {policy}: not begun on new and kept channels: {not_begun:?}");
        // Once for each channel that a leaving worker had, at most.
        let most = u64::from(CLIENTS) * (WORKERS * ROUNDS) as u64;
        assert!(not_begun.iter().sum::<u64>() <= most);
    }
}

// Raw TCP

/// So many lines in a row, each said back, the first one some time after the connection.
async fn session(from: Ipv4Addr, port: u16, pause: u64, lines: usize) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let mut stream: TcpStream = socket.connect(server(port)).await?;
    tokio::time::sleep(Duration::from_millis(pause)).await;
    for line in 0..lines {
        let said = format!("line {line} of {from}\n");
        stream.write_all(said.as_bytes()).await?;
        let mut heard = vec![0; said.len()];
        stream.read_exact(&mut heard).await?;
        if heard != said.as_bytes() {
            return Err(io::Error::other("something else was said back"));
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn echo(server: &str) {
    for policy in POLICIES {
        let rolling = Rolling::start(server, policy).await;
        let accounts: [Arc<Account>; 2] = Default::default();
        let client = |client: u8| {
            let (who, lines) = [("one line", 1), ("many lines", 20)][usize::from(client % 2)];
            let account = accounts[usize::from(client % 2)].clone();
            let port = rolling.port;
            tokio::spawn(async move {
                for pause in (0..10).cycle() {
                    if !account.goes_on() {
                        break;
                    }
                    let session = session(address(client), port, pause, lines);
                    let done = tokio::time::timeout(DEADLINE, session).await;
                    account.note(who, done.unwrap_or_else(|late| Err(late.into())));
                }
            })
        };
        let clients: Vec<_> = (0..6).map(client).collect();
        let answered = || accounts[0].answered().min(accounts[1].answered());
        rolling.replace_all(ROUNDS, answered).await;
        accounts.iter().for_each(|account| account.stop());
        for client in clients {
            in_time("the end of a client", client).await.unwrap();
        }
        for account in accounts {
            account.assert_no_failures(&format!("{server} {policy}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_workers_are_replaced_without_a_lost_line() {
    echo("echo").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_workers_without_async_are_replaced_without_a_lost_line() {
    echo("echo_blocking").await;
}
