//! A simulated world for managed apps: asks of every kind at any time, processes that crash at any
//! point, spawns that fail, signals that are ignored, processes that withstand SIGKILL, words that
//! come late or twice, actions that are fetched late, and a brain that is lost and restored from its
//! snapshot. The clock is virtual and all chance comes from a seed, so every failure can be had
//! again: the seed is printed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod asking;
#[path = "../world/chance.rs"]
mod chance;
mod judgement;
mod restoring;
mod simulation;

use std::collections::BTreeSet;

use crate::simulation::World;

#[test]
fn no_history_breaks_the_promises() {
    let mut seen = BTreeSet::new();
    for seed in 0..10_000 {
        let mut world = World::new(seed, false);
        world.run();
        seen.append(&mut world.seen);
    }
    // A promise that was never put to the test would be kept too.
    let all = [
        "added",
        "already there",
        "beside",
        "disconnect",
        "errored",
        "failed: exited",
        "failed: not ready",
        "failed: spawn",
        "failed: unkillable",
        "finished",
        "kill",
        "message",
        "no such slot",
        "not reloaded",
        "online",
        "order taken back",
        "prune",
        "reload under way",
        "removed",
        "reset",
        "signal",
        "stopped",
        "superseded",
        "unkillable died after all",
        "up",
    ];
    assert!(seen.iter().eq(&all), "{seen:?}");
}

#[test]
fn no_history_with_restores_breaks_the_promises() {
    let mut seen = BTreeSet::new();
    for seed in 10_000..20_000 {
        let mut world = World::new(seed, true);
        world.run();
        seen.append(&mut world.seen);
    }
    for needed in [
        "restored",
        "restored: order lost",
        "restored: being stopped",
        "restored: reload under way",
        "restored: waiting",
    ] {
        assert!(seen.contains(needed), "{needed} is not in {seen:?}");
    }
}
