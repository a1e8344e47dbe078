//! By trying (seccomp(2), pidfd_open(2), adjtimex(2)).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use crate::errno::while_doing;

/// Whether a process may be put under a filter that asks another one about system calls
/// (`SECCOMP_FILTER_FLAG_NEW_LISTENER`, Linux 5.0). Tried on a thread that ends at once, with a
/// filter that permits everything; nothing of this process is changed.
///
/// # Errors
/// What the kernel answered: `EINVAL` or `ENOSYS` where it is built without (CONFIG_SECCOMP_FILTER),
/// `EPERM` or `EACCES` in a sandbox that does not permit it, `EBUSY` when whoever started this
/// process listens to it in this way already.
pub fn seccomp_notify() -> io::Result<()> {
    let tried = std::thread::Builder::new().spawn(filter_this_thread)?;
    tried
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the thread that tried it has panicked")))
}

/// The filter and the promise hold for the calling thread and what it starts, for good.
fn filter_this_thread() -> io::Result<()> {
    // A thread that can gain no privileges may filter itself.
    // SAFETY: this option takes numbers, and speaks of this thread only.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } == -1 {
        return Err(while_doing(
            "promising to gain no privileges",
            io::Error::last_os_error(),
        ));
    }
    let mut permit = libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: libc::SECCOMP_RET_ALLOW,
    };
    let program = libc::sock_fprog {
        len: 1,
        filter: &raw mut permit,
    };
    // SAFETY: the kernel reads a program of one instruction, which outlives the call; without
    // TSYNC it filters this thread only.
    let listener = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    if listener == -1 {
        return Err(io::Error::last_os_error());
    }
    let listener = i32::try_from(listener).map_err(io::Error::other)?;
    // SAFETY: the kernel has just opened it for us.
    drop(unsafe { OwnedFd::from_raw_fd(listener) });
    Ok(())
}

/// Whether processes can be held and signalled by descriptors (Linux 5.3).
///
/// # Errors
/// What the kernel answered, and at which step.
pub fn pidfd() -> io::Result<()> {
    let own = rustix::process::getpid();
    let pidfd = rustix::process::pidfd_open(own, rustix::process::PidfdFlags::empty())
        .map_err(|errno| while_doing("opening a pidfd", errno.into()))?;
    crate::tree::signal_pidfd(pidfd.as_fd(), 0)
        .map_err(|error| while_doing("signalling through a pidfd", error))
}

/// Whether something (NTP, the host of a virtual machine) tells the kernel what time it is. A clock
/// may be right without.
///
/// # Errors
/// `EPERM` in a sandbox that does not permit to ask.
pub fn clock_synchronised() -> io::Result<bool> {
    const TIME_ERROR: i32 = 5;
    let mut state = MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: `modes` is 0, so nothing is set; writes into the structure.
    let answer = unsafe { libc::adjtimex(state.as_mut_ptr()) };
    match answer {
        -1 => Err(io::Error::last_os_error()),
        answer => Ok(answer != TIME_ERROR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the answer is, it is not left behind here.
    #[test]
    fn trying_a_filter_changes_nothing_of_this_process() {
        let field = |name: &str| {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with(name));
            line.unwrap().to_owned()
        };
        let before = [field("Seccomp:"), field("NoNewPrivs:")];
        let first = seccomp_notify().map_err(|error| error.kind());
        let second = seccomp_notify().map_err(|error| error.kind());
        assert_eq!(first, second);
        assert_eq!([field("Seccomp:"), field("NoNewPrivs:")], before);
    }

    #[test]
    fn pidfds_are_there_since_nothing_is_spawned_without() {
        pidfd().unwrap();
    }
}
