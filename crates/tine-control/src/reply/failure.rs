//! What comes back when it went wrong?

use crate::app::Problem;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of failure it is, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The line was no request.
    Malformed,
    /// There is no such verb.
    UnknownRequest,
    /// The line was longer than [`LINE_BYTES`](crate::limits::LINE_BYTES). The connection ends.
    TooLarge,
    /// The first request did not come in time. The connection ends.
    TooLate,
    /// There are too many connections, or too many requests without a reply on this one.
    TooMany,
    /// The client does not read what is sent to it. The connection ends.
    TooSlow,
    /// Another user may not speak to this daemon. The connection ends.
    NotPermitted,

    /// The target means nothing that is there.
    NotFound,
    /// An app of this name is there.
    AlreadyThere,
    /// Something is wrong with what was asked for; `problems` has it by field.
    Invalid,
    /// Something else that excludes it is under way. To try again later helps.
    Busy,
    /// It cannot be done to this process or on this machine.
    Unsupported,
    /// The daemon ends.
    Ending,
    /// It was tried, and the system refused it.
    Failed,
    /// A kind that this version does not know.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// The word for it, as it is in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ErrorCode::Malformed => "malformed",
            ErrorCode::UnknownRequest => "unknown_request",
            ErrorCode::TooLarge => "too_large",
            ErrorCode::TooLate => "too_late",
            ErrorCode::TooMany => "too_many",
            ErrorCode::TooSlow => "too_slow",
            ErrorCode::NotPermitted => "not_permitted",
            ErrorCode::NotFound => "not_found",
            ErrorCode::AlreadyThere => "already_there",
            ErrorCode::Invalid => "invalid",
            ErrorCode::Busy => "busy",
            ErrorCode::Unsupported => "unsupported",
            ErrorCode::Ending => "ending",
            ErrorCode::Failed => "failed",
            ErrorCode::Unknown => "unknown",
        }
    }
}

/// Why a request was not carried out. Nothing of it has happened, unless the text says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind, for programs.
    pub code: ErrorCode,
    /// What was being done, to what, and what went wrong: lower case, without a full stop.
    pub text: String,
    /// What to do about it; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// What is wrong with which field of which app; only for [`ErrorCode::Invalid`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<AppProblem>,
}

/// One thing that is wrong with one of the apps of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppProblem {
    /// The name of the app, as it was given.
    pub app: String,
    /// What is wrong with it.
    #[serde(flatten)]
    pub problem: Problem,
}

impl Failure {
    /// A failure without a hint.
    #[must_use]
    pub fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Failure {
            code,
            text: text.into(),
            hint: String::new(),
            problems: Vec::new(),
        }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The failure of apps with problems: each with the name of its app.
    #[must_use]
    pub fn invalid(app: &str, problems: Vec<Problem>) -> Self {
        let mut failure = Failure::new(
            ErrorCode::Invalid,
            format!("the app {app:?} cannot be as it was asked for"),
        );
        failure.problems = problems
            .into_iter()
            .map(|problem| AppProblem {
                app: app.to_owned(),
                problem,
            })
            .collect();
        failure
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        for AppProblem { app, problem } in &self.problems {
            write!(f, "\n  {app}: {problem}")?;
        }
        if self.hint.is_empty() {
            return Ok(());
        }
        write!(f, "\nhint: {}", self.hint)
    }
}

impl std::error::Error for Failure {}
