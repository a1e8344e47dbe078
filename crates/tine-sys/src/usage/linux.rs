//! From the process's clock and /proc (proc_pid_status(5), proc_pid_fd(5)).

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::path::Path;
use std::time::Duration;

use rustix::process::Pid;

use super::Usage;

/// What `pid` uses now. A process that has ended but is not reaped uses no memory and no
/// descriptors.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] or `ESRCH` if there is no such process.
pub fn of(pid: Pid) -> io::Result<Usage> {
    let directory = format!("/proc/{}", pid.as_raw_pid());
    let directory = Path::new(&directory);
    let status = fs::read_to_string(directory.join("status"))?;
    Ok(Usage {
        cpu: cpu(pid)?,
        // Absent when the memory is already given back.
        resident_bytes: number_after(&status, "VmRSS:").unwrap_or(0) * 1024,
        descriptors: descriptors(&directory.join("fd")),
        context_switches: context_switches(&directory.join("task"))?,
    })
}

/// The status of a process counts the switches of its main thread only.
fn context_switches(tasks: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(tasks)? {
        // A thread may end between being listed and being read.
        let Ok(status) = fs::read_to_string(task?.path().join("status")) else {
            continue;
        };
        sum += number_after(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        sum += number_after(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
    }
    Ok(sum)
}

fn descriptors(directory: &Path) -> Option<usize> {
    // Since Linux 6.2 the size of the directory is the count; before, it is 0.
    let size = fs::metadata(directory).ok()?.len();
    if size > 0 {
        return usize::try_from(size).ok();
    }
    Some(fs::read_dir(directory).ok()?.count())
}

fn number_after(status: &str, label: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(label))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

pub(super) fn cpu(pid: Pid) -> io::Result<Duration> {
    let mut clock = 0;
    // SAFETY: writes a clock's number into `clock`.
    let failed = unsafe { libc::clock_getcpuclockid(pid.as_raw_pid(), &mut clock) };
    if failed != 0 {
        return Err(io::Error::from_raw_os_error(failed));
    }
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: writes into `time`.
    let result = unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) };
    if result == -1 {
        // EINVAL: it was reaped in between.
        return Err(io::Error::last_os_error());
    }
    // SAFETY: integers only, zeroed above.
    let time = unsafe { time.assume_init() };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Ok(Duration::new(
        seconds,
        u32::try_from(time.tv_nsec).unwrap_or(0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_usage_grows_with_what_is_used() {
        let own = rustix::process::getpid();
        let before = of(own).unwrap();
        let files: Vec<_> = (0..50)
            .map(|_| fs::File::open("/dev/null").unwrap())
            .collect();
        // In use, as far as the compiler can know.
        let memory = std::hint::black_box(vec![1_u8; 32 << 20]);
        let busy = std::time::Instant::now();
        while of(own).unwrap().cpu < before.cpu + Duration::from_millis(20) {
            assert!(
                busy.elapsed() < Duration::from_secs(20),
                "the processor clock stands still"
            );
        }
        let after = of(own).unwrap();
        // Other tests open and close descriptors and memory meanwhile, but not this much.
        assert!(after.descriptors.unwrap() >= before.descriptors.unwrap() + 25);
        assert!(after.resident_bytes >= before.resident_bytes + (16 << 20));
        assert!(after.context_switches > 0);
        drop((files, memory));
    }

    #[test]
    fn labels_are_matched_from_the_start_of_a_line() {
        let status = "VmRSS:\t    1024 kB\nvoluntary_ctxt_switches:\t7\n\
                      nonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(number_after(status, "VmRSS:"), Some(1024));
        assert_eq!(number_after(status, "voluntary_ctxt_switches:"), Some(7));
        assert_eq!(number_after(status, "nonvoluntary_ctxt_switches:"), Some(3));
        assert_eq!(number_after(status, "VmSwap:"), None);
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        assert!(of(Pid::from_raw(i32::MAX).unwrap()).is_err());
    }
}
