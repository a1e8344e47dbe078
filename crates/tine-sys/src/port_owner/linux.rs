//! Listening sockets by inode (proc_pid_net(5)), and the processes that have them open.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use rustix::process::Pid;

use super::Holder;

/// Every process that has a TCP socket listening on `port`, in this network namespace, as far as
/// this user may see; empty when it cannot be known, as for other users' processes without
/// privilege. A socket inherited by several processes is named for each.
#[must_use]
pub fn holders(port: u16) -> Vec<Holder> {
    let listening = read_tables().into_iter();
    let sockets: HashMap<u64, SocketAddr> = listening
        .filter(|l| l.address.port() == port)
        .map(|l| (l.inode, l.address))
        .collect();
    if sockets.is_empty() {
        return Vec::new();
    }
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for process in processes.flatten() {
        let number = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(pid) = number.and_then(Pid::from_raw) else {
            continue;
        };
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let mut inodes: Vec<u64> = descriptors
            .flatten()
            .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
            .filter_map(|target| socket_inode(&target))
            .filter(|inode| sockets.contains_key(inode))
            .collect();
        inodes.sort_unstable();
        inodes.dedup();
        found.extend(inodes.into_iter().filter_map(|inode| {
            let address = *sockets.get(&inode)?;
            Some(Holder {
                pid,
                command: command(&process.path()),
                address,
            })
        }));
    }
    found
}

/// Every TCP socket that listens in this network namespace, when sock_diag cannot be asked.
pub(crate) fn listeners() -> io::Result<Vec<crate::connections::Listener>> {
    use crate::connections::ListenerAddress;
    fs::metadata("/proc/self/net/tcp")?;
    let all = read_tables().into_iter();
    Ok(all
        .map(|listener| crate::connections::Listener {
            inode: listener.inode,
            address: ListenerAddress::Tcp(listener.address),
        })
        .collect())
}

fn read_tables() -> Vec<Listener> {
    let mut found = Vec::new();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        let Ok(file) = fs::File::open(table) else {
            continue;
        };
        let lines = BufReader::new(file).lines().skip(1).map_while(Result::ok);
        // The kernel lists listeners before connections (of which there may be very many).
        found.extend(lines.map_while(|line| parse_listener(&line)));
    }
    found
}

pub(crate) fn command(process: &Path) -> String {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    let words: Vec<_> = line
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(String::from_utf8_lossy)
        .collect();
    if words.is_empty() {
        fs::read_to_string(process.join("comm"))
            .unwrap_or_default()
            .trim_end()
            .to_owned()
    } else {
        words.join(" ")
    }
}

/// 123 of `socket:[123]`.
pub(crate) fn socket_inode(target: &Path) -> Option<u64> {
    target
        .to_str()?
        .strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

#[derive(Debug, PartialEq, Eq)]
struct Listener {
    address: SocketAddr,
    inode: u64,
}

/// "  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 4711 ...";
/// `None` for anything that does not listen.
fn parse_listener(line: &str) -> Option<Listener> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (address, port) = fields.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    // Each group of eight digits is one 32-bit word, printed as the machine reads it.
    let word = |index: usize| {
        let digits = address.get(index * 8..index * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let ip = if address.len() == 8 {
        Ipv4Addr::from(word(0)?).into()
    } else {
        let mut bytes = [0; 16];
        for (index, four) in bytes.chunks_exact_mut(4).enumerate() {
            four.copy_from_slice(&word(index)?);
        }
        Ipv6Addr::from(bytes).into()
    };
    Some(Listener {
        address: SocketAddr::new(ip, port),
        inode: fields.get(9)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn rows_of_both_tables_are_understood() {
        let row = |local: &str, state: &str| {
            format!(
                "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000 \
                 0 4711 1 0000000000000000 100 0 0 10 0"
            )
        };
        let address = |local: &str| {
            parse_listener(&row(local, "0A"))
                .unwrap()
                .address
                .to_string()
        };
        assert_eq!(address("0100007F:1F90"), "127.0.0.1:8080");
        assert_eq!(address("00000000000000000000000001000000:0050"), "[::1]:80");
        assert_eq!(
            address("B80D01200000000000000000010000FF:0050"),
            "[2001:db8::ff00:1]:80"
        );
        assert_eq!(
            parse_listener(&row("0100007F:1F90", "0A")).unwrap().inode,
            4711
        );
        assert_eq!(parse_listener(&row("0100007F:1F90", "01")), None);
        assert_eq!(parse_listener("  sl  local_address"), None);
    }

    #[test]
    fn the_tables_have_what_listens() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut all = listeners().unwrap().into_iter();
        let wanted = crate::connections::ListenerAddress::Tcp(address);
        assert!(all.any(|it| it.address == wanted));
    }

    #[test]
    fn a_listener_of_this_process_is_found_with_its_command() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let found = holders(address.port());
        let own = std::process::id() as i32;
        let holder = found.iter().find(|h| h.pid.as_raw_pid() == own).unwrap();
        assert_eq!(holder.address, address);
        assert!(holder.command.contains("tine_sys"), "{}", holder.command);
        drop(listener);
        assert!(
            holders(address.port())
                .iter()
                .all(|holder| holder.pid.as_raw_pid() != own)
        );
    }
}
