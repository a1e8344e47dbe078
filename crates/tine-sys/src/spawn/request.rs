//! What a new process is to be, and what is known of it once it is.

use std::ffi::CString;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::process::Pid;

/// A program to start, and the surroundings it starts in.
#[derive(Clone, Debug)]
pub struct Spawn<'fd> {
    /// Absolute path of the file to execute. A relative one is looked up from [`Spawn::cwd`]; the
    /// `PATH` is never searched here (see [`resolve_program`](super::resolve_program)).
    pub program: CString,
    /// All arguments, the name of the program (`argv[0]`) included.
    pub argv: Vec<CString>,
    /// The whole environment as `KEY=VALUE`; nothing is inherited.
    pub env: Vec<CString>,
    /// Working directory; the caller's when absent. Entered as the new user.
    pub cwd: Option<CString>,
    /// Descriptors to pass, and the number each has in the new process. Any overlap between source
    /// and target numbers is allowed; two sources for one target are not. Numbers 0, 1 and 2 that
    /// are not named are inherited; every other descriptor of the caller is closed (on kernels
    /// before 5.11 only if it is close-on-exec).
    pub fds: Vec<(BorrowedFd<'fd>, i32)>,
    /// Start a session, and with it a process group, led by the new process (`setsid(2)`).
    pub new_session: bool,
    /// Start a process group led by the new process (`setpgid(2)`), in the caller's session. Where
    /// the scheduler groups by session (`sched_autogroup`), the new process then competes on
    /// equal terms with its caller's others. Without effect beside `new_session`.
    pub new_group: bool,
    /// Run under the ordinary scheduling policy (`SCHED_OTHER`) whatever the caller runs under.
    pub ordinary_scheduling: bool,
    /// How many descriptors the new process may have open (`RLIMIT_NOFILE`): the limit that holds,
    /// and how far the process itself may raise it; `u64::MAX` is no limit. `None` for the caller's.
    /// Set as the new user, after the descriptors are in their places, which may be beyond it.
    pub nofile: Option<(u64, u64)>,
    /// User to become. Together with or without `gid`, supplementary groups are given up, unless
    /// what is asked for is what the caller already is.
    pub uid: Option<u32>,
    /// Group to become. Not implied by `uid`.
    pub gid: Option<u32>,
    /// Signal the new process gets when the *thread* that called [`spawn`](super::spawn) ends
    /// (`PR_SET_PDEATHSIG` speaks of threads). The kernel forgets it when the program executed is
    /// set-user-id or has file capabilities.
    pub parent_death_signal: Option<i32>,
}

impl Spawn<'_> {
    /// `program` with itself as only argument, an empty environment and nothing else asked for.
    #[must_use]
    pub fn new(program: CString) -> Self {
        Self {
            argv: vec![program.clone()],
            program,
            env: Vec::new(),
            cwd: None,
            fds: Vec::new(),
            new_session: false,
            new_group: false,
            ordinary_scheduling: false,
            nofile: None,
            uid: None,
            gid: None,
            parent_death_signal: None,
        }
    }
}

/// A process that has begun to execute its program.
///
/// Dropping this neither stops nor reaps it.
#[derive(Debug)]
pub struct Child {
    /// Its number, valid until it is reaped.
    pub pid: Pid,
    /// A handle that always means this very process, close-on-exec. Readable (`poll`) when it
    /// has ended.
    pub pidfd: OwnedFd,
}
