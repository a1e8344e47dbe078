//! Which sockets of a SO_REUSEPORT group receive new connections?
//!
//! Sockets of one user that are bound to the same address with SO_REUSEPORT and listen form a
//! group. Without a program, the kernel chooses by a hash of both addresses. A program on
//! the group chooses by position: for [`attach_random`] and [`attach_sticky`], which need no
//! privilege, positions are those in the kernel's array of the group's sockets:
//!
//! - a socket is appended when it *listens* (not when it is bound);
//! - when one is closed (its last descriptor, in any process) or shut down, the **last one moves
//!   into the hole**, as `Vec::swap_remove` does;
//! - a position beyond the end falls back to the hash, so between a close and the next attach
//!   nothing is lost.
//!
//! The caller keeps a mirror of that array. [`RoundRobin`] needs CAP_BPF, and positions
//! of its own choosing instead. A program stays with the group, not with the socket it was
//! attached through, until it is replaced, detached, or the group is gone.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

mod sticky;

#[cfg(target_os = "linux")]
mod classic;
#[cfg(target_os = "linux")]
mod ebpf;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod platform;
#[cfg(target_os = "linux")]
mod round_robin;
#[cfg(target_os = "linux")]
mod platform {
    pub use super::classic::{attach_random, attach_sticky, detach};
    pub use super::round_robin::RoundRobin;
}

pub use platform::{RoundRobin, attach_random, attach_sticky, detach};
pub use sticky::sticky_slot;

/// Whether programs without privilege can be attached here.
///
/// # Errors
/// What the kernel answered, on a socket made for the question.
pub fn probe_classic() -> io::Result<()> {
    let options = crate::socket::TcpOptions {
        reuse_port: true,
        only_v6: None,
    };
    let socket = crate::socket::tcp_bind(SocketAddr::from(([127, 0, 0, 1], 0)), &options)?;
    attach_random(socket.as_fd(), &[0])
}

/// Whether this process may load what [`RoundRobin`] needs.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] without CAP_BPF (before Linux 5.8: CAP_SYS_ADMIN), otherwise
/// what the kernel answered; with the last line of the verifier's log if it has refused the program.
pub fn probe_ebpf() -> io::Result<()> {
    RoundRobin::new(1).map(drop)
}
