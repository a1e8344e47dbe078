//! Which of the words is the verb?
//!
//! As with PM2, options may stand before it: `tine -n web start app.js`. They are put behind it,
//! where the verb knows them or says that it does not.

use super::Args;
use clap::CommandFactory;
use std::ffi::{OsStr, OsString};

/// What is to be done about a command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// It can be parsed.
    Parse(Vec<OsString>),
    /// The bare version is asked for (`-v`), as PM2 has it.
    BareVersion,
    /// Nothing was said.
    Nothing,
}

/// The words with the verb in front. `words` begins with the name of the program.
pub(crate) fn in_order(words: Vec<OsString>) -> Before {
    let Some(first) = words.get(1) else {
        return Before::Nothing;
    };
    if first == "-v" && words.len() == 2 {
        return Before::BareVersion;
    }
    let mut at = 1;
    while let Some(word) = words.get(at).filter(|word| is_option(word)) {
        if is_about_all(word) {
            return Before::Parse(words);
        }
        at += if takes_value(word) { 2 } else { 1 };
    }
    if at > 1 && at < words.len() {
        let mut words = words;
        // The verb to the front, and the options behind it in their order.
        if let Some(early) = words.get_mut(1..=at) {
            early.rotate_right(1);
        }
        return Before::Parse(words);
    }
    Before::Parse(words)
}

fn is_option(word: &OsStr) -> bool {
    let bytes = word.as_encoded_bytes();
    bytes.starts_with(b"-") && bytes != b"-" && bytes != b"--"
}

/// Before the verb, help and version are asked of the program as a whole.
fn is_about_all(word: &OsStr) -> bool {
    ["-h", "--help", "-V", "--version"]
        .iter()
        .any(|one| word == *one)
}

/// Whether an option, given without `=`, has its value in the next word.
fn takes_value(word: &OsStr) -> bool {
    let Some(word) = word.to_str() else {
        return false;
    };
    if word.contains('=') {
        return false;
    }
    let mut command = Args::command();
    command.build();
    let long = word.strip_prefix("--");
    let mut short = word.chars().skip(1);
    let (short, joined) = (short.next(), short.next().is_some());
    command.get_subcommands().any(|verb| {
        verb.get_arguments().any(|one| {
            let is_it = match long {
                Some(name) => {
                    one.get_long() == Some(name)
                        || one
                            .get_all_aliases()
                            .is_some_and(|aliases| aliases.contains(&name))
                }
                // `-i4` has its value with it.
                None => !joined && one.get_short().is_some() && one.get_short() == short,
            };
            let at_least_one = one
                .get_num_args()
                .is_none_or(|range| range.min_values() > 0);
            is_it && one.get_action().takes_values() && at_least_one
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(line: &str) -> String {
        let words = line.split(' ').map(OsString::from).collect();
        match in_order(words) {
            Before::Parse(words) => {
                let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap()).collect();
                words.join(" ")
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn options_before_the_verb_go_behind_it_with_their_values() {
        for (given, wanted) in [
            ("tine list", "tine list"),
            ("tine -s list", "tine list -s"),
            (
                "tine -n web -i -1 start app.js -- -x",
                "tine start -n web -i -1 app.js -- -x",
            ),
            (
                "tine --name=web --node-args --harmony start a",
                "tine start --name=web --node-args --harmony a",
            ),
            ("tine -i4 --force start a", "tine start -i4 --force a"),
            ("tine --log start a", "tine start --log a"),
            ("tine --user www start a", "tine start --user www a"),
            ("tine --silent", "tine --silent"),
            ("tine -v", "BareVersion"),
            ("tine", "Nothing"),
            ("tine -h", "tine -h"),
            ("tine -s --version", "tine -s --version"),
            ("tine -n a start b --help", "tine start -n a b --help"),
            ("tine -n a start b -- -h", "tine start -n a b -- -h"),
            ("tine -n", "tine -n"),
        ] {
            assert_eq!(ordered(given), wanted, "{given}");
        }
    }
}
