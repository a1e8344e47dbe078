//! One pipe of one worker: lines in, prefixed lines out.

use super::output::{Output, Stream};
use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use tine_logs::{LastLines, Splitter};
use tokio::net::unix::pipe::Receiver;

/// Bytes read at once: what a pipe holds by default.
const READ: usize = 64 * 1024;
/// Reads at the end of a process: more than a pipe can hold (`F_SETPIPE_SZ` up to 1 MiB).
const READS_AT_END: usize = 20;

/// The reading end.
#[derive(Debug)]
pub(super) struct Pipe {
    fd: Receiver,
    stream: Stream,
    prefix: Vec<u8>,
    splitter: RefCell<Splitter>,
    last: Rc<RefCell<LastLines>>,
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Some,
    Nothing,
    End,
}

impl Pipe {
    /// A pipe, and the end that the worker gets.
    pub(super) fn new(
        stream: Stream,
        prefix: Vec<u8>,
        last: Rc<RefCell<LastLines>>,
        output: Output,
    ) -> io::Result<(Rc<Self>, OwnedFd)> {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&read, true)?;
        let fd = Receiver::from_owned_fd(read)?;
        let splitter = RefCell::default();
        Ok((
            Rc::new(Self {
                fd,
                stream,
                prefix,
                splitter,
                last,
                output,
            }),
            write,
        ))
    }

    /// Reads until everybody has closed the other end.
    pub(super) async fn carry(self: Rc<Self>) {
        loop {
            self.output.space().await;
            if self.fd.readable().await.is_err() {
                return;
            }
            // Not kept while there is nothing to read: hundreds of workers have two pipes each.
            let mut buffer = vec![0; READ];
            let read = self.fd.try_read(&mut buffer);
            if self.take(read, &buffer) == Taken::End {
                return;
            }
        }
    }

    /// Reads what is there now: the last words of a process that has ended.
    pub(super) fn drain(&self) {
        let mut buffer = vec![0; READ];
        for _ in 0..READS_AT_END {
            // Past tokio, which may not have heard yet that there is something.
            let read = rustix::io::read(&self.fd, &mut buffer[..]).map_err(io::Error::from);
            if self.take(read, &buffer) != Taken::Some {
                return;
            }
        }
    }

    fn take(&self, read: io::Result<usize>, buffer: &[u8]) -> Taken {
        let count = match read {
            Ok(count) => count,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => return Taken::Nothing,
                _ => 0,
            },
        };
        let mut out = Vec::with_capacity(count + count / 8);
        let mut last = self.last.borrow_mut();
        let mut each = |line: &[u8]| {
            last.push(line);
            out.extend_from_slice(&self.prefix);
            out.extend_from_slice(line);
            out.push(b'\n');
        };
        let mut splitter = self.splitter.borrow_mut();
        splitter.feed(&buffer[..count], &mut each);
        if count == 0 {
            splitter.finish(&mut each);
        }
        self.output.push(self.stream, out);
        if count == 0 { Taken::End } else { Taken::Some }
    }
}
