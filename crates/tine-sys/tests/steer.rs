//! Only the sockets that were said receive connections.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use tine_sys::socket::{TcpOptions, accept, listen, local_address, tcp_bind};
use tine_sys::steer::{
    RoundRobin, attach_random, attach_sticky, detach, probe_classic, probe_ebpf, sticky_slot,
};

const CONNECTIONS: u32 = 400;
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Listening sockets of one group, in the order of the kernel's array.
struct Group {
    sockets: Vec<OwnedFd>,
    port: u16,
}

impl Group {
    fn new(address: IpAddr, count: usize) -> Self {
        let options = TcpOptions {
            reuse_port: true,
            only_v6: Some(false),
        };
        let mut port = 0;
        let sockets = (0..count)
            .map(|_| {
                let socket = tcp_bind(SocketAddr::new(address, port), &options).unwrap();
                port = local_address(socket.as_fd()).unwrap().port();
                listen(socket.as_fd(), 1024).unwrap();
                socket
            })
            .collect();
        Self { sockets, port }
    }

    fn any(&self) -> std::os::fd::BorrowedFd<'_> {
        self.sockets[0].as_fd()
    }

    /// One connection after another from `client`; how many each socket got.
    fn spread(&self, client: IpAddr, connections: u32) -> Vec<u32> {
        let mut got = vec![0; self.sockets.len()];
        for _ in 0..connections {
            let _connection = self.connect(client);
            let deadline = Instant::now() + Duration::from_secs(20);
            // The client may know that it is connected before the listener does.
            while !self.accept_one(&mut got) {
                assert!(
                    Instant::now() < deadline,
                    "a connection came to none of the sockets"
                );
                std::thread::yield_now();
            }
        }
        got
    }

    fn connect(&self, client: IpAddr) -> OwnedFd {
        let (family, server): (_, IpAddr) = match client {
            IpAddr::V4(_) => (AddressFamily::INET, LOOPBACK),
            IpAddr::V6(_) => (AddressFamily::INET6, Ipv6Addr::LOCALHOST.into()),
        };
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, None).unwrap();
        bind(&socket, &SocketAddr::new(client, 0)).unwrap();
        connect(&socket, &SocketAddr::new(server, self.port)).unwrap();
        socket
    }

    fn accept_one(&self, got: &mut [u32]) -> bool {
        let mut any = false;
        for (socket, count) in self.sockets.iter().zip(got) {
            if accept(socket.as_fd()).unwrap().is_some() {
                *count += 1;
                any = true;
            }
        }
        any
    }
}

fn receivers(spread: &[u32]) -> Vec<usize> {
    (0..spread.len())
        .filter(|index| spread[*index] > 0)
        .collect()
}

#[test]
fn random_steering_reaches_exactly_the_live_sockets() {
    probe_classic().unwrap();
    let group = Group::new(LOOPBACK, 4);
    for live in [vec![0, 1, 2, 3], vec![0, 2], vec![3], vec![1, 2, 3]] {
        attach_random(group.any(), &live).unwrap();
        let spread = group.spread(LOOPBACK, CONNECTIONS);
        let expected: Vec<usize> = live.iter().map(|index| *index as usize).collect();
        assert_eq!(receivers(&spread), expected, "{spread:?}");
        // By chance; half of the mean is more than five deviations away.
        let least = CONNECTIONS / live.len() as u32 / 2;
        assert!(
            expected.iter().all(|index| spread[*index] > least),
            "{spread:?}"
        );
    }
    // None live, beyond the end, and no program at all: the kernel's hash.
    attach_random(group.any(), &[]).unwrap();
    assert_eq!(
        receivers(&group.spread(LOOPBACK, CONNECTIONS)),
        [0, 1, 2, 3]
    );
    attach_random(group.any(), &[4, 5]).unwrap();
    assert_eq!(
        receivers(&group.spread(LOOPBACK, CONNECTIONS)),
        [0, 1, 2, 3]
    );
    attach_random(group.any(), &[2]).unwrap();
    assert_eq!(receivers(&group.spread(LOOPBACK, 20)), [2]);
    detach(group.any()).unwrap();
    assert_eq!(
        receivers(&group.spread(LOOPBACK, CONNECTIONS)),
        [0, 1, 2, 3]
    );
    detach(group.any()).unwrap();
}

#[test]
fn a_hundred_live_sockets_can_be_named() {
    let group = Group::new(LOOPBACK, 3);
    let live: Vec<u32> = (0..100).map(|_| 1).collect();
    attach_random(group.any(), &live).unwrap();
    assert_eq!(group.spread(LOOPBACK, 50), [0, 50, 0]);
}

#[test]
fn when_a_socket_closes_the_last_one_moves_into_its_place() {
    let mut group = Group::new(LOOPBACK, 4);
    drop(group.sockets.remove(1));
    // What were 0, 2, 3 are now at 0, 2 and, moved, 1.
    for (position, socket) in [(0, 0), (1, 2), (2, 1)] {
        attach_random(group.any(), &[position]).unwrap();
        assert_eq!(
            receivers(&group.spread(LOOPBACK, 20)),
            [socket],
            "position {position}"
        );
    }
    // The end has moved too: beyond it is the hash.
    attach_random(group.any(), &[3]).unwrap();
    assert_eq!(receivers(&group.spread(LOOPBACK, CONNECTIONS)), [0, 1, 2]);
}

#[test]
fn positions_are_in_order_of_listening_not_of_binding() {
    let options = TcpOptions {
        reuse_port: true,
        only_v6: None,
    };
    let bound_first = tcp_bind(SocketAddr::new(LOOPBACK, 0), &options).unwrap();
    let address = local_address(bound_first.as_fd()).unwrap();
    let bound_last = tcp_bind(address, &options).unwrap();
    listen(bound_last.as_fd(), 64).unwrap();
    listen(bound_first.as_fd(), 64).unwrap();
    let group = Group {
        sockets: vec![bound_last, bound_first],
        port: address.port(),
    };
    for position in [0, 1] {
        attach_random(group.any(), &[position]).unwrap();
        assert_eq!(receivers(&group.spread(LOOPBACK, 20)), [position as usize]);
    }
}

#[test]
fn sticky_steering_gives_one_client_one_socket() {
    // Clients of both families on one socket.
    let group = Group::new(Ipv6Addr::UNSPECIFIED.into(), 4);
    let table = [3, 1, 0, 2, 2];
    attach_sticky(group.any(), &table).unwrap();
    let slots = table.len() as u32;
    let mut used = [false; 5];
    for last in 1..=40 {
        let client = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        let slot = sticky_slot(client, slots) as usize;
        used[slot] = true;
        let spread = group.spread(client, 5);
        assert_eq!(
            receivers(&spread),
            [table[slot] as usize],
            "{client}: {spread:?}"
        );
    }
    assert_eq!(used, [true; 5], "forty clients use every slot");
    let client = IpAddr::V6(Ipv6Addr::LOCALHOST);
    for slots in 1..=4 {
        // A table that names another socket in every place.
        let table: Vec<u32> = (0..slots).collect();
        attach_sticky(group.any(), &table).unwrap();
        let expected = sticky_slot(client, slots) as usize;
        assert_eq!(
            receivers(&group.spread(client, 20)),
            [expected],
            "{slots} slots"
        );
    }
    attach_sticky(group.any(), &[]).unwrap();
    assert_eq!(receivers(&group.spread(client, CONNECTIONS)), [0, 1, 2, 3]);
}

/// The kernel's turns; or, where this user may not have them, proof that it was refused cleanly.
fn round_robin(capacity: u32) -> Option<RoundRobin> {
    match RoundRobin::new(capacity) {
        Ok(turns) => {
            probe_ebpf().unwrap();
            Some(turns)
        }
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
            let probed = probe_ebpf().unwrap_err();
            assert_eq!(probed.kind(), io::ErrorKind::PermissionDenied, "{probed}");
            assert!(
                probed.to_string().contains("creating the map of"),
                "{probed}"
            );
            None
        }
    }
}

#[test]
fn turns_are_exact() {
    let Some(turns) = round_robin(8) else { return };
    let mut group = Group::new(LOOPBACK, 4);
    for (index, socket) in group.sockets.iter().enumerate() {
        // Positions need not be those of the kernel's array.
        turns.set_socket(7 - index as u32, socket.as_fd()).unwrap();
    }
    turns.attach(group.any()).unwrap();
    assert_eq!(
        receivers(&group.spread(LOOPBACK, CONNECTIONS)),
        [0, 1, 2, 3],
        "none live: hash"
    );
    turns.set_live(&[7, 6, 5, 4]).unwrap();
    assert_eq!(group.spread(LOOPBACK, CONNECTIONS), [100, 100, 100, 100]);
    turns.set_live(&[6, 4]).unwrap();
    assert_eq!(group.spread(LOOPBACK, CONNECTIONS), [0, 200, 0, 200]);
    turns.set_live(&[7, 6, 5]).unwrap();
    assert_eq!(group.spread(LOOPBACK, 300), [100, 100, 100, 0]);

    // A close elsewhere changes no position, although the kernel's array has moved.
    turns.set_live(&[7, 5, 4]).unwrap();
    drop(group.sockets.remove(1));
    assert_eq!(group.spread(LOOPBACK, 300), [100, 100, 100]);
    // An empty place that is still live loses nothing.
    turns.set_live(&[6]).unwrap();
    assert_eq!(receivers(&group.spread(LOOPBACK, CONNECTIONS)), [0, 1, 2]);
    turns.clear_socket(5).unwrap();
    turns.clear_socket(5).unwrap();
    turns.set_live(&[5]).unwrap();
    assert_eq!(receivers(&group.spread(LOOPBACK, CONNECTIONS)), [0, 1, 2]);
    turns.set_live(&[7]).unwrap();
    // The program stays when its handle is gone, until it is taken off.
    drop(turns);
    assert_eq!(receivers(&group.spread(LOOPBACK, 20)), [0]);
    detach(group.any()).unwrap();
    assert_eq!(receivers(&group.spread(LOOPBACK, CONNECTIONS)), [0, 1, 2]);
}

#[test]
fn what_cannot_take_turns_is_refused() {
    for capacity in [0, 4097] {
        let error = RoundRobin::new(capacity).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    }
    let Some(turns) = round_robin(2) else { return };
    for live in [&[2][..], &[0, 1, 0]] {
        assert_eq!(
            turns.set_live(live).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
    let alone = tcp_bind(SocketAddr::new(LOOPBACK, 0), &TcpOptions::default()).unwrap();
    listen(alone.as_fd(), 5).unwrap();
    assert_eq!(
        turns.attach(alone.as_fd()).unwrap_err().raw_os_error(),
        Some(libc::EINVAL)
    );
    let refused = turns.set_socket(0, alone.as_fd()).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EINVAL));
    let group = Group::new(LOOPBACK, 1);
    let beyond = turns.set_socket(2, group.any()).unwrap_err();
    assert_eq!(beyond.raw_os_error(), Some(libc::E2BIG));
    turns.set_socket(0, group.any()).unwrap();
    let twice = turns.set_socket(1, group.any()).unwrap_err();
    assert_eq!(twice.raw_os_error(), Some(libc::EBUSY));
}

/// A segment without a connection: an ACK from a port that nobody has.
fn send_stray_ack(port: u16) -> rustix::io::Result<()> {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(rustix::net::ipproto::TCP),
    )?;
    // Source port 1, any sequence numbers, 5 words of header, ACK, a window.
    let mut header = [0_u8; 20];
    header[1] = 1;
    header[2..4].copy_from_slice(&port.to_be_bytes());
    header[12..16].copy_from_slice(&[5 << 4, 0x10, 4, 0]);
    // Over the pseudo header (addresses, protocol 6, length) and the header (RFC 9293).
    let pseudo = [127, 0, 0, 1, 127, 0, 0, 1, 0, 6, 0, 20];
    let words = pseudo.chunks(2).chain(header.chunks(2));
    let sum: u32 = words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    header[16..18].copy_from_slice(&checksum.to_be_bytes());
    let to = SocketAddr::new(LOOPBACK, 0);
    rustix::net::sendto(&socket, &header, rustix::net::SendFlags::empty(), &to).map(drop)
}

#[test]
fn a_segment_that_opens_no_connection_takes_no_turn() {
    let Some(turns) = round_robin(2) else { return };
    let group = Group::new(LOOPBACK, 2);
    for (position, socket) in (0..).zip(&group.sockets) {
        turns.set_socket(position, socket.as_fd()).unwrap();
    }
    turns.attach(group.any()).unwrap();
    turns.set_live(&[0, 1]).unwrap();
    let mut got = [0, 0];
    for _ in 0..20 {
        if let Err(error) = send_stray_ack(group.port) {
            eprintln!("not shown: no raw sockets here: {error}");
            return;
        }
        for (sum, more) in got.iter_mut().zip(group.spread(LOOPBACK, 1)) {
            *sum += more;
        }
    }
    assert_eq!(got, [10, 10]);
}
