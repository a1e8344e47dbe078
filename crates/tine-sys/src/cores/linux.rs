//! The affinity mask, and the control groups.

use std::fs;
use std::path::Path;

use rustix::thread::sched_getaffinity;

use super::{Cores, cgroup};

/// How many processors this process may use now, by its affinity mask (`sched_getaffinity(2)`)
/// and by the limits of its control groups (`cpu.max` of v2, `cpu.cfs_quota_us` of v1), its own
/// and those above it, as far as /proc and /sys show them here. What cannot be read is no limit.
#[must_use]
pub fn usable() -> Cores {
    let read = |path: &Path| fs::read_to_string(path).ok();
    Cores::new(affinity(), cgroup::quota(read))
}

fn affinity() -> usize {
    // The mask of rustix holds 1024 processors; beyond, the kernel refuses (EINVAL).
    let counted = sched_getaffinity(None).map(|set| set.count() as usize).ok();
    let listed = || {
        let status = fs::read_to_string("/proc/thread-self/status").ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        Some(count_list(line.trim()))
    };
    counted.or_else(listed).unwrap_or(1)
}

/// Counts "0-3,8,10-11" (cpuset(7), "List format").
fn count_list(text: &str) -> usize {
    let part = |part: &str| match part.split_once('-') {
        None => part.parse::<usize>().map_or(0, |_| 1),
        Some((low, high)) => match (low.parse::<usize>(), high.parse::<usize>()) {
            (Ok(low), Ok(high)) if high >= low => high - low + 1,
            _ => 0,
        },
    };
    text.split(',').map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_counted() {
        assert_eq!(count_list("0-3,8,10-11"), 7);
        assert_eq!(count_list("0"), 1);
        assert_eq!(count_list(""), 0);
        assert_eq!(count_list("3-1,x"), 0);
    }

    #[test]
    fn this_machine_agrees_with_the_standard_library_on_affinity() {
        let cores = usable();
        // `available_parallelism` also looks at quotas, so it can only be lower.
        assert!(cores.affinity >= std::thread::available_parallelism().unwrap().get());
        assert!(cores.usable.get() <= cores.affinity);
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let list = status
            .lines()
            .find_map(|l| l.strip_prefix("Cpus_allowed_list:"))
            .unwrap();
        assert_eq!(cores.affinity, count_list(list.trim()));
    }
}
