//! Sockets: opening them the way servers need them, and asking what a descriptor is.

mod inspect;
mod open;

pub use inspect::{Kind, Queue, kind, local_address, queue, unread_by_peer};
pub use open::{
    TcpOptions, UdpOptions, accept, listen, set_reuse_port, stream_pair, tcp_bind, udp_bind,
    unix_bind,
};
