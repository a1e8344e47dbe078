//! What can a worker listen on?

use super::Worker;
use super::listener::{Listener, Open, UnixListener};
use super::servers::{Granted, Wanted, primary_is_gone};
use super::shared::Shared;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use tine_ipc::{JsScalar, QueryServer};
use tokio::sync::oneshot;

/// Bit of `flags`: `ipv6Only`.
const ONLY_V6: i64 = 1;
/// Bit of `flags`: UDP `reuseAddr`.
const REUSE_ADDRESS: i64 = 4;

/// A TCP address to listen on, and how. Workers that are to share a port must name the same
/// address in the same way.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    address: Option<IpAddr>,
    port: u16,
    backlog: Option<u32>,
    only_v6: bool,
}

impl ListenOptions {
    /// Listens on this address. Port 0 is one free port for all workers: the nth listener on port
    /// 0 of each worker has the same one.
    #[must_use]
    pub fn tcp(address: SocketAddr) -> Self {
        Self {
            address: Some(address.ip()),
            ..Self::any(address.port())
        }
    }

    /// Listens on every address of the machine, IPv6 and IPv4: what Node's `listen(port)` does, and
    /// the same listener for Node workers that call it.
    #[must_use]
    pub fn any(port: u16) -> Self {
        Self {
            address: None,
            port,
            backlog: None,
            only_v6: false,
        }
    }

    /// So many connections may wait to be accepted; 511 unless said, as Node has it, and at most
    /// `net.core.somaxconn`. For a listener that the workers share, what the first one says counts.
    #[must_use]
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = Some(connections);
        self
    }

    /// An IPv6 listener leaves the same port of IPv4 alone.
    #[must_use]
    pub fn only_v6(mut self, only: bool) -> Self {
        self.only_v6 = only;
        self
    }

    fn query(&self) -> QueryServer {
        QueryServer {
            address: text_or_null(self.address),
            port: JsScalar::Number(i64::from(self.port)),
            address_type: JsScalar::Number(match self.address {
                Some(IpAddr::V6(_)) => 6,
                // Without an address Node says 4, and means both.
                Some(IpAddr::V4(_)) | None => 4,
            }),
            flags: if self.only_v6 { ONLY_V6 } else { 0 },
            backlog: self.backlog.and_then(|backlog| i32::try_from(backlog).ok()),
            ..QueryServer::default()
        }
    }
}

fn text_or_null(address: Option<IpAddr>) -> JsScalar {
    address.map_or(JsScalar::Null, |ip| JsScalar::Text(ip.to_string()))
}

/// A unix socket to listen on, and how.
#[derive(Debug, Clone)]
pub struct UnixOptions {
    path: PathBuf,
    backlog: Option<u32>,
    readable_all: bool,
    writable_all: bool,
}

impl UnixOptions {
    /// Listens at this path; a relative one counts from this process's working directory. The
    /// primary binds it, and removes it in the end.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            backlog: None,
            readable_all: false,
            writable_all: false,
        }
    }

    /// As [`ListenOptions::backlog`].
    #[must_use]
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = Some(connections);
        self
    }

    /// Every user of the machine may read from the socket. A Node primary heeds it in round robin
    /// only.
    #[must_use]
    pub fn readable_all(mut self) -> Self {
        self.readable_all = true;
        self
    }

    /// Every user of the machine may write to the socket, and so connect to it. A Node primary
    /// heeds it in round robin only.
    #[must_use]
    pub fn writable_all(mut self) -> Self {
        self.writable_all = true;
        self
    }
}

/// A UDP address to bind, and how.
#[derive(Debug, Clone)]
pub struct UdpOptions {
    address: SocketAddr,
    only_v6: bool,
    reuse_address: bool,
}

impl UdpOptions {
    /// Binds this address. Port 0 is one free port for all workers.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            only_v6: false,
            reuse_address: false,
        }
    }

    /// An IPv6 socket leaves the same port of IPv4 alone.
    #[must_use]
    pub fn only_v6(mut self, only: bool) -> Self {
        self.only_v6 = only;
        self
    }

    /// Other sockets may have the address too (SO_REUSEADDR), also a second one of this worker.
    #[must_use]
    pub fn reuse_address(mut self, reuse: bool) -> Self {
        self.reuse_address = reuse;
        self
    }
}

impl Worker {
    /// Listens on a TCP address that all workers share. Port 0 is one free port for all of them.
    ///
    /// # Errors
    /// What the primary met when it bound the address, with its number
    /// ([`raw_os_error`](io::Error::raw_os_error)): `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`. That
    /// the primary is gone (`BrokenPipe`), or that this worker leaves (`NotConnected`).
    /// `Unsupported` in a process that has a channel and no number, and so no cluster.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<Listener> {
        self.listen_with(ListenOptions::tcp(address)).await
    }

    /// As [`listen`](Self::listen), with all that can be said about it.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub async fn listen_with(&self, options: ListenOptions) -> io::Result<Listener> {
        let (open, granted) = self.ask_to_listen(options.query(), Wanted::Tcp).await?;
        Listener::new(open, granted)
    }

    /// Listens on a unix socket that all workers share.
    ///
    /// # Errors
    /// As [`listen`](Self::listen); `InvalidInput` for a path that is not UTF-8, which Node's
    /// protocol cannot say.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub async fn listen_unix(&self, path: impl Into<PathBuf>) -> io::Result<UnixListener> {
        self.listen_unix_with(UnixOptions::new(path)).await
    }

    /// As [`listen_unix`](Self::listen_unix), with all that can be said about it.
    ///
    /// # Errors
    /// As [`listen_unix`](Self::listen_unix).
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub async fn listen_unix_with(&self, options: UnixOptions) -> io::Result<UnixListener> {
        let path = absolute(&std::env::current_dir()?, &options.path);
        let Some(text) = path.to_str() else {
            let text = format!("listening on {}: the path is not UTF-8", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        };
        let query = QueryServer {
            address: JsScalar::Text(text.to_owned()),
            port: JsScalar::Number(-1),
            address_type: JsScalar::Number(-1),
            backlog: options
                .backlog
                .and_then(|backlog| i32::try_from(backlog).ok()),
            readable_all: options.readable_all,
            writable_all: options.writable_all,
            ..QueryServer::default()
        };
        let (open, granted) = self.ask_to_listen(query, Wanted::Unix).await?;
        UnixListener::new(open, granted, path)
    }

    /// Binds a UDP address that all workers share: each datagram goes to one of them, as the kernel
    /// wakes them. It is one socket in several processes, under every policy.
    ///
    /// The primary keeps the address for this worker until the channel closes, also when the socket
    /// is dropped before: binding the same address again is then `EADDRINUSE`.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub async fn bind_udp(&self, address: SocketAddr) -> io::Result<tokio::net::UdpSocket> {
        self.bind_udp_with(UdpOptions::new(address)).await
    }

    /// As [`bind_udp`](Self::bind_udp), with all that can be said about it.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub async fn bind_udp_with(&self, options: UdpOptions) -> io::Result<tokio::net::UdpSocket> {
        let UdpOptions {
            address,
            only_v6,
            reuse_address,
        } = options;
        let family = if address.is_ipv6() { "udp6" } else { "udp4" };
        let only_v6 = if only_v6 { ONLY_V6 } else { 0 };
        let reuse_address = if reuse_address { REUSE_ADDRESS } else { 0 };
        let query = QueryServer {
            address: text_or_null(Some(address.ip())),
            port: JsScalar::Number(i64::from(address.port())),
            address_type: JsScalar::Text(family.to_owned()),
            fd: JsScalar::Number(-1),
            flags: only_v6 | reuse_address,
            ..QueryServer::default()
        };
        let mut asking = self.ask(query, Wanted::Udp)?;
        let mut granted = asking.granted().await?;
        let socket = granted.socket.take().ok_or_else(primary_is_gone)?;
        let socket = tokio::net::UdpSocket::from_std(socket.into());
        if socket.is_err() {
            self.shared.with(|state| state.return_grant(granted));
        }
        socket
    }

    async fn ask_to_listen(
        &self,
        query: QueryServer,
        wanted: Wanted,
    ) -> io::Result<(Open, Granted)> {
        let granted = self.ask(query, wanted)?.granted().await?;
        Ok((Open::new(self.shared.clone(), granted.server), granted))
    }

    fn ask(&self, query: QueryServer, wanted: Wanted) -> io::Result<Asking> {
        if self.id().is_none() {
            let text = "listening: NODE_UNIQUE_ID is not set, so this is no worker of a cluster";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        let reply = self.shared.with(|state| state.ask(query, wanted))?;
        Ok(Asking {
            shared: self.shared.clone(),
            reply,
        })
    }
}

/// A question under way. What is granted after the asker has gone is given back.
struct Asking {
    shared: Arc<Shared>,
    reply: oneshot::Receiver<io::Result<Granted>>,
}

impl Asking {
    async fn granted(&mut self) -> io::Result<Granted> {
        (&mut self.reply)
            .await
            .unwrap_or_else(|_| Err(primary_is_gone()))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.reply.close();
        if let Ok(Ok(granted)) = self.reply.try_recv() {
            self.shared.with(|state| state.return_grant(granted));
        }
    }
}

/// As Node's `path.resolve`: workers that name one path in two ways get one listener.
fn absolute(folder: &Path, path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for component in folder.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                whole.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                whole.push(component);
            }
        }
    }
    whole
}

/// The address of a listener that has no socket of its own and was told none.
pub(super) const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_resolved_as_node_resolves_it() {
        let resolved = |path| absolute(Path::new("/a/b"), Path::new(path));
        assert_eq!(resolved("s"), Path::new("/a/b/s"));
        assert_eq!(resolved("./s/"), Path::new("/a/b/s"));
        assert_eq!(resolved("../s"), Path::new("/a/s"));
        assert_eq!(resolved("../../../s"), Path::new("/s"));
        assert_eq!(resolved("/x//y/../s"), Path::new("/x/s"));
    }
}
