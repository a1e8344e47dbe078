//! Slots that are to be no more.

use tine_rules::managed::{Event, Failure, Outcome, Status};

use crate::driver::*;

#[test]
fn what_runs_is_stopped_and_then_gone() {
    let mut driver = Driver::up(cluster(), 2);
    assert_eq!(driver.ask(2_000, remove(&[0])), [disconnect(0, 1)]);
    assert_eq!(driver.status(0), Status::Stopping);
    let actions = without_ends(driver.at(2_100, exited(0, 1, 0)));
    let gone = answer(2, &[(0, Outcome::Removed)]);
    assert_eq!(actions, [kill_tree(0, 1), release(0), removed(0), gone]);
    assert_eq!(driver.app.view(0), None);
    assert!(driver.app.slots().eq([1]));
}

#[test]
fn what_does_not_run_is_gone_at_once() {
    let mut driver = Driver::new(silent());
    driver.ask(0, add([0]));
    driver.at(5, spawn_failed(0, 1, false));
    let gone = answer(2, &[(0, Outcome::Removed)]);
    assert_eq!(driver.ask(10, remove(&[0])), [removed(0), gone]);
    assert_eq!(driver.at(11, spawned(0, 1)), [], "late news");
}

#[test]
fn nothing_is_started_where_a_slot_was() {
    let mut driver = Driver::new(silent());
    driver.ask(0, add([0]));
    driver.at(0, spawned(0, 1));
    driver.at(100, exited(0, 1, 1));
    driver.at(100, spawned(0, 2));
    driver.at(200, exited(0, 2, 1));
    driver.ask(210, remove(&[0]));
    assert_eq!(driver.wakeup(), None);
    assert_eq!(driver.at(9_000, Event::Woken), []);
}

#[test]
fn a_slot_whose_process_withstands_sigkill_stays() {
    let mut driver = Driver::up(silent(), 1);
    driver.ask(2_000, remove(&[0]));
    driver.at(3_600, Event::Woken);
    let unkillable = Outcome::Failed(Failure::Unkillable { generation: 1 });
    assert_eq!(
        driver.at(5_600, Event::Woken),
        [answer(2, &[(0, unkillable)])]
    );
    assert_eq!(driver.status(0), Status::Errored);
}
