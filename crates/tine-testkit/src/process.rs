use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

/// How long killed processes may take to be gone.
const KILL_DEADLINE: Duration = Duration::from_secs(10);

/// One process as `/proc/PID/stat` shows it (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its number.
    pub pid: u32,
    /// `R`, `S`, `D`, `Z`, `T`, …
    pub state: char,
    /// Its parent's number, 0 for none.
    pub parent: u32,
    /// When it started, in clock ticks since boot: with the pid it names this very process.
    pub start_time: u64,
}

impl Stat {
    /// Whether it runs or could; a zombie does not.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// Whether the two are the same process, at whatever times.
    #[must_use]
    pub fn is_same(&self, other: Stat) -> bool {
        (self.pid, self.start_time) == (other.pid, other.start_time)
    }
}

/// What `/proc` says about `pid` now; `None` when there is no such process.
#[must_use]
pub fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in parentheses may hold anything, also parentheses: fields are counted after its end.
fn parse_stat(text: &str) -> Option<Stat> {
    let (pid, _) = text.split_once(' ')?;
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Stat {
        pid: pid.parse().ok()?,
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        start_time: fields.get(19)?.parse().ok()?,
    })
}

/// Every process this user may see.
///
/// # Panics
/// When `/proc` cannot be read.
#[must_use]
pub fn all() -> Vec<Stat> {
    let entries = fs::read_dir("/proc").unwrap_or_else(|error| panic!("reading /proc: {error}"));
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(stat)
        .collect()
}

/// Whether `pid` is there and no zombie.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| stat.is_alive())
}

/// Children, their children, and so on, that are alive; parents before children, without `pid`
/// itself. Orphans that were given to another parent are not among them: see [`marked`].
#[must_use]
pub fn descendants(pid: u32) -> Vec<u32> {
    let mut by_parent: BTreeMap<u32, Vec<Stat>> = BTreeMap::new();
    for stat in all() {
        by_parent.entry(stat.parent).or_default().push(stat);
    }
    let mut found = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for stat in by_parent.remove(&parent).unwrap_or_default() {
            parents.push(stat.pid);
            if stat.is_alive() {
                found.push(stat.pid);
            }
        }
    }
    found
}

/// Children that are alive, in the order of their numbers.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    let mut found: Vec<u32> = all()
        .into_iter()
        .filter(|stat| stat.parent == pid && stat.is_alive())
        .map(|stat| stat.pid)
        .collect();
    found.sort_unstable();
    found
}

/// Children of `pid` that have exited and that it has not waited for.
#[must_use]
pub fn zombies(pid: u32) -> Vec<u32> {
    all()
        .into_iter()
        .filter(|stat| stat.parent == pid && stat.state == 'Z')
        .map(|stat| stat.pid)
        .collect()
}

/// Living processes that were started with `variable` (`NAME=VALUE`) in their environment, wherever
/// they hang in the tree by now.
#[must_use]
pub fn marked(variable: &str) -> Vec<u32> {
    all()
        .into_iter()
        .filter(|stat| {
            stat.is_alive()
                && fs::read(format!("/proc/{}/environ", stat.pid)).is_ok_and(|environment| {
                    environment
                        .split(|byte| *byte == 0)
                        .any(|entry| entry == variable.as_bytes())
                })
        })
        .map(|stat| stat.pid)
        .collect()
}

/// How many file descriptors it has open.
///
/// # Errors
/// When its `/proc/PID/fd` cannot be read: it is gone, or somebody else's.
pub fn fd_count(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// How many bytes wait to be read in the pipe that it has open as this descriptor.
///
/// # Errors
/// When it has no pipe there, or is gone, or somebody else's.
pub fn waiting_in_pipe(pid: u32, descriptor: u32) -> io::Result<u64> {
    // An end of one's own: opening for reading alone never waits where there is a writer.
    let pipe = fs::File::open(format!("/proc/{pid}/fd/{descriptor}"))?;
    Ok(rustix::io::ioctl_fionread(&pipe)?)
}

/// Its resident memory in bytes (`VmRSS`, which proc_pid_status(5) calls inaccurate by some pages).
///
/// # Errors
/// When its `/proc/PID/status` cannot be read.
pub fn rss_bytes(pid: u32) -> io::Result<u64> {
    Ok(status_field(&format!("/proc/{pid}/status"), "VmRSS:")? * 1024)
}

/// How often its threads gave up the processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContextSwitches {
    /// Because they had nothing to do: one for every wake-up.
    pub voluntary: u64,
    /// Because somebody else's turn had come.
    pub involuntary: u64,
}

/// Context switches of the threads it has now, since they started.
///
/// # Errors
/// When its `/proc/PID/task` cannot be read.
pub fn context_switches(pid: u32) -> io::Result<ContextSwitches> {
    let mut sum = ContextSwitches::default();
    for thread in threads(pid)? {
        let path = thread.join("status").display().to_string();
        sum.voluntary += status_field(&path, "voluntary_ctxt_switches:")?;
        sum.involuntary += status_field(&path, "nonvoluntary_ctxt_switches:")?;
    }
    Ok(sum)
}

/// Processor time of the threads it has now, to the nanosecond (`schedstat`).
///
/// # Errors
/// When its `/proc/PID/task` cannot be read.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in threads(pid)? {
        let text = fs::read_to_string(thread.join("schedstat"))?;
        let first = text
            .split_whitespace()
            .next()
            .and_then(|field| field.parse().ok());
        sum += Duration::from_nanos(first.ok_or_else(|| io::Error::other("schedstat is empty"))?);
    }
    Ok(sum)
}

fn threads(pid: u32) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(format!("/proc/{pid}/task"))?
        .map(|entry| Ok(entry?.path()))
        .collect()
}

fn status_field(path: &str, name: &str) -> io::Result<u64> {
    fs::read_to_string(path)?
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|value| value.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| io::Error::other(format!("{path} has no {name}")))
}

/// Sends a signal.
///
/// # Errors
/// As kill(2): nobody there, or somebody else's.
pub fn signal(pid: u32, signal: Signal) -> io::Result<()> {
    Ok(kill_process(known_pid(pid)?, signal)?)
}

/// Kills `pid` and everything below it with SIGKILL, and returns when all of them are gone or are
/// zombies. The top is stopped first, so that it starts nobody in the meantime.
///
/// # Panics
/// When one of them is still alive after 10 seconds.
pub fn kill_tree(pid: u32) {
    let Some(top) = stat(pid) else { return };
    send_exactly(top, Signal::STOP);
    kill_all("the processes below it", || {
        descendants(pid).into_iter().filter_map(stat).collect()
    });
    kill_all("the top of the tree", || {
        stat(pid)
            .into_iter()
            .filter(|now| now.is_same(top))
            .collect()
    });
}

/// Kills with SIGKILL every living process that carries `variable` (as [`marked`]).
///
/// # Panics
/// When one of them is still alive after 10 seconds.
pub fn kill_marked(variable: &str) {
    kill_all(variable, || {
        marked(variable).into_iter().filter_map(stat).collect()
    });
}

/// Kills whom `find` finds until it finds nobody alive, and all it killed are gone or zombies.
fn kill_all(what: &str, find: impl Fn() -> Vec<Stat>) {
    let end = Instant::now() + KILL_DEADLINE;
    // A dying process gives up its memory, and so its environment, before it is a zombie: it is not
    // found any more, but not gone yet.
    let mut dying: Vec<Stat> = Vec::new();
    loop {
        let found: Vec<Stat> = find().into_iter().filter(Stat::is_alive).collect();
        for known in found {
            if !dying.iter().any(|other| other.is_same(known)) {
                send_exactly(known, Signal::KILL);
                dying.push(known);
            }
        }
        dying.retain(|known| {
            stat(known.pid).is_some_and(|now| now.is_same(*known) && now.is_alive())
        });
        if dying.is_empty() {
            return;
        }
        assert!(
            Instant::now() < end,
            "killing {what}: still alive: {dying:?}"
        );
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// Signals this very process: between looking at a number and signalling it the number may have
/// passed to somebody else, but a pidfd stays with the process it was opened for.
fn send_exactly(known: Stat, signal: Signal) {
    let Ok(pid) = known_pid(known.pid) else {
        return;
    };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    if stat(known.pid).is_some_and(|now| now.is_same(known)) {
        // It may exit at any moment, which is what was wanted.
        let _ = pidfd_send_signal(&handle, signal);
    }
}

fn known_pid(pid: u32) -> io::Result<Pid> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::until;
    use std::process::{self, Command, Stdio};

    const SECONDS: Duration = Duration::from_secs(10);

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = "7 (a) b (c) Z 3 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        let expected = Stat {
            pid: 7,
            state: 'Z',
            parent: 3,
            start_time: 4242,
        };
        assert_eq!(parse_stat(line), Some(expected));
    }

    #[test]
    fn a_tree_is_seen_whole_and_killed_whole() {
        let mut top = Command::new("sh")
            .args(["-c", "sh -c 'sleep 60; :' & sleep 60; :"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let below = until("a tree of three below", SECONDS, || {
            Some(descendants(top.id())).filter(|below| below.len() == 3)
        });
        assert_eq!(children(top.id()).len(), 2);
        kill_tree(top.id());
        assert!(below.iter().all(|pid| !is_alive(*pid)));
        assert!(!is_alive(top.id()));
        assert!(zombies(process::id()).contains(&top.id()));
        top.wait().unwrap();
        assert!(!zombies(process::id()).contains(&top.id()));
    }

    #[test]
    fn an_orphan_is_found_by_its_mark() {
        let mark = format!("TINE_TEST_ORPHAN={}", process::id());
        let (name, value) = mark.split_once('=').unwrap();
        let mut top = Command::new("sh")
            .args(["-c", "sleep 60 &"])
            .env(name, value)
            .spawn()
            .unwrap();
        top.wait().unwrap();
        let orphans = until("the orphan", SECONDS, || {
            Some(marked(&mark)).filter(|found| found.len() == 1)
        });
        kill_marked(&mark);
        assert!(!is_alive(orphans[0]));
        assert!(marked(&mark).is_empty());
    }

    #[test]
    fn the_figures_of_this_process_are_plausible() {
        let me = process::id();
        let before = fd_count(me).unwrap();
        let files: Vec<fs::File> = (0..40)
            .map(|_| fs::File::open("/dev/null").unwrap())
            .collect();
        // Other tests of this process open and close a few at the same time.
        assert!(fd_count(me).unwrap() > before);
        drop(files);
        assert!(rss_bytes(me).unwrap() > 100 * 1024);
        assert!(cpu_time(me).unwrap() > Duration::ZERO);
        assert!(context_switches(me).unwrap().voluntary > 0);
    }
}
