//! `tine doctor`: what does this machine permit, and what helps where it does not?

mod kernel;
mod limits;
mod place;
mod runtimes;

use crate::exit;
use crate::style::{Role, Styles};
use serde::Serialize;
use std::io::{self, Write};

/// What was found out about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// A word for programs.
    key: &'static str,
    /// Words for people.
    name: &'static str,
    state: State,
    /// What is so.
    found: String,
    /// What follows from it; may be empty.
    #[serde(skip_serializing_if = "str::is_empty")]
    effect: &'static str,
    /// What helps; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    remedy: String,
}

/// How good that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it should be.
    Good,
    /// Only to be known.
    Known,
    /// Something does not work, or not well; the rest does.
    Limited,
    /// Nothing works.
    Bad,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Good => "ok",
            State::Known => "-",
            State::Limited => "limited",
            State::Bad => "bad",
        }
    }

    fn role(self) -> Role {
        match self {
            State::Good => Role::Good,
            State::Known => Role::Quiet,
            State::Limited => Role::Hint,
            State::Bad => Role::Bad,
        }
    }
}

impl Finding {
    fn new(key: &'static str, name: &'static str, state: State, found: impl Into<String>) -> Self {
        Finding {
            key,
            name,
            state,
            found: found.into(),
            effect: "",
            remedy: String::new(),
        }
    }

    fn good(key: &'static str, name: &'static str, found: impl Into<String>) -> Self {
        Finding::new(key, name, State::Good, found)
    }

    fn known(key: &'static str, name: &'static str, found: impl Into<String>) -> Self {
        Finding::new(key, name, State::Known, found)
    }

    fn limited(key: &'static str, name: &'static str, found: impl Into<String>) -> Self {
        Finding::new(key, name, State::Limited, found)
    }

    fn bad(key: &'static str, name: &'static str, found: impl Into<String>) -> Self {
        Finding::new(key, name, State::Bad, found)
    }

    fn effect(mut self, effect: &'static str) -> Self {
        self.effect = effect;
        self
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

/// The whole answer, for programs.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    tine: &'static str,
    /// The worst of all.
    state: State,
    findings: &'a [Finding],
}

/// Looks at everything and prints it. The exit code is 0 unless something is so bad that nothing
/// works: then it is 4.
pub(crate) fn run(json: bool) -> u8 {
    let findings = examine();
    let worst = worst(&findings);
    let text = if json {
        let answer = Answer {
            tine: env!("CARGO_PKG_VERSION"),
            state: worst,
            findings: &findings,
        };
        match serde_json::to_string_pretty(&answer) {
            Ok(text) => text + "\n",
            Err(_) => return exit::SYSTEM,
        }
    } else {
        render(&findings, Styles::of(&io::stdout()))
    };
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Who has gone away has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => exit::SYSTEM,
        Ok(()) | Err(_) if worst == State::Bad => exit::SYSTEM,
        Ok(()) | Err(_) => exit::DONE,
    }
}

fn examine() -> Vec<Finding> {
    let mut findings = kernel::look();
    findings.extend(limits::look());
    findings.extend(place::look());
    findings.extend(runtimes::look());
    findings
}

fn worst(findings: &[Finding]) -> State {
    let each = findings.iter().map(|finding| finding.state);
    each.max().unwrap_or(State::Good)
}

fn render(findings: &[Finding], styles: Styles) -> String {
    let width = findings.iter().map(|it| it.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let word = format!("{:<7}", finding.state.word());
        let word = styles.paint(finding.state.role(), &word);
        text += &format!("{word}  {:<width$}  {}\n", finding.name, finding.found);
        for (what, words) in [("", finding.effect), ("fix: ", &finding.remedy)] {
            if !words.is_empty() && finding.state > State::Known {
                let words = format!("{what}{words}");
                let words = match what {
                    "" => words,
                    _ => styles.paint(Role::Hint, &words),
                };
                text += &format!("{:9}{:width$}  {words}\n", "", "");
            }
        }
    }
    let count = |state| findings.iter().filter(|it| it.state == state).count();
    let summary = match (count(State::Bad), count(State::Limited)) {
        (0, 0) => "All is as it should be.".to_owned(),
        (0, limited) => format!("All that is needed is there; limited: {limited}."),
        (bad, limited) => {
            format!("Nothing works before these are fixed: {bad}; limited: {limited}.")
        }
    };
    text + "\n" + &summary + "\n"
}

/// The text of a small file of the kernel's, without its last line end.
fn read(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests;
