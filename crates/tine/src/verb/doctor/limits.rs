//! How much may there be of everything?

use super::{Finding, read};
use rustix::process::{Resource, getrlimit};
use std::path::{Path, PathBuf};

/// Each process of an app takes some four descriptors of the daemon; below this, 1,000 are too
/// many.
const DESCRIPTORS: u64 = 8_192;
/// Below this, watching the files of one larger app fails.
const WATCHES: u64 = 65_536;
/// Node asks for this backlog.
const BACKLOG: u64 = 511;

pub(super) fn look() -> Vec<Finding> {
    let limit = |which| {
        let limit = getrlimit(which);
        (limit.current, limit.maximum)
    };
    let number = |path: &str| read(path).and_then(|text| text.parse().ok());
    vec![
        descriptors(limit(Resource::Nofile)),
        processes(
            limit(Resource::Nproc),
            number("/proc/sys/kernel/pid_max"),
            number("/proc/sys/kernel/threads-max"),
        ),
        backlog(number("/proc/sys/net/core/somaxconn")),
        watches(
            number("/proc/sys/fs/inotify/max_user_watches"),
            number("/proc/sys/fs/inotify/max_user_instances"),
        ),
        groups(),
    ]
}

fn words(limit: Option<u64>) -> String {
    limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

/// The limit of now, which the daemon raises to the highest for itself.
fn descriptors((now, highest): (Option<u64>, Option<u64>)) -> Finding {
    let (key, name) = ("nofile", "open descriptors");
    let found = format!("{} for apps, {} at most", words(now), words(highest));
    if highest.is_some_and(|highest| highest < DESCRIPTORS) {
        return Finding::limited(key, name, found)
            .effect("a thousand processes are too many for the daemon")
            .remedy(
                "raise it: LimitNOFILE= of the unit, /etc/security/limits.conf, or `ulimit -Hn`",
            );
    }
    Finding::good(key, name, found)
}

fn processes(
    (now, _): (Option<u64>, Option<u64>),
    pids: Option<u64>,
    threads: Option<u64>,
) -> Finding {
    /// A Node process has 11 threads, and each counts.
    const FEW: u64 = 4_096;
    let (key, name) = ("nproc", "processes and threads");
    let found = format!(
        "{} for this user, {} numbers, {} threads on this machine",
        words(now),
        words(pids),
        words(threads)
    );
    let least = [now, pids, threads].into_iter().flatten().min();
    if least.is_some_and(|least| least < FEW) {
        return Finding::limited(key, name, found)
            .effect("some hundred Node processes are too many")
            .remedy("raise it: LimitNPROC= and TasksMax= of the unit, or sysctl kernel.pid_max");
    }
    Finding::good(key, name, found)
}

fn backlog(most: Option<u64>) -> Finding {
    let (key, name) = ("somaxconn", "connections that wait");
    match most {
        Some(most) if most < BACKLOG => {
            Finding::limited(key, name, format!("{most} for each listening socket"))
                .effect("a burst of connections is refused or delayed")
                .remedy("sysctl -w net.core.somaxconn=4096")
        }
        Some(most) => Finding::good(key, name, format!("{most} for each listening socket")),
        None => Finding::known(key, name, "not known"),
    }
}

fn watches(watches: Option<u64>, instances: Option<u64>) -> Finding {
    let (key, name) = ("inotify", "watched files");
    let found = format!("{} files, {} watchers", words(watches), words(instances));
    match watches {
        Some(few) if few < WATCHES => Finding::limited(key, name, found)
            .effect("large folders cannot be watched for changes")
            .remedy("sysctl -w fs.inotify.max_user_watches=524288"),
        Some(_) => Finding::good(key, name, found),
        None => Finding::known(key, name, "inotify is not there"),
    }
}

const GROUPS: &str = "/sys/fs/cgroup";

fn groups() -> Finding {
    let (key, name) = ("cgroup", "cgroup v2");
    if read(&format!("{GROUPS}/cgroup.controllers")).is_none() {
        return Finding::known(key, name, "not mounted (limits of memory will need it)");
    }
    // `0::/user.slice/...`, the line of version 2 (cgroups(7)).
    let own = read("/proc/self/cgroup").unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
    let own = own.map(|path| Path::new(GROUPS).join(path));
    let Some(own) = own.filter(|own| own.is_dir()) else {
        return Finding::known(
            key,
            name,
            "mounted, but this process's own group is not seen",
        );
    };
    let controllers = std::fs::read_to_string(own.join("cgroup.controllers"));
    let controllers = controllers.unwrap_or_default().trim().replace(' ', ", ");
    let controllers = match controllers.as_str() {
        "" => "no controllers",
        some => some,
    };
    delegated(&own, controllers, make_and_remove(&own))
}

/// Whether this process may make groups below its own, by making one.
fn make_and_remove(own: &Path) -> std::io::Result<()> {
    let below: PathBuf = own.join(format!("tine-doctor-{}", std::process::id()));
    std::fs::create_dir(&below)?;
    std::fs::remove_dir(&below)
}

fn delegated(own: &Path, controllers: &str, tried: std::io::Result<()>) -> Finding {
    let (key, name) = ("cgroup", "cgroup v2");
    match tried {
        Ok(()) => Finding::good(key, name, format!("may be divided: {controllers}")),
        Err(error) => Finding::known(
            key,
            name,
            format!(
                "{} may not be divided ({error}): {controllers}",
                own.display()
            ),
        )
        .remedy("Delegate=yes in the unit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::doctor::State;

    #[test]
    fn small_limits_are_told_from_large_ones() {
        assert_eq!(descriptors((Some(1024), Some(4096))).state, State::Limited);
        assert_eq!(descriptors((Some(1024), Some(524_288))).state, State::Good);
        assert_eq!(descriptors((None, None)).state, State::Good);
        let numbers = |now, pids| processes((now, None), pids, Some(1 << 20)).state;
        assert_eq!(numbers(Some(100), Some(32_768)), State::Limited);
        assert_eq!(numbers(None, Some(1_000)), State::Limited);
        assert_eq!(numbers(None, Some(32_768)), State::Good);
        assert_eq!(backlog(Some(128)).state, State::Limited);
        assert_eq!(backlog(Some(4096)).state, State::Good);
        assert_eq!(watches(Some(8192), Some(128)).state, State::Limited);
        assert_eq!(watches(Some(524_288), Some(128)).state, State::Good);
    }

    #[test]
    fn a_group_that_cannot_be_divided_is_named() {
        let refused = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let finding = delegated(Path::new("/sys/fs/cgroup/x"), "cpu, memory", Err(refused));
        assert!(finding.found.contains("/sys/fs/cgroup/x"), "{finding:?}");
        assert!(finding.remedy.contains("Delegate"));
    }
}
