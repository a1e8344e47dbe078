//! What is shown of a process?
//!
//! These are the facts for lists and descriptions. How they are laid out, also in the JSON of
//! PM2's `jlist`, is the command line's business.

use crate::app::{AppSpec, ExecMode};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// Where a process stands, in the words of PM2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessStatus {
    /// It was created and has not said yet that it is up.
    Launching,
    /// It is up by its own word: this very process, not the one before it.
    Online,
    /// It was asked to end and has not ended yet.
    Stopping,
    /// There is no process, and nobody wants one.
    Stopped,
    /// There is no process, because too many have failed.
    Errored,
    /// There is no process, and one will be started after a delay.
    #[serde(rename = "waiting restart")]
    WaitingRestart,
}

impl ProcessStatus {
    /// The word for it, as it is in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ProcessStatus::Launching => "launching",
            ProcessStatus::Online => "online",
            ProcessStatus::Stopping => "stopping",
            ProcessStatus::Stopped => "stopped",
            ProcessStatus::Errored => "errored",
            ProcessStatus::WaitingRestart => "waiting restart",
        }
    }
}

impl fmt::Display for ProcessStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Which process is spoken of, in notes and events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Its id, which lists show; it stays when the process is replaced.
    pub id: u32,
    /// The name of its app.
    pub name: String,
    /// Its place in the app, counted from 0.
    pub slot: u32,
    /// The how-manieth process in that place it is, counted from 1; 0 before the first.
    pub generation: u64,
}

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Its id, which stays when the process is replaced.
    pub id: u32,
    /// The name of its app.
    pub name: String,
    /// The namespace of its app.
    pub namespace: String,
    /// Its place in the app, counted from 0.
    pub slot: u32,
    /// The how-manieth process in that place it is, counted from 1; 0 before the first.
    pub generation: u64,
    /// Where it stands.
    pub status: ProcessStatus,
    /// The number of the process in the kernel; none when there is no process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// How its app is run.
    pub exec_mode: ExecMode,
    /// When the process was started, in milliseconds since 1970; none when there is no process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
    /// When the entry was made or last started by hand, in milliseconds since 1970.
    pub created: u64,
    /// How often the process was replaced, by itself or by hand.
    pub restarts: u64,
    /// How many of the last ends in a row were failures.
    pub unstable_restarts: u32,
    /// When the next process will be started, in milliseconds since 1970; only while waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_start: Option<u64>,
    /// Per cent of one core since the list was last asked for; none when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// Bytes of memory that are resident; none when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// The addresses it listens on, such as `0.0.0.0:3000`, `[::]:80` or `/run/app.sock`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listening: Vec<String>,
    /// The user it runs as.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The version of the program, as its `package.json` has it; none when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version of its interpreter; none when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter_version: Option<String>,
    /// Why it is errored, or what it waits for, in words; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// How the last processes in this place ended, the latest last. A `list` has none or one,
    /// `describe` all that are remembered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exits: Vec<ExitInfo>,
    /// Its files; only `describe` has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<ProcessFiles>,
}

impl ProcessInfo {
    /// Which process it is.
    #[must_use]
    pub fn who(&self) -> Who {
        Who {
            id: self.id,
            name: self.name.clone(),
            slot: self.slot,
            generation: self.generation,
        }
    }
}

/// How one process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitInfo {
    /// The how-manieth process in its place it was.
    pub generation: u64,
    /// Its number in the kernel.
    pub pid: u32,
    /// When it ended, in milliseconds since 1970.
    pub at: u64,
    /// How long it had lived, in milliseconds.
    pub lived: u64,
    /// Its exit code; none when a signal ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The name of the signal that ended it, such as `SIGKILL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Whether the kernel wrote a core dump.
    #[serde(default, skip_serializing_if = "is_false")]
    pub core: bool,
    /// Whether it had been asked to end.
    #[serde(default, skip_serializing_if = "is_false")]
    pub asked: bool,
    /// The last lines it wrote, the latest last; of both streams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// The files of one process, with all defaults applied. None: no such file is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessFiles {
    /// For standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<PathBuf>,
    /// For standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<PathBuf>,
    /// For both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
    /// With its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<PathBuf>,
}

/// One app as the daemon keeps it, for `describe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppInfo {
    /// What was asked for.
    pub spec: AppSpec,
    /// How many processes it has places for.
    pub slots: u32,
    /// How connections are shared, after `auto` was resolved; none for an app that shares none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

fn is_false(it: &bool) -> bool {
    !it
}
