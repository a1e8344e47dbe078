//! How soon does the kernel let us run?

use std::io;

/// Makes the calling thread one that does not interrupt others when it is woken (`SCHED_BATCH`,
/// Linux 2.6.16). On an idle core it runs as soon as ever; on a busy one it waits its turn, and
/// finds more work each time. Threads and processes that it starts are not affected
/// (`SCHED_RESET_ON_FORK`).
///
/// # Errors
/// When the thread is under a real-time policy that it may not leave.
#[cfg(target_os = "linux")]
pub fn do_not_interrupt_others() -> io::Result<()> {
    let policy = libc::SCHED_BATCH | libc::SCHED_RESET_ON_FORK;
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: reads the parameters, which outlive the call; 0 is the calling thread.
    let refused = unsafe { libc::sched_setscheduler(0, policy, &parameters) };
    if refused == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Linux only.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
#[cfg(not(target_os = "linux"))]
pub fn do_not_interrupt_others() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn policy() -> String {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        rest.split(' ').nth(38).unwrap().to_owned()
    }

    #[test]
    fn it_holds_for_the_calling_thread_and_not_for_what_it_starts() {
        std::thread::spawn(|| {
            do_not_interrupt_others().unwrap();
            assert_eq!(policy(), libc::SCHED_BATCH.to_string());
            let child = std::thread::spawn(policy).join().unwrap();
            assert_eq!(child, libc::SCHED_OTHER.to_string());
        })
        .join()
        .unwrap();
    }
}
