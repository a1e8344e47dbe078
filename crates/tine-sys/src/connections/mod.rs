//! Which TCP connections does this host have on a port, and are they still held by a process? Which
//! sockets listen, and whose are they?

#[cfg(target_os = "linux")]
mod listening;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod platform;
#[cfg(target_os = "linux")]
mod unread;

#[cfg(target_os = "linux")]
pub use listening::{Listener, ListenerAddress, listeners, sockets_of};
#[cfg(not(target_os = "linux"))]
pub use platform::unread_at;
pub use platform::{cookie, open_at_listener, open_on_port};
#[cfg(target_os = "linux")]
pub use unread::unread_at;

/// A TCP connection that is not over for the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Connection {
    /// The socket's, as [`cookie`] tells it.
    pub cookie: u64,
    /// A process has a descriptor of it (or it is on its way to one, in a message). Not so for one
    /// that waits to be accepted, nor for one whose last descriptor is closed while the kernel
    /// still brings it to an end with the other side.
    pub held: bool,
}
