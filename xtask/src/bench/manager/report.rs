//! The run as a page to read, `manager.md`, and as bars, `manager.svg`.

use std::fmt::Write;

use super::super::plot::{self, Bar, OURS, THEIRS};
use super::super::ratios::Ratio;
use super::super::report::{pairs, ratio_table, row, text};
use super::super::stats::{Spread, format_number};
use super::contender::{Contender, Verb};
use super::options::{Options, Part};
use super::record::{Record, Shown, What, p95};
use super::targets::TARGETS;

const DASH: &str = "-";
const OURSELVES: Contender = Contender::Tine;

pub(super) fn markdown(
    options: &Options,
    machine: &[(&'static str, String)],
    record: &Record,
) -> String {
    let shape = if options.apart {
        "each process is an app of its own"
    } else {
        "all processes are instances of one app"
    };
    let mut page = format!(
        "# Process managers\n\n\
         Written by `cargo xtask bench manager`. {} interleaved rounds, the order rotated; every contender has \
         a home and a fresh daemon for each count of processes. The processes are `/bin/sleep`; {shape}. Times \
         are of whole commands, from before they are started until they have ended and all is as they were \
         asked; where a cell has two, the second is the 95th of 100. Numbers are medians over the rounds \
         with (least..most). **Machines differ and are noisy: only the ratios, taken within each round, mean \
         anything.** Raw values per round: `manager.json`.\n\n\
         ![memory and times](manager.svg)\n\n",
        options.rounds,
    );
    failures(&mut page, options, record);
    target_table(&mut page, options, record);
    ratio_table(&mut page, &ratios(options, record));
    if options.has(Part::Commands) {
        memory_tables(&mut page, options, record);
        time_tables(&mut page, options, record);
    }
    crash_table(&mut page, options, record);
    idle_table(&mut page, options, record);
    let machine = machine.iter().map(|(name, value)| (*name, value.as_str()));
    pairs(&mut page, "Machine", machine);
    page.push('\n');
    let who = options.contenders.iter().map(|c| (c.name(), c.what()));
    pairs(&mut page, "Contenders", who);
    page.push_str(
        "\nOxMgr is left out: no package registry has it; its npm package is to fetch a program from elsewhere.\n",
    );
    page
}

/// Nothing that went wrong is left out.
fn failures(page: &mut String, options: &Options, record: &Record) {
    let mut lines = String::new();
    for contender in &options.contenders {
        let name = contender.name();
        for (what, reason) in record.failures(*contender) {
            let _ = writeln!(lines, "- {name}, {what}: {}", reason.replace('\n', " "));
        }
        let all = options.counts.iter();
        let shown = all.flat_map(|count| record.of(*contender, *count));
        let killed = shown.filter(|s| s.had_to_be_killed).count();
        if killed > 0 {
            let _ = writeln!(
                lines,
                "- {name} did not end when asked and was killed, {killed} times"
            );
        }
    }
    if !lines.is_empty() {
        let _ = writeln!(page, "## Failed\n\n{lines}");
    }
}

fn target_table(page: &mut String, options: &Options, record: &Record) {
    if !options.contenders.contains(&OURSELVES) {
        return;
    }
    page.push_str(
        "## What tine is to reach\n\n| | at most | measured | reached |\n|---|---|---|---|\n",
    );
    for target in &TARGETS {
        let measured = target.measured(record);
        let reached = match &measured {
            Some(measured) if target.reached(measured) => "yes",
            Some(_) => "**no**",
            None => "not measured",
        };
        let most = format!("{} {}", target.most, target.unit);
        row(
            page,
            &[
                target.of.to_owned(),
                most.trim().to_owned(),
                text(measured, target.decimals),
                reached.to_owned(),
            ],
        );
    }
    page.push('\n');
}

/// What is compared: a name, ours, and theirs.
const COMPARED: [(&str, What, What); 7] = {
    use What::{AllRun, Said};
    [
        ("list", Said(Verb::List), Said(Verb::List)),
        ("jlist", Said(Verb::Jlist), Said(Verb::Jlist)),
        ("start", Said(Verb::Start), Said(Verb::Start)),
        (
            "start --no-wait / start",
            Said(Verb::StartNoWait),
            Said(Verb::Start),
        ),
        (
            "start, until all run",
            AllRun(Verb::Start),
            AllRun(Verb::Start),
        ),
        ("restart", Said(Verb::Restart), Said(Verb::Restart)),
        ("stop", Said(Verb::Stop), Said(Verb::Stop)),
    ]
};

/// tine by each of the others. Where the other was not asked, or has no such verb, there is nothing to say.
fn ratios(options: &Options, record: &Record) -> Vec<Ratio> {
    let mut all = Vec::new();
    let mut add = |of, what, spread: Option<Spread>| {
        if spread.is_some() {
            all.push(Ratio { of, what, spread });
        }
    };
    let others = options.contenders.iter().filter(|c| **c != OURSELVES);
    for other in others.filter(|_| options.contenders.contains(&OURSELVES)) {
        let both = format!("tine / {}", other.name());
        for (of, ours, theirs) in COMPARED {
            for count in &options.counts {
                let spread = record.ratio(*count, (OURSELVES, ours), (*other, theirs));
                add(of, format!("{both}, {count}"), spread);
            }
        }
        for count in &options.counts {
            let spread = record.memory_ratio(*count, OURSELVES, *other);
            add("RSS", format!("{both}, {count}"), spread);
        }
        let crash = record.crash_ratio(OURSELVES, *other);
        add("crash to first instruction", both, crash);
    }
    all
}

fn head(page: &mut String, title: &str, counts: &[usize]) {
    let columns: Vec<String> = counts
        .iter()
        .map(|count| format_number(*count as f64, 0))
        .collect();
    let _ = write!(
        page,
        "{title}\n\n| | {} |\n|---|{}\n",
        columns.join(" | "),
        "---|".repeat(columns.len())
    );
}

fn memory_tables(page: &mut String, options: &Options, record: &Record) {
    page.push_str(
        "## Memory\n\nMB (10^6 bytes) of all processes of the manager together, by the number of processes it \
         manages. A dash: not asked of this manager, or failed, see above.\n\n",
    );
    type Kind = (&'static str, fn(&Shown) -> u64);
    let kinds: [Kind; 4] = [
        ("RSS, just after the start", |s| s.memory.rss),
        ("PSS, just after the start", |s| s.memory.pss),
        ("Private, just after the start", |s| s.memory.private),
        ("RSS, after all commands", |s| s.memory_after.rss),
    ];
    for (title, value) in kinds {
        head(page, title, &options.counts);
        for contender in &options.contenders {
            let cell = |count: &usize| text(record.memory(*contender, *count, value), 1);
            let cells = [contender.name().to_owned()]
                .into_iter()
                .chain(options.counts.iter().map(cell));
            row(page, &cells.collect::<Vec<_>>());
        }
        page.push('\n');
    }
}

fn time_tables(page: &mut String, options: &Options, record: &Record) {
    page.push_str("## Commands\n\nms, by the number of processes. `bare` is the machine without a manager.\n\n");
    let counts: Vec<usize> = options.counts.iter().copied().filter(|c| *c > 0).collect();
    let bare = |what: What| match what {
        What::Said(Verb::List | Verb::Jlist) => Some(What::Nothing),
        What::Said(verb @ (Verb::Start | Verb::StartNoWait)) | What::AllRun(verb) => {
            Some(What::Spawned(verb))
        }
        What::Said(Verb::Stop) => Some(What::Ended),
        _ => None,
    };
    for what in [
        What::Said(Verb::List),
        What::Said(Verb::Jlist),
        What::Said(Verb::Start),
        What::AllRun(Verb::Start),
        What::Said(Verb::StartNoWait),
        What::AllRun(Verb::StartNoWait),
        What::Said(Verb::Restart),
        What::Said(Verb::Stop),
        What::Said(Verb::Kill),
    ] {
        head(page, &what.name(), &counts);
        for contender in &options.contenders {
            let cell = |count: &usize| {
                let Some(spread) = record.time(*contender, *count, what) else {
                    return DASH.to_owned();
                };
                let p95 = record.p95(*contender, *count, what).unwrap_or(f64::NAN);
                format!("{}; {}", spread.text(1), format_number(p95, 1))
            };
            let cells = [contender.name().to_owned()]
                .into_iter()
                .chain(counts.iter().map(cell));
            row(page, &cells.collect::<Vec<_>>());
        }
        if let Some(bare) = bare(what) {
            let cell = |count: &usize| {
                let all = options.contenders.iter();
                let medians = all.filter_map(|c| record.time(*c, *count, bare));
                text(Spread::of(medians.map(|s| s.median)), 1)
            };
            let cells = ["bare".to_owned()]
                .into_iter()
                .chain(counts.iter().map(cell));
            row(page, &cells.collect::<Vec<_>>());
        }
        page.push('\n');
    }
}

fn crash_table(page: &mut String, options: &Options, record: &Record) {
    if !options.has(Part::Crash) {
        return;
    }
    page.push_str(
        "## From a crash to the next first instruction\n\nms from SIGKILL until the next process runs, by the \
         one clock of the machine. Bare: killed, reaped and started by the bench, in turn with the other.\n\n\
         | | | the 95th of 100 | bare | above bare |\n|---|---|---|---|---|\n",
    );
    for contender in &options.contenders {
        let all = record.rounds.iter().filter_map(|r| r.crash(*contender));
        let last = p95(all.flat_map(|c| c.managed.iter().copied()));
        let cells = [
            contender.name().to_owned(),
            text(record.crash(*contender, |managed, _| managed), 2),
            last.map_or(DASH.to_owned(), |ms| format_number(ms, 2)),
            text(record.crash(*contender, |_, bare| bare), 2),
            text(record.crash(*contender, |managed, bare| managed - bare), 2),
        ];
        row(page, &cells);
    }
    page.push('\n');
}

fn idle_table(page: &mut String, options: &Options, record: &Record) {
    if !options.has(Part::Idle) {
        return;
    }
    page.push_str(
        "## Idle\n\nAll processes of the manager together, once; awake: voluntary context switches.\n\n\
         | | processes | seconds | awake | CPU ms |\n|---|---|---|---|---|\n",
    );
    for contender in &options.contenders {
        let mut cells = vec![contender.name().to_owned()];
        match record.idle(*contender) {
            Some(idle) => cells.extend([
                idle.processes.to_string(),
                format_number(idle.seconds, 0),
                format_number(idle.wakes as f64, 0),
                format_number(idle.cpu_ms, 1),
            ]),
            None => cells.extend(std::iter::repeat_n(DASH.to_owned(), 4)),
        }
        row(page, &cells);
    }
    page.push('\n');
}

/// Memory, and what users wait for.
pub(super) fn svg(options: &Options, record: &Record) -> String {
    let mut body = String::new();
    let mut y = plot::TOP;
    // Whoever is not asked for so many processes has no bar; whoever failed has one that says so.
    let mut panel = |title: &str, decimals, count, value: &dyn Fn(Contender) -> Option<Spread>| {
        let bar = |contender: &Contender| {
            let spread = value(*contender);
            let colour = if *contender == OURSELVES {
                OURS
            } else {
                THEIRS
            };
            Bar {
                name: contender.name(),
                parts: spread.iter().map(|s| (s.median, colour)).collect(),
                spread,
            }
        };
        let asked = options.contenders.iter();
        let asked = asked.filter(|contender| count <= options.most(**contender));
        let bars: Vec<Bar> = asked.map(bar).collect();
        // A count of which nobody was asked, or a part that was not measured, has no panel.
        if bars.iter().any(|bar| bar.spread.is_some()) {
            plot::panel(&mut body, &mut y, title, decimals, &bars);
        }
    };
    for count in [0, 100, 1000] {
        let title = format!("memory of the daemon, MB RSS, {count} processes");
        panel(&title, 1, count, &|c| {
            record.memory(c, count, |s| s.memory.rss)
        });
    }
    for (verb, count) in [
        (Verb::List, 1),
        (Verb::List, 1000),
        (Verb::Start, 100),
        (Verb::Restart, 100),
        (Verb::Stop, 100),
    ] {
        let title = format!("{} with {count}, ms", verb.name());
        panel(&title, 1, count, &|c| {
            record.time(c, count, What::Said(verb))
        });
    }
    panel("crash to the next first instruction, ms", 1, 1, &|c| {
        record.crash(c, |managed, _| managed)
    });
    plot::page(&body, y)
}

#[cfg(test)]
mod tests {
    use super::super::idle::Idle;
    use super::super::options::tests::parse;
    use super::super::record::tests::visit;
    use super::super::record::{Round, Visit};
    use super::*;

    fn run() -> (Options, Record) {
        let options = parse("--rounds 1 --only tine,pm2 --counts 1,100").unwrap();
        let failed = Visit {
            contender: Contender::Pm2,
            count: 100,
            outcome: Err("no\nnode".to_owned()),
        };
        let idle = Idle {
            processes: 100,
            seconds: 60.0,
            wakes: 0,
            cpu_ms: 0.0,
        };
        let round = Round {
            visits: vec![
                visit(Contender::Tine, 1, 3),
                visit(Contender::Pm2, 1, 300),
                visit(Contender::Tine, 100, 700),
                failed,
            ],
            crashes: Vec::new(),
            idle: vec![(Contender::Tine, Ok(idle))],
        };
        (
            options.unwrap(),
            Record {
                rounds: vec![round],
            },
        )
    }

    #[test]
    fn the_page_says_what_was_reached_what_not_and_what_failed() {
        let (options, record) = run();
        let page = markdown(&options, &[("cpu", "A|B".to_owned())], &record);
        assert!(page.contains("- pm2, 100 processes: no node"), "{page}");
        assert!(
            page.contains("| list, 1 process | 4 ms | 3.0 | yes |"),
            "{page}"
        );
        assert!(page.contains("| stop of 100 | 500 ms | 700 | **no** |"));
        assert!(page.contains("| times awake while idle | 0 | 0 | yes |"));
        assert!(page.contains("| list, 1,000 processes | 15 ms | - | not measured |"));
        assert!(page.contains("| list | tine / pm2, 1 | 0.01 | 1 |"));
        assert!(page.contains("| pm2 | 300.0; 300.0 | - |"), "{page}");
        let mut columns = None;
        for line in page.lines() {
            let bars = line.matches('|').count();
            if !line.starts_with('|') {
                columns = None;
            } else {
                assert_eq!(*columns.get_or_insert(bars), bars, "{line}");
            }
        }
    }

    #[test]
    fn the_picture_has_what_was_measured() {
        let (options, record) = run();
        let svg = svg(&options, &record);
        assert!(svg.contains("list with 1, ms") && svg.contains("stop with 100, ms"));
        assert!(!svg.contains("1000 processes") && !svg.contains("crash"));
        assert_eq!(svg.matches(">failed</text>").count(), 4);
        assert!(!svg.contains("NaN"));
    }
}
