//! What is told while a request is being carried out?

use crate::request::Stream;
use crate::state::{ProcessStatus, Who};
use serde::{Deserialize, Serialize};

/// One notice before the reply; `note` has its word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// One of the processes concerned has come to another status.
    Process {
        /// Which one.
        process: Who,
        /// Where it stands now.
        status: ProcessStatus,
        /// Why, in words; may be empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// How far the whole has come.
    Progress {
        /// So many are done, well or not,
        done: u32,
        /// of so many.
        of: u32,
    },
    /// Something the user should know at once.
    Said {
        /// In words.
        text: String,
    },
    /// A line that a process wrote.
    Line {
        /// Which one wrote it.
        process: Who,
        /// Where to.
        stream: Stream,
        /// When, in milliseconds since 1970; none for a line from a file that does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
        /// The line without its newline; bytes that are not UTF-8 are replaced.
        text: String,
    },
    /// Lines were left out, because they came faster than they could be sent.
    Skipped {
        /// So many.
        lines: u64,
    },
    /// A word that this version does not know.
    #[serde(other)]
    Unknown,
}
