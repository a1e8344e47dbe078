use std::fmt::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::lines::{Line, Lines, NoLine, Stream};
use crate::{process, wait};

/// Marks whatever a program starts, so that it is found again when its parents are gone.
const MARK: &str = "TINE_TEST_RUN";

/// A running program: its output is captured, and dropping it kills everything it started.
///
/// It leads a process group of its own, as a shell's job does. When a panic drops it, what it had
/// printed is printed.
#[derive(Debug)]
pub struct Program {
    name: String,
    pid: u32,
    child: Mutex<Child>,
    lines: Lines,
    mark: String,
    started: Instant,
}

impl Program {
    /// Starts `command`, with nothing on its standard input.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(name: &str, command: Command) -> Program {
        Program::start_with_stdin(name, command, Stdio::null())
    }

    /// As [`Program::start`], with this on its standard input: the way to pass on a descriptor.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_with_stdin(name: &str, command: Command, stdin: Stdio) -> Program {
        Program::start_with(name, command, stdin, None)
    }

    /// As [`Program::start_with_stdin`]; a `stdout` of one's own is not captured.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_with(
        name: &str,
        mut command: Command,
        stdin: Stdio,
        stdout: Option<Stdio>,
    ) -> Program {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let value = format!("{}-{number}", std::process::id());
        command
            .env(MARK, &value)
            .stdin(stdin)
            .stdout(stdout.unwrap_or_else(Stdio::piped))
            .stderr(Stdio::piped())
            .process_group(0);
        let started = Instant::now();
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("starting {name} ({command:?}): {error}"));
        let lines = Lines::default();
        if let Some(stdout) = child.stdout.take() {
            lines.read(Stream::Stdout, stdout);
        }
        if let Some(stderr) = child.stderr.take() {
            lines.read(Stream::Stderr, stderr);
        }
        Program {
            name: name.to_owned(),
            pid: child.id(),
            child: Mutex::new(child),
            lines,
            mark: format!("{MARK}={value}"),
            started,
        }
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Everything it has started that is still alive, orphans too, without itself.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        process::marked(&self.mark)
            .into_iter()
            .filter(|pid| *pid != self.pid)
            .collect()
    }

    /// What it has printed so far.
    #[must_use]
    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    /// What it has printed so far on one of the two, as texts.
    #[must_use]
    pub fn texts(&self, stream: Stream) -> Vec<String> {
        let lines = self.lines.all().into_iter();
        lines
            .filter(|line| line.stream == stream)
            .map(|line| line.text)
            .collect()
    }

    /// Waits for a line, on either stream, since the start.
    ///
    /// # Panics
    /// When `deadline` passes, or no line can come any more.
    #[track_caller]
    pub fn wait_for_line(
        &self,
        predicate: impl FnMut(&Line) -> bool,
        what: &str,
        deadline: Duration,
    ) -> Line {
        self.wait_for_line_from(0, predicate, what, deadline)
    }

    /// As [`Program::wait_for_line`], from line number `from` on (a former [`Lines::count`]).
    ///
    /// # Panics
    /// When `deadline` passes, or no line can come any more.
    #[track_caller]
    pub fn wait_for_line_from(
        &self,
        from: usize,
        predicate: impl FnMut(&Line) -> bool,
        what: &str,
        deadline: Duration,
    ) -> Line {
        match self.lines.wait_for(from, deadline, predicate) {
            Ok(line) => line,
            Err(NoLine::Deadline) => {
                panic!("waited {deadline:?} for a line of {}: {what}", self.name)
            }
            Err(NoLine::Ended) => {
                panic!(
                    "{} ended without a line: {what} ({:?})",
                    self.name,
                    self.try_exit()
                )
            }
        }
    }

    /// Waits until everybody who could print something has closed its output.
    ///
    /// # Panics
    /// When `deadline` passes first.
    #[track_caller]
    pub fn wait_output_end(&self, deadline: Duration) {
        let ended = self.lines.wait_end(deadline);
        assert!(
            ended,
            "waited {deadline:?} for the end of {}'s output",
            self.name
        );
    }

    /// Sends it a signal; only to itself, as `kill` does.
    ///
    /// # Panics
    /// When it has exited already.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let mut child = self.child();
        // Under the lock: nobody reaps it in between, so its pid is still its own.
        match child.try_wait() {
            Ok(None) => process::signal(self.pid, signal)
                .unwrap_or_else(|error| panic!("signalling {} {signal:?}: {error}", self.name)),
            state => panic!(
                "signalling {} {signal:?}: it is not running: {state:?}",
                self.name
            ),
        }
    }

    /// Sends a signal to it and to all in its process group, as a terminal does for Ctrl-C.
    ///
    /// # Panics
    /// When nobody is left in the group.
    #[track_caller]
    pub fn signal_group(&self, signal: Signal) {
        let group = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let sent = group.map(|group| kill_process_group(group, signal));
        assert!(
            matches!(sent, Some(Ok(()))),
            "signalling the group of {}: {sent:?}",
            self.name
        );
    }

    /// How it exited, if it has.
    #[must_use]
    pub fn try_exit(&self) -> Option<ExitStatus> {
        self.child().try_wait().ok().flatten()
    }

    /// Waits for its exit.
    ///
    /// # Panics
    /// When `deadline` passes first.
    #[track_caller]
    pub fn wait_exit(&self, deadline: Duration) -> ExitStatus {
        wait::until(&format!("the exit of {}", self.name), deadline, || {
            self.try_exit()
        })
    }

    /// What it printed, each line with its time since the start and its stream.
    #[must_use]
    pub fn transcript(&self) -> String {
        let mut text = format!("output of {} (pid {}):\n", self.name, self.pid);
        for line in self.lines.all() {
            let at = line.at.saturating_duration_since(self.started);
            let stream = match line.stream {
                Stream::Stdout => "out",
                Stream::Stderr => "err",
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{:9.3} {stream} {}", at.as_secs_f64(), line.text);
        }
        text
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.transcript());
        }
        // The parent first, lest it start new ones for those that are killed.
        let mut child = self.child();
        if matches!(child.try_wait(), Ok(None)) {
            process::kill_tree(self.pid);
        }
        let _ = child.wait();
        drop(child);
        process::kill_marked(&self.mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    const SECONDS: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> Program {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Program::start("a shell", command)
    }

    #[test]
    fn lines_of_both_streams_and_the_exit_are_seen() {
        let program = shell("echo one; echo two >&2; exit 7");
        let line = program.wait_for_line(|line| line.text == "two", "two", SECONDS);
        assert_eq!(line.stream, Stream::Stderr);
        assert_eq!(program.wait_exit(SECONDS).code(), Some(7));
        program.wait_output_end(SECONDS);
        assert_eq!(program.texts(Stream::Stdout), ["one"]);
    }

    #[test]
    #[should_panic(expected = "ended without a line: three")]
    fn a_line_that_cannot_come_is_not_waited_for() {
        shell("echo one").wait_for_line(|line| line.text == "three", "three", SECONDS * 6);
    }

    #[test]
    fn a_signal_goes_to_one_and_a_group_signal_to_all() {
        // The one in the background says it: by then it ignores SIGINT, as sh arranges for it.
        let program = shell("(echo ready; exec sleep 60) & wait; echo woken; sleep 60");
        program.wait_for_line(|line| line.text == "ready", "ready", SECONDS);
        program.signal_group(Signal::INT);
        // Only the shell itself dies of it.
        assert_eq!(program.wait_exit(SECONDS).signal(), Some(2));
        assert_eq!(program.processes().len(), 1);
    }

    #[test]
    fn nobody_is_left_behind() {
        let program = shell("(setsid sleep 60 &) ; echo ready; sleep 60");
        program.wait_for_line(|line| line.text == "ready", "ready", SECONDS);
        let started = wait::until("two sleeps", SECONDS, || {
            Some(program.processes()).filter(|found| found.len() == 2)
        });
        let top = program.pid();
        drop(program);
        assert!(
            started.iter().all(|pid| !process::is_alive(*pid)),
            "{started:?}"
        );
        assert!(process::stat(top).is_none_or(|stat| !stat.is_alive()));
    }
}
