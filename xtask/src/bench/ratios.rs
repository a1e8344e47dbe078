//! Who against whom: ratios within a round, and their median over the rounds.

use super::contender::Contender;
use super::record::{Record, Visit, shown};
use super::stats::Spread;
use super::wrk::Load;

/// One comparison. No spread if no round measured both sides.
#[derive(Debug)]
pub(crate) struct Ratio {
    pub(crate) of: &'static str,
    pub(crate) what: String,
    pub(crate) spread: Option<Spread>,
}

const REQUESTS: [(Contender, Contender); 5] = [
    (Contender::TineKernel, Contender::Limit),
    (Contender::TineKernel, Contender::NodeClusterRr),
    (Contender::TineKernel, Contender::Pm2),
    (Contender::TineRr, Contender::NodeClusterRr),
    (Contender::TineShared, Contender::NodeClusterNone),
];

/// The named comparisons whose sides were asked for.
pub(crate) fn all(contenders: &[Contender], record: &Record) -> Vec<Ratio> {
    let asked = |list: &[Contender]| list.iter().all(|c| contenders.contains(c));
    let mut ratios = Vec::new();
    for load in [Load::NewConnection, Load::KeepAlive] {
        for (a, b) in REQUESTS.into_iter().filter(|(a, b)| asked(&[*a, *b])) {
            ratios.push(Ratio {
                of: "requests/s",
                what: format!("{} / {}, {}", a.name(), b.name(), load.title()),
                spread: requests(record, load, a, b),
            });
        }
    }
    let (rr, node_rr) = (Contender::TineRr, Contender::NodeClusterRr);
    if asked(&[rr, node_rr]) {
        let load = Load::NewConnection;
        let cpu = |round: &[Visit], c| shown(round, c)?.under(load).primary_cpu;
        ratios.push(Ratio {
            of: "primary CPU per request",
            what: format!("{} / {}, {}", rr.name(), node_rr.name(), load.title()),
            spread: within_rounds(record, |r| Some(cpu(r, rr)? / cpu(r, node_rr)?)),
        });
    }
    let both = [Contender::NodeClusterRr, Contender::NodeClusterNone];
    for tine in Contender::ALL.into_iter().filter(|c| c.is_tine()) {
        if !asked(&[tine, both[0], both[1]]) {
            continue;
        }
        let load = Load::KeepAlive;
        ratios.push(Ratio {
            of: "requests/s",
            what: format!(
                "{} / the better of Node's two policies, {}",
                tine.name(),
                load.title()
            ),
            spread: within_rounds(record, |round| {
                let one = |c| Some(shown(round, c)?.under(load).seen.requests_per_second);
                Some(one(tine)? / one(both[0])?.max(one(both[1])?))
            }),
        });
    }
    ratios
}

/// Requests per second of `a` by those of `b`.
pub(crate) fn requests(record: &Record, load: Load, a: Contender, b: Contender) -> Option<Spread> {
    within_rounds(record, |round| {
        let one = |c| Some(shown(round, c)?.under(load).seen.requests_per_second);
        Some(one(a)? / one(b)?)
    })
}

fn within_rounds(record: &Record, ratio: impl Fn(&[Visit]) -> Option<f64>) -> Option<Spread> {
    Spread::of(record.rounds.iter().filter_map(|round| ratio(round)))
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{failed, visit};
    use super::*;

    fn record() -> Record {
        use Contender::{NodeClusterNone, NodeClusterRr, TineRr};
        let round = |tine, rr, none| {
            vec![
                visit(TineRr, tine, 10.0),
                visit(NodeClusterRr, rr, 40.0),
                visit(NodeClusterNone, none, 0.0),
            ]
        };
        // The machine was twice as fast in the second round; ratios within rounds do not see it.
        let mut rounds = vec![round(100.0, 50.0, 80.0), round(200.0, 100.0, 400.0)];
        let mut broken = round(900.0, 1.0, 1.0);
        broken[1] = failed(NodeClusterRr, "port taken");
        rounds.push(broken);
        Record { rounds }
    }

    #[test]
    fn a_ratio_is_taken_within_each_round_that_measured_both() {
        let found = requests(
            &record(),
            Load::KeepAlive,
            Contender::TineRr,
            Contender::NodeClusterRr,
        );
        let found = found.unwrap();
        assert_eq!(
            (found.median, found.least, found.most, found.rounds),
            (2.0, 2.0, 2.0, 2)
        );
    }

    #[test]
    fn the_better_policy_is_chosen_per_round_and_only_if_both_were_measured() {
        let found = all(&Contender::ALL, &record());
        let best = found
            .iter()
            .find(|r| r.what.starts_with("tine-rr / the better"))
            .unwrap();
        let spread = best.spread.unwrap();
        assert_eq!((spread.least, spread.most, spread.rounds), (0.5, 1.25, 2));
        let cpu = found
            .iter()
            .find(|r| r.of == "primary CPU per request")
            .unwrap();
        assert_eq!(cpu.spread.unwrap().median, 0.25);
    }

    #[test]
    fn a_side_that_never_ran_leaves_the_ratio_empty_and_one_not_asked_for_leaves_it_out() {
        let found = all(&Contender::ALL, &record());
        let limit = found
            .iter()
            .filter(|r| r.what.starts_with("tine-kernel / limit"));
        assert!(limit.map(|r| r.spread).eq([None, None]));
        assert!(all(&[Contender::Pm2, Contender::Limit], &record()).is_empty());
    }
}
