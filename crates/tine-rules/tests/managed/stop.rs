//! How slots are stopped, and what becomes of them.

use tine_rules::managed::{
    Action, ChannelKind, Event, Failure, ManagedRules, Next, Outcome, Reason, Status,
};

use crate::driver::*;

const STOPPED: [(u32, Outcome); 1] = [(0, Outcome::Stopped)];

#[test]
fn a_worker_is_disconnected_then_signalled_then_killed() {
    let mut driver = Driver::up(cluster(), 1);
    assert_eq!(driver.ask(2_000, stop(&[0])), [disconnect(0, 1)]);
    assert_eq!(driver.status(0), Status::Stopping);
    assert_eq!(driver.at(2_800, Event::Woken), [signal(0, 1)]);
    assert_eq!(driver.at(3_600, Event::Woken), [kill_tree(0, 1)]);
    let ended = Action::Ended {
        slot: 0,
        generation: 1,
        exit: code(0),
        lived: ms(3_601),
        asked: true,
        was_up: true,
        next: Next::AsAsked,
    };
    let actions = driver.at(3_601, exited(0, 1, 0));
    assert_eq!(
        actions,
        [kill_tree(0, 1), ended, release(0), answer(2, &STOPPED)]
    );
    assert_eq!(driver.status(0), Status::Stopped);
    assert_eq!(driver.wakeup(), None);
}

#[test]
fn a_process_that_has_not_spoken_or_has_hung_up_is_signalled_at_once() {
    let mut driver = Driver::new(cluster());
    driver.ask(0, add([0, 1]));
    driver.at(0, spawned(0, 1));
    driver.at(0, spawned(1, 1));
    driver.at(5, online(1, 1));
    driver.at(6, channel_closed(1, 1));
    let actions = driver.ask(10, stop(&[0, 1]));
    let superseded = [(0, Outcome::Superseded), (1, Outcome::Superseded)];
    assert_eq!(
        actions,
        [signal(0, 1), signal(1, 1), answer(1, &superseded)]
    );
}

#[test]
fn the_message_takes_the_place_of_disconnect_and_signal() {
    let rules = ManagedRules {
        shutdown_with_message: true,
        ..cluster()
    };
    let mut driver = Driver::up(rules, 2);
    driver.at(1_500, channel_closed(1, 1));
    let message = Action::Message {
        slot: 0,
        generation: 1,
    };
    assert_eq!(driver.ask(2_000, stop(&[0, 1])), [message, signal(1, 1)]);
    let actions = driver.at(3_600, Event::Woken);
    assert_eq!(actions, [kill_tree(0, 1), kill_tree(1, 1)]);
}

#[test]
fn without_a_channel_there_is_nobody_to_tell() {
    let rules = ManagedRules {
        shutdown_with_message: true,
        channel: ChannelKind::None,
        ..silent()
    };
    let mut driver = Driver::up(rules, 1);
    assert_eq!(driver.ask(2_000, stop(&[0])), [signal(0, 1)]);
}

#[test]
fn a_kill_timeout_of_0_is_honoured() {
    let mut driver = Driver::up(with_kill_timeout(cluster(), 0), 1);
    let all = [disconnect(0, 1), signal(0, 1), kill_tree(0, 1)];
    assert_eq!(driver.ask(2_000, stop(&[0])), all);
}

#[test]
fn what_does_not_run_is_stopped_at_once() {
    let mut driver = Driver::new(silent());
    driver.ask(0, add([0]));
    driver.at(0, spawned(0, 1));
    driver.at(100, exited(0, 1, 1));
    driver.at(100, spawned(0, 2));
    driver.at(200, exited(0, 2, 1));
    assert_eq!(driver.status(0), Status::WaitingRestart);
    assert_eq!(driver.ask(210, stop(&[0])), [answer(2, &STOPPED)]);
    assert_eq!(driver.wakeup(), None, "no restart is left behind");
    assert_eq!(driver.ask(220, stop(&[0])), [answer(3, &STOPPED)]);
}

#[test]
fn an_errored_slot_becomes_stopped() {
    let mut driver = Driver::new(silent());
    driver.ask(0, add([0]));
    driver.at(5, spawn_failed(0, 1, false));
    assert_eq!(driver.status(0), Status::Errored);
    assert_eq!(driver.ask(10, stop(&[0])), [answer(2, &STOPPED)]);
    assert_eq!(driver.status(0), Status::Stopped);
    assert_eq!(driver.app.view(0).expect("a slot").reason, None);
}

#[test]
fn an_order_that_nobody_has_fetched_is_taken_back() {
    let mut driver = Driver::new(silent());
    driver.ask_unfetched(0, add([0]));
    let superseded = [(0, Outcome::Superseded)];
    assert_eq!(
        driver.ask(0, stop(&[0])),
        [answer(1, &superseded), answer(2, &STOPPED)]
    );
}

#[test]
fn an_order_that_was_fetched_is_stopped_as_soon_as_it_is_a_process() {
    let mut driver = Driver::new(silent());
    driver.ask(0, add([0]));
    assert_eq!(answers(driver.ask(1, stop(&[0]))).len(), 1);
    assert_eq!(driver.status(0), Status::Stopping);
    assert_eq!(driver.at(7, spawned(0, 1)), [signal(0, 1)]);
    assert_eq!(driver.wakeup(), Some(1_607));
    assert_eq!(
        answers(driver.at(8, exited(0, 1, 0))),
        [answer(2, &STOPPED)]
    );

    let mut driver = Driver::new(silent());
    driver.ask(0, add([0]));
    driver.ask(1, stop(&[0]));
    let actions = driver.at(7, spawn_failed(0, 1, true));
    assert_eq!(actions, [answer(2, &STOPPED)], "and it is not tried again");
}

#[test]
fn a_process_that_withstands_sigkill_makes_the_slot_errored_and_may_die_yet() {
    let mut driver = Driver::up(silent(), 1);
    driver.ask(2_000, stop(&[0]));
    assert_eq!(driver.at(3_600, Event::Woken), [kill_tree(0, 1)]);
    assert_eq!(driver.wakeup(), Some(5_600), "two seconds later");
    let unkillable = Outcome::Failed(Failure::Unkillable { generation: 1 });
    assert_eq!(
        driver.at(5_600, Event::Woken),
        [answer(2, &[(0, unkillable)])]
    );
    let view = driver.app.view(0).expect("a slot");
    assert_eq!(view.status, Status::Errored);
    assert_eq!(view.reason, Some(Reason::Unkillable { generation: 1 }));
    assert_eq!(view.leaving, [1]);

    // Nothing is started beside it; whoever asks again has it tried again.
    assert_eq!(driver.ask(6_000, start(&[0])), [kill_tree(0, 1)]);
    assert_eq!(
        driver.at(8_000, Event::Woken),
        [answer(3, &[(0, unkillable)])]
    );
    driver.ask(9_000, start(&[0]));
    let actions = without_ends(driver.at(9_500, exited(0, 1, 0)));
    assert_eq!(actions, [kill_tree(0, 1), spawn(0, 2)]);
}

#[test]
fn the_late_end_of_an_unkillable_process_leaves_a_stopped_slot() {
    let mut driver = Driver::up(with_kill_timeout(silent(), 4_000), 1);
    driver.ask(2_000, stop(&[0]));
    driver.at(6_000, Event::Woken);
    assert_eq!(driver.wakeup(), Some(10_000), "the kill timeout later");
    driver.at(10_000, Event::Woken);
    assert_eq!(driver.status(0), Status::Errored);
    driver.at(60_000, exited(0, 1, 0));
    let view = driver.app.view(0).expect("a slot");
    assert_eq!((view.status, view.reason), (Status::Stopped, None));
}

#[test]
fn what_was_to_be_done_to_a_process_that_has_exited_is_not_done() {
    let mut driver = Driver::up(cluster(), 1);
    driver.ask_unfetched(2_000, stop(&[0]));
    let actions = without_ends(driver.at(2_000, exited(0, 1, 0)));
    let expected = [kill_tree(0, 1), release(0), answer(2, &STOPPED)];
    assert_eq!(actions, expected);
}

#[test]
fn a_process_is_stopped_by_the_rules_it_was_started_under() {
    let mut driver = Driver::up(silent(), 1);
    driver.at(1_500, Event::Rules(with_kill_timeout(silent(), 9_000)));
    driver.ask(2_000, stop(&[0]));
    assert_eq!(driver.wakeup(), Some(3_600));
    driver.at(2_100, exited(0, 1, 0));
    driver.ask(2_100, start(&[0]));
    driver.at(2_100, spawned(0, 2));
    driver.ask(3_000, stop(&[0]));
    assert_eq!(driver.wakeup(), Some(12_000));
}
