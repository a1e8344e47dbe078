//! What the command line of `bench connections` asks for.

use std::path::PathBuf;
use std::time::Duration;

use super::contender::Contender;
use super::tools;
use crate::Result;

pub(crate) const USAGE: &str = "\
usage: cargo xtask bench connections [options]

  --rounds N      how often every contender is measured (5)
  --seconds N     length of one load (4)
  --workers N     processes behind the port (2)
  --idle N        seconds over which the idle primary is watched, once per contender (5)
  --only A,B      these contenders only
  --node PATH     the node that runs every contender
  --tine PATH     the tine to measure (target/release/tine)
  --out FOLDER    where connections.md, .json and .svg go (bench/results)

The machine must be quiet: contenders and load share its cores, and only ratios within one run mean
anything. Needs wrk, and for their rows nginx, pm2 and `cargo build --release -p tine`.
";

/// One run, as asked for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) load: Duration,
    pub(crate) workers: usize,
    pub(crate) idle: Duration,
    pub(crate) contenders: Vec<Contender>,
    pub(crate) node: Option<PathBuf>,
    pub(crate) tine: PathBuf,
    pub(crate) out: PathBuf,
}

impl Options {
    /// None if help was asked for.
    pub(crate) fn parse(arguments: &[String]) -> Result<Option<Options>> {
        let mut options = Options {
            rounds: 5,
            load: Duration::from_secs(4),
            workers: 2,
            idle: Duration::from_secs(5),
            contenders: Contender::ALL.to_vec(),
            node: None,
            tine: tools::target_folder().join("release/tine"),
            out: tools::repository().join("bench/results"),
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
                "--workers" => options.workers = number(name, value()?, 1, 256)?,
                "--idle" => options.idle = seconds(name, value()?, 0)?,
                "--only" => options.contenders = contenders(value()?)?,
                "--node" => options.node = Some(value()?.into()),
                "--tine" => options.tine = value()?.into(),
                "--out" => options.out = value()?.into(),
                _ => return Err(format!("bench connections has no {name:?}\n\n{USAGE}")),
            }
        }
        Ok(Some(options))
    }
}

pub(crate) fn number(name: &str, text: &str, least: usize, most: usize) -> Result<usize> {
    match text.parse() {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        _ => Err(format!(
            "{name}: {text:?} is not a whole number from {least} to {most}"
        )),
    }
}

pub(crate) fn seconds(name: &str, text: &str, least: usize) -> Result<Duration> {
    Ok(Duration::from_secs(number(name, text, least, 600)? as u64))
}

fn contenders(list: &str) -> Result<Vec<Contender>> {
    let mut found = Vec::new();
    for name in list.split(',') {
        let known = Contender::ALL
            .iter()
            .find(|c| c.name() == name)
            .ok_or_else(|| {
                let names: Vec<_> = Contender::ALL.iter().map(|c| c.name()).collect();
                format!(
                    "--only: no contender is called {name:?}, there are {}",
                    names.join(", ")
                )
            })?;
        if !found.contains(known) {
            found.push(*known);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Options>> {
        Options::parse(
            &text
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn every_option_is_taken_over() {
        let given =
            "--rounds 3 --seconds 2 --workers 4 --idle 0 --only pm2,limit,pm2 --node /n --out /o";
        let options = parse(given).unwrap().unwrap();
        assert_eq!((options.rounds, options.workers), (3, 4));
        assert_eq!(
            (options.load, options.idle),
            (Duration::from_secs(2), Duration::ZERO)
        );
        assert_eq!(options.contenders, [Contender::Pm2, Contender::Limit]);
        assert_eq!(
            (options.node, options.out),
            (Some("/n".into()), "/o".into())
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (given, complaint) in [
            ("--rounds 0", "--rounds"),
            ("--seconds 1.5", "--seconds"),
            ("--rounds", "--rounds"),
            ("--only pm2,nobody", "nobody"),
            ("--fast", "--fast"),
        ] {
            let error = parse(given).unwrap_err();
            assert!(error.contains(complaint), "{given}: {error}");
        }
        assert!(parse("--rounds 2 --help").unwrap().is_none());
    }
}
