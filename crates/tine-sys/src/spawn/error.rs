//! Why a program did not start.

use std::fmt;

use rustix::io::Errno;

use super::Spawn;
use crate::errno;

/// What was being done when a start failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Creating the process (`clone(2)`, and the memory for its first stack).
    Clone,
    /// Starting its session or process group.
    Session,
    /// Changing its group or giving up supplementary groups.
    Group,
    /// Changing its user.
    User,
    /// Entering its working directory.
    Directory,
    /// Asking for the signal at the parent's death.
    DeathSignal,
    /// Placing a descriptor at its number.
    Descriptor,
    /// Limiting how many descriptors it may have open.
    Limit,
    /// Executing the program.
    Execute,
}

/// A program that did not start. No process is left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnError {
    /// What was being done.
    pub step: Step,
    /// What the kernel answered.
    pub errno: Errno,
    /// To what it was being done.
    subject: String,
    /// What the errno means here, where its own words mislead.
    note: Option<&'static str>,
}

impl SpawnError {
    /// `detail` is the descriptor number for [`Step::Descriptor`].
    pub(super) fn new(request: &Spawn<'_>, step: Step, errno: Errno, detail: i32) -> Self {
        let program = request.program.to_string_lossy();
        let subject = match step {
            Step::Clone => format!("creating a process for {program}"),
            Step::Session => format!("starting a session for {program}"),
            Step::Group => match request.gid {
                Some(gid) => format!("changing to group {gid} for {program}"),
                None => format!("giving up supplementary groups for {program}"),
            },
            Step::User => {
                format!(
                    "changing to user {} for {program}",
                    request.uid.unwrap_or_default()
                )
            }
            Step::Directory => {
                let cwd = request.cwd.as_deref().unwrap_or_default();
                format!("entering directory {}", cwd.to_string_lossy())
            }
            Step::DeathSignal => format!(
                "asking for signal {} at the parent's death for {program}",
                request.parent_death_signal.unwrap_or_default()
            ),
            Step::Descriptor => format!("passing descriptor {detail} to {program}"),
            Step::Limit => {
                let (soft, hard) = request.nofile.unwrap_or_default();
                format!("limiting {program} to {soft} of at most {hard} open descriptors")
            }
            Step::Execute => format!("executing {program}"),
        };
        let note = match (step, errno) {
            (Step::Execute, Errno::NOEXEC) => {
                Some("neither a program for this machine nor a script that begins with #!")
            }
            (Step::Execute, Errno::NOENT) if exists(request) => {
                Some("the interpreter it names does not exist")
            }
            (Step::Descriptor, Errno::INVAL) => Some("not a descriptor number, or one given twice"),
            _ => None,
        };
        Self {
            step,
            errno,
            subject,
            note,
        }
    }
}

/// Whether the file is there although executing it said "No such file or directory".
fn exists(request: &Spawn<'_>) -> bool {
    request.program.as_bytes().starts_with(b"/") && rustix::fs::stat(&request.program).is_ok()
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, errno::text(self.errno))?;
        match self.note {
            Some(note) => write!(f, " ({note})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SpawnError {}
