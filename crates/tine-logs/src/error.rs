//! What went wrong with a log file?

use crate::file::text_of;
use rustix::io::Errno;
use std::path::PathBuf;

/// Something went wrong with a log file. Its process is not disturbed; what could not be written is
/// lost, and the next bytes are tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing} {}: {}{}", path.display(), text_of(*errno), hint(*errno))]
pub struct LogError {
    pub(crate) doing: Doing,
    pub(crate) path: PathBuf,
    pub(crate) errno: Errno,
    pub(crate) lost: u64,
}

impl LogError {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Bytes that were not written, so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// What the system said.
    #[must_use]
    pub fn errno(&self) -> Errno {
        self.errno
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    MakeFolder,
    Open,
    Write,
    Truncate,
}

impl std::fmt::Display for Doing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Doing::MakeFolder => "making the folder of the log file",
            Doing::Open => "opening the log file",
            Doing::Write => "writing to the log file",
            Doing::Truncate => "emptying the log file",
        })
    }
}

fn hint(errno: Errno) -> String {
    let text = match errno {
        Errno::NOSPC | Errno::DQUOT => "make room; what comes until then is lost",
        Errno::ACCESS | Errno::PERM | Errno::ROFS => {
            "let the daemon's user write there, or give another path"
        }
        Errno::MFILE | Errno::NFILE => "raise the limit of open files (ulimit -n) of the daemon",
        Errno::NXIO | Errno::AGAIN => "it is a pipe that nobody reads, or not fast enough",
        Errno::ISDIR | Errno::NOTDIR => "give the path of a file",
        Errno::FBIG => "rotate it, or raise the limit of file sizes (ulimit -f) of the daemon",
        _ => return String::new(),
    };
    format!("\nhint: {text}")
}
