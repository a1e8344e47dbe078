//! What a run measured, before anything is summed up; `manager.json` is this.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::stats::Spread;
use super::contender::{Contender, Verb};
use super::crash::Crashes;
use super::idle::Idle;
use super::world::Memory;

/// What a time is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// The whole command, and until all is as it asked for.
    Said(Verb),
    /// From the beginning of a start until the manager has as many children as it was asked for.
    AllRun(Verb),
    /// Without a manager, right before it was given this verb: all of them started one after another, each
    /// until it is executed.
    Spawned(Verb),
    /// Without a manager: all of them signalled, and reaped.
    Ended,
    /// A command that does nothing.
    Nothing,
}

impl What {
    pub(super) fn name(self) -> String {
        match self {
            What::Said(verb) => verb.name().to_owned(),
            What::AllRun(verb) => format!("{}, until all run", verb.name()),
            What::Spawned(verb) => format!("bare start before {}", verb.name()),
            What::Ended => "bare stop".to_owned(),
            What::Nothing => "true".to_owned(),
        }
    }
}

/// One manager with so many processes, in one round. Times are in milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// When they have just been started; with none, when the daemon has.
    pub(super) memory: Memory,
    /// The same number of processes, after all commands.
    pub(super) memory_after: Memory,
    times: BTreeMap<What, Vec<f64>>,
    /// It was asked to end and did not in time.
    pub(super) had_to_be_killed: bool,
}

impl Shown {
    pub(super) fn add(&mut self, what: What, length: Duration) {
        let times = self.times.entry(what).or_default();
        times.push(length.as_secs_f64() * 1000.0);
    }

    fn times(&self, what: What) -> &[f64] {
        self.times.get(&what).map_or(&[], Vec::as_slice)
    }

    pub(super) fn median(&self, what: What) -> Option<f64> {
        Spread::of(self.times(what).iter().copied()).map(|s| s.median)
    }

    fn json(&self) -> Value {
        let times = self.times.iter().map(|(what, ms)| (what.name(), json!(ms)));
        json!({
            "memory": self.memory.json(),
            "memory_after": self.memory_after.json(),
            "ms": times.collect::<serde_json::Map<_, _>>(),
            "had_to_be_killed": self.had_to_be_killed,
        })
    }
}

#[derive(Debug)]
pub(super) struct Visit {
    pub(super) contender: Contender,
    pub(super) count: usize,
    pub(super) outcome: Result<Shown, String>,
}

/// What one round measured, in the order measured.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) visits: Vec<Visit>,
    pub(super) crashes: Vec<(Contender, Result<Crashes, String>)>,
    pub(super) idle: Vec<(Contender, Result<Idle, String>)>,
}

impl Round {
    fn shown(&self, contender: Contender, count: usize) -> Option<&Shown> {
        let found = |v: &&Visit| v.contender == contender && v.count == count;
        self.visits.iter().find(found)?.outcome.as_ref().ok()
    }

    /// A manager's, above those of the bench itself.
    pub(super) fn crash(&self, contender: Contender) -> Option<&Crashes> {
        let of = |(c, outcome): &'_ &(Contender, _)| *c == contender && Result::is_ok(outcome);
        self.crashes.iter().find(of)?.1.as_ref().ok()
    }
}

#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) rounds: Vec<Round>,
}

impl Record {
    /// All that a manager showed with so many processes.
    pub(super) fn of(&self, contender: Contender, count: usize) -> impl Iterator<Item = &Shown> {
        let rounds = self.rounds.iter();
        rounds.filter_map(move |round| round.shown(contender, count))
    }

    /// The medians of the rounds.
    pub(super) fn time(&self, contender: Contender, count: usize, what: What) -> Option<Spread> {
        Spread::of(self.of(contender, count).filter_map(|s| s.median(what)))
    }

    /// Of 100 times of all rounds, 95 are not longer.
    pub(super) fn p95(&self, contender: Contender, count: usize, what: What) -> Option<f64> {
        let all = self.of(contender, count).flat_map(|s| s.times(what));
        p95(all.copied())
    }

    /// One time by another, within each round that has both.
    pub(super) fn ratio(
        &self,
        count: usize,
        a: (Contender, What),
        b: (Contender, What),
    ) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| {
            let one = |(contender, what)| round.shown(contender, count)?.median(what);
            Some(one(a)? / one(b)?)
        }))
    }

    /// Resident memory of one manager by that of another, just after the start, within each round.
    pub(super) fn memory_ratio(&self, count: usize, a: Contender, b: Contender) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| {
            let one = |contender| Some(round.shown(contender, count)?.memory.rss as f64);
            Some(one(a)? / one(b)?)
        }))
    }

    /// Megabytes (10^6 bytes).
    pub(super) fn memory(
        &self,
        contender: Contender,
        count: usize,
        value: impl Fn(&Shown) -> u64,
    ) -> Option<Spread> {
        let megabytes = |shown: &Shown| value(shown) as f64 * 1024.0 / 1e6;
        Spread::of(self.of(contender, count).map(megabytes))
    }

    /// The median crash of each round, after something was done with both kinds.
    pub(super) fn crash(
        &self,
        contender: Contender,
        value: impl Fn(f64, f64) -> f64,
    ) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| {
            let crashes = round.crash(contender)?;
            let median = |ms: &[f64]| Spread::of(ms.iter().copied()).map(|s| s.median);
            Some(value(median(&crashes.managed)?, median(&crashes.bare)?))
        }))
    }

    /// The median crash of one by that of another, within each round.
    pub(super) fn crash_ratio(&self, a: Contender, b: Contender) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| {
            let one = |contender| {
                let managed = &round.crash(contender)?.managed;
                Spread::of(managed.iter().copied()).map(|s| s.median)
            };
            Some(one(a)? / one(b)?)
        }))
    }

    pub(super) fn idle(&self, contender: Contender) -> Option<&Idle> {
        let mut all = self.rounds.iter().flat_map(|round| &round.idle);
        all.find_map(|(c, outcome)| outcome.as_ref().ok().filter(|_| *c == contender))
    }

    /// Everything that failed: what it was, and why.
    pub(super) fn failures(&self, contender: Contender) -> Vec<(String, &str)> {
        let mut all = Vec::new();
        for round in &self.rounds {
            for visit in round.visits.iter().filter(|v| v.contender == contender) {
                if let Err(reason) = &visit.outcome {
                    all.push((format!("{} processes", visit.count), reason.as_str()));
                }
            }
            let crashes = round.crashes.iter().filter(|(c, _)| *c == contender);
            let crashes = crashes.filter_map(|(_, o)| o.as_ref().err());
            all.extend(crashes.map(|reason| ("crash".to_owned(), reason.as_str())));
            let idle = round.idle.iter().filter(|(c, _)| *c == contender);
            let idle = idle.filter_map(|(_, o)| o.as_ref().err());
            all.extend(idle.map(|reason| ("idle".to_owned(), reason.as_str())));
        }
        all
    }

    pub(super) fn is_empty(&self) -> bool {
        let any = |round: &Round| {
            round.visits.iter().any(|v| v.outcome.is_ok())
                || round.crashes.iter().any(|(_, o)| o.is_ok())
                || round.idle.iter().any(|(_, o)| o.is_ok())
        };
        !self.rounds.iter().any(any)
    }

    pub(super) fn json(&self) -> Value {
        self.rounds.iter().map(round_json).collect()
    }
}

fn round_json(round: &Round) -> Value {
    let outcome = |outcome: Result<Value, &String>| match outcome {
        Ok(shown) => ("shown", shown),
        Err(reason) => ("failed", json!(reason)),
    };
    let entry = |contender: Contender, (key, value): (&str, Value)| json!({"contender": contender.name(), key: value});
    let visits = round.visits.iter().map(|visit| {
        let shown = visit.outcome.as_ref().map(Shown::json);
        let mut entry = entry(visit.contender, outcome(shown));
        entry["processes"] = json!(visit.count);
        entry
    });
    let crashes = round.crashes.iter().map(|(contender, crashes)| {
        let shown = crashes
            .as_ref()
            .map(|c| json!({"managed_ms": c.managed, "bare_ms": c.bare}));
        entry(*contender, outcome(shown))
    });
    let idle = round
        .idle
        .iter()
        .map(|(contender, idle)| entry(*contender, outcome(idle.as_ref().map(|i| i.json()))));
    json!({
        "visits": visits.collect::<Value>(),
        "crashes": crashes.collect::<Value>(),
        "idle": idle.collect::<Value>(),
    })
}

/// The nearest rank; None of nothing.
pub(super) fn p95(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * 95).div_ceil(100);
    values.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A visit of which everything has one time.
    pub(in super::super) fn visit(contender: Contender, count: usize, ms: u64) -> Visit {
        let mut shown = Shown {
            memory: Memory {
                rss: ms * 1000,
                pss: ms * 900,
                private: ms * 800,
            },
            ..Shown::default()
        };
        for verb in [Verb::Start, Verb::List, Verb::Restart, Verb::Stop] {
            shown.add(What::Said(verb), Duration::from_millis(ms));
            shown.add(What::AllRun(verb), Duration::from_millis(ms));
        }
        for what in [What::Spawned(Verb::Start), What::Ended, What::Nothing] {
            shown.add(what, Duration::from_millis(10));
        }
        Visit {
            contender,
            count,
            outcome: Ok(shown),
        }
    }

    #[test]
    fn ratios_are_taken_within_the_rounds_that_have_both() {
        let round = |ms| Round {
            visits: vec![
                visit(Contender::Tine, 100, ms),
                visit(Contender::Pm2, 100, ms * 4),
            ],
            ..Round::default()
        };
        let mut rounds = vec![round(10), round(30)];
        rounds.push(Round::default());
        let record = Record { rounds };
        let list = What::Said(Verb::List);
        let ratio = record.ratio(100, (Contender::Pm2, list), (Contender::Tine, list));
        let ratio = ratio.unwrap();
        assert_eq!((ratio.least, ratio.most, ratio.rounds), (4.0, 4.0, 2));
        let of_itself = record.ratio(
            100,
            (Contender::Tine, list),
            (Contender::Tine, What::Nothing),
        );
        assert_eq!(of_itself.unwrap().median, 2.0);
        assert_eq!(record.time(Contender::Tine, 1, list), None);
        assert_eq!(record.p95(Contender::Tine, 100, list), Some(30.0));
    }

    #[test]
    fn of_a_hundred_the_ninety_fifth_is_taken() {
        assert_eq!(p95((1..=100).map(f64::from)), Some(95.0));
        assert_eq!(p95([3.0, 1.0]), Some(3.0));
        assert_eq!(p95([]), None);
    }
}
