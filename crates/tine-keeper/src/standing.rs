//! What the keeper arranges for itself, and keeps from what it starts.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use tine_sys::spawn::{Child, Spawn, SpawnError, spawn};
use tine_sys::tree::become_subreaper;

/// The last to be chosen when memory is short, short of never (proc_pid_oom_score_adj(5)).
const LOW_OOM_SCORE: i32 = -500;
const OOM_SCORE: &str = "/proc/self/oom_score_adj";
/// Descriptors beyond what the tables hold: those of one packet, and the keeper's own.
const RESERVE: usize = 160;

#[derive(Debug)]
pub(crate) struct Standing {
    /// Open for writing, and the score that others are to have.
    oom_score: Option<(File, i32)>,
    /// The limit of open descriptors: as it was, and as it is for the keeper.
    descriptors: (Rlimit, Rlimit),
}

impl Standing {
    /// Makes this process the reaper of all that descends from it, hard to kill for want of
    /// memory, able to hold many descriptors, and no user of anyone's terminal.
    pub(crate) fn take() -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let null = rustix::fs::open("/dev/null", flags, Mode::empty())?;
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        dup2_stderr(&null)?;
        become_subreaper()?;
        let before = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: before.maximum,
            maximum: before.maximum,
        };
        let raised = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => raised,
            Err(_) => before,
        };
        Ok(Self {
            oom_score: lower_oom_score(),
            descriptors: (before, raised),
        })
    }

    /// How many descriptors the tables may hold, so that a brain can always be started.
    pub(crate) fn room(&self) -> usize {
        let limit = self.descriptors.1.current.unwrap_or(u64::MAX);
        usize::try_from(limit)
            .unwrap_or(usize::MAX)
            .saturating_sub(RESERVE)
    }

    /// The limit of open descriptors that the keeper was started with.
    pub(crate) fn original_limit(&self) -> (u64, u64) {
        let before = self.descriptors.0;
        let number = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
        (number(before.current), number(before.maximum))
    }

    /// Starts a program with the score that the keeper was started with.
    pub(crate) fn spawn(&self, request: &Spawn<'_>) -> Result<Child, SpawnError> {
        // Neither can fail where lowering it has succeeded.
        self.score(|(_, before)| *before);
        let child = spawn(request);
        self.score(|_| LOW_OOM_SCORE);
        child
    }

    fn score(&self, which: impl Fn(&(File, i32)) -> i32) {
        if let Some(score) = &self.oom_score {
            let _ = score.0.write_all_at(which(score).to_string().as_bytes(), 0);
        }
    }
}

/// `None` where it is low already or it is not permitted.
fn lower_oom_score() -> Option<(File, i32)> {
    let before: i32 = std::fs::read_to_string(OOM_SCORE)
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let file = OpenOptions::new().write(true).open(OOM_SCORE).ok()?;
    if before <= LOW_OOM_SCORE {
        return None;
    }
    file.write_all_at(LOW_OOM_SCORE.to_string().as_bytes(), 0)
        .ok()?;
    Some((file, before))
}
