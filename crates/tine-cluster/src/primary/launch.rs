//! How is a worker process started?

use std::ffi::{CString, OsString};
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use tine_ipc::Serialization;

/// A place for one worker at a time. A worker that dies leaves its kernel-balanced sockets, with
/// what is queued on them, to the next worker in its seat.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct Seat(pub u32);

/// A process to be started as a worker.
pub struct Launch {
    /// The executable, as a path that needs no search.
    pub program: PathBuf,
    /// All arguments, the first being the name of the program.
    pub arguments: Vec<OsString>,
    /// The whole environment. The variables of the channel are added to it.
    pub environment: Vec<(OsString, OsString)>,
    /// The working folder; `None` for the primary's own.
    pub folder: Option<PathBuf>,
    /// Becomes descriptor 0; `None` for the primary's own.
    pub stdin: Option<OwnedFd>,
    /// Becomes descriptor 1; `None` for the primary's own.
    pub stdout: Option<OwnedFd>,
    /// Becomes descriptor 2; `None` for the primary's own.
    pub stderr: Option<OwnedFd>,
    /// Becomes the descriptor of that number, from 3 upward, or another than the channel's.
    pub descriptors: Vec<(i32, OwnedFd)>,
    /// Whether the process is to know that it is a cluster worker (`NODE_UNIQUE_ID`). It then has
    /// a channel in any case.
    pub clustered: bool,
    /// Whether the process gets a channel, as a child of `child_process.fork` does.
    pub channel: bool,
    /// The descriptor that the process finds its channel on: 3 where `child_process.fork` puts it.
    pub channel_number: i32,
    /// How messages are written.
    pub serialization: Serialization,
    /// The user to become.
    pub uid: Option<u32>,
    /// The group to become.
    pub gid: Option<u32>,
    /// Whether the process leads a process group of its own, so that a terminal's Ctrl-C does not
    /// reach it.
    pub own_group: bool,
    /// A signal that the process gets when the *thread* that starts it ends, however it ends. For
    /// programs that would not notice the end of a primary by themselves.
    pub parent_death_signal: Option<i32>,
    /// The place it takes.
    pub seat: Seat,
    /// The runtime, when it is known to be special on the wire.
    pub dialect: tine_ipc::Dialect,
}

/// Without the environment, which may hold secrets.
impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch")
            .field("program", &self.program)
            .field("arguments", &self.arguments)
            .field("folder", &self.folder)
            .field("clustered", &self.clustered)
            .field("seat", &self.seat)
            .finish_non_exhaustive()
    }
}

impl Launch {
    /// A cluster worker that runs `program` without arguments, in an empty environment.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        Self {
            arguments: vec![program.clone().into()],
            program,
            environment: Vec::new(),
            folder: None,
            stdin: None,
            stdout: None,
            stderr: None,
            descriptors: Vec::new(),
            clustered: true,
            channel: true,
            channel_number: CHANNEL,
            serialization: Serialization::Json,
            uid: None,
            gid: None,
            own_group: false,
            parent_death_signal: None,
            seat: Seat(0),
            dialect: tine_ipc::Dialect::Node,
        }
    }
}

/// A worker could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForkError {
    /// No channel could be made.
    #[error("making the channel of a new worker: {0}")]
    Channel(#[source] std::io::Error),
    /// Its streams could not be opened.
    #[error("opening the streams of a new worker: {0}")]
    Streams(#[source] std::io::Error),
    /// There is no such program.
    #[error("starting a worker: {0}")]
    Program(#[source] std::io::Error),
    /// The runtime cannot be talked to in the serialization asked for.
    #[error("starting a worker: {0}")]
    Serialization(#[from] tine_ipc::NoCommonSerialization),
    /// The cluster is closed.
    #[error("starting a worker: the cluster is closed")]
    Closed,
    /// A text with a NUL byte cannot be given to a process.
    #[error("{0} contains a NUL byte")]
    Nul(NulIn),
    /// The process could not be started.
    #[error(transparent)]
    Spawn(#[from] tine_sys::spawn::SpawnError),
}

/// Where a NUL byte was.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum NulIn {
    /// In the path of the program.
    Program,
    /// In an argument.
    Argument,
    /// In the environment.
    Environment,
    /// In the working folder.
    Folder,
}

impl fmt::Display for NulIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Program => "the path of the program",
            Self::Argument => "an argument",
            Self::Environment => "the environment",
            Self::Folder => "the working folder",
        })
    }
}

/// The descriptor that the worker finds its channel on, the one `child_process.fork` gives.
pub(crate) const CHANNEL: i32 = 3;

impl Launch {
    pub(super) fn has_channel(&self) -> bool {
        self.channel || self.clustered
    }

    /// The parts as the kernel wants them. `id` becomes `NODE_UNIQUE_ID` of a clustered worker.
    pub(super) fn strings(&self, id: u32) -> Result<Strings, ForkError> {
        use std::os::unix::ffi::OsStrExt as _;
        let text = |bytes: Vec<u8>, place| CString::new(bytes).map_err(|_| ForkError::Nul(place));
        let mut environment = Vec::with_capacity(self.environment.len() + 3);
        for (name, value) in &self.environment {
            if name.as_bytes().starts_with(b"NODE_CHANNEL_") || name == "NODE_UNIQUE_ID" {
                continue;
            }
            let entry = [name.as_bytes(), b"=", value.as_bytes()].concat();
            environment.push(text(entry, NulIn::Environment)?);
        }
        let mut own = Vec::new();
        if self.has_channel() {
            own.push(format!("NODE_CHANNEL_FD={}", self.channel_number));
            own.push(format!(
                "NODE_CHANNEL_SERIALIZATION_MODE={}",
                self.serialization
            ));
        }
        if self.clustered {
            own.push(format!("NODE_UNIQUE_ID={id}"));
        }
        for entry in own {
            environment.push(text(entry.into_bytes(), NulIn::Environment)?);
        }
        Ok(Strings {
            program: text(self.program.as_os_str().as_bytes().to_vec(), NulIn::Program)?,
            arguments: self
                .arguments
                .iter()
                .map(|argument| text(argument.as_bytes().to_vec(), NulIn::Argument))
                .collect::<Result<_, _>>()?,
            environment,
            folder: match &self.folder {
                Some(folder) => Some(text(folder.as_os_str().as_bytes().to_vec(), NulIn::Folder)?),
                None => None,
            },
        })
    }
}

pub(super) struct Strings {
    pub(super) program: CString,
    pub(super) arguments: Vec<CString>,
    pub(super) environment: Vec<CString>,
    pub(super) folder: Option<CString>,
}
