//! How does a line get from a process to its files, and to those who follow it?

use super::clock::{log, wall};
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};
use std::time::SystemTime;
use tine_control::request::Stream;
use tine_control::{Note, Who};
use tine_logs::{LastLines, LogFiles, Splitter};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{Notify, mpsc};

/// Bytes read at once: what a pipe holds by default.
const READ: usize = 64 * 1024;
/// Reads at the end of a process: more than a pipe can hold (`F_SETPIPE_SZ` up to 1 MiB).
const READS_AT_END: usize = 20;
/// Lines remembered for the record of an exit.
const LAST_LINES: usize = 16;
/// Lines that may wait for one follower.
const UNREAD_LINES: usize = 4096;

/// Where the output of one process goes.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) who: RefCell<Who>,
    pub(super) files: RefCell<LogFiles>,
    /// `disable_logs`: nobody is told.
    discarded: bool,
    last: RefCell<LastLines>,
    splitters: [RefCell<Splitter>; 2],
    followers: Rc<Followers>,
    pipes: RefCell<[Option<Rc<Receiver>>; 2]>,
    closed: Notify,
}

/// All who follow the output of processes.
#[derive(Debug, Default)]
pub(super) struct Followers {
    all: RefCell<Vec<Weak<Follower>>>,
}

/// One who does.
#[derive(Debug)]
pub(super) struct Follower {
    wants: Box<dyn Wants>,
    tell: mpsc::Sender<Note>,
    skipped: Cell<u64>,
}

/// Says which lines are wanted.
pub(super) trait Wants: std::fmt::Debug {
    fn wants(&self, who: &Who, stream: Stream) -> bool;
}

impl Followers {
    /// Follows what is wanted from now on, until the handle is dropped.
    pub(super) fn follow(&self, wants: Box<dyn Wants>) -> (Rc<Follower>, mpsc::Receiver<Note>) {
        let (tell, told) = mpsc::channel(UNREAD_LINES);
        let follower = Rc::new(Follower {
            wants,
            tell,
            skipped: Cell::new(0),
        });
        self.all.borrow_mut().push(Rc::downgrade(&follower));
        (follower, told)
    }

    /// Those who want this.
    fn of(&self, who: &Who, stream: Stream) -> Vec<Rc<Follower>> {
        let mut all = self.all.borrow_mut();
        if all.is_empty() {
            return Vec::new();
        }
        all.retain(|follower| follower.strong_count() > 0);
        let all = all.iter().filter_map(Weak::upgrade);
        all.filter(|follower| follower.wants.wants(who, stream))
            .collect()
    }
}

impl Follower {
    fn tell(&self, note: Note) {
        let skipped = self.skipped.get();
        if skipped > 0 && self.tell.try_send(Note::Skipped { lines: skipped }).is_ok() {
            self.skipped.set(0);
        }
        if self.skipped.get() > 0 || self.tell.try_send(note).is_err() {
            self.skipped.set(self.skipped.get() + 1);
        }
    }
}

impl Output {
    pub(super) fn new(
        who: Who,
        files: LogFiles,
        discarded: bool,
        followers: Rc<Followers>,
    ) -> Rc<Self> {
        Rc::new(Self {
            who: RefCell::new(who),
            files: RefCell::new(files),
            discarded,
            last: RefCell::new(LastLines::new(LAST_LINES)),
            splitters: Default::default(),
            followers,
            pipes: RefCell::default(),
            closed: Notify::new(),
        })
    }

    /// Reads from these pipes, until all who hold the other ends have closed them.
    ///
    /// # Errors
    /// When they cannot be watched.
    pub(super) fn read_from(self: &Rc<Self>, out: OwnedFd, err: OwnedFd) -> io::Result<()> {
        let open = |fd: OwnedFd| {
            rustix::io::ioctl_fionbio(&fd, true)?;
            Receiver::from_owned_fd(fd).map(Rc::new)
        };
        let (out, err) = (open(out)?, open(err)?);
        *self.pipes.borrow_mut() = [Some(out.clone()), Some(err.clone())];
        tokio::task::spawn_local(self.clone().carry([out, err]));
        Ok(())
    }

    async fn carry(self: Rc<Self>, pipes: [Rc<Receiver>; 2]) {
        let mut open = [true, true];
        while open[0] || open[1] {
            let (number, ready) = tokio::select! {
                ready = pipes[0].readable(), if open[0] => (0, ready),
                ready = pipes[1].readable(), if open[1] => (1, ready),
                () = self.closed.notified() => return,
            };
            if ready.is_err() {
                open[number] = false;
                continue;
            }
            // Not kept while there is nothing to read: hundreds of processes have two pipes each.
            let mut buffer = vec![0; READ];
            let read = pipes[number].try_read(&mut buffer);
            if self.take(number, read, &buffer) == Taken::End {
                open[number] = false;
            }
        }
        *self.pipes.borrow_mut() = [None, None];
        self.files.borrow_mut().close_idle();
    }

    /// Reads what is there now: the last words of a process that has ended.
    pub(super) fn drain(&self) {
        let pipes = self.pipes.borrow().clone();
        let mut buffer = vec![0; READ];
        for (number, pipe) in pipes.iter().enumerate() {
            let Some(pipe) = pipe else { continue };
            for _ in 0..READS_AT_END {
                // Past tokio, which may not have heard yet that there is something.
                let read = rustix::io::read(&**pipe, &mut buffer[..]).map_err(io::Error::from);
                if self.take(number, read, &buffer) != Taken::Some {
                    break;
                }
            }
        }
        self.files.borrow_mut().close_idle();
    }

    /// Reads no more, whoever may hold the other ends.
    pub(super) fn close(&self) {
        *self.pipes.borrow_mut() = [None, None];
        self.closed.notify_one();
    }

    /// What it said last.
    pub(super) fn last_lines(&self) -> Vec<String> {
        let last = self.last.borrow();
        last.iter().map(ToOwned::to_owned).collect()
    }

    fn take(&self, number: usize, read: io::Result<usize>, buffer: &[u8]) -> Taken {
        let count = match read {
            Ok(count) => count,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => return Taken::Nothing,
                _ => 0,
            },
        };
        let (stream, to) = match number {
            0 => (Stream::Out, tine_logs::Stream::Out),
            _ => (Stream::Err, tine_logs::Stream::Err),
        };
        let now = SystemTime::now();
        let written = {
            let mut files = self.files.borrow_mut();
            if count == 0 {
                files.finish(to, now)
            } else {
                files.write(to, now, &buffer[..count])
            }
        };
        if let Err(error) = written {
            log(format_args!(
                "writing what {} said: {error}",
                self.who.borrow().name
            ));
        }
        self.tell(number, stream, &buffer[..count]);
        if count == 0 { Taken::End } else { Taken::Some }
    }

    fn tell(&self, number: usize, stream: Stream, bytes: &[u8]) {
        let who = self.who.borrow();
        let followers = if self.discarded {
            Vec::new()
        } else {
            self.followers.of(&who, stream)
        };
        // Only the last lines are wanted by nobody but us.
        let bytes = if followers.is_empty() {
            &bytes[last_lines_begin(bytes)..]
        } else {
            bytes
        };
        let mut last = self.last.borrow_mut();
        let at = Some(wall());
        let mut each = |line: &[u8]| {
            last.push(line);
            for follower in &followers {
                follower.tell(Note::Line {
                    process: who.clone(),
                    stream,
                    at,
                    text: String::from_utf8_lossy(line).into_owned(),
                });
            }
        };
        let mut splitter = self.splitters[number].borrow_mut();
        if bytes.is_empty() {
            splitter.finish(&mut each);
        } else {
            splitter.feed(bytes, &mut each);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Some,
    Nothing,
    End,
}

/// Where the last lines of a chunk begin that could still be wanted.
fn last_lines_begin(bytes: &[u8]) -> usize {
    let ends = memchr::memrchr_iter(b'\n', bytes);
    ends.into_iter()
        .nth(LAST_LINES + 1)
        .map_or(0, |end| end + 1)
}
