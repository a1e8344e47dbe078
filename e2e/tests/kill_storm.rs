//! Workers are killed under load. Lost is only what a killed worker had already taken.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tine_testkit::{Failure, FailureKind, Load, RunningTine, Signal, Tine, process, script};

const SECONDS: Duration = Duration::from_secs(20);
const WORKERS: usize = 4;
const CLIENTS: usize = 8;
const EVERY: Duration = Duration::from_millis(200);
/// How long after a kill its victim may still take connections, on a busy machine.
const DYING: Duration = Duration::from_millis(200);

/// What two processes say of the same moment is this far apart at most.
const APART: Duration = Duration::from_millis(500);

/// Says which connection it has taken (its client's port) before it can lose it.
const SERVER: &str = "
    const server = require('http').createServer((q, s) => setTimeout(() => s.end(`pid ${process.pid}`), 3));
    server.on('connection', (socket) => console.log(`took ${process.pid} ${socket.remotePort}`));
    server.listen(process.env.PORT);";

struct Kill {
    pid: u32,
    at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// The victim of a kill had said that it had it.
    Taken,
    /// Nobody had said so, but somebody was being killed: it died between taking and saying.
    Unsaid,
    /// No kill explains it.
    Unexplained,
}

#[test]
fn turns_by_tine() {
    storm("rr");
}

#[test]
fn turns_by_the_kernel() {
    storm("kernel");
}

#[test]
fn one_shared_socket() {
    storm("shared");
}

fn storm(policy: &str) {
    let time = Duration::from_secs(30);
    let server = script("storm.js", SERVER);
    let tine = Tine::workers(&server, WORKERS)
        .balance(policy)
        .args(["--max-restarts", "1000"])
        .start();
    tine.wait_ready(SECONDS);
    let load = Load::new(tine.port())
        .connections(CLIENTS)
        .new_connection_each(true)
        .at_most(time * 3)
        .run_in_background();
    load.wait_for_more(100, SECONDS);
    let kills = kill_at_random(&tine, time);
    load.wait_for_more(100, SECONDS);
    let report = load.stop();
    assert_eq!(tine.stop(), 0);

    let takers = takers(&tine);
    let mut table: BTreeMap<(FailureKind, Why), u64> = BTreeMap::new();
    let mut unexplained = String::new();
    let mut per_kill = vec![0; kills.len()];
    for failure in &report.failures {
        let (why, kill) = explain(failure, &kills, &takers);
        *table.entry((failure.kind, why)).or_default() += 1;
        if why == Why::Unexplained {
            unexplained += &told(failure, &kills, &takers);
        }
        if let Some(kill) = kill {
            per_kill[kill] += 1;
        }
    }
    let mut text = format!(
        "{policy}: {} kills in {time:?}, {} answered, {} failed, longest {:?}\n",
        kills.len(),
        report.answered,
        report.failed(),
        report.longest
    );
    for ((kind, why), count) in &table {
        let _ = writeln!(text, "  {count:6} {kind:?}, {why:?}");
    }
    text += &unexplained;
    println!("{text}");

    assert!(
        !report.cut_short && report.other_statuses.is_empty(),
        "{text}\n{report}"
    );
    assert!(kills.len() >= 40, "{text}");
    for (kind, why) in table.keys() {
        let by_a_death = matches!(
            kind,
            FailureKind::EofBeforeByte
                | FailureKind::EofAfterByte
                | FailureKind::ResetBeforeByte
                | FailureKind::ResetAfterByte
        );
        assert!(by_a_death && *why != Why::Unexplained, "{text}\n{report}");
    }
    // One kill takes no more than what was in the hands of one worker.
    assert!(
        per_kill.iter().all(|lost| *lost <= CLIENTS),
        "{per_kill:?}\n{text}"
    );
}

/// Kills a worker every 200 ms, chosen by a seed that is printed (and taken from `TINE_SEED`).
fn kill_at_random(tine: &RunningTine, time: Duration) -> Vec<Kill> {
    let seed = std::env::var("TINE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let mut chance: u64 = seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.unwrap_or_default().as_nanos() as u64 | 1
    });
    println!("TINE_SEED={chance}");
    let mut kills = Vec::new();
    let began = Instant::now();
    for number in 1.. {
        let workers = tine.children();
        // xorshift64
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        if !workers.is_empty() {
            let pid = workers[(chance % workers.len() as u64) as usize];
            let at = Instant::now();
            // It may have died of the last kill just now.
            if process::signal(pid, Signal::KILL).is_ok() {
                kills.push(Kill { pid, at });
            }
        }
        let next = EVERY * number;
        if next >= time {
            break;
        }
        // The pace of the storm; nothing is waited for.
        while began.elapsed() < next {
            thread::park_timeout(next - began.elapsed().min(next));
        }
    }
    kills
}

/// Which worker said when that it took the connection from this port.
fn takers(tine: &RunningTine) -> BTreeMap<u16, Vec<(Instant, u32)>> {
    let mut takers: BTreeMap<u16, Vec<(Instant, u32)>> = BTreeMap::new();
    for line in tine.lines().all() {
        let Some((_, said)) = line.text.split_once(" | took ") else {
            continue;
        };
        let (pid, port) = said.split_once(' ').unwrap_or_else(|| panic!("{said}"));
        if let (Ok(pid), Ok(port)) = (pid.parse(), port.parse()) {
            takers.entry(port).or_default().push((line.at, pid));
        }
    }
    takers
}

fn explain(
    failure: &Failure,
    kills: &[Kill],
    takers: &BTreeMap<u16, Vec<(Instant, u32)>>,
) -> (Why, Option<usize>) {
    let (Some(connected), Some(port)) = (failure.connected_at, failure.local_port) else {
        return (Why::Unexplained, None);
    };
    // Ports come round again within less than that: the take nearest to the connection is its own.
    let taker = takers.get(&port).and_then(|takes| {
        let meant =
            |(at, _): &&(Instant, u32)| *at + APART >= connected && *at <= failure.at + APART;
        let apart = |at: Instant| {
            at.saturating_duration_since(connected) + connected.saturating_duration_since(at)
        };
        let nearest = takes.iter().filter(meant).min_by_key(|(at, _)| apart(*at));
        nearest.map(|(_, pid)| *pid)
    });
    let fits = |kill: &Kill| kill.at <= failure.at && connected <= kill.at + DYING;
    if let Some(taker) = taker {
        let kill = kills
            .iter()
            .rposition(|kill| kill.pid == taker && fits(kill));
        let why = if kill.is_some() {
            Why::Taken
        } else {
            Why::Unexplained
        };
        return (why, kill);
    }
    let kill = kills
        .iter()
        .rposition(|kill| fits(kill) && failure.at <= kill.at + DYING);
    let why = if kill.is_some() {
        Why::Unsaid
    } else {
        Why::Unexplained
    };
    (why, kill)
}

/// All that is known of the time around a failure, in milliseconds from it.
fn told(failure: &Failure, kills: &[Kill], takers: &BTreeMap<u16, Vec<(Instant, u32)>>) -> String {
    let from_it = |at: Instant| {
        let later = at.saturating_duration_since(failure.at).as_secs_f64();
        (later - failure.at.saturating_duration_since(at).as_secs_f64()) * 1000.0
    };
    let near = |at: Instant| from_it(at).abs() < 1000.0;
    let kills = kills.iter().filter(|kill| near(kill.at));
    let kills: Vec<_> = kills.map(|kill| (from_it(kill.at), kill.pid)).collect();
    let takes = failure.local_port.and_then(|port| takers.get(&port));
    let takes = takes.into_iter().flatten();
    let takes: Vec<_> = takes.map(|(at, pid)| (from_it(*at), *pid)).collect();
    let connected = failure.connected_at.map(from_it);
    format!("  {failure}\n    connected {connected:?}, taken {takes:?}, kills {kills:?}\n")
}
