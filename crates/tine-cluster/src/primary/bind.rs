//! What did a worker ask to listen on?

use super::event::ListeningAddress;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use tine_ipc::{JsScalar, QueryServer};
use tine_sys::socket::{self, TcpOptions, UdpOptions};

/// Bit of `flags`: `ipv6Only`.
const ONLY_V6: i64 = 1;
/// Bit of `flags`: UDP `reuseAddr`.
const REUSE_ADDRESS: i64 = 4;
/// What Node uses when the program gives no backlog.
pub(super) const DEFAULT_BACKLOG: i32 = 511;

/// `PATH_MAX` of the kernel. A text that is longer names nothing and is not to be kept.
const LONGEST_PATH: usize = 4096;

/// A question of a worker, understood.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Tcp {
        address: SocketAddr,
        only_v6: Option<bool>,
        any: bool,
    },
    Udp {
        address: SocketAddr,
        only_v6: Option<bool>,
        reuse_address: bool,
    },
    Unix {
        path: PathBuf,
    },
    Inherited {
        number: i32,
    },
}

impl Target {
    /// Understands the question as Node's primary does.
    pub(super) fn of(query: &QueryServer) -> io::Result<Self> {
        if let Some(number) = query.fd.number()
            && number >= 0
        {
            let number = i32::try_from(number).map_err(|_| invalid("descriptor number"))?;
            return Ok(Self::Inherited { number });
        }
        let only_v6 = query.flags & ONLY_V6 != 0;
        match (&query.address_type, query.address_type.text()) {
            (JsScalar::Number(-1), _) => {
                let path = query
                    .address
                    .text()
                    .filter(|path| path.len() <= LONGEST_PATH)
                    .ok_or_else(|| invalid("path of a unix socket"))?;
                // An abstract name comes as `<cwd>/\0name`.
                let path = path.find('\0').map_or(path, |at| &path[at..]);
                Ok(Self::Unix {
                    path: PathBuf::from(path),
                })
            }
            (_, Some(family @ ("udp4" | "udp6"))) => {
                let v6 = family == "udp6";
                Ok(Self::Udp {
                    address: socket_address(query, v6)?,
                    only_v6: (v6 && only_v6).then_some(true),
                    reuse_address: query.flags & REUSE_ADDRESS != 0,
                })
            }
            (JsScalar::Number(6), _) => Ok(Self::Tcp {
                address: socket_address(query, true)?,
                only_v6: Some(only_v6),
                any: false,
            }),
            (JsScalar::Number(4), _) if query.address == JsScalar::Null => Ok(Self::Tcp {
                address: SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port(query)?),
                only_v6: Some(false),
                any: true,
            }),
            (JsScalar::Number(4), _) => Ok(Self::Tcp {
                address: socket_address(query, false)?,
                only_v6: None,
                any: false,
            }),
            _ => Err(invalid("address type")),
        }
    }

    /// For messages, before a port is known.
    pub(super) fn shown(&self) -> ListeningAddress {
        match self {
            Self::Tcp { address, .. } => ListeningAddress::Tcp(*address),
            Self::Udp { address, .. } => ListeningAddress::Udp(*address),
            Self::Unix { path } => ListeningAddress::Unix(path.clone()),
            Self::Inherited { number } => ListeningAddress::Descriptor(*number),
        }
    }
}

/// Binds a TCP address exclusively; "any" falls back to IPv4 where there is no IPv6.
pub(super) fn tcp(
    address: SocketAddr,
    only_v6: Option<bool>,
    any: bool,
    reuse_port: bool,
) -> io::Result<OwnedFd> {
    let bound = socket::tcp_bind(
        address,
        &TcpOptions {
            reuse_port,
            only_v6,
        },
    );
    match bound {
        Err(error) if any && is_no_ipv6(&error) => {
            let v4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
            socket::tcp_bind(
                v4,
                &TcpOptions {
                    reuse_port,
                    only_v6: None,
                },
            )
        }
        other => other,
    }
}

fn is_no_ipv6(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [
        rustix::io::Errno::AFNOSUPPORT,
        rustix::io::Errno::ADDRNOTAVAIL,
        rustix::io::Errno::INVAL,
    ]
    .iter()
    .any(|errno| code == Some(errno.raw_os_error()))
}

/// Binds a UDP address.
pub(super) fn udp(
    address: SocketAddr,
    only_v6: Option<bool>,
    reuse_address: bool,
) -> io::Result<OwnedFd> {
    socket::udp_bind(
        address,
        &UdpOptions {
            reuse_address,
            reuse_port: false,
            only_v6,
        },
    )
}

/// Binds a unix socket and makes it as open as the program wants it. A path too long for the
/// kernel (107 bytes) is reached through its folder.
pub(super) fn unix(path: &Path, query: &QueryServer) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags, chmod, open};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::ffi::OsStrExt as _;
    const LONGEST: usize = 107;
    let bytes = path.as_os_str().as_bytes();
    if bytes.first() == Some(&0) {
        // An abstract name is no file, and has no mode.
        return socket::unix_bind(path);
    }
    if bytes.len() <= LONGEST {
        let fd = socket::unix_bind(path)?;
        open_up(path, query)?;
        return Ok(fd);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(invalid("path of a unix socket"));
    };
    let folder = open(
        folder,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_fd().as_raw_fd())).join(name);
    let fd = socket::unix_bind(&short)?;
    open_up(path, query)?;
    return Ok(fd);

    fn open_up(path: &Path, query: &QueryServer) -> io::Result<()> {
        let mut mode = Mode::empty();
        if query.readable_all {
            mode |= Mode::RUSR | Mode::RGRP | Mode::ROTH;
        }
        if query.writable_all {
            mode |= Mode::WUSR | Mode::WGRP | Mode::WOTH;
        }
        if !mode.is_empty() {
            let opened = rustix::fs::stat(path)
                .and_then(|stat| chmod(path, Mode::from_raw_mode(stat.st_mode) | mode));
            if let Err(errno) = opened {
                // What stays would be "in use" at the next attempt.
                let _ = std::fs::remove_file(path);
                return Err(errno.into());
            }
        }
        Ok(())
    }
}

fn port(query: &QueryServer) -> io::Result<u16> {
    match &query.port {
        JsScalar::Number(number) => u16::try_from(*number).map_err(|_| invalid("port")),
        JsScalar::Undefined | JsScalar::Null => Ok(0),
        JsScalar::Text(_) | JsScalar::Other(_) => Err(invalid("port")),
    }
}

fn socket_address(query: &QueryServer, v6: bool) -> io::Result<SocketAddr> {
    let port = port(query)?;
    let Some(text) = query.address.text() else {
        let any: IpAddr = if v6 {
            Ipv6Addr::UNSPECIFIED.into()
        } else {
            Ipv4Addr::UNSPECIFIED.into()
        };
        return Ok(SocketAddr::new(any, port));
    };
    if let Some((address, zone)) = text.split_once('%') {
        let address: Ipv6Addr = address.parse().map_err(|_| invalid("IPv6 address"))?;
        let scope = match zone.parse() {
            Ok(number) => number,
            Err(_) => {
                let any = socket::udp_bind(
                    SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0),
                    &UdpOptions {
                        reuse_address: false,
                        reuse_port: false,
                        only_v6: None,
                    },
                )?;
                rustix::net::netdevice::name_to_index(any.as_fd(), zone)?
            }
        };
        return Ok(SocketAddrV6::new(address, port, 0, scope).into());
    }
    let address: IpAddr = text.parse().map_err(|_| invalid("IP address"))?;
    Ok(SocketAddr::new(address, port))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("not a usable {what}"))
}

/// The number that a worker is told: negative, as libuv has it.
pub(super) fn errno_of(error: &io::Error) -> i32 {
    -error
        .raw_os_error()
        .unwrap_or(rustix::io::Errno::INVAL.raw_os_error())
}
