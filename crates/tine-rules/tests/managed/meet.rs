//! Asks that meet in a slot.

use tine_rules::managed::{Ask, Outcome, Status, Until};

use crate::driver::*;

#[test]
fn two_starts_wait_for_the_same() {
    let mut driver = Driver::new(cluster());
    driver.ask(0, add([0]));
    driver.at(0, spawned(0, 1));
    assert_eq!(driver.ask(5, start(&[0])), []);
    let both = [answer(1, &[(0, is_up(1))]), answer(2, &[(0, is_up(1))])];
    assert_eq!(driver.at(50, listening(0, 1)), both);
}

#[test]
fn two_stops_wait_for_the_same() {
    let mut driver = Driver::up(silent(), 1);
    assert_eq!(driver.ask(2_000, stop(&[0])), [signal(0, 1)]);
    assert_eq!(driver.ask(2_001, stop(&[0])), []);
    let stopped = [(0, Outcome::Stopped)];
    let both = [answer(2, &stopped), answer(3, &stopped)];
    assert_eq!(answers(driver.at(2_100, exited(0, 1, 0))), both);
}

#[test]
fn a_start_waits_for_the_restart_that_is_under_way() {
    let mut driver = Driver::up(cluster(), 1);
    driver.ask(2_000, restart(&[0]));
    assert_eq!(driver.ask(2_001, start(&[0])), []);
    driver.at(2_100, exited(0, 1, 0));
    driver.at(2_100, spawned(0, 2));
    let first = [answer(2, &[(0, is_online(2))])];
    assert_eq!(driver.at(2_150, online(0, 2)), first);
    assert_eq!(
        driver.at(2_160, listening(0, 2)),
        [answer(3, &[(0, is_up(2))])]
    );
}

#[test]
fn a_start_undoes_a_stop() {
    let mut driver = Driver::up(silent(), 1);
    driver.ask(2_000, stop(&[0]));
    let superseded = answer(2, &[(0, Outcome::Superseded)]);
    assert_eq!(driver.ask(2_001, start(&[0])), [superseded]);
    let actions = without_ends(driver.at(2_100, exited(0, 1, 0)));
    assert_eq!(actions, [kill_tree(0, 1), spawn(0, 2)]);
}

#[test]
fn a_start_undoes_a_removal() {
    let mut driver = Driver::up(silent(), 1);
    driver.ask(2_000, remove(&[0]));
    let superseded = answer(2, &[(0, Outcome::Superseded)]);
    assert_eq!(driver.ask(2_001, start(&[0])), [superseded]);
    let actions = without_ends(driver.at(2_100, exited(0, 1, 0)));
    assert_eq!(actions, [kill_tree(0, 1), spawn(0, 2)]);
}

#[test]
fn a_stop_does_not_undo_a_removal() {
    let mut driver = Driver::up(silent(), 1);
    driver.ask(2_000, remove(&[0]));
    assert_eq!(driver.ask(2_001, stop(&[0])), []);
    let actions = without_ends(driver.at(2_100, exited(0, 1, 0)));
    let both = [
        kill_tree(0, 1),
        removed(0),
        answer(2, &[(0, Outcome::Removed)]),
        answer(3, &[(0, Outcome::Stopped)]),
    ];
    assert_eq!(actions, both);
}

#[test]
fn the_newer_of_two_restarts_wins() {
    let mut driver = Driver::up(silent(), 1);
    driver.ask(2_000, restart(&[0]));
    driver.at(2_100, exited(0, 1, 0));
    let actions = driver.ask(2_101, restart(&[0]));
    assert_eq!(actions, [answer(2, &[(0, Outcome::Superseded)])]);
    // The process that is being created may know only what was asked before.
    assert_eq!(driver.at(2_105, spawned(0, 2)), [signal(0, 2)]);
    driver.at(2_110, exited(0, 2, 0));
    let newest = [answer(3, &[(0, is_online(3))])];
    assert_eq!(driver.at(2_120, spawned(0, 3)), newest);
}

#[test]
fn an_ask_is_superseded_only_in_the_slots_that_were_taken_over() {
    let mut driver = Driver::up(silent(), 3);
    let one_by_one = Ask::Restart {
        slots: vec![0, 1, 2],
        parallel: Some(1),
        until: Until::Online,
    };
    assert_eq!(driver.ask(2_000, one_by_one), [signal(0, 1)]);
    // 1 has not been begun, and never will be.
    assert_eq!(driver.ask(2_001, stop(&[1])), [signal(1, 1)]);
    driver.at(2_010, exited(1, 1, 0));
    assert_eq!(driver.status(1), Status::Stopped);
    driver.at(2_020, exited(0, 1, 0));
    assert_eq!(driver.at(2_030, spawned(0, 2)), [signal(2, 1)]);
    driver.at(2_040, exited(2, 1, 0));
    let all = [
        (0, is_online(2)),
        (1, Outcome::Superseded),
        (2, is_online(2)),
    ];
    assert_eq!(driver.at(2_050, spawned(2, 2)), [answer(2, &all)]);
}
