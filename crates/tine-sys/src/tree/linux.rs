//! Ancestry and sessions, from /proc/*/stat (proc_pid_stat(5)).

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;

use rustix::process::{Pid, getpid, set_child_subreaper};

/// From now on, processes whose parent ends become children of this process instead of init's
/// (`PR_SET_CHILD_SUBREAPER`, Linux 3.4). Not inherited by children.
///
/// # Errors
/// None that is known.
pub fn become_subreaper() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Every live process that descends from `leader` or is in the session or process group it leads,
/// itself included, in no order. From one pass over /proc: what is born during it may be missing, so who
/// wants none left asks again until the answer is empty.
///
/// A process that left the session or group *and* lost its parents is not found.
#[must_use]
pub fn members(leader: Pid) -> Vec<Pid> {
    belonging_to(leader.as_raw_pid(), &scan())
}

/// Live direct children of this process, orphans it has adopted included.
#[must_use]
pub fn children_of_self() -> Vec<Pid> {
    let own = getpid().as_raw_pid();
    let children = scan()
        .into_iter()
        .filter(|process| process.parent == own && process.live);
    children
        .filter_map(|process| Pid::from_raw(process.pid))
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    pid: i32,
    parent: i32,
    group: i32,
    session: i32,
    live: bool,
}

fn scan() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .as_encoded_bytes()
                .iter()
                .all(u8::is_ascii_digit)
        })
        // Lossy, because a process may name itself with any bytes.
        .filter_map(|entry| fs::read(entry.path().join("stat")).ok())
        .filter_map(|bytes| parse_stat(&String::from_utf8_lossy(&bytes)))
        .collect()
}

fn parse_stat(text: &str) -> Option<Process> {
    // The name is in parentheses and may itself hold spaces, parentheses and line ends.
    let (pid, rest) = text.split_once(" (")?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<i32>().ok();
    let threads = number(17)?;
    let live = match *fields.first()? {
        // The main thread has ended but others run on: alive in every sense that matters.
        "Z" => threads > 1,
        "X" | "x" => false,
        _ => true,
    };
    Some(Process {
        pid: pid.parse().ok()?,
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        live,
    })
}

fn belonging_to(leader: i32, processes: &[Process]) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<&Process>> = HashMap::new();
    for process in processes {
        children.entry(process.parent).or_default().push(process);
    }
    // Zombies are followed, for what is below them, but not named.
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut open: Vec<&Process> = processes
        .iter()
        .filter(|process| [process.pid, process.group, process.session].contains(&leader))
        .collect();
    while let Some(process) = open.pop() {
        if seen.insert(process.pid) {
            if process.live {
                found.extend(Pid::from_raw(process.pid));
            }
            open.extend(children.get(&process.pid).into_iter().flatten());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(pid: i32, name: &str, state: &str, parent: i32, session: i32, threads: i32) -> String {
        format!(
            "{pid} ({name}) {state} {parent} {pid} {session} 0 -1 4194560 115 0 0 0 0 0 0 0 20 0 \
             {threads} 0 4886 8192 1 18446744073709551615 1 1 0 0\n"
        )
    }

    #[test]
    fn a_name_with_parentheses_and_line_ends_does_not_confuse() {
        let text = stat(7, "a) R 1 (b\n) S", "S", 3, 5, 1);
        let expected = Process {
            pid: 7,
            parent: 3,
            group: 7,
            session: 5,
            live: true,
        };
        assert_eq!(parse_stat(&text), Some(expected));
        assert_eq!(parse_stat("7 (cut off"), None);
    }

    #[test]
    fn a_zombie_is_dead_unless_other_threads_run_on() {
        let live = |state, threads| {
            parse_stat(&stat(7, "x", state, 1, 1, threads))
                .unwrap()
                .live
        };
        assert!(!live("Z", 1));
        assert!(live("Z", 2));
        assert!(!live("X", 1));
        assert!(live("T", 1));
    }

    #[test]
    fn members_are_descendants_and_mates_of_session_or_group_even_below_zombies() {
        let p = |pid, parent, session, live| Process {
            pid,
            parent,
            group: session,
            session,
            live,
        };
        let group_mate = Process {
            group: 10,
            ..p(15, 1, 1, true)
        };
        let world = [
            group_mate,
            p(1, 0, 1, true),
            p(10, 1, 10, true),   // the leader
            p(11, 10, 10, false), // a zombie child
            p(12, 11, 12, true),  // below it, in a session of its own
            p(13, 1, 10, true),   // an orphan that stayed in the session
            p(14, 13, 14, true),  // and its child, which did not
            p(20, 1, 20, true),   // a stranger
        ];
        let mut found: Vec<i32> = belonging_to(10, &world)
            .into_iter()
            .map(Pid::as_raw_pid)
            .collect();
        found.sort_unstable();
        assert_eq!(found, [10, 12, 13, 14, 15]);
    }
}
