//! How does everything that is known of a process look?

use super::list::{cpu, ended, role, uptime};
use super::words::{bytes, harmless, iso};
use crate::style::{Role, Styles};
use std::fmt::Write as _;
use std::path::Path;
use tine_control::{AppInfo, ExecMode, ProcessInfo};

/// For what cannot be told.
const NOT_KNOWN: &str = "N/A";

/// One process, in rows of name and value.
pub(crate) fn process(
    one: &ProcessInfo,
    app: Option<&AppInfo>,
    now: u64,
    styles: Styles,
) -> String {
    let mut text = String::new();
    let title = format!("{} (id {})", harmless(&one.name), one.id);
    let _ = writeln!(text, "{}", styles.paint(Role::Own, &title));
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<22} {value}");
    };
    let path = |path: Option<&Path>| {
        path.map_or_else(
            || "none".to_owned(),
            |path| harmless(&path.to_string_lossy()),
        )
    };
    row("status", &styles.paint(role(one.status), one.status.word()));
    if !one.reason.is_empty() {
        row("reason", &harmless(&one.reason));
    }
    if let Some(next) = one.next_start {
        row("next start", &iso(next));
    }
    row("namespace", &harmless(&one.namespace));
    row("slot", &one.slot.to_string());
    row("generation", &one.generation.to_string());
    row(
        "pid",
        &one.pid
            .map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
    );
    row("uptime", &uptime(one, now));
    row("created at", &iso(one.created));
    row("restarts", &one.restarts.to_string());
    row("unstable restarts", &one.unstable_restarts.to_string());
    row("cpu", &cpu(one));
    row("memory", &one.memory.map_or_else(|| "-".to_owned(), bytes));
    row("listens on", &harmless(&one.listening.join(", ")));
    row("user", &harmless(&one.user));
    row(
        "version",
        &one.version
            .as_deref()
            .map_or_else(|| NOT_KNOWN.to_owned(), harmless),
    );
    if let Some(app) = app {
        of_app(&mut row, app, path);
    }
    row(
        "interpreter version",
        &one.interpreter_version
            .as_deref()
            .map_or_else(|| NOT_KNOWN.to_owned(), harmless),
    );
    if let Some(files) = &one.files {
        row("out log path", &path(files.out.as_deref()));
        row("error log path", &path(files.error.as_deref()));
        if files.log.is_some() {
            row("entire log path", &path(files.log.as_deref()));
        }
        row("pid path", &path(files.pid.as_deref()));
    }
    exits(&mut text, one, styles);
    text
}

fn of_app(row: &mut impl FnMut(&str, &str), app: &AppInfo, path: impl Fn(Option<&Path>) -> String) {
    let spec = &app.spec;
    row("script path", &path(Some(&spec.script)));
    row("script args", &words(&spec.args));
    row("interpreter", spec.interpreter.as_deref().unwrap_or("none"));
    row("interpreter args", &words(&spec.interpreter_args));
    row("exec cwd", &path(Some(&spec.cwd)));
    row(
        "exec mode",
        match spec.exec_mode {
            ExecMode::Fork => "fork",
            ExecMode::Cluster => "cluster",
        },
    );
    let instances = format!("{} (asked for: {})", app.slots, spec.instances);
    row("instances", &instances);
    if let Some(policy) = &app.policy {
        row("balance", &harmless(policy));
    }
    if let Some(file) = &spec.defined_in {
        row("process file", &path(Some(file)));
    }
    let environment = spec.environment();
    let node_env = environment.get("NODE_ENV").map(|value| harmless(value));
    row("node env", node_env.as_deref().unwrap_or(NOT_KNOWN));
    // The names alone: values may be secrets. `tine env` shows them.
    let names: Vec<&str> = spec.env.keys().map(String::as_str).collect();
    let names = if names.is_empty() {
        "none".to_owned()
    } else {
        harmless(&names.join(" "))
    };
    row("own variables", &names);
    row("autorestart", if spec.autorestart { "yes" } else { "no" });
    let stopping = format!(
        "{}, then SIGKILL after {} ms",
        spec.stop_signal,
        spec.kill_timeout.as_millis()
    );
    row("stopped by", &stopping);
}

fn words(args: &[String]) -> String {
    if args.is_empty() {
        return "none".to_owned();
    }
    harmless(&shell_words::join(args))
}

/// How the last processes in its place ended, the latest first.
fn exits(text: &mut String, one: &ProcessInfo, styles: Styles) {
    if one.exits.is_empty() {
        return;
    }
    let _ = writeln!(text, "  {}", styles.paint(Role::Own, "how it ended before"));
    for exit in one.exits.iter().rev() {
        let _ = writeln!(
            text,
            "    {}  pid {}, generation {}: {}",
            iso(exit.at),
            exit.pid,
            exit.generation,
            ended(exit)
        );
        if !exit.asked {
            for line in &exit.lines {
                let line = format!("      | {}", harmless(line));
                let _ = writeln!(text, "{}", styles.paint(Role::Quiet, &line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::sample::{NOW, described};

    #[test]
    fn a_description_has_all_that_is_known_and_no_secrets() {
        let described = described();
        let text = process(
            &described.processes[0],
            described.apps.get("web"),
            NOW,
            Styles::plain(),
        );
        for line in [
            "web (id 0)",
            "  status                 online",
            "  listens on             0.0.0.0:3000, [::]:3000",
            "  script path            /srv/web/app.js",
            "  instances              2 (asked for: 1)",
            "  balance                rr",
            "  own variables          PORT name",
            "  stopped by             SIGINT, then SIGKILL after 1600 ms",
            "  how it ended before",
            "    2025-11-22T14:00:05.000Z  pid 3999, generation 1: exit code 7, after 180ms",
            "      | Error: no",
        ] {
            assert!(text.lines().any(|one| one == line), "{line:?} in\n{text}");
        }
        assert!(!text.contains("impostor"), "{text}");
    }

    #[test]
    fn why_something_was_given_up_stands_near_the_top() {
        let described = described();
        let text = process(&described.processes[2], None, NOW, Styles::plain());
        let third = text.lines().nth(2).unwrap();
        assert_eq!(
            third,
            "  reason                 it ended 16 times before it was up"
        );
    }
}
