//! How is a process shown, and what became of an ask, in words?

use super::app::{Core, Outcomes};
use super::program;
use rustix::fs::{Mode, OFlags};
use std::path::{Path, PathBuf};
use tine_control::reply::{Acted, Failed};
use tine_control::{ExecMode, ProcessFiles, ProcessInfo, ProcessStatus};
use tine_rules::Exit;
use tine_rules::managed::{Failure, Outcome, Reason, SlotView, Status};

pub(super) fn status(status: Status) -> ProcessStatus {
    match status {
        Status::Launching => ProcessStatus::Launching,
        Status::Online => ProcessStatus::Online,
        Status::Stopping => ProcessStatus::Stopping,
        Status::Stopped => ProcessStatus::Stopped,
        Status::Errored => ProcessStatus::Errored,
        Status::WaitingRestart => ProcessStatus::WaitingRestart,
    }
}

/// Why a slot is as it is; may be empty.
pub(super) fn reason(core: &Core, slot: u32, view: &SlotView) -> String {
    let shown = matches!(
        view.status,
        Status::Errored | Status::WaitingRestart | Status::Launching | Status::Stopping
    );
    match view.reason {
        None => String::new(),
        Some(Reason::Exited { exit, .. }) if shown => format!("it ended with {}", how(exit)),
        Some(Reason::Exited { .. }) => String::new(),
        Some(Reason::TooManyShortEnds { ends, exit, .. }) => {
            format!(
                "it ended {ends} times too early, the last time with {}",
                how(exit)
            )
        }
        Some(Reason::SpawnFailed { .. }) => {
            let refused = core.slots.get(&slot).map(|entry| entry.refused.as_str());
            format!("it cannot be started: {}", refused.unwrap_or_default())
        }
        Some(Reason::NotReadyInTime { limit, .. }) => not_ready(core, limit),
        Some(Reason::Unkillable { .. }) => "it was given SIGKILL and lives on".to_owned(),
    }
}

fn not_ready(core: &Core, limit: std::time::Duration) -> String {
    let word = if core.spec.wait_ready {
        "has not sent the message `ready`"
    } else {
        "does not listen"
    };
    format!("it {word} {} ms after its start", limit.as_millis())
}

/// The name of a signal.
pub(super) fn signal(number: i32) -> String {
    tine_sys::reap::signal_name(number)
        .map_or_else(|| format!("signal {number}"), ToOwned::to_owned)
}

/// How a process ended.
pub(super) fn how(exit: Exit) -> String {
    match (exit.code, exit.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(number)) => signal(number),
        (None, None) => "nobody knows what".to_owned(),
    }
}

/// The entries of some slots, without what only the kernel knows.
pub(super) fn show(core: &Core, slots: &[u32]) -> Vec<ProcessInfo> {
    let all = slots.iter().filter_map(|slot| entry(core, *slot));
    all.collect()
}

fn entry(core: &Core, slot: u32) -> Option<ProcessInfo> {
    let entry = core.slots.get(&slot)?;
    let view = core.machine.view(slot);
    let generation = view.as_ref().map_or(0, |view| view.generation);
    let process = entry.processes.get(&generation);
    let pid = process.and_then(|process| process.number());
    let clock = super::clock::wall();
    let now = core.clock.now();
    Some(ProcessInfo {
        id: entry.id,
        name: core.spec.name.clone(),
        namespace: core.spec.namespace.clone(),
        slot,
        generation,
        status: view
            .as_ref()
            .map_or(ProcessStatus::Stopped, |view| status(view.status)),
        pid,
        exec_mode: core.spec.exec_mode,
        started: process
            .filter(|_| pid.is_some())
            .map(|process| process.started),
        created: entry.created,
        restarts: view.as_ref().map_or(0, |view| view.restarts),
        unstable_restarts: view.as_ref().map_or(0, |view| view.unstable_restarts),
        next_start: view
            .as_ref()
            .and_then(|view| view.next_start)
            .map(|at| clock.saturating_add(at.0.saturating_sub(now.0))),
        cpu: None,
        memory: None,
        listening: entry.listening.clone(),
        user: core
            .spec
            .uid
            .clone()
            .unwrap_or_else(|| core.user.to_string()),
        version: process.and_then(|process| process.version.clone()),
        interpreter_version: entry
            .runtime
            .as_deref()
            .and_then(|runtime| core.versions.of(runtime)),
        reason: view
            .as_ref()
            .map(|view| reason(core, slot, view))
            .filter(|reason| !reason.is_empty())
            .unwrap_or_else(|| often(entry, clock)),
        exits: entry.exits.iter().cloned().collect(),
        files: Some(files(core, slot)),
    })
}

/// What is to be said of a process that is up, and was replaced too often for that to be well: one
/// that dies every few seconds is stable by every other rule.
fn often(entry: &super::app::Slot, now: u64) -> String {
    const MANY: usize = 5;
    const HOUR: u64 = 60 * 60 * 1000;
    let unasked: Vec<_> = entry.exits.iter().filter(|exit| !exit.asked).collect();
    let recent = unasked.iter().rev().take(MANY);
    match (
        unasked.len() >= MANY,
        recent.min_by_key(|exit| exit.at),
        unasked.last(),
    ) {
        (true, Some(first), Some(last)) if now.saturating_sub(first.at) < HOUR => {
            let exit = match (last.code, &last.signal) {
                (Some(code), _) => format!("exit code {code}"),
                (None, Some(signal)) => signal.clone(),
                (None, None) => "an unknown end".to_owned(),
            };
            let seconds = now.saturating_sub(first.at).div_ceil(1000);
            format!("it has ended {MANY} times in the last {seconds} s, the last time with {exit}")
        }
        _ => String::new(),
    }
}

fn files(core: &Core, slot: u32) -> ProcessFiles {
    let id = core.slots.get(&slot).map_or(0, |entry| entry.id);
    let paths = core.paths(id);
    ProcessFiles {
        out: paths.out,
        error: paths.error,
        log: paths.combined,
        pid: core.pid_file(slot),
    }
}

/// One that did not do well.
pub(super) fn failed(core: &Core, slot: u32, text: impl Into<String>) -> Failed {
    Failed {
        process: core.who(slot),
        text: text.into(),
        hint: String::new(),
        exit: None,
        survivors: Vec::new(),
    }
}

/// Adds what became of an ask to an answer. `before` are the entries as they were: of what was
/// removed nothing else is left.
pub(super) fn outcomes(
    core: &Core,
    outcomes: &Outcomes,
    before: &[ProcessInfo],
    acted: &mut Acted,
) {
    for (slot, outcome) in outcomes {
        let now = entry(core, *slot).or_else(|| {
            let removed = before.iter().find(|entry| entry.slot == *slot);
            removed.cloned().map(|entry| ProcessInfo {
                status: ProcessStatus::Stopped,
                pid: None,
                started: None,
                ..entry
            })
        });
        acted.processes.extend(now);
        let failure = match outcome {
            Outcome::Up { .. }
            | Outcome::Online { .. }
            | Outcome::Finished { .. }
            | Outcome::Stopped
            | Outcome::Removed
            | Outcome::Added
            | Outcome::Reset => continue,
            Outcome::Failed(failure) => unhappy(core, *slot, *failure),
            Outcome::NotReloaded => failed(
                core,
                *slot,
                "it was left as it is, because the reload failed before it",
            ),
            Outcome::Superseded => failed(core, *slot, "something else was asked of it since"),
            Outcome::ReloadUnderWay => failed(core, *slot, "another reload is under way"),
            Outcome::NoSuchSlot => failed(core, *slot, "it is not there any more"),
            Outcome::AlreadyThere => failed(core, *slot, "it is there already"),
        };
        acted.failed.push(failure);
    }
}

fn unhappy(core: &Core, slot: u32, failure: Failure) -> Failed {
    let exit = |generation: u64| {
        let entry = core.slots.get(&slot)?;
        let mut latest = entry.exits.iter().rev();
        latest.find(|exit| exit.generation == generation).cloned()
    };
    match failure {
        Failure::Exited {
            generation,
            exit: end,
            lived,
        } => Failed {
            process: core.who_was(slot, generation),
            exit: exit(generation),
            hint: format!("tine logs {}", core.spec.name),
            ..failed(
                core,
                slot,
                format!(
                    "it ended {} ms after its start with {}",
                    lived.as_millis(),
                    how(end)
                ),
            )
        },
        Failure::SpawnFailed { generation } => {
            let refused = core.slots.get(&slot).map(|entry| entry.refused.clone());
            Failed {
                process: core.who_was(slot, generation),
                ..failed(core, slot, refused.unwrap_or_default())
            }
        }
        Failure::NotReadyInTime { generation, limit } => Failed {
            process: core.who_was(slot, generation),
            hint: if core.spec.exec_mode == ExecMode::Cluster && !program::speaks_node(&core.spec) {
                "what runs it does not speak Node's cluster protocol: use exec_mode fork".to_owned()
            } else {
                "it was left running; listen_timeout says how long is waited".to_owned()
            },
            ..failed(core, slot, not_ready(core, limit))
        },
        Failure::Unkillable { generation } => {
            let entry = core.slots.get(&slot);
            let process = entry.and_then(|entry| entry.processes.get(&generation));
            let survivors = process
                .and_then(|process| process.pid)
                .map(tine_sys::tree::survivors);
            let survivors = survivors.into_iter().flatten();
            Failed {
                process: core.who_was(slot, generation),
                hint: "a process that waits for a broken disk or network cannot be ended"
                    .to_owned(),
                survivors: survivors
                    .map(|one| format!("{} {}", one.pid.as_raw_nonzero(), one.command))
                    .collect(),
                ..failed(core, slot, "it was given SIGKILL and lives on")
            }
        }
    }
}

/// One that ended right after its start.
pub(super) fn early(core: &Core, slot: u32, exit: &tine_control::ExitInfo) -> Failed {
    let end = match (exit.code, &exit.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => signal.clone(),
        (None, None) => "an unknown end".to_owned(),
    };
    Failed {
        process: core.who_was(slot, exit.generation),
        exit: Some(exit.clone()),
        hint: format!("tine logs {}", core.spec.name),
        ..failed(
            core,
            slot,
            format!("it ended {} ms after its start with {end}", exit.lived),
        )
    }
}

/// A name as a part of a file name.
pub(super) fn file_name(name: &str) -> String {
    name.chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() || letter == '.' || letter == '-' {
                letter
            } else {
                '-'
            }
        })
        .collect()
}

/// A path with the id of a process before the ending of its name.
pub(super) fn with_id(path: &Path, id: u32) -> PathBuf {
    let Some(stem) = path.file_stem() else {
        return path.to_owned();
    };
    let mut name = stem.to_owned();
    name.push(format!("-{id}"));
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

/// A file of a sane size; nothing that would make the reader wait, such as a FIFO.
fn read_small(path: &Path) -> Option<Vec<u8>> {
    use std::io::Read as _;
    const MOST: u64 = 1 << 20;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = std::fs::File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    let there = file.metadata().ok()?;
    if !there.is_file() || there.len() > MOST {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The version of the program that a script belongs to: that of the nearest `package.json` above it.
pub(super) fn version_of(script: &Path) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Package {
        version: Option<String>,
    }
    let text = script
        .ancestors()
        .skip(1)
        .find_map(|folder| read_small(&folder.join("package.json")))?;
    serde_json::from_slice::<Package>(&text).ok()?.version
}
