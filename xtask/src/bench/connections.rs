//! `cargo xtask bench connections`: the same server behind one port, run in every way, in interleaved rounds.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::contender::{self, Contender, Running};
use super::options::{self, Options};
use super::record::{Idle, Measured, Record, Shown, Visit};
use super::stats::format_number;
use super::tools::Tools;
use super::wrk::{self, CONNECTIONS, Load};
use super::{machine, plot, ratios, report, sample};
use crate::cleanup::{self, Session};
use crate::{Result, proc};

/// Before each load, so that no contender is measured while its code is still being compiled.
const WARM_UP: Duration = Duration::from_secs(1);
/// Connections, one after another, whose answering process is counted.
const SEQUENTIAL: usize = 400;

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    let Some(options) = Options::parse(arguments)? else {
        print!("{}", options::USAGE);
        return Ok(());
    };
    let session = Session::begin("tine-bench")?;
    let tools = Tools::find(&options)?;
    let machine = machine::describe(&tools);
    let record = measure_all(&options, &tools, session.scratch());
    if record
        .rounds
        .iter()
        .flatten()
        .all(|visit| visit.outcome.is_err())
    {
        return Err("no contender could be measured; nothing was written".to_owned());
    }
    let ratios = ratios::all(&options.contenders, &record);
    let raw = json!({
        "machine": machine.iter().map(|(k, v)| ((*k).to_owned(), v.clone().into()))
            .collect::<serde_json::Map<_, _>>(),
        "workers": options.workers,
        "connections": CONNECTIONS,
        "seconds": options.load.as_secs(),
        "rounds": record.json(),
    });
    let raw = serde_json::to_string_pretty(&raw).map_err(|e| format!("writing json: {e}"))?;
    fs::create_dir_all(&options.out)
        .map_err(|e| format!("creating {}: {e}", options.out.display()))?;
    write(&options.out, "connections.json", &(raw + "\n"))?;
    write(
        &options.out,
        "connections.svg",
        &plot::svg(&options, &record),
    )?;
    write(
        &options.out,
        "connections.md",
        &report::markdown(&options, &machine, &record, &ratios),
    )?;
    println!("{}", options.out.join("connections.md").display());
    Ok(())
}

/// Every contender once per round; the one that begins moves on, so that none always follows the same.
fn measure_all(options: &Options, tools: &Tools, scratch: &Path) -> Record {
    let mut record = Record::default();
    for round in 0..options.rounds {
        let mut order = options.contenders.clone();
        let first = round % order.len().max(1);
        order.rotate_left(first);
        let mut visits = Vec::new();
        for contender in order {
            let folder = scratch.join(format!("{}-{round}", contender.name()));
            let outcome = visit(contender, options, tools, &folder, round == 0);
            cleanup::stop_everything();
            let _ = fs::remove_dir_all(&folder);
            let what = match &outcome {
                Ok(shown) => {
                    let per_second = |l| format_number(shown.under(l).seen.requests_per_second, 0);
                    let [kept, new] = Load::ALL.map(per_second);
                    format!("{kept} requests/s keep-alive, {new} with new connections")
                }
                Err(reason) => format!("failed: {reason}"),
            };
            eprintln!(
                "round {}/{} {}: {what}",
                round + 1,
                options.rounds,
                contender.name()
            );
            visits.push(Visit { contender, outcome });
        }
        record.rounds.push(visits);
    }
    record
}

fn visit(
    contender: Contender,
    options: &Options,
    tools: &Tools,
    folder: &Path,
    watch_idle: bool,
) -> Result<Shown> {
    let running = contender::start(contender, tools, options.workers, folder)?;
    let idle = watch_idle.then(|| idle(&running, options.idle));
    let keep_alive = measure(&running, tools, options, Load::KeepAlive)?;
    let new_connection = measure(&running, tools, options, Load::NewConnection)?;
    Ok(Shown {
        ready_ms: running.ready_after.as_secs_f64() * 1000.0,
        idle,
        keep_alive,
        new_connection,
        primary_rss_after_kib: rss_kib(&running.primary()),
        had_to_be_killed: !running.stop(),
    })
}

fn measure(running: &Running, tools: &Tools, options: &Options, load: Load) -> Result<Measured> {
    let doing = |e| format!("{}: {e}", load.title());
    wrk::load(&tools.wrk, running.port, load, WARM_UP).map_err(doing)?;
    let before = cpu_of(&running.primary());
    let workers_before = workers_cpu(running).map_err(doing)?;
    let seen = wrk::load(&tools.wrk, running.port, load, options.load).map_err(doing)?;
    let after = cpu_of(&running.primary());
    let workers_after = workers_cpu(running).map_err(doing)?;

    // A process that is new has spent all its time under the load.
    let spent = |(pid, ms): (&u32, &f64)| ms - before.get(pid).copied().unwrap_or(0.0);
    let primary = (!after.is_empty()).then(|| after.iter().map(spent).sum());
    let workers = workers_after
        .iter()
        .zip(&workers_before)
        .map(|(a, b)| a - b)
        .collect();
    let tally = match load {
        Load::KeepAlive => sample::together(running.port, CONNECTIONS),
        Load::NewConnection => sample::sequential(running.port, SEQUENTIAL),
    };
    Ok(Measured::new(
        seen,
        primary,
        workers,
        &tally,
        &running.workers,
    ))
}

/// Nobody is connected and nothing was loaded yet; the sleep is the measurement.
fn idle(running: &Running, length: Duration) -> Idle {
    let primary = running.primary();
    let switches = || {
        primary
            .iter()
            .map(|pid| proc::voluntary_switches(*pid))
            .sum::<u64>()
    };
    let (before, started) = (switches(), Instant::now());
    std::thread::sleep(length);
    let during = switches().saturating_sub(before);
    Idle {
        seconds: started.elapsed().as_secs_f64(),
        primary_rss_kib: rss_kib(&primary),
        primary_switches: (!primary.is_empty()).then_some(during),
    }
}

fn cpu_of(pids: &[u32]) -> HashMap<u32, f64> {
    pids.iter()
        .filter_map(|pid| Some((*pid, proc::cpu_ms(*pid)?)))
        .collect()
}

fn workers_cpu(running: &Running) -> Result<Vec<f64>> {
    let of = |pid: &u32| match proc::alive(*pid).then(|| proc::cpu_ms(*pid)).flatten() {
        Some(ms) => Ok(ms),
        None => Err(format!("worker {pid} is gone")),
    };
    running.workers.iter().map(of).collect()
}

/// None if there are none.
fn rss_kib(pids: &[u32]) -> Option<u64> {
    (!pids.is_empty()).then(|| pids.iter().filter_map(|pid| proc::rss_kib(*pid)).sum())
}

fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|e| format!("writing {}: {e}", path.display()))
}
