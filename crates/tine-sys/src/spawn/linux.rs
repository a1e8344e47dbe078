//! `clone(2)` with the memory of the caller lent to the child until it executes (like `vfork`).
//!
//! The calling thread stands still meanwhile; other threads run on, so the child may only make
//! plain system calls: no allocation, no lock, nothing of libc that keeps state.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Pid, WaitId, WaitIdOptions, dumpable_behavior, getegid, geteuid, getpid,
    set_dumpable_behavior, waitid,
};

use super::{Child, Spawn, SpawnError, Step};

/// Bytes of stack the child runs on until it executes; its deepest call needs well under 1 KiB.
const STACK_BYTES: usize = 64 * 1024;
/// Bytes below the stack that fault when touched; at least one page on every architecture.
const GUARD_BYTES: usize = 64 * 1024;
/// Bytes of the kernel's signal set: 64 signals on every architecture that is not MIPS.
const SIGNAL_SET_BYTES: usize = 8;
const SIGNAL_COUNT: c_int = 64;

#[cfg(any(target_arch = "x86", target_arch = "arm"))]
mod id_calls {
    pub(super) use libc::{
        SYS_setgid32 as SET_GROUP, SYS_setgroups32 as SET_GROUPS, SYS_setuid32 as SET_USER,
    };
}
#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
mod id_calls {
    pub(super) use libc::{
        SYS_setgid as SET_GROUP, SYS_setgroups as SET_GROUPS, SYS_setuid as SET_USER,
    };
}

/// Starts a program. When this returns `Ok`, the process exists and has begun to execute it.
///
/// In the new process every signal that the caller handles is back to its default, signals the
/// caller ignores stay ignored, except SIGPIPE, which is back to its default (Rust programs ignore
/// it, others do not expect that), and no signal is blocked.
///
/// The calling thread waits until the program is being executed or has failed to be. The whole
/// process is briefly "not dumpable" when `uid` or `gid` differ from the caller's.
///
/// Needs Linux 5.2 (`CLONE_PIDFD`).
///
/// # Errors
/// [`SpawnError`] names the step that failed; the process that failed is already reaped, provided
/// that no other thread reaps children with `peek_any` at the same time. A file that is
/// neither a program nor begins with `#!` is an error (`ENOEXEC`); no shell is tried.
pub fn spawn(request: &Spawn<'_>) -> Result<Child, SpawnError> {
    let fail = |step, errno, detail| SpawnError::new(request, step, errno, detail);

    let mut moves = plan_moves(request).map_err(|(errno, to)| fail(Step::Descriptor, errno, to))?;
    let argv = pointers(&request.argv);
    let env = pointers(&request.env);
    let stays = request.uid.is_none_or(|uid| uid == geteuid().as_raw())
        && request.gid.is_none_or(|gid| gid == getegid().as_raw());
    let mut plan = Plan {
        program: &request.program,
        argv: argv.as_ptr(),
        env: env.as_ptr(),
        cwd: request.cwd.as_deref(),
        first_free: moves
            .iter()
            .map(|m| m.to.saturating_add(1))
            .fold(3, c_int::max),
        moves: &mut moves,
        new_session: request.new_session,
        new_group: request.new_group,
        ordinary_scheduling: request.ordinary_scheduling,
        nofile: request.nofile.map(|(soft, hard)| [soft, hard]),
        drop_groups: !stays,
        uid: request.uid,
        gid: request.gid,
        death_signal: request.parent_death_signal,
        parent: getpid().as_raw_pid(),
        failure: None,
    };
    let stack = Stack::new().map_err(|errno| fail(Step::Clone, errno, 0))?;
    let dumpable = if stays {
        None
    } else {
        dumpable_behavior().ok()
    };

    let mut pidfd: c_int = -1;
    // A handler of the caller must not run in the child, on memory that is the caller's.
    let blocked = SignalsBlocked::new();
    // SAFETY: `child_main` gets a stack of its own and a plan that outlives it (CLONE_VFORK: this
    // thread stands still until the child has executed or ended); no one else has either.
    let pid = unsafe {
        libc::clone(
            child_main,
            stack.top(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD,
            ptr::from_mut(&mut plan).cast::<c_void>(),
            ptr::from_mut(&mut pidfd),
        )
    };
    let clone_errno = last_errno();
    if let Some(was @ DumpableBehavior::Dumpable) = dumpable {
        // The child's change of user marked the memory it had borrowed; it is only ours again.
        let _ = set_dumpable_behavior(was);
    }
    let Some(pid) = Pid::from_raw(pid).filter(|_| pid > 0) else {
        return Err(fail(Step::Clone, clone_errno, 0));
    };
    // SAFETY: the kernel has just made this descriptor for us (CLONE_PIDFD).
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    // SAFETY: `plan` is a live local. Volatile, because the child has written to it.
    let failure = unsafe { ptr::read_volatile(&raw const plan.failure) };
    if let Some(Failure {
        step,
        errno,
        detail,
    }) = failure
    {
        // It is ending right now. Signals are still blocked, so this is not interrupted.
        let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
        return Err(fail(step, Errno::from_raw_os_error(errno), detail));
    }
    drop(blocked);
    drop(stack);
    Ok(Child { pid, pidfd })
}

fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// Pointers to each string and a null at the end. Valid as long as the strings are.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings
        .iter()
        .map(|s| s.as_ptr())
        .chain([ptr::null()])
        .collect()
}

/// One descriptor on its way to its number.
struct Move {
    from: c_int,
    to: c_int,
    /// `from` is the target of another move, so it must step aside first.
    step_aside: bool,
}

fn plan_moves(request: &Spawn<'_>) -> Result<Vec<Move>, (Errno, c_int)> {
    let mut moves: Vec<Move> = Vec::with_capacity(request.fds.len());
    for (fd, to) in &request.fds {
        if *to < 0 || moves.iter().any(|m| m.to == *to) {
            return Err((Errno::INVAL, *to));
        }
        let from = fd.as_raw_fd();
        let step_aside = request
            .fds
            .iter()
            .any(|(_, other)| *other == from && from != *to);
        moves.push(Move {
            from,
            to: *to,
            step_aside,
        });
    }
    Ok(moves)
}

/// Everything the child needs, made before it exists because it must not allocate.
struct Plan<'a> {
    program: &'a CStr,
    argv: *const *const c_char,
    env: *const *const c_char,
    cwd: Option<&'a CStr>,
    moves: &'a mut [Move],
    /// The first number above all targets and above standard input, output and error.
    first_free: c_int,
    new_session: bool,
    new_group: bool,
    ordinary_scheduling: bool,
    /// As the kernel's `struct rlimit64`, where no limit is `u64::MAX` on every architecture.
    nofile: Option<[u64; 2]>,
    drop_groups: bool,
    uid: Option<u32>,
    gid: Option<u32>,
    death_signal: Option<c_int>,
    parent: libc::pid_t,
    failure: Option<Failure>,
}

#[derive(Clone, Copy)]
struct Failure {
    step: Step,
    errno: c_int,
    detail: c_int,
}

/// Runs in the child: on the caller's memory, on its own stack.
extern "C" fn child_main(plan: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes its plan and stands still, so this is the only reference.
    let plan = unsafe { &mut *plan.cast::<Plan<'_>>() };
    if let Err(failure) = become_program(plan) {
        plan.failure = Some(failure);
    }
    // SAFETY: ends this process only; nothing of the caller's is run or freed.
    unsafe { libc::_exit(127) }
}

fn become_program(plan: &mut Plan<'_>) -> Result<(), Failure> {
    let at = |step: Step| {
        move |errno: c_int| Failure {
            step,
            errno,
            detail: 0,
        }
    };

    reset_signal_actions();
    if plan.new_session {
        // SAFETY: no memory is involved.
        unsafe { call(libc::SYS_setsid, [0; 4]) }.map_err(at(Step::Session))?;
    } else if plan.new_group {
        // SAFETY: no memory is involved.
        unsafe { call(libc::SYS_setpgid, [0; 4]) }.map_err(at(Step::Session))?;
    }
    if plan.ordinary_scheduling {
        // The kernel's structure is one number, the priority, which is 0 here.
        let parameters = [0 as c_int; 4];
        let arguments = [
            0,
            libc::SCHED_OTHER as usize,
            parameters.as_ptr() as usize,
            0,
        ];
        // SAFETY: reads the parameters, which outlive the call.
        unsafe { call(libc::SYS_sched_setscheduler, arguments) }.map_err(at(Step::Session))?;
    }
    // Plain calls: libc's would change the ids of every thread of the caller.
    if plan.drop_groups {
        // SAFETY: an empty list; the null pointer is not read.
        unsafe { call(id_calls::SET_GROUPS, [0; 4]) }.map_err(at(Step::Group))?;
    }
    if let Some(gid) = plan.gid {
        // SAFETY: no memory is involved.
        unsafe { call(id_calls::SET_GROUP, [gid as usize, 0, 0, 0]) }.map_err(at(Step::Group))?;
    }
    if let Some(uid) = plan.uid {
        // SAFETY: no memory is involved.
        unsafe { call(id_calls::SET_USER, [uid as usize, 0, 0, 0]) }.map_err(at(Step::User))?;
    }
    if let Some(cwd) = plan.cwd {
        let path = cwd.as_ptr() as usize;
        // SAFETY: a C string that outlives the call.
        unsafe { call(libc::SYS_chdir, [path, 0, 0, 0]) }.map_err(at(Step::Directory))?;
    }
    if let Some(signal) = plan.death_signal {
        // After the change of user, which would clear it.
        let arguments = [libc::PR_SET_PDEATHSIG as usize, signal as usize, 0, 0];
        // SAFETY: this option takes a number.
        unsafe { call(libc::SYS_prctl, arguments) }.map_err(at(Step::DeathSignal))?;
        // SAFETY: no memory is involved.
        let parent = unsafe { call(libc::SYS_getppid, [0; 4]) };
        if parent != Ok(plan.parent as usize) {
            // The parent died before it was asked for; it will read no answer.
            return Err(at(Step::DeathSignal)(libc::ESRCH));
        }
    }
    place_descriptors(plan)?;
    if let Some(limit) = &plan.nofile {
        // The call that has 64 bits everywhere; 0 is the caller.
        let arguments = [0, libc::RLIMIT_NOFILE as usize, limit.as_ptr() as usize, 0];
        // SAFETY: reads the two numbers, which outlive the call; the null pointer is not written to.
        unsafe { call(libc::SYS_prlimit64, arguments) }.map_err(at(Step::Limit))?;
    }
    let empty = [0_u8; SIGNAL_SET_BYTES];
    set_signal_mask(&empty, None);
    let arguments = [
        plan.program.as_ptr() as usize,
        plan.argv as usize,
        plan.env as usize,
        0,
    ];
    // SAFETY: a C string and two null-terminated arrays of C strings, all alive.
    unsafe { call(libc::SYS_execve, arguments) }.map_err(at(Step::Execute))?;
    Ok(())
}

fn place_descriptors(plan: &mut Plan<'_>) -> Result<(), Failure> {
    let at = |to: c_int| {
        move |errno| Failure {
            step: Step::Descriptor,
            errno,
            detail: to,
        }
    };
    let cloexec = libc::CLOSE_RANGE_CLOEXEC as usize;
    // What a library opened without close-on-exec must not leak. Linux 5.11; before that (or where
    // it is filtered) it leaks as it does everywhere.
    // SAFETY: the child has its own table of descriptors; nothing is closed before it executes.
    let _ = unsafe { call(libc::SYS_close_range, [3, u32::MAX as usize, cloexec, 0]) };

    for m in plan.moves.iter_mut().filter(|m| m.step_aside) {
        let arguments = [
            m.from as usize,
            libc::F_DUPFD_CLOEXEC as usize,
            plan.first_free as usize,
            0,
        ];
        // SAFETY: makes a descriptor in the child's own table.
        m.from = unsafe { call(libc::SYS_fcntl, arguments) }.map_err(at(m.to))? as c_int;
    }
    for m in plan.moves.iter() {
        let (from, to) = (m.from as usize, m.to as usize);
        let placed = if from == to {
            // SAFETY: clears close-on-exec in the child's own table.
            unsafe { call(libc::SYS_fcntl, [to, libc::F_SETFD as usize, 0, 0]) }
        } else {
            // SAFETY: replaces a descriptor of the child's own table.
            unsafe { call(libc::SYS_dup3, [from, to, 0, 0]) }
        };
        placed.map_err(at(m.to))?;
    }
    Ok(())
}

/// Handled signals and SIGPIPE back to default; other ignored signals stay ignored (as `nohup`
/// wants). The table is the child's own: CLONE_SIGHAND is not set.
fn reset_signal_actions() {
    // The kernel's `struct sigaction` is at most four words and begins with the handler; all
    // zeros is "default, no flags, empty mask". (MIPS, where flags come first, is not supported.)
    let default = [0_usize; 8];
    for signal in 1..=SIGNAL_COUNT {
        let mut current = [0_usize; 8];
        let read = [
            signal as usize,
            0,
            current.as_mut_ptr() as usize,
            SIGNAL_SET_BYTES,
        ];
        // SAFETY: writes into `current`, which is larger than the kernel's structure.
        let known = unsafe { call(libc::SYS_rt_sigaction, read) }.is_ok();
        let keep =
            current[0] == libc::SIG_DFL || (current[0] == libc::SIG_IGN && signal != libc::SIGPIPE);
        if known && !keep {
            let write = [
                signal as usize,
                default.as_ptr() as usize,
                0,
                SIGNAL_SET_BYTES,
            ];
            // SAFETY: reads from `default`, which is larger than the kernel's structure.
            let _ = unsafe { call(libc::SYS_rt_sigaction, write) };
        }
    }
}

/// A system call without libc's conveniences.
///
/// # Safety
/// Whatever the call itself demands of its arguments.
unsafe fn call(number: c_long, [a, b, c, d]: [usize; 4]) -> Result<usize, c_int> {
    // SAFETY: the caller vouches for the arguments; unused ones are ignored by the kernel.
    let result = unsafe { libc::syscall(number, a, b, c, d) };
    if result == -1 {
        Err(io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EIO))
    } else {
        Ok(result as usize)
    }
}

/// Replaces the calling thread's mask. The plain call, because libc's leaves out the signals that
/// it uses itself, and one of those must not run in the child either.
fn set_signal_mask(new: &[u8; SIGNAL_SET_BYTES], old: Option<&mut [u8; SIGNAL_SET_BYTES]>) {
    let old = old.map_or(0, |old| old.as_mut_ptr() as usize);
    let arguments = [
        libc::SIG_SETMASK as usize,
        new.as_ptr() as usize,
        old,
        SIGNAL_SET_BYTES,
    ];
    // SAFETY: both point to as many bytes as is said, or nowhere.
    let _ = unsafe { call(libc::SYS_rt_sigprocmask, arguments) };
}

/// All signals of this thread are blocked while this lives.
struct SignalsBlocked {
    before: [u8; SIGNAL_SET_BYTES],
}

impl SignalsBlocked {
    fn new() -> Self {
        let mut before = [0; SIGNAL_SET_BYTES];
        set_signal_mask(&[0xff; SIGNAL_SET_BYTES], Some(&mut before));
        Self { before }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        set_signal_mask(&self.before, None);
    }
}

/// A stack with a guard below it.
struct Stack {
    base: *mut c_void,
}

impl Stack {
    const BYTES: usize = GUARD_BYTES + STACK_BYTES;

    fn new() -> Result<Self, Errno> {
        // SAFETY: a new private mapping at an address the kernel chooses.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                Self::BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(last_errno());
        }
        let stack = Self { base };
        // SAFETY: the lower part of the mapping just made, which no one uses yet.
        let guarded = unsafe { libc::mprotect(stack.base, GUARD_BYTES, libc::PROT_NONE) };
        if guarded == -1 {
            Err(last_errno())
        } else {
            Ok(stack)
        }
    }

    /// Where a stack that grows downward begins.
    fn top(&self) -> *mut c_void {
        self.base.wrapping_byte_add(Self::BYTES)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`, on which nothing runs any more.
        let _ = unsafe { libc::munmap(self.base, Self::BYTES) };
    }
}
