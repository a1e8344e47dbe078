//! What the kernel knows of the connections of a port.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod common;

use std::collections::HashSet;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use common::until;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::process::{Resource, getrlimit, setrlimit};
use tine_sys::connections::{Connection, cookie, open_at_listener, open_on_port, unread_at};
use tine_sys::socket::{TcpOptions, listen, tcp_bind};

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn listener(address: SocketAddr) -> (TcpListener, u16) {
    let options = TcpOptions {
        reuse_port: false,
        only_v6: Some(false),
    };
    let socket = tcp_bind(address, &options).unwrap();
    listen(socket.as_fd(), 4096).unwrap();
    let listener = TcpListener::from(socket);
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The client's and the server's end.
fn connected(listener: &TcpListener, to: SocketAddr) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(to).unwrap();
    (client, listener.accept().unwrap().0)
}

fn of(socket: &TcpStream) -> u64 {
    cookie(socket.as_fd()).unwrap()
}

fn held(port: u16, cookie: u64) -> Option<bool> {
    let found = open_on_port(port).unwrap();
    let mut of_it = found.iter().filter(|one| one.cookie == cookie);
    let answer = of_it.next().map(|one| one.held);
    assert_eq!(of_it.next(), None, "twice");
    answer
}

#[test]
fn connections_of_both_ip_versions_are_found_and_no_others() {
    let (dual, port) = listener((Ipv6Addr::UNSPECIFIED, 0).into());
    let (plain, other) = listener((LOOPBACK, 0).into());
    let of_four = connected(&dual, (LOOPBACK, port).into());
    let of_six = connected(&dual, (Ipv6Addr::LOCALHOST, port).into());
    let elsewhere = connected(&plain, (LOOPBACK, other).into());
    let expected = |ends: &[&TcpStream]| -> HashSet<Connection> {
        let each = ends.iter().map(|end| of(end));
        each.map(|cookie| Connection { cookie, held: true })
            .collect()
    };
    let found = |port| {
        open_on_port(port)
            .unwrap()
            .into_iter()
            .collect::<HashSet<_>>()
    };
    assert_eq!(found(port), expected(&[&of_four.1, &of_six.1]));
    assert_eq!(found(other), expected(&[&elsewhere.1]));
    let at = |listener: &TcpListener| {
        let found = open_at_listener(listener.as_fd()).unwrap();
        found.into_iter().collect::<HashSet<_>>()
    };
    assert_eq!(at(&dual), found(port));
    assert_eq!(at(&plain), found(other));
    // The client has a port too.
    let of_client = of_four.0.local_addr().unwrap().port();
    assert!(found(of_client).is_superset(&expected(&[&of_four.0])));
    assert_eq!(open_on_port(0).unwrap(), []);
}

#[test]
fn held_is_what_a_process_can_still_use() {
    let (listener, port) = listener((LOOPBACK, 0).into());
    let to = SocketAddr::from((LOOPBACK, port));

    let client = TcpStream::connect(to).unwrap();
    until("a connection in the queue", || {
        let queued = open_on_port(port).unwrap();
        queued.iter().any(|connection| !connection.held)
    });
    let server = listener.accept().unwrap().0;
    let cookie = of(&server);
    assert_eq!(held(port, cookie), Some(true), "accepted");

    // Both of its states after this end has said all.
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(held(port, cookie), Some(true), "half closed by this end");
    let copy = server.try_clone().unwrap();
    assert_eq!(of(&copy), cookie);
    drop(server);
    assert_eq!(held(port, cookie), Some(true), "has another descriptor");
    drop(copy);
    assert_ne!(held(port, cookie), Some(true), "closed");
    drop(client);

    let (client, server) = connected(&listener, to);
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        held(port, of(&server)),
        Some(true),
        "half closed by the other end"
    );
    drop(client);
    assert_eq!(
        held(port, of(&server)),
        Some(true),
        "closed by the other end"
    );

    let (_client, server) = connected(&listener, to);
    let cookie = of(&server);
    let (from, into) = UnixStream::pair().unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    let sent = [server.as_fd()];
    assert!(message.push(SendAncillaryMessage::ScmRights(&sent)));
    sendmsg(
        &from,
        &[IoSlice::new(b"x")],
        &mut message,
        SendFlags::empty(),
    )
    .unwrap();
    drop(server);
    assert_eq!(held(port, cookie), Some(true), "in a message");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = RecvFlags::CMSG_CLOEXEC;
    recvmsg(
        &into,
        &mut [IoSliceMut::new(&mut byte)],
        &mut message,
        flags,
    )
    .unwrap();
    let taken: Vec<_> = message
        .drain()
        .filter_map(|part| match part {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(taken.len(), 1);
    drop(taken);
    assert_ne!(held(port, cookie), Some(true), "closed where it arrived");
}

#[test]
fn a_list_of_many_parts_is_whole() {
    // More than four parts of 32 KiB, at more than 100 bytes each.
    const MANY: usize = 1500;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let (listener, port) = listener((LOOPBACK, 0).into());
    let to = SocketAddr::from((LOOPBACK, port));
    let all: Vec<_> = (0..MANY).map(|_| connected(&listener, to)).collect();
    let expected: HashSet<u64> = all.iter().map(|(_, server)| of(server)).collect();
    let found = open_on_port(port).unwrap();
    assert_eq!(found.len(), MANY);
    assert!(found.iter().all(|connection| connection.held));
    let found: HashSet<u64> = found.iter().map(|one| one.cookie).collect();
    assert_eq!(found, expected);
}

#[test]
fn no_privilege_is_needed_to_see_connections_of_others() {
    const NOBODY: u32 = 54321;
    let (listener, port) = listener((LOOPBACK, 0).into());
    let (_client, server) = connected(&listener, (LOOPBACK, port).into());
    let expected = Connection {
        cookie: of(&server),
        held: true,
    };
    let found = std::thread::spawn(move || {
        if rustix::process::geteuid().is_root() {
            let (user, call) = (NOBODY, libc::SYS_setresuid);
            // SAFETY: no memory is involved. The plain call changes this thread only.
            assert_eq!(unsafe { libc::syscall(call, user, user, user) }, 0);
        }
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(status.contains("CapEff:\t0000000000000000\n"), "{status}");
        open_on_port(port).unwrap()
    });
    assert_eq!(found.join().unwrap(), [expected]);
}

#[test]
fn what_is_no_socket_has_no_cookie() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let error = cookie(file.as_fd()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
}

#[test]
fn a_connection_is_unread_until_its_first_byte_is_read() {
    use std::io::{Read, Write};
    for address in [
        SocketAddr::from((LOOPBACK, 0)),
        (Ipv6Addr::LOCALHOST, 0).into(),
    ] {
        let (listener, port) = listener(address);
        let mut client = TcpStream::connect((address.ip(), port)).unwrap();
        let unread = || unread_at(&[port]).unwrap();
        assert_eq!(unread(), 0, "it waits to be accepted");
        let (mut server, _) = listener.accept().unwrap();
        assert_eq!(unread(), 1, "nothing has come");
        assert_eq!(unread_at(&[]).unwrap(), 0);
        client.write_all(b"hello").unwrap();
        until("five bytes", || {
            rustix::io::ioctl_fionread(&server).unwrap() == 5
        });
        assert_eq!(unread(), 1, "five bytes wait");
        server.read_exact(&mut [0; 1]).unwrap();
        assert_eq!(unread(), 0, "one was read");
        client.write_all(b"again").unwrap();
        until("nine bytes", || {
            rustix::io::ioctl_fionread(&server).unwrap() == 9
        });
        assert_eq!(unread(), 0, "it has been read from");

        let mut short = TcpStream::connect((address.ip(), port)).unwrap();
        let (_served, _) = listener.accept().unwrap();
        short.write_all(b"hello").unwrap();
        short.shutdown(Shutdown::Write).unwrap();
        until("its end", || {
            rustix::io::ioctl_fionread(&_served).unwrap() == 5
        });
        assert_eq!(unread(), 1, "its request waits, whatever has ended");
        let silent = TcpStream::connect((address.ip(), port)).unwrap();
        let (_silent, _) = listener.accept().unwrap();
        assert_eq!(unread(), 2);
        drop(silent);
        until("the end of the silent one", || unread() == 1);
    }
}
