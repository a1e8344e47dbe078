//! What is said of what became of processes?

use super::list::{counts, ended};
use super::words::harmless;
use crate::style::{Role, Styles};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tine_control::reply::{Acted, Failed};
use tine_control::{ProcessInfo, ProcessStatus};

/// So many failures are told in full.
const FAILURES: usize = 10;
/// So many apps get a line of their own.
const APPS: usize = 20;

/// A line for each app: what was done (`verb`), and how its processes are now.
pub(crate) fn summary(verb: &str, processes: &[ProcessInfo], styles: Styles) -> String {
    let mut apps: BTreeMap<&str, Vec<ProcessStatus>> = BTreeMap::new();
    for one in processes {
        apps.entry(&one.name).or_default().push(one.status);
    }
    let mut text = String::new();
    if apps.len() > APPS {
        let all = counts(processes.iter().map(|one| &one.status));
        let _ = writeln!(text, "{verb} {} apps: {all}", apps.len());
        return text;
    }
    for (name, statuses) in apps {
        let name = styles.paint(Role::Own, &harmless(name));
        let _ = writeln!(text, "{verb} {name}: {}", counts(&statuses));
    }
    text
}

/// Which did not do well, why, and their last lines.
pub(crate) fn failures(failed: &[Failed], styles: Styles) -> String {
    let mut text = String::new();
    for one in failed.iter().take(FAILURES) {
        let _ = writeln!(
            text,
            "{} {} (id {}): {}",
            styles.paint(Role::Bad, "error:"),
            harmless(&one.process.name),
            one.process.id,
            harmless(&one.text)
        );
        if let Some(exit) = &one.exit {
            let _ = writeln!(text, "  {}; its last lines:", ended(exit));
            if exit.lines.is_empty() {
                let _ = writeln!(text, "  (it wrote nothing)");
            }
            for line in &exit.lines {
                let _ = writeln!(text, "  | {}", harmless(line));
            }
        }
        for survivor in &one.survivors {
            let _ = writeln!(text, "  still there: {}", harmless(survivor));
        }
        if !one.hint.is_empty() {
            let _ = writeln!(text, "{} {}", styles.paint(Role::Hint, "hint:"), one.hint);
        }
    }
    if failed.len() > FAILURES {
        let more = failed.len() - FAILURES;
        let _ = writeln!(text, "and {more} more");
    }
    text
}

/// Several answers as one; of a process that is in several, as it was last.
pub(crate) fn joined(all: Vec<Acted>) -> Acted {
    let mut acted = Acted {
        done: true,
        ..Acted::default()
    };
    let mut processes = BTreeMap::new();
    for one in all {
        acted.done &= one.done;
        processes.extend(one.processes.into_iter().map(|one| (one.id, one)));
        acted.failed.extend(one.failed);
        acted.warnings.extend(one.warnings);
    }
    acted.processes = processes.into_values().collect();
    acted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::sample::processes;

    #[test]
    fn a_failure_has_its_reason_its_last_lines_and_what_to_do() {
        let job = &processes()[2];
        let failed = Failed {
            process: job.who(),
            text: "it ended before it was up".to_owned(),
            hint: "look at its lines".to_owned(),
            exit: job.exits.first().cloned(),
            survivors: vec!["77 sleep 100".to_owned()],
        };
        assert_eq!(
            failures(&[failed], Styles::plain()),
            "\
error: job (id 2): it ended before it was up
  exit code 1, after 180ms; its last lines:
  | Error: no
  still there: 77 sleep 100
hint: look at its lines
"
        );
    }

    #[test]
    fn what_became_of_an_app_is_one_line() {
        let text = summary("started", &processes(), Styles::plain());
        assert_eq!(text, "started job: 1 errored\nstarted web: 2 online\n");
        let many: Vec<ProcessInfo> = (0..30)
            .map(|id| crate::show::sample::process(id, &id.to_string(), ProcessStatus::Online))
            .collect();
        assert_eq!(
            summary("stopped", &many, Styles::plain()),
            "stopped 30 apps: 30 online\n"
        );
    }
}
