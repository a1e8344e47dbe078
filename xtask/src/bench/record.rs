//! What a run measured, before anything is summed up; `connections.json` is this.

use serde_json::{Value, json};

use super::contender::Contender;
use super::sample::Tally;
use super::stats;
use super::wrk::{Load, Seen};

/// Round by round, in the order measured.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) rounds: Vec<Vec<Visit>>,
}

/// One contender in one round: what it showed, or why it could not be measured.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) contender: Contender,
    pub(crate) outcome: Result<Shown, String>,
}

#[derive(Debug)]
pub(crate) struct Shown {
    /// From the first spawn until every worker listens and the port answers.
    pub(crate) ready_ms: f64,
    /// Of the first round only.
    pub(crate) idle: Option<Idle>,
    pub(crate) keep_alive: Measured,
    pub(crate) new_connection: Measured,
    /// Of all processes that are not workers; None if there are none.
    pub(crate) primary_rss_after_kib: Option<u64>,
    /// It was asked to end and did not in time.
    pub(crate) had_to_be_killed: bool,
}

/// The primary with nobody connected, before any load; zero processes give None for both.
#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) seconds: f64,
    pub(crate) primary_rss_kib: Option<u64>,
    pub(crate) primary_switches: Option<u64>,
}

/// One load.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) seen: Seen,
    /// CPU milliseconds per 1,000 requests of everything that is not a worker; None without a primary.
    pub(crate) primary_cpu: Option<f64>,
    /// CPU milliseconds per 1,000 requests of all workers together.
    pub(crate) workers_cpu: f64,
    /// CPU milliseconds of each worker during the load.
    pub(crate) worker_cpu_ms: Vec<f64>,
    /// Sampled after the load, answers per worker.
    pub(crate) shares: Vec<u64>,
    pub(crate) sample_failures: u64,
}

impl Measured {
    /// CPU in milliseconds, over the whole load; `primary` is None where there is none.
    pub(crate) fn new(
        seen: Seen,
        primary: Option<f64>,
        worker_cpu_ms: Vec<f64>,
        tally: &Tally,
        workers: &[u32],
    ) -> Measured {
        let thousands = seen.requests.max(1) as f64 / 1000.0;
        Measured {
            seen,
            primary_cpu: primary.map(|ms| ms / thousands),
            workers_cpu: worker_cpu_ms.iter().sum::<f64>() / thousands,
            worker_cpu_ms,
            shares: tally.of(workers),
            sample_failures: tally.failures,
        }
    }

    /// Least by most, of the sampled answers.
    pub(crate) fn evenness(&self) -> Option<f64> {
        stats::evenness(&self.shares.iter().map(|n| *n as f64).collect::<Vec<_>>())
    }

    /// Least by most, of the workers' CPU time under the load.
    pub(crate) fn cpu_evenness(&self) -> Option<f64> {
        stats::evenness(&self.worker_cpu_ms)
    }

    fn json(&self) -> Value {
        let errors: serde_json::Map<_, _> = self
            .seen
            .errors
            .named()
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.into()))
            .collect();
        json!({
            "requests": self.seen.requests,
            "requests_per_second": self.seen.requests_per_second,
            "p50_ms": self.seen.p50_ms,
            "p99_ms": self.seen.p99_ms,
            "p99.9_ms": self.seen.p999_ms,
            "errors": errors,
            "primary_cpu_ms_per_1000": self.primary_cpu,
            "workers_cpu_ms_per_1000": self.workers_cpu,
            "worker_cpu_ms": self.worker_cpu_ms,
            "sampled_answers_per_worker": self.shares,
            "sampled_failures": self.sample_failures,
        })
    }
}

impl Shown {
    pub(crate) fn under(&self, load: Load) -> &Measured {
        match load {
            Load::KeepAlive => &self.keep_alive,
            Load::NewConnection => &self.new_connection,
        }
    }

    fn json(&self) -> Value {
        json!({
            "ready_ms": self.ready_ms,
            "idle": self.idle.as_ref().map(|idle| json!({
                "seconds": idle.seconds,
                "primary_rss_kib": idle.primary_rss_kib,
                "primary_voluntary_context_switches": idle.primary_switches,
            })),
            "keep_alive": self.keep_alive.json(),
            "new_connection": self.new_connection.json(),
            "primary_rss_after_load_kib": self.primary_rss_after_kib,
            "had_to_be_killed": self.had_to_be_killed,
        })
    }
}

impl Record {
    /// Everything this contender showed, over the rounds in which it could be measured.
    pub(crate) fn of(&self, contender: Contender) -> impl Iterator<Item = &Shown> {
        self.rounds
            .iter()
            .filter_map(move |round| shown(round, contender))
    }

    /// Why this contender could not be measured, one text per failed round.
    pub(crate) fn failures(&self, contender: Contender) -> Vec<&str> {
        let visits = self
            .rounds
            .iter()
            .flatten()
            .filter(|v| v.contender == contender);
        visits
            .filter_map(|v| v.outcome.as_ref().err().map(String::as_str))
            .collect()
    }

    pub(crate) fn json(&self) -> Value {
        let visit = |visit: &Visit| match &visit.outcome {
            Ok(shown) => json!({"contender": visit.contender.name(), "shown": shown.json()}),
            Err(reason) => json!({"contender": visit.contender.name(), "failed": reason}),
        };
        self.rounds
            .iter()
            .map(|round| round.iter().map(visit).collect::<Value>())
            .collect()
    }
}

/// What this contender showed in this round.
pub(crate) fn shown(round: &[Visit], contender: Contender) -> Option<&Shown> {
    round
        .iter()
        .find(|v| v.contender == contender)?
        .outcome
        .as_ref()
        .ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A visit with the numbers that ratios and reports look at.
    pub(crate) fn visit(contender: Contender, requests_per_second: f64, primary: f64) -> Visit {
        let measured = || {
            let seen = Seen {
                requests: 2000,
                requests_per_second,
                ..Seen::default()
            };
            let mut tally = Tally::default();
            tally.answers.insert(10, 30);
            tally.answers.insert(11, 40);
            Measured::new(seen, Some(primary), vec![50.0, 100.0], &tally, &[10, 11])
        };
        let shown = Shown {
            ready_ms: 1.0,
            idle: None,
            keep_alive: measured(),
            new_connection: measured(),
            primary_rss_after_kib: Some(4096),
            had_to_be_killed: false,
        };
        Visit {
            contender,
            outcome: Ok(shown),
        }
    }

    pub(crate) fn failed(contender: Contender, reason: &str) -> Visit {
        Visit {
            contender,
            outcome: Err(reason.to_owned()),
        }
    }

    #[test]
    fn cpu_is_per_thousand_requests_and_shares_are_least_by_most() {
        let visit = visit(Contender::Pm2, 500.0, 80.0);
        let shown = visit.outcome.unwrap();
        let measured = shown.under(Load::NewConnection);
        assert_eq!(
            (measured.primary_cpu, measured.workers_cpu),
            (Some(40.0), 75.0)
        );
        assert_eq!(
            (measured.evenness(), measured.cpu_evenness()),
            (Some(0.75), Some(0.5))
        );
    }

    #[test]
    fn the_raw_record_keeps_failures_beside_values() {
        let record = Record {
            rounds: vec![
                vec![
                    visit(Contender::Pm2, 500.0, 80.0),
                    failed(Contender::TineRr, "no binary"),
                ],
                vec![failed(Contender::Pm2, "port taken")],
            ],
        };
        assert_eq!(record.of(Contender::Pm2).count(), 1);
        assert_eq!(record.failures(Contender::Pm2), ["port taken"]);
        let json = record.json();
        assert_eq!(json[0][1]["failed"], "no binary");
        assert_eq!(
            json[0][0]["shown"]["keep_alive"]["workers_cpu_ms_per_1000"],
            75.0
        );
    }
}
