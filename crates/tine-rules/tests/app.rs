//! What an app with its slots does, told as events, actions and a virtual clock.
#![allow(clippy::expect_used, missing_docs)]

use std::time::Duration;

use tine_rules::{
    Action, App, AppRules, Event, Exit, Millis, Notice, Outcome, RestartRules, SlotStatus,
    StopRules, Verdict,
};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn app(instances: usize) -> App {
    App::new(AppRules {
        instances,
        ..AppRules::default()
    })
}

fn restarting(instances: usize, restart: RestartRules) -> App {
    App::new(AppRules {
        instances,
        restart,
        ..AppRules::default()
    })
}

/// Lets the app hear something; gives back all that it says to that.
fn at(app: &mut App, now: u64, event: Event) -> Vec<Action> {
    app.handle(Millis(now), event);
    std::iter::from_fn(|| app.poll_action()).collect()
}

/// Lets it hear something and fetches nothing.
fn unfetched(app: &mut App, now: u64, event: Event) {
    app.handle(Millis(now), event);
}

fn spawn(slot: usize, generation: u64) -> Action {
    Action::Spawn { slot, generation }
}

fn spawned(slot: usize, generation: u64) -> Event {
    Event::Spawned { slot, generation }
}

fn online(slot: usize, generation: u64) -> Event {
    Event::Online { slot, generation }
}

fn ready(slot: usize, generation: u64) -> Event {
    Event::Ready { slot, generation }
}

fn channel_closed(slot: usize, generation: u64) -> Event {
    Event::ChannelClosed { slot, generation }
}

fn exited(slot: usize, generation: u64, code: i32) -> Event {
    Event::Exited {
        slot,
        generation,
        code: Some(code),
        signal: None,
    }
}

fn killed(slot: usize, generation: u64) -> Event {
    Event::Exited {
        slot,
        generation,
        code: None,
        signal: Some(9),
    }
}

fn disconnect(slot: usize, generation: u64) -> Action {
    Action::Disconnect { slot, generation }
}

fn signal(slot: usize, generation: u64) -> Action {
    Action::Signal {
        slot,
        generation,
        signal: 2,
    }
}

fn kill_tree(slot: usize, generation: u64) -> Action {
    Action::KillTree { slot, generation }
}

fn stopping() -> Action {
    Action::Tell(Notice::Stopping)
}

fn ended(slot: usize, generation: u64, code: i32, lived: u64, next: Verdict) -> Action {
    let exit = Exit {
        code: Some(code),
        signal: None,
    };
    Action::Tell(Notice::Ended {
        slot,
        generation,
        exit,
        lived: ms(lived),
        was_ready: false,
        next,
    })
}

fn stopped(slot: usize, generation: u64, code: i32, lived: u64) -> Action {
    let exit = Exit {
        code: Some(code),
        signal: None,
    };
    Action::Tell(Notice::Stopped {
        slot,
        generation,
        exit,
        lived: ms(lived),
    })
}

fn was_killed(slot: usize, generation: u64, after: u64) -> Action {
    Action::Tell(Notice::Killed {
        slot,
        generation,
        after: ms(after),
    })
}

fn errored(slot: usize, ends: u32) -> [Action; 2] {
    [
        Action::Tell(Notice::Errored { slot, ends }),
        Action::ReleaseListeners { slot },
    ]
}

/// An app whose `instances` slots have a process each, created at 0, of which nothing is heard.
fn up(mut app: App) -> App {
    at(&mut app, 0, Event::Start);
    let mut slot = 0;
    while app.status(slot).is_some() {
        at(&mut app, 0, spawned(slot, 1));
        slot += 1;
    }
    app
}

/// One Node worker, ready for long.
fn one_ready() -> App {
    let mut app = up(app(1));
    at(&mut app, 10, online(0, 1));
    at(&mut app, 20, ready(0, 1));
    app
}

#[test]
fn all_slots_start_at_once() {
    let mut app = app(3);
    assert_eq!(app.status(2), Some(SlotStatus::Vacant));
    assert_eq!(
        at(&mut app, 0, Event::Start),
        [spawn(0, 1), spawn(1, 1), spawn(2, 1)]
    );
    assert_eq!(at(&mut app, 1, Event::Start), []);
    assert_eq!(app.status(2), Some(SlotStatus::Starting));
    assert_eq!(app.status(3), None);
    assert_eq!(app.next_wakeup(), None);
}

#[test]
fn ready_is_told_once_for_each_process_and_once_for_all() {
    let mut app = up(app(2));
    let told = |slot, generation, after| {
        Action::Tell(Notice::Ready {
            slot,
            generation,
            after: ms(after),
        })
    };
    assert_eq!(at(&mut app, 30, ready(1, 1)), [told(1, 1, 30)]);
    assert_eq!(at(&mut app, 31, ready(1, 1)), [], "a second port");
    let all = Action::Tell(Notice::AllReady { after: ms(40) });
    assert_eq!(at(&mut app, 40, ready(0, 1)), [told(0, 1, 40), all]);
    assert_eq!(app.status(0), Some(SlotStatus::Ready));

    at(&mut app, 5_000, exited(0, 1, 1));
    assert_eq!(
        app.status(0),
        Some(SlotStatus::Starting),
        "its predecessor was ready, not it"
    );
    at(&mut app, 5_010, spawned(0, 2));
    assert_eq!(at(&mut app, 5_050, ready(0, 2)), [told(0, 2, 40)]);
}

#[test]
fn a_crashed_slot_alone_gets_the_next_generation() {
    let mut app = up(app(2));
    let said = at(&mut app, 50, exited(1, 1, 1));
    assert_eq!(said, [ended(1, 1, 1, 50, Verdict::AtOnce), spawn(1, 2)]);
    assert_eq!((app.generation(0), app.generation(1)), (Some(1), Some(2)));
    assert_eq!((app.restarts(0), app.restarts(1)), (Some(0), Some(1)));
    assert_eq!((app.short_ends(0), app.short_ends(1)), (Some(0), Some(1)));
}

#[test]
fn what_is_said_of_an_older_generation_is_ignored() {
    let mut app = up(app(1));
    at(&mut app, 50, exited(0, 1, 1));
    for late in [
        spawned(0, 1),
        Event::SpawnFailed {
            slot: 0,
            generation: 1,
            retry_helps: false,
        },
        online(0, 1),
        ready(0, 1),
        channel_closed(0, 1),
        exited(0, 1, 1),
        exited(0, 3, 1),
        exited(7, 1, 1),
    ] {
        assert_eq!(at(&mut app, 51, late), [], "{late:?}");
        assert_eq!(app.status(0), Some(SlotStatus::Starting), "{late:?}");
        assert_eq!(app.generation(0), Some(2), "{late:?}");
    }
}

#[test]
fn a_replacement_waits_for_its_time_and_not_longer() {
    let rules = RestartRules {
        restart_delay: ms(250),
        ..RestartRules::default()
    };
    let mut app = up(restarting(1, rules));
    at(&mut app, 100, exited(0, 1, 1));
    assert_eq!(app.next_wakeup(), Some(Millis(350)));
    assert_eq!(
        app.status(0),
        Some(SlotStatus::Waiting { until: Millis(350) })
    );
    assert_eq!(at(&mut app, 349, Event::Woken), []);
    assert_eq!(
        at(&mut app, 349, exited(0, 1, 1)),
        [],
        "it has exited already"
    );
    assert_eq!(at(&mut app, 350, Event::Woken), [spawn(0, 2)]);
    assert_eq!(app.next_wakeup(), None);
}

#[test]
fn a_slot_given_up_releases_what_waits_for_it_and_the_others_go_on() {
    let rules = RestartRules {
        max_restarts: 0,
        ..RestartRules::default()
    };
    let mut app = up(restarting(2, rules));
    let [told, release] = errored(1, 1);
    let said = at(&mut app, 50, exited(1, 1, 3));
    assert_eq!(said, [ended(1, 1, 3, 50, Verdict::Errored), told, release]);
    assert_eq!(app.status(1), Some(SlotStatus::Errored));
    assert_eq!(app.status(0), Some(SlotStatus::Starting));

    let [told, release] = errored(0, 1);
    let over = Action::Finish(Outcome::AllErrored);
    let said = at(&mut app, 60, exited(0, 1, 3));
    assert_eq!(
        said,
        [ended(0, 1, 3, 60, Verdict::Errored), told, release, over]
    );
}

#[test]
fn without_restart_the_app_finishes_with_the_codes_of_all_slots() {
    let rules = RestartRules {
        autorestart: false,
        ..RestartRules::default()
    };
    let mut app = up(restarting(2, rules));
    let said = at(&mut app, 50, exited(1, 1, 3));
    assert_eq!(
        said,
        [
            ended(1, 1, 3, 50, Verdict::Finished),
            Action::ReleaseListeners { slot: 1 }
        ]
    );
    let said = at(&mut app, 60, killed(0, 1));
    let codes = vec![
        Exit {
            code: None,
            signal: Some(9),
        },
        Exit {
            code: Some(3),
            signal: None,
        },
    ];
    assert_eq!(
        said.last(),
        Some(&Action::Finish(Outcome::AllFinished { codes }))
    );
    assert_eq!(app.status(0), Some(SlotStatus::Finished));
}

#[test]
fn one_slot_given_up_among_finished_ones_is_an_error() {
    let rules = RestartRules {
        max_restarts: 0,
        stop_exit_codes: vec![0],
        ..RestartRules::default()
    };
    let mut app = up(restarting(2, rules));
    at(&mut app, 50, exited(0, 1, 1));
    let said = at(&mut app, 60, exited(1, 1, 0));
    assert_eq!(said.last(), Some(&Action::Finish(Outcome::AllErrored)));
}

#[test]
fn no_slots_are_finished_as_soon_as_started() {
    let over = Action::Finish(Outcome::AllFinished { codes: Vec::new() });
    assert_eq!(at(&mut app(0), 0, Event::Start), [over]);
}

#[test]
fn a_program_that_cannot_be_created_is_tried_again_only_when_that_helps() {
    let mut app = app(2);
    at(&mut app, 0, Event::Start);
    let failed = |slot, generation, retry_helps| Event::SpawnFailed {
        slot,
        generation,
        retry_helps,
    };
    let told = |slot, generation, next| {
        Action::Tell(Notice::SpawnFailed {
            slot,
            generation,
            next,
        })
    };

    let said = at(&mut app, 5, failed(0, 1, true));
    assert_eq!(said, [told(0, 1, Verdict::AtOnce), spawn(0, 2)]);
    let said = at(&mut app, 6, failed(0, 2, true));
    let lend = Action::LendListeners { slot: 0 };
    assert_eq!(said, [told(0, 2, Verdict::After(ms(100))), lend]);
    assert_eq!(app.next_wakeup(), Some(Millis(106)));

    let [given_up, release] = errored(1, 1);
    let said = at(&mut app, 7, failed(1, 1, false));
    assert_eq!(said, [told(1, 1, Verdict::Errored), given_up, release]);
}

#[test]
fn a_process_that_speaks_before_it_is_said_to_exist_is_believed() {
    let mut app = app(1);
    at(&mut app, 0, Event::Start);
    at(&mut app, 5, online(0, 1));
    assert_eq!(at(&mut app, 6, spawned(0, 1)), []);
    assert_eq!(
        at(&mut app, 7, Event::StopAsked),
        [stopping(), disconnect(0, 1)]
    );
}

#[test]
fn a_process_that_ended_before_it_is_said_to_exist_is_replaced_once() {
    let mut app = app(1);
    at(&mut app, 0, Event::Start);
    let said = at(&mut app, 5, exited(0, 1, 1));
    assert_eq!(said, [ended(0, 1, 1, 5, Verdict::AtOnce), spawn(0, 2)]);
    assert_eq!(at(&mut app, 6, spawned(0, 1)), []);
}

#[test]
fn stop_is_disconnect_then_signal_then_kill() {
    let mut app = one_ready();
    assert_eq!(
        at(&mut app, 1_000, Event::StopAsked),
        [stopping(), disconnect(0, 1)]
    );
    assert_eq!(app.status(0), Some(SlotStatus::Stopping));
    assert_eq!(at(&mut app, 1_010, channel_closed(0, 1)), []);
    assert_eq!(app.next_wakeup(), Some(Millis(1_800)));
    assert_eq!(at(&mut app, 1_799, Event::Woken), []);
    assert_eq!(at(&mut app, 1_800, Event::Woken), [signal(0, 1)]);
    assert_eq!(app.next_wakeup(), Some(Millis(2_600)));
    let said = at(&mut app, 2_600, Event::Woken);
    assert_eq!(said, [kill_tree(0, 1), was_killed(0, 1, 1_600)]);
    assert_eq!(app.next_wakeup(), None);
    let said = at(&mut app, 2_601, killed(0, 1));
    assert_eq!(said[0], kill_tree(0, 1), "what it left behind");
    assert_eq!(said[2..], [Action::Finish(Outcome::Stopped)]);
    assert_eq!(
        at(&mut app, 2_602, Event::Start),
        [],
        "nothing follows the end"
    );
}

#[test]
fn stop_skips_disconnect_for_who_never_spoke_or_cannot_hear() {
    let mut silent = up(app(1));
    at(&mut silent, 20, ready(0, 1));
    assert_eq!(
        at(&mut silent, 1_000, Event::StopAsked),
        [stopping(), signal(0, 1)]
    );
    assert_eq!(silent.next_wakeup(), Some(Millis(2_600)));

    let mut deaf = one_ready();
    at(&mut deaf, 500, channel_closed(0, 1));
    at(&mut deaf, 501, online(0, 1));
    assert_eq!(
        at(&mut deaf, 1_000, Event::StopAsked),
        [stopping(), signal(0, 1)]
    );
}

#[test]
fn a_worker_that_ends_in_time_is_not_killed_but_its_leftovers_are() {
    let mut app = one_ready();
    at(&mut app, 1_000, Event::StopAsked);
    let said = at(&mut app, 1_050, exited(0, 1, 0));
    let over = Action::Finish(Outcome::Stopped);
    assert_eq!(said, [kill_tree(0, 1), stopped(0, 1, 0, 1_050), over]);
}

#[test]
fn the_app_is_stopped_when_its_last_slot_is() {
    let mut app = up(app(2));
    at(&mut app, 1_000, Event::StopAsked);
    let said = at(&mut app, 1_010, exited(1, 1, 0));
    assert_eq!(said, [kill_tree(1, 1), stopped(1, 1, 0, 1_010)]);
    let said = at(&mut app, 1_020, exited(0, 1, 0));
    assert_eq!(said.last(), Some(&Action::Finish(Outcome::Stopped)));
}

#[test]
fn a_second_ctrl_c_kills_at_once() {
    let mut app = one_ready();
    at(&mut app, 1_000, Event::StopAsked);
    assert_eq!(
        at(&mut app, 1_005, Event::StopAsked),
        [],
        "asking again changes nothing"
    );
    let said = at(&mut app, 1_010, Event::StopNow);
    assert_eq!(said, [kill_tree(0, 1), was_killed(0, 1, 10)]);
    assert_eq!(at(&mut app, 1_011, Event::StopNow), []);
    let said = at(&mut app, 1_012, killed(0, 1));
    assert_eq!(said.last(), Some(&Action::Finish(Outcome::Forced)));
}

#[test]
fn one_key_press_that_arrives_twice_is_one() {
    let mut app = one_ready();
    at(&mut app, 1_000, Event::StopSignal);
    assert_eq!(at(&mut app, 1_099, Event::StopSignal), []);
    let said = at(&mut app, 1_100, Event::StopSignal);
    assert_eq!(said, [kill_tree(0, 1), was_killed(0, 1, 100)]);
}

#[test]
fn stop_now_as_the_first_word_asks_nobody_politely() {
    let mut app = one_ready();
    let said = at(&mut app, 1_000, Event::StopNow);
    assert_eq!(said, [stopping(), kill_tree(0, 1), was_killed(0, 1, 0)]);
}

#[test]
fn a_kill_timeout_of_nothing_is_honoured() {
    let stop = StopRules {
        kill_timeout: Duration::ZERO,
        ..StopRules::default()
    };
    let mut app = up(App::new(AppRules {
        stop,
        ..AppRules::default()
    }));
    at(&mut app, 10, online(0, 1));
    let said = at(&mut app, 1_000, Event::StopAsked);
    let all = [
        stopping(),
        disconnect(0, 1),
        signal(0, 1),
        kill_tree(0, 1),
        was_killed(0, 1, 0),
    ];
    assert_eq!(said, all);
    assert_eq!(app.next_wakeup(), None);
}

#[test]
fn stop_before_start_is_the_end() {
    let over = Action::Finish(Outcome::Stopped);
    assert_eq!(at(&mut app(2), 0, Event::StopAsked), [stopping(), over]);
    let over = Action::Finish(Outcome::Forced);
    assert_eq!(at(&mut app(2), 0, Event::StopNow), [stopping(), over]);
}

#[test]
fn stop_takes_back_an_order_that_nobody_has_fetched() {
    let mut app = app(2);
    unfetched(&mut app, 0, Event::Start);
    assert_eq!(app.poll_action(), Some(spawn(0, 1)));
    assert_eq!(
        at(&mut app, 0, Event::StopAsked),
        [stopping()],
        "slot 1 is not created any more"
    );
    assert_eq!(app.status(1), Some(SlotStatus::Stopped));
    assert_eq!(app.status(0), Some(SlotStatus::Stopping));
    assert_eq!(at(&mut app, 5, spawned(0, 1)), [signal(0, 1)]);
    let said = at(&mut app, 6, killed(0, 1));
    assert_eq!(said.last(), Some(&Action::Finish(Outcome::Stopped)));
}

#[test]
fn stop_waits_for_the_answer_to_an_order_under_way() {
    for (answer, said) in [
        (spawned(0, 1), vec![signal(0, 1)]),
        (online(0, 1), vec![disconnect(0, 1)]),
        (channel_closed(0, 1), vec![signal(0, 1)]),
        (
            Event::SpawnFailed {
                slot: 0,
                generation: 1,
                retry_helps: true,
            },
            vec![Action::Finish(Outcome::Stopped)],
        ),
    ] {
        let mut app = app(1);
        at(&mut app, 0, Event::Start);
        assert_eq!(at(&mut app, 1, Event::StopAsked), [stopping()]);
        assert_eq!(at(&mut app, 2, answer), said, "{answer:?}");
    }

    let mut app = app(1);
    at(&mut app, 0, Event::Start);
    at(&mut app, 1, Event::StopAsked);
    assert_eq!(at(&mut app, 2, Event::StopNow), []);
    assert_eq!(
        at(&mut app, 3, spawned(0, 1)),
        [kill_tree(0, 1), was_killed(0, 1, 0)]
    );
}

#[test]
fn stop_ends_the_wait_for_a_replacement() {
    let rules = RestartRules {
        restart_delay: ms(250),
        ..RestartRules::default()
    };
    let mut app = up(restarting(1, rules));
    at(&mut app, 100, exited(0, 1, 1));
    let over = Action::Finish(Outcome::Stopped);
    assert_eq!(at(&mut app, 200, Event::StopAsked), [stopping(), over]);
    assert_eq!(app.next_wakeup(), None);
}

#[test]
fn nothing_is_done_to_a_process_that_has_exited_meanwhile() {
    let mut app = one_ready();
    unfetched(&mut app, 1_000, Event::StopAsked);
    unfetched(&mut app, 1_800, Event::Woken);
    unfetched(&mut app, 2_600, Event::Woken);
    let said = at(&mut app, 2_600, exited(0, 1, 0));
    let over = Action::Finish(Outcome::Stopped);
    assert_eq!(
        said,
        [stopping(), kill_tree(0, 1), stopped(0, 1, 0, 2_600), over]
    );
}

#[test]
fn held_sockets_are_given_up_once_all_have_been_ready_for_a_while() {
    let mut app = one_ready();
    assert_eq!(app.next_wakeup(), None, "nobody was replaced yet");
    at(&mut app, 50_000, exited(0, 1, 1));
    let (slot, generation) = (0, 2);
    at(&mut app, 50_001, Event::Spawned { slot, generation });
    at(&mut app, 50_050, Event::Ready { slot, generation });
    assert_eq!(app.next_wakeup(), Some(Millis(51_050)));
    assert_eq!(at(&mut app, 51_049, Event::Woken), []);
    let said = at(&mut app, 51_050, Event::Woken);
    assert_eq!(said, [Action::PruneListeners]);
    assert_eq!(at(&mut app, 60_000, Event::Woken), []);
    assert_eq!(app.next_wakeup(), None);
}
