//! What /proc says about processes (proc(5)). A process that is gone answers with nothing, not an error.

use std::collections::HashMap;
use std::fs;

/// All live processes below `root`, zombies not counted, in ascending order of pid.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<(u32, bool)>> = HashMap::new();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    for pid in entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
    {
        if let Some(stat) = Stat::read(pid) {
            children
                .entry(stat.parent)
                .or_default()
                .push((pid, stat.state == 'Z'));
        }
    }
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        for (pid, zombie) in children.remove(&parent).unwrap_or_default() {
            open.push(pid);
            if !zombie {
                found.push(pid);
            }
        }
    }
    found.sort_unstable();
    found
}

/// Whether the process exists and is not a zombie.
pub(crate) fn alive(pid: u32) -> bool {
    Stat::read(pid).is_some_and(|s| s.state != 'Z')
}

/// The command line, arguments separated by blanks.
#[cfg(test)]
pub(crate) fn command(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .replace('\0', " ")
        .trim_end()
        .to_owned()
}

/// CPU time of all live threads in milliseconds: schedstat (nanoseconds), and where the kernel was built
/// without it, stat (clock ticks).
pub(crate) fn cpu_ms(pid: u32) -> Option<f64> {
    let mut nanoseconds = 0u64;
    for thread in threads(pid) {
        let text = fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat"));
        match text
            .ok()
            .and_then(|t| t.split_whitespace().next()?.parse::<u64>().ok())
        {
            Some(value) => nanoseconds += value,
            None => return Stat::read(pid).map(|s| ticks_to_ms(s.ticks)),
        }
    }
    if nanoseconds == 0 {
        return Stat::read(pid).map(|s| ticks_to_ms(s.ticks));
    }
    Some(nanoseconds as f64 / 1e6)
}

/// Resident memory in KiB (VmRSS).
pub(crate) fn rss_kib(pid: u32) -> Option<u64> {
    status_number(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// Voluntary context switches of all live threads: how often the process went to sleep, which is how often
/// it was awake.
pub(crate) fn voluntary_switches(pid: u32) -> u64 {
    let of = |thread| {
        let path = format!("/proc/{pid}/task/{thread}/status");
        status_number(&path, "voluntary_ctxt_switches:").unwrap_or(0)
    };
    threads(pid).into_iter().map(of).sum()
}

fn threads(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .collect()
}

fn status_number(path: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

fn ticks_to_ms(ticks: u64) -> f64 {
    ticks as f64 * 1000.0 / rustix::param::clock_ticks_per_second() as f64
}

struct Stat {
    state: char,
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Stat> {
        Stat::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name in parentheses may itself hold blanks and parentheses, so what counts is the last one.
    fn parse(text: &str) -> Option<Stat> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Stat {
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            ticks: fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_process_name_does_not_shift_the_fields() {
        let text = "7 (a) S 1 (b) Z 42 7 7 0 -1 0 1 2 3 4 500 60 0 0 20 0 1 0 9 0 0 0";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.state, stat.parent, stat.ticks), ('Z', 42, 560));
    }

    #[test]
    fn this_process_has_memory_switches_and_cpu() {
        let me = std::process::id();
        assert!(rss_kib(me).unwrap() > 100);
        let spent = std::time::Instant::now();
        let before = cpu_ms(me).unwrap();
        // Ticks are the coarsest clock: with 100 of them per second, 50 ms of work must be seen.
        while cpu_ms(me).unwrap() - before < 20.0 {
            assert!(
                spent.elapsed() < std::time::Duration::from_secs(20),
                "no CPU time counted"
            );
        }
        // Threads of other tests may end meanwhile and take their switches with them.
        let seen_to_sleep = || {
            let switches = voluntary_switches(me);
            std::thread::sleep(std::time::Duration::from_millis(1));
            voluntary_switches(me) > switches
        };
        while !seen_to_sleep() {
            let waited = spent.elapsed();
            assert!(
                waited < std::time::Duration::from_secs(20),
                "no sleep counted"
            );
        }
    }

    #[test]
    fn a_process_that_is_gone_answers_with_nothing() {
        let gone = u32::MAX;
        assert_eq!(
            (rss_kib(gone), cpu_ms(gone), voluntary_switches(gone)),
            (None, None, 0)
        );
        assert!(!alive(gone));
    }
}
