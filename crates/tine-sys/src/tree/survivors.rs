//! Who is left, in words for people?

use rustix::process::Pid;

/// A process that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// Its number.
    pub pid: Pid,
    /// Its command line, words separated by spaces; its short name if it hides that.
    pub command: String,
}

/// [`members`](super::members) of what `leader` leads or led, with their commands, by number. From
/// one pass over `/proc`.
#[must_use]
pub fn survivors(leader: Pid) -> Vec<Survivor> {
    let mut pids = super::members(leader);
    pids.sort_unstable_by_key(|pid| pid.as_raw_pid());
    let with_command = |pid: Pid| Survivor {
        pid,
        command: crate::port_owner::command(format!("/proc/{}", pid.as_raw_pid()).as_ref()),
    };
    pids.into_iter().map(with_command).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufRead;
    use std::process::Stdio;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a shell with a child")]
    fn who_outlives_the_leader_is_named_with_its_command() {
        use std::os::unix::process::CommandExt;
        let mut shell = std::process::Command::new("sh")
            .args(["-c", "sleep 61 & echo $!"])
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let leader = Pid::from_raw(shell.id().cast_signed()).unwrap();
        let mut said = std::io::BufReader::new(shell.stdout.take().unwrap()).lines();
        let sleeper: i32 = said.next().unwrap().unwrap().parse().unwrap();
        let sleeper = Pid::from_raw(sleeper).unwrap();
        shell.wait().unwrap();
        // Until it executes its program it is the shell by name.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let found = loop {
            let found = survivors(leader);
            if found.iter().any(|it| it.command == "sleep 61") {
                break found;
            }
            assert!(std::time::Instant::now() < deadline, "{found:?}");
        };
        super::super::signal(sleeper, 9).unwrap();
        let pids: Vec<Pid> = found.iter().map(|it| it.pid).collect();
        assert_eq!(pids, [sleeper]);
    }
}
