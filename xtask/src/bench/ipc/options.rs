//! What the command line of `bench ipc` asks for.

use std::path::PathBuf;
use std::time::Duration;

use super::super::options::{number, seconds};
use super::pair::Pair;
use crate::{Result, step};

pub(super) const USAGE: &str = "\
usage: cargo xtask bench ipc [options]

  --rounds N      how often every pair is measured (5)
  --seconds N     length of one load, of which there are six (2)
  --only A,B      these pairs only
  --node PATH     the node of those that have one
  --out FOLDER    where ipc.md, .json and .svg go (bench/results)

Builds what it needs. The machine must be quiet: both processes of a pair share its cores, and only
ratios within one run mean anything.
";

/// One run, as asked for.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) rounds: usize,
    pub(super) load: Duration,
    pub(super) pairs: Vec<Pair>,
    pub(super) node: Option<PathBuf>,
    pub(super) out: PathBuf,
}

impl Options {
    /// None if help was asked for.
    pub(super) fn parse(arguments: &[String]) -> Result<Option<Options>> {
        let mut options = Options {
            rounds: 5,
            load: Duration::from_secs(2),
            pairs: Pair::ALL.to_vec(),
            node: None,
            out: step::root().join("bench/results"),
        };
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
                "--rounds" => options.rounds = number(name, value()?, 1, 1000)?,
                "--seconds" => options.load = seconds(name, value()?, 1)?,
                "--only" => options.pairs = pairs(value()?)?,
                "--node" => options.node = Some(value()?.into()),
                "--out" => options.out = value()?.into(),
                _ => return Err(format!("bench ipc has no {name:?}\n\n{USAGE}")),
            }
        }
        Ok(Some(options))
    }
}

fn pairs(list: &str) -> Result<Vec<Pair>> {
    let mut found = Vec::new();
    for name in list.split(',') {
        let known = Pair::ALL.into_iter().find(|pair| pair.name() == name);
        let known = known.ok_or_else(|| {
            let names = Pair::ALL.map(Pair::name).join(", ");
            format!("--only: no pair is called {name:?}, there are {names}")
        })?;
        if !found.contains(&known) {
            found.push(known);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Options>> {
        let words = text.split_whitespace().map(str::to_owned);
        Options::parse(&words.collect::<Vec<_>>())
    }

    #[test]
    fn every_option_is_taken_over() {
        let given = "--rounds 3 --seconds 4 --only raw,node-node,raw --node /n --out /o";
        let options = parse(given).unwrap().unwrap();
        assert_eq!((options.rounds, options.load), (3, Duration::from_secs(4)));
        assert_eq!(options.pairs, [Pair::Raw, Pair::NodeNode]);
        assert_eq!(
            (options.node, options.out),
            (Some("/n".into()), "/o".into())
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (given, complaint) in [
            ("--rounds 0", "--rounds"),
            ("--seconds", "--seconds"),
            ("--only raw,nobody", "nobody"),
            ("--fast", "--fast"),
        ] {
            let error = parse(given).unwrap_err();
            assert!(error.contains(complaint), "{given}: {error}");
        }
        assert!(parse("--rounds 2 --help").unwrap().is_none());
    }
}
