//! What runs, and what it costs, by the kernel's word.
//!
//! Everything that a contender starts is a descendant of the bench, which is a subreaper: those that run the
//! payload's program are its processes, and all others are the manager.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Result, cleanup, proc};

/// The kernel keeps so many bytes of a program's name (comm, proc(5)).
const NAME_BYTES: usize = 15;

/// Pids, ascending.
#[derive(Debug)]
pub(super) struct World {
    pub(super) processes: Vec<u32>,
    pub(super) manager: Vec<u32>,
}

impl World {
    pub(super) fn look(program: &Path) -> World {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let name = &name[..name.len().min(NAME_BYTES)];
        let runs = |pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name)
        };
        let all = proc::descendants(std::process::id());
        let (processes, manager) = all.into_iter().partition(runs);
        World { processes, manager }
    }
}

/// Waits until the processes are as they should be.
pub(super) fn expect(
    program: &Path,
    limit: Duration,
    what: &str,
    mut as_wanted: impl FnMut(&World) -> bool,
) -> Result<World> {
    let mut world = World::look(program);
    let came = cleanup::wait_until(limit, || {
        if as_wanted(&world) {
            return Ok(true);
        }
        world = World::look(program);
        Ok(false)
    })?;
    if came {
        return Ok(world);
    }
    let count = world.processes.len();
    Err(format!(
        "{what}: {count} processes are there after {limit:?}, and not as they should be"
    ))
}

/// Whether [`children`] can be told: the kernel may be built without CONFIG_PROC_CHILDREN.
pub(super) fn tells_children() -> bool {
    Path::new("/proc/thread-self/children").exists()
}

/// How many children the processes of a manager have that are none of its own processes. Cheap enough to be
/// asked every millisecond.
pub(super) fn children(manager: &[u32]) -> usize {
    let of = |pid: &u32| -> usize {
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
            return 0;
        };
        let lists = threads
            .flatten()
            .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        lists.map(|list| list.split_whitespace().count()).sum()
    };
    let all: usize = manager.iter().map(of).sum();
    let own = |pid: &&u32| {
        let parent = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
        let parent = parent.and_then(|stat| {
            let (_, fields) = stat.rsplit_once(')')?;
            fields.split_whitespace().nth(1)?.parse::<u32>().ok()
        });
        parent.is_some_and(|parent| manager.contains(&parent))
    };
    all - manager.iter().filter(own).count().min(all)
}

/// The memory of all processes of a manager, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Memory {
    /// Resident. What two processes share counts twice.
    pub(super) rss: u64,
    /// Resident, with what is shared divided among those that share it.
    pub(super) pss: u64,
    /// Resident and nobody else's.
    pub(super) private: u64,
}

impl Memory {
    /// From smaps_rollup (proc(5), Linux 4.14); an error if one of them cannot be asked.
    pub(super) fn of(pids: &[u32]) -> Result<Memory> {
        if pids.is_empty() {
            return Err("reading memory: there is no manager".to_owned());
        }
        let mut sum = Memory::default();
        for pid in pids {
            let path = format!("/proc/{pid}/smaps_rollup");
            let text = fs::read_to_string(&path).map_err(|e| format!("reading {path}: {e}"))?;
            let one = Memory::parse(&text);
            sum.rss += one.rss;
            sum.pss += one.pss;
            sum.private += one.private;
        }
        Ok(sum)
    }

    fn parse(text: &str) -> Memory {
        let number = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok())
                .unwrap_or(0)
        };
        Memory {
            rss: number("Rss:"),
            pss: number("Pss:"),
            private: number("Private_Clean:") + number("Private_Dirty:"),
        }
    }

    pub(super) fn json(self) -> Value {
        json!({"rss_kib": self.rss, "pss_kib": self.pss, "private_kib": self.private})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_of_every_kind() {
        let memory = Memory::of(&[std::process::id()]).unwrap();
        assert!(memory.private > 0 && memory.private <= memory.pss && memory.pss <= memory.rss);
        assert!(Memory::of(&[]).is_err());
    }

    #[test]
    fn sums_are_read_by_their_keys() {
        let text =
            "Rss: 100 kB\nPss: 60 kB\nPss_Dirty: 9 kB\nPrivate_Clean: 8 kB\nPrivate_Dirty: 30 kB\n";
        let read = Memory::parse(text);
        assert_eq!((read.rss, read.pss, read.private), (100, 60, 38));
    }
}
