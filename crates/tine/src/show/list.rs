//! How does the list look?

use super::table::{Cell, Column, render};
use super::words::{bytes, harmless, short_span, span};
use crate::args::see::{SortBy, Sorting};
use crate::style::{Role, Styles};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tine_control::app::DEFAULT_NAMESPACE;
use tine_control::{ExecMode, ExitInfo, ProcessInfo, ProcessStatus};

/// So many reasons for failures stand below the list of a terminal.
const REASONS: usize = 5;

const fn column(head: &'static str, right: bool, leaves: u8) -> Column {
    Column {
        head,
        right,
        leaves,
        at_least: None,
    }
}

/// All columns, in their order.
const COLUMNS: [Column; 13] = [
    column("id", true, 0),
    Column {
        head: "name",
        right: false,
        leaves: 0,
        at_least: Some(10),
    },
    Column {
        head: "namespace",
        right: false,
        leaves: 9,
        at_least: Some(9),
    },
    column("slot", true, 6),
    column("mode", false, 10),
    column("pid", true, 8),
    column("uptime", true, 2),
    column("↺", true, 3),
    column("status", false, 0),
    column("cpu", true, 7),
    column("mem", true, 1),
    Column {
        head: "ports",
        right: false,
        leaves: 5,
        at_least: Some(8),
    },
    column("user", false, 11),
];
const NAMESPACE: usize = 2;
const SLOT: usize = 3;

/// The list as a table; one line for each process. `now` is milliseconds since 1970, `width` that
/// of the terminal, if it is one.
pub(crate) fn table(
    processes: &[ProcessInfo],
    now: u64,
    width: Option<usize>,
    styles: Styles,
) -> String {
    // What is the same for all is not worth a column, unless a program reads it.
    let everything = width.is_none();
    let has_namespaces = everything
        || processes
            .iter()
            .any(|one| one.namespace != DEFAULT_NAMESPACE);
    let has_slots = everything || processes.iter().any(|one| one.slot > 0);
    let shown = |at: usize| match at {
        NAMESPACE => has_namespaces,
        SLOT => has_slots,
        _ => true,
    };
    let columns: Vec<Column> = COLUMNS
        .iter()
        .enumerate()
        .filter(|(at, _)| shown(*at))
        .map(|(_, column)| *column)
        .collect();
    let rows: Vec<Vec<Cell>> = processes
        .iter()
        .map(|one| {
            row(one, now)
                .into_iter()
                .enumerate()
                .filter(|(at, _)| shown(*at))
                .map(|(_, cell)| cell)
                .collect()
        })
        .collect();
    let mut text = render(&columns, &rows, width, styles);
    if !everything {
        reasons(&mut text, processes, styles);
    }
    text
}

fn row(one: &ProcessInfo, now: u64) -> [Cell; COLUMNS.len()] {
    let mode = match one.exec_mode {
        ExecMode::Fork => "fork",
        ExecMode::Cluster => "cluster",
    };
    [
        Cell::of(one.id.to_string()),
        Cell::painted(harmless(&one.name), Role::Own),
        Cell::of(harmless(&one.namespace)),
        Cell::of(one.slot.to_string()),
        Cell::of(mode),
        Cell::of(
            one.pid
                .map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        ),
        Cell::of(uptime(one, now)),
        Cell::of(one.restarts.to_string()),
        Cell::painted(one.status.word(), role(one.status)),
        Cell::of(cpu(one)),
        Cell::of(one.memory.map_or_else(|| "-".to_owned(), bytes)),
        Cell::of(ports(&one.listening)),
        Cell::of(harmless(&one.user)),
    ]
}

pub(crate) fn role(status: ProcessStatus) -> Role {
    match status {
        ProcessStatus::Online => Role::Good,
        ProcessStatus::Launching | ProcessStatus::Stopping => Role::Busy,
        ProcessStatus::Stopped => Role::Quiet,
        ProcessStatus::WaitingRestart => Role::Hint,
        ProcessStatus::Errored => Role::Bad,
    }
}

pub(crate) fn uptime(one: &ProcessInfo, now: u64) -> String {
    one.started.map_or_else(
        || "-".to_owned(),
        |started| span(now.saturating_sub(started)),
    )
}

pub(crate) fn cpu(one: &ProcessInfo) -> String {
    one.cpu
        .map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.1}%"))
}

/// Addresses, shortened to the port where they are every address of the machine.
pub(crate) fn ports(listening: &[String]) -> String {
    let mut short: Vec<&str> = listening
        .iter()
        .map(|address| {
            let port = ["0.0.0.0:", "[::]:", "*:"]
                .iter()
                .find_map(|any| address.strip_prefix(any));
            port.unwrap_or(address)
        })
        .collect();
    short.sort_unstable();
    short.dedup();
    harmless(&short.join(","))
}

/// Why some are not as they should be.
fn reasons(text: &mut String, processes: &[ProcessInfo], styles: Styles) {
    let mut troubled = processes.iter().filter(|one| {
        matches!(
            one.status,
            ProcessStatus::Errored | ProcessStatus::WaitingRestart
        ) && !one.reason.is_empty()
    });
    for one in troubled.by_ref().take(REASONS) {
        let name = format!("{} ({}):", harmless(&one.name), one.id);
        let _ = writeln!(
            text,
            "{} {}",
            styles.paint(role(one.status), &name),
            harmless(&one.reason)
        );
    }
    let more = troubled.count();
    if more > 0 {
        let _ = writeln!(text, "and {more} more; see `tine describe`");
    }
}

/// The list as blocks of lines, one for each process.
pub(crate) fn blocks(processes: &[ProcessInfo], now: u64, styles: Styles) -> String {
    let mut text = String::new();
    for one in processes {
        let mode = match one.exec_mode {
            ExecMode::Fork => "fork",
            ExecMode::Cluster => "cluster",
        };
        let _ = writeln!(
            text,
            "+--- {}",
            styles.paint(Role::Own, &harmless(&one.name))
        );
        let pid = one
            .pid
            .map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        for (name, value) in [
            ("namespace", harmless(&one.namespace)),
            (
                "version",
                one.version
                    .as_deref()
                    .map_or_else(|| "N/A".to_owned(), harmless),
            ),
            ("pid", pid),
            ("id", one.id.to_string()),
            ("slot", one.slot.to_string()),
            ("status", styles.paint(role(one.status), one.status.word())),
            ("mode", mode.to_owned()),
            ("restarts", one.restarts.to_string()),
            ("uptime", uptime(one, now)),
            ("cpu", cpu(one)),
            ("memory", one.memory.map_or_else(|| "-".to_owned(), bytes)),
            ("ports", ports(&one.listening)),
        ] {
            let _ = writeln!(text, "{name} : {value}");
        }
        text.push('\n');
    }
    text
}

/// Puts processes into the order that was asked for; without one, by name, slot and id.
pub(crate) fn sort(processes: &mut [ProcessInfo], sorting: Option<Sorting>) {
    let usual = |a: &ProcessInfo, b: &ProcessInfo| {
        (a.name.as_str(), a.slot, a.id).cmp(&(b.name.as_str(), b.slot, b.id))
    };
    let Some(Sorting { by, downwards }) = sorting else {
        processes.sort_by(usual);
        return;
    };
    processes.sort_by(|a, b| {
        let order = match by {
            SortBy::Name => a.name.cmp(&b.name),
            SortBy::Namespace => a.namespace.cmp(&b.namespace),
            SortBy::Pid => a.pid.cmp(&b.pid),
            SortBy::Id => a.id.cmp(&b.id),
            SortBy::Cpu => a.cpu.unwrap_or(0.0).total_cmp(&b.cpu.unwrap_or(0.0)),
            SortBy::Memory => a.memory.cmp(&b.memory),
            // Who started later has been up for less; who does not run is not up at all.
            SortBy::Uptime => {
                let since = |one: &ProcessInfo| one.started.map_or(u64::MAX, |started| started);
                since(b).cmp(&since(a))
            }
            SortBy::Status => a.status.word().cmp(b.status.word()),
            SortBy::Restarts => a.restarts.cmp(&b.restarts),
        };
        let order = if downwards { order.reverse() } else { order };
        order.then_with(|| usual(a, b))
    });
}

/// How a process ended, in a few words.
pub(crate) fn ended(exit: &ExitInfo) -> String {
    let how = match (exit.code, &exit.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => harmless(signal),
        (None, None) => "ended".to_owned(),
    };
    let core = if exit.core { ", core dumped" } else { "" };
    let asked = if exit.asked { ", as asked" } else { "" };
    format!("{how}{core}{asked}, after {}", short_span(exit.lived))
}

/// How many are in which status, such as `3 online, 1 errored`.
pub(crate) fn counts<'a>(statuses: impl IntoIterator<Item = &'a ProcessStatus>) -> String {
    let mut counts: BTreeMap<ProcessStatus, usize> = BTreeMap::new();
    for status in statuses {
        *counts.entry(*status).or_default() += 1;
    }
    let words: Vec<String> = counts
        .iter()
        .map(|(status, count)| format!("{count} {status}"))
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::sample::{NOW, process, processes};

    fn at(width: Option<usize>) -> String {
        table(&processes(), NOW, width, Styles::plain())
    }

    #[test]
    fn a_program_reads_every_column_and_nothing_else() {
        assert_eq!(
            at(None),
            "\
id  name  namespace  slot  mode      pid  uptime   ↺  status    cpu    mem  ports  user
 0  web   default       0  cluster  4000      1m   2  online   0.3%  48.7M  3000   www
 1  web   default       1  cluster  4001      1m   2  online   0.3%  48.7M  3000   www
 2  job   default       0  fork        -       -  15  errored     -      -         www
"
        );
    }

    #[test]
    fn a_wide_terminal_gets_what_differs_and_why_something_failed() {
        let text = "\
id  name  slot  mode      pid  uptime   ↺  status    cpu    mem  ports  user
 0  web      0  cluster  4000      1m   2  online   0.3%  48.7M  3000   www
 1  web      1  cluster  4001      1m   2  online   0.3%  48.7M  3000   www
 2  job      0  fork        -       -  15  errored     -      -         www
job (2): it ended 16 times before it was up
";
        assert_eq!(at(Some(200)), text);
        assert_eq!(at(Some(120)), text);
        assert_eq!(at(Some(80)), text);
    }

    #[test]
    fn a_narrow_terminal_keeps_what_matters_most() {
        assert_eq!(
            at(Some(60)),
            "\
id  name  slot  uptime   ↺  status    cpu    mem  ports
 0  web      0      1m   2  online   0.3%  48.7M  3000
 1  web      1      1m   2  online   0.3%  48.7M  3000
 2  job      0       -  15  errored     -      -
job (2): it ended 16 times before it was up
"
        );
        assert_eq!(
            at(Some(40)),
            "\
id  name  uptime   ↺  status     mem
 0  web       1m   2  online   48.7M
 1  web       1m   2  online   48.7M
 2  job        -  15  errored      -
job (2): it ended 16 times before it was up
"
        );
    }

    #[test]
    fn a_namespace_is_shown_when_there_is_more_than_the_usual_one() {
        let mut list = processes();
        list[0].namespace = "shop".to_owned();
        let text = table(&list, NOW, Some(200), Styles::plain());
        assert!(
            text.starts_with("id  name  namespace  slot  mode"),
            "{text}"
        );
    }

    #[test]
    fn a_name_cannot_write_on_the_terminal() {
        let list = [process(0, "a\u{1b}[2Jb", ProcessStatus::Online)];
        let text = table(&list, NOW, Some(80), Styles::plain());
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn ports_are_short_where_that_says_all() {
        let addresses =
            |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        for (given, shown) in [
            (&["0.0.0.0:3000", "[::]:3000"][..], "3000"),
            (&["127.0.0.1:80", "[::]:81"], "127.0.0.1:80,81"),
            (&["/run/app.sock"], "/run/app.sock"),
            (&[], ""),
        ] {
            assert_eq!(ports(&addresses(given)), shown);
        }
    }

    #[test]
    fn a_list_is_sorted_by_what_was_asked_for() {
        let ids = |by, downwards| {
            let mut list = processes();
            sort(&mut list, Some(Sorting { by, downwards }));
            list.iter().map(|one| one.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(SortBy::Name, false), [2, 0, 1]);
        assert_eq!(ids(SortBy::Name, true), [0, 1, 2]);
        assert_eq!(ids(SortBy::Restarts, true), [2, 0, 1]);
        assert_eq!(ids(SortBy::Id, true), [2, 1, 0]);
        assert_eq!(ids(SortBy::Memory, false), [2, 0, 1]);
        assert_eq!(ids(SortBy::Uptime, false), [2, 0, 1]);
        assert_eq!(ids(SortBy::Status, false), [2, 0, 1]);
    }

    #[test]
    fn a_process_can_be_a_block_of_lines() {
        let text = blocks(&processes()[..1], NOW, Styles::plain());
        assert_eq!(
            text,
            "\
+--- web
namespace : default
version : 1.2.3
pid : 4000
id : 0
slot : 0
status : online
mode : cluster
restarts : 2
uptime : 1m
cpu : 0.3%
memory : 48.7M
ports : 3000

"
        );
    }

    #[test]
    fn a_thousand_lines_are_laid_out_in_no_time() {
        let list: Vec<ProcessInfo> = (0..1000)
            .map(|id| process(id, &format!("app-{id}"), ProcessStatus::Online))
            .collect();
        let text = table(&list, NOW, Some(120), Styles::coloured());
        assert_eq!(text.lines().count(), 1001);
    }
}
