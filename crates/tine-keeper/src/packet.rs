//! One packet and the descriptors beside it.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::protocol::{MAX_PACKET, MAX_PACKET_DESCRIPTORS};

/// What was received.
#[derive(Debug)]
pub(crate) enum Received {
    /// Its bytes are in the buffer: this many.
    Packet(usize, Vec<OwnedFd>),
    /// Its bytes are in the buffer: this many. Descriptors beside it could not be taken
    /// (`EMFILE`); those that could are closed.
    Bare(usize),
    /// A packet that is longer than any may be, or descriptors that are too many. They are closed.
    Unfit,
    /// Nothing now.
    Nothing,
    /// The other side has gone.
    End,
}

/// Sends one packet, or none of it. Never blocks.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_PACKET_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::TOOBIG);
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    loop {
        match sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags) {
            Err(Errno::INTR) => {}
            sent => return sent.map(drop),
        }
    }
}

/// Receives one packet into `buffer` of [`MAX_PACKET`] bytes. Never blocks.
pub(crate) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> rustix::io::Result<Received> {
    debug_assert_eq!(buffer.len(), MAX_PACKET);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_PACKET_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = loop {
        match recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, flags) {
            // The other side went without having read everything. That is told once, and before
            // what it had said: that comes next, then the end.
            Err(Errno::INTR | Errno::CONNRESET) => {}
            Err(Errno::AGAIN) => return Ok(Received::Nothing),
            received => break received?,
        }
    };
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    if received.bytes == 0 {
        return Ok(Received::End);
    }
    // The kernel may fit more into the space than was meant to be.
    if received.flags.contains(ReturnFlags::TRUNC) || fds.len() > MAX_PACKET_DESCRIPTORS {
        return Ok(Received::Unfit);
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Ok(Received::Bare(received.bytes));
    }
    Ok(Received::Packet(received.bytes, fds))
}

const SEALED: SealFlags = SealFlags::WRITE
    .union(SealFlags::GROW)
    .union(SealFlags::SHRINK);

/// A memfd that holds `bytes` and can change no more.
pub(crate) fn sealed(bytes: &[u8]) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("tine-keeper", flags)?);
    file.write_all(bytes)?;
    fcntl_add_seals(&file, SEALED)?;
    Ok(file.into())
}

/// How many bytes a sealed memfd holds; `None` if it is anything else. Only memory knows seals, so
/// reading what passes here never blocks.
pub(crate) fn sealed_length(fd: BorrowedFd<'_>) -> Option<u64> {
    let seals = fcntl_get_seals(fd).ok()?;
    seals.contains(SEALED).then_some(())?;
    u64::try_from(fstat(fd).ok()?.st_size).ok()
}

/// All that a sealed memfd holds.
pub(crate) fn read_sealed(fd: OwnedFd, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut bytes = vec![0; length];
    // By offset: the position is shared with everyone else who has it.
    File::from(fd).read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
