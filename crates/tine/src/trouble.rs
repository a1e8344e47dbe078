//! What went wrong, what can be done about it, and which exit code says so?

use crate::exit;
use crate::style::{Role, Styles};
use std::fmt::Write as _;
use tine_control::client::ClientError;
use tine_control::{ErrorCode, Failure};

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The exit code.
    pub(crate) code: u8,
    /// What was being done, to what, and what went wrong: lower case, without a full stop.
    pub(crate) text: String,
    /// What to do about it; may be empty.
    pub(crate) hint: String,
}

impl Trouble {
    pub(crate) fn new(code: u8, text: impl Into<String>) -> Self {
        Trouble {
            code,
            text: text.into(),
            hint: String::new(),
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The command line makes no sense.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Trouble::new(exit::USAGE, text)
    }

    /// The target means nothing, because nobody is there who knows any.
    pub(crate) fn nothing_there(what: &str) -> Self {
        Trouble::new(
            exit::NOT_FOUND,
            format!("nothing is called {what:?}: no daemon runs"),
        )
        .hint("`tine start` starts it with the first app")
    }

    /// As it is shown: several lines, each ended.
    pub(crate) fn words(&self, styles: Styles) -> String {
        let mut lines = self.text.lines();
        let mut words = format!(
            "{} {}\n",
            styles.paint(Role::Bad, "error:"),
            lines.next().unwrap_or_default()
        );
        for line in lines {
            let _ = writeln!(words, "{line}");
        }
        // More than one hint may have come together.
        for hint in self.hint.lines().filter(|hint| !hint.is_empty()) {
            let _ = writeln!(words, "{} {hint}", styles.paint(Role::Hint, "hint:"));
        }
        words
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Failed(failure) => failure.into(),
            ClientError::Refused(failure) => Trouble {
                code: exit::NO_DAEMON,
                text: format!("the daemon ended the connection: {}", failure.text),
                hint: failure.hint,
            },
            error => Trouble {
                code: exit::NO_DAEMON,
                hint: error.hint(),
                text: error.to_string(),
            },
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        let code = match failure.code {
            ErrorCode::NotFound => exit::NOT_FOUND,
            ErrorCode::Invalid => exit::CANNOT_START,
            ErrorCode::Failed => exit::SYSTEM,
            ErrorCode::AlreadyThere | ErrorCode::Busy | ErrorCode::Unsupported => exit::APP_FAILED,
            ErrorCode::Malformed
            | ErrorCode::UnknownRequest
            | ErrorCode::TooLarge
            | ErrorCode::TooLate
            | ErrorCode::TooMany
            | ErrorCode::TooSlow
            | ErrorCode::NotPermitted
            | ErrorCode::Ending
            | ErrorCode::Unknown => exit::NO_DAEMON,
        };
        let mut text = failure.text;
        for one in &failure.problems {
            let field = &one.problem.field;
            let _ = write!(text, "\n  {}: {field}: {}", one.app, one.problem.text);
            if !one.problem.hint.is_empty() {
                let _ = write!(text, " ({})", one.problem.hint);
            }
        }
        Trouble {
            code,
            text,
            hint: failure.hint,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tine_control::Problem;

    #[test]
    fn a_failure_keeps_its_words_and_gets_its_code() {
        let failure = Failure::new(ErrorCode::NotFound, "nothing is called wbe").hint("try web");
        let trouble = Trouble::from(ClientError::Failed(failure));
        assert_eq!(trouble.code, exit::NOT_FOUND);
        assert_eq!(
            trouble.words(Styles::plain()),
            "error: nothing is called wbe\nhint: try web\n"
        );
    }

    #[test]
    fn problems_are_shown_each_on_a_line() {
        let problem = |field: &str, hint: &str| Problem {
            field: field.to_owned(),
            text: "is wrong".to_owned(),
            hint: hint.to_owned(),
        };
        let failure = Failure::invalid("web", vec![problem("cwd", ""), problem("uid", "be root")]);
        let trouble = Trouble::from(failure);
        assert_eq!(trouble.code, exit::CANNOT_START);
        assert_eq!(
            trouble.words(Styles::plain()),
            "error: the app \"web\" cannot be as it was asked for\n  web: cwd: is wrong\n  \
             web: uid: is wrong (be root)\n"
        );
    }
}
