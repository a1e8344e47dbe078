//! How do the bytes get through a socket? One `recvmsg` and one `sendmsg` at a time.

use crate::channel::{Channel, ProtocolError};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, send, sendmsg,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// So many bytes; there may be more.
    Bytes(usize),
    /// So many bytes, and that was all there was. Who waits for edges may wait for the next one,
    /// unless the end of the peer is among what has been announced.
    All(usize),
    /// Nothing to read now.
    WouldBlock,
    /// The peer has closed its end.
    Closed,
}

/// Why a channel ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The peer broke the protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// Reading or writing the socket failed.
    #[error("the channel's socket: {0}")]
    Socket(#[from] std::io::Error),
}

/// Descriptors that are taken from one read. Linux ends a read after the first message that
/// carries any, so more than a few mean a peer that is not playing by the rules.
const DESCRIPTORS: usize = 8;

/// Reads once from a non-blocking socket into `channel`, through `buffer`.
///
/// # Errors
/// When the socket fails, `buffer` is empty, or the peer breaks the protocol. A reset counts as
/// closed.
pub fn receive(
    socket: BorrowedFd<'_>,
    channel: &mut Channel,
    buffer: &mut [u8],
) -> Result<Received, ChannelError> {
    if buffer.is_empty() {
        return Err(ChannelError::Socket(
            std::io::ErrorKind::InvalidInput.into(),
        ));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    #[cfg(target_os = "linux")]
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    let flags = RecvFlags::DONTWAIT;
    let result = loop {
        match recvmsg(
            socket,
            &mut [IoSliceMut::new(buffer)],
            &mut ancillary,
            flags,
        ) {
            Err(Errno::INTR) => {}
            other => break other,
        }
    };
    let message = match result {
        Ok(message) => message,
        Err(Errno::AGAIN) => return Ok(Received::WouldBlock),
        Err(Errno::CONNRESET) => return Ok(Received::Closed),
        Err(error) => return Err(ChannelError::Socket(error.into())),
    };
    // Out of descriptors: what did arrive cannot be told from what did not, so the message is
    // refused and its sender decides.
    let truncated = message.flags.contains(ReturnFlags::CTRUNC);
    if truncated {
        channel.receive_lost_fd();
    }
    let mut cut_short = truncated;
    for item in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = item {
            // Linux ends a read behind the first bytes that carry descriptors, and nowhere else.
            cut_short = true;
            for fd in descriptors.filter(|_| !truncated) {
                channel.receive_fd(fd);
            }
        }
    }
    if message.bytes == 0 {
        return Ok(Received::Closed);
    }
    channel.receive(&buffer[..message.bytes])?;
    let all = cfg!(target_os = "linux") && message.bytes < buffer.len() && !cut_short;
    Ok(if all {
        Received::All(message.bytes)
    } else {
        Received::Bytes(message.bytes)
    })
}

/// How far a flush came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// All is written.
    All,
    /// The socket is full: wait until it is writable.
    WouldBlock,
    /// A Deno peer has to read what was written before it may get a handle, or too many
    /// descriptors are in flight. No readiness event tells this: try again a moment later.
    PeerMustRead,
}

/// Writes what `channel` has queued to a non-blocking socket, until it is full.
///
/// `unread` tells how many written bytes the peer has not read (`SIOCOUTQ` on Linux); it is asked
/// only for peers that need it.
///
/// # Errors
/// When the socket fails, for example with `EPIPE` because the peer has closed. More than the
/// limit of descriptors in flight (`ETOOMANYREFS`, unix(7)) is no error but
/// [`Flushed::PeerMustRead`].
pub fn flush(
    socket: BorrowedFd<'_>,
    channel: &mut Channel,
    unread: impl Fn(BorrowedFd<'_>) -> std::io::Result<usize>,
) -> Result<Flushed, ChannelError> {
    #[cfg(target_os = "linux")]
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    #[cfg(not(target_os = "linux"))]
    let flags = SendFlags::DONTWAIT;
    while let Some(transmit) = channel.poll_transmit() {
        if transmit.only_when_drained {
            if unread(socket)? > 0 {
                return Ok(Flushed::PeerMustRead);
            }
            channel.drained();
            continue;
        }
        let result = match transmit.fd {
            None => send(socket, transmit.bytes, flags),
            Some(fd) => {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
                let mut ancillary = SendAncillaryBuffer::new(&mut space);
                let descriptors = [fd];
                ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
                sendmsg(
                    socket,
                    &[IoSlice::new(transmit.bytes)],
                    &mut ancillary,
                    flags,
                )
            }
        };
        match result {
            Ok(count) => channel.transmitted(count),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(Flushed::WouldBlock),
            Err(Errno::TOOMANYREFS | Errno::NOBUFS) => return Ok(Flushed::PeerMustRead),
            Err(error) => return Err(ChannelError::Socket(error.into())),
        }
    }
    Ok(Flushed::All)
}
