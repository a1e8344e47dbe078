//! Whose sockets do clients reach? As the kernel tells it (proc_pid_net(5), `/proc/PID/fd`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tine_testkit::process;

/// Inodes of sockets.
pub(crate) type Inodes = BTreeSet<u64>;

/// How the primary and its workers hold the sockets that clients reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holding {
    /// One socket, which only the primary holds: it passes connections on.
    Primary,
    /// One socket, which the primary and every worker hold.
    Together,
    /// A socket for each worker, of which the primary holds a duplicate.
    Each,
    /// Every worker has made its own, without the primary.
    WithoutPrimary,
}

/// Sockets that listen on a TCP port, on whatever address.
pub(crate) fn on_tcp_port(port: u16) -> Inodes {
    // 0A is TCP_LISTEN.
    on_port(&["/proc/net/tcp", "/proc/net/tcp6"], port, Some("0A"))
}

/// Sockets that are bound to a UDP port, on whatever address.
pub(crate) fn on_udp_port(port: u16) -> Inodes {
    on_port(&["/proc/net/udp", "/proc/net/udp6"], port, None)
}

fn on_port(tables: &[&str], port: u16, state: Option<&str>) -> Inodes {
    let suffix = format!(":{port:04X}");
    let found = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, found_state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let fits = local.ends_with(&suffix) && state.is_none_or(|state| state == *found_state);
        fits.then(|| inode.parse().ok())?
    };
    tables
        .iter()
        // Without IPv6 there is no second table.
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|text| text.lines().skip(1).filter_map(found).collect::<Vec<u64>>())
        .collect()
}

/// Unix sockets that listen at a path.
///
/// # Panics
/// When `/proc/net/unix` cannot be read.
pub(crate) fn on_path(path: &Path) -> Inodes {
    /// `__SO_ACCEPTCON`: it listens.
    const LISTENS: &str = "00010000";
    let text = fs::read_to_string("/proc/net/unix")
        .unwrap_or_else(|error| panic!("reading /proc/net/unix: {error}"));
    let found = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (flags, inode, at) = (fields.get(3)?, fields.get(6)?, fields.get(7)?);
        let fits = *flags == LISTENS && Path::new(at) == path;
        fits.then(|| inode.parse().ok())?
    };
    text.lines().skip(1).filter_map(found).collect()
}

/// The sockets that a process has open.
///
/// # Panics
/// When its `/proc/PID/fd` cannot be read: it is gone.
pub(crate) fn held_by(pid: u32) -> Inodes {
    let folder = format!("/proc/{pid}/fd");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!(
            "reading {folder} (alive: {}): {error}",
            process::is_alive(pid)
        )
    });
    let inode = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?;
        let number = target
            .to_str()?
            .strip_prefix("socket:[")?
            .strip_suffix(']')?;
        number.parse().ok()
    };
    entries.filter_map(|entry| inode(entry.ok()?)).collect()
}

/// How these sockets are held.
///
/// # Errors
/// When it is none of the ways, with who holds what.
pub(crate) fn holding(sockets: &Inodes, primary: u32, workers: &[u32]) -> Result<Holding, String> {
    let by_primary: Inodes = &held_by(primary) & sockets;
    let by_worker: Vec<Inodes> = workers.iter().map(|pid| &held_by(*pid) & sockets).collect();
    let taken: Inodes = by_worker.iter().flatten().copied().collect();
    let one_each = by_worker.iter().all(|held| held.len() == 1)
        && taken.len() == workers.len()
        && taken == *sockets;
    let holding = if sockets.len() == 1 && by_primary == *sockets {
        if taken.is_empty() {
            Some(Holding::Primary)
        } else {
            by_worker
                .iter()
                .all(|held| held == sockets)
                .then_some(Holding::Together)
        }
    } else if one_each && by_primary == *sockets {
        Some(Holding::Each)
    } else if one_each && by_primary.is_empty() {
        Some(Holding::WithoutPrimary)
    } else {
        None
    };
    holding.ok_or_else(|| {
        format!("sockets {sockets:?}; the primary holds {by_primary:?}, the workers {by_worker:?}")
    })
}
