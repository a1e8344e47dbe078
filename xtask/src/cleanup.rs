//! What must be gone when a chore ends, by whatever exit: every process it started, its scratch folder.
//!
//! The chore is a child subreaper (prctl(2), Linux 3.4), so a process that daemonizes becomes its child
//! instead of leaving the tree, and "everything I started" is "my descendants". SIGKILL of the chore
//! itself is the one end that cannot be cleaned up after.
#![allow(clippy::disallowed_methods)] // a chore is not part of the product: it may start programs itself

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};

use crate::{Result, proc};

/// How often a condition that no file descriptor announces is looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Held while a process is being created; true once the chore was told to end.
static ENDING: Mutex<bool> = Mutex::new(false);

/// Held by a test that starts processes: those of the whole test process are one family, and the test of the
/// session ends them all.
#[cfg(test)]
pub(crate) static FAMILY: Mutex<()> = Mutex::new(());

fn ending() -> MutexGuard<'static, bool> {
    ENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here to its drop, the chore cleans up after itself. At most one exists.
pub(crate) struct Session {
    scratch: PathBuf,
}

impl Session {
    /// Creates the scratch folder (0700), adopts orphans from now on, and answers SIGINT, SIGTERM and
    /// SIGHUP by cleaning up and exiting with 130.
    pub(crate) fn begin(name: &str) -> Result<Session> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|e| format!("becoming the child subreaper: {e}"))?;
        let scratch = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&scratch)
            .map_err(|e| format!("creating {}: {e}", scratch.display()))?;
        let session = Session { scratch };
        let scratch = session.scratch.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(|e| format!("creating the signal watcher: {e}"))?;
        // Registered before this function returns, so that no signal finds the default action.
        let mut signals = {
            use tokio::signal::unix::{SignalKind, signal};
            let _entered = runtime.enter();
            let on = |kind| signal(kind).map_err(|e| format!("watching for a signal: {e}"));
            [
                on(SignalKind::interrupt())?,
                on(SignalKind::terminate())?,
                on(SignalKind::hangup())?,
            ]
        };
        std::thread::spawn(move || {
            runtime.block_on(std::future::poll_fn(|context| {
                if signals.iter_mut().any(|s| s.poll_recv(context).is_ready()) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }));
            *ending() = true;
            eprintln!("told to end: stopping everything that was started");
            kill_descendants();
            let _ = fs::remove_dir_all(&scratch);
            std::process::exit(130);
        });
        Ok(session)
    }

    /// The folder that is removed at the end.
    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        stop_everything();
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

/// Once the chore was told to end, nothing is started or concluded any more: the thread that cleans up
/// also exits.
fn stay_if_ending() -> MutexGuard<'static, bool> {
    let guard = ending();
    if !*guard {
        return guard;
    }
    drop(guard);
    loop {
        std::thread::park();
    }
}

/// Starts a program in a process group of its own, so that Ctrl-C reaches the chore only.
pub(crate) fn spawn(command: &mut Command) -> Result<Child> {
    let _not_ending = stay_if_ending();
    let name = command.get_program().to_string_lossy().into_owned();
    command
        .process_group(0)
        .spawn()
        .map_err(|e| format!("starting {name}: {e}"))
}

/// Runs a program to its end, but no longer than `limit`; its output is small (it must fit a pipe).
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = spawn(command)?;
    let exited = wait_until(limit, || {
        child
            .try_wait()
            .map(|s| s.is_some())
            .map_err(|e| format!("waiting for {name}: {e}"))
    })?;
    drop(stay_if_ending());
    if !exited {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("{name} did not end within {limit:?}"));
    }
    child
        .wait_with_output()
        .map_err(|e| format!("reading the output of {name}: {e}"))
}

/// Looks at a condition until it holds (true) or `limit` has passed (false).
pub(crate) fn wait_until(
    limit: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        if condition()? {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Sends a signal to one process; one that is gone already is fine.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Waits until no descendant is left, not even as a zombie. False if some are after `limit`.
pub(crate) fn wait_for_descendants(limit: Duration) -> bool {
    let gone = wait_until(limit, || {
        // Every descendant ends as a child of the subreaper. Whoever still has a `Child` of one that is
        // reaped here is told ECHILD, and ignores it.
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(false),
                Err(Errno::CHILD) => return Ok(true),
                Err(e) => return Err(format!("waiting for what was started: {e}")),
            }
        }
    });
    gone.unwrap_or(false)
}

/// Nothing that was started so far lives when this returns.
pub(crate) fn stop_everything() {
    drop(stay_if_ending());
    kill_descendants();
}

/// SIGKILLs and reaps every descendant; repeats because one may have forked meanwhile.
fn kill_descendants() {
    for _ in 0..50 {
        for pid in proc::descendants(std::process::id()) {
            signal(pid, Signal::KILL);
        }
        if wait_for_descendants(Duration::from_millis(100)) {
            return;
        }
    }
    eprintln!(
        "still alive after SIGKILL: {:?}",
        proc::descendants(std::process::id())
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, because descendants belong to the whole test process.
    #[test]
    fn everything_that_was_started_is_gone_after_the_session() {
        let _alone = FAMILY.lock().unwrap_or_else(PoisonError::into_inner);
        let session = Session::begin("xtask-cleanup-test").unwrap();
        let scratch = session.scratch().to_owned();
        // A grandchild in another session, whose parent has left: only the subreaper finds it.
        let shell = "setsid sleep 600 & setsid sh -c 'trap \"\" INT TERM; sleep 600' & exit 0";
        let output = spawn(Command::new("sh").args(["-c", shell]))
            .unwrap()
            .wait()
            .unwrap();
        assert!(output.success());
        let two = |pids: &[u32]| {
            pids.iter()
                .filter(|p| proc::command(**p).contains("600"))
                .count()
                >= 2
        };
        let me = std::process::id();
        assert!(
            wait_until(Duration::from_secs(10), || Ok(two(&proc::descendants(me)))).unwrap(),
            "the orphans are not ours: {:?}",
            proc::descendants(me)
        );
        let started = proc::descendants(me);
        drop(session);
        assert_eq!(proc::descendants(me), Vec::<u32>::new());
        let zombie_or_alive = |p: &u32| fs::exists(format!("/proc/{p}")).unwrap();
        assert!(!started.iter().any(zombie_or_alive), "{started:?}");
        assert!(!scratch.exists());
    }
}
