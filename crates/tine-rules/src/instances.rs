//! How many slots did the user ask for? The words of `-i`.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

/// How many instances of an app there should be, as asked for and before the cores are counted.
///
/// The words are those of PM2: `4` is four, `max` and `0` are one for each core, `-1` is one fewer
/// than there are cores. PM2 takes any other word for "all cores"; here it is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Instances {
    /// This many, however many cores there are.
    Exactly(NonZeroUsize),
    /// One for each core: `max` or `0`.
    Cores,
    /// This many fewer than there are cores, but at least one: `-1`, `-2`, ...
    CoresMinus(usize),
}

impl Instances {
    /// The number of slots on a machine with `cores` cores; always at least one.
    #[must_use]
    pub fn resolve(self, cores: usize) -> usize {
        match self {
            Instances::Exactly(count) => count.get(),
            Instances::Cores => cores.max(1),
            Instances::CoresMinus(fewer) => cores.saturating_sub(fewer).max(1),
        }
    }
}

impl fmt::Display for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Instances::Exactly(count) => write!(f, "{count}"),
            Instances::Cores => f.write_str("max"),
            Instances::CoresMinus(fewer) => write!(f, "-{fewer}"),
        }
    }
}

impl FromStr for Instances {
    type Err = InvalidInstances;

    /// Reads `max`, `0`, a count, or a count after a minus sign.
    ///
    /// # Errors
    /// [`InvalidInstances`] with the word, when it is anything else (also blanks, a plus sign, a
    /// fraction, or a number that does not fit).
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        if word == "max" {
            return Ok(Instances::Cores);
        }
        let (minus, digits) = match word.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, word),
        };
        let invalid = || InvalidInstances {
            word: word.to_owned(),
        };
        // `usize::from_str` would also take a plus sign.
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        let number: usize = digits.parse().map_err(|_| invalid())?;
        Ok(match (NonZeroUsize::new(number), minus) {
            (None, _) => Instances::Cores,
            (Some(count), false) => Instances::Exactly(count),
            (Some(fewer), true) => Instances::CoresMinus(fewer.get()),
        })
    }
}

/// The word is not a number of instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidInstances {
    /// The word as it was given.
    pub word: String,
}

impl fmt::Display for InvalidInstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a number of instances: use a count such as 4, \
             'max' or 0 for one per core, or -1 for one fewer than there are cores",
            self.word
        )
    }
}

impl std::error::Error for InvalidInstances {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(word: &str) -> Option<Instances> {
        word.parse().ok()
    }

    fn exactly(count: usize) -> Instances {
        Instances::Exactly(NonZeroUsize::new(count).unwrap())
    }

    #[test]
    fn the_words_of_pm2_are_understood() {
        assert_eq!(read("4"), Some(exactly(4)));
        assert_eq!(read("1"), Some(exactly(1)));
        assert_eq!(read("007"), Some(exactly(7)));
        assert_eq!(read("max"), Some(Instances::Cores));
        assert_eq!(read("0"), Some(Instances::Cores));
        assert_eq!(read("-0"), Some(Instances::Cores));
        assert_eq!(read("-1"), Some(Instances::CoresMinus(1)));
        assert_eq!(read("-12"), Some(Instances::CoresMinus(12)));
    }

    #[test]
    fn any_other_word_is_refused_and_named() {
        for word in [
            "",
            "-",
            "--1",
            "+4",
            "4x",
            "x",
            "Max",
            "MAX",
            "1.5",
            "1e3",
            " 4",
            "4 ",
            "٤",
            "-max",
            "99999999999999999999999999",
        ] {
            let error = word.parse::<Instances>().unwrap_err();
            assert_eq!(error.word, word);
            assert!(error.to_string().contains(&format!("{word:?}")), "{error}");
        }
    }

    #[test]
    fn there_is_always_at_least_one() {
        assert_eq!(exactly(4).resolve(2), 4);
        assert_eq!(Instances::Cores.resolve(2), 2);
        assert_eq!(Instances::Cores.resolve(0), 1);
        assert_eq!(Instances::CoresMinus(1).resolve(4), 3);
        assert_eq!(Instances::CoresMinus(1).resolve(1), 1);
        assert_eq!(Instances::CoresMinus(9).resolve(4), 1);
        assert_eq!(Instances::CoresMinus(usize::MAX).resolve(usize::MAX), 1);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back_as_the_same(number in -2_000_i64..2_000) {
            let read = number.to_string().parse::<Instances>().unwrap();
            prop_assert_eq!(read.to_string().parse::<Instances>(), Ok(read));
        }

        #[test]
        fn only_the_documented_words_are_taken(word in "[-+ 0-9a-x.]{0,6}") {
            let digits = word.strip_prefix('-').unwrap_or(&word);
            let documented = word == "max"
                || (!digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()));
            prop_assert_eq!(word.parse::<Instances>().is_ok(), documented);
        }
    }
}
