//! Reloads: the new one is up before the old one is stopped, or the old one stays.

use tine_rules::managed::{
    Action, Ask, ChannelKind, Event, Failure, ManagedRules, Next, Outcome, Readiness, Status,
};

use crate::driver::*;

#[test]
fn the_old_process_lives_until_the_new_one_is_up() {
    let mut driver = Driver::up(cluster(), 1);
    assert_eq!(driver.ask(2_000, reload(&[0])), [spawn(0, 2)]);
    driver.at(2_010, spawned(0, 2));
    assert_eq!(driver.at(2_050, online(0, 2)), []);
    let view = driver.app.view(0).expect("a slot");
    assert_eq!(
        (view.status, view.generation, view.starting),
        (Status::Online, 1, Some(2))
    );
    assert_eq!(driver.at(2_090, listening(0, 2)), [disconnect(0, 1)]);
    let view = driver.app.view(0).expect("a slot");
    assert_eq!((view.status, view.generation), (Status::Online, 2));
    assert_eq!(
        (view.starting, view.leaving, view.restarts),
        (None, vec![1], 1)
    );
    let actions = without_ends(driver.at(2_200, exited(0, 1, 0)));
    assert_eq!(actions, [kill_tree(0, 1), answer(2, &[(0, is_up(2))])]);
}

#[test]
fn a_reload_forgets_failures() {
    let mut driver = Driver::up(cluster(), 1);
    driver.at(1_001, exited(0, 1, 1));
    driver.at(1_001, spawned(0, 2));
    driver.comes_up(1_002, 0, 2);
    driver.at(1_003, exited(0, 2, 1));
    driver.at(1_003, spawned(0, 3));
    driver.comes_up(1_004, 0, 3);
    assert_eq!(driver.app.view(0).expect("a slot").unstable_restarts, 1);
    driver.ask(2_000, reload(&[0]));
    driver.at(2_000, spawned(0, 4));
    driver.comes_up(2_050, 0, 4);
    let view = driver.app.view(0).expect("a slot");
    assert_eq!((view.unstable_restarts, view.restarts), (0, 3));
}

#[test]
fn one_slot_is_reloaded_after_the_other() {
    let mut driver = Driver::up(cluster(), 2);
    assert_eq!(driver.ask(2_000, reload(&[1, 0])), [spawn(1, 2)]);
    driver.at(2_010, spawned(1, 2));
    assert_eq!(driver.comes_up(2_050, 1, 2), [disconnect(1, 1)]);
    let actions = without_ends(driver.at(2_200, exited(1, 1, 0)));
    assert_eq!(actions, [kill_tree(1, 1), spawn(0, 2)]);
    driver.at(2_210, spawned(0, 2));
    driver.comes_up(2_250, 0, 2);
    let both = [(0, is_up(2)), (1, is_up(2))];
    assert_eq!(
        answers(driver.at(2_300, exited(0, 1, 0))),
        [answer(2, &both)]
    );
}

#[test]
fn two_slots_are_reloaded_at_a_time_if_that_is_asked_for() {
    let mut driver = Driver::up(cluster(), 3);
    let ask = Ask::Reload {
        slots: vec![0, 1, 2],
        parallel: Some(2),
        force: false,
    };
    assert_eq!(driver.ask(2_000, ask), [spawn(0, 2), spawn(1, 2)]);
}

#[test]
fn a_new_process_that_dies_leaves_the_old_one_and_ends_the_reload() {
    let mut driver = Driver::up(cluster(), 3);
    driver.ask(2_000, reload(&[0, 1, 2]));
    driver.at(2_000, spawned(0, 2));
    let ended = Action::Ended {
        slot: 0,
        generation: 2,
        exit: code(1),
        lived: ms(100),
        asked: false,
        was_up: false,
        next: Next::OtherGeneration,
    };
    let all = [
        (0, failed_with(2, 1, 100)),
        (1, Outcome::NotReloaded),
        (2, Outcome::NotReloaded),
    ];
    let actions = driver.at(2_100, exited(0, 2, 1));
    assert_eq!(actions, [kill_tree(0, 2), ended, answer(2, &all)]);
    let view = driver.app.view(0).expect("a slot");
    assert_eq!(
        (view.status, view.generation, view.restarts),
        (Status::Online, 1, 0)
    );
    assert_eq!(driver.at(3_100, Event::Woken), [Action::PruneListeners]);
    assert_eq!(driver.wakeup(), None);
    // The next reload may be better.
    assert_eq!(driver.ask(4_000, reload(&[0])), [spawn(0, 3)]);
}

#[test]
fn a_new_process_that_cannot_be_created_leaves_the_old_one() {
    let mut driver = Driver::up(cluster(), 1);
    driver.ask(2_000, reload(&[0]));
    let failed = Outcome::Failed(Failure::SpawnFailed { generation: 2 });
    let actions = driver.at(2_010, spawn_failed(0, 2, true));
    assert_eq!(actions, [answer(2, &[(0, failed)])]);
    assert_eq!(driver.status(0), Status::Online);
}

#[test]
fn a_new_process_that_is_late_is_ended_and_the_old_one_stays() {
    for rules in [cluster(), waits_for_ready()] {
        let mut driver = Driver::up(rules, 1);
        driver.ask(2_000, reload(&[0]));
        driver.at(2_010, spawned(0, 2));
        // The old one listens, so this is not enough.
        driver.at(2_050, online(0, 2));
        assert_eq!(driver.at(5_009, Event::Woken), []);
        assert_eq!(driver.at(5_010, Event::Woken), [kill_tree(0, 2)]);
        let actions = answers(driver.at(5_011, exited(0, 2, 0)));
        assert_eq!(actions, [answer(2, &[(0, not_ready(2))])]);
        let view = driver.app.view(0).expect("a slot");
        assert_eq!((view.generation, view.up), (1, true));
    }
}

#[test]
fn a_worker_that_never_listened_is_replaced_by_one_that_does_not() {
    let mut driver = Driver::new(cluster());
    driver.ask(0, add([0]));
    driver.at(0, spawned(0, 1));
    driver.at(20, online(0, 1));
    driver.at(1_000, Event::Woken);
    driver.ask(2_000, reload(&[0]));
    driver.at(2_000, spawned(0, 2));
    driver.at(2_020, online(0, 2));
    assert_eq!(driver.at(3_000, Event::Woken), [disconnect(0, 1)]);
}

#[test]
fn what_does_not_run_is_started() {
    let mut driver = Driver::up(cluster(), 1);
    driver.ask(2_000, stop(&[0]));
    driver.at(2_100, exited(0, 1, 0));
    assert_eq!(driver.ask(3_000, reload(&[0])), [spawn(0, 2)]);
    driver.at(3_000, spawned(0, 2));
    assert_eq!(driver.comes_up(3_050, 0, 2), [answer(3, &[(0, is_up(2))])]);
}

#[test]
fn where_two_cannot_serve_side_by_side_a_reload_is_a_restart() {
    let alone = ManagedRules {
        channel: ChannelKind::Messages,
        readiness: Readiness::Message,
        ..silent()
    };
    for rules in [silent(), alone] {
        let mut driver = Driver::up(rules, 1);
        assert_eq!(driver.ask(2_000, reload(&[0])), [signal(0, 1)]);
        let actions = without_ends(driver.at(2_100, exited(0, 1, 0)));
        assert_eq!(actions, [kill_tree(0, 1), spawn(0, 2)]);
        driver.at(2_100, spawned(0, 2));
        let actions = driver.comes_up(2_150, 0, 2);
        assert_eq!(actions, [answer(2, &[(0, is_up(2))])]);
        assert_eq!(driver.app.view(0).expect("a slot").restarts, 1);
    }
}

#[test]
fn a_second_reload_is_refused() {
    let mut driver = Driver::up(cluster(), 2);
    driver.ask(2_000, reload(&[0]));
    let refused = [(0, Outcome::ReloadUnderWay), (1, Outcome::ReloadUnderWay)];
    assert_eq!(driver.ask(2_001, reload(&[0, 1])), [answer(3, &refused)]);
    driver.at(2_010, spawned(0, 2));
    assert_eq!(
        driver.comes_up(2_050, 0, 2),
        [disconnect(0, 1)],
        "the first goes on"
    );
}

#[test]
fn a_second_reload_with_force_begins_anew() {
    let mut driver = Driver::up(cluster(), 2);
    driver.ask(2_000, reload(&[0, 1]));
    driver.at(2_010, spawned(0, 2));
    let superseded = [(0, Outcome::Superseded), (1, Outcome::Superseded)];
    let actions = driver.ask(2_050, force_reload(&[0, 1]));
    assert_eq!(actions, [kill_tree(0, 2), answer(2, &superseded)]);
    // Never three in a slot.
    let actions = without_ends(driver.at(2_051, exited(0, 2, 0)));
    assert_eq!(actions, [kill_tree(0, 2), spawn(0, 3)]);
    driver.at(2_060, spawned(0, 3));
    assert_eq!(driver.comes_up(2_100, 0, 3), [disconnect(0, 1)]);
}

#[test]
fn what_a_superseded_reload_has_half_started_is_ended_though_the_next_is_about_others() {
    let mut driver = Driver::up(cluster(), 2);
    driver.ask(2_000, reload(&[0]));
    driver.at(2_010, spawned(0, 2));
    let superseded = answer(2, &[(0, Outcome::Superseded)]);
    let actions = driver.ask(2_050, force_reload(&[1]));
    assert_eq!(actions, [kill_tree(0, 2), spawn(1, 2), superseded]);
    let view = driver.app.view(0).expect("a slot");
    assert_eq!((view.generation, view.starting), (1, None));
}

#[test]
fn a_stop_stops_both_generations() {
    let mut driver = Driver::up(cluster(), 1);
    driver.ask(2_000, reload(&[0]));
    driver.at(2_010, spawned(0, 2));
    let superseded = answer(2, &[(0, Outcome::Superseded)]);
    let actions = driver.ask(2_050, stop(&[0]));
    assert_eq!(actions, [disconnect(0, 1), signal(0, 2), superseded]);
    assert_eq!(answers(driver.at(2_060, exited(0, 2, 0))), []);
    let stopped = [answer(3, &[(0, Outcome::Stopped)])];
    assert_eq!(answers(driver.at(2_100, exited(0, 1, 0))), stopped);
}

#[test]
fn if_the_old_process_dies_the_new_one_is_the_replacement() {
    let mut driver = Driver::up(cluster(), 1);
    driver.ask(2_000, reload(&[0]));
    driver.at(2_010, spawned(0, 2));
    assert_eq!(without_ends(driver.at(2_020, exited(0, 1, 1))), []);
    assert_eq!(driver.status(0), Status::Launching);
    let actions = driver.comes_up(2_050, 0, 2);
    assert_eq!(actions, [answer(2, &[(0, is_up(2))])]);
}

#[test]
fn if_both_die_the_rules_of_replacement_hold() {
    let mut driver = Driver::up(cluster(), 1);
    driver.ask(2_000, reload(&[0]));
    driver.at(2_010, spawned(0, 2));
    driver.at(2_020, exited(0, 1, 1));
    let actions = without_ends(driver.at(2_110, exited(0, 2, 1)));
    assert_eq!(
        actions,
        [spawn(0, 3), answer(2, &[(0, failed_with(2, 1, 100))])]
    );
}

#[test]
fn a_new_process_that_dies_while_the_old_one_is_leaving_fails_the_reload() {
    let mut driver = Driver::up(cluster(), 2);
    driver.ask(2_000, reload(&[0, 1]));
    driver.at(2_000, spawned(0, 2));
    driver.comes_up(2_050, 0, 2);
    let actions = without_ends(driver.at(2_100, exited(0, 2, 1)));
    assert_eq!(actions, [spawn(0, 3)]);
    let both = [(0, failed_with(2, 1, 100)), (1, Outcome::NotReloaded)];
    assert_eq!(
        answers(driver.at(2_200, exited(0, 1, 0))),
        [answer(2, &both)]
    );
}

#[test]
fn an_old_process_that_cannot_be_ended_fails_the_reload_and_no_other_comes_beside_it() {
    let mut driver = Driver::up(cluster(), 1);
    driver.ask(2_000, reload(&[0]));
    driver.at(2_000, spawned(0, 2));
    driver.comes_up(2_000, 0, 2);
    driver.at(2_800, Event::Woken);
    driver.at(3_600, Event::Woken);
    let unkillable = Outcome::Failed(Failure::Unkillable { generation: 1 });
    let actions = answers(driver.at(5_600, Event::Woken));
    assert_eq!(actions, [answer(2, &[(0, unkillable)])]);
    assert_eq!(driver.status(0), Status::Online, "the new one serves");
    assert_eq!(
        driver.ask(6_000, reload(&[0])),
        [answer(3, &[(0, unkillable)])]
    );
    // A restart tries to end it again.
    let actions = driver.ask(7_000, restart(&[0]));
    assert_eq!(actions, [kill_tree(0, 1), disconnect(0, 2)]);
}
