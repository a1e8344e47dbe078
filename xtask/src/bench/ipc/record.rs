//! What a run measured, before anything is summed up; `ipc.json` is this.

use serde_json::{Value, json};

use super::super::stats::Spread;
use super::pair::Pair;

/// Which way messages go, and how long each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) way: Way,
    long: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// One message to the worker, which sends it back; then the next.
    ThereAndBack,
    /// From the primary to the worker, without a wait for answers.
    Down,
    /// From the worker to the primary, likewise.
    Up,
}

impl Load {
    pub(super) const SMALL: [Load; 3] = Load::of(false);
    pub(super) const LARGE: [Load; 3] = Load::of(true);
    pub(super) const ALL: [Load; 6] = {
        let ([a, b, c], [d, e, f]) = (Load::SMALL, Load::LARGE);
        [a, b, c, d, e, f]
    };

    const fn of(long: bool) -> [Load; 3] {
        [
            Load {
                way: Way::ThereAndBack,
                long,
            },
            Load {
                way: Way::Down,
                long,
            },
            Load { way: Way::Up, long },
        ]
    }

    /// As it is on the wire, the line's end included.
    pub(super) fn bytes(self) -> usize {
        if self.long { 10_000 } else { 100 }
    }

    /// What the programs call it.
    pub(super) fn word(self) -> &'static str {
        match self.way {
            Way::ThereAndBack => "round-trips",
            Way::Down => "down",
            Way::Up => "up",
        }
    }

    pub(super) fn title(self) -> String {
        let way = match self.way {
            Way::ThereAndBack => "round trips",
            Way::Down => "one way, primary to worker",
            Way::Up => "one way, worker to primary",
        };
        let size = if self.long { "10 kB" } else { "100 B" };
        format!("{way}, {size}")
    }

    fn index(self) -> usize {
        let way = match self.way {
            Way::ThereAndBack => 0,
            Way::Down => 1,
            Way::Up => 2,
        };
        way + if self.long { Load::SMALL.len() } else { 0 }
    }
}

/// Round by round, in the order measured.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) rounds: Vec<Vec<Visit>>,
}

/// One pair in one round: what it showed, or why it could not be measured.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) pair: Pair,
    pub(super) outcome: Result<Shown, String>,
}

#[derive(Debug)]
pub(super) struct Shown {
    /// In the order of [`Load::ALL`].
    pub(super) measured: Vec<Measured>,
    /// It was to end and did not in time.
    pub(super) had_to_be_killed: bool,
}

/// One load. A round trip counts as one message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) messages: u64,
    pub(super) seconds: f64,
    pub(super) primary_cpu_ms: f64,
    pub(super) worker_cpu_ms: f64,
}

impl Measured {
    pub(super) fn per_second(&self) -> f64 {
        self.messages as f64 / self.seconds
    }

    /// CPU milliseconds of the primary per 1,000 messages, user and system.
    pub(super) fn primary_cpu(&self) -> f64 {
        self.primary_cpu_ms * 1000.0 / self.messages as f64
    }

    /// The same of the worker.
    pub(super) fn worker_cpu(&self) -> f64 {
        self.worker_cpu_ms * 1000.0 / self.messages as f64
    }
}

impl Shown {
    pub(super) fn under(&self, load: Load) -> &Measured {
        &self.measured[load.index()]
    }

    fn json(&self) -> Value {
        let loads = Load::ALL.iter().zip(&self.measured).map(|(load, m)| {
            json!({
                "load": load.word(),
                "bytes": load.bytes(),
                "messages": m.messages,
                "seconds": m.seconds,
                "per_second": m.per_second(),
                "primary_cpu_ms_per_1000": m.primary_cpu(),
                "worker_cpu_ms_per_1000": m.worker_cpu(),
            })
        });
        json!({
            "loads": loads.collect::<Value>(),
            "had_to_be_killed": self.had_to_be_killed,
        })
    }
}

impl Record {
    /// Everything this pair showed, over the rounds in which it could be measured.
    pub(super) fn of(&self, pair: Pair) -> impl Iterator<Item = &Shown> {
        self.rounds
            .iter()
            .filter_map(move |round| shown(round, pair))
    }

    /// Why this pair could not be measured, one text per failed round.
    pub(super) fn failures(&self, pair: Pair) -> Vec<&str> {
        let visits = self.rounds.iter().flatten().filter(|v| v.pair == pair);
        visits
            .filter_map(|v| v.outcome.as_ref().err().map(String::as_str))
            .collect()
    }

    /// A value of `a` by that of `b` under one load, within each round that measured both.
    pub(super) fn ratio(
        &self,
        load: Load,
        (a, b): (Pair, Pair),
        value: impl Fn(&Measured) -> f64,
    ) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| {
            let one = |pair| Some(value(shown(round, pair)?.under(load)));
            Some(one(a)? / one(b)?)
        }))
    }

    /// As [`ratio`](Self::ratio), of what either has more than `base`; none where `b` has not more.
    pub(super) fn ratio_above(
        &self,
        load: Load,
        (a, b): (Pair, Pair),
        base: Pair,
        value: impl Fn(&Measured) -> f64,
    ) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| {
            let one = |pair| Some(value(shown(round, pair)?.under(load)));
            let base = one(base)?;
            let (a, b) = (one(a)? - base, one(b)? - base);
            (b > 0.0).then(|| a / b)
        }))
    }

    pub(super) fn json(&self) -> Value {
        let visit = |visit: &Visit| match &visit.outcome {
            Ok(shown) => json!({"pair": visit.pair.name(), "shown": shown.json()}),
            Err(reason) => json!({"pair": visit.pair.name(), "failed": reason}),
        };
        self.rounds
            .iter()
            .map(|round| round.iter().map(visit).collect::<Value>())
            .collect()
    }
}

fn shown(round: &[Visit], pair: Pair) -> Option<&Shown> {
    let visit = round.iter().find(|v| v.pair == pair)?;
    visit.outcome.as_ref().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A visit whose loads all have the same numbers: 1,000 messages.
    pub(in super::super) fn visit(pair: Pair, per_second: f64, primary: f64, worker: f64) -> Visit {
        let measured = Measured {
            messages: 1000,
            seconds: 1000.0 / per_second,
            primary_cpu_ms: primary,
            worker_cpu_ms: worker,
        };
        let outcome = Ok(Shown {
            measured: vec![measured; Load::ALL.len()],
            had_to_be_killed: false,
        });
        Visit { pair, outcome }
    }

    #[test]
    fn every_load_is_found_where_it_was_measured() {
        for (index, load) in Load::ALL.into_iter().enumerate() {
            assert_eq!(load.index(), index);
        }
    }

    #[test]
    fn ratios_are_taken_within_the_rounds_that_measured_both() {
        let mut rounds = vec![];
        // The machine was twice as fast in the second round; ratios within rounds do not see it.
        for speed in [100.0, 200.0] {
            rounds.push(vec![
                visit(Pair::RustRust, speed * 3.0, 10.0, 5.0),
                visit(Pair::NodeNode, speed, 40.0, 40.0),
            ]);
        }
        rounds.push(vec![visit(Pair::RustRust, 9.0, 1.0, 1.0)]);
        let record = Record { rounds };
        let both = (Pair::RustRust, Pair::NodeNode);
        let speed = record.ratio(Load::ALL[4], both, Measured::per_second);
        let speed = speed.unwrap();
        assert_eq!((speed.least, speed.most, speed.rounds), (3.0, 3.0, 2));
        let cpu = record.ratio(Load::ALL[0], both, Measured::primary_cpu);
        assert_eq!(cpu.unwrap().median, 0.25);
        let above =
            |base, pairs| record.ratio_above(Load::ALL[0], pairs, base, Measured::worker_cpu);
        assert_eq!(above(Pair::Raw, both), None);
        assert_eq!(above(Pair::RustRust, both).unwrap().most, 0.0);
        assert_eq!(above(Pair::NodeNode, both), None);
    }
}
