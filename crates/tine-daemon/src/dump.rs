//! What does `save` freeze, and `resurrect` read?
//!
//! One JSON object, `dump.json` in the home. It holds the environments of the apps, and with them
//! their secrets, so it is for its owner alone. The one before it is kept as `dump.json.old`.

mod pm2;

pub use pm2::{Imported, import_pm2};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tine_control::app::{AppSpec, Problem};
use tine_control::state::ProcessStatus;

use crate::durable::{self, DurableError};
use crate::home::Home;

/// The version that is written. It is raised when what is written means something else to a reader
/// of the version before; what is merely added does not raise it.
pub const VERSION: u32 = 1;
/// What the file says it is.
const KIND: &str = "dump";
/// Bytes, more than which no dump has.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// The apps of a daemon, as they were at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// `dump`.
    tine: String,
    /// Of what is written here.
    version: u32,
    /// When, in milliseconds since 1970.
    pub saved: u64,
    /// Each with its processes, in the order of the list.
    pub apps: Vec<DumpedApp>,
}

/// One app of a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpedApp {
    /// What it is.
    pub spec: AppSpec,
    /// Its places.
    pub slots: Vec<DumpedSlot>,
}

/// One place of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpedSlot {
    /// Its number in the app, from 0.
    pub slot: u32,
    /// Its id in the list; none when it had no id that could mean anything here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// Where it stood.
    pub status: ProcessStatus,
}

impl DumpedSlot {
    /// Whether `resurrect` starts a process here; else it is only listed, as stopped.
    #[must_use]
    pub fn is_to_run(&self) -> bool {
        match self.status {
            ProcessStatus::Launching
            | ProcessStatus::Online
            | ProcessStatus::Errored
            | ProcessStatus::WaitingRestart => true,
            ProcessStatus::Stopping | ProcessStatus::Stopped => false,
        }
    }
}

/// Why there is no dump.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// Nothing was saved.
    #[error("nothing was saved: there is no {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is not what it should be. It is left as it is.
    #[error("{} cannot be understood: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        what: String,
        /// The one before it, if it is there.
        old: Option<PathBuf>,
    },
    /// It was written by a later version of this program, and would be read wrongly.
    #[error("{} has version {version}, and this program reads up to {VERSION}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// An app in it cannot be.
    #[error("the app {app:?} in {} cannot be: {}", path.display(), listed(problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Its name.
        app: String,
        /// All that is wrong with it.
        problems: Vec<Problem>,
    },
    /// A text is no dump of PM2.
    #[error("this is no dump of PM2: {0}")]
    NotPm2(String),
    /// The file cannot be written.
    #[error(transparent)]
    Unwritten(#[from] DurableError),
}

fn listed(problems: &[Problem]) -> String {
    let each: Vec<String> = problems.iter().map(Problem::to_string).collect();
    each.join("; ")
}

impl DumpError {
    /// What the user can do about it; may be empty.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Missing { .. } => "`tine save` saves what runs now".to_owned(),
            Self::Malformed {
                path,
                old: Some(old),
                ..
            } => format!(
                "the one saved before is {}; to use it: cp {} {}",
                old.display(),
                old.display(),
                path.display()
            ),
            Self::Malformed { .. } | Self::Invalid { .. } => {
                "correct the file, or start the apps and `tine save` anew".to_owned()
            }
            Self::Newer { .. } => "use the program that has written it".to_owned(),
            Self::Unwritten(error) => error.hint(),
            Self::NotPm2(_) => "PM2 writes it with `pm2 save`, as ~/.pm2/dump.pm2".to_owned(),
            Self::Unreadable { .. } => String::new(),
        }
    }
}

impl Dump {
    /// These apps, saved at this time (milliseconds since 1970).
    #[must_use]
    pub fn new(saved: u64, apps: Vec<DumpedApp>) -> Self {
        Self {
            tine: KIND.to_owned(),
            version: VERSION,
            saved,
            apps,
        }
    }

    /// How many processes it has places for.
    #[must_use]
    pub fn processes(&self) -> usize {
        self.apps.iter().map(|app| app.slots.len()).sum()
    }

    /// Reads the one of this home.
    ///
    /// # Errors
    /// [`DumpError`]; the file is left as it is.
    pub fn read(home: &Home) -> Result<Self, DumpError> {
        read(&home.dump())
    }

    /// Writes it down for this home and says where. What was there before is kept as
    /// `dump.json.old`, unless its apps are the same: saving twice loses nothing. One that cannot be
    /// understood is moved aside and does not become the old one.
    ///
    /// # Errors
    /// [`DumpError::Unwritten`]; what was there before is still there.
    pub fn write(&self, home: &Home) -> Result<PathBuf, DumpError> {
        let path = home.dump();
        let unwritten = |error: io::Error| DurableError {
            doing: "write",
            path: path.clone(),
            error,
        };
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| unwritten(error.into()))?;
        match read(&path) {
            Ok(before) if before.apps == self.apps => {}
            Ok(_) | Err(DumpError::Newer { .. } | DumpError::Invalid { .. }) => {
                durable::keep_as(&path, &old(&path))?;
            }
            Err(DumpError::Malformed { .. } | DumpError::Unreadable { .. }) => {
                durable::set_aside(&path)?;
            }
            // There is nothing to keep, or writing will tell what is wrong.
            Err(_) => {}
        }
        durable::write(&path, &bytes)?;
        Ok(path)
    }

    /// Takes the one of this home away. It is kept as `dump.json.old`.
    ///
    /// # Errors
    /// [`DumpError::Unwritten`].
    pub fn clear(home: &Home) -> Result<(), DumpError> {
        let path = home.dump();
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Ok(_) | Err(_) => Ok(durable::rename(&path, &old(&path))?),
        }
    }
}

fn old(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".old");
    name.into()
}

/// What every version has had and will have.
#[derive(Deserialize)]
struct Head {
    tine: String,
    version: u32,
}

fn read(path: &Path) -> Result<Dump, DumpError> {
    let malformed = |what: String| DumpError::Malformed {
        path: path.to_owned(),
        what,
        old: Some(old(path)).filter(|old| old.exists()),
    };
    let bytes = match fs::metadata(path) {
        Ok(there) if there.len() > MOST_BYTES => {
            return Err(malformed(format!("it has more than {MOST_BYTES} bytes")));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(DumpError::Missing {
                path: path.to_owned(),
            });
        }
        Ok(_) | Err(_) => fs::read(path).map_err(|error| DumpError::Unreadable {
            path: path.to_owned(),
            error,
        })?,
    };
    let unread = |error: serde_json::Error| malformed(error.to_string());
    let head: Head = serde_json::from_slice(&bytes).map_err(unread)?;
    if head.tine != KIND {
        return Err(malformed(format!("it says that it is a {:?}", head.tine)));
    }
    if head.version > VERSION {
        return Err(DumpError::Newer {
            path: path.to_owned(),
            version: head.version,
        });
    }
    let dump: Dump = serde_json::from_slice(&bytes).map_err(unread)?;
    for app in &dump.apps {
        let problems = app.spec.check();
        if !problems.is_empty() {
            return Err(DumpError::Invalid {
                path: path.to_owned(),
                app: app.spec.name.clone(),
                problems,
            });
        }
    }
    Ok(dump)
}

#[cfg(test)]
mod tests;
