//! A simulated world: workers that crash at any point, spawns that fail, channels that close or
//! never do, processes that ignore signals, events that are late or doubled, actions that are
//! fetched late. The clock is virtual and all chance comes from a seed, so every failure can be
//! had again: the seed is printed.

mod chance;
mod judgement;
mod simulation;

use std::collections::BTreeSet;

use tine_rules::Outcome;

use crate::simulation::{SPAWN_LATENCY, Temper, World};

#[test]
fn no_history_breaks_the_promises() {
    let mut seen = BTreeSet::new();
    for seed in 0..10_000 {
        let mut world = World::new(seed, Temper::Chaos);
        let longest = world.chance.one_of(&[0, 50, 2_000, 60_000]);
        let stop_at = world.chance.upto(longest);
        world.run(Some(stop_at), stop_at + 60_000);
        seen.append(&mut world.seen);
    }
    // A promise that was never put to the test would be kept too.
    let all = [
        "all errored",
        "all finished",
        "disconnect",
        "forced",
        "kill",
        "order taken back",
        "signal",
        "stopped",
    ];
    assert!(seen.iter().eq(&all), "{seen:?}");
}

#[test]
fn a_program_that_never_starts_is_given_up_after_as_many_attempts_as_were_allowed() {
    for seed in 0..300 {
        let mut world = World::new(seed, Temper::FailsToStart);
        // No attempt takes longer than its delay, its creation and its life.
        world.run(None, 51 * (2_000 + 70 + SPAWN_LATENCY + 50));
        assert_eq!(
            world.outcome.as_ref().map(|(_, outcome)| outcome),
            Some(&Outcome::AllErrored)
        );
        let allowed = world.app.rules().restart.max_restarts.max(1) as usize;
        assert!(
            world.spawns.iter().all(|spawns| spawns.len() == allowed),
            "{:?}",
            world.spawns
        );
    }
}

#[test]
fn a_program_that_serves_and_dies_is_given_up_after_twice_as_many() {
    for seed in 0..300 {
        let mut world = World::new(seed, Temper::ServesAndDies);
        world.run(None, 101 * (500 + 70 + SPAWN_LATENCY + 5_000));
        assert_eq!(
            world.outcome.as_ref().map(|(_, outcome)| outcome),
            Some(&Outcome::AllErrored)
        );
        let allowed = (2 * world.app.rules().restart.max_restarts).max(1) as usize;
        assert!(
            world.spawns.iter().all(|spawns| spawns.len() == allowed),
            "{:?}",
            world.spawns
        );
    }
}

#[test]
fn a_program_that_lives_long_is_never_given_up() {
    for seed in 0..300 {
        let mut world = World::new(seed, Temper::LivesLong);
        world.run(Some(120_000), 180_000);
        assert_eq!(world.errored, 0);
        assert!(
            world.spawns.iter().all(|spawns| spawns.len() > 3),
            "{:?}",
            world.spawns
        );
    }
}
