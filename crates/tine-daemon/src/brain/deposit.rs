//! What does the keeper hold of an app, so that the next brain knows it?
//!
//! A state for each app, its specification, one for each slot, and one for its cluster with the
//! descriptors that it names; each is written again when it has changed.

use super::app::{AppId, Core, Slot};
use super::clock::{log, since_boot};
use super::link::{Link, Place};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use tine_cluster::primary::Primary;
use tine_control::{AppSpec, ExitInfo};
use tine_rules::managed::SavedSlot;

/// The form of what is written. A reader refuses a higher number.
pub(super) const FORM: u32 = 1;

/// What the keeper holds of one app.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The cluster's revision.
    revision: Option<u64>,
    /// The cluster's descriptors.
    pub(super) names: BTreeSet<String>,
}

/// An app's specification, as it is written.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WrittenSpec {
    pub(super) form: u32,
    pub(super) spec: AppSpec,
}

/// How a slot stands, as it is written.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WrittenSlot {
    pub(super) form: u32,
    /// When it was written: milliseconds since the machine was started.
    pub(super) at: u64,
    /// Absent: the machine has not heard of it yet.
    pub(super) machine: Option<SavedSlot>,
    pub(super) number: u32,
    pub(super) id: u32,
    pub(super) created: u64,
    pub(super) exits: Vec<ExitInfo>,
    pub(super) processes: Vec<WrittenProcess>,
    #[serde(default)]
    pub(super) listening: Vec<String>,
    /// Why its process could not be created.
    #[serde(default)]
    pub(super) refused: String,
}

/// One generation of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WrittenProcess {
    pub(super) generation: u64,
    /// Absent: it was ordered, and nobody has said that it exists.
    pub(super) pid: Option<i32>,
    pub(super) started: u64,
    pub(super) worker: Option<u32>,
    /// Whether it was to have a channel.
    pub(super) channel: bool,
    #[serde(default)]
    pub(super) runtime: Option<PathBuf>,
}

/// What is written of the daemon itself.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct WrittenDaemon {
    pub(super) form: u32,
    /// When it was started: milliseconds since 1970.
    pub(super) started: u64,
    /// The id of the next process.
    pub(super) next_process: u32,
    /// The number of the next app.
    pub(super) next_app: u32,
}

/// The name of the daemon's own state.
pub(super) const DAEMON_KEY: &str = "daemon";

/// Gives the keeper what is written of the daemon itself.
pub(super) fn hold_daemon(link: &Link, written: &WrittenDaemon) {
    put(link, DAEMON_KEY, written);
}

/// The names of an app's states.
pub(super) fn spec_key(app: AppId) -> String {
    format!("spec.{}", app.0)
}

pub(super) fn slot_key(app: AppId, slot: u32) -> String {
    format!("{}{slot}", slot_prefix(app))
}

/// What the names of the states of its slots begin with.
pub(super) fn slot_prefix(app: AppId) -> String {
    format!("slot.{}.", app.0)
}

pub(super) fn cluster_key(app: AppId) -> String {
    format!("cluster.{}", app.0)
}

/// What all names of its cluster's descriptors begin with.
pub(super) fn cluster_prefix(app: AppId) -> String {
    format!("cluster.{}.", app.0)
}

/// Gives the keeper what it does not hold yet.
pub(super) fn hold(link: &Link, core: &mut Core, primary: Option<&Primary>, held: &mut Held) {
    if std::mem::take(&mut core.spec_is_new) {
        let written = WrittenSpec {
            form: FORM,
            spec: core.full_spec(),
        };
        put(link, &spec_key(core.id), &written);
    }
    if let Some(primary) = primary
        && held.revision != Some(primary.revision())
    {
        hold_cluster(link, core.id, primary, held);
    }
    for number in std::mem::take(&mut core.new_slots) {
        let key = slot_key(core.id, number);
        match core.slots.get(&number) {
            Some(slot) => put(link, &key, &written(core, number, slot)),
            None => link.forget_state(key),
        }
    }
}

/// Gives the keeper the state of a slot in which a process is about to be ordered.
pub(super) fn hold_order(link: &Link, core: &mut Core, place: Place, channel: bool, started: u64) {
    if let Some(slot) = core.slots.get(&place.slot) {
        let mut written = written(core, place.slot, slot);
        written.processes.push(WrittenProcess {
            generation: place.generation,
            pid: None,
            started,
            worker: None,
            channel,
            runtime: None,
        });
        let key = slot_key(core.id, place.slot);
        match serde_json::to_vec(&written) {
            Ok(bytes) => link.put_state_for(place, &key, &bytes),
            Err(error) => log(format_args!("writing down {key}: {error}")),
        }
        core.new_slots.remove(&place.slot);
    }
}

fn put(link: &Link, key: &str, written: &impl Serialize) {
    match serde_json::to_vec(written) {
        Ok(bytes) => link.put_state(key, &bytes),
        Err(error) => log(format_args!("writing down {key}: {error}")),
    }
}

fn hold_cluster(link: &Link, app: AppId, primary: &Primary, held: &mut Held) {
    held.revision = Some(primary.revision());
    let facts = match primary.facts() {
        Ok(facts) => facts,
        Err(error) => return log(format_args!("writing down a cluster: {error}")),
    };
    let prefix = cluster_prefix(app);
    let name = |name: &str| format!("{prefix}{name}");
    let mut names = Vec::new();
    let mut new: Vec<BorrowedFd<'_>> = Vec::new();
    let mut all = BTreeSet::new();
    for (own, fd) in &facts.descriptors {
        if !held.names.contains(own) {
            names.push(name(own));
            new.push(*fd);
        }
        all.insert(own.clone());
    }
    if !new.is_empty() {
        link.put(names, &new);
    }
    link.put_state(&cluster_key(app), facts.json.as_bytes());
    let gone: Vec<String> = held.names.difference(&all).map(|own| name(own)).collect();
    if !gone.is_empty() {
        link.forget(gone);
    }
    held.names = all;
}

/// The keeper lets go of an app that is no more.
pub(super) fn forget(link: &Link, core: &Core, held: &mut Held) {
    for slot in &core.new_slots {
        link.forget_state(slot_key(core.id, *slot));
    }
    for key in [spec_key(core.id), cluster_key(core.id)] {
        link.forget_state(key);
    }
    let prefix = cluster_prefix(core.id);
    let names = std::mem::take(&mut held.names);
    let names: Vec<String> = names.iter().map(|own| format!("{prefix}{own}")).collect();
    if !names.is_empty() {
        link.forget(names);
    }
}

fn written(core: &Core, number: u32, slot: &Slot) -> WrittenSlot {
    let processes = slot.processes.iter();
    let processes = processes.map(|(generation, process)| WrittenProcess {
        generation: *generation,
        pid: process.pid.map(|pid| pid.as_raw_nonzero().get()),
        started: process.started,
        worker: process.worker.map(|worker| worker.0),
        channel: process.channel,
        runtime: process.runtime.clone(),
    });
    WrittenSlot {
        form: FORM,
        at: since_boot(),
        machine: core.machine.snapshot_slot(number, core.clock.now()),
        number,
        id: slot.id,
        created: slot.created,
        exits: slot.exits.iter().cloned().collect(),
        processes: processes.collect(),
        listening: slot.listening.clone(),
        refused: slot.refused.clone(),
    }
}
