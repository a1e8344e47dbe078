//! Where does the daemon listen?

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Somebody listens there already.
    #[error("a daemon listens on {} already", path.display())]
    Taken {
        /// The socket file.
        path: PathBuf,
    },
    /// There is something that is not a socket; it is left alone.
    #[error("{} is there already and is not a socket", path.display())]
    NotASocket {
        /// That file.
        path: PathBuf,
    },
    /// Others could put a socket of their own in the place of ours.
    #[error("the folder {} can be written by others", folder.display())]
    OpenFolder {
        /// That folder.
        folder: PathBuf,
    },
    /// Somebody else could.
    #[error("the folder {} belongs to another user", folder.display())]
    ForeignFolder {
        /// That folder.
        folder: PathBuf,
    },
    /// The system refused.
    #[error("cannot {doing} {}: {error}", path.display())]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl ListenError {
    /// What the user can do about it; may be empty.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            ListenError::OpenFolder { folder } => format!("chmod 700 {}", folder.display()),
            ListenError::ForeignFolder { .. } => "set TINE_HOME to a folder of your own".to_owned(),
            ListenError::NotASocket { .. } => "move it away".to_owned(),
            ListenError::Refused { error, .. } if error.kind() == io::ErrorKind::InvalidInput => {
                "a path to a socket has at most 107 bytes; set TINE_HOME to a shorter one"
                    .to_owned()
            }
            ListenError::Taken { .. } | ListenError::Refused { .. } => String::new(),
        }
    }
}

/// Listens behind the socket file `path`, which only its owner may use (mode 0600). Its folder is
/// made with mode 0700 if it is not there. A socket file that nobody listens behind is replaced.
///
/// Two processes that do this at the same moment both succeed and only the later one is found: the
/// caller holds a lock.
///
/// # Errors
/// [`ListenError`].
pub fn listen(path: &Path) -> Result<UnixListener, ListenError> {
    let refused = |doing, path: &Path, error| ListenError::Refused {
        doing,
        path: path.to_owned(),
        error,
    };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    own_folder(folder)?;
    match fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => {
            return Err(ListenError::NotASocket {
                path: path.to_owned(),
            });
        }
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => {
                return Err(ListenError::Taken {
                    path: path.to_owned(),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refused("ask who listens on", path, error)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(refused("look at", path, error)),
    }
    // Under another name first: at its own name it is there with the right mode or not at all.
    let mut early = path.as_os_str().to_owned();
    early.push(".new");
    let early = PathBuf::from(early);
    match fs::remove_file(&early) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(refused("remove", &early, error));
        }
        _ => {}
    }
    let listener = UnixListener::bind(&early).map_err(|error| refused("listen on", path, error))?;
    fs::set_permissions(&early, Permissions::from_mode(0o600))
        .and_then(|()| fs::rename(&early, path))
        .and_then(|()| listener.set_nonblocking(true))
        .map_err(|error| refused("set up", path, error))?;
    Ok(listener)
}

/// Sees to it that the folder is there and that nobody else can change what is in it.
fn own_folder(folder: &Path) -> Result<(), ListenError> {
    let refused = |doing, error| ListenError::Refused {
        doing,
        path: folder.to_owned(),
        error,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| refused("make the folder", error))?;
    let there = fs::metadata(folder).map_err(|error| refused("look at the folder", error))?;
    let me = rustix::process::geteuid().as_raw();
    if there.uid() != me && there.uid() != 0 {
        return Err(ListenError::ForeignFolder {
            folder: folder.to_owned(),
        });
    }
    if there.mode() & 0o022 != 0 {
        return Err(ListenError::OpenFolder {
            folder: folder.to_owned(),
        });
    }
    Ok(())
}
