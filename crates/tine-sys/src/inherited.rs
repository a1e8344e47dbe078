//! Which descriptors did whoever started us leave open? And which are left to whom comes next?

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd};

use crate::errno::while_doing;

#[cfg(target_os = "linux")]
const OPEN_DESCRIPTORS: &str = "/proc/self/fd";
#[cfg(not(target_os = "linux"))]
const OPEN_DESCRIPTORS: &str = "/dev/fd";

/// The first number that is not standard input, output or error.
const FIRST: i32 = 3;

/// What this module has given an owner. Never shrinks: a number that is closed and opened again is
/// not inherited.
enum Taken {
    Numbers(BTreeSet<i32>),
    Everything,
}

static TAKEN: Mutex<Taken> = Mutex::new(Taken::Numbers(BTreeSet::new()));

/// Nothing panics while it is held, so poison means nothing.
fn taken() -> MutexGuard<'static, Taken> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Taken {
    fn refuse_again(&self, number: i32, what: &str) -> io::Result<()> {
        let again = match self {
            Self::Numbers(numbers) => numbers.contains(&number),
            Self::Everything => true,
        };
        if again {
            let text = format!("{what}: it is already taken");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        Ok(())
    }

    fn add(&mut self, number: i32) {
        match self {
            Self::Numbers(numbers) => {
                numbers.insert(number);
            }
            Self::Everything => {}
        }
    }
}

/// Takes ownership of every descriptor from 3 upward that is open now, by its number, and marks
/// each close-on-exec.
///
/// **Call this first thing in `main`**, before another thread exists and before anything else has
/// opened a descriptor: whatever is open is taken to be inherited, and would otherwise have two
/// owners. That cannot be checked; it is refused when anything of this module was taken before,
/// and everything of it is refused afterwards.
///
/// # Errors
/// When the list of open descriptors cannot be read, one of them cannot be marked, or something is
/// taken already ([`io::ErrorKind::AlreadyExists`]).
pub fn take_inherited() -> io::Result<BTreeMap<i32, OwnedFd>> {
    let mut before = taken();
    match &*before {
        Taken::Numbers(numbers) if numbers.is_empty() => *before = Taken::Everything,
        Taken::Numbers(_) | Taken::Everything => {
            let text = "taking inherited descriptors: they are already taken";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
    }
    let what = format!("listing open descriptors in {OPEN_DESCRIPTORS}");
    let named = |error| while_doing(&what, error);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(OPEN_DESCRIPTORS).map_err(named)? {
        let name = entry.map_err(named)?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    let mut taken = BTreeMap::new();
    for number in numbers.into_iter().filter(|number| *number >= FIRST) {
        match mark(number) {
            // The one the list itself was read through, closed by now.
            Err(Errno::BADF) => continue,
            marked => marked.map_err(|errno| {
                let what = format!("marking descriptor {number} close-on-exec");
                while_doing(&what, errno.into())
            })?,
        }
        // SAFETY: open, and by this function's contract no one else's.
        taken.insert(number, unsafe { OwnedFd::from_raw_fd(number) });
    }
    Ok(taken)
}

/// Takes ownership of the one descriptor that an environment variable names, as
/// `NODE_CHANNEL_FD` does, and marks it close-on-exec. `None` when the variable is not set.
///
/// Whoever sets such a variable hands the descriptor over to this process. It may be 0, 1 or 2
/// instead of standard input, output or error; then what is returned has another number from 3
/// upward, and the old number is /dev/null from here on: reading finds the end, what is
/// written is discarded, and no program that this one starts gets the channel in its place.
///
/// A program that has opened or closed descriptors under that number by other means before (or has
/// read from [`std::io::stdin`] when it is 0) must not call this; that cannot be checked, and
/// the same number a second time is refused.
///
/// # Errors
/// When the variable is not a number from 0 upward, when no such descriptor is open (Rust opens
/// /dev/null for 0, 1 or 2 before `main` when they are closed, so those always are), or for a
/// number that is taken already ([`io::ErrorKind::AlreadyExists`]).
pub fn take_channel(variable: &str) -> io::Result<Option<OwnedFd>> {
    let Some(value) = std::env::var_os(variable) else {
        return Ok(None);
    };
    let number = value.to_str().and_then(|text| text.parse::<i32>().ok());
    let Some(number) = number.filter(|number| *number >= 0) else {
        let text = format!("{variable}={} names no descriptor", value.to_string_lossy());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    };
    let what = format!("taking descriptor {number} of {variable}");
    let named = |errno: Errno| while_doing(&what, errno.into());
    let mut taken = taken();
    taken.refuse_again(number, &what)?;
    let channel = if number < FIRST {
        let channel = move_away(number).map_err(named)?;
        taken.add(channel.as_raw_fd());
        channel
    } else {
        mark(number).map_err(named)?;
        // SAFETY: open, and handed over to this process by the contract of the variable.
        unsafe { OwnedFd::from_raw_fd(number) }
    };
    taken.add(number);
    Ok(Some(channel))
}

/// Takes ownership of descriptors that the program image before this one, in this same process,
/// kept open over [`exec::replace`](crate::exec::replace) (see [`keep_over_exec`]), in the order
/// of their numbers here, and marks each close-on-exec. All of them or none.
///
/// The numbers come from that predecessor, by a way the two have agreed upon. They must be of
/// descriptors that nothing else in this image owns: call this early in `main`. That cannot be
/// checked; a number that is taken already, by any function here, is refused.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for a number below 3 or one named twice,
/// [`io::ErrorKind::AlreadyExists`] for one taken before; when one of them is not open. Each says
/// which number.
pub fn take_descriptors(numbers: &[i32]) -> io::Result<Vec<OwnedFd>> {
    let mut taken = taken();
    let mut seen = BTreeSet::new();
    for number in numbers {
        let what = format!("taking kept descriptor {number}");
        if *number < FIRST || !seen.insert(*number) {
            let why = if *number < FIRST {
                "below 3"
            } else {
                "named twice"
            };
            let text = format!("{what}: it is {why}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        taken.refuse_again(*number, &what)?;
        // SAFETY: only asked about here; if it is not open, the kernel says so.
        let fd = unsafe { BorrowedFd::borrow_raw(*number) };
        fcntl_getfd(fd).map_err(|errno| while_doing(&what, errno.into()))?;
    }
    for number in numbers {
        let what = format!("marking kept descriptor {number} close-on-exec");
        mark(*number).map_err(|errno| while_doing(&what, errno.into()))?;
    }
    let owned = numbers.iter().map(|number| {
        taken.add(*number);
        // SAFETY: open, and by this function's contract no one else's.
        unsafe { OwnedFd::from_raw_fd(*number) }
    });
    Ok(owned.collect())
}

/// Whether the program image that replaces this one ([`exec::replace`](crate::exec::replace)) has
/// this descriptor too, under the same number.
///
/// Keep only for as long as it takes to replace the image: what another thread of this
/// process starts meanwhile by other means than [`spawn`](crate::spawn::spawn) (which passes
/// nothing it is not told to, on Linux 5.11 and later) inherits it as well.
///
/// # Errors
/// The kernel's errno; none is known for a descriptor that is open.
pub fn keep_over_exec(fd: BorrowedFd<'_>, keep: bool) -> io::Result<()> {
    let mut flags = fcntl_getfd(fd)?;
    flags.set(FdFlags::CLOEXEC, !keep);
    Ok(fcntl_setfd(fd, flags)?)
}

/// Marks a number close-on-exec, or says that it is not open.
fn mark(number: i32) -> rustix::io::Result<()> {
    // SAFETY: only asked about here; if it is not open, the kernel says so.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = fcntl_getfd(fd)?;
    fcntl_setfd(fd, flags | FdFlags::CLOEXEC)
}

/// Gives what is at a number below [`FIRST`] another one and puts /dev/null there, so that the
/// number is never free for the next `open`.
fn move_away(number: i32) -> rustix::io::Result<OwnedFd> {
    // SAFETY: only copied here; if it is not open, the kernel says so.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    let moved = fcntl_dupfd_cloexec(fd, FIRST)?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    // Plain `dup2`, because rustix wants an owner of the target, and no one owns these numbers.
    // SAFETY: replaces one of the three standard descriptors, which stay open for ever.
    let result = unsafe { libc::dup2(null.as_raw_fd(), number) };
    if result == -1 {
        return Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO));
    }
    Ok(moved)
}
