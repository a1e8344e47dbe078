//! What does each verb need to know?

use crate::app::{AppSpec, Changes, Variables};
use crate::target::Target;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

fn yes() -> bool {
    true
}

fn is_true(it: &bool) -> bool {
    *it
}

fn is_false(it: &bool) -> bool {
    !it
}

fn no_changes(it: &Changes) -> bool {
    it.is_empty()
}

fn no_variables(it: &Variables) -> bool {
    it.is_empty()
}

/// The verbs that need to know nothing.
macro_rules! bare {
    ($($(#[doc = $doc:literal])+ $verb:ident)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $verb {}
    )+};
}

bare! {
    /// Is anybody there?
    Ping
    /// What is the daemon's version, and since when does it run?
    Version
    /// Empty the dump.
    ClearDump
    /// Open all log files anew, because somebody has moved them away.
    ReloadLogs
    /// Stop all processes and end the daemon. The answer comes when all have ended; then the
    /// connection is closed.
    Kill
    /// Read all settings.
    Conf
    /// Facts about the daemon, for a report of a fault.
    Report
}

/// Start apps that are new, and processes that are there and not running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Apps, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<AppSpec>,
    /// Processes that are there; those that run already are left as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// What is done about one of `apps` whose name is there already.
    #[serde(default, skip_serializing_if = "IfPresent::is_default")]
    pub if_present: IfPresent,
    /// The variables of the caller's shell. They are taken into the `inherited_env` of each of
    /// `apps`, less what its `filter_env` keeps from it.
    #[serde(default, skip_serializing_if = "no_variables")]
    pub inherited_env: Variables,
    /// Whether the answer waits until all are up or have failed; else it says only that they will
    /// be started.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub wait: bool,
}

impl Default for Start {
    /// Nothing, and to wait for it.
    fn default() -> Self {
        Start {
            apps: Vec::new(),
            target: None,
            if_present: IfPresent::default(),
            inherited_env: Variables::default(),
            wait: true,
        }
    }
}

/// What is done about an app to be started whose name is there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IfPresent {
    /// Nothing is started at all, and the answer is the error `already_there`.
    #[default]
    Refuse,
    /// It is left as it is.
    Leave,
    /// It becomes what was given now, and its processes are restarted.
    Restart,
    /// It becomes what was given now, and its processes are reloaded.
    Reload,
    /// Its processes become part of the app that is there, as further ones.
    Add,
}

impl IfPresent {
    fn is_default(&self) -> bool {
        *self == IfPresent::default()
    }
}

/// Stop processes and keep their entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Which ones.
    pub target: Target,
    /// Whether the answer waits until they have ended.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub wait: bool,
}

/// Stop processes and start them again; start those that do not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// Which ones.
    pub target: Target,
    /// Fields of their apps that are changed by the way.
    #[serde(default, skip_serializing_if = "no_changes")]
    pub changes: Changes,
    /// The variables of the caller's shell, to be merged over those that the apps inherited
    /// (`--update-env`); none: these stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inherited_env: Option<Variables>,
    /// How many processes are restarted at the same time; none: as the daemon thinks best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u32>,
    /// Whether the answer waits until all are up or have failed.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub wait: bool,
}

/// Replace processes one after another while the app goes on serving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reload {
    /// Which ones.
    pub target: Target,
    /// Fields of their apps that are changed by the way.
    #[serde(default, skip_serializing_if = "no_changes")]
    pub changes: Changes,
    /// The variables of the caller's shell, to be merged over those that the apps inherited
    /// (`--update-env`); none: these stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inherited_env: Option<Variables>,
    /// How many processes are replaced at the same time; none: as the daemon thinks best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u32>,
    /// Whether a reload that is under way is given up for this one; else the answer is the error
    /// `busy`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// Whether the answer waits until all have been replaced or it has failed.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub wait: bool,
}

/// Stop processes and forget them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// Which ones.
    pub target: Target,
    /// Whether the answer waits until they have ended.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub wait: bool,
}

/// Change how many processes an app has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Which app.
    pub target: Target,
    /// To how many.
    pub to: ScaleTo,
    /// Whether the answer waits until the new ones are up and the old ones have ended.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub wait: bool,
}

/// How many processes an app is to have; in JSON a number, or `"+2"`, `"-1"` or `"max"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleTo {
    /// So many; 0 leaves none.
    Exactly(u32),
    /// So many more than there are.
    More(u32),
    /// So many fewer than there are, but at least none.
    Fewer(u32),
    /// One for each core.
    Cores,
}

impl std::str::FromStr for ScaleTo {
    type Err = String;

    /// Reads `4`, `+2`, `-1` or `max`.
    ///
    /// # Errors
    /// What is wrong with any other word.
    fn from_str(word: &str) -> Result<Self, String> {
        let number = |digits: &str| -> Option<u32> {
            // `parse` alone would take another sign.
            if digits.bytes().all(|byte| byte.is_ascii_digit()) {
                digits.parse().ok()
            } else {
                None
            }
        };
        let read = match word.split_at_checked(1) {
            _ if word == "max" => Some(ScaleTo::Cores),
            Some(("+", digits)) => number(digits).map(ScaleTo::More),
            Some(("-", digits)) => number(digits).map(ScaleTo::Fewer),
            _ => number(word).map(ScaleTo::Exactly),
        };
        read.ok_or_else(|| format!("{word:?} is not a number of processes: use 4, +2, -1 or max"))
    }
}

impl fmt::Display for ScaleTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScaleTo::Exactly(count) => write!(f, "{count}"),
            ScaleTo::More(count) => write!(f, "+{count}"),
            ScaleTo::Fewer(count) => write!(f, "-{count}"),
            ScaleTo::Cores => f.write_str("max"),
        }
    }
}

impl Serialize for ScaleTo {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            ScaleTo::Exactly(count) => to.serialize_u32(*count),
            ScaleTo::More(_) | ScaleTo::Fewer(_) | ScaleTo::Cores => to.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for ScaleTo {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Word;

        impl Visitor<'_> for Word {
            type Value = ScaleTo;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of processes, \"+2\", \"-1\" or \"max\"")
            }

            fn visit_u64<E: Error>(self, count: u64) -> Result<ScaleTo, E> {
                u32::try_from(count)
                    .map(ScaleTo::Exactly)
                    .map_err(|_| E::custom(format!("{count} processes are too many")))
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<ScaleTo, E> {
                word.parse().map_err(E::custom)
            }
        }

        from.deserialize_any(Word)
    }
}

fn all() -> Target {
    Target::All
}

fn is_all(target: &Target) -> bool {
    *target == Target::All
}

/// Which processes are there?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Which ones to show.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub target: Target,
}

impl Default for List {
    /// All of them.
    fn default() -> Self {
        List {
            target: Target::All,
        }
    }
}

/// Everything that is known of some processes and their apps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Describe {
    /// Which ones.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub target: Target,
}

/// The whole environment of one process, as it was given to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Env {
    /// Its id in the list (the `id` of the request is another).
    pub process: u32,
}

/// Freeze the list into the dump.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Save {
    /// Whether an empty list may take the place of a dump.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
}

/// Start what the dump has and the list has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resurrect {
    /// Whether the answer waits until all are up or have failed.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub wait: bool,
}

/// Set the counters of restarts back to zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// Of which processes.
    pub target: Target,
}

/// Send a signal to processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// To which ones; to each of them alone, not to its descendants.
    pub target: Target,
    /// The signal by name or number, such as `SIGUSR2`.
    pub signal: String,
}

/// Write a line to the standard input of processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// Of which ones.
    pub target: Target,
    /// The text; a newline is added.
    pub line: String,
}

/// Follow one process. Its lines come as notes until the client sends `cancel` or goes; `send` on
/// the same connection reaches its standard input meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attach {
    /// Its id in the list.
    pub process: u32,
}

/// Follow what processes write. The lines come as notes; the answer comes when there are no more
/// to follow, or after `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logs {
    /// Which ones.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub target: Target,
    /// How many of the last lines of each process come first.
    #[serde(default = "Logs::usual_lines")]
    pub lines: u32,
    /// Whether lines to come are waited for.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub follow: bool,
    /// Only this stream; none: both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
}

impl Logs {
    fn usual_lines() -> u32 {
        15
    }
}

impl Default for Logs {
    /// The last 15 lines of all processes and what follows.
    fn default() -> Self {
        Logs {
            target: Target::All,
            lines: Logs::usual_lines(),
            follow: true,
            stream: None,
        }
    }
}

/// Empty the log files of processes. What they write meanwhile is not lost: it comes after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flush {
    /// Of which ones. With all, the daemon's own log is emptied too.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub target: Target,
}

impl Default for Flush {
    /// Those of all processes.
    fn default() -> Self {
        Flush {
            target: Target::All,
        }
    }
}

/// One of the two streams that a process writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Write a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Its name, with `:` or `.` between the parts.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Read a setting, or all below a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// Its name.
    pub key: String,
}

/// Remove a setting, or all below a name, or `all`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unset {
    /// Its name.
    pub key: String,
}

/// Be told of everything that happens. The events come as lines of their own, after the answer.
/// A connection has one subscription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// The number of the last event that the client has seen: what came after it is sent first.
    /// None: only what happens from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// Give up waiting for a request of this connection, or end its stream. What was begun goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// The id of that request.
    pub request: u64,
}
