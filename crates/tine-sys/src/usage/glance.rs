//! One look at a process, for who asks about very many (proc_pid_stat(5), proc_pid_statm(5)).

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;

use super::Glance;

/// What `pid` uses now, and since when it runs, with three system calls: 9 µs (Linux 6.18, a virtual
/// machine). A process that has ended but is not reaped uses no memory.
///
/// # Errors
/// `ENOENT` or `ESRCH` if there is no such process.
pub fn glance(pid: Pid) -> io::Result<Glance> {
    /// Twice the longest line there can be: a name of 64 bytes, and 50 numbers of 20 digits.
    const LINE: usize = 2304;
    let file = rustix::fs::open(
        path(&mut [0; 32], pid, "stat"),
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let mut line = [0; LINE];
    let length = rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut line))?;
    parse(&line[..length]).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// `/proc/PID/FILE`, without an allocation.
fn path<'a>(room: &'a mut [u8; 32], pid: Pid, file: &str) -> &'a [u8] {
    use std::io::Write;
    let mut rest = &mut room[..];
    // It fits: a number has at most 10 digits.
    let _ = write!(rest, "/proc/{}/{file}", pid.as_raw_pid());
    let left = rest.len();
    let length = room.len() - left;
    &room[..length]
}

/// The digits at the beginning.
fn number(field: &[u8]) -> u64 {
    let digits = field.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| {
        number
            .wrapping_mul(10_u64)
            .wrapping_add(u64::from(digit - b'0'))
    })
}

fn parse(line: &[u8]) -> Option<Glance> {
    // The name is in parentheses and may itself hold spaces and parentheses.
    let end = line.iter().rposition(|byte| *byte == b')')?;
    let fields = line.get(end + 2..)?.split(|byte| *byte == b' ');
    let mut fields = fields.map(number);
    // Counted from 1 in the manual page; the state, which is the first here, is the third.
    let mut at = 3;
    let mut field = |number: usize| {
        let found = fields.nth(number - at)?;
        at = number + 1;
        Some(found)
    };
    let parent = field(4)?;
    let ticks = field(14)?.saturating_add(field(15)?);
    let started = field(22)?;
    let pages = field(24)?;
    let second = rustix::param::clock_ticks_per_second().max(1);
    Some(Glance {
        parent: i32::try_from(parent).unwrap_or(0),
        cpu: Duration::from_millis(ticks.saturating_mul(1000) / second),
        resident_bytes: pages.saturating_mul(rustix::param::page_size() as u64),
        started: Duration::from_millis(started.saturating_mul(1000) / second),
    })
}

/// One process, to be asked again and again: each reading is two system calls and 2.3 µs (measured
/// as for [`glance`]), where opening a file of `/proc` alone costs 3.5 µs.
///
/// Holds a descriptor, and some 5 KiB of the kernel's memory.
#[derive(Debug)]
pub struct Meter {
    pid: Pid,
    memory: OwnedFd,
}

/// What a process uses, its threads included, its children not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Processor time since it began, in user and kernel mode, exact to the nanosecond.
    pub cpu: Duration,
    /// Memory that is in RAM, shared pages included.
    pub resident_bytes: u64,
}

impl Meter {
    /// For the process that has this number now.
    ///
    /// # Errors
    /// As [`glance`]; `EMFILE` when no descriptor is left.
    pub fn open(pid: Pid) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let mut room = [0; 32];
        let path = path(&mut room, pid, "statm");
        let memory = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self { pid, memory })
    }

    /// What it uses now. Never speaks of another process that has got its number.
    ///
    /// # Errors
    /// `ESRCH` when it has been reaped.
    pub fn read(&self) -> io::Result<Reading> {
        // The clock goes by the number alone. The file does not: if that can still be read, the
        // process still had its number when the clock was.
        let cpu = super::platform::cpu(self.pid);
        let mut line = [0; 256];
        let length = rustix::io::retry_on_intr(|| rustix::io::pread(&self.memory, &mut line, 0))?;
        let pages = line[..length].split(|byte| *byte == b' ').nth(1);
        let pages = pages.map(number).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Reading {
            cpu: cpu?,
            resident_bytes: pages.saturating_mul(rustix::param::page_size() as u64),
        })
    }
}

/// The clock that [`Glance::started`] is told by: time since the host was started, with the time it
/// slept.
#[must_use]
pub fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// Whether the error says that there is no such process.
#[must_use]
pub fn is_gone(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOENT | Errno::SRCH)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whatever_the_name_in_it() {
        let line = "7 (a) S 1 (b) R 3 7 7 0 -1 4194560 115 0 0 0 250 50 9 9 20 0 4 0 1000 8192 25 \
                    18446744073709551615 1 1 0 0\n";
        let found = parse(line.as_bytes()).unwrap();
        let second = rustix::param::clock_ticks_per_second();
        assert_eq!(found.parent, 3);
        assert_eq!(found.cpu.as_millis() as u64, 300 * 1000 / second);
        assert_eq!(found.started.as_millis() as u64, 1000 * 1000 / second);
        assert_eq!(found.resident_bytes, 25 * rustix::param::page_size() as u64);
        for cut in ["", "7 (a", "7 (a)", "7 (a) S 3 7"] {
            assert!(parse(cut.as_bytes()).is_none(), "{cut}");
        }
    }

    /// A process that does nothing, once it executes its program.
    #[allow(clippy::disallowed_methods, reason = "a process to look at")]
    fn sleeper() -> (std::process::Child, Pid) {
        use std::io::BufRead;
        let mut sleeper = std::process::Command::new("sh")
            .args(["-c", "echo; read _"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = io::BufReader::new(sleeper.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let pid = Pid::from_raw(sleeper.id().cast_signed()).unwrap();
        (sleeper, pid)
    }

    #[test]
    fn both_looks_say_what_the_longer_look_says_until_the_process_is_reaped() {
        let (mut sleeper, pid) = sleeper();
        let meter = Meter::open(pid).unwrap();
        let long = super::super::of(pid).unwrap();
        let short = glance(pid).unwrap();
        let reading = meter.read().unwrap();
        assert!(long.resident_bytes > 0);
        // The kernel counts some pages for each processor apart and adds them up when it likes.
        let near = |bytes: u64| bytes.abs_diff(long.resident_bytes) < 1 << 20;
        assert!(near(short.resident_bytes) && near(reading.resident_bytes));
        assert!(reading.cpu >= long.cpu);
        assert!(short.cpu <= reading.cpu + Duration::from_millis(50));
        assert!(short.started <= since_boot());
        assert_eq!(short.parent, std::process::id().cast_signed());
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        assert!(is_gone(&meter.read().unwrap_err()));
        assert!(is_gone(&glance(pid).unwrap_err()));
    }

    #[test]
    fn who_is_gone_is_said_to_be() {
        let error = glance(Pid::from_raw(i32::MAX).unwrap()).unwrap_err();
        assert!(is_gone(&error), "{error}");
    }
}
