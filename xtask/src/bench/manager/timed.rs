//! How long does a whole command take? From before it is started until it has ended.
#![allow(clippy::disallowed_methods)] // a chore is not part of the product: it may start programs itself

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use crate::{Result, cleanup};

/// PM2 takes minutes for what it does one after another.
pub(super) const LIMIT: Duration = Duration::from_secs(180);
/// How often is looked at what a command does while it runs, if that is asked for.
const GLANCE: Duration = Duration::from_millis(1);

/// What came of a command that did well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    pub(super) began: Instant,
    pub(super) whole: Duration,
    /// From the beginning until `seen` first said so; None if it did not before the end.
    pub(super) until_seen: Option<Duration>,
}

/// Runs a command to its end, with its output in a file. `seen`, if any, is asked again and again
/// meanwhile until it says yes.
pub(super) fn run(
    command: &mut Command,
    output: &Path,
    mut seen: Option<&mut dyn FnMut() -> bool>,
) -> Result<Took> {
    let name = said(command);
    let open = || {
        let out = File::create(output)?;
        let err = out.try_clone()?;
        Ok((out, err))
    };
    let (out, err) =
        open().map_err(|e: std::io::Error| format!("creating {}: {e}", output.display()))?;
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    let began = Instant::now();
    let mut child = cleanup::spawn(command)?;
    let mut until_seen = None;
    let waiting = |e| format!("waiting for {name}: {e}");
    let whole = {
        let pid = Pid::from_child(&child);
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(waiting)?;
        loop {
            let left = LIMIT.saturating_sub(began.elapsed());
            let length = if seen.is_some() {
                GLANCE.min(left)
            } else {
                left
            };
            if ends_within(&pidfd, length).map_err(waiting)? {
                break began.elapsed();
            }
            if left.is_zero() {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{name} did not end within {LIMIT:?}"));
            }
            if seen.as_mut().is_some_and(|seen| seen()) {
                until_seen = Some(began.elapsed());
                seen = None;
            }
        }
    };
    let status = child
        .wait()
        .map_err(|e| format!("waiting for {name}: {e}"))?;
    check(&name, status, output)?;
    Ok(Took {
        began,
        whole,
        until_seen,
    })
}

fn ends_within(
    pidfd: &rustix::fd::OwnedFd,
    length: Duration,
) -> std::result::Result<bool, rustix::io::Errno> {
    let limit = Timespec {
        tv_sec: i64::try_from(length.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: length.subsec_nanos().into(),
    };
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    Ok(rustix::event::poll(&mut fds, Some(&limit))? > 0)
}

fn check(name: &str, status: ExitStatus, output: &Path) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let text = fs::read(output).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(4)..].join(" / ");
    Err(format!("{name}: {status}: {last}"))
}

/// The program's name and its arguments.
fn said(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name();
    let name = name.unwrap_or(command.get_program());
    let arguments = command.get_args().map(|a| a.to_string_lossy().into_owned());
    let words = [name.to_string_lossy().into_owned()]
        .into_iter()
        .chain(arguments);
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::PoisonError;

    #[test]
    fn the_whole_command_is_timed_and_what_is_seen_meanwhile() {
        let _alone = cleanup::FAMILY
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let output = std::env::temp_dir().join(format!("xtask-timed-{}", std::process::id()));
        let mut sleep = Command::new("sh");
        sleep.args(["-c", "echo said; sleep 0.2"]);
        let mut asked = 0;
        let mut seen = || {
            asked += 1;
            asked == 3
        };
        let took = run(&mut sleep, &output, Some(&mut seen)).unwrap();
        assert!(took.whole >= Duration::from_millis(200));
        assert!(took.until_seen.unwrap() < took.whole);
        assert_eq!(asked, 3);

        let mut fails = Command::new("sh");
        fails.args(["-c", "echo why; exit 3"]);
        let error = run(&mut fails, &output, None).unwrap_err();
        let _ = fs::remove_file(&output);
        assert!(error.contains("exit status: 3: why"), "{error}");
    }
}
