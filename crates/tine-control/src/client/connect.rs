//! Who is behind the socket file?

use super::ClientError;
use crate::limits::VERSION;
use crate::line::{GREETING, Greeting, ServerLine};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect as to, socket_with,
};
use serde::Deserialize;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Connects within `limit`: with a full backlog the kernel lets a blocking connect wait for as
/// long as `SO_SNDTIMEO` says (socket(7)), and without it for ever.
pub(super) fn connect(path: &Path, limit: Duration) -> Result<UnixStream, ClientError> {
    let other = |error: io::Error| ClientError::Connect {
        path: path.to_owned(),
        error,
    };
    let address = SocketAddrUnix::new(path).map_err(|errno| match errno {
        Errno::NAMETOOLONG => ClientError::PathTooLong {
            path: path.to_owned(),
        },
        errno => other(errno.into()),
    })?;
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(|errno| other(errno.into()))?;
    // Zero would mean for ever.
    let wait = limit.max(Duration::from_millis(1));
    set_socket_timeout(&socket, Timeout::Send, Some(wait)).map_err(|errno| other(errno.into()))?;
    match rustix::io::retry_on_intr(|| to(&socket, &address)) {
        Ok(()) => {}
        Err(Errno::NOENT | Errno::CONNREFUSED | Errno::NOTDIR) => {
            return Err(ClientError::NotRunning {
                path: path.to_owned(),
            });
        }
        Err(Errno::ACCESS | Errno::PERM) => {
            return Err(ClientError::NotPermitted {
                path: path.to_owned(),
            });
        }
        Err(Errno::AGAIN) => return Err(ClientError::TimedOut { limit }),
        Err(errno) => return Err(other(errno.into())),
    }
    set_socket_timeout(&socket, Timeout::Send, None).map_err(|errno| other(errno.into()))?;
    Ok(UnixStream::from(socket))
}

/// What the first line of a server means.
pub(super) fn greeted(line: Vec<u8>) -> Result<Greeting, ClientError> {
    /// What every version of the greeting has had and will have.
    #[derive(Deserialize)]
    struct Any {
        tine: String,
        version: u32,
        #[serde(default)]
        server: String,
        #[serde(default)]
        pid: u32,
    }
    if let Ok(ServerLine::Failed(None, failure)) = ServerLine::read(&line) {
        return Err(ClientError::Refused(failure));
    }
    match serde_json::from_slice::<Any>(&line) {
        Ok(any) if any.tine == GREETING && any.version == VERSION => Ok(Greeting {
            tine: any.tine,
            version: any.version,
            server: any.server,
            pid: any.pid,
        }),
        Ok(any) if any.tine == GREETING => Err(ClientError::Version {
            server: any.server,
            pid: any.pid,
            theirs: any.version,
        }),
        Ok(_) | Err(_) => Err(ClientError::NotTine {
            line: String::from_utf8_lossy(&line)
                .trim_end()
                .chars()
                .filter(|letter| !letter.is_control())
                .take(80)
                .collect(),
        }),
    }
}
