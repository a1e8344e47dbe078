//! Asking the kernel for its sockets (sock_diag(7), netlink(7)).

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
    sockopt,
};

use super::Connection;
use crate::errno::while_doing;

/// A number that means this socket, whatever descriptors and processes it has, and is not used
/// again until the host is started anew (SO_COOKIE, Linux 4.12).
///
/// # Errors
/// `ENOTSOCK`; `ENOPROTOOPT` before Linux 4.12.
pub fn cookie(fd: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(sockopt::socket_cookie(fd)?)
}

/// The connections whose local port is `port`, of both IP versions, in this network namespace, in
/// no order. Without those that are still being established, that wait out their end (TIME_WAIT),
/// or that both sides have ended. A multipath connection (MPTCP) is there by its paths, whose
/// cookies are other ones.
///
/// A moment's picture: a connection that comes or goes meanwhile may be in it or not. Needs no
/// privilege, and sees connections of every user.
///
/// The cost has two parts: the kernel goes through its whole table of connections, once for each IP
/// version, so that the size of the table (it grows with the memory of the host) and connections of
/// other ports count; and some for each connection found. Measured on Linux 6.18, 24 GB of memory,
/// one core of a virtual machine: 0.3 ms for each IP version when there is none, and 0.8 µs for
/// each connection: with 10,000 of them 9 ms.
///
/// # Errors
/// What the kernel answered, and at which step: `EPROTONOSUPPORT` or `ENOENT` where it is built
/// without (CONFIG_INET_TCP_DIAG), or cannot load it; [`io::ErrorKind::Interrupted`] if its table
/// changed so that the list is not whole: trying again may help. [`io::ErrorKind::InvalidData`] or
/// [`io::ErrorKind::UnexpectedEof`] for an answer that is none.
pub fn open_on_port(port: u16) -> io::Result<Vec<Connection>> {
    list(&[AddressFamily::INET, AddressFamily::INET6], port)
}

/// As [`open_on_port`] for the port that a TCP socket listens on, at half the cost: of the IP
/// version that the socket is of. All connections that it has accepted or will accept are (on a
/// socket of version 6, clients of version 4 too).
///
/// # Errors
/// As for [`open_on_port`]; `EAFNOSUPPORT` if it is no IP socket, `ENOTSOCK`.
pub fn open_at_listener(listener: BorrowedFd<'_>) -> io::Result<Vec<Connection>> {
    let address = crate::socket::local_address(listener)?;
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    list(&[family], address.port())
}

fn list(families: &[AddressFamily], port: u16) -> io::Result<Vec<Connection>> {
    if port == 0 {
        // To the kernel this is every port; no connection has it.
        return Ok(Vec::new());
    }
    let kernel = open().map_err(|errno| while_doing("opening a sock_diag socket", errno.into()))?;
    let mut found = Vec::new();
    let mut buffer = vec![0; ANSWER_BYTES];
    for (sequence, family) in (1..).zip(families) {
        let request = request(sequence, *family, port);
        dump(kernel.as_fd(), &request, sequence, &mut buffer, &mut found).map_err(|error| {
            while_doing(
                &format!("listing the TCP connections of port {port}"),
                error,
            )
        })?;
    }
    Ok(found)
}

fn open() -> rustix::io::Result<std::os::fd::OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        flags,
        Some(SOCK_DIAG),
    )?;
    // From now on only the kernel is heard.
    connect(&socket, &SocketAddrNetlink::new(0, 0))?;
    Ok(socket)
}

/// The kernel makes no larger parts of a list than this.
const ANSWER_BYTES: usize = 32 * 1024;

fn dump(
    kernel: BorrowedFd<'_>,
    request: &[u8],
    sequence: u32,
    buffer: &mut [u8],
    found: &mut Vec<Connection>,
) -> io::Result<()> {
    retry_on_intr(|| send(kernel, request, SendFlags::empty()))?;
    loop {
        // The kernel makes each part while the one before is being read, so there always is one;
        // and never is waited for one that does not come.
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        let received = retry_on_intr(|| recv(kernel, &mut *buffer, flags));
        let length = match received {
            Ok((_, length)) => length,
            Err(Errno::AGAIN) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(errno) => return Err(errno.into()),
        };
        let answer = buffer.get(..length).ok_or(io::ErrorKind::InvalidData)?;
        if read_answer(answer, sequence, found)? == Part::Last {
            return Ok(());
        }
    }
}

// linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h: numbers are in the host's order, except
// ports.
const HEADER_BYTES: usize = 16;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const FLAG_REQUEST: u16 = 0x1;
const FLAG_DUMP: u16 = 0x300;
const FLAG_INTERRUPTED: u16 = 0x10;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;
/// Bytes of `struct inet_diag_msg`, after which come attributes nobody asked for.
const SOCKET_BYTES: usize = 72;
/// Where in it are the cookie (two words, the low one first) and the inode.
const COOKIE: usize = 44;
const INODE: usize = 68;
/// Bits by the number of the state (the kernel's include/net/tcp_states.h): ESTABLISHED, FIN_WAIT1,
/// FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING.
const STATES: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;

/// A header and a `struct inet_diag_req_v2`.
fn request(sequence: u32, family: AddressFamily, port: u16) -> [u8; 72] {
    const IPPROTO_TCP: u8 = 6;
    let mut bytes = [0; 72];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &72_u32.to_ne_bytes());
    put(4, &SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    put(6, &(FLAG_REQUEST | FLAG_DUMP).to_ne_bytes());
    put(8, &sequence.to_ne_bytes());
    put(16, &[family.as_raw() as u8, IPPROTO_TCP]);
    put(20, &STATES.to_ne_bytes());
    put(24, &port.to_be_bytes());
    bytes
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    More,
    Last,
}

/// Adds the sockets of one part of an answer to `found`.
fn read_answer(mut answer: &[u8], sequence: u32, found: &mut Vec<Connection>) -> io::Result<Part> {
    let short = || io::Error::from(io::ErrorKind::InvalidData);
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    while !answer.is_empty() {
        let length = word(answer, 0).ok_or_else(short)? as usize;
        let kind = half(answer, 4).ok_or_else(short)?;
        let flags = half(answer, 6).ok_or_else(short)?;
        let of = word(answer, 8).ok_or_else(short)?;
        let body = answer.get(HEADER_BYTES..length).ok_or_else(short)?;
        let next = length.next_multiple_of(4).min(answer.len());
        answer = &answer[next..];
        if of != sequence {
            continue;
        }
        if flags & FLAG_INTERRUPTED != 0 {
            let text = "the table of sockets changed meanwhile";
            return Err(io::Error::new(io::ErrorKind::Interrupted, text));
        }
        match kind {
            SOCK_DIAG_BY_FAMILY if body.len() >= SOCKET_BYTES => {
                let at = |at| word(body, at).map_or(0, u64::from);
                found.push(Connection {
                    cookie: at(COOKIE) | at(COOKIE + 4) << 32,
                    held: at(INODE) != 0,
                });
            }
            SOCK_DIAG_BY_FAMILY => return Err(short()),
            // Both carry an errno below zero, or 0; the end may carry nothing.
            ERROR | DONE => match word(body, 0).map(|errno| errno as i32) {
                Some(errno) if errno < 0 => {
                    return Err(io::Error::from_raw_os_error(errno.saturating_neg()));
                }
                None if kind == ERROR => return Err(short()),
                _ if kind == DONE => return Ok(Part::Last),
                _ => {}
            },
            OVERRUN => return Err(Errno::NOBUFS.into()),
            _ => {}
        }
    }
    Ok(Part::More)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    four.try_into().ok().map(u32::from_ne_bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    two.try_into().ok().map(u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let length = (HEADER_BYTES + body.len()) as u32;
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn socket(cookie: u64, inode: u32) -> Vec<u8> {
        let mut body = vec![0; SOCKET_BYTES + 8];
        body[COOKIE..COOKIE + 4].copy_from_slice(&(cookie as u32).to_ne_bytes());
        body[COOKIE + 4..COOKIE + 8].copy_from_slice(&((cookie >> 32) as u32).to_ne_bytes());
        body[INODE..INODE + 4].copy_from_slice(&inode.to_ne_bytes());
        message(SOCK_DIAG_BY_FAMILY, 2, 7, &body)
    }

    fn read(bytes: &[u8]) -> io::Result<(Part, Vec<Connection>)> {
        let mut found = Vec::new();
        read_answer(bytes, 7, &mut found).map(|part| (part, found))
    }

    #[test]
    fn sockets_are_read_until_the_end() {
        let first = [socket(1 << 40 | 5, 9), socket(6, 0)].concat();
        let both = vec![
            Connection {
                cookie: 1 << 40 | 5,
                held: true,
            },
            Connection {
                cookie: 6,
                held: false,
            },
        ];
        assert_eq!(read(&first).unwrap(), (Part::More, both.clone()));
        for end in [&[][..], &[0; 4]] {
            let whole = [&first[..], &message(DONE, 2, 7, end)].concat();
            assert_eq!(read(&whole).unwrap(), (Part::Last, both.clone()));
        }
        // What belongs to another question is not ours.
        let other = message(DONE, 2, 6, &[]);
        assert_eq!(read(&[other, first].concat()).unwrap(), (Part::More, both));
    }

    #[test]
    fn refusals_say_what_the_kernel_said() {
        let errno = |kind, errno: i32| {
            let answer = message(kind, 0, 7, &(-errno).to_ne_bytes());
            read(&answer).unwrap_err().raw_os_error()
        };
        assert_eq!(errno(ERROR, libc::ENOENT), Some(libc::ENOENT));
        assert_eq!(errno(DONE, libc::ENOMEM), Some(libc::ENOMEM));
        assert_eq!(errno(OVERRUN, 0), Some(libc::ENOBUFS));
        let smallest = message(ERROR, 0, 7, &i32::MIN.to_ne_bytes());
        assert!(read(&smallest).is_err());
        let changed = message(SOCK_DIAG_BY_FAMILY, 2 | FLAG_INTERRUPTED, 7, &[0; 72]);
        assert_eq!(
            read(&changed).unwrap_err().kind(),
            io::ErrorKind::Interrupted
        );
    }

    #[test]
    fn what_is_cut_off_or_lies_about_its_length_is_an_error() {
        let whole = [socket(5, 9), message(DONE, 2, 7, &[0; 4])].concat();
        let first = socket(5, 9).len();
        for length in 0..whole.len() {
            match read(&whole[..length]) {
                Ok((part, found)) => {
                    assert_eq!((length, part, found.len()), (first, Part::More, 1));
                }
                Err(error) => {
                    let kind = error.kind();
                    let of_nothing = kind == io::ErrorKind::UnexpectedEof && length == 0;
                    assert!(of_nothing || kind == io::ErrorKind::InvalidData, "{length}");
                }
            }
        }
        for length in [0_u32, 1, 15, 17, 4096, u32::MAX] {
            let mut lies = message(DONE, 2, 7, &[]);
            lies[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(
                read(&lies).unwrap_err().kind(),
                io::ErrorKind::InvalidData,
                "{length}"
            );
        }
        let small = message(SOCK_DIAG_BY_FAMILY, 2, 7, &[0; SOCKET_BYTES - 4]);
        assert!(read(&small).is_err());
        assert!(read(&message(ERROR, 0, 7, &[])).is_err());
    }
}
