//! Another program in place of this one, in the same process.

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// Replaces the program of this process by another (execve(2)). Returns only if that failed, with
/// the kernel's errno; this program then runs on as if nothing had been tried.
///
/// `program` is the path of the file, looked up from the working directory if it is relative;
/// `argv` begins with its name; `env` is the whole environment as `KEY=VALUE`.
///
/// What stays: the process and its number, its parent and its **children** (the new image may wait
/// for them), its working directory, user, session and group, limits, scheduling policy, whether
/// it is a child subreaper, and every descriptor without close-on-exec
/// ([`keep_over_exec`](crate::inherited::keep_over_exec)), under its number. What this image wrote
/// into its own buffers and did not flush is lost, as is everything else in its memory.
///
/// - **Threads**: all others end without notice, wherever they are. A child with a
///   [parent death signal](crate::spawn::Spawn::parent_death_signal) gets it now if the thread that
///   started it is not the one that calls this (prctl(2), `PR_SET_PDEATHSIG`); so call
///   this from that thread, or start children that are to be kept without it.
/// - **Signals**: those in `blocked` are blocked in the new image, which
///   [`unblock`]s them when it is ready for them, and no others are, although the calling thread may block
///   some. Those this one handles are back to their default, those it ignores stay ignored, except
///   SIGPIPE, which is back to its default, as for [`spawn`](crate::spawn::spawn). A signal that is
///   pending stays so until the mask is emptied, just before: then it has the effect that it has
///   in this image.
/// - **Other callers of this**: two threads must not call this at once. One wins, but the SIGPIPE
///   action of the loser is not defined.
#[must_use = "it has failed if it returns"]
pub fn replace(program: &CStr, argv: &[CString], env: &[CString], blocked: &[c_int]) -> io::Error {
    let argv = pointers(argv);
    let env = pointers(env);
    let pipe = PipeSignalReset::new();
    let mask = MaskReplaced::new(blocked);
    // SAFETY: a C string and two null-terminated arrays of C strings, all alive.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    let error = io::Error::last_os_error();
    drop(mask);
    drop(pipe);
    error
}

/// Pointers to each string and a null at the end. Valid as long as the strings are.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    let each = strings.iter().map(|s| s.as_ptr());
    each.chain([ptr::null()]).collect()
}

/// SIGPIPE has a handler that does nothing while this lives, if it was ignored: execve(2) sets
/// handled signals to their default, and until then no write of another thread ends the process.
struct PipeSignalReset {
    before: Option<libc::sigaction>,
}

extern "C" fn nothing(_signal: c_int) {}

impl PipeSignalReset {
    fn new() -> Self {
        let Some(before) = pipe_action(None) else {
            return Self { before: None };
        };
        if before.sa_sigaction != libc::SIG_IGN {
            return Self { before: None };
        }
        let mut handled = before;
        handled.sa_sigaction = nothing as extern "C" fn(c_int) as libc::sighandler_t;
        handled.sa_flags = libc::SA_RESTART;
        let before = pipe_action(Some(&handled));
        Self { before }
    }
}

impl Drop for PipeSignalReset {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            pipe_action(Some(before));
        }
    }
}

/// What SIGPIPE does, and what it is to do from now on.
fn pipe_action(new: Option<&libc::sigaction>) -> Option<libc::sigaction> {
    let new = new.map_or(ptr::null(), ptr::from_ref);
    let mut old = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: reads a structure or nothing, writes into one; the handler does nothing.
    let result = unsafe { libc::sigaction(libc::SIGPIPE, new, old.as_mut_ptr()) };
    // SAFETY: all zeros is a valid one too.
    (result == 0).then_some(unsafe { old.assume_init() })
}

/// From now on this process ignores no signal but SIGPIPE: what whoever started it ignored (a shell
/// ignores SIGINT for what it starts in the background, `nohup` SIGHUP) has its default action
/// again. For a process that starts others, which would inherit what is ignored. Call it before
/// anything here handles or ignores a signal.
pub fn stop_ignoring() {
    for signal in 1..=MOST_SIGNALS {
        let mut current = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: asks only, and writes into a structure; a number that is no signal is an error.
        let known = unsafe { libc::sigaction(signal, ptr::null(), current.as_mut_ptr()) } == 0;
        // SAFETY: all zeros is a valid one too.
        let mut action = unsafe { current.assume_init() };
        if known && signal != libc::SIGPIPE && action.sa_sigaction == libc::SIG_IGN {
            action.sa_sigaction = libc::SIG_DFL;
            // SAFETY: reads a structure; no handler is set.
            unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
        }
    }
}

/// Numbers of signals end here at the latest, on every system.
const MOST_SIGNALS: c_int = 64;

/// From now on these signals are not blocked in the calling thread: what [`replace`] has blocked for
/// this image.
pub fn unblock(signals: &[c_int]) {
    let set = set_of(signals);
    // SAFETY: reads a live set; the old one is not asked for. This thread only.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, ptr::null_mut()) };
}

/// These signals too are blocked in the calling thread while this lives; what comes meanwhile is
/// pending, if no other thread takes it.
#[derive(Debug)]
pub struct Blocked {
    _before: MaskReplaced,
}

impl Blocked {
    /// Blocks them.
    #[must_use = "they are blocked while this lives"]
    pub fn new(signals: &[c_int]) -> Self {
        let set = set_of(signals);
        let mut before = set;
        // SAFETY: reads a live set and overwrites another; this thread only.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut before) };
        Self {
            _before: MaskReplaced { before },
        }
    }
}

/// A number that is no signal is left out.
fn set_of(signals: &[c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: writes into the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for signal in signals {
        // SAFETY: a set that was made empty.
        unsafe { libc::sigaddset(set.as_mut_ptr(), *signal) };
    }
    // SAFETY: was made empty above.
    unsafe { set.assume_init() }
}

/// Only some signals of this thread are blocked while this lives.
#[derive(Debug)]
struct MaskReplaced {
    before: libc::sigset_t,
}

impl MaskReplaced {
    fn new(blocked: &[c_int]) -> Self {
        let set = set_of(blocked);
        let mut before = set;
        // SAFETY: reads a live set and overwrites another; this thread only.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &set, &mut before) };
        Self { before }
    }
}

impl Drop for MaskReplaced {
    fn drop(&mut self) {
        // SAFETY: reads a live set; the old one is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
    }
}
