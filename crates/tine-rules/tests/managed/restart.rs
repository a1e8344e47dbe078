//! Restarts by hand.

use tine_rules::managed::{Ask, Event, Outcome, Status, Until};

use crate::driver::*;

#[test]
fn a_restart_is_a_stop_and_a_start_and_counts_as_one() {
    let mut driver = Driver::up(cluster(), 1);
    assert_eq!(driver.ask(2_000, restart(&[0])), [disconnect(0, 1)]);
    let actions = without_ends(driver.at(2_100, exited(0, 1, 0)));
    assert_eq!(actions, [kill_tree(0, 1), spawn(0, 2)]);
    driver.at(2_110, spawned(0, 2));
    let online_again = [answer(2, &[(0, is_online(2))])];
    assert_eq!(driver.at(2_150, online(0, 2)), online_again);
    assert_eq!(driver.app.view(0).expect("a slot").restarts, 1);
}

#[test]
fn what_does_not_run_is_started_and_counts_as_none() {
    let mut driver = Driver::up(silent(), 1);
    driver.ask(2_000, stop(&[0]));
    driver.at(2_001, exited(0, 1, 0));
    assert_eq!(driver.ask(3_000, restart(&[0])), [spawn(0, 2)]);
    let online_again = [answer(3, &[(0, is_online(2))])];
    assert_eq!(driver.at(3_005, spawned(0, 2)), online_again);
    assert_eq!(driver.app.view(0).expect("a slot").restarts, 0);
}

#[test]
fn half_of_the_slots_are_restarted_at_a_time() {
    let mut driver = Driver::up(cluster(), 3);
    let actions = driver.ask(2_000, restart(&[2, 0, 1]));
    assert_eq!(actions, [disconnect(2, 1), disconnect(0, 1)]);
    driver.at(2_100, exited(0, 1, 0));
    assert_eq!(driver.at(2_100, spawned(0, 2)), []);
    // The next goes on when one is online.
    assert_eq!(driver.at(2_150, online(0, 2)), [disconnect(1, 1)]);
    assert_eq!(driver.status(2), Status::Stopping);
    driver.at(2_200, exited(2, 1, 0));
    driver.at(2_200, spawned(2, 2));
    assert_eq!(driver.at(2_250, online(2, 2)), []);
    driver.at(2_300, exited(1, 1, 0));
    driver.at(2_300, spawned(1, 2));
    let all = [(0, is_online(2)), (1, is_online(2)), (2, is_online(2))];
    assert_eq!(driver.at(2_350, online(1, 2)), [answer(2, &all)]);
}

#[test]
fn the_next_slots_go_on_when_one_is_online_though_up_is_waited_for() {
    let mut driver = Driver::up(cluster(), 2);
    let ask = Ask::Restart {
        slots: vec![0, 1],
        parallel: Some(1),
        until: Until::Up,
    };
    assert_eq!(driver.ask(2_000, ask), [disconnect(0, 1)]);
    driver.at(2_100, exited(0, 1, 0));
    driver.at(2_100, spawned(0, 2));
    assert_eq!(driver.at(2_150, online(0, 2)), [disconnect(1, 1)]);
    assert_eq!(driver.at(2_160, listening(0, 2)), []);
    driver.at(2_200, exited(1, 1, 0));
    driver.at(2_200, spawned(1, 2));
    assert_eq!(driver.at(2_250, online(1, 2)), []);
    let both = [(0, is_up(2)), (1, is_up(2))];
    assert_eq!(driver.at(2_260, listening(1, 2)), [answer(2, &both)]);
}

#[test]
fn one_that_fails_does_not_hold_up_the_next() {
    let mut driver = Driver::up(cluster(), 2);
    driver.ask(2_000, restart(&[0, 1]));
    driver.at(2_100, exited(0, 1, 0));
    driver.at(2_100, spawned(0, 2));
    let actions = without_ends(driver.at(2_150, exited(0, 2, 1)));
    assert_eq!(actions, [spawn(0, 3), disconnect(1, 1)]);
    driver.at(2_200, exited(1, 1, 0));
    driver.at(2_200, spawned(1, 2));
    let both = [(0, failed_with(2, 1, 50)), (1, is_online(2))];
    assert_eq!(driver.at(2_250, online(1, 2)), [answer(2, &both)]);
}

#[test]
fn none_at_a_time_is_one_at_a_time() {
    let mut driver = Driver::up(cluster(), 2);
    let ask = Ask::Restart {
        slots: vec![0, 1],
        parallel: Some(0),
        until: Until::Online,
    };
    assert_eq!(driver.ask(2_000, ask), [disconnect(0, 1)]);
}

#[test]
fn a_restart_by_hand_forgets_failures() {
    let mut driver = Driver::up(cluster(), 1);
    for generation in 1..5 {
        let now = 5_000 + generation;
        driver.at(now, exited(0, generation, 1));
        driver.at(now, spawned(0, generation + 1));
        driver.comes_up(now, 0, generation + 1);
    }
    assert_eq!(driver.app.view(0).expect("a slot").unstable_restarts, 3);
    driver.ask(5_100, restart(&[0]));
    let view = driver.app.view(0).expect("a slot");
    assert_eq!((view.unstable_restarts, view.restarts), (0, 5));
}

#[test]
fn a_restart_that_is_stopped_does_not_start() {
    let mut driver = Driver::up(cluster(), 1);
    driver.ask(2_000, restart(&[0]));
    let superseded = [answer(2, &[(0, Outcome::Superseded)])];
    assert_eq!(driver.ask(2_010, stop(&[0])), superseded);
    let actions = without_ends(driver.at(2_100, exited(0, 1, 0)));
    let stopped = answer(3, &[(0, Outcome::Stopped)]);
    assert_eq!(actions, [kill_tree(0, 1), release(0), stopped]);
    assert_eq!(driver.at(9_000, Event::Woken), []);
}
