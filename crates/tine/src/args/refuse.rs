//! How is somebody told that the words make no sense?

use super::{Args, missing};
use crate::trouble::Trouble;
use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::path::Path;

/// What to say instead of what clap says; none: clap's own words are best.
pub(crate) fn refusal(refused: &clap::Error) -> Option<Trouble> {
    match refused.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = text(refused, ContextKind::InvalidSubcommand)?;
            Some(unknown_verb(&word))
        }
        ErrorKind::UnknownArgument => {
            let word = text(refused, ContextKind::InvalidArg)?;
            let reason = missing::option(&word)?;
            Some(Trouble::usage(format!("{word}: {reason}")))
        }
        _ => None,
    }
}

fn unknown_verb(word: &str) -> Trouble {
    if let Some(reason) = missing::verb(word) {
        return Trouble::usage(format!("`tine {word}`: {reason}"));
    }
    let trouble = Trouble::usage(format!("there is no command {word:?}"));
    if Path::new(word).exists() {
        return trouble.hint(format!(
            "did you mean `tine start {word}`, or `tine run {word}` in the foreground?"
        ));
    }
    match nearest(word) {
        Some(near) => trouble.hint(format!("did you mean `tine {near}`?")),
        None => trouble.hint("`tine --help` lists the commands"),
    }
}

fn text(refused: &clap::Error, kind: ContextKind) -> Option<String> {
    match refused.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// The command that is written most like a word, if one is near enough to be meant.
fn nearest(word: &str) -> Option<String> {
    let word = word.to_lowercase();
    let command = Args::command();
    let names = command
        .get_subcommands()
        .flat_map(|verb| verb.get_name_and_visible_aliases());
    let (distance, name) = names
        .map(|name| {
            let distance = strsim::damerau_levenshtein(&word, &name.to_lowercase());
            (distance, name)
        })
        .min_by_key(|(distance, _)| *distance)?;
    // A third of the letters may be wrong.
    (distance * 3 <= word.chars().count().max(name.len())).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::missing::VERBS as MISSING_VERBS;
    use clap::Parser;

    fn said(line: &[&str]) -> String {
        let words = ["tine"].iter().chain(line);
        let refused = Args::try_parse_from(words).unwrap_err();
        let trouble = refusal(&refused).unwrap_or_else(|| panic!("{refused}"));
        assert_eq!(trouble.code, crate::exit::USAGE);
        format!("{} | {}", trouble.text, trouble.hint)
    }

    #[test]
    fn an_unknown_command_gets_the_nearest_one() {
        assert_eq!(
            said(&["strat"]),
            "there is no command \"strat\" | did you mean `tine start`?"
        );
        assert!(said(&["/etc/passwd"]).contains("tine start /etc/passwd"));
        assert!(said(&["zzzzzz"]).contains("tine --help"));
    }

    #[test]
    fn what_pm2_has_and_tine_has_not_is_refused_by_name() {
        for (names, reason) in MISSING_VERBS {
            for name in *names {
                assert_eq!(said(&[name]), format!("`tine {name}`: {reason} | "));
            }
        }
        for option in [
            "--watch",
            "--ignore-watch",
            "--watch-delay",
            "--ext",
            "--cron",
            "-c",
            "--cron-restart",
            "--max-memory-restart",
            "--trace",
            "--v8",
            "--event-loop-inspector",
            "--deep-monitoring",
            "--no-daemon",
            "--hp",
            "--wait-ip",
            "--service-name",
            "--fresh",
            "--daemon",
            "--container",
            "--dist",
            "--image-name",
            "--node-version",
            "--dockerdaemon",
        ] {
            for verb in ["start", "restart"] {
                let said = said(&[verb, "app.js", option]);
                assert!(said.starts_with(&format!("{option}: ")), "{said}");
                assert!(said.len() > option.len() + 20, "{said}");
            }
        }
        assert!(said(&["start", "a.js", "--watch=src"]).starts_with("--watch"));
    }

    #[test]
    fn no_command_is_both_there_and_missing() {
        let command = Args::command();
        for (names, _) in MISSING_VERBS {
            for name in *names {
                let there = command
                    .get_subcommands()
                    .any(|verb| verb.get_name_and_visible_aliases().contains(name));
                assert!(!there, "{name}");
            }
        }
    }

    #[test]
    fn every_command_says_what_it_is_for() {
        let command = Args::command();
        for verb in command.get_subcommands() {
            assert!(verb.get_about().is_some(), "{}", verb.get_name());
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
