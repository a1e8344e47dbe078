//! Connections of random length come to N workers, and the rule says who gets each.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tine_rules::Millis;
use tine_rules::balance::{Answer, EVERY, Order, Rotation, SHARE};

/// Marsaglia's xorshift: the same seed, the same world.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Times are in microseconds here, as a primary's events are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Event {
    Arrives,
    Answers { worker: usize },
    Closes { worker: usize },
}

#[derive(Clone, Copy)]
struct Setting {
    seed: u64,
    order: Order,
    workers: usize,
    connections: usize,
    /// Time between two connections: below twice this.
    gap: u64,
    /// How long a connection of this worker stays open.
    length: fn(&mut Dice, worker: usize) -> u64,
    /// How long one count takes.
    cost: u64,
}

#[derive(Default)]
struct World {
    now: u64,
    events: BinaryHeap<Reverse<(u64, usize, Event)>>,
    number: usize,
    /// Taken and still open.
    open: Vec<usize>,
    /// On the way.
    asked: Vec<usize>,
    closed_since_count: Vec<usize>,
    given: Vec<usize>,
    waiting: usize,
    /// When each count was over.
    counts: Vec<u64>,
    /// Most loaded minus least, at each connection given.
    spread: Vec<usize>,
}

impl World {
    fn at(&mut self, time: u64, event: Event) {
        self.number += 1;
        self.events.push(Reverse((time, self.number, event)));
    }

    fn load(&self, worker: usize) -> usize {
        self.open[worker] + self.asked[worker]
    }

    fn millis(&self) -> Millis {
        Millis(self.now / 1000)
    }
}

fn run(setting: Setting) -> World {
    let zeros = vec![0; setting.workers];
    let mut world = World {
        open: zeros.clone(),
        asked: zeros.clone(),
        closed_since_count: zeros.clone(),
        given: zeros,
        ..World::default()
    };
    let mut dice = Dice(setting.seed);
    let mut rotation = Rotation::with_order(setting.order);
    (0..setting.workers).for_each(|worker| rotation.add(worker));
    let mut arrived = 0;
    let mut last_answer = vec![0; setting.workers];
    world.at(0, Event::Arrives);
    while let Some(Reverse((time, _, event))) = world.events.pop() {
        world.now = world.now.max(time);
        match event {
            Event::Arrives => {
                world.waiting += 1;
                arrived += 1;
                if arrived < setting.connections {
                    let next = world.now + dice.below(2 * setting.gap);
                    world.at(next, Event::Arrives);
                }
            }
            Event::Answers { worker } => {
                world.asked[worker] -= 1;
                world.open[worker] += 1;
                rotation.answered(worker, Answer::Taken, world.millis());
                let end = world.now + (setting.length)(&mut dice, worker);
                world.at(end, Event::Closes { worker });
            }
            Event::Closes { worker } => {
                world.open[worker] -= 1;
                world.closed_since_count[worker] += 1;
            }
        }
        while world.waiting > 0 && rotation.anyone_free(world.millis()) {
            give(
                &setting,
                &mut world,
                &mut rotation,
                &mut dice,
                &mut last_answer,
            );
        }
    }
    assert_eq!(world.given.iter().sum::<usize>(), setting.connections);
    world
}

fn give(
    setting: &Setting,
    world: &mut World,
    rotation: &mut Rotation<usize>,
    dice: &mut Dice,
    last_answer: &mut [u64],
) {
    if rotation.needs_count(world.millis()) {
        for (worker, open) in world.open.iter().enumerate() {
            rotation.set_held(worker, *open);
        }
        world.now += setting.cost;
        world.closed_since_count.fill(0);
        world.counts.push(world.now);
        rotation.counted(world.millis(), Duration::from_micros(setting.cost));
    }
    let loads: Vec<usize> = (0..setting.workers)
        .map(|worker| world.load(worker))
        .collect();
    let known: Vec<usize> = (0..setting.workers)
        .map(|worker| rotation.load(worker))
        .collect();
    // A copy says who else was free: it gives until nobody is.
    let mut free = rotation.clone();
    let free: Vec<usize> = std::iter::from_fn(|| free.next(world.millis())).collect();
    let Some(chosen) = rotation.next(world.millis()) else {
        return;
    };
    if setting.order == Order::Least {
        for worker in 0..setting.workers {
            assert!(
                loads[worker] <= known[worker],
                "never believed to hold fewer"
            );
        }
        for other in free {
            assert!(
                loads[chosen] <= loads[other] + world.closed_since_count[other],
                "{chosen} was chosen over {other}: {loads:?}"
            );
        }
    }
    world.waiting -= 1;
    world.asked[chosen] += 1;
    world.given[chosen] += 1;
    let after = (0..setting.workers).map(|worker| world.load(worker));
    world
        .spread
        .push(after.clone().max().unwrap() - after.min().unwrap());
    // Each answers in the order it was asked.
    last_answer[chosen] = last_answer[chosen].max(world.now) + dice.below(300);
    world.at(last_answer[chosen], Event::Answers { worker: chosen });
}

/// Nine of ten are short, one is a hundred times longer.
fn mixed(dice: &mut Dice, _worker: usize) -> u64 {
    let longest = if dice.below(10) == 0 {
        5_000_000
    } else {
        50_000
    };
    dice.below(longest)
}

const SETTING: Setting = Setting {
    seed: 0,
    order: Order::Least,
    workers: 4,
    connections: 2_000,
    gap: 1_000,
    length: mixed,
    cost: 700,
};

fn mean(values: &[usize]) -> f64 {
    values.iter().sum::<usize>() as f64 / values.len() as f64
}

#[test]
fn nobody_is_chosen_over_one_that_held_less_when_they_were_counted() {
    for seed in 1..=10 {
        for workers in [2, 4, 7] {
            // The assertions are at each connection given.
            let world = run(Setting {
                seed,
                workers,
                ..SETTING
            });
            assert!(world.counts.len() > 20, "{}", world.counts.len());
        }
    }
}

#[test]
fn as_long_as_nothing_closes_all_hold_the_same() {
    for seed in 1..=10 {
        let world = run(Setting {
            seed,
            length: |_, _| 1 << 40,
            connections: 1_000,
            ..SETTING
        });
        assert!(world.spread.iter().all(|spread| *spread <= 1));
        assert_eq!(world.given, [250; 4]);
    }
}

#[test]
fn long_connections_are_spread_better_than_by_turns() {
    for seed in 1..=10 {
        let least = run(Setting { seed, ..SETTING });
        let turns = run(Setting {
            seed,
            order: Order::Turns,
            ..SETTING
        });
        assert!(turns.counts.is_empty(), "turns need no counts");
        let (least, turns) = (mean(&least.spread), mean(&turns.spread));
        assert!(least < turns / 2.0, "{least:.1} against {turns:.1}");
    }
}

#[test]
fn counting_keeps_its_distance_and_its_share() {
    for (cost, gap) in [(0, 1_000), (700, 1_000), (9_000, 1_000), (40_000, 5_000)] {
        let world = run(Setting {
            seed: 9,
            cost,
            gap,
            ..SETTING
        });
        let mut pauses = world.counts.windows(2).map(|pair| pair[1] - pair[0] - cost);
        // The clock of the rules is in whole milliseconds.
        let least = (EVERY.as_micros() as u64).max(cost * u64::from(SHARE - 1)) - 1_000;
        assert!(world.counts.len() > 10, "{} at {cost}", world.counts.len());
        assert!(pauses.all(|pause| pause >= least), "at {cost}");
    }
}

#[test]
fn a_worker_whose_connections_get_stuck_is_given_fewer() {
    let length: fn(&mut Dice, usize) -> u64 = |dice, worker| {
        let longest = if worker == 0 { 2_000_000 } else { 50_000 };
        dice.below(longest)
    };
    for seed in 1..=10 {
        let least = run(Setting {
            seed,
            length,
            ..SETTING
        });
        let others = mean(&least.given[1..]);
        assert!((least.given[0] as f64) < others / 4.0, "{:?}", least.given);
        let turns = run(Setting {
            seed,
            length,
            order: Order::Turns,
            ..SETTING
        });
        assert_eq!(turns.given, [500; 4]);
    }
}
