//! A question to the kernel about its sockets, and the parts of the answer (sock_diag(7),
//! netlink(7)).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
};

use crate::errno::while_doing;

/// Which sockets are asked for.
#[derive(Debug)]
pub(super) struct Request {
    /// The structure of the family.
    pub(super) body: Vec<u8>,
    /// Bytes of the structure in which each socket is told, at least.
    pub(super) least_bytes: usize,
}

/// The kernel, as one who answers.
#[derive(Debug)]
pub(super) struct Kernel {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

/// The kernel makes no larger parts of a list than this.
const ANSWER_BYTES: usize = 32 * 1024;

impl Kernel {
    pub(super) fn open() -> io::Result<Self> {
        let open = || {
            let flags = SocketFlags::CLOEXEC;
            let family = AddressFamily::NETLINK;
            let socket = socket_with(family, SocketType::DGRAM, flags, Some(SOCK_DIAG))?;
            // From now on only the kernel is heard.
            connect(&socket, &SocketAddrNetlink::new(0, 0))?;
            Ok(socket)
        };
        let socket = open()
            .map_err(|errno: Errno| while_doing("opening a sock_diag socket", errno.into()))?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: vec![0; ANSWER_BYTES],
        })
    }

    /// Gives the structure of each socket, and the attributes behind it, to `each`.
    pub(super) fn list(
        &mut self,
        request: &Request,
        mut each: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        self.sequence += 1;
        let bytes = message(
            SOCK_DIAG_BY_FAMILY,
            FLAG_REQUEST | FLAG_DUMP,
            self.sequence,
            &request.body,
        );
        retry_on_intr(|| send(self.socket.as_fd(), &bytes, SendFlags::empty()))?;
        loop {
            // The kernel makes each part while the one before is being read, so there always is
            // one; and never is waited for one that does not come.
            let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
            let received = retry_on_intr(|| recv(&self.socket, &mut *self.buffer, flags));
            let length = match received {
                Ok((_, length)) => length,
                Err(Errno::AGAIN) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(errno) => return Err(errno.into()),
            };
            let answer = self.buffer.get(..length);
            let answer = answer.ok_or(io::ErrorKind::InvalidData)?;
            let least = request.least_bytes;
            if read_answer(answer, self.sequence, least, &mut each)? == Part::Last {
                return Ok(());
            }
        }
    }
}

// linux/netlink.h, linux/sock_diag.h: numbers are in the host's order.
const HEADER_BYTES: usize = 16;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const FLAG_REQUEST: u16 = 0x1;
const FLAG_DUMP: u16 = 0x300;
const FLAG_INTERRUPTED: u16 = 0x10;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;

fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = (HEADER_BYTES + body.len()) as u32;
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(body);
    bytes
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    More,
    Last,
}

/// Gives the sockets of one part of an answer to `each`.
fn read_answer(
    mut answer: &[u8],
    sequence: u32,
    least_bytes: usize,
    each: &mut impl FnMut(&[u8]),
) -> io::Result<Part> {
    let short = || io::Error::from(io::ErrorKind::InvalidData);
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    while !answer.is_empty() {
        let length = word(answer, 0).ok_or_else(short)? as usize;
        let kind = half(answer, 4).ok_or_else(short)?;
        let flags = half(answer, 6).ok_or_else(short)?;
        let of = word(answer, 8).ok_or_else(short)?;
        let body = answer.get(HEADER_BYTES..length).ok_or_else(short)?;
        let next = length.next_multiple_of(4).min(answer.len());
        answer = &answer[next..];
        if of != sequence {
            continue;
        }
        if flags & FLAG_INTERRUPTED != 0 {
            let text = "the table of sockets changed meanwhile";
            return Err(io::Error::new(io::ErrorKind::Interrupted, text));
        }
        match kind {
            SOCK_DIAG_BY_FAMILY if body.len() >= least_bytes => each(body),
            SOCK_DIAG_BY_FAMILY => return Err(short()),
            // Both carry an errno below zero, or 0; the end may carry nothing.
            ERROR | DONE => match word(body, 0).map(|errno| errno as i32) {
                Some(errno) if errno < 0 => {
                    return Err(io::Error::from_raw_os_error(errno.saturating_neg()));
                }
                None if kind == ERROR => return Err(short()),
                _ if kind == DONE => return Ok(Part::Last),
                _ => {}
            },
            OVERRUN => return Err(Errno::NOBUFS.into()),
            _ => {}
        }
    }
    Ok(Part::More)
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    four.try_into().ok().map(u32::from_ne_bytes)
}

pub(super) fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    two.try_into().ok().map(u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: usize = 72;

    fn part(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = message(kind, flags, sequence, body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// With an attribute behind it.
    fn socket(mark: u8) -> Vec<u8> {
        let mut body = vec![0; LEAST + 8];
        body[0] = mark;
        part(SOCK_DIAG_BY_FAMILY, 2, 7, &body)
    }

    fn read(bytes: &[u8]) -> io::Result<(Part, Vec<u8>)> {
        let mut marks = Vec::new();
        let part = read_answer(bytes, 7, LEAST, &mut |body| marks.push(body[0]))?;
        Ok((part, marks))
    }

    #[test]
    fn sockets_are_read_until_the_end() {
        let first = [socket(5), socket(6)].concat();
        assert_eq!(read(&first).unwrap(), (Part::More, vec![5, 6]));
        for end in [&[][..], &[0; 4]] {
            let whole = [&first[..], &part(DONE, 2, 7, end)].concat();
            assert_eq!(read(&whole).unwrap(), (Part::Last, vec![5, 6]));
        }
        // What belongs to another question is not ours.
        let other = part(DONE, 2, 6, &[]);
        let both = [other, first].concat();
        assert_eq!(read(&both).unwrap(), (Part::More, vec![5, 6]));
    }

    #[test]
    fn refusals_say_what_the_kernel_said() {
        let errno = |kind, errno: i32| {
            let answer = part(kind, 0, 7, &(-errno).to_ne_bytes());
            read(&answer).unwrap_err().raw_os_error()
        };
        assert_eq!(errno(ERROR, libc::ENOENT), Some(libc::ENOENT));
        assert_eq!(errno(DONE, libc::ENOMEM), Some(libc::ENOMEM));
        assert_eq!(errno(OVERRUN, 0), Some(libc::ENOBUFS));
        let smallest = part(ERROR, 0, 7, &i32::MIN.to_ne_bytes());
        assert!(read(&smallest).is_err());
        let changed = part(SOCK_DIAG_BY_FAMILY, 2 | FLAG_INTERRUPTED, 7, &[0; 72]);
        assert_eq!(
            read(&changed).unwrap_err().kind(),
            io::ErrorKind::Interrupted
        );
    }

    #[test]
    fn what_is_cut_off_or_lies_about_its_length_is_an_error() {
        let whole = [socket(5), part(DONE, 2, 7, &[0; 4])].concat();
        let first = socket(5).len();
        for length in 0..whole.len() {
            match read(&whole[..length]) {
                Ok((part, found)) => {
                    assert_eq!((length, part, found.len()), (first, Part::More, 1));
                }
                Err(error) => {
                    let kind = error.kind();
                    let of_nothing = kind == io::ErrorKind::UnexpectedEof && length == 0;
                    assert!(of_nothing || kind == io::ErrorKind::InvalidData, "{length}");
                }
            }
        }
        for length in [0_u32, 1, 15, 17, 4096, u32::MAX] {
            let mut lies = part(DONE, 2, 7, &[]);
            lies[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(
                read(&lies).unwrap_err().kind(),
                io::ErrorKind::InvalidData,
                "{length}"
            );
        }
        let small = part(SOCK_DIAG_BY_FAMILY, 2, 7, &[0; LEAST - 4]);
        assert!(read(&small).is_err());
        assert!(read(&part(ERROR, 0, 7, &[])).is_err());
    }
}
