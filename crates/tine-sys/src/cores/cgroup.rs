//! How much processor time do the control groups allow? (cgroups(7); Linux's
//! Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst)

use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The tightest limit from the own group up to the root of what is mounted, in processors.
/// `read` gives a file's text.
pub(super) fn quota(read: impl Fn(&Path) -> Option<String>) -> Option<f64> {
    let groups = read(Path::new("/proc/self/cgroup"))?;
    let mounts = read(Path::new("/proc/self/mountinfo"))?;
    let mut tightest: Option<f64> = None;
    for version in [Version::V1, Version::V2] {
        let Some(group) = own_group(&groups, version) else {
            continue;
        };
        let Some(mount) = mounts.lines().find_map(|line| parse_mount(line, version)) else {
            continue;
        };
        for directory in mount.directories_of(group) {
            let limit = match version {
                Version::V2 => read(&directory.join("cpu.max")).and_then(|max| parse_max(&max)),
                Version::V1 => read(&directory.join("cpu.cfs_quota_us"))
                    .zip(read(&directory.join("cpu.cfs_period_us")))
                    .and_then(|(quota, period)| ratio(&quota, &period)),
            };
            tightest = match (tightest, limit) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
    }
    tightest
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// The path after the second colon: "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1).
fn own_group(text: &str, version: Version) -> Option<&str> {
    text.lines().find_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let ours = match version {
            Version::V2 => number == "0" && controllers.is_empty(),
            Version::V1 => controllers.split(',').any(|name| name == "cpu"),
        };
        ours.then_some(path)
    })
}

struct Mount {
    /// The group that is seen at `point`.
    root: PathBuf,
    point: PathBuf,
}

impl Mount {
    /// The directory of `group` and those above it, as far as the mount shows them.
    fn directories_of(&self, group: &str) -> Vec<PathBuf> {
        // A group outside of what is mounted here ("/../..", a container's view from the inside):
        // the root of the mount is the nearest that can be seen.
        let below = Path::new(group)
            .strip_prefix(&self.root)
            .unwrap_or(Path::new(""));
        let clean = !below
            .components()
            .any(|part| part == std::path::Component::ParentDir);
        let below = if clean { below } else { Path::new("") };
        below
            .ancestors()
            .map(|part| self.point.join(part))
            .collect()
    }
}

/// One line of mountinfo (proc_pid_mountinfo(5)):
/// "32 31 0:29 /root /point options [optional fields] - type source super,options".
fn parse_mount(line: &str, version: Version) -> Option<Mount> {
    let (head, tail) = line.split_once(" - ")?;
    let mut tail = tail.split(' ');
    let (kind, _source, options) = (tail.next()?, tail.next()?, tail.next().unwrap_or(""));
    let ours = match version {
        Version::V2 => kind == "cgroup2",
        Version::V1 => kind == "cgroup" && options.split(',').any(|option| option == "cpu"),
    };
    let mut head = head.split(' ').skip(3);
    let (root, point) = (head.next()?, head.next()?);
    ours.then(|| Mount {
        root: unescape(root),
        point: unescape(point),
    })
}

/// Undoes "\040" for a space and the like.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let code = after
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(value) if byte == b'\\' => {
                bytes.push(value);
                rest = &after[3..];
            }
            _ => bytes.push(byte),
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// "150000 100000" is one and a half, "max 100000" no limit.
fn parse_max(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    ratio(quota, period)
}

/// Microseconds by microseconds. "max" and "-1" are no limit.
fn ratio(quota: &str, period: &str) -> Option<f64> {
    let (quota, period) = (
        quota.trim().parse::<f64>().ok()?,
        period.trim().parse::<f64>().ok()?,
    );
    (quota >= 0.0 && period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const V2_MOUNT: &str = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";

    fn quota_of(files: &[(&str, &str)]) -> Option<f64> {
        let files: HashMap<_, _> = files.iter().copied().collect();
        quota(|path| {
            files
                .get(path.to_str().unwrap())
                .map(|text| (*text).to_owned())
        })
    }

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_max("150000 100000\n"), Some(1.5));
        assert_eq!(parse_max("max 100000\n"), None);
        assert_eq!(parse_max(""), None);
        assert_eq!(ratio("-1\n", "100000\n"), None);
        assert_eq!(ratio("50000\n", "100000\n"), Some(0.5));
        assert_eq!(ratio("1", "0"), None);
    }

    #[test]
    fn v2_takes_the_tightest_of_all_levels() {
        let files = [
            ("/proc/self/cgroup", "0::/a/b\n"),
            ("/proc/self/mountinfo", V2_MOUNT),
            ("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/a/cpu.max", "250000 100000\n"),
        ];
        assert_eq!(quota_of(&files), Some(2.5));
        assert_eq!(quota_of(&files[..3]), None);
    }

    #[test]
    fn a_container_sees_its_own_group_at_the_mount_point() {
        // With a namespace of its own.
        let own_namespace = [
            ("/proc/self/cgroup", "0::/\n"),
            ("/proc/self/mountinfo", V2_MOUNT),
            ("/sys/fs/cgroup/cpu.max", "200000 100000\n"),
        ];
        assert_eq!(quota_of(&own_namespace), Some(2.0));
        // Without: the group's full path is also the root of the mount.
        let shared = [
            (
                "/proc/self/cgroup",
                "4:cpu,cpuacct:/docker/x\n1:name=systemd:/docker/x\n",
            ),
            (
                "/proc/self/mountinfo",
                "40 39 0:30 /docker/x /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct",
            ),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(quota_of(&shared), Some(3.0));
        // A group outside of the namespace.
        let outside = [
            ("/proc/self/cgroup", "0::/../../x\n"),
            ("/proc/self/mountinfo", V2_MOUNT),
            ("/sys/fs/cgroup/cpu.max", "100000 100000\n"),
        ];
        assert_eq!(quota_of(&outside), Some(1.0));
    }

    #[test]
    fn both_versions_at_once_and_odd_mount_points() {
        let mounts = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
             32 31 0:29 / /sys/fs/my\\040cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let files = [
            ("/proc/self/cgroup", "3:cpuset:/q\n1:cpu:/app\n0::/app\n"),
            ("/proc/self/mountinfo", mounts),
            ("/sys/fs/my cgroup/cpu/app/cpu.cfs_quota_us", "400000\n"),
            ("/sys/fs/my cgroup/cpu/app/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/unified/app/cpu.max", "max 100000\n"),
        ];
        assert_eq!(quota_of(&files), Some(4.0));
        assert_eq!(quota_of(&[]), None);
    }
}
