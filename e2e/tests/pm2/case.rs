//! What is a case?

use crate::differences::Difference;

/// Files, what is done with them, and in what PM2 and tine may differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// What is to be the same; the name of the test.
    pub(crate) name: &'static str,
    /// Name and text of the files in the folder where the commands are given. What begins with `#!`
    /// can be executed.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// One after the other.
    pub(crate) steps: &'static [Step],
    /// Facts that are not the same.
    pub(crate) differs: &'static [Differs],
}

/// For the fields that a case does not have.
pub(crate) const EMPTY: Case = Case {
    name: "",
    files: &[],
    steps: &[],
    differs: &[],
};

/// One thing to do or to look at. What the words mean is said by a shell's rules of quoting.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// A command; the exit code is a fact.
    Run(&'static str),
    /// The same, with variables of the shell.
    RunWith(&'static [(&'static str, &'static str)], &'static str),
    /// The same, with this text on the standard input.
    RunFed(&'static str, &'static str),
    /// A command that PM2 ends with 1, its only code for all that fails, and tine with this one.
    Fails(&'static str, i32),
    /// A command of which each line that is printed is a fact.
    Prints(&'static str),
    /// A command of which one line that is printed is this, or not: that is a fact.
    Says(&'static str, &'static str),
    /// Waits until the list is exactly this: `web online; api stopped/2` are two processes, the
    /// second was restarted twice. `waiting` is `waiting restart`. What the list tells are facts.
    Look(&'static str),
    /// The same, where the two come to another list.
    LookEach {
        /// What PM2's list is.
        pm2: &'static str,
        /// What tine's list is.
        tine: &'static str,
    },
    /// `pid`, or a field of `pm2_env`, of the process with this name and place in the list is a fact.
    Field(&'static str, usize, &'static str),
    /// Which fields each of these elements of `jlist` has, of those that tools read.
    Fields(&'static [&'static str]),
    /// Waits for a file in the folder, and for its last line to end; its text is a fact.
    File(&'static str),
    /// As [`Step::File`]; it has what a program of [`crate::programs`] wrote about itself: each
    /// argument and variable is a fact.
    About(&'static str),
    /// The names in this folder of the home are a fact, once there are so many of them.
    Names(&'static str, usize),
    /// Waits until this file below the home has so many lines; they are facts. A path that begins
    /// with `./` is in the folder.
    Lines(&'static str, usize),
    /// The same, with 9 for each digit: for times.
    Shapes(&'static str, usize),
    /// Kills the process with this name and place in the list with SIGKILL.
    Kill(&'static str, usize),
    /// Waits until the process whose number a program wrote into this file is gone.
    Gone(&'static str),
    /// Whether the process whose number a program wrote into this file lives, is a fact.
    Lives(&'static str),
    /// Writes a file anew.
    Write(&'static str, &'static str),
    /// Removes a file that is there.
    Remove(&'static str),
    /// Copies a program of this machine to this name.
    Copy(&'static str, &'static str),
}

/// Facts in which the two differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Differs {
    /// Why.
    pub(crate) why: Difference,
    /// The name of the fact; `*` stands for anything.
    pub(crate) fact: &'static str,
    /// What PM2's is; `*` stands for anything.
    pub(crate) pm2: &'static str,
    /// What tine's is; `*` stands for anything.
    pub(crate) tine: &'static str,
}

/// A difference in a table of cases.
pub(crate) const fn differs(
    why: Difference,
    fact: &'static str,
    pm2: &'static str,
    tine: &'static str,
) -> Differs {
    Differs {
        why,
        fact,
        pm2,
        tine,
    }
}

/// The value of a fact that only the other one has.
pub(crate) const ABSENT: &str = "(absent)";

/// Whether `text` is what `pattern` says.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut rest = rest;
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn a_star_stands_for_anything_and_nothing_else_does() {
    for (pattern, text, does) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("*", "", true),
        ("a*c", "abbc", true),
        ("a*c", "abbcd", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c", false),
        ("ab*ba", "aba", false),
    ] {
        assert_eq!(fits(pattern, text), does, "{pattern} {text}");
    }
}
