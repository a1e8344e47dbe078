//! How long is it from a process's death to the first instruction of the next one?
#![allow(clippy::disallowed_methods)] // a chore is not part of the product: it may start programs itself

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};

use super::contender::{Contender, LEAST_UPTIME_MS, Payload, Programs, Seat};
use super::{floor, visit};
use crate::{Result, cleanup};

/// The word for which this program is the one that crashes: `xtask bench manager first-instruction FILE`.
pub(super) const WORD: &str = "first-instruction";

const NEXT_LIMIT: Duration = Duration::from_secs(30);
/// Between a start and the next kill: what died was up by every manager's count, and the manager is idle.
const PAUSE: Duration = Duration::from_millis(LEAST_UPTIME_MS + 50);

/// In milliseconds; one of each per kill.
#[derive(Clone, Debug, Default)]
pub(super) struct Crashes {
    pub(super) managed: Vec<f64>,
    /// Killed, reaped and started again by the bench itself.
    pub(super) bare: Vec<f64>,
}

/// The program: says who it is and when it began, and waits to be killed.
pub(super) fn program(file: &Path) -> Result<()> {
    let began = nanoseconds();
    let line = format!("{} {began}\n", std::process::id());
    File::options()
        .create(true)
        .append(true)
        .open(file)
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .map_err(|e| format!("writing {}: {e}", file.display()))?;
    loop {
        std::thread::park();
    }
}

/// Kills the one process of a manager again and again, and in turn one that nobody manages.
pub(super) fn measure(
    contender: Contender,
    programs: &Programs,
    kills: usize,
    folder: &Path,
) -> Result<Crashes> {
    let this = std::env::current_exe().map_err(|e| format!("finding this program: {e}"))?;
    let payload = |file: &Path| Payload {
        program: this.clone(),
        arguments: ["bench", "manager", WORD, &file.to_string_lossy()]
            .map(str::to_owned)
            .into(),
        count: 1,
        apart: false,
        crashes: true,
    };
    let mut managed = Witness::new(folder.join("managed"));
    let mut bare = Witness::new(folder.join("bare"));
    let seat = Seat::new(contender, programs, folder, &payload(&managed.path))?;
    visit::begin(&seat, &payload(&managed.path))?;
    let bare_payload = payload(&bare.path);
    let mut child = floor::spawn(&bare_payload)?;
    let mut victim = managed.next()?.pid;
    bare.next()?;
    let mut crashes = Crashes::default();
    for _ in 0..kills {
        std::thread::sleep(PAUSE);
        let killed = nanoseconds();
        cleanup::signal(victim, Signal::KILL);
        let next = managed.next()?;
        victim = next.pid;
        crashes.managed.push(next.milliseconds_after(killed)?);

        std::thread::sleep(PAUSE);
        let killed = nanoseconds();
        cleanup::signal(child.id(), Signal::KILL);
        child
            .wait()
            .map_err(|e| format!("waiting for a process: {e}"))?;
        child = floor::spawn(&bare_payload)?;
        crashes.bare.push(bare.next()?.milliseconds_after(killed)?);
    }
    cleanup::signal(child.id(), Signal::KILL);
    let _ = child.wait();
    Ok(crashes)
}

/// The file in which the processes say that they began.
struct Witness {
    path: PathBuf,
    read: usize,
}

#[derive(Clone, Copy, Debug)]
struct Birth {
    pid: u32,
    nanoseconds: i64,
}

impl Birth {
    fn parse(line: &str) -> Option<Birth> {
        let (pid, nanoseconds) = line.split_once(' ')?;
        Some(Birth {
            pid: pid.parse().ok()?,
            nanoseconds: nanoseconds.parse().ok()?,
        })
    }

    fn milliseconds_after(self, killed: i64) -> Result<f64> {
        if self.nanoseconds < killed {
            return Err(format!("process {} began without a crash", self.pid));
        }
        Ok((self.nanoseconds - killed) as f64 / 1e6)
    }
}

impl Witness {
    fn new(path: PathBuf) -> Witness {
        Witness { path, read: 0 }
    }

    /// The next line, when it is there. That it is looked for now and then does not matter: the time is in it.
    fn next(&mut self) -> Result<Birth> {
        let mut found = None;
        cleanup::wait_until(NEXT_LIMIT, || {
            let text = fs::read_to_string(&self.path).unwrap_or_default();
            let line = text[self.read.min(text.len())..].split_once('\n');
            if let Some((line, _)) = line {
                self.read += line.len() + 1;
                found = Birth::parse(line);
            }
            Ok(line.is_some())
        })?;
        found.ok_or_else(|| format!("no process began within {NEXT_LIMIT:?}"))
    }
}

/// CLOCK_MONOTONIC, which all processes of a machine read alike.
fn nanoseconds() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn births_are_read_one_by_one() {
        let path = std::env::temp_dir().join(format!("xtask-births-{}", std::process::id()));
        fs::write(&path, "7 2000000\n8 5500000\n").unwrap();
        let mut witness = Witness::new(path.clone());
        assert_eq!(witness.next().unwrap().pid, 7);
        let second = witness.next().unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(second.pid, 8);
        assert_eq!(second.milliseconds_after(2_000_000).unwrap(), 3.5);
        assert!(second.milliseconds_after(6_000_000).is_err());
        assert!(Birth::parse("9").is_none());
    }
}
