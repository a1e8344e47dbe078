//! A program to start, as the brain says it.

use std::ffi::CString;
use std::os::fd::BorrowedFd;

use crate::protocol::Order;

/// A program to start through the keeper: [`tine_sys::spawn::Spawn`] without what a keeper's
/// process cannot have (a parent death signal).
#[derive(Clone, Debug)]
pub struct Program<'fd> {
    /// What exits and lists will call it.
    pub name: String,
    /// Absolute path of the file to execute.
    pub program: CString,
    /// All arguments, the program's name included.
    pub argv: Vec<CString>,
    /// The whole environment.
    pub env: Vec<CString>,
    /// Working directory; the keeper's when absent.
    pub cwd: Option<CString>,
    /// Descriptors to pass and the number each has in the new process. Of 0, 1 and 2, what is not
    /// named is `/dev/null`.
    pub fds: Vec<(BorrowedFd<'fd>, i32)>,
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

impl Program<'_> {
    /// `program` with itself as only argument and nothing else asked for.
    #[must_use]
    pub fn new(name: String, program: CString) -> Self {
        Self {
            name,
            argv: vec![program.clone()],
            program,
            env: Vec::new(),
            cwd: None,
            fds: Vec::new(),
            uid: None,
            gid: None,
            new_group: false,
            new_session: false,
            ordinary_scheduling: false,
        }
    }

    pub(crate) fn order(&self) -> Order {
        Order {
            name: self.name.clone(),
            cwd: self.cwd.is_some(),
            argv: self.argv.len(),
            env: self.env.len(),
            fds: self.fds.iter().map(|(_, number)| *number).collect(),
            uid: self.uid,
            gid: self.gid,
            new_group: self.new_group,
            new_session: self.new_session,
            ordinary_scheduling: self.ordinary_scheduling,
        }
    }

    /// What the memfd beside the order holds.
    pub(crate) fn texts(&self) -> Vec<u8> {
        let first = [&self.program].into_iter().chain(&self.cwd);
        let all = first.chain(&self.argv).chain(&self.env);
        let mut bytes = Vec::new();
        for text in all {
            bytes.extend_from_slice(text.as_bytes_with_nul());
        }
        bytes
    }
}
