//! Where do a worker's standard streams go?

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tokio::net::{UnixStream, unix::pipe};

/// What a descriptor of a worker is.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Stdio {
    /// The primary's own. Of the numbers from 3 upward: none.
    #[default]
    Inherit,
    /// `/dev/null`.
    Null,
    /// A pipe to the primary, to be taken from the
    /// [`WorkerProcess`](super::WorkerProcess). Of the numbers from 3 upward: one end of a unix
    /// socket pair, good for both directions.
    Piped,
    /// A duplicate of this descriptor.
    Descriptor(Arc<OwnedFd>),
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Self {
        Self::Descriptor(Arc::new(fd))
    }
}

impl From<std::fs::File> for Stdio {
    fn from(file: std::fs::File) -> Self {
        OwnedFd::from(file).into()
    }
}

/// The primary's end of a [`Stdio::Piped`].
#[derive(Debug)]
pub(super) enum End {
    In(pipe::Sender),
    Out(pipe::Receiver),
    Both(UnixStream),
}

/// The worker's descriptors, and the primary's ends of them.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub(super) theirs: Vec<(i32, OwnedFd)>,
    pub(super) ours: BTreeMap<i32, End>,
}

/// Opens what was asked for. Inside of a tokio runtime.
pub(super) fn open(wanted: &BTreeMap<i32, Stdio>) -> io::Result<Opened> {
    let mut opened = Opened::default();
    for (number, stdio) in wanted {
        let number = *number;
        let theirs = match stdio {
            Stdio::Inherit => continue,
            Stdio::Null => OpenOptions::new()
                .read(true)
                .write(true)
                .open("/dev/null")?
                .into(),
            Stdio::Descriptor(fd) => fd.try_clone()?,
            Stdio::Piped if number > 2 => {
                let (ours, theirs) = UnixStream::pair()?;
                opened.ours.insert(number, End::Both(ours));
                blocking(theirs.into_std()?.into())?
            }
            Stdio::Piped if number == 0 => {
                let (sender, receiver) = pipe::pipe()?;
                opened.ours.insert(number, End::In(sender));
                receiver.into_blocking_fd()?
            }
            Stdio::Piped => {
                let (sender, receiver) = pipe::pipe()?;
                opened.ours.insert(number, End::Out(receiver));
                sender.into_blocking_fd()?
            }
        };
        opened.theirs.push((number, theirs));
    }
    Ok(opened)
}

/// What a program expects of a descriptor that it is started with.
fn blocking(fd: OwnedFd) -> io::Result<OwnedFd> {
    rustix::io::ioctl_fionbio(&fd, false)?;
    Ok(fd)
}
