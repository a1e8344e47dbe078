//! Sending a signal to one process, by any number (rustix knows only the named signals).

use std::io;
use std::os::fd::BorrowedFd;

use rustix::process::Pid;

/// Sends `signal` (0: only checks) to one process. Only safe from hitting a stranger while `pid`
/// is a child that is not reaped yet.
///
/// # Errors
/// `ESRCH` no such process, `EPERM` not permitted, `EINVAL` no such signal.
pub fn signal(pid: Pid, signal: i32) -> io::Result<()> {
    // SAFETY: no memory is involved; a `Pid` is positive, so it names no group.
    let result = unsafe { libc::kill(pid.as_raw_pid(), signal) };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Sends `signal` (0: only checks) to the very process behind a pidfd. Linux 5.1.
///
/// # Errors
/// As [`signal()`]; `ESRCH` also when it has been reaped.
#[cfg(target_os = "linux")]
pub fn signal_pidfd(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let (fd, no_info, flags) = (
        pidfd.as_raw_fd(),
        std::ptr::null::<libc::siginfo_t>(),
        0_u32,
    );
    // SAFETY: a live descriptor; without a siginfo no memory is read.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, no_info, flags) };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Not available on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
#[cfg(not(target_os = "linux"))]
pub fn signal_pidfd(_pidfd: BorrowedFd<'_>, _signal: i32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
