//! What is told to those who subscribed?
//!
//! Events are numbered one by one as long as a daemon lives. Who lost the connection asks for all
//! after the last number seen, and is told by a [`Gap`] if some of them are gone.

use crate::state::{ExitInfo, ProcessStatus, Who};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One event; in JSON `{"event":42,"at":1763820000000,"what":"status",...}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    #[serde(rename = "event")]
    pub number: u64,
    /// When it happened, in milliseconds since 1970.
    pub at: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened; `what` has its word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A process was entered into the list.
    Added {
        /// Which one.
        process: Who,
    },
    /// A process was taken from the list.
    Removed {
        /// Which one.
        process: Who,
    },
    /// A process has come to another status.
    Status {
        /// Which one.
        process: Who,
        /// Where it stands now.
        status: ProcessStatus,
        /// Its number in the kernel; none when there is no process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
        /// Why, in words; may be empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// A process ended.
    Exited {
        /// Which one.
        process: Who,
        /// How.
        exit: ExitInfo,
    },
    /// A process listens on an address.
    Listening {
        /// Which one.
        process: Who,
        /// Where.
        address: String,
    },
    /// What an app is was changed: its fields, or how many processes it has.
    AppChanged {
        /// Its name.
        app: String,
    },
    /// A reload of an app.
    Reload {
        /// Its name.
        app: String,
        /// How far it has come.
        stage: ReloadStage,
        /// Why, in words; may be empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// The list was frozen into the dump.
    Saved {
        /// Its file.
        file: PathBuf,
    },
    /// A setting was written or removed.
    Setting {
        /// Its name.
        key: String,
    },
    /// The daemon itself has begun or is about to end.
    Daemon {
        /// How far it has come.
        stage: DaemonStage,
    },
    /// A word that this version does not know.
    #[serde(other)]
    Unknown,
}

/// How far a reload has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReloadStage {
    /// It has begun.
    Begun,
    /// All processes have been replaced.
    Done,
    /// A new process did not come up; the old ones serve on.
    RolledBack,
    /// It failed, and not everything is as it was.
    Failed,
    /// A word that this version does not know.
    #[serde(other)]
    Unknown,
}

/// How far the daemon has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DaemonStage {
    /// It answers again after it was lost; the processes went on meanwhile.
    Returned,
    /// It ends, and with it all processes.
    Ending,
    /// A word that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Events that a subscriber missed and that are gone; in JSON `{"gap":{"after":41,"next":90}}`.
/// Only a new `list` tells what is true now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The number that the client named as the last it had seen.
    pub after: u64,
    /// The number of the next event it will get. Smaller than `after` if the daemon began to count
    /// anew.
    pub next: u64,
}
