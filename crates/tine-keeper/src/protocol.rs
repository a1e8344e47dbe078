//! What brain and keeper say to each other.
//!
//! A `SOCK_SEQPACKET` pair of unix sockets, one JSON message per packet, descriptors beside it
//! (`SCM_RIGHTS`). What is large, or may hold any bytes, travels in a memfd beside the packet.
//! Every [`Ask`] of the brain has exactly one [`Answer`] with its token, in the order asked; only
//! [`Request::List`] has many, of which [`Reply::All`] is the last. Exits, orphans and
//! [`Message::Terminate`] come unasked, between answers, once the brain has said hello.
//!
//! An empty packet is the end of the connection: nobody sends one.

use serde::{Deserialize, Serialize};
use tine_sys::reap::ExitStatus;

/// The version of this protocol, said in the greeting. Another one is refused.
pub const VERSION: u32 = 1;
/// The environment variable that names the brain's end of the connection.
pub const CHANNEL: &str = "TINE_KEEPER_FD";

/// Bytes of a packet.
pub const MAX_PACKET: usize = 32 * 1024;
/// Descriptors beside a packet. One of a [`Request::Spawn`]'s is its memfd.
pub const MAX_PACKET_DESCRIPTORS: usize = 64;
/// Bytes of a name or a key; neither may be empty.
pub const MAX_NAME: usize = 255;
/// Processes that run or whose exit is not acknowledged.
pub const MAX_PROCESSES: usize = 8_192;
/// Exits of orphans that wait to be acknowledged; the oldest is forgotten for one more.
pub const MAX_ORPHANS: usize = 1_024;
/// Descriptors held by name.
pub const MAX_DESCRIPTORS: usize = 32_768;
/// State blobs held by key.
pub const MAX_STATES: usize = 8_192;
/// Bytes of one state blob.
pub const MAX_STATE: u64 = 64 * 1024 * 1024;
/// Bytes of all state blobs together.
pub const MAX_ALL_STATES: u64 = 256 * 1024 * 1024;
/// Bytes of a new process's program, directory, arguments and environment together.
pub const MAX_STRINGS: u64 = 4 * 1024 * 1024;

/// A request and the number that its answer will carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Chosen by the brain; means nothing to the keeper.
    pub token: u64,
    /// What is asked for.
    pub request: Request,
}

/// What the brain can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The first one; until then all others are refused. Answer: [`Reply::Welcome`].
    Hello {
        /// [`VERSION`].
        version: u32,
    },
    /// Start a program, with the limit of open descriptors and the score of the out-of-memory killer
    /// that the keeper itself was started with. Beside it: the memfd of [`Order`], then a descriptor for each of
    /// [`Order::fds`]. Answer: [`Reply::Spawned`] or [`Reply::SpawnFailed`].
    Spawn(Order),
    /// Hold duplicates of the descriptors beside it, one for each name, in place of what was held
    /// under it. All or none. Answer: [`Reply::Done`].
    Put {
        /// Names.
        names: Vec<String>,
    },
    /// Close what is held under these names; one that is not held is no error. Answer:
    /// [`Reply::Done`].
    Drop {
        /// Names.
        names: Vec<String>,
    },
    /// Hold the memfd beside it, sealed against writing, growing and shrinking, in place of what
    /// was held under the key. Answer: [`Reply::Done`].
    PutState {
        /// Key.
        key: String,
    },
    /// Let go of what is held under the key, if anything. Answer: [`Reply::Done`].
    ForgetState {
        /// Key.
        key: String,
    },
    /// Everything there is: [`Reply::Process`] each, [`Reply::Descriptor`] each, [`Reply::State`]
    /// each, then [`Reply::All`].
    List,
    /// These exits (of orphans too) need not be told again; one that is not known is no error.
    /// Answer: [`Reply::Done`].
    Ack {
        /// Their [`Exit::seq`].
        exits: Vec<u64>,
    },
    /// When this brain ends, end too instead of starting another. What runs goes on. Answer:
    /// [`Reply::Done`].
    Finish,
}

/// A program to start. Its texts are in the memfd beside it, each followed by a zero byte: the
/// path of the program, the working directory if there is one, the arguments (the program's name
/// is the first), the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What exits and lists will call it. No running process may have it already.
    pub name: String,
    /// Whether there is a working directory; else it is the keeper's.
    pub cwd: bool,
    /// Number of arguments, the program's name included.
    pub argv: usize,
    /// Number of entries of the environment.
    pub env: usize,
    /// The number that each descriptor beside the memfd has in the new process. Of 0, 1 and 2,
    /// what is not named is `/dev/null`.
    pub fds: Vec<i32>,
    /// User to become.
    pub uid: Option<u32>,
    /// Group to become.
    pub gid: Option<u32>,
    /// Lead a new process group.
    pub new_group: bool,
    /// Lead a new session.
    pub new_session: bool,
    /// Run under the ordinary scheduling policy.
    pub ordinary_scheduling: bool,
}

/// What the keeper says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// To a request.
    Answer(Answer),
    /// A process that was started by name has ended. Told to each brain until acknowledged.
    Exit(Exit),
    /// A process that the keeper had adopted has ended. Told to each brain until acknowledged.
    Orphan(Exit),
    /// The keeper was asked to end (SIGTERM or SIGINT): end what there is to end, ask to
    /// [`Request::Finish`] and end. Told once to each brain.
    Terminate,
}

/// A reply and the number of the request it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The request's; absent when the request could not be read.
    pub token: Option<u64>,
    /// The reply.
    pub reply: Reply,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To hello.
    Welcome {
        /// The keeper's [`VERSION`].
        version: u32,
        /// How many brains there were before this one.
        earlier_brains: u64,
    },
    /// The process exists and executes its program. Its pidfd is beside this, unless the keeper
    /// may open no more descriptors (then [`Request::List`] offers it again).
    Spawned {
        /// Its number.
        pid: i32,
    },
    /// No process was left behind.
    SpawnFailed {
        /// What was being done.
        step: FailedStep,
        /// The kernel's number for the error.
        errno: i32,
        /// All of it in words.
        text: String,
    },
    /// It is done.
    Done,
    /// Nothing was done.
    Refused {
        /// Why.
        text: String,
    },
    /// Of a list: a process that was not reaped yet. Its pidfd is beside this unless none can be
    /// had.
    Process {
        /// Its name.
        name: String,
        /// Its number.
        pid: i32,
        /// When it was started: milliseconds since 1970.
        started: u64,
    },
    /// Of a list: a descriptor that is held, beside this.
    Descriptor {
        /// Its name.
        name: String,
    },
    /// Of a list: a state blob, in the memfd beside this.
    State {
        /// Its key.
        key: String,
    },
    /// The end of a list.
    All {
        /// Exits of orphans that were forgotten because too many waited, since the keeper began.
        orphans_forgotten: u64,
    },
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// To acknowledge it by. Ascends; never used again.
    pub seq: u64,
    /// As it was started. Orphans have none.
    pub name: Option<String>,
    /// The number it had.
    pub pid: i32,
    /// Code or signal.
    pub status: Status,
    /// When it was reaped: milliseconds since 1970.
    pub at: u64,
}

/// [`ExitStatus`] as it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It returned this code.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The signal's number.
        signal: i32,
        /// Whether the kernel wrote a core dump.
        core_dumped: bool,
    },
    /// It has ended, and nobody can say how.
    Unknown,
}

impl From<ExitStatus> for Status {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Code(code) => Self::Code(code),
            ExitStatus::Signal {
                signal,
                core_dumped,
            } => Self::Signal {
                signal,
                core_dumped,
            },
            ExitStatus::Unknown => Self::Unknown,
        }
    }
}

impl From<Status> for ExitStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Code(code) => Self::Code(code),
            Status::Signal {
                signal,
                core_dumped,
            } => Self::Signal {
                signal,
                core_dumped,
            },
            Status::Unknown => Self::Unknown,
        }
    }
}

/// [`tine_sys::spawn::Step`] as it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is what it is in tine_sys")]
pub enum FailedStep {
    Clone,
    Session,
    Group,
    User,
    Directory,
    DeathSignal,
    Descriptor,
    Limit,
    Execute,
}

impl From<tine_sys::spawn::Step> for FailedStep {
    fn from(step: tine_sys::spawn::Step) -> Self {
        use tine_sys::spawn::Step;
        match step {
            Step::Clone => Self::Clone,
            Step::Session => Self::Session,
            Step::Group => Self::Group,
            Step::User => Self::User,
            Step::Directory => Self::Directory,
            Step::DeathSignal => Self::DeathSignal,
            Step::Descriptor => Self::Descriptor,
            Step::Limit => Self::Limit,
            Step::Execute => Self::Execute,
        }
    }
}
