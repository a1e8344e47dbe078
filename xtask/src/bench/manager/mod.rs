//! `cargo xtask bench manager`: what process managers cost, and how long their commands take, in interleaved
//! rounds.
#![allow(clippy::disallowed_methods)] // a chore is not part of the product: it may start programs itself

mod options;

mod contender;
mod install;
mod timed;

mod floor;
mod world;

mod crash;
mod idle;
mod visit;

mod record;
mod report;
mod targets;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use self::contender::{Contender, Programs, Verb};
use self::options::{Options, Part};
use self::record::{Record, Round, Shown, Visit, What};
use super::stats::Spread;
use super::{machine, tools};
use crate::cleanup::{self, Session};
use crate::{Result, step};

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    if let [word, file] = arguments
        && word == crash::WORD
    {
        return crash::program(Path::new(file));
    }
    let Some(options) = Options::parse(arguments)? else {
        print!("{}", options::USAGE);
        return Ok(());
    };
    if options.install {
        return install::supervisor();
    }
    let programs = find(&options)?;
    let session = Session::begin("tine-bench")?;
    let machine = describe(&programs);
    let record = measure_all(&options, &programs, session.scratch());
    if record.is_empty() {
        let mut reasons = Contender::ALL.iter().flat_map(|c| record.failures(*c));
        let reason = reasons.next().map_or("", |(_, reason)| reason);
        return Err(format!(
            "nothing could be measured; nothing was written: {reason}"
        ));
    }
    let raw = json!({
        "machine": machine.iter().map(|(k, v)| ((*k).to_owned(), v.clone().into()))
            .collect::<serde_json::Map<_, _>>(),
        "an_app_of_each": options.apart,
        "rounds": record.json(),
    });
    let raw = serde_json::to_string(&raw).map_err(|e| format!("writing json: {e}"))?;
    fs::create_dir_all(&options.out)
        .map_err(|e| format!("creating {}: {e}", options.out.display()))?;
    for (name, text) in [
        ("manager.json", raw + "\n"),
        ("manager.svg", report::svg(&options, &record)),
        ("manager.md", report::markdown(&options, &machine, &record)),
    ] {
        let path = options.out.join(name);
        fs::write(&path, text).map_err(|e| format!("writing {}: {e}", path.display()))?;
    }
    println!("{}", options.out.join("manager.md").display());
    Ok(())
}

fn find(options: &Options) -> Result<Programs> {
    let tine = match &options.tine {
        Some(path) => tools::exists(path.clone(), "--tine names it"),
        None => {
            step::step("cargo", &["build", "--release", "--package", "tine"], &[])?;
            tools::exists(step::target_folder().join("release/tine"), "")
        }
    };
    // Every contender runs in a folder of its own.
    let absolute = |path| std::path::absolute(path).map_err(|e| format!("finding tine: {e}"));
    Ok(Programs {
        tine: tine.and_then(absolute),
        node: tools::node(options.node.as_ref())?,
        pm2: tools::pm2(),
        supervisor: install::find(),
    })
}

fn describe(programs: &Programs) -> Vec<(&'static str, String)> {
    let of = |program: Result<Command>| match program {
        Ok(mut command) => tools::version(command.arg("--version")),
        Err(reason) => reason,
    };
    let pm2 = programs.pm2.clone();
    let supervisor = programs.supervisor.clone();
    let mut all = machine::describe_for_node(&programs.node);
    all.extend([
        ("tine", of(programs.tine.clone().map(Command::new))),
        (
            "pm2",
            pm2.map_or_else(|e| e, |path| machine::pm2_version(&path)),
        ),
        (
            "supervisord",
            of(supervisor.map(|folder| Command::new(folder.join("supervisord")))),
        ),
    ]);
    all
}

/// Every contender with every count once per round; the one that begins moves on, so that none always follows
/// the same.
fn measure_all(options: &Options, programs: &Programs, scratch: &Path) -> Record {
    let mut record = Record::default();
    for number in 0..options.rounds {
        let mut order = options.contenders.clone();
        let first = number % order.len().max(1);
        order.rotate_left(first);
        let mut round = Round::default();
        let said = |contender: Contender, what: &str| {
            let (number, rounds) = (number + 1, options.rounds);
            eprintln!("round {number}/{rounds} {}: {what}", contender.name());
        };
        if options.has(Part::Commands) {
            for count in &options.counts {
                let able = |c: &&Contender| *count <= options.most(**c);
                for contender in order.iter().filter(able) {
                    let outcome = in_folder(scratch, |folder| {
                        visit::visit(*contender, options, programs, *count, folder)
                    });
                    said(
                        *contender,
                        &format!("{count} processes, {}", words(&outcome)),
                    );
                    round.visits.push(Visit {
                        contender: *contender,
                        count: *count,
                        outcome,
                    });
                }
            }
        }
        if options.has(Part::Crash) {
            for contender in &order {
                let outcome = in_folder(scratch, |folder| {
                    crash::measure(*contender, programs, options.kills, folder)
                });
                let median = |ms: &[f64]| {
                    Spread::of(ms.iter().copied()).map_or("-".to_owned(), |s| s.text(1))
                };
                let word = match &outcome {
                    Ok(c) => format!("{} ms, bare {}", median(&c.managed), median(&c.bare)),
                    Err(reason) => reason.clone(),
                };
                said(*contender, &format!("crash, {word}"));
                round.crashes.push((*contender, outcome));
            }
        }
        if options.has(Part::Idle) && number == 0 {
            for contender in &order {
                let load = (options.idle_count(*contender), options.apart);
                let outcome = in_folder(scratch, |folder| {
                    idle::measure(*contender, programs, load, options.idle, folder)
                });
                let word = match &outcome {
                    Ok(i) => format!("{} times awake, {:.1} ms CPU", i.wakes, i.cpu_ms),
                    Err(reason) => reason.clone(),
                };
                said(*contender, &format!("idle, {word}"));
                round.idle.push((*contender, outcome));
            }
        }
        record.rounds.push(round);
    }
    record
}

/// In a folder that is new, and with nothing left running.
fn in_folder<T>(scratch: &Path, work: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    // Short: sockets are in it, and their paths are.
    let folder = scratch.join("m");
    let outcome = work(&folder);
    cleanup::stop_everything();
    let _ = fs::remove_dir_all(&folder);
    outcome
}

fn words(outcome: &Result<Shown>) -> String {
    let shown = match outcome {
        Ok(shown) => shown,
        Err(reason) => return format!("failed: {reason}"),
    };
    let verbs = [Verb::List, Verb::Start, Verb::Restart, Verb::Stop];
    let times = verbs.into_iter().filter_map(|verb| {
        let ms = shown.median(What::Said(verb))?;
        Some(format!("{} {ms:.1} ms", verb.name()))
    });
    let memory = shown.memory.rss as f64 * 1024.0 / 1e6;
    let all: Vec<String> = [format!("{memory:.1} MB")]
        .into_iter()
        .chain(times)
        .collect();
    all.join(", ")
}
