//! Asking the kernel for its sockets (sock_diag(7), netlink(7)).

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use rustix::net::{AddressFamily, sockopt};

use super::Connection;
use super::netlink::{Kernel, Request, word};
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
    let mut kernel = Kernel::open()?;
    let mut found = Vec::new();
    for family in families {
        let request = request(*family, STATES, port);
        let listed = kernel.list(&request, |body| found.push(connection(body)));
        listed.map_err(|error| {
            let what = format!("listing the TCP connections of port {port}");
            while_doing(&what, error)
        })?;
    }
    Ok(found)
}

fn connection(body: &[u8]) -> Connection {
    let at = |at| word(body, at).map_or(0, u64::from);
    Connection {
        cookie: at(COOKIE) | at(COOKIE + 4) << 32,
        held: at(INODE) != 0,
    }
}

// linux/inet_diag.h: numbers are in the host's order, except ports and addresses.
/// Bytes of `struct inet_diag_msg`, after which come attributes nobody asked for.
pub(super) const SOCKET_BYTES: usize = 72;
/// Where in it are the cookie (two words, the low one first) and the inode.
const COOKIE: usize = 44;
pub(super) const INODE: usize = 68;
/// Bits by the number of the state (the kernel's include/net/tcp_states.h): ESTABLISHED, FIN_WAIT1,
/// FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING.
const STATES: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;

/// A `struct inet_diag_req_v2`.
pub(super) fn request(family: AddressFamily, states: u32, port: u16) -> Request {
    const IPPROTO_TCP: u8 = 6;
    let mut body = [0; 56];
    let mut put = |at: usize, value: &[u8]| body[at..at + value.len()].copy_from_slice(value);
    put(0, &[family.as_raw() as u8, IPPROTO_TCP]);
    put(4, &states.to_ne_bytes());
    put(8, &port.to_be_bytes());
    Request {
        body: body.to_vec(),
        least_bytes: SOCKET_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_told_by_its_cookie_and_whether_it_is_held() {
        let socket = |cookie: u64, inode: u32| {
            let mut body = vec![0; SOCKET_BYTES];
            body[COOKIE..COOKIE + 4].copy_from_slice(&(cookie as u32).to_ne_bytes());
            body[COOKIE + 4..COOKIE + 8].copy_from_slice(&((cookie >> 32) as u32).to_ne_bytes());
            body[INODE..INODE + 4].copy_from_slice(&inode.to_ne_bytes());
            connection(&body)
        };
        let cookie = 1 << 40 | 5;
        assert_eq!(socket(cookie, 9), Connection { cookie, held: true });
        let cookie = 6;
        assert_eq!(
            socket(cookie, 0),
            Connection {
                cookie,
                held: false
            }
        );
    }
}
