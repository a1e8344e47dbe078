//! Who descends from whom, without looking at every process there is.

use std::fs;
use std::io;

use rustix::process::Pid;

/// Live or dead direct children of `parent`, by any of its threads
/// (`/proc/PID/task/TID/children`, Linux 3.5 with `CONFIG_PROC_CHILDREN`).
///
/// # Errors
/// `ENOENT` or `ESRCH` when there is no such process, or the kernel has no such files.
pub fn children(parent: Pid) -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    let tasks = format!("/proc/{}/task", parent.as_raw_pid());
    for task in fs::read_dir(tasks)? {
        let text = match fs::read_to_string(task?.path().join("children")) {
            Ok(text) => text,
            // A thread that ended meanwhile has given its children to another one.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => continue,
            Err(error) => return Err(error),
        };
        let numbers = text.split_ascii_whitespace();
        found.extend(numbers.filter_map(|word| Pid::from_raw(word.parse().ok()?)));
    }
    Ok(found)
}

/// Everything that descends from `leader`, itself not included: children before their parents, so
/// that who signals them in this order reaches the deepest first. What is born meanwhile may be
/// missing. Where the kernel does not list children, all of `/proc` is looked at, and the order is
/// not known.
#[must_use]
pub fn descendants(leader: Pid) -> Vec<Pid> {
    let Ok(first) = children(leader) else {
        let mut all = super::members(leader);
        all.retain(|pid| *pid != leader);
        return all;
    };
    let mut found = Vec::new();
    let mut open = first;
    while let Some(pid) = open.pop() {
        // A ring cannot be, but the tree may change while it is read.
        if !found.contains(&pid) {
            found.push(pid);
            open.extend(children(pid).unwrap_or_default());
        }
    }
    found.reverse();
    found
}

/// The leader, perhaps long ended, of the session that a process is in. `None` when the process is
/// not there, or its session is that of another PID namespace.
#[must_use]
pub fn session_of(pid: Pid) -> Option<Pid> {
    // SAFETY: no memory is involved.
    let session = unsafe { libc::getsid(pid.as_raw_pid()) };
    if session > 0 {
        Pid::from_raw(session)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufRead;
    use std::process::Stdio;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a shell with children")]
    #[allow(clippy::disallowed_types, reason = "a shell with children")]
    fn the_deepest_come_first() {
        let mut shell = std::process::Command::new("sh")
            .args(["-c", "sh -c 'sleep 60 & echo $!; wait' & echo $!; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let leader = Pid::from_raw(i32::try_from(shell.id()).unwrap()).unwrap();
        let mut said = std::io::BufReader::new(shell.stdout.take().unwrap()).lines();
        let mut wanted: Vec<i32> = (0..2)
            .map(|_| said.next().unwrap().unwrap().parse().unwrap())
            .collect();
        let found: Vec<i32> = descendants(leader)
            .into_iter()
            .map(Pid::as_raw_pid)
            .collect();
        for pid in found.iter().chain([&leader.as_raw_pid()]) {
            let _ = super::super::signal(Pid::from_raw(*pid).unwrap(), 9);
        }
        shell.wait().unwrap();
        let deepest = *found.first().unwrap();
        wanted.sort_unstable();
        let mut sorted = found;
        sorted.sort_unstable();
        assert_eq!(sorted, wanted);
        assert_ne!(deepest, leader.as_raw_pid());
    }
}
