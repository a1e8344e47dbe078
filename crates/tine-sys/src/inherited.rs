//! Which descriptors did whoever started us leave open?

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd};

use crate::errno::while_doing;

#[cfg(target_os = "linux")]
const OPEN_DESCRIPTORS: &str = "/proc/self/fd";
#[cfg(not(target_os = "linux"))]
const OPEN_DESCRIPTORS: &str = "/dev/fd";

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes ownership of every descriptor from 3 upward that is open now, by its number, and marks
/// each close-on-exec.
///
/// **Call this first thing in `main`**, before another thread exists and before anything else has
/// opened a descriptor: whatever is open is taken to be inherited, and would otherwise have two
/// owners. That cannot be checked; a second call is refused.
///
/// # Errors
/// When the list of open descriptors cannot be read, one of them cannot be marked, or on a second
/// call ([`io::ErrorKind::AlreadyExists`]).
pub fn take_inherited() -> io::Result<BTreeMap<i32, OwnedFd>> {
    if TAKEN.swap(true, Ordering::Relaxed) {
        let text = "taking inherited descriptors: they are already taken";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    let what = format!("listing open descriptors in {OPEN_DESCRIPTORS}");
    let named = |error| while_doing(&what, error);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(OPEN_DESCRIPTORS).map_err(named)? {
        let name = entry.map_err(named)?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    let mut taken = BTreeMap::new();
    for number in numbers.into_iter().filter(|number| *number >= 3) {
        // SAFETY: only asked about here; if it is not open, the kernel says so.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        match fcntl_getfd(fd) {
            // The one the list itself was read through, closed by now.
            Err(Errno::BADF) => continue,
            flags => flags.and_then(|flags| fcntl_setfd(fd, flags | FdFlags::CLOEXEC)),
        }
        .map_err(|errno| {
            while_doing(
                &format!("marking descriptor {number} close-on-exec"),
                errno.into(),
            )
        })?;
        // SAFETY: open, and by this function's contract no one else's.
        taken.insert(number, unsafe { OwnedFd::from_raw_fd(number) });
    }
    Ok(taken)
}

static CHANNEL_TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes ownership of the one descriptor that an environment variable names, as
/// `NODE_CHANNEL_FD` does, and marks it close-on-exec. `None` when the variable is not set.
///
/// Whoever sets such a variable hands the descriptor over to this process. A program that has
/// opened or closed descriptors under that number by other means before must not call this; that
/// cannot be checked, and a second call is refused.
///
/// # Errors
/// When the variable is not a number from 3 upward, when no such descriptor is open, or on a
/// second call ([`io::ErrorKind::AlreadyExists`]).
pub fn take_channel(variable: &str) -> io::Result<Option<OwnedFd>> {
    let Some(value) = std::env::var_os(variable) else {
        return Ok(None);
    };
    let number = value.to_str().and_then(|text| text.parse::<i32>().ok());
    let Some(number) = number.filter(|number| *number >= 3) else {
        let text = format!("{variable}={} names no descriptor", value.to_string_lossy());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    };
    if CHANNEL_TAKEN.swap(true, Ordering::Relaxed) {
        let text = format!("taking the descriptor of {variable}: it is already taken");
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    let what = format!("taking descriptor {number} of {variable}");
    // SAFETY: only asked about here; if it is not open, the kernel says so.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_getfd(fd)
        .and_then(|flags| fcntl_setfd(fd, flags | FdFlags::CLOEXEC))
        .map_err(|errno| while_doing(&what, errno.into()))?;
    // SAFETY: open, and handed over to this process by the contract of the variable.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(number) }))
}
