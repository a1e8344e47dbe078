//! What is wrong, and where?

use serde::Serialize;
use std::fmt;
use std::path::Path;

/// Whether it can be lived with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is started.
    Error,
    /// It is said, and what was asked for goes on.
    Warning,
}

/// One thing that is wrong with what was asked for.
///
/// `Display` is one line without the hint: `FILE:LINE:COLUMN: app NAME: FIELD: TEXT`, of which only
/// the text is always there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether it can be lived with.
    pub severity: Severity,
    /// The process file, as it was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Box<Path>>,
    /// The line in it, from 1. Never a guess: it is missing when it is not certain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The app, by its name, else by its place such as `apps[2]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<Box<str>>,
    /// The field as it was written, such as `env.PORT` or `maxRestarts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<Box<str>>,
    /// What is wrong, in lower case and without a full stop.
    pub text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Box<str>>,
}

impl Problem {
    /// An error of which no more than the text is known.
    #[must_use]
    pub fn error(text: impl Into<String>) -> Self {
        Problem {
            severity: Severity::Error,
            file: None,
            line: None,
            column: None,
            app: None,
            field: None,
            text: text.into(),
            hint: None,
        }
    }

    /// A warning of which no more than the text is known.
    #[must_use]
    pub fn warning(text: impl Into<String>) -> Self {
        Problem {
            severity: Severity::Warning,
            ..Problem::error(text)
        }
    }

    /// The same with a hint; an empty one is none.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Box<str>>) -> Self {
        self.hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self
    }

    /// The same, about this field.
    #[must_use]
    pub fn field(mut self, field: impl Into<Box<str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same, about this app unless one is known already.
    #[must_use]
    pub(crate) fn app(mut self, app: &str) -> Self {
        self.app.get_or_insert_with(|| app.into());
        self
    }

    /// The same at a place, if there is one.
    #[must_use]
    pub(crate) fn at(mut self, place: Option<Place>) -> Self {
        if let Some(place) = place {
            self.line = Some(place.line);
            self.column = place.column;
        }
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            for number in [self.line, self.column].iter().map_while(|it| *it) {
                write!(f, ":{number}")?;
            }
            f.write_str(": ")?;
        }
        if let Some(app) = &self.app {
            write!(f, "app {app}: ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.text)
    }
}

/// A place in a text: both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: Option<u32>,
}

/// Where the lines of a text begin.
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn of(text: &'t str) -> Lines<'t> {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Lines {
            text,
            starts: std::iter::once(0)
                .chain(newlines.map(|(at, _)| at + 1))
                .collect(),
        }
    }

    /// The place of a byte of the text; what is past the end is the end.
    pub(crate) fn place(&self, byte: usize) -> Place {
        // Counting the letters of a line that holds megabytes, for each key, takes forever.
        const LONGEST: usize = 4096;
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let start = self.starts[line - 1];
        let mut end = byte.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text.get(start..end).filter(|it| it.len() <= LONGEST);
        Place {
            line: number(line),
            column: before.map(|before| number(before.chars().count() + 1)),
        }
    }
}

/// A number of lines or columns; files are not that long.
pub(crate) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Why nothing can be done: at least one error, with the warnings that came up beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Those that are in the way.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        let all = self.0.iter();
        all.filter(|problem| problem.severity == Severity::Error)
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Problems(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.errors().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
            if let Some(hint) = &problem.hint {
                write!(f, "\nhint: {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Found(pub(crate) Vec<Problem>);

impl Found {
    pub(crate) fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// The value, or its problem put down.
    pub(crate) fn take<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.add(problem)).ok()
    }

    pub(crate) fn has_errors(&self) -> bool {
        let mut all = self.0.iter();
        all.any(|problem| problem.severity == Severity::Error)
    }

    /// The warnings, if there is nothing else.
    pub(crate) fn into_warnings(self) -> Result<Vec<Problem>, Problems> {
        if self.has_errors() {
            Err(Problems(self.0))
        } else {
            Ok(self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]
    use super::*;

    #[test]
    fn a_problem_says_where_what_and_what_to_do() {
        let problem = Problem::error("expected a number")
            .hint("write 3")
            .field("max_restarts")
            .app("web")
            .at(Some(Place {
                line: 3,
                column: Some(7),
            }));
        let problem = Problem {
            file: Some(Path::new("tine.toml").into()),
            ..problem
        };
        let problems = Problems(vec![problem, Problem::warning("not shown here")]);
        assert_eq!(
            problems.to_string(),
            "tine.toml:3:7: app web: max_restarts: expected a number\nhint: write 3"
        );
    }

    #[test]
    fn places_count_characters_from_one() {
        let text = "ab\nüx\n";
        let lines = Lines::of(text);
        let place = |byte| lines.place(byte);
        assert_eq!((place(0).line, place(0).column), (1, Some(1)));
        assert_eq!((place(5).line, place(5).column), (2, Some(2)));
        assert_eq!((place(4).line, place(4).column), (2, Some(1)));
        assert_eq!((place(99).line, place(99).column), (3, Some(1)));
    }
}
