use std::fs::{self, File};
use std::net::{TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::{env, process};

/// Below the ephemeral range (32768 and up by default, ip(7) `ip_local_port_range`): no outgoing
/// connection of anybody takes one of these in the meantime.
const RANGE: Range<u16> = 12_000..30_000;

/// What this process has taken: the next candidate and the locks it holds.
static TAKEN: Mutex<Option<Taken>> = Mutex::new(None);

struct Taken {
    next: u16,
    locks: Vec<File>,
}

/// A TCP port on which nobody listens, on any address, and which no other test process gets from
/// here as long as this one lives.
///
/// # Panics
/// When there is none, or the folder of locks cannot be used.
#[must_use]
pub fn free_tcp() -> u16 {
    take("TCP", is_free_tcp)
}

fn is_free_tcp(port: u16) -> bool {
    TcpListener::bind(("0.0.0.0", port)).is_ok()
        // Where there is no IPv6 nobody can be in the way there.
        && (TcpListener::bind(("::", port)).is_ok() || !has_ipv6())
}

/// As [`free_tcp`], for UDP.
///
/// # Panics
/// When there is none, or the folder of locks cannot be used.
#[must_use]
pub fn free_udp() -> u16 {
    take("UDP", |port| {
        UdpSocket::bind(("0.0.0.0", port)).is_ok()
            && (UdpSocket::bind(("::", port)).is_ok() || !has_ipv6())
    })
}

fn has_ipv6() -> bool {
    UdpSocket::bind(("::1", 0)).is_ok()
}

fn take(protocol: &str, is_free: impl Fn(u16) -> bool) -> u16 {
    let folder = env::temp_dir().join("tine-testkit-ports");
    fs::create_dir_all(&folder)
        .unwrap_or_else(|error| panic!("creating {}: {error}", folder.display()));
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let width = u32::from(RANGE.end - RANGE.start);
    let taken = taken.get_or_insert_with(|| Taken {
        // Processes that start together begin at different places.
        next: RANGE.start + (process::id().wrapping_mul(7919) % width) as u16,
        locks: Vec::new(),
    });
    for _ in RANGE {
        let port = taken.next;
        taken.next = if port + 1 == RANGE.end {
            RANGE.start
        } else {
            port + 1
        };
        let path = folder.join(port.to_string());
        // The lock ends with this process, however that ends.
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .unwrap_or_else(|error| panic!("opening {}: {error}", path.display()));
        if lock.try_lock().is_ok() && is_free(port) {
            taken.locks.push(lock);
            return port;
        }
    }
    panic!("no free {protocol} port in {RANGE:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_port_is_given_once_and_only_when_free() {
        let ports: BTreeSet<u16> = (0..20).map(|_| free_tcp()).collect();
        assert_eq!(ports.len(), 20);
        let held = TcpListener::bind(("127.0.0.1", free_tcp())).unwrap();
        assert!(!is_free_tcp(held.local_addr().unwrap().port()));
        assert_ne!(free_udp(), free_udp());
    }
}
