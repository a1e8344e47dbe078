//! The way out: a queue that never blocks whoever serves connections, and a thread that writes.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Where something is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: what the app says.
    Out,
    /// Standard error: what the app complains of, and what we say.
    Err,
}

/// More than this waiting means that the reader of our output is slow: then nothing more is read
/// from the app, and it feels the back-pressure.
const ENOUGH: usize = 1 << 20;

#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<(Stream, Vec<u8>)>,
    bytes: usize,
    closed: bool,
    writing: bool,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    space: Notify,
}

/// What is to be written to standard output and standard error.
#[derive(Debug, Clone, Default)]
pub struct Output {
    shared: Arc<Shared>,
}

impl Output {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start() -> std::io::Result<Self> {
        let output = Self::default();
        let shared = output.shared.clone();
        std::thread::Builder::new()
            .name("output".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || shared.write_all())?;
        Ok(output)
    }

    /// Queues bytes. Never blocks.
    pub fn push(&self, stream: Stream, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let mut queue = self.shared.lock();
        queue.bytes += bytes.len();
        queue.chunks.push_back((stream, bytes));
        drop(queue);
        self.shared.changed.notify_all();
    }

    /// Waits until little enough is waiting.
    pub(super) async fn space(&self) {
        loop {
            let notified = self.shared.space.notified();
            if self.shared.lock().bytes < ENOUGH {
                return;
            }
            notified.await;
        }
    }

    /// Waits until all is written, but not longer than `patience`: a reader that has stopped
    /// reading must not keep us.
    pub fn finish(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut queue = self.shared.lock();
        queue.closed = true;
        self.shared.changed.notify_all();
        while !queue.chunks.is_empty() || queue.writing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            queue = match self.shared.changed.wait_timeout(queue, left) {
                Ok((queue, _)) => queue,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self) {
        loop {
            let mut queue = self.lock();
            while queue.chunks.is_empty() {
                if queue.closed {
                    return;
                }
                queue = self
                    .changed
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let Some((stream, chunk)) = queue.chunks.pop_front() else {
                continue;
            };
            queue.writing = true;
            drop(queue);
            // Nobody reads any more (EPIPE), or the disk is full: the app goes on serving.
            let _ = match stream {
                Stream::Out => write(std::io::stdout().as_fd(), &chunk),
                Stream::Err => write(std::io::stderr().as_fd(), &chunk),
            };
            let mut queue = self.lock();
            queue.writing = false;
            queue.bytes -= chunk.len();
            let space = queue.bytes < ENOUGH;
            drop(queue);
            self.changed.notify_all();
            if space {
                self.space.notify_waiters();
            }
        }
    }
}

/// Writes all, also to a pipe that somebody else has made non-blocking (Node does that to pipes
/// that it hands down).
fn write(stream: BorrowedFd<'_>, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(stream, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(&stream, PollFlags::OUT)], None)?;
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_pipe_that_does_not_block_gets_everything() {
        let (read, into) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap();
        let bytes: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[0]).collect();
        let sent = bytes.clone();
        let writer = std::thread::spawn(move || write(into.as_fd(), &sent).unwrap());
        rustix::io::ioctl_fionbio(&read, false).unwrap();
        let mut got = Vec::new();
        std::fs::File::from(read).read_to_end(&mut got).unwrap();
        writer.join().unwrap();
        assert!(got == bytes);
    }
}
