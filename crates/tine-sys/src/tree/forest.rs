//! All processes at one moment, for who asks about many trees at once.

use std::collections::HashMap;
use std::fs;
use std::io;

use rustix::process::Pid;

use crate::usage::glance;

/// Who is whose child, and how much memory each has, as one pass over `/proc` has found it: 9 µs
/// for each process of the host (measured as for [`glance`]). What is born or ends meanwhile may be
/// missing.
#[derive(Debug, Default)]
pub struct Forest {
    children: HashMap<i32, Vec<i32>>,
    resident: HashMap<i32, u64>,
}

impl Forest {
    /// Looks.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn look() -> io::Result<Self> {
        let mut forest = Self::default();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.parse().ok());
            let Some(pid) = number.and_then(Pid::from_raw) else {
                continue;
            };
            if let Ok(seen) = glance(pid) {
                let pid = pid.as_raw_pid();
                forest.children.entry(seen.parent).or_default().push(pid);
                forest.resident.insert(pid, seen.resident_bytes);
            }
        }
        Ok(forest)
    }

    /// Everything that descends from `leader`, itself not included, in no order.
    #[must_use]
    pub fn descendants(&self, leader: Pid) -> Vec<Pid> {
        let below = |pid: i32| self.children.get(&pid).into_iter().flatten().copied();
        let mut found = Vec::new();
        let mut open: Vec<i32> = below(leader.as_raw_pid()).collect();
        while let Some(pid) = open.pop() {
            // From one pass there is no ring, unless a number was used again during it.
            if found.len() > self.resident.len() {
                break;
            }
            found.extend(Pid::from_raw(pid));
            open.extend(below(pid));
        }
        found
    }

    /// Bytes of memory that are in RAM, of `leader` and everything that descends from it. Pages
    /// that they share are counted for each.
    #[must_use]
    pub fn resident_bytes(&self, leader: Pid) -> u64 {
        let all = self.descendants(leader).into_iter().chain([leader]);
        all.filter_map(|pid| self.resident.get(&pid.as_raw_pid()))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_followed_and_their_memory_is_added_up() {
        let pid = |number| Pid::from_raw(number).unwrap();
        let forest = Forest {
            children: HashMap::from([(1, vec![10, 20]), (10, vec![11, 12]), (12, vec![13])]),
            resident: [1, 10, 11, 12, 13, 20].map(|pid| (pid, 100)).into(),
        };
        let mut found = forest.descendants(pid(10));
        found.sort_unstable_by_key(|pid| pid.as_raw_pid());
        assert_eq!(found, [11, 12, 13].map(pid));
        assert_eq!(forest.resident_bytes(pid(10)), 400);
        assert_eq!(forest.descendants(pid(99)), []);
        // Numbers that were used again.
        let ring = Forest {
            children: HashMap::from([(1, vec![2]), (2, vec![1])]),
            resident: HashMap::from([(1, 1), (2, 1)]),
        };
        assert!(ring.descendants(pid(1)).len() < 10);
    }

    #[test]
    fn this_process_has_its_place() {
        let own = rustix::process::getpid();
        let forest = Forest::look().unwrap();
        assert!(forest.resident_bytes(own) > 100 << 10);
        let parent = rustix::process::getppid().unwrap();
        assert!(forest.descendants(parent).contains(&own));
    }
}
