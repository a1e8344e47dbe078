//! The run as a page to read: `connections.md`.

use std::fmt::Write;

use super::contender::Contender;
use super::options::Options;
use super::ratios::{self, Ratio};
use super::record::{Measured, Record, Shown};
use super::stats::{Spread, format_number};
use super::wrk::{CONNECTIONS, Load};

const DASH: &str = "-";

/// What every other row is put in relation to.
const REFERENCE: Contender = Contender::NodeClusterRr;

pub(crate) fn markdown(
    options: &Options,
    machine: &[(&'static str, String)],
    record: &Record,
    ratios: &[Ratio],
) -> String {
    let mut page = format!(
        "# Connections: one server, {} workers, one port\n\n\
         Written by `cargo xtask bench connections`. {} interleaved rounds, the order rotated; {} s per load, \
         {CONNECTIONS} connections from wrk on the same cores over loopback. Numbers are medians over the \
         rounds with (least..most). **Machines differ and are noisy: only the ratios, taken within each round, \
         mean anything.** Raw values per round: `connections.json`.\n\n\
         ![requests per second and CPU per request](connections.svg)\n\n",
        options.workers,
        options.rounds,
        options.load.as_secs(),
    );
    failures(&mut page, options, record);
    ratio_table(&mut page, ratios);
    for load in [Load::NewConnection, Load::KeepAlive] {
        load_table(&mut page, options, record, load);
    }
    idle_table(&mut page, options, record);
    let machine = machine.iter().map(|(name, value)| (*name, value.as_str()));
    pairs(&mut page, "Machine", machine);
    page.push('\n');
    let contenders = options.contenders.iter().map(|c| (c.name(), c.what()));
    pairs(&mut page, "Contenders", contenders);
    page
}

/// Names and what they mean.
pub(crate) fn pairs<'a>(
    page: &mut String,
    title: &str,
    all: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    let _ = write!(page, "## {title}\n\n| | |\n|---|---|\n");
    for (name, value) in all {
        row(page, &[name.to_owned(), cell(value)]);
    }
}

/// Nothing that went wrong is left out.
fn failures(page: &mut String, options: &Options, record: &Record) {
    let mut lines = String::new();
    for contender in &options.contenders {
        let reasons = record.failures(*contender);
        failure(&mut lines, contender.name(), &reasons, options.rounds);
        let killed = record.of(*contender).filter(|s| s.had_to_be_killed).count();
        if killed > 0 {
            let name = contender.name();
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

/// One line, if there is a reason.
pub(crate) fn failure(lines: &mut String, name: &str, reasons: &[&str], rounds: usize) {
    if let Some(reason) = reasons.first() {
        let failed = reasons.len();
        let _ = writeln!(lines, "- {name}, {failed} of {rounds} rounds: {reason}");
    }
}

pub(crate) fn ratio_table(page: &mut String, ratios: &[Ratio]) {
    if ratios.is_empty() {
        return;
    }
    page.push_str(
        "## Ratios within a round\n\n| of | | median (least..most) | rounds |\n|---|---|---|---|\n",
    );
    for ratio in ratios {
        let (value, rounds) = match &ratio.spread {
            Some(spread) => (spread.text(2), spread.rounds),
            None => ("not measured".to_owned(), 0),
        };
        row(
            page,
            &[
                ratio.of.to_owned(),
                ratio.what.clone(),
                value,
                rounds.to_string(),
            ],
        );
    }
    page.push('\n');
}

fn load_table(page: &mut String, options: &Options, record: &Record, load: Load) {
    let sample = match load {
        Load::KeepAlive => "64 connections open at the same time",
        Load::NewConnection => "400 connections opened one after another",
    };
    let title = load.title();
    let _ = write!(
        page,
        "## Load: {title}\n\n\
         CPU in ms per 1,000 requests; primary: everything that is not a worker. Share: least by most of the \
         workers, 1.00 is even; answered: of {sample} after the load; CPU: of the workers' CPU time under it.\n\n\
         | | requests/s | / {} | p50 ms | p99 ms | p99.9 ms | errors | primary CPU | workers' CPU | share answered | share CPU |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
        REFERENCE.name()
    );
    for contender in &options.contenders {
        let all: Vec<&Measured> = record.of(*contender).map(|s| s.under(load)).collect();
        let name = contender.name().to_owned();
        if all.is_empty() {
            failed_row(page, name, 10);
            continue;
        }
        let of = |decimals, value: &dyn Fn(&Measured) -> Option<f64>| {
            text(Spread::of(all.iter().filter_map(|m| value(m))), decimals)
        };
        let cells = [
            name,
            of(0, &|m| Some(m.seen.requests_per_second)),
            text(ratios::requests(record, load, *contender, REFERENCE), 2),
            of(1, &|m| Some(m.seen.p50_ms)),
            of(1, &|m| Some(m.seen.p99_ms)),
            of(1, &|m| Some(m.seen.p999_ms)),
            errors(&all),
            of(1, &|m| m.primary_cpu),
            of(1, &|m| Some(m.workers_cpu)),
            of(2, &|m| m.evenness()),
            of(2, &|m| m.cpu_evenness()),
        ];
        row(page, &cells);
    }
    page.push('\n');
}

fn idle_table(page: &mut String, options: &Options, record: &Record) {
    let _ = write!(
        page,
        "## The primary by itself\n\n\
         Everything that is not a worker, summed up. Idle: the {} s after it is ready, once, before any load.\n\n\
         | | RSS idle MiB | voluntary context switches idle | RSS after load MiB | ready after ms |\n\
         |---|---|---|---|---|\n",
        options.idle.as_secs()
    );
    let mib = |kib: u64| kib as f64 / 1024.0;
    for contender in &options.contenders {
        let all: Vec<&Shown> = record.of(*contender).collect();
        let name = contender.name().to_owned();
        if all.is_empty() {
            failed_row(page, name, 4);
            continue;
        }
        let idle = all.iter().find_map(|s| s.idle.as_ref());
        let rss = idle.and_then(|i| i.primary_rss_kib);
        let switches = idle.and_then(|i| i.primary_switches);
        let after = all.iter().filter_map(|s| s.primary_rss_after_kib.map(mib));
        let cells = [
            name,
            rss.map_or(DASH.to_owned(), |kib| format_number(mib(kib), 1)),
            switches.map_or(DASH.to_owned(), |n| n.to_string()),
            text(Spread::of(after), 1),
            text(Spread::of(all.iter().map(|s| s.ready_ms)), 0),
        ];
        row(page, &cells);
    }
    page.push('\n');
}

/// The sum over all rounds, by kind where there are any; sampled requests that failed are among them.
fn errors(all: &[&Measured]) -> String {
    let mut kinds: Vec<(&str, u64)> = Vec::new();
    for measured in all {
        let sampled = ("sampled", measured.sample_failures);
        for (name, count) in measured.seen.errors.named().into_iter().chain([sampled]) {
            match kinds.iter_mut().find(|(n, _)| *n == name) {
                Some((_, sum)) => *sum += count,
                None => kinds.push((name, count)),
            }
        }
    }
    let seen: Vec<_> = kinds
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(name, n)| format!("{n} {name}"))
        .collect();
    if seen.is_empty() {
        "0".to_owned()
    } else {
        seen.join(", ")
    }
}

pub(crate) fn text(spread: Option<Spread>, decimals: usize) -> String {
    spread.map_or(DASH.to_owned(), |s| s.text(decimals))
}

pub(crate) fn failed_row(page: &mut String, name: String, columns: usize) {
    let mut cells = vec![name, "failed, see above".to_owned()];
    cells.extend(std::iter::repeat_n(DASH.to_owned(), columns - 1));
    row(page, &cells);
}

pub(crate) fn row(page: &mut String, cells: &[String]) {
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

/// Text of others, made safe for a table.
fn cell(text: &str) -> String {
    text.replace('|', "/").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{failed, visit};
    use super::*;

    fn page() -> String {
        let only = "--rounds 2 --only node-cluster-rr,tine-kernel,pm2"
            .split(' ')
            .map(str::to_owned);
        let options = Options::parse(&only.collect::<Vec<_>>()).unwrap().unwrap();
        let mut slow = visit(Contender::Pm2, 500.0, 80.0);
        if let Ok(shown) = &mut slow.outcome {
            shown.new_connection.seen.errors.timeout = 3;
            shown.had_to_be_killed = true;
        }
        let none = || failed(Contender::TineKernel, "target/release/tine is missing");
        let record = Record {
            rounds: vec![
                vec![visit(Contender::NodeClusterRr, 1000.0, 40.0), none(), slow],
                vec![visit(Contender::NodeClusterRr, 2000.0, 40.0), none()],
            ],
        };
        let machine = [("cpu", "A|B".to_owned())];
        markdown(
            &options,
            &machine,
            &record,
            &ratios::all(&options.contenders, &record),
        )
    }

    #[test]
    fn what_failed_is_said_with_its_reason_and_keeps_its_row() {
        let page = page();
        assert!(page.contains("- tine-kernel, 2 of 2 rounds: target/release/tine is missing"));
        assert_eq!(
            page.matches("| tine-kernel | failed, see above |").count(),
            3,
            "{page}"
        );
        assert!(page.contains("- pm2 did not end when asked and was killed, 1 times"));
        assert!(page.contains("| 3 timeout |"));
    }

    #[test]
    fn every_row_has_the_columns_of_its_table() {
        let page = page();
        let mut columns = None;
        for line in page.lines() {
            let bars = line.matches('|').count();
            if !line.starts_with('|') {
                columns = None;
            } else {
                assert_eq!(*columns.get_or_insert(bars), bars, "{line}");
            }
        }
        assert!(page.contains("| node-cluster-rr | 1,500 (1,000..2,000) | 1.00 (1.00..1.00) |"));
        assert!(page.contains("| pm2 | 500 | 0.50 |"), "{page}");
    }
}
