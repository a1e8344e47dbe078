//! What the command line of `bench manager` asks for.

use std::path::PathBuf;
use std::time::Duration;

use super::super::options::{number, seconds};
use super::contender::Contender;
use crate::{Result, step};

pub(super) const USAGE: &str = "\
usage: cargo xtask bench manager [options]

  --quick              one round of few samples (about two minutes); what follows it may say otherwise
  --rounds N           how often every contender is measured (3)
  --only A,B           these contenders only: tine, pm2, supervisord
  --parts A,B          of commands, idle and crash, these parts only
  --counts A,B         so many processes (0,1,10,100,500,1000)
  --pm2-most N         counts above this are not asked of pm2 (100)
  --supervisord-most N the same of supervisord (1000)
  --apps               every process an app of its own; else all are instances of one app
  --cycles N           how often tine starts, restarts and stops all of them in a round (3)
  --rival-cycles N     the same of the others, which take their time (1)
  --lists N            how often it lists them in a round (20)
  --idle-seconds N     length of the idle watch, once per contender; 0 leaves it out (60)
  --idle-processes N   processes that run meanwhile (100)
  --kills N            crashes in a round (20)
  --node PATH          the node that runs pm2
  --tine PATH          the tine to measure; without it, target/release/tine is built
  --out FOLDER         where manager.md, .json and .svg go (bench/results)
  --install            only gets supervisord from PyPI, into the folder of the runtimes

The machine must be quiet: only ratios within one run mean anything. Needs, for their rows, pm2
(scripts/setup-runtimes.sh --bench) and supervisord.
";

/// What a contender is made to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Commands,
    Idle,
    Crash,
}

impl Part {
    const ALL: [Part; 3] = [Part::Commands, Part::Idle, Part::Crash];

    fn name(self) -> &'static str {
        match self {
            Part::Commands => "commands",
            Part::Idle => "idle",
            Part::Crash => "crash",
        }
    }
}

/// One run, as asked for.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) rounds: usize,
    pub(super) contenders: Vec<Contender>,
    parts: Vec<Part>,
    /// Ascending, each once.
    pub(super) counts: Vec<usize>,
    pm2_most: usize,
    supervisord_most: usize,
    pub(super) apart: bool,
    cycles: usize,
    rival_cycles: usize,
    pub(super) lists: usize,
    pub(super) idle: Duration,
    idle_processes: usize,
    pub(super) kills: usize,
    pub(super) node: Option<PathBuf>,
    /// None: the one of this checkout, which is built.
    pub(super) tine: Option<PathBuf>,
    pub(super) out: PathBuf,
    pub(super) install: bool,
}

impl Options {
    fn new() -> Options {
        Options {
            rounds: 3,
            contenders: Contender::ALL.to_vec(),
            parts: Part::ALL.to_vec(),
            counts: vec![0, 1, 10, 100, 500, 1000],
            pm2_most: 100,
            supervisord_most: 1000,
            apart: false,
            cycles: 3,
            rival_cycles: 1,
            lists: 20,
            idle: Duration::from_secs(60),
            idle_processes: 100,
            kills: 20,
            node: None,
            tine: None,
            out: step::root().join("bench/results"),
            install: false,
        }
    }

    /// None if help was asked for.
    pub(super) fn parse(arguments: &[String]) -> Result<Option<Options>> {
        let mut options = Options::new();
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            if matches!(name.as_str(), "help" | "--help" | "-h") {
                return Ok(None);
            }
            let mut value = || {
                rest.next()
                    .ok_or_else(|| format!("{name} needs a value\n\n{USAGE}"))
            };
            match name.as_str() {
                "--quick" => options.shorten(),
                "--apps" => options.apart = true,
                "--install" => options.install = true,
                "--rounds" => options.rounds = number(name, value()?, 1, 1000)?,
                "--only" => options.contenders = chosen(name, value()?, &Contender::NAMED)?,
                "--parts" => {
                    let named = Part::ALL.map(|part| (part.name(), part));
                    options.parts = chosen(name, value()?, &named)?;
                }
                "--counts" => options.counts = counts(name, value()?)?,
                "--pm2-most" => options.pm2_most = number(name, value()?, 0, 10_000)?,
                "--supervisord-most" => {
                    options.supervisord_most = number(name, value()?, 0, 10_000)?;
                }
                "--cycles" => options.cycles = number(name, value()?, 1, 1000)?,
                "--rival-cycles" => options.rival_cycles = number(name, value()?, 1, 1000)?,
                "--lists" => options.lists = number(name, value()?, 1, 10_000)?,
                "--idle-seconds" => options.idle = seconds(name, value()?, 0)?,
                "--idle-processes" => options.idle_processes = number(name, value()?, 0, 10_000)?,
                "--kills" => options.kills = number(name, value()?, 1, 10_000)?,
                "--node" => options.node = Some(value()?.into()),
                "--tine" => options.tine = Some(value()?.into()),
                "--out" => options.out = value()?.into(),
                _ => return Err(format!("bench manager has no {name:?}\n\n{USAGE}")),
            }
        }
        Ok(Some(options))
    }

    fn shorten(&mut self) {
        self.rounds = 1;
        self.counts = vec![0, 1, 100, 1000];
        self.supervisord_most = 100;
        self.cycles = 1;
        self.lists = 5;
        self.idle = Duration::from_secs(5);
        self.kills = 5;
    }

    pub(super) fn has(&self, part: Part) -> bool {
        let wanted = self.parts.contains(&part);
        wanted && (part != Part::Idle || !self.idle.is_zero())
    }

    /// The most processes that are asked of this contender.
    pub(super) fn most(&self, contender: Contender) -> usize {
        match contender {
            Contender::Tine => usize::MAX,
            Contender::Pm2 => self.pm2_most,
            Contender::Supervisord => self.supervisord_most,
        }
    }

    /// How often it goes through start, restart and stop.
    pub(super) fn cycles(&self, contender: Contender) -> usize {
        match contender {
            Contender::Tine => self.cycles,
            Contender::Pm2 | Contender::Supervisord => self.rival_cycles,
        }
    }

    /// How many processes run during the idle watch.
    pub(super) fn idle_count(&self, contender: Contender) -> usize {
        self.idle_processes.min(self.most(contender))
    }
}

fn chosen<T: Copy + PartialEq>(name: &str, list: &str, known: &[(&str, T)]) -> Result<Vec<T>> {
    let mut found = Vec::new();
    for word in list.split(',') {
        let Some((_, value)) = known.iter().find(|(name, _)| *name == word) else {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let names = names.join(", ");
            return Err(format!(
                "{name}: none is called {word:?}, there are {names}"
            ));
        };
        if !found.contains(value) {
            found.push(*value);
        }
    }
    Ok(found)
}

fn counts(name: &str, list: &str) -> Result<Vec<usize>> {
    let each = list.split(',').map(|word| number(name, word, 0, 10_000));
    let mut counts = each.collect::<Result<Vec<usize>>>()?;
    counts.sort_unstable();
    counts.dedup();
    Ok(counts)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn parse(text: &str) -> Result<Option<Options>> {
        let words = text.split_whitespace().map(str::to_owned);
        Options::parse(&words.collect::<Vec<_>>())
    }

    #[test]
    fn every_option_is_taken_over() {
        let given = "--rounds 2 --only pm2,tine,pm2 --parts idle,crash --counts 100,1,1 --pm2-most 7 \
                     --supervisord-most 8 --apps --cycles 4 --rival-cycles 2 --lists 5 --idle-seconds 6 --idle-processes 9 \
                     --kills 10 --node /n --tine /t --out /o --install";
        let options = parse(given).unwrap().unwrap();
        assert_eq!(options.rounds, 2);
        assert_eq!(options.contenders, [Contender::Pm2, Contender::Tine]);
        let has = Part::ALL.map(|part| options.has(part));
        assert_eq!(has, [false, true, true]);
        assert_eq!(options.counts, [1, 100]);
        let idle = Contender::ALL.map(|contender| options.idle_count(contender));
        assert_eq!(idle, [9, 7, 8]);
        let cycles = Contender::ALL.map(|contender| options.cycles(contender));
        assert_eq!(cycles, [4, 2, 2]);
        assert_eq!((options.lists, options.kills), (5, 10));
        assert_eq!(options.idle, Duration::from_secs(6));
        assert!(options.apart && options.install);
        let paths = (options.node, options.tine, options.out);
        assert_eq!(paths, (Some("/n".into()), Some("/t".into()), "/o".into()));
    }

    #[test]
    fn an_idle_watch_of_no_length_is_none() {
        let options = parse("--quick --idle-seconds 0").unwrap().unwrap();
        assert!(!options.has(Part::Idle));
        assert!(options.has(Part::Commands));
        assert_eq!(options.rounds, 1);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (given, complaint) in [
            ("--rounds 0", "--rounds"),
            ("--kills", "--kills"),
            ("--only tine,nobody", "nobody"),
            ("--parts idle,sleep", "sleep"),
            ("--counts 1,many", "--counts"),
            ("--fast", "--fast"),
        ] {
            let error = parse(given).unwrap_err();
            assert!(error.contains(complaint), "{given}: {error}");
        }
        assert!(parse("--rounds 2 --help").unwrap().is_none());
    }
}
