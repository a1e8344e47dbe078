//! Who listens on a port?

use std::net::SocketAddr;

use rustix::process::Pid;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod platform;

pub use platform::holders;
#[cfg(target_os = "linux")]
pub(crate) use platform::{command, listeners, socket_inode};

/// A process that has a TCP socket listening on the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub pid: Pid,
    /// Its command line, words separated by spaces; its short name if it hides that.
    pub command: String,
    /// The address it listens on.
    pub address: SocketAddr,
}
