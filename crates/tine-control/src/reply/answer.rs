//! What comes back when all went well?

use crate::app::Variables;
use crate::state::{AppInfo, ExitInfo, ProcessInfo, Who};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Any of the answers, as the daemon gives it. In JSON it is the answer alone: which of them it
/// is, follows from the request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To `ping`.
    Pong(Pong),
    /// To `version`.
    VersionInfo(VersionInfo),
    /// To everything that is done to processes.
    Acted(Acted),
    /// To `list`.
    Listed(Listed),
    /// To `describe`.
    Described(Described),
    /// To `env`.
    Environment(Environment),
    /// To `save`.
    Saved(Saved),
    /// To `flush`.
    Flushed(Flushed),
    /// To what has nothing to tell.
    Done(Done),
    /// To `get` and `conf`.
    Settings(Settings),
    /// To `report`.
    Reported(Reported),
    /// To `subscribe`.
    Subscribed(Subscribed),
}

macro_rules! from {
    ($($kind:ident)+) => {$(
        impl From<$kind> for Answer {
            fn from(it: $kind) -> Answer {
                Answer::$kind(it)
            }
        }
    )+};
}

from! {
    Pong VersionInfo Acted Listed Described Environment Saved Flushed Done Settings Reported Subscribed
}

/// Somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// The number of the daemon in the kernel.
    pub pid: u32,
}

/// It was done, and there is nothing to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

/// Which daemon it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionInfo {
    /// The version of the program.
    pub server: String,
    /// The version of what is said over the socket.
    pub protocol: u32,
    /// Its number in the kernel.
    pub pid: u32,
    /// The number of the process that keeps its sockets and children; none when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper: Option<u32>,
    /// When it was started, in milliseconds since 1970.
    pub started: u64,
    /// Its folder.
    pub home: PathBuf,
}

/// What became of processes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Acted {
    /// Whether it has happened; false: it was accepted, and will (`wait` was false).
    pub done: bool,
    /// The processes it was done to, as they are now. A deleted one is shown as it was last.
    #[serde(default)]
    pub processes: Vec<ProcessInfo>,
    /// Those of them that did not do well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failed>,
    /// Things that the user should know, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One process that did not do well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Which one.
    pub process: Who,
    /// What went wrong: lower case, without a full stop.
    pub text: String,
    /// What to do about it; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// How it ended, with its last lines, if that is what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitInfo>,
    /// Processes that outlived what should have ended them, by number and command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub survivors: Vec<String>,
}

/// The list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// All entries, by id.
    pub processes: Vec<ProcessInfo>,
}

/// Everything that is known of some processes and their apps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Described {
    /// The processes, by id.
    pub processes: Vec<ProcessInfo>,
    /// Their apps, each once, by name.
    pub apps: BTreeMap<String, AppInfo>,
}

/// The environment of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Every variable, as it was given to the process.
    pub env: Variables,
}

/// The list was frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Into this file.
    pub file: PathBuf,
    /// How many apps it has.
    pub apps: u32,
    /// How many processes they have.
    pub processes: u32,
}

/// Log files were emptied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flushed {
    /// Each of them once, in the order of their paths.
    pub files: Vec<PathBuf>,
}

/// Settings by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Each with its value.
    pub settings: BTreeMap<String, String>,
}

/// Facts for a report of a fault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// Each by name: versions, memory, counts, limits.
    pub facts: BTreeMap<String, String>,
}

/// Events will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribed {
    /// The number that the first of them will have, unless a gap is told of.
    pub next: u64,
}
