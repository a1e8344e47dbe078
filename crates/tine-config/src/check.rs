//! Is a process file in order?

use crate::around::Around;
use crate::file::{LoadOptions, Source, load};
use crate::problem::{Problem, Problems};
use serde::Serialize;
use std::path::PathBuf;
use tine_control::{AppSpec, ExecMode};

/// What came of looking at a process file: the answer of `tine check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether its apps could be started, as far as that can be seen before.
    pub ok: bool,
    /// The absolute path; none for standard input, and for a file that could not be read.
    pub file: Option<PathBuf>,
    /// The apps; none unless it is in order.
    pub apps: Vec<Found>,
    /// What is wrong, and what is doubtful, in the order of the file.
    pub problems: Vec<Problem>,
}

/// An app of a process file, without what is nobody's business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// What it is called.
    pub name: String,
    /// What is run.
    pub script: PathBuf,
    /// By what; none: it is executed itself.
    pub interpreter: Option<String>,
    /// In which folder.
    pub cwd: PathBuf,
    /// Alone, or with others behind one port.
    pub exec_mode: ExecMode,
    /// How many processes: a number, `max`, or a number after a minus sign.
    pub instances: String,
}

impl From<&AppSpec> for Found {
    fn from(app: &AppSpec) -> Self {
        Found {
            name: app.name.clone(),
            script: app.script.clone(),
            interpreter: app.interpreter.clone(),
            cwd: app.cwd.clone(),
            exec_mode: app.exec_mode,
            instances: app.instances.to_string(),
        }
    }
}

/// Does everything that `start` does before it asks the daemon.
#[must_use]
pub fn check(source: &Source, wanted: &LoadOptions, around: &Around) -> Report {
    match load(source, wanted, around) {
        Ok(loaded) => Report {
            ok: true,
            file: loaded.file,
            apps: loaded.apps.iter().map(Found::from).collect(),
            problems: loaded.warnings,
        },
        Err(Problems(problems)) => Report {
            ok: false,
            file: None,
            apps: Vec::new(),
            problems,
        },
    }
}
