//! Where does everything of one daemon lie?

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The environment variable that names another home.
pub const HOME_VARIABLE: &str = "TINE_HOME";
/// Bytes of the path of a socket (`sun_path` less its final zero, unix(7)).
const SOCKET_PATH_BYTES: usize = 107;
/// The socket is made under its name with this behind it, and renamed.
const SOCKET_PATH_MORE: usize = ".new".len();

/// The folder of one daemon: its socket, lock, logs and what it remembers. Two daemons never share
/// one, and each has its own apps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    folder: PathBuf,
}

/// Why there is no home.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// Neither the environment nor the system's list of users says where it is.
    #[error("cannot tell where the home folder of user {uid} is")]
    Unknown {
        /// The user.
        uid: u32,
    },
    /// The folder that everything is relative to cannot be told.
    #[error("cannot make {} an absolute path: {error}", path.display())]
    Relative {
        /// The path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A socket in it would have a longer name than the kernel takes.
    #[error(
        "the path {} has {} bytes, which is more than a socket's may have", socket.display(),
        socket.as_os_str().len()
    )]
    TooLong {
        /// The path of the socket.
        socket: PathBuf,
    },
    /// Its path is no text, which the protocol and the programs' environment could not carry.
    #[error("the path {} is not UTF-8", path.display())]
    NotText {
        /// The path.
        path: PathBuf,
    },
    /// It is there and is no folder.
    #[error("{} is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// It is somebody else's.
    #[error("{} belongs to user {owner}, not to user {uid}", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who this is.
        uid: u32,
    },
    /// Others could change what is in it.
    #[error("{} can be written by others (mode {mode:o})", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
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

impl HomeError {
    /// What the user can do about it; may be empty.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { .. } => "set HOME, or TINE_HOME to a folder of your own".to_owned(),
            Self::Relative { .. } => "set TINE_HOME to an absolute path".to_owned(),
            Self::NotText { .. } => "set TINE_HOME to a path in UTF-8".to_owned(),
            Self::TooLong { .. } => format!(
                "set TINE_HOME to a path of at most {} bytes",
                SOCKET_PATH_BYTES - SOCKET_PATH_MORE - "/control.sock".len()
            ),
            Self::NotAFolder { .. } => "move it away, or set TINE_HOME to another path".to_owned(),
            Self::Foreign { uid: 0, .. } => {
                "root's own daemon needs root's own folder: with sudo, use `sudo -H`, or set \
                 TINE_HOME"
                    .to_owned()
            }
            Self::Foreign { .. } => "set TINE_HOME to a folder of your own".to_owned(),
            Self::Open { path, .. } => format!("chmod go-w {}", path.display()),
            Self::Refused { error, .. } => refused_hint(error),
        }
    }
}

/// What helps against the usual reasons why nothing can be written.
pub(crate) fn refused_hint(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "set TINE_HOME to a folder that you may write"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::NotFound => {
            "set TINE_HOME to a folder below one that is there"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full; make room, or set TINE_HOME to a folder on another one"
        }
        _ if is_lack_of_descriptors(error) => {
            "no descriptor is left; raise the limit with `ulimit -n`"
        }
        _ => "",
    }
    .to_owned()
}

pub(crate) fn is_lack_of_descriptors(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

impl Home {
    /// The one that the environment names: `TINE_HOME`, else `.tine` in the user's home folder
    /// (`HOME`, else what the system's list of users says). An empty variable counts as unset.
    /// Makes nothing.
    ///
    /// # Errors
    /// [`HomeError`]; nothing of what is *in* the folder is looked at.
    pub fn find() -> Result<Self, HomeError> {
        if let Some(folder) = variable(HOME_VARIABLE) {
            return Self::at(folder);
        }
        if let Some(home) = variable("HOME") {
            return Self::at(Path::new(&home).join(".tine"));
        }
        let uid = rustix::process::geteuid().as_raw();
        match tine_sys::user::by_id(uid) {
            Ok(Some(user)) if user.home.is_absolute() => Self::at(user.home.join(".tine")),
            Ok(_) | Err(_) => Err(HomeError::Unknown { uid }),
        }
    }

    /// This folder; a relative path is meant from the working directory. Makes nothing.
    ///
    /// # Errors
    /// [`HomeError::TooLong`], [`HomeError::Relative`].
    pub fn at(folder: impl Into<PathBuf>) -> Result<Self, HomeError> {
        let folder = folder.into();
        let folder = std::path::absolute(&folder).map_err(|error| HomeError::Relative {
            path: folder,
            error,
        })?;
        if folder.to_str().is_none() {
            return Err(HomeError::NotText { path: folder });
        }
        let home = Self { folder };
        let socket = home.control_socket();
        if socket.as_os_str().as_bytes().len() + SOCKET_PATH_MORE > SOCKET_PATH_BYTES {
            return Err(HomeError::TooLong { socket });
        }
        Ok(home)
    }

    /// Makes the folder and those in it, if they are not there, for this user alone (mode 0700),
    /// and sees to it that nobody else can change what is in it.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn prepare(&self) -> Result<(), HomeError> {
        make_folder(&self.folder)?;
        for folder in [self.logs(), self.pids(), self.state()] {
            make_folder(&folder)?;
        }
        Ok(())
    }

    /// The folder itself. Absolute.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The socket behind which the daemon listens.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.folder.join("control.sock")
    }

    /// The file whose lock (flock(2)) the daemon holds as long as it lives. Holds the number of
    /// the process that runs the keeper, for people.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.folder.join("daemon.lock")
    }

    /// What the daemon itself has to say.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("daemon.log")
    }

    /// The folder of the apps' logs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// The folder of the files with the numbers of processes.
    #[must_use]
    pub fn pids(&self) -> PathBuf {
        self.folder.join("pids")
    }

    /// The folder of what the daemon remembers from one of its lives to the next.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// What `save` has frozen.
    #[must_use]
    pub fn dump(&self) -> PathBuf {
        self.folder.join("dump.json")
    }

    /// What `set` has set.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.folder.join("settings.json")
    }
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn make_folder(path: &Path) -> Result<(), HomeError> {
    let refused = |doing, error| HomeError::Refused {
        doing,
        path: path.to_owned(),
        error,
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    let there = match (made, fs::metadata(path)) {
        (_, Ok(there)) => there,
        (Err(error), Err(_)) => return Err(refused("make the folder", error)),
        (Ok(()), Err(error)) => return Err(refused("look at the folder", error)),
    };
    if !there.is_dir() {
        return Err(HomeError::NotAFolder {
            path: path.to_owned(),
        });
    }
    let uid = rustix::process::geteuid().as_raw();
    if there.uid() != uid {
        return Err(HomeError::Foreign {
            path: path.to_owned(),
            owner: there.uid(),
            uid,
        });
    }
    let mode = there.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(HomeError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    rustix::fs::access(
        path,
        rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK,
    )
    .map_err(|errno| refused("write into the folder", errno.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn folders_are_made_for_their_owner_alone_and_a_second_time_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("a/b")).unwrap();
        for _ in 0..2 {
            home.prepare().unwrap();
            for path in [home.folder(), &home.logs(), &home.pids(), &home.state()] {
                assert_eq!(mode(path), 0o700, "{}", path.display());
            }
        }
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_refused_before_anything_is_made() {
        let fits = PathBuf::from(format!("/{}", "x".repeat(107 - 4 - 13 - 1)));
        assert!(Home::at(&fits).is_ok());
        let error = Home::at(fits.join("y")).unwrap_err();
        assert!(matches!(error, HomeError::TooLong { .. }), "{error}");
        assert!(
            error.hint().contains("at most 90 bytes"),
            "{}",
            error.hint()
        );
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let error = Home::at(folder.path()).unwrap().prepare().unwrap_err();
        assert!(error.to_string().contains("mode 777"), "{error}");
        assert_eq!(
            error.hint(),
            format!("chmod go-w {}", folder.path().display())
        );
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("home");
        fs::write(&file, "mine").unwrap();
        let error = Home::at(&file).unwrap().prepare().unwrap_err();
        assert!(matches!(error, HomeError::NotAFolder { .. }), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }

    #[test]
    fn a_folder_of_somebody_else_is_refused() {
        // As root everything is one's own; `/` is somebody else's to all others.
        if rustix::process::geteuid().is_root() {
            let folder = tempfile::tempdir().unwrap();
            std::os::unix::fs::chown(folder.path(), Some(12_345), None).unwrap();
            let error = Home::at(folder.path()).unwrap().prepare().unwrap_err();
            assert!(matches!(error, HomeError::Foreign { owner: 12_345, .. }));
            assert!(error.hint().contains("sudo -H"));
        } else {
            let error = Home::at("/").unwrap().prepare().unwrap_err();
            assert!(matches!(error, HomeError::Foreign { owner: 0, .. }));
        }
    }

    #[test]
    fn a_relative_path_is_meant_from_the_working_directory() {
        let home = Home::at("some/where").unwrap();
        assert!(home.folder().starts_with(std::env::current_dir().unwrap()));
        assert!(home.folder().ends_with("some/where"));
    }
}
