//! Processes that end without having been asked to.

use tine_rules::RestartRules;
use tine_rules::managed::{Action, Ask, Event, ManagedRules, Next, Outcome, Reason, Status};

use crate::driver::*;

/// Lets every process end 10 ms after it was created, and time pass, until the slot does not run.
fn crash_on(driver: &mut Driver) -> Vec<u64> {
    let mut delays = Vec::new();
    let mut now = 0;
    loop {
        let generation = driver.app.view(0).expect("a slot").generation;
        driver.at(now, spawned(0, generation));
        now += 10;
        driver.at(now, exited(0, generation, 1));
        match driver.status(0) {
            Status::Launching => delays.push(0),
            Status::WaitingRestart => {
                let due = driver.wakeup().expect("a time");
                delays.push(due - now);
                now = due;
                driver.at(now, Event::Woken);
            }
            Status::Errored => return delays,
            other => panic!("{other:?}"),
        }
        assert!(delays.len() < 50, "{delays:?}");
    }
}

#[test]
fn a_program_that_dies_at_once_is_given_up_after_as_many_ends_as_are_allowed() {
    for max_restarts in [1, 3, 16] {
        let mut driver = Driver::new(ManagedRules {
            restart: RestartRules {
                max_restarts,
                ..RestartRules::default()
            },
            ..silent()
        });
        driver.ask(0, add([0]));
        crash_on(&mut driver);
        let view = driver.app.view(0).expect("a slot");
        assert_eq!(view.restarts, u64::from(max_restarts) - 1);
        let reason = Reason::TooManyShortEnds {
            ends: max_restarts,
            generation: u64::from(max_restarts),
            exit: code(1),
            lived: ms(10),
        };
        assert_eq!(view.reason, Some(reason));
        assert_eq!(driver.wakeup(), None);
    }
}

#[test]
fn growing_delays_take_the_place_of_all_others() {
    let mut driver = Driver::new(ManagedRules {
        exp_backoff: Some(ms(100)),
        restart: RestartRules {
            restart_delay: ms(7_000),
            max_restarts: 5,
            min_uptime: ms(200),
            ..RestartRules::default()
        },
        ..silent()
    });
    driver.ask(0, add([0]));
    // Five within 5 × 200 ms.
    assert_eq!(crash_on(&mut driver), [100, 150, 225, 337]);
}

#[test]
fn an_end_says_what_comes_next() {
    let mut driver = Driver::up(cluster(), 1);
    let ended = |generation, lived, was_up, next| Action::Ended {
        slot: 0,
        generation,
        exit: code(1),
        lived: ms(lived),
        asked: false,
        was_up,
        next,
    };
    let actions = driver.at(5_000, exited(0, 1, 1));
    assert_eq!(actions, [ended(1, 5_000, true, Next::Restart), spawn(0, 2)]);
    driver.at(5_000, spawned(0, 2));
    let actions = driver.at(5_010, exited(0, 2, 1));
    assert_eq!(actions, [ended(2, 10, false, Next::Restart), spawn(0, 3)]);
    driver.at(5_010, spawned(0, 3));
    let next = Next::RestartAfter(ms(100));
    let actions = driver.at(5_020, exited(0, 3, 1));
    assert_eq!(actions, [ended(3, 10, false, next), lend(0)]);
    assert_eq!(driver.at(5_120, Event::Woken), [spawn(0, 4)]);
}

#[test]
fn without_autorestart_nothing_waits_for_a_restart() {
    let mut driver = Driver::up(
        ManagedRules {
            exp_backoff: Some(ms(100)),
            restart: RestartRules {
                autorestart: false,
                restart_delay: ms(500),
                ..RestartRules::default()
            },
            ..cluster()
        },
        1,
    );
    let actions = without_ends(driver.at(2_000, exited(0, 1, 1)));
    assert_eq!(actions, [release(0)]);
    assert_eq!(driver.status(0), Status::Stopped);
    assert_eq!(driver.wakeup(), None);
}

#[test]
fn counters_can_be_set_to_zero() {
    let mut driver = Driver::up(cluster(), 1);
    driver.at(5_000, exited(0, 1, 1));
    driver.at(5_000, spawned(0, 2));
    driver.at(5_010, exited(0, 2, 1));
    let view = driver.app.view(0).expect("a slot");
    assert_eq!((view.restarts, view.unstable_restarts), (2, 1));
    let reset = Ask::Reset { slots: vec![0, 5] };
    let outcomes = [(0, Outcome::Reset), (5, Outcome::NoSuchSlot)];
    assert_eq!(driver.ask(5_011, reset), [answer(2, &outcomes)]);
    let view = driver.app.view(0).expect("a slot");
    assert_eq!((view.restarts, view.unstable_restarts), (0, 0));
}

#[test]
fn sockets_nobody_has_asked_for_are_given_up_when_all_have_been_up_again_for_a_while() {
    let mut driver = Driver::up(cluster(), 2);
    assert_eq!(driver.wakeup(), None, "nobody was replaced");
    driver.at(5_000, exited(0, 1, 1));
    driver.at(5_000, spawned(0, 2));
    driver.comes_up(5_100, 0, 2);
    assert_eq!(driver.wakeup(), Some(6_100));
    // One falls out.
    driver.at(6_000, exited(1, 1, 1));
    driver.at(6_000, spawned(1, 2));
    assert_eq!(driver.at(6_100, Event::Woken), []);
    driver.comes_up(6_200, 1, 2);
    assert_eq!(driver.at(7_200, Event::Woken), [Action::PruneListeners]);
    assert_eq!(driver.wakeup(), None);
}

#[test]
fn a_slot_is_not_at_rest_while_what_a_reload_left_over_lives() {
    let mut driver = Driver::up(
        ManagedRules {
            restart: RestartRules {
                max_restarts: 0,
                ..RestartRules::default()
            },
            ..cluster()
        },
        1,
    );
    driver.ask(2_000, reload(&[0]));
    driver.at(2_000, spawned(0, 2));
    driver.comes_up(2_050, 0, 2);
    driver.at(2_060, exited(0, 2, 1));
    assert_eq!(driver.status(0), Status::Stopping);
    driver.at(2_100, exited(0, 1, 0));
    assert_eq!(driver.status(0), Status::Errored);
}
