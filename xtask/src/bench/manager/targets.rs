//! What tine is to reach, and what this run says of it.

use super::super::stats::Spread;
use super::contender::{Contender, Verb};
use super::record::{Record, What};

/// A figure that is not to be passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) of: &'static str,
    pub(super) unit: &'static str,
    pub(super) most: f64,
    pub(super) decimals: usize,
    measured: fn(&Record) -> Option<Spread>,
}

impl Target {
    pub(super) fn measured(&self, record: &Record) -> Option<Spread> {
        (self.measured)(record)
    }

    /// By the median.
    pub(super) fn reached(&self, measured: &Spread) -> bool {
        measured.median <= self.most
    }
}

const TINE: Contender = Contender::Tine;

fn time(record: &Record, count: usize, what: What) -> Option<Spread> {
    record.time(TINE, count, what)
}

pub(super) const TARGETS: [Target; 11] = [
    Target {
        of: "keeper and brain, RSS, no processes",
        unit: "MB",
        most: 6.0,
        decimals: 2,
        measured: |r| r.memory(TINE, 0, |s| s.memory.rss),
    },
    Target {
        of: "keeper and brain, RSS, 1,000 processes",
        unit: "MB",
        most: 20.0,
        decimals: 2,
        measured: |r| r.memory(TINE, 1000, |s| s.memory.rss),
    },
    Target {
        of: "times awake while idle",
        unit: "",
        most: 0.0,
        decimals: 0,
        measured: |r| Spread::of(r.idle(TINE).map(|idle| idle.wakes as f64)),
    },
    Target {
        of: "list, 1 process",
        unit: "ms",
        most: 4.0,
        decimals: 1,
        measured: |r| time(r, 1, What::Said(Verb::List)),
    },
    Target {
        of: "list, 1,000 processes",
        unit: "ms",
        most: 15.0,
        decimals: 1,
        measured: |r| time(r, 1000, What::Said(Verb::List)),
    },
    Target {
        of: "start --no-wait of 100, the command, by a bare start of the same",
        unit: "×",
        most: 1.3,
        decimals: 2,
        measured: |r| start(r, What::Said, Verb::StartNoWait),
    },
    Target {
        of: "start --no-wait of 100, until all run, by a bare start of the same",
        unit: "×",
        most: 1.3,
        decimals: 2,
        measured: |r| start(r, What::AllRun, Verb::StartNoWait),
    },
    Target {
        of: "start of 100, until all run, by a bare start of the same",
        unit: "×",
        most: 1.3,
        decimals: 2,
        measured: |r| start(r, What::AllRun, Verb::Start),
    },
    Target {
        of: "restart of 100",
        unit: "ms",
        most: 500.0,
        decimals: 0,
        measured: |r| time(r, 100, What::Said(Verb::Restart)),
    },
    Target {
        of: "stop of 100",
        unit: "ms",
        most: 500.0,
        decimals: 0,
        measured: |r| time(r, 100, What::Said(Verb::Stop)),
    },
    Target {
        of: "crash to first instruction, above a bare start",
        unit: "ms",
        most: 1.0,
        decimals: 2,
        measured: |r| r.crash(TINE, |managed, bare| managed - bare),
    },
];

fn start(record: &Record, what: fn(Verb) -> What, verb: Verb) -> Option<Spread> {
    record.ratio(100, (TINE, what(verb)), (TINE, What::Spawned(verb)))
}

#[cfg(test)]
mod tests {
    use super::super::record::Round;
    use super::super::record::tests::visit;
    use super::*;

    #[test]
    fn the_median_is_held_against_the_figure() {
        let round = |ms| Round {
            visits: vec![visit(TINE, 100, ms)],
            ..Round::default()
        };
        let record = Record {
            rounds: vec![round(12), round(13), round(90)],
        };
        let target = |of: &str| TARGETS.iter().find(|t| t.of.starts_with(of)).unwrap();
        let started = target("start of 100, until all run")
            .measured(&record)
            .unwrap();
        assert_eq!((started.median, started.most), (1.3, 9.0));
        assert!(target("start of 100, until all run").reached(&started));
        let empty = target("keeper and brain, RSS, no").measured(&record);
        assert_eq!(empty, None);
        let stopped = target("stop").measured(&record).unwrap();
        assert!(target("stop").reached(&stopped));
        assert!(!target("list, 1 process").reached(&stopped));
    }
}
