//! Sockets open as servers need them, and every descriptor is told apart.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;

use tine_sys::socket::{
    Kind, TcpOptions, UdpOptions, accept, kind, listen, local_address, queue, set_reuse_port,
    stream_pair, tcp_bind, udp_bind, unix_bind, unread_by_peer,
};

fn local(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn bound() -> OwnedFd {
    tcp_bind(local("127.0.0.1:0"), &TcpOptions::default()).unwrap()
}

#[test]
fn every_kind_of_descriptor_is_told_apart() {
    let is = |fd: &dyn AsFd, expected: Kind| assert_eq!(kind(fd.as_fd()).unwrap(), expected);
    let tcp = bound();
    is(&tcp, Kind::TcpUnconnected);
    listen(tcp.as_fd(), 5).unwrap();
    is(&tcp, Kind::TcpListener);
    let client = TcpStream::connect(local_address(tcp.as_fd()).unwrap()).unwrap();
    is(&client, Kind::TcpConnection);
    is(&TcpListener::bind("[::1]:0").unwrap(), Kind::TcpListener);
    is(&UdpSocket::bind("127.0.0.1:0").unwrap(), Kind::Udp);

    let folder = tempfile::tempdir().unwrap();
    let unix = unix_bind(&folder.path().join("socket")).unwrap();
    is(&unix, Kind::UnixOther);
    listen(unix.as_fd(), 5).unwrap();
    is(&unix, Kind::UnixListener);
    is(
        &UnixStream::connect(folder.path().join("socket")).unwrap(),
        Kind::UnixConnection,
    );
    is(&stream_pair().unwrap().0, Kind::UnixConnection);
    is(&UnixDatagram::unbound().unwrap(), Kind::UnixOther);

    is(&std::io::pipe().unwrap().0, Kind::Pipe);
    is(
        &std::fs::File::create(folder.path().join("file")).unwrap(),
        Kind::File,
    );
    is(
        &std::fs::File::open("/dev/null").unwrap(),
        Kind::CharacterDevice,
    );
    is(&std::fs::File::open(folder.path()).unwrap(), Kind::Other);
    let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    is(&event, Kind::Other);
    use rustix::net::{AddressFamily, SocketType, ipproto, socket};
    if let Ok(mptcp) = socket(
        AddressFamily::INET,
        SocketType::STREAM,
        Some(ipproto::MPTCP),
    ) {
        listen(mptcp.as_fd(), 5).unwrap();
        is(&mptcp, Kind::TcpListener);
    }
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, None).unwrap();
    is(&netlink, Kind::Other);
}

#[test]
fn the_queue_of_a_listener_is_counted() {
    let listener = bound();
    let error = queue(listener.as_fd()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    listen(listener.as_fd(), 7).unwrap();
    assert_eq!(accept(listener.as_fd()).unwrap().map(drop), None);
    let address = local_address(listener.as_fd()).unwrap();
    let clients: Vec<_> = (0..3)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let waiting = queue(listener.as_fd()).unwrap();
    assert_eq!((waiting.waiting, waiting.limit), (3, 7));
    let first = accept(listener.as_fd()).unwrap().unwrap();
    assert_eq!(kind(first.as_fd()).unwrap(), Kind::TcpConnection);
    let flags = rustix::io::fcntl_getfd(&first).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    assert!(
        rustix::fs::fcntl_getfl(&first)
            .unwrap()
            .contains(rustix::fs::OFlags::NONBLOCK)
    );
    assert_eq!(queue(listener.as_fd()).unwrap().waiting, 2);
    drop(clients);
    // A listener may be given a longer queue later.
    listen(listener.as_fd(), 9).unwrap();
    assert_eq!(queue(listener.as_fd()).unwrap().limit, 9);
    let (unix, _peer) = stream_pair().unwrap();
    assert!(queue(unix.as_fd()).is_err());
}

#[test]
fn what_the_peer_has_not_read_is_counted() {
    let (near, far) = stream_pair().unwrap();
    assert_eq!(unread_by_peer(near.as_fd()).unwrap(), 0);
    let (mut near, mut far) = (UnixStream::from(near), UnixStream::from(far));
    near.write_all(b"hello").unwrap();
    assert!(unread_by_peer(near.as_fd()).unwrap() >= 5);
    far.read_exact(&mut [0; 5]).unwrap();
    assert_eq!(unread_by_peer(near.as_fd()).unwrap(), 0);
    assert!(unread_by_peer(std::fs::File::open("/dev/null").unwrap().as_fd()).is_err());
}

#[test]
fn an_address_is_shared_only_when_all_ask_for_it() {
    let in_use = |result: std::io::Result<OwnedFd>| {
        result.is_err_and(|error| error.raw_os_error() == Some(libc::EADDRINUSE))
    };
    let shared = TcpOptions {
        reuse_port: true,
        only_v6: None,
    };
    let first = tcp_bind(local("127.0.0.1:0"), &shared).unwrap();
    let address = local_address(first.as_fd()).unwrap();
    listen(first.as_fd(), 5).unwrap();
    let second = tcp_bind(address, &shared).unwrap();
    listen(second.as_fd(), 5).unwrap();
    assert!(in_use(tcp_bind(address, &TcpOptions::default())));
    // The same, for sockets that someone else has made.
    use rustix::net::{AddressFamily, SocketType, bind, socket};
    let foreign = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    set_reuse_port(foreign.as_fd(), true).unwrap();
    set_reuse_port(foreign.as_fd(), false).unwrap();
    assert_eq!(bind(&foreign, &address), Err(rustix::io::Errno::ADDRINUSE));
    set_reuse_port(foreign.as_fd(), true).unwrap();
    bind(&foreign, &address).unwrap();

    let udp = udp_bind(local("127.0.0.1:0"), &UdpOptions::default()).unwrap();
    let address = local_address(udp.as_fd()).unwrap();
    assert!(in_use(udp_bind(address, &UdpOptions::default())));
    for options in [
        UdpOptions {
            reuse_port: true,
            ..UdpOptions::default()
        },
        UdpOptions {
            reuse_address: true,
            ..UdpOptions::default()
        },
    ] {
        let first = udp_bind(local("127.0.0.1:0"), &options).unwrap();
        udp_bind(local_address(first.as_fd()).unwrap(), &options).unwrap();
    }
}

#[test]
fn the_wildcard_of_ipv6_takes_ipv4_or_leaves_it() {
    let reaches_ipv4 = |only_v6| {
        let options = TcpOptions {
            reuse_port: false,
            only_v6: Some(only_v6),
        };
        let socket = tcp_bind(local("[::]:0"), &options).unwrap();
        listen(socket.as_fd(), 5).unwrap();
        let port = local_address(socket.as_fd()).unwrap().port();
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    };
    assert!(reaches_ipv4(false));
    assert!(!reaches_ipv4(true));
}

#[test]
fn unix_sockets_have_paths_or_abstract_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let first = unix_bind(&path).unwrap();
    let second = unix_bind(&path).unwrap_err();
    assert_eq!(second.raw_os_error(), Some(libc::EADDRINUSE));
    listen(first.as_fd(), 5).unwrap();
    UnixStream::connect(&path).unwrap();
    assert!(local_address(first.as_fd()).is_err());

    let name = format!("\0tine-sys-test-{}", std::process::id());
    let hidden = unix_bind(Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()))).unwrap();
    listen(hidden.as_fd(), 5).unwrap();
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name[1..]).unwrap();
    UnixStream::connect_addr(&address).unwrap();
    let long = "x".repeat(200);
    let error = unix_bind(Path::new(&long)).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENAMETOOLONG));
}
