//! How soon does the kernel let us run?

use std::io;

/// Makes the calling thread one that does not interrupt others when it is woken (`SCHED_BATCH`,
/// Linux 2.6.16). On an idle core it runs as soon as ever; on a busy one it waits its turn, and
/// finds more work each time.
///
/// Threads and processes that it starts inherit this (`SCHED_RESET_ON_FORK` is only for real-time
/// policies); [`Spawn::ordinary_scheduling`](crate::spawn::Spawn::ordinary_scheduling) undoes it
/// for a process.
///
/// `false` when the thread is under another policy than the ordinary one, which has its reasons
/// and is left alone.
///
/// # Errors
/// What the kernel says; none is known.
#[cfg(target_os = "linux")]
pub fn do_not_interrupt_others() -> io::Result<bool> {
    // SAFETY: no memory is involved; 0 is the calling thread.
    if unsafe { libc::sched_getscheduler(0) } != libc::SCHED_OTHER {
        return Ok(false);
    }
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: reads the parameters, which outlive the call.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &parameters) } {
        0 => Ok(true),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Linux only.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
#[cfg(not(target_os = "linux"))]
pub fn do_not_interrupt_others() -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;
    use crate::reap::{ExitStatus, wait_pidfd};
    use crate::spawn::{Spawn, spawn};
    use std::ffi::CString;
    use std::os::fd::AsFd;

    /// Exits with the number of its scheduling policy.
    fn policy_of_a_child(ordinary_scheduling: bool) -> ExitStatus {
        let text = |text: &str| CString::new(text).unwrap();
        let script = "read -r stat < /proc/$$/stat; set -- ${stat##*) }; shift 38; exit $1";
        let child = spawn(&Spawn {
            argv: vec![text("sh"), text("-c"), text(script)],
            ordinary_scheduling,
            ..Spawn::new(text("/bin/sh"))
        })
        .unwrap();
        rustix::event::poll(
            &mut [rustix::event::PollFd::new(
                &child.pidfd,
                rustix::event::PollFlags::IN,
            )],
            None,
        )
        .unwrap();
        wait_pidfd(child.pidfd.as_fd()).unwrap().unwrap()
    }

    #[test]
    fn it_holds_for_this_thread_and_for_a_child_only_if_wanted() {
        std::thread::spawn(|| {
            assert_eq!(
                policy_of_a_child(false),
                ExitStatus::Code(libc::SCHED_OTHER)
            );
            assert!(do_not_interrupt_others().unwrap());
            assert_eq!(
                policy_of_a_child(false),
                ExitStatus::Code(libc::SCHED_BATCH)
            );
            assert_eq!(policy_of_a_child(true), ExitStatus::Code(libc::SCHED_OTHER));
            assert!(
                !do_not_interrupt_others().unwrap(),
                "it is not ordinary any more"
            );
        })
        .join()
        .unwrap();
    }
}
