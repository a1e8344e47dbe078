//! What a start waits for, and what it makes of failures.

use tine_rules::RestartRules;
use tine_rules::managed::{Action, Ask, Event, Failure, ManagedRules, Outcome, Reason, Status};

use crate::driver::*;

#[test]
fn a_silent_process_is_online_when_it_exists_and_up_when_it_has_lived_min_uptime() {
    let mut driver = Driver::new(silent());
    assert_eq!(driver.ask(0, add([7])), [spawn(7, 1)]);
    assert_eq!(driver.status(7), Status::Launching);
    assert_eq!(driver.at(5, spawned(7, 1)), []);
    assert_eq!(driver.status(7), Status::Online);
    assert_eq!(driver.wakeup(), Some(1_005));
    assert_eq!(
        driver.at(1_005, Event::Woken),
        [answer(1, &[(7, is_up(1))])]
    );
    assert_eq!(driver.wakeup(), None, "nothing is left to wait for");
}

#[test]
fn a_silent_process_that_is_seen_to_listen_is_up_at_once() {
    let mut driver = Driver::new(silent());
    driver.ask(0, add([0]));
    driver.at(5, spawned(0, 1));
    assert_eq!(
        driver.at(40, listening(0, 1)),
        [answer(1, &[(0, is_up(1))])]
    );
    assert_eq!(driver.wakeup(), None);
}

#[test]
fn a_cluster_worker_is_online_by_its_word_and_up_when_it_listens() {
    let mut driver = Driver::new(cluster());
    driver.ask(0, add([0]));
    driver.at(5, spawned(0, 1));
    assert_eq!(driver.status(0), Status::Launching);
    assert_eq!(driver.at(30, online(0, 1)), []);
    assert_eq!(driver.status(0), Status::Online);
    assert_eq!(
        driver.at(60, listening(0, 1)),
        [answer(1, &[(0, is_up(1))])]
    );
}

#[test]
fn a_cluster_worker_that_listens_to_nothing_is_up_when_it_has_lived_min_uptime() {
    let mut driver = Driver::new(cluster());
    driver.ask(0, add([0]));
    driver.at(5, spawned(0, 1));
    driver.at(30, online(0, 1));
    assert_eq!(driver.at(1_004, Event::Woken), []);
    assert_eq!(
        driver.at(1_005, Event::Woken),
        [answer(1, &[(0, is_up(1))])]
    );
}

#[test]
fn a_process_that_is_to_say_ready_is_neither_online_nor_up_before() {
    let mut driver = Driver::new(waits_for_ready());
    driver.ask(0, add([0]));
    driver.at(0, spawned(0, 1));
    driver.at(10, online(0, 1));
    driver.at(20, listening(0, 1));
    assert_eq!(driver.at(2_000, Event::Woken), []);
    assert_eq!(driver.status(0), Status::Launching);
    assert_eq!(driver.at(2_100, ready(0, 1)), [answer(1, &[(0, is_up(1))])]);
    assert_eq!(driver.status(0), Status::Online);
}

#[test]
fn what_is_not_ready_in_time_fails_the_start_and_is_left_alone() {
    for rules in [waits_for_ready(), cluster()] {
        let mut driver = Driver::new(rules);
        driver.ask(0, add([0]));
        driver.at(10, spawned(0, 1));
        assert_eq!(driver.wakeup(), Some(3_010));
        assert_eq!(
            driver.at(3_010, Event::Woken),
            [answer(1, &[(0, not_ready(1))])]
        );
        assert_eq!(driver.status(0), Status::Launching);
        let reason = driver.app.view(0).expect("a slot").reason;
        assert!(
            matches!(reason, Some(Reason::NotReadyInTime { .. })),
            "{reason:?}"
        );
        assert_eq!(driver.wakeup(), None);
        // Whoever asks again is told at once.
        assert_eq!(
            driver.ask(4_000, start(&[0])),
            [answer(2, &[(0, not_ready(1))])]
        );
        // It may come up after all.
        driver.comes_up(9_000, 0, 1);
        let view = driver.app.view(0).expect("a slot");
        assert!(view.up && view.reason.is_none(), "{view:?}");
    }
}

#[test]
fn the_first_end_before_a_process_is_up_fails_the_start_and_the_rules_go_on() {
    let mut driver = Driver::new(silent());
    driver.ask(0, add([0]));
    driver.at(0, spawned(0, 1));
    let actions = without_ends(driver.at(100, exited(0, 1, 1)));
    assert_eq!(
        actions,
        [spawn(0, 2), answer(1, &[(0, failed_with(1, 1, 100))])]
    );
    driver.at(100, spawned(0, 2));
    driver.at(200, exited(0, 2, 1));
    assert_eq!(driver.status(0), Status::WaitingRestart);
    let view = driver.app.view(0).expect("a slot");
    assert_eq!((view.restarts, view.unstable_restarts), (1, 2));
    assert_eq!(view.next_start.map(|due| due.0), Some(300));
}

#[test]
fn an_end_with_0_before_a_process_is_up_is_a_failure_if_it_is_replaced() {
    let mut driver = Driver::new(silent());
    driver.ask(0, add([0]));
    driver.at(0, spawned(0, 1));
    let actions = answers(driver.at(100, exited(0, 1, 0)));
    assert_eq!(actions, [answer(1, &[(0, failed_with(1, 0, 100))])]);
}

#[test]
fn a_job_that_ends_well_and_is_not_to_be_replaced_has_finished() {
    let once = RestartRules {
        autorestart: false,
        ..RestartRules::default()
    };
    let until_42 = RestartRules {
        stop_exit_codes: vec![42],
        ..RestartRules::default()
    };
    for (restart, with, well) in [(&once, 0, true), (&until_42, 42, true), (&once, 1, false)] {
        let mut driver = Driver::new(ManagedRules {
            restart: restart.clone(),
            ..silent()
        });
        driver.ask(0, add([0]));
        driver.at(0, spawned(0, 1));
        let outcome = if well {
            Outcome::Finished { exit: code(with) }
        } else {
            failed_with(1, with, 100)
        };
        let actions = answers(driver.at(100, exited(0, 1, with)));
        assert_eq!(actions, [answer(1, &[(0, outcome)])]);
        assert_eq!(driver.status(0), Status::Stopped);
    }
}

#[test]
fn a_process_that_cannot_be_created_fails_the_start() {
    let failed = Outcome::Failed(Failure::SpawnFailed { generation: 1 });
    for (retry_helps, status) in [(false, Status::Errored), (true, Status::Launching)] {
        let mut driver = Driver::new(silent());
        driver.ask(0, add([0]));
        let actions = answers(driver.at(5, spawn_failed(0, 1, retry_helps)));
        assert_eq!(actions, [answer(1, &[(0, failed)])]);
        assert_eq!(driver.status(0), status);
    }
}

#[test]
fn what_runs_is_left_alone_and_what_does_not_is_started() {
    let mut driver = Driver::up(cluster(), 2);
    driver.ask(2_000, stop(&[1]));
    driver.at(2_100, exited(1, 1, 0));
    let actions = driver.ask(3_000, start(&[0, 1, 9, 0]));
    assert_eq!(actions, [spawn(1, 2)]);
    driver.at(3_000, spawned(1, 2));
    let all = [(0, is_up(1)), (1, is_up(2)), (9, Outcome::NoSuchSlot)];
    assert_eq!(driver.at(3_100, listening(1, 2)), [answer(3, &all)]);
}

#[test]
fn a_start_does_not_wait_for_a_restart_that_is_due_later() {
    let mut driver = Driver::new(silent());
    driver.ask(0, add([0]));
    driver.at(0, spawned(0, 1));
    driver.at(100, exited(0, 1, 1));
    driver.at(100, spawned(0, 2));
    driver.at(200, exited(0, 2, 1));
    assert_eq!(driver.wakeup(), Some(300));
    assert_eq!(driver.ask(210, start(&[0])), [spawn(0, 3)]);
    let view = driver.app.view(0).expect("a slot");
    assert_eq!(view.unstable_restarts, 0, "the past is forgotten");
    assert_eq!(view.restarts, 1, "a start by hand is no restart");
}

#[test]
fn slots_can_be_added_without_being_started() {
    let mut driver = Driver::new(silent());
    let ask = Ask::Add {
        slots: vec![3, 4, 3],
        start: false,
    };
    let added = [(3, Outcome::Added), (4, Outcome::Added)];
    assert_eq!(driver.ask(0, ask), [answer(1, &added)]);
    assert_eq!(driver.status(3), Status::Stopped);
    let both = [(4, Outcome::AlreadyThere), (5, is_up(1))];
    assert_eq!(driver.ask(0, add([4, 5])), [spawn(5, 1)]);
    driver.at(0, spawned(5, 1));
    assert_eq!(driver.at(9, listening(5, 1)), [answer(2, &both)]);
}

#[test]
fn what_has_changed_is_said_before_the_answer() {
    let mut driver = Driver::new(silent());
    driver.ask(0, add([0]));
    driver.at(0, spawned(0, 1));
    let actions = driver.all_at(9, listening(0, 1));
    let changed = Action::Changed { slot: 0 };
    assert_eq!(actions, [changed, answer(1, &[(0, is_up(1))])]);
    assert_eq!(driver.all_at(10, listening(0, 1)), [], "nothing has");
}

#[test]
fn an_ask_about_nothing_is_answered() {
    let mut driver = Driver::new(silent());
    assert_eq!(driver.ask(0, start(&[])), [answer(1, &[])]);
    assert_eq!(driver.ask(0, reload(&[])), [answer(2, &[])]);
}
