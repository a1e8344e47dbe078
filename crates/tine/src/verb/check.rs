//! `tine check`: what is wrong with a process file?

use crate::args::keep::Check;
use crate::exit;
use crate::meant;
use crate::show::words::harmless;
use crate::style::Role;
use crate::trouble::Trouble;
use crate::ui::{self, Ui};
use std::fmt::Write as _;
use tine_config::{LoadOptions, Report, Severity, check};

pub(crate) fn run(args: &Check, ui: Ui) -> Result<u8, Trouble> {
    let around = meant::around()?;
    let word = match &args.path {
        Some(word) => word.clone(),
        None => meant::default_file(&around)?,
    };
    let source = meant::source_or_file(&word, &around);
    let wanted = LoadOptions {
        env: args.env.clone(),
        ..LoadOptions::default()
    };
    let report = check(&source, &wanted, &around);
    if args.json {
        ui::print_json(&report)?;
    } else {
        ui::print(&text(&report, ui))?;
    }
    Ok(if report.ok {
        exit::DONE
    } else {
        exit::CANNOT_START
    })
}

fn text(report: &Report, ui: Ui) -> String {
    let mut text = String::new();
    for problem in &report.problems {
        let word = match problem.severity {
            Severity::Error => ui.out.paint(Role::Bad, "error:"),
            Severity::Warning => ui.out.paint(Role::Hint, "warning:"),
        };
        let _ = writeln!(text, "{word} {problem}");
        if let Some(hint) = &problem.hint {
            let _ = writeln!(text, "  {} {hint}", ui.out.paint(Role::Hint, "hint:"));
        }
    }
    for app in &report.apps {
        let by = app
            .interpreter
            .as_deref()
            .map_or(String::new(), |program| format!(" by {program}"));
        let _ = writeln!(
            text,
            "{}: {} x {}{by}",
            ui.out.paint(Role::Own, &harmless(&app.name)),
            app.instances,
            app.script.display()
        );
    }
    if report.ok {
        let _ = writeln!(text, "{}", ui.out.paint(Role::Good, "in order"));
    }
    text
}
