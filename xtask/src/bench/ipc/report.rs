//! The run as a page to read, `ipc.md`, and as bars, `ipc.svg`.

use std::fmt::Write;

use super::super::plot::{self, Bar, OURS, THEIRS, WORKERS};
use super::super::ratios::Ratio;
use super::super::report::{failed_row, failure, pairs, ratio_table, row, text};
use super::super::stats::Spread;
use super::options::Options;
use super::pair::Pair;
use super::record::{Load, Measured, Record, Shown, Way};

pub(super) fn markdown(
    options: &Options,
    machine: &[(&'static str, String)],
    record: &Record,
) -> String {
    let mut page = format!(
        "# Messages between a primary and its worker\n\n\
         Written by `cargo xtask bench ipc`. {} interleaved rounds, the order rotated; {} s per load. A \
         message is the JSON object `{{\"n\":1000000,\"pad\":\"xx…\"}}`, as long as its load says with the line \
         end; each side reads it into a value and builds it from one, and the numbers are checked. A round \
         trip is one message there and the same one back, one at a time. Names are primary, then worker. \
         Numbers are medians over the rounds with (least..most). **Machines differ and are noisy: only the \
         ratios, taken within each round, mean anything.** Raw values per round: `ipc.json`.\n\n\
         ![messages per second and CPU per message](ipc.svg)\n\n",
        options.rounds,
        options.load.as_secs(),
    );
    failures(&mut page, options, record);
    ratio_table(&mut page, &ratios(options, record));
    for load in Load::ALL {
        load_table(&mut page, options, record, load);
    }
    let machine = machine.iter().map(|(name, value)| (*name, value.as_str()));
    pairs(&mut page, "Machine", machine);
    page.push('\n');
    let who = options.pairs.iter().map(|pair| (pair.name(), pair.what()));
    pairs(&mut page, "Pairs", who);
    page
}

/// Nothing that went wrong is left out.
fn failures(page: &mut String, options: &Options, record: &Record) {
    let mut lines = String::new();
    for pair in &options.pairs {
        let name = pair.name();
        failure(&mut lines, name, &record.failures(*pair), options.rounds);
        let killed = record.of(*pair).filter(|s| s.had_to_be_killed).count();
        if killed > 0 {
            let _ = writeln!(
                lines,
                "- {name} did not end with its input and was killed, {killed} times"
            );
        }
    }
    if !lines.is_empty() {
        let _ = writeln!(page, "## Failed\n\n{lines}");
    }
}

/// What one value of one pair is by that of another.
type Comparison = (&'static str, (Pair, Pair), fn(&Measured) -> f64);

/// The last two have the same Node process at the other end: what a side costs when it is ours.
const COMPARISONS: [Comparison; 7] = {
    use Pair::{NodeNode, NodeRust, Raw, RustNode, RustRust};
    let speed: fn(&Measured) -> f64 = Measured::per_second;
    [
        ("messages/s", (RustRust, Raw), speed),
        ("messages/s", (RustRust, NodeNode), speed),
        ("messages/s", (RustNode, NodeNode), speed),
        ("messages/s", (NodeRust, NodeNode), speed),
        ("CPU of both", (RustRust, NodeNode), both_cpu),
        (
            "CPU of the primary",
            (RustNode, NodeNode),
            Measured::primary_cpu,
        ),
        (
            "CPU of the worker",
            (NodeRust, NodeNode),
            Measured::worker_cpu,
        ),
    ]
};

fn both_cpu(measured: &Measured) -> f64 {
    measured.primary_cpu() + measured.worker_cpu()
}

/// The comparisons whose sides were asked for.
fn ratios(options: &Options, record: &Record) -> Vec<Ratio> {
    let asked = |pair| options.pairs.contains(&pair);
    let comparisons = COMPARISONS
        .iter()
        .filter(|(_, (a, b), _)| asked(*a) && asked(*b));
    let mut all = Vec::new();
    for (of, (a, b), value) in comparisons {
        let both = format!("{} / {}", a.name(), b.name());
        for load in Load::ALL {
            all.push(Ratio {
                of,
                what: format!("{both}, {}", load.title()),
                spread: record.ratio(load, (*a, *b), value),
            });
        }
        if !of.starts_with("CPU of the") || !asked(Pair::Raw) {
            continue;
        }
        // What the kernel does for the bytes alone is nobody's to save.
        for load in Load::ALL {
            all.push(Ratio {
                of,
                what: format!("{both}, each above raw, {}", load.title()),
                spread: record.ratio_above(load, (*a, *b), Pair::Raw, value),
            });
        }
    }
    all
}

fn load_table(page: &mut String, options: &Options, record: &Record, load: Load) {
    let rate = match load.way {
        Way::ThereAndBack => "round trips/s",
        Way::Down | Way::Up => "messages/s",
    };
    let _ = write!(
        page,
        "## {}\n\nCPU (user and system) in ms per 1,000.\n\n\
         | | {rate} | / raw | / node-node | primary CPU | worker CPU |\n|---|---|---|---|---|---|\n",
        load.title()
    );
    for pair in &options.pairs {
        let all: Vec<&Measured> = record.of(*pair).map(|s| s.under(load)).collect();
        let name = pair.name().to_owned();
        if all.is_empty() {
            failed_row(page, name, 5);
            continue;
        }
        let of = |decimals, value: fn(&Measured) -> f64| {
            text(Spread::of(all.iter().map(|m| value(m))), decimals)
        };
        let by = |other| text(record.ratio(load, (*pair, other), Measured::per_second), 2);
        let cells = [
            name,
            of(0, Measured::per_second),
            by(Pair::Raw),
            by(Pair::NodeNode),
            of(2, Measured::primary_cpu),
            of(2, Measured::worker_cpu),
        ];
        row(page, &cells);
    }
    page.push('\n');
}

/// Messages per second of each load, and what a short message costs each side.
pub(super) fn svg(options: &Options, record: &Record) -> String {
    let mut body = String::new();
    let mut y = plot::TOP;
    let bars = |value: &dyn Fn(Pair) -> (Vec<(f64, &'static str)>, Option<Spread>)| {
        let bar = |pair: &Pair| {
            let (parts, spread) = value(*pair);
            let name = pair.name();
            Bar {
                name,
                parts,
                spread,
            }
        };
        options.pairs.iter().map(bar).collect::<Vec<_>>()
    };
    let colour = |pair: Pair| if pair.is_ours() { OURS } else { THEIRS };
    for load in Load::ALL {
        let title = format!("messages per second, {}", load.title());
        let speed = bars(&|pair| {
            let all = record.of(pair).map(|s| s.under(load).per_second());
            let spread = Spread::of(all);
            let parts = spread.iter().map(|s| (s.median, colour(pair)));
            (parts.collect(), spread)
        });
        plot::panel(&mut body, &mut y, &title, 0, &speed);
    }
    for load in Load::SMALL {
        let title = format!("CPU ms per 1,000, {}: primary, then worker", load.title());
        let cost = bars(&|pair| {
            let median = |value: fn(&Measured) -> f64| {
                let one = |shown: &Shown| value(shown.under(load));
                Spread::of(record.of(pair).map(one)).map(|s| s.median)
            };
            let primary = median(Measured::primary_cpu).map(|v| (v, colour(pair)));
            let worker = median(Measured::worker_cpu).map(|v| (v, WORKERS));
            (primary.into_iter().chain(worker).collect(), None)
        });
        plot::panel(&mut body, &mut y, &title, 1, &cost);
    }
    plot::page(&body, y)
}

#[cfg(test)]
mod tests {
    use super::super::record::Visit;
    use super::super::record::tests::visit;
    use super::*;

    fn run() -> (Options, Record) {
        let only = "--rounds 1 --only rust-node,node-node,raw".split(' ');
        let only: Vec<String> = only.map(str::to_owned).collect();
        let failed = Visit {
            pair: Pair::Raw,
            outcome: Err("no socket".to_owned()),
        };
        let rounds = vec![vec![
            visit(Pair::RustNode, 3000.0, 10.0, 30.0),
            visit(Pair::NodeNode, 1500.0, 40.0, 30.0),
            failed,
        ]];
        (Options::parse(&only).unwrap().unwrap(), Record { rounds })
    }

    #[test]
    fn the_page_says_ratios_numbers_and_what_failed() {
        let (options, record) = run();
        let page = markdown(&options, &[("cpu", "A|B".to_owned())], &record);
        assert!(page.contains("- raw, 1 of 1 rounds: no socket"), "{page}");
        assert!(page.contains(
            "| CPU of the primary | rust-node / node-node, round trips, 100 B | 0.25 | 1 |"
        ));
        assert!(
            page.contains("| rust-node | 3,000 | - | 2.00 | 10.00 | 30.00 |"),
            "{page}"
        );
        assert_eq!(
            page.matches("| raw | failed, see above |").count(),
            Load::ALL.len()
        );
        assert!(!page.contains("rust-rust /"), "not asked for");
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
    fn a_pair_that_failed_keeps_its_line_in_the_picture() {
        let (options, record) = run();
        let svg = svg(&options, &record);
        let panels = Load::ALL.len() + Load::SMALL.len();
        assert_eq!(svg.matches(">failed</text>").count(), panels);
        assert_eq!(svg.matches(">rust-node</text>").count(), panels);
        assert!(!svg.contains("NaN"));
    }
}
