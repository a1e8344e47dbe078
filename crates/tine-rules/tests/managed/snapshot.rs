//! Going on from a snapshot.

use tine_rules::Millis;
use tine_rules::managed::{
    Ask, Event, Managed, ManagedRules, Outcome, SavedState, Snapshot, Standing, Status, Then,
};

use crate::driver::*;

/// The same app after a loss, with a clock that begins anew.
fn restored(driver: &Driver, now: u64, rules: ManagedRules, later: u64) -> Driver {
    let snapshot = driver.app.snapshot(Millis(now));
    Driver::with(Managed::restore(rules, snapshot, Millis(later)))
}

#[test]
fn what_is_restored_gives_the_same_snapshot() {
    let mut driver = Driver::up(cluster(), 3);
    driver.at(5_000, exited(0, 1, 1));
    driver.at(5_000, spawned(0, 2));
    driver.at(5_001, exited(0, 2, 1));
    driver.at(5_001, spawned(0, 3));
    driver.at(5_002, exited(0, 3, 1));
    driver.ask(5_003, restart(&[2]));
    let before = driver.app.snapshot(Millis(5_010));
    let again = restored(&driver, 5_010, cluster(), 77);
    assert_eq!(again.app.snapshot(Millis(77)), before);
    let statuses: Vec<Status> = (0..3).map(|slot| again.status(slot)).collect();
    let expected = [Status::WaitingRestart, Status::Online, Status::Stopping];
    assert_eq!(statuses, expected);
    assert_eq!(
        driver.app.snapshot_slot(2, Millis(5_010)),
        before.slots.get(2).cloned()
    );
}

#[test]
fn a_running_process_keeps_its_age_though_the_clock_is_younger() {
    let driver = Driver::up(silent(), 1);
    let mut again = restored(&driver, 3_600_000, silent(), 5);
    assert_eq!(again.wakeup(), None);
    let actions = again.at(105, exited(0, 1, 1));
    let lived = actions.iter().find_map(|action| match action {
        tine_rules::managed::Action::Ended { lived, .. } => Some(*lived),
        _ => None,
    });
    assert_eq!(lived, Some(ms(3_600_100)));
    // So this was a stable end.
    assert!(actions.contains(&spawn(0, 2)));
    assert_eq!(again.app.view(0).expect("a slot").unstable_restarts, 0);
}

#[test]
fn a_process_that_was_coming_up_has_what_is_left_of_its_time() {
    let mut driver = Driver::new(silent());
    driver.ask(0, add([0]));
    driver.at(0, spawned(0, 1));
    let again = restored(&driver, 400, silent(), 10_000);
    assert_eq!(again.wakeup(), Some(10_600));
    // Also by a clock that is younger than the process.
    let again = restored(&driver, 400, silent(), 5);
    assert_eq!(again.wakeup(), Some(605));
}

#[test]
fn a_slot_that_waited_goes_on_waiting_for_what_is_left() {
    let mut driver = Driver::new(silent());
    driver.ask(0, add([0]));
    driver.at(0, spawned(0, 1));
    driver.at(100, exited(0, 1, 1));
    driver.at(100, spawned(0, 2));
    driver.at(200, exited(0, 2, 1));
    let snapshot = driver.app.snapshot(Millis(240));
    let at_once = Managed::restore(silent(), snapshot.clone(), Millis(0));
    assert_eq!(at_once.next_wakeup(), Some(Millis(60)));
    let later = Managed::restore(silent(), snapshot.aged(ms(50)), Millis(0));
    assert_eq!(later.next_wakeup(), Some(Millis(10)));
}

#[test]
fn a_stop_begins_again_with_the_signal() {
    let mut driver = Driver::up(cluster(), 1);
    assert_eq!(driver.ask(2_000, restart(&[0])), [disconnect(0, 1)]);
    let mut again = restored(&driver, 2_100, cluster(), 0);
    let mut actions = again.fetch();
    actions.retain(|action| !matches!(action, tine_rules::managed::Action::Changed { .. }));
    assert_eq!(actions, [signal(0, 1)]);
    assert_eq!(again.wakeup(), Some(1_600));
    let actions = without_ends(again.at(10, exited(0, 1, 0)));
    assert_eq!(actions, [kill_tree(0, 1), spawn(0, 2)], "it was a restart");
}

#[test]
fn a_reload_that_was_under_way_is_dropped() {
    let mut driver = Driver::up(cluster(), 1);
    driver.ask(2_000, reload(&[0]));
    driver.at(2_010, spawned(0, 2));
    let mut again = restored(&driver, 2_100, cluster(), 0);
    assert!(again.fetch().contains(&kill_tree(0, 2)));
    assert_eq!(again.status(0), Status::Online);
    assert_eq!(again.app.view(0).expect("a slot").leaving, [2]);
    again.at(3, exited(0, 2, 0));
    assert_eq!(again.app.view(0).expect("a slot").leaving, []);
    let ask = Ask::Reload {
        slots: vec![0],
        parallel: None,
        force: false,
    };
    assert_eq!(again.ask(10, ask), [spawn(0, 3)]);
}

#[test]
fn an_order_that_was_lost_is_given_again() {
    let mut driver = Driver::new(silent());
    driver.ask_unfetched(0, add([0]));
    let snapshot = driver.app.snapshot(Millis(0));
    let [slot] = &snapshot.slots[..] else {
        panic!("{snapshot:?}");
    };
    let SavedState::Running { process } = slot.state else {
        panic!("{slot:?}");
    };
    assert_eq!(process.standing, Standing::Ordered);
    let mut again = Driver::with(Managed::restore(silent(), snapshot, Millis(0)));
    again.fetch();
    let lost = Event::OrderLost {
        slot: 0,
        generation: 1,
    };
    assert_eq!(again.at(1, lost.clone()), [spawn(0, 2)]);
    again.at(2, spawned(0, 2));
    assert_eq!(again.at(3, lost), [], "late news");
}

#[test]
fn a_removal_goes_on() {
    let mut driver = Driver::up(silent(), 1);
    driver.ask(2_000, remove(&[0]));
    let mut again = restored(&driver, 2_100, silent(), 0);
    let actions = without_ends(again.at(10, exited(0, 1, 0)));
    assert!(actions.contains(&removed(0)), "{actions:?}");
}

#[test]
fn a_removal_of_which_nothing_is_left_is_carried_out() {
    let mut driver = Driver::up(silent(), 1);
    driver.ask(2_000, remove(&[0]));
    let mut snapshot: Snapshot = driver.app.snapshot(Millis(2_000));
    snapshot.slots[0].leaving.clear();
    assert_eq!(
        snapshot.slots[0].state,
        SavedState::Stopping { then: Then::Remove }
    );
    let mut again = Driver::with(Managed::restore(silent(), snapshot, Millis(0)));
    assert_eq!(again.fetch(), [removed(0)]);
    assert_eq!(again.app.slots().count(), 0);
}

#[test]
fn what_was_asked_before_has_no_answer() {
    let mut driver = Driver::up(silent(), 1);
    driver.ask(2_000, stop(&[0]));
    let mut again = restored(&driver, 2_100, silent(), 0);
    assert_eq!(again.app.unanswered().count(), 0);
    assert_eq!(answers(again.at(10, exited(0, 1, 0))), []);
    let stopped = answer(1, &[(0, Outcome::Stopped)]);
    assert_eq!(again.ask(20, stop(&[0])), [stopped]);
}
