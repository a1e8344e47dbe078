//! What can go wrong?

use std::io;
use std::path::PathBuf;

/// The server could not start, or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// There is no such folder, or it cannot be read.
    #[error("opening the folder {}: {source}\nhint: give a folder that can be read", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The host is no address of this machine.
    #[error(
        "looking up the host \"{host}\": {source}\nhint: 0.0.0.0 is every address of this machine, 127.0.0.1 is for itself only"
    )]
    Host {
        /// What was asked for.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// The port cannot be had.
    #[error("listening on {host}:{port}: {source}{}", hint_for_port(source))]
    Listen {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// A variable `PM2_SERVE_…` has a value that means nothing.
    #[error(
        "reading the variable {name}: \"{value}\" is not {expected}\nhint: change it, or remove it from the environment"
    )]
    Variable {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// There are both or neither: a user and a password.
    #[error(
        "basic authentication needs a user and a password, and has only one of them\nhint: set PM2_SERVE_BASIC_AUTH_USERNAME and PM2_SERVE_BASIC_AUTH_PASSWORD"
    )]
    HalfCredentials,
    /// Something that PM2 has, and this does not.
    #[error("{what} is not supported\nhint: it belongs to PM2's monitoring service")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
    },
    /// The process cannot work: no event loop, no signals, a channel that is none.
    #[error("{doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

fn hint_for_port(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "\nhint: another program listens there; choose another port",
        io::ErrorKind::PermissionDenied => {
            "\nhint: ports below 1024 are for root; choose another port"
        }
        io::ErrorKind::AddrNotAvailable => "\nhint: this machine does not have that address",
        _ => "",
    }
}
