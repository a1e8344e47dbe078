//! What does the kernel permit?

use super::{Finding, read};
use std::io;
use tine_sys::{probe, steer};

pub(super) fn look() -> Vec<Finding> {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy().into_owned();
    vec![
        version(&release),
        pidfd(probe::pidfd()),
        classic(steer::probe_classic()),
        ebpf(steer::probe_ebpf()),
        seccomp(probe::seccomp_notify()),
        migration(read("/proc/sys/net/ipv4/tcp_migrate_req").as_deref()),
        tracing(read("/proc/sys/kernel/yama/ptrace_scope").as_deref()),
        clock(probe::clock_synchronised()),
    ]
}

/// `6.18.44-generic` is (6, 18).
fn numbers(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|letter: char| !letter.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn version(release: &str) -> Finding {
    let (key, name, found) = ("kernel", "kernel", format!("Linux {release}"));
    match numbers(release) {
        Some(at) if at < (5, 4) => Finding::bad(key, name, found)
            .effect("processes cannot be started and waited for by descriptors")
            .remedy("use Linux 5.4 or later"),
        Some(at) if at < (5, 11) => Finding::limited(key, name, found)
            .effect("descriptors that other libraries leave open may reach the apps")
            .remedy("use Linux 5.11 or later"),
        Some(_) => Finding::good(key, name, found),
        None => Finding::known(key, name, found),
    }
}

fn pidfd(tried: io::Result<()>) -> Finding {
    let (key, name) = ("pidfd", "process descriptors");
    match tried {
        Ok(()) => Finding::good(key, name, "pidfd works"),
        Err(error) => Finding::bad(key, name, error.to_string())
            .effect("processes cannot be waited for and signalled without mistakes")
            .remedy("use Linux 5.4 or later, or a sandbox that permits pidfd_open(2)"),
    }
}

fn classic(tried: io::Result<()>) -> Finding {
    let (key, name) = ("reuseport", "SO_REUSEPORT programs");
    match tried {
        Ok(()) => Finding::good(key, name, "classic BPF works"),
        Err(error) => Finding::limited(key, name, error.to_string())
            .effect("the balance `sticky` does not work")
            .remedy("permit setsockopt(2) with SO_ATTACH_REUSEPORT_CBPF in the sandbox"),
    }
}

fn ebpf(tried: io::Result<()>) -> Finding {
    let (key, name) = ("ebpf", "eBPF");
    match tried {
        Ok(()) => Finding::good(key, name, "may be loaded: `auto` balances in the kernel"),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let remedy = match std::env::current_exe() {
                Ok(path) => format!(
                    "sudo setcap cap_bpf+ep {}, or run it as root",
                    path.display()
                ),
                Err(_) => "run it as root, or with CAP_BPF".to_owned(),
            };
            Finding::limited(key, name, "may not be loaded by this user")
                .effect("the balance `auto` is `rr`, and `kernel` chooses at random")
                .remedy(remedy)
        }
        Err(error) => Finding::limited(key, name, error.to_string())
            .effect("the balance `auto` is `rr`, and `kernel` chooses at random")
            .remedy("use Linux 5.12 or later with CONFIG_BPF_SYSCALL"),
    }
}

fn seccomp(tried: io::Result<()>) -> Finding {
    let (key, name) = ("seccomp_notify", "seccomp notification");
    let found = match tried {
        Ok(()) => return Finding::good(key, name, "system calls can be supervised"),
        Err(error) => error.to_string(),
    };
    Finding::limited(key, name, found)
        .effect("programs that do not speak Node's protocol cannot share ports by supervision")
        .remedy(
            "use Linux 5.5 or later with CONFIG_SECCOMP_FILTER; in a container, a profile that \
             permits seccomp(2)",
        )
}

fn migration(value: Option<&str>) -> Finding {
    let (key, name) = ("tcp_migrate_req", "tcp_migrate_req");
    match value {
        Some("0") => Finding::known(
            key,
            name,
            "0: tine itself passes on what waits at a worker that has ended",
        ),
        Some(value) => Finding::good(key, name, value),
        None => Finding::known(key, name, "not there (Linux 5.14)"),
    }
}

fn tracing(value: Option<&str>) -> Finding {
    let (key, name) = ("ptrace_scope", "Yama ptrace_scope");
    Finding::known(
        key,
        name,
        match value {
            None => "not there: a user may trace its own processes",
            Some("0") => "0: a user may trace its own processes",
            Some("1") => "1: a process may trace what descends from it",
            Some("2") => "2: only administrators may trace",
            Some(_) => "3: nobody may trace",
        },
    )
}

fn clock(synchronised: io::Result<bool>) -> Finding {
    let (key, name) = ("clock", "clock");
    /// The first day of 2025, in seconds since 1970.
    const RECENT: u64 = 1_735_689_600;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    if now.is_ok_and(|now| now.as_secs() < RECENT) {
        return Finding::limited(key, name, "is years late")
            .effect("times in lists and logs are wrong")
            .remedy("set it: timedatectl set-ntp true");
    }
    match synchronised {
        Ok(true) => Finding::good(key, name, "is synchronised"),
        Ok(false) => Finding::known(key, name, "nobody tells the kernel that it is right"),
        Err(error) => Finding::known(key, name, format!("may not be asked about: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::doctor::State;

    fn refused(errno: rustix::io::Errno) -> io::Result<()> {
        Err(errno.into())
    }

    #[test]
    fn old_kernels_are_told_from_new_ones() {
        for (release, state) in [
            ("4.19.0-25-amd64", State::Bad),
            ("5.3.18", State::Bad),
            ("5.4.0", State::Limited),
            ("5.10.0-33", State::Limited),
            ("5.11.0", State::Good),
            ("6.18.44-fc", State::Good),
            ("7.0", State::Good),
            ("odd", State::Known),
        ] {
            assert_eq!(version(release).state, state, "{release}");
        }
    }

    #[test]
    fn what_is_refused_has_an_effect_and_a_remedy() {
        use rustix::io::Errno;
        for finding in [
            pidfd(refused(Errno::NOSYS)),
            classic(refused(Errno::INVAL)),
            ebpf(refused(Errno::PERM)),
            ebpf(refused(Errno::NOSYS)),
            seccomp(refused(Errno::ACCESS)),
        ] {
            assert!(finding.state >= State::Limited, "{finding:?}");
            assert!(!finding.effect.is_empty(), "{finding:?}");
            assert!(!finding.remedy.is_empty(), "{finding:?}");
        }
        assert!(ebpf(refused(Errno::PERM)).remedy.contains("setcap"));
    }
}
