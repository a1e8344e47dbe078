//! How to ask this kernel: spawning, reaping, sockets, steering. The only unsafe code of the project.
//!
//! Nothing here decides, retries by policy or remembers: a function asks one question and hands
//! back the kernel's answer. Thin wrappers return the kernel's errno untouched
//! ([`std::io::Error::raw_os_error`] is set), so that it can be passed on to a worker; the caller
//! knows the address or the name and says so. Operations of several steps say which step failed.
//!
//! Linux is the platform. What only Linux can answer has a `linux.rs` beside an `other.rs` that
//! answers [`std::io::ErrorKind::Unsupported`] (or that it is not known).

pub mod connections;
pub mod cores;
mod errno;
pub mod exec;
pub mod inherited;
pub mod memory;
pub mod port_owner;
pub mod probe;
pub mod reap;
pub mod scheduling;
pub mod socket;
pub mod spawn;
pub mod steer;
pub mod tree;
pub mod usage;
pub mod user;

pub use rustix::process::Pid;
