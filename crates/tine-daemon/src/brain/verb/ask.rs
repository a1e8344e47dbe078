//! list, describe, env, version, report: what is there?

use super::super::app::Core;
use super::super::program;
use super::super::registry::Registry;
use super::super::target::{self, Meant};
use std::collections::BTreeMap;
use tine_control::reply::{Described, Environment, Listed, Pong, Reported, VersionInfo};
use tine_control::request::{Describe, Env, List};
use tine_control::{AppInfo, ErrorCode, ExecMode, Failure, ProcessInfo};
use tine_sys::Pid;

pub(super) fn ping() -> Pong {
    Pong {
        pid: std::process::id(),
    }
}

pub(super) fn version(registry: &Registry) -> VersionInfo {
    let keeper = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    VersionInfo {
        server: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: tine_control::limits::VERSION,
        pid: std::process::id(),
        keeper: keeper.filter(|_| registry.link.gone().is_none()),
        started: registry.started,
        home: registry.home.folder().to_owned(),
    }
}

pub(super) fn list(registry: &Registry, list: &List) -> Result<Listed, Failure> {
    let meant = target::find(registry, &list.target)?;
    let mut processes = gather(registry, &meant);
    for process in &mut processes {
        // The latest alone, and without its words: describe has them.
        let latest = process.exits.pop().map(|mut exit| {
            exit.lines.clear();
            exit
        });
        process.exits = latest.into_iter().collect();
        process.files = None;
    }
    Ok(Listed { processes })
}

pub(super) fn describe(registry: &Registry, describe: &Describe) -> Result<Described, Failure> {
    let meant = target::find(registry, &describe.target)?;
    let processes = gather(registry, &meant);
    let apps = meant.iter().map(|Meant { app, .. }| {
        let core = app.core.borrow();
        let info = AppInfo {
            spec: core.full_spec(),
            slots: u32::try_from(core.slots.len()).unwrap_or(u32::MAX),
            policy: policy(&core),
        };
        (core.spec.name.clone(), info)
    });
    Ok(Described {
        processes,
        apps: apps.collect::<BTreeMap<_, _>>(),
    })
}

fn policy(core: &Core) -> Option<String> {
    (core.spec.exec_mode == ExecMode::Cluster).then(|| core.policy().to_string())
}

/// All that is known, with what the kernel says now.
fn gather(registry: &Registry, meant: &[Meant]) -> Vec<ProcessInfo> {
    let mut all = super::act::show(meant);
    let mut sampler = registry.sampler.borrow_mut();
    let usage = sampler.sample(all.iter().filter_map(kernel_pid));
    // Of all there are: what is not asked for is forgotten, and is dear to find again.
    let mut listening = registry.listening.borrow_mut().look(&running(registry));
    for process in &mut all {
        if let Some(usage) = kernel_pid(process).and_then(|pid| usage.get(&pid)) {
            process.cpu = Some(usage.cpu);
            process.memory = Some(usage.memory);
        }
        if let Some(found) = listening.remove(&process.id) {
            for address in found {
                if !process.listening.contains(&address) {
                    process.listening.push(address);
                }
            }
        }
        process.listening.sort();
    }
    all
}

/// All processes that run, by id.
fn running(registry: &Registry) -> Vec<(u32, Pid)> {
    let mut all = Vec::new();
    for app in registry.apps() {
        let core = app.core.borrow();
        for (slot, entry) in &core.slots {
            let pid = core.process(*slot).and_then(|process| process.pid);
            all.extend(pid.map(|pid| (entry.id, pid)));
        }
    }
    all
}

fn kernel_pid(process: &ProcessInfo) -> Option<Pid> {
    Pid::from_raw(i32::try_from(process.pid?).ok()?)
}

pub(super) fn env(registry: &Registry, env: Env) -> Result<Environment, Failure> {
    for app in registry.apps() {
        let core = app.core.borrow();
        let found = core.slots.iter().find(|(_, slot)| slot.id == env.process);
        if let Some((slot, entry)) = found {
            let env = program::environment(
                &core.spec,
                &core.inherited,
                entry.id,
                *slot,
                registry.home.folder(),
            );
            return Ok(Environment { env });
        }
    }
    let text = format!("no process has the id {}", env.process);
    Err(Failure::new(ErrorCode::NotFound, text).hint("`tine list` shows what there is"))
}

pub(super) fn report(registry: &Registry) -> Reported {
    let mut facts = BTreeMap::new();
    let mut fact = |name: &str, text: String| facts.insert(name.to_owned(), text);
    fact("version", env!("CARGO_PKG_VERSION").to_owned());
    fact("home", registry.home.folder().display().to_string());
    fact("daemon", std::process::id().to_string());
    let keeper = rustix::process::getppid().filter(|_| registry.link.gone().is_none());
    if let Some(keeper) = keeper {
        let keeper = keeper.as_raw_nonzero();
        fact("keeper", keeper.to_string());
        if let Some(memory) = resident(&format!("/proc/{keeper}/status")) {
            fact("keeper memory", memory);
        }
    }
    if let Some(memory) = resident("/proc/self/status") {
        fact("daemon memory", memory);
    }
    let apps = registry.apps();
    let slots: usize = apps.iter().map(|app| app.core.borrow().slots.len()).sum();
    fact("apps", apps.len().to_string());
    fact("processes", slots.to_string());
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        fact("descriptors", open.count().to_string());
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if let Some(limit) = limit.current {
        fact("descriptor limit", limit.to_string());
    }
    let uname = rustix::system::uname();
    let kernel = uname.release().to_string_lossy().into_owned();
    fact("kernel", kernel);
    fact("cores", crate::usable_cores().to_string());
    if let Some(why) = registry.link.gone() {
        fact("keeper is gone", why);
    }
    Reported { facts }
}

fn resident(file: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().to_owned())
}
