//! Which end is replaced, and when: the rule of `restart.rs`, line by line.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;
use tine_rules::{Ended, Millis, RestartHistory, RestartRules, Verdict};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn ended(lived: u64, was_ready: bool, code: Option<i32>) -> Ended {
    Ended {
        lived: ms(lived),
        was_ready,
        code,
    }
}

/// It exited with 1 after 10 ms and had not been ready.
const FAILED_START: Ended = ended(10, false, Some(1));
/// A signal killed it 10 ms after its creation, but it had been ready.
const QUICK_END: Ended = ended(10, true, None);
const STABLE_END: Ended = ended(1_000, true, Some(1));

fn rules() -> RestartRules {
    RestartRules::default()
}

fn delay(verdict: Verdict) -> Option<Duration> {
    match verdict {
        Verdict::AtOnce => Some(Duration::ZERO),
        Verdict::After(delay) => Some(delay),
        Verdict::Errored | Verdict::Finished => None,
    }
}

/// The delays after the same end again and again, at once after each replacement, until there
/// is no replacement or `most` are made.
fn delays(rules: &RestartRules, end: Ended, most: usize) -> (Vec<u64>, Verdict) {
    let (mut history, mut now, mut delays) = (RestartHistory::default(), Millis(7), Vec::new());
    loop {
        now = now.plus(end.lived);
        let verdict = history.ended(rules, now, end);
        match delay(verdict) {
            Some(delay) if delays.len() < most => {
                delays.push(delay.as_millis() as u64);
                now = now.plus(delay);
            }
            Some(_) | None => return (delays, verdict),
        }
    }
}

#[test]
fn a_single_end_of_each_kind_is_judged_by_the_rule() {
    use Verdict::{AtOnce, Errored, Finished};
    let defaults = rules();
    let off = RestartRules {
        autorestart: false,
        ..rules()
    };
    let codes = RestartRules {
        stop_exit_codes: vec![0, 42],
        ..rules()
    };
    let none = RestartRules {
        max_restarts: 0,
        ..rules()
    };
    let delayed = RestartRules {
        restart_delay: ms(300),
        ..rules()
    };
    let table = [
        // rules, end, verdict, short ends afterwards
        (&defaults, ended(0, false, Some(1)), AtOnce, 1),
        (&defaults, ended(999, false, Some(0)), AtOnce, 1),
        (&defaults, ended(999, true, Some(0)), AtOnce, 1),
        (&defaults, ended(999, true, None), AtOnce, 1),
        (&defaults, ended(1_000, true, None), AtOnce, 0),
        (&defaults, ended(1_000, false, Some(0)), AtOnce, 0),
        (&defaults, ended(1_000, false, Some(1)), AtOnce, 1),
        (&defaults, ended(1_000, false, None), AtOnce, 1),
        (&defaults, ended(29_999, false, Some(1)), AtOnce, 1),
        (&defaults, ended(30_000, false, Some(1)), AtOnce, 0),
        (&defaults, ended(30_000, false, None), AtOnce, 0),
        (&off, ended(0, false, Some(1)), Finished, 0),
        (&off, ended(60_000, true, Some(0)), Finished, 0),
        (&off, ended(60_000, true, None), Finished, 0),
        (&codes, ended(5, false, Some(42)), Finished, 0),
        (&codes, ended(60_000, true, Some(0)), Finished, 0),
        (&codes, ended(5, true, Some(1)), AtOnce, 1),
        (&codes, ended(5, true, None), AtOnce, 1),
        (&none, ended(5, false, Some(1)), Errored, 1),
        (&none, ended(5, true, Some(1)), Errored, 1),
        (&none, ended(1_000, true, Some(1)), AtOnce, 0),
        (
            &delayed,
            ended(5, false, Some(1)),
            Verdict::After(ms(300)),
            1,
        ),
        (
            &delayed,
            ended(5, true, Some(1)),
            Verdict::After(ms(300)),
            1,
        ),
        (
            &delayed,
            ended(1_000, true, Some(1)),
            Verdict::After(ms(300)),
            0,
        ),
    ];
    for (row, (rules, end, verdict, short_ends)) in table.into_iter().enumerate() {
        let mut history = RestartHistory::default();
        assert_eq!(
            history.ended(rules, Millis(5), end),
            verdict,
            "row {row}: {end:?}"
        );
        assert_eq!(history.short_ends(), short_ends, "row {row}: {end:?}");
        let replaced = u64::from(delay(verdict).is_some());
        assert_eq!(history.restarts(), replaced, "row {row}: {end:?}");
    }
}

#[test]
fn failed_starts_wait_longer_and_longer_and_end_errored() {
    let (delays, last) = delays(&rules(), FAILED_START, 100);
    let mut expected = vec![0, 100, 200, 400, 800, 1600];
    expected.resize(15, 2_000);
    assert_eq!(delays, expected);
    assert_eq!(last, Verdict::Errored);
}

#[test]
fn any_number_of_failed_starts_keeps_the_longest_delay() {
    let rules = RestartRules {
        max_restarts: u32::MAX,
        ..rules()
    };
    let (delays, _) = delays(&rules, FAILED_START, 5_000);
    assert!(delays[6..].iter().all(|delay| *delay == 2_000));
}

#[test]
fn served_and_killed_is_replaced_at_once_until_the_budget_is_used_up() {
    let (delays, last) = delays(&rules(), ended(0, true, None), 100);
    let mut expected = vec![0; 16];
    expected.resize(31, 500);
    assert_eq!(delays, expected);
    assert_eq!(last, Verdict::Errored);
}

#[test]
fn time_earns_the_budget_back() {
    let rules = RestartRules {
        max_restarts: u32::MAX,
        ..rules()
    };
    let mut history = RestartHistory::default();
    let mut at_once_at = |now: u64| {
        let mut count = 0;
        while history.ended(&rules, Millis(now), QUICK_END) == Verdict::AtOnce {
            count += 1;
        }
        count
    };
    assert_eq!(at_once_at(0), 16);
    // The refused one of each round is owed as well: it takes half a second of its own.
    assert_eq!(at_once_at(500), 0);
    assert_eq!(at_once_at(2_000), 2);
    assert_eq!(at_once_at(60_000), 16);
}

#[test]
fn a_crash_every_half_second_is_replaced_at_once_each_time() {
    let rules = RestartRules {
        max_restarts: u32::MAX,
        ..rules()
    };
    let (delays, _) = delays(&rules, ended(500, true, Some(1)), 500);
    assert_eq!(delays, vec![0; 500]);
}

#[test]
fn a_stable_end_forgets_the_short_ones_before_it() {
    for (short, in_a_row) in [(FAILED_START, 15), (QUICK_END, 31)] {
        let mut history = RestartHistory::default();
        for _ in 0..3 {
            for count in 1..=in_a_row {
                assert!(delay(history.ended(&rules(), Millis(0), short)).is_some());
                assert_eq!(history.short_ends(), count);
            }
            assert_eq!(
                history.ended(&rules(), Millis(0), STABLE_END),
                Verdict::AtOnce
            );
            assert_eq!(history.short_ends(), 0);
        }
    }
}

#[test]
fn a_stable_end_earns_nothing_back_but_its_time() {
    let mut history = RestartHistory::default();
    for _ in 0..16 {
        assert_eq!(
            history.ended(&rules(), Millis(0), QUICK_END),
            Verdict::AtOnce
        );
    }
    assert_eq!(
        history.ended(&rules(), Millis(1_000), STABLE_END),
        Verdict::AtOnce
    );
    assert_eq!(
        history.ended(&rules(), Millis(1_000), QUICK_END),
        Verdict::AtOnce
    );
    assert_eq!(
        history.ended(&rules(), Millis(1_000), QUICK_END),
        Verdict::AtOnce
    );
    assert_eq!(
        history.ended(&rules(), Millis(1_000), QUICK_END),
        Verdict::After(ms(500))
    );
}

#[test]
fn having_been_ready_ends_a_row_of_failed_starts() {
    let mut history = RestartHistory::default();
    for _ in 0..15 {
        history.ended(&rules(), Millis(0), FAILED_START);
    }
    history.ended(&rules(), Millis(0), QUICK_END);
    assert_eq!(
        history.ended(&rules(), Millis(0), FAILED_START),
        Verdict::AtOnce
    );
    assert_eq!(history.short_ends(), 17);
}

#[test]
fn failed_starts_between_them_do_not_hide_quick_ends() {
    let mut history = RestartHistory::default();
    let mut quick_ends = 0;
    loop {
        history.ended(&rules(), Millis(0), FAILED_START);
        quick_ends += 1;
        if history.ended(&rules(), Millis(0), QUICK_END) == Verdict::Errored {
            break;
        }
    }
    assert_eq!(quick_ends, 32);
}

#[test]
fn a_process_that_cannot_be_created_is_a_failed_start() {
    let mut history = RestartHistory::default();
    assert_eq!(history.spawn_failed(&rules(), true), Verdict::AtOnce);
    assert_eq!(
        history.ended(&rules(), Millis(0), FAILED_START),
        Verdict::After(ms(100))
    );
    assert_eq!(
        history.spawn_failed(&rules(), true),
        Verdict::After(ms(200))
    );
    assert_eq!((history.short_ends(), history.restarts()), (3, 3));
    assert_eq!(history.spawn_failed(&rules(), false), Verdict::Errored);
    assert_eq!((history.short_ends(), history.restarts()), (4, 3));
}

#[test]
fn what_was_never_created_has_not_finished() {
    let off = RestartRules {
        autorestart: false,
        ..rules()
    };
    let mut history = RestartHistory::default();
    assert_eq!(history.spawn_failed(&off, true), Verdict::Errored);
    assert_eq!(history.restarts(), 0);
}

#[test]
fn no_uptime_asked_for_makes_no_tight_loop() {
    let rules = RestartRules {
        min_uptime: Duration::ZERO,
        ..rules()
    };
    for end in [
        ended(0, true, Some(0)),
        ended(0, false, Some(0)),
        ended(99, true, None),
    ] {
        let (_, last) = delays(&rules, end, 1_000);
        assert_eq!(last, Verdict::Errored, "{end:?}");
    }
    let (delays, _) = delays(&rules, ended(100, true, None), 1_000);
    assert_eq!(delays.len(), 1_000);
}

fn any_end() -> impl Strategy<Value = Ended> {
    let lived = prop_oneof![0_u64..50, 0_u64..3_000, Just(1_000), 29_000_u64..31_000];
    (
        lived,
        any::<bool>(),
        prop_oneof![Just(None), (0..3).prop_map(Some)],
    )
        .prop_map(|(lived, was_ready, code)| ended(lived, was_ready, code))
}

proptest! {
    #[test]
    fn no_sequence_of_ends_makes_a_tight_loop(
        ends in prop::collection::vec(any_end(), 1..400),
        min_uptime in 0_u64..2_000,
    ) {
        let rules = RestartRules {
            max_restarts: u32::MAX, min_uptime: ms(min_uptime), ..rules()
        };
        let (mut history, mut now) = (RestartHistory::default(), Millis(0));
        // When each process that had been ready was replaced after a short end.
        let mut quick = Vec::new();
        for end in ends {
            now = now.plus(end.lived);
            let short = end.lived < rules.min_uptime.max(ms(100));
            let verdict = history.ended(&rules, now, end);
            now = now.plus(delay(verdict).unwrap());
            if end.was_ready && short {
                quick.push(now.0);
            }
        }
        // In any span: the 16 of the budget and one for each half second, and the one that
        // was under way.
        for (first, from) in quick.iter().enumerate() {
            for (last, to) in quick.iter().enumerate().skip(first) {
                prop_assert!(last - first <= 16 + ((to - from) / 500) as usize);
            }
        }
    }

    #[test]
    fn restart_delay_is_kept_after_every_end(
        ends in prop::collection::vec(any_end(), 1..100),
        restart_delay in 1_u64..5_000,
    ) {
        let plain = RestartRules { max_restarts: u32::MAX, ..rules() };
        let delayed = RestartRules { restart_delay: ms(restart_delay), ..plain.clone() };
        let mut without = RestartHistory::default();
        let mut with = RestartHistory::default();
        for (count, end) in ends.into_iter().enumerate() {
            let now = Millis(count as u64 * 40);
            let plain = delay(without.ended(&plain, now, end)).unwrap();
            let delayed = delay(with.ended(&delayed, now, end)).unwrap();
            prop_assert_eq!(delayed, plain + ms(restart_delay));
        }
    }
}

/// The delays of an app that backs off, after the same end again and again.
fn backing_off(rules: &RestartRules, first: u64, end: Ended, most: usize) -> (Vec<u64>, Verdict) {
    let (mut history, mut now, mut delays) = (RestartHistory::default(), Millis(7), Vec::new());
    loop {
        now = now.plus(end.lived);
        let verdict = history.ended_backing_off(rules, Some(ms(first)), now, end);
        match delay(verdict) {
            Some(delay) if delays.len() < most => {
                delays.push(delay.as_millis() as u64);
                now = now.plus(delay);
            }
            Some(_) | None => return (delays, verdict),
        }
    }
}

#[test]
fn delays_that_grow_are_those_of_pm2_and_the_app_is_not_given_up() {
    let rules = RestartRules {
        restart_delay: ms(500),
        ..rules()
    };
    for end in [FAILED_START, QUICK_END, STABLE_END] {
        let (delays, _) = backing_off(&rules, 100, end, 200);
        let pm2 = [
            100, 150, 225, 337, 505, 757, 1_135, 1_702, 2_553, 3_829, 5_743, 8_614, 12_921,
        ];
        assert_eq!(delays[..13], pm2);
        assert!(
            delays[13..].iter().all(|delay| *delay == 15_000),
            "{delays:?}"
        );
        assert_eq!(delays.len(), 200, "{end:?}");
    }
}

#[test]
fn delays_that_grow_do_not_save_what_dies_often_enough_within_the_window() {
    // 3 x 1 s: the ends are at 10, 120 and 280 ms.
    let rules = RestartRules {
        max_restarts: 3,
        ..rules()
    };
    let (delays, verdict) = backing_off(&rules, 100, FAILED_START, 50);
    assert_eq!((&delays[..], verdict), (&[100, 150][..], Verdict::Errored));
    let never = RestartRules {
        max_restarts: 0,
        ..rules
    };
    let (delays, verdict) = backing_off(&never, 100, FAILED_START, 50);
    assert_eq!((&delays[..], verdict), (&[][..], Verdict::Errored));
}

#[test]
fn the_least_first_delay_grows_too_and_none_is_no_backing_off() {
    let (delays, _) = backing_off(&rules(), 1, QUICK_END, 100);
    assert_eq!(delays[..8], [1, 2, 3, 4, 6, 9, 13, 19]);
    assert_eq!(
        backing_off(&rules(), 0, FAILED_START, 100),
        self::delays(&rules(), FAILED_START, 100)
    );
}

#[test]
fn half_a_minute_of_life_ends_a_row_of_delays_and_so_does_forgiveness() {
    let (rules, first, now) = (rules(), Some(ms(100)), Millis(0));
    let mut history = RestartHistory::default();
    let mut after = |end, forgiven: bool| {
        if forgiven {
            history.forgive();
        }
        delay(history.ended_backing_off(&rules, first, now, end))
    };
    assert_eq!(after(FAILED_START, false), Some(ms(100)));
    assert_eq!(after(STABLE_END, false), Some(ms(150)));
    assert_eq!(after(ended(30_000, true, Some(1)), false), Some(ms(100)));
    assert_eq!(after(FAILED_START, false), Some(ms(150)));
    assert_eq!(after(FAILED_START, true), Some(ms(100)));
}

#[test]
fn spawns_that_fail_back_off_too() {
    let (rules, mut history, mut now) = (rules(), RestartHistory::default(), Millis(0));
    for expected in [100, 150, 225, 337] {
        let verdict = history.spawn_failed_backing_off(&rules, Some(ms(100)), now, true);
        assert_eq!(verdict, Verdict::After(ms(expected)));
        now = now.plus(ms(expected));
    }
    let verdict = history.spawn_failed_backing_off(&rules, Some(ms(100)), now, false);
    assert_eq!(verdict, Verdict::Errored);
}

#[test]
fn a_history_that_was_saved_goes_on_as_if_nothing_had_happened() {
    for first in [None, Some(ms(100))] {
        let (rules, mut history, mut now) = (rules(), RestartHistory::default(), Millis(5));
        for (index, end) in [FAILED_START, QUICK_END, QUICK_END, FAILED_START, STABLE_END]
            .into_iter()
            .cycle()
            .take(60)
            .enumerate()
        {
            now = now.plus(ms(70));
            // Another clock.
            let (there, away) = (Millis(now.0 + 1_000_000), Millis(now.0));
            let saved = history.saved(away);
            let mut other = RestartHistory::restored(&saved, there);
            assert_eq!(other.saved(there), saved);
            assert_eq!(
                other.ended_backing_off(&rules, first, there, end),
                history.ended_backing_off(&rules, first, away, end),
                "{index}"
            );
        }
    }
}
