//! A list for tests.

use std::collections::BTreeMap;
use tine_control::reply::Described;
use tine_control::{AppInfo, AppSpec, ExecMode, ExitInfo, ProcessInfo, ProcessStatus};

/// A time of day for tests.
pub(crate) const NOW: u64 = 1_763_820_100_000;

pub(crate) fn process(id: u32, name: &str, status: ProcessStatus) -> ProcessInfo {
    let runs = matches!(status, ProcessStatus::Online | ProcessStatus::Launching);
    ProcessInfo {
        id,
        name: name.to_owned(),
        namespace: "default".to_owned(),
        slot: 0,
        generation: 1,
        status,
        pid: runs.then_some(4000 + id),
        exec_mode: ExecMode::Fork,
        started: runs.then_some(NOW - 90_000),
        created: NOW - 100_000,
        restarts: 0,
        unstable_restarts: 0,
        next_start: None,
        cpu: runs.then_some(0.3),
        memory: runs.then_some(51_134_464),
        listening: Vec::new(),
        user: "www".to_owned(),
        version: None,
        interpreter_version: None,
        reason: String::new(),
        exits: Vec::new(),
        files: None,
    }
}

/// Two workers of `web` that serve, and `job`, which was given up.
pub(crate) fn processes() -> Vec<ProcessInfo> {
    let exit = |code| ExitInfo {
        generation: 1,
        pid: 3999,
        at: NOW - 95_000,
        lived: 180,
        code: Some(code),
        signal: None,
        core: false,
        asked: false,
        lines: vec!["Error: no".to_owned()],
    };
    let web = |id, slot| ProcessInfo {
        slot,
        exec_mode: ExecMode::Cluster,
        listening: vec!["0.0.0.0:3000".to_owned(), "[::]:3000".to_owned()],
        restarts: 2,
        version: Some("1.2.3".to_owned()),
        interpreter_version: Some("22.11.0".to_owned()),
        exits: vec![exit(7)],
        ..process(id, "web", ProcessStatus::Online)
    };
    let job = ProcessInfo {
        reason: "it ended 16 times before it was up".to_owned(),
        restarts: 15,
        exits: vec![exit(1)],
        ..process(2, "job", ProcessStatus::Errored)
    };
    vec![web(0, 0), web(1, 1), job]
}

pub(crate) fn described() -> Described {
    let mut spec = AppSpec::new("web", "/srv/web/app.js", "/srv/web");
    spec.env = [("name", "impostor"), ("PORT", "3000")]
        .into_iter()
        .collect();
    let web = AppInfo {
        spec,
        slots: 2,
        policy: Some("rr".to_owned()),
    };
    Described {
        processes: processes(),
        apps: BTreeMap::from([("web".to_owned(), web)]),
    }
}
