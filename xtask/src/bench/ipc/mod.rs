//! `cargo xtask bench ipc`: messages between a primary and its worker, in Rust and in Node, in interleaved
//! rounds.

mod options;
mod pair;
mod record;
mod report;

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use self::options::Options;
use self::pair::{Pair, Programs, Running};
use self::record::{Load, Measured, Record, Shown, Visit};
use super::stats::format_number;
use super::{machine, tools};
use crate::cleanup::{self, Session};
use crate::{Result, proc, step};

/// A load is first run this long, with more and more messages: code is compiled meanwhile, and how many
/// messages fill the time asked for is known then.
const WARM_UP: Duration = Duration::from_millis(400);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// The most messages of one load; numbers stay of one length up to there.
const MOST: u64 = 8_000_000;

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    let Some(options) = Options::parse(arguments)? else {
        print!("{}", options::USAGE);
        return Ok(());
    };
    let build = ["build", "--release", "--package", "xtask"];
    step::step("cargo", &[&build[..], &["--example", "ipc"]].concat(), &[])?;
    let programs = Programs {
        node: tools::node(options.node.as_ref())?,
        rust: step::target_folder().join("release/examples/ipc"),
        scripts: step::root().join("bench/ipc"),
    };
    let session = Session::begin("tine-bench")?;
    let machine = machine::describe_for_node(&programs.node);
    let record = measure_all(&options, &programs, session.scratch());
    if record.rounds.iter().flatten().all(|v| v.outcome.is_err()) {
        let reason = record.rounds.iter().flatten().next();
        let reason = reason.and_then(|v| v.outcome.as_ref().err());
        return Err(format!(
            "no pair could be measured; nothing was written: {}",
            reason.map_or("", String::as_str)
        ));
    }
    let raw = json!({
        "machine": machine.iter().map(|(k, v)| ((*k).to_owned(), v.clone().into()))
            .collect::<serde_json::Map<_, _>>(),
        "seconds": options.load.as_secs(),
        "rounds": record.json(),
    });
    let raw = serde_json::to_string_pretty(&raw).map_err(|e| format!("writing json: {e}"))?;
    fs::create_dir_all(&options.out)
        .map_err(|e| format!("creating {}: {e}", options.out.display()))?;
    for (name, text) in [
        ("ipc.json", raw + "\n"),
        ("ipc.svg", report::svg(&options, &record)),
        ("ipc.md", report::markdown(&options, &machine, &record)),
    ] {
        let path = options.out.join(name);
        fs::write(&path, text).map_err(|e| format!("writing {}: {e}", path.display()))?;
    }
    println!("{}", options.out.join("ipc.md").display());
    Ok(())
}

/// In every round all pairs are started, and take turns under each load; the one that begins moves on, so
/// that none always follows the same. Those whose turn it is not wait and cost nothing.
fn measure_all(options: &Options, programs: &Programs, scratch: &Path) -> Record {
    let mut record = Record::default();
    for round in 0..options.rounds {
        let start = |pair: &Pair| Turn {
            pair: *pair,
            running: Running::start(*pair, programs, scratch),
            measured: Vec::new(),
        };
        let mut turns: Vec<Turn> = options.pairs.iter().map(start).collect();
        for (index, load) in Load::ALL.into_iter().enumerate() {
            let first = (round + index) % turns.len().max(1);
            turns.rotate_left(first);
            for turn in &mut turns {
                turn.take(load, options.load);
            }
            turns.rotate_right(first);
            let done = turns.iter().map(Turn::word).collect::<Vec<_>>().join(", ");
            let (round, rounds, load) = (round + 1, options.rounds, load.title());
            eprintln!("round {round}/{rounds}, {load}, thousands per second: {done}");
        }
        record.rounds.push(end(turns));
    }
    record
}

/// One pair in one round, while it lasts.
struct Turn {
    pair: Pair,
    running: Result<Running>,
    measured: Vec<Measured>,
}

impl Turn {
    /// Whoever failed once has no further turn in this round.
    fn take(&mut self, load: Load, length: Duration) {
        let Ok(running) = &mut self.running else {
            return;
        };
        match measure(running, load, length) {
            Ok(measured) => self.measured.push(measured),
            Err(reason) => {
                running.kill();
                self.running = Err(format!("{}: {reason}", load.title()));
            }
        }
    }

    fn word(&self) -> String {
        let speed = match (&self.running, self.measured.last()) {
            (Ok(_), Some(last)) => format_number(last.per_second() / 1000.0, 1),
            _ => "failed".to_owned(),
        };
        format!("{} {speed}", self.pair.name())
    }
}

/// Ends all pairs, and says which of them did not end by themselves.
fn end(mut turns: Vec<Turn>) -> Vec<Visit> {
    let pids = |turn: &Turn| match &turn.running {
        Ok(running) => vec![running.primary, running.worker],
        Err(_) => Vec::new(),
    };
    let pids: Vec<Vec<u32>> = turns.iter().map(pids).collect();
    for turn in &mut turns {
        if let Ok(running) = &mut turn.running {
            running.finish();
        }
    }
    cleanup::wait_for_descendants(STOP_LIMIT);
    let visits = turns.into_iter().zip(pids).map(|(turn, pids)| {
        let shown = |_running| Shown {
            measured: turn.measured,
            had_to_be_killed: pids.into_iter().any(proc::alive),
        };
        Visit {
            pair: turn.pair,
            outcome: turn.running.map(shown),
        }
    });
    let visits = visits.collect();
    cleanup::stop_everything();
    visits
}

fn measure(running: &mut Running, load: Load, length: Duration) -> Result<Measured> {
    let mut count = 50;
    let mut took = running.run(load, count)?;
    while took < WARM_UP && count < MOST {
        count = (count * 3).min(MOST);
        took = running.run(load, count)?;
    }
    let rate = count as f64 / took.as_secs_f64().max(1e-9);
    let count = ((rate * length.as_secs_f64()) as u64).clamp(1, MOST);
    let cpu = |pid: u32| proc::cpu_ms(pid).ok_or_else(|| format!("process {pid} is gone"));
    let before = (cpu(running.primary)?, cpu(running.worker)?);
    let took = running.run(load, count)?;
    let after = (cpu(running.primary)?, cpu(running.worker)?);
    Ok(Measured {
        messages: count,
        seconds: took.as_secs_f64(),
        primary_cpu_ms: after.0 - before.0,
        worker_cpu_ms: after.1 - before.1,
    })
}
