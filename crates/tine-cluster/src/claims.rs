//! How many of the sockets that a Node server has sent here are still open here?
//!
//! A `net.Server` of Node counts connections that it has sent to another process
//! (`getConnections`), and does not end its `close()` before they are closed there: it asks. What
//! was received belongs to our program, which closes it without telling anybody. The kernel knows:
//! each TCP connection has a number of its own (`SO_COOKIE`), and can be listed with whether a
//! process still holds it. Connections that cannot be listed (unix sockets, other systems than Linux)
//! count as closed.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use tine_sys::connections;

/// A key that is longer is none of Node's, which are an address and a port.
const KEY: usize = 256;
/// Sockets of one sender that are counted; more count as closed.
const COUNTED: usize = 10_000;
/// Looking at the kernel's table may take so much time at once ...
const BURST: Duration = Duration::from_millis(20);
/// ... and one part of this many in the long run. Meanwhile what was seen last is the answer.
const SHARE: u32 = 10;

/// Sockets received, by the key that their sender gave.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    received: BTreeMap<String, Vec<Claim>>,
    /// How many there are, at most.
    total: usize,
    /// Keys whose sender waits for all of them to be closed.
    awaited: BTreeSet<String>,
    /// Time taken from the kernel's table, less what has been paid back since.
    debt: Duration,
    looked: Option<Instant>,
}

/// All of it, to be handed over to another program image.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WrittenClaims {
    received: BTreeMap<String, Vec<Claim>>,
    awaited: Vec<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Claim {
    cookie: u64,
    port: u16,
}

impl Claims {
    pub(crate) fn written(&self) -> WrittenClaims {
        WrittenClaims {
            received: self.received.clone(),
            awaited: self.awaited.iter().cloned().collect(),
        }
    }

    /// As [`written`](Self::written) when all sockets that were received are closed.
    pub(crate) fn awaited(&self) -> WrittenClaims {
        WrittenClaims {
            received: BTreeMap::new(),
            awaited: self.awaited.iter().cloned().collect(),
        }
    }

    pub(crate) fn of(written: WrittenClaims) -> Self {
        Self {
            total: written.received.values().map(Vec::len).sum(),
            received: written.received,
            awaited: written.awaited.into_iter().collect(),
            ..Self::default()
        }
    }

    /// A socket has come, and is given to the program.
    pub(crate) fn received(&mut self, key: String, socket: BorrowedFd<'_>) {
        let claim = || {
            let port = tine_sys::socket::local_address(socket).ok()?.port();
            let cookie = connections::cookie(socket).ok()?;
            Some(Claim { cookie, port })
        };
        if key.len() > KEY {
            return;
        }
        if self.total >= COUNTED {
            // Most of them will be closed by now.
            self.count(&key);
        }
        if self.total < COUNTED
            && let Some(claim) = claim()
        {
            let claims = self.received.entry(key).or_default();
            // All sockets of one server have its port.
            if claims.first().is_none_or(|first| first.port == claim.port) {
                claims.push(claim);
                self.total += 1;
            }
        }
    }

    /// Whether the kernel may be asked once more.
    fn may_look(&mut self, now: Instant) -> bool {
        let since = self.looked.map_or(Duration::MAX, |then| now - then);
        self.debt = self.debt.saturating_sub(since / SHARE);
        self.looked = Some(now);
        self.debt < BURST
    }

    /// How many of a key are still open; when it was asked for too often, how many were.
    pub(crate) fn count(&mut self, key: &str) -> usize {
        if !self.received.contains_key(key) {
            return 0;
        }
        let began = Instant::now();
        let may_look = self.may_look(began);
        let Some(claims) = self.received.get_mut(key) else {
            return 0;
        };
        if !may_look {
            return claims.len();
        }
        let Some(port) = claims.first().map(|first| first.port) else {
            return 0;
        };
        let before = claims.len();
        match connections::open_on_port(port) {
            Ok(listed) => {
                let held = listed.into_iter().filter(|it| it.held);
                let open: HashSet<u64> = held.map(|it| it.cookie).collect();
                claims.retain(|claim| open.contains(&claim.cookie));
            }
            // The table has changed meanwhile: as it was, until it is asked again.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => claims.clear(),
        }
        self.total -= before - claims.len();
        self.debt += began.elapsed();
        let count = claims.len();
        if count == 0 {
            self.received.remove(key);
        }
        count
    }

    /// The sender waits for all of a key to be closed. `true` when they are.
    pub(crate) fn closed(&mut self, key: &str) -> bool {
        let closed = self.count(key) == 0;
        if !closed {
            self.awaited.insert(key.to_owned());
        }
        closed
    }

    /// Whether [`closed_since`](Self::closed_since) has to be asked again a moment later.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// Awaited keys of which nothing is open any more.
    pub(crate) fn closed_since(&mut self) -> Vec<String> {
        let awaited: Vec<String> = self.awaited.iter().cloned().collect();
        let closed: Vec<String> = awaited
            .into_iter()
            .filter(|key| self.count(key) == 0)
            .collect();
        for key in &closed {
            self.awaited.remove(key);
        }
        closed
    }
}

/// What the sender of sockets asks.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    cmd: String,
    key: String,
}

impl Asked {
    /// The answer to a question about sockets, if it is one and can be given now.
    pub(crate) fn answer(body: &tine_ipc::Body, claims: &mut Claims) -> Option<tine_ipc::Body> {
        let Self { cmd, key } = body.read().ok()?;
        match cmd.as_str() {
            "NODE_SOCKET_GET_COUNT" => {
                let count = u32::try_from(claims.count(&key)).unwrap_or(u32::MAX);
                Some(tine_ipc::encode::socket_count(&key, count))
            }
            "NODE_SOCKET_NOTIFY_CLOSE" => claims
                .closed(&key)
                .then(|| tine_ipc::encode::socket_all_closed(&key)),
            _ => None,
        }
    }
}

/// The socket of a message that was received, counted if its sender counts it.
pub(crate) fn received(handle: tine_ipc::Handle, claims: &mut Claims) -> crate::Handle {
    if let Some(key) = handle.key {
        claims.received(key, handle.fd.as_fd());
    }
    crate::Handle::received(handle.fd)
}
