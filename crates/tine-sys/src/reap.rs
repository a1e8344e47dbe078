//! How did a process end?

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::process::{Pid, WaitId, WaitIdOptions, WaitIdStatus, waitid};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It returned this code (0 to 255).
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The signal's number.
        signal: i32,
        /// Whether the kernel wrote a core dump (or handed one to a helper).
        core_dumped: bool,
    },
    /// It has ended, and nobody can say how: another part of the program has reaped it, or SIGCHLD
    /// is ignored.
    Unknown,
}

impl ExitStatus {
    /// Whether it returned 0.
    #[must_use]
    pub fn success(&self) -> bool {
        *self == Self::Code(0)
    }

    fn from_wait(status: &WaitIdStatus) -> Option<Self> {
        if let Some(code) = status.exit_status() {
            return Some(Self::Code(code));
        }
        let signal = status.terminating_signal()?;
        Some(Self::Signal {
            signal,
            core_dumped: status.dumped(),
        })
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown exit status"),
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal {
                signal,
                core_dumped,
            } => {
                match signal_name(*signal) {
                    Some(name) => write!(f, "signal {name}")?,
                    None => write!(f, "signal {signal}")?,
                }
                if *core_dumped {
                    f.write_str(" (core dumped)")
                } else {
                    Ok(())
                }
            }
        }
    }
}

/// Reaps the child behind a pidfd if it has ended; `None` if it still runs. Never blocks.
///
/// # Errors
/// `ECHILD` if it is not a child of this process, or is already reaped. Needs Linux 5.4.
pub fn wait_pidfd(pidfd: BorrowedFd<'_>) -> io::Result<Option<ExitStatus>> {
    #[cfg(target_os = "linux")]
    return wait(WaitId::PidFd(pidfd));
    #[cfg(not(target_os = "linux"))]
    {
        let _ = pidfd;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Reaps the child `pid` if it has ended; `None` if it still runs. Never blocks.
///
/// # Errors
/// `ECHILD` if it is not a child of this process, or is already reaped.
pub fn wait_pid(pid: Pid) -> io::Result<Option<ExitStatus>> {
    wait(WaitId::Pid(pid))
}

fn wait(id: WaitId<'_>) -> io::Result<Option<ExitStatus>> {
    let ended = waitid(id, WaitIdOptions::EXITED | WaitIdOptions::NOHANG)?;
    Ok(ended.as_ref().and_then(ExitStatus::from_wait))
}

/// Some child that has ended, left as it is: reap it with [`wait_pid`], or the same one is named
/// again. `None` when none has ended or there are no children. Never blocks.
///
/// # Errors
/// None that is known; whatever `waitid(2)` may come to say.
pub fn peek_any() -> io::Result<Option<Pid>> {
    // SAFETY: all zeros is a valid `siginfo_t`: it is an integer structure.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // libc's call, because rustix does not tell which process it was.
    // SAFETY: writes into `info`, which is of the right type.
    let result = unsafe {
        libc::waitid(
            libc::P_ALL,
            0,
            &mut info,
            libc::WEXITED | libc::WNOHANG | libc::WNOWAIT,
        )
    };
    if result == -1 {
        let error = io::Error::last_os_error();
        let childless = error.raw_os_error() == Some(libc::ECHILD);
        return if childless { Ok(None) } else { Err(error) };
    }
    // SAFETY: `waitid` filled this member in, or left the zero from above.
    Ok(Pid::from_raw(unsafe { info.si_pid() }))
}

macro_rules! signals {
    ($($name:ident)*) => { &[$((libc::$name, stringify!($name))),*] };
}

/// Ordered as on x86 and ARM.
const SIGNALS: &[(i32, &str)] = signals! {
    SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2
    SIGPIPE SIGALRM SIGTERM SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ
    SIGVTALRM SIGPROF SIGWINCH SIGIO SIGSYS
};
#[cfg(target_os = "linux")]
const MORE_SIGNALS: &[(i32, &str)] = signals! { SIGSTKFLT SIGPWR };
#[cfg(not(target_os = "linux"))]
const MORE_SIGNALS: &[(i32, &str)] = &[];
const ALIASES: &[(i32, &str)] = &[
    (libc::SIGABRT, "SIGIOT"),
    (libc::SIGIO, "SIGPOLL"),
    (libc::SIGCHLD, "SIGCLD"),
];

/// Whether this process ignores a signal, as `nohup` has its child ignore SIGHUP. Asked before a
/// handler is installed. `false` where it cannot be known.
#[must_use]
pub fn is_ignored(signal: i32) -> bool {
    // SAFETY: an all-zero structure is a valid one to be written to.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only asks; writes into `action`.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// "SIGKILL" for 9. `None` for what has no name of its own: real-time signals, 0, and what is not
/// a signal.
#[must_use]
pub fn signal_name(signal: i32) -> Option<&'static str> {
    let known = SIGNALS.iter().chain(MORE_SIGNALS);
    known
        .copied()
        .find(|(number, _)| *number == signal)
        .map(|(_, name)| name)
}

/// The number for "SIGINT", "INT" or "2", in either case. `None` if it is none of the system's;
/// 0 is not a signal.
#[must_use]
pub fn signal_from_name(text: &str) -> Option<i32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().filter(|number| (1..=64).contains(number));
    }
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let mut known = SIGNALS.iter().chain(MORE_SIGNALS).chain(ALIASES);
    known
        .find(|(_, name)| name.strip_prefix("SIG") == Some(bare))
        .map(|(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_of_signals_agree() {
        assert_eq!(signal_name(9), Some("SIGKILL"));
        assert_eq!(signal_name(0), None);
        assert_eq!(signal_name(34), None);
        for text in ["SIGINT", "INT", "2", "sigint", "int"] {
            assert_eq!(signal_from_name(text), Some(2), "{text}");
        }
        for text in [
            "",
            "0",
            "65",
            "-2",
            "SIG",
            "SIGSIGINT",
            "NOPE",
            "99999999999999",
        ] {
            assert_eq!(signal_from_name(text), None, "{text}");
        }
        for (number, name) in SIGNALS.iter().chain(MORE_SIGNALS) {
            assert_eq!(signal_from_name(name), Some(*number));
            assert_eq!(signal_name(*number), Some(*name));
        }
        assert_eq!(signal_from_name("SIGPOLL"), Some(libc::SIGIO));
    }

    #[test]
    fn statuses_read_as_words() {
        let words = |status: ExitStatus| status.to_string();
        assert_eq!(words(ExitStatus::Code(1)), "exit code 1");
        assert_eq!(
            words(ExitStatus::Signal {
                signal: 9,
                core_dumped: false
            }),
            "signal SIGKILL"
        );
        assert_eq!(
            words(ExitStatus::Signal {
                signal: 11,
                core_dumped: true
            }),
            "signal SIGSEGV (core dumped)"
        );
        assert_eq!(
            words(ExitStatus::Signal {
                signal: 40,
                core_dumped: false
            }),
            "signal 40"
        );
    }
}
