//! How does nobody get out of the folder?

use rustix::fs::{AtFlags, Dir, DirEntry, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The folder that is served, by its name: who exchanges it (or a link of this name) while it is
/// served has the new one served.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
    beneath: Beneath,
}

/// Opens a path below a folder, and nothing else.
type Beneath = fn(&OwnedFd, &Path) -> rustix::io::Result<OwnedFd>;

/// What a path below the folder turned out to be.
#[derive(Debug)]
pub(crate) enum Entry {
    /// An ordinary file, open.
    File(File, Stat),
    /// A folder.
    Folder(OwnedFd),
}

/// Why there is nothing to be had there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// Nothing is there, or what is there cannot be served: a pipe, a device.
    Missing,
    /// A symbolic link leads out of the folder.
    LeadsOut,
    /// The file may not be read.
    Forbidden,
    /// The system failed.
    Failed(Errno),
}

impl From<Errno> for Absent {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::INVAL | Errno::NXIO => {
                Absent::Missing
            }
            Errno::XDEV | Errno::LOOP => Absent::LeadsOut,
            Errno::ACCESS | Errno::PERM => Absent::Forbidden,
            other => Absent::Failed(other),
        }
    }
}

/// A pipe without a writer does not make the server wait, a terminal does not become its own.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);
const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

impl Folder {
    /// # Errors
    /// When there is no such folder, or it cannot be opened.
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        let root = std::path::absolute(root)?;
        rustix::fs::open(&root, FOLDER, Mode::empty())?;
        Ok(Self { root, beneath })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Opens what is at this path below the folder (no `..` in it; empty: the folder itself).
    /// Blocks.
    pub(crate) fn open(&self, below: &Path) -> Result<Entry, Absent> {
        let root = rustix::fs::open(&self.root, FOLDER, Mode::empty())?;
        if below == Path::new("") {
            return Ok(Entry::Folder(root));
        }
        let fd = match (self.beneath)(&root, below) {
            // Perhaps an absolute link that leads back in; or a kernel that does not know the call,
            // or a container that forbids what it does not know.
            Err(Errno::XDEV | Errno::NOSYS | Errno::PERM) => self.open_resolved(&root, below)?,
            other => other?,
        };
        let stat = rustix::fs::fstat(&fd)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Entry::File(File::from(fd), stat)),
            FileType::Directory => Ok(Entry::Folder(fd)),
            _ => Err(Absent::Missing),
        }
    }

    /// All links resolved first, then looked whether that is within the folder, then opened.
    fn open_resolved(&self, root: &OwnedFd, below: &Path) -> Result<OwnedFd, Absent> {
        let failed = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        let real_root = std::fs::canonicalize(&self.root).map_err(failed)?;
        let real = std::fs::canonicalize(real_root.join(below)).map_err(failed)?;
        let real_below = real
            .strip_prefix(&real_root)
            .map_err(|_| Absent::LeadsOut)?;
        match (self.beneath)(root, real_below) {
            // Whoever can exchange a folder for a link between the two calls can also write there.
            Err(Errno::NOSYS | Errno::PERM) => Ok(rustix::fs::open(
                &real,
                READ | OFlags::NOFOLLOW,
                Mode::empty(),
            )?),
            other => Ok(other?),
        }
    }

    /// What can be had in the folder `fd`, which is at `below`: names with size, time and kind, in
    /// no order. Looks at `most` names; says whether there are more. Blocks.
    pub(crate) fn list(
        &self,
        fd: &OwnedFd,
        below: &Path,
        most: usize,
    ) -> Result<(Vec<(OsString, Stat)>, bool), Absent> {
        let mut found = Vec::new();
        let entries = Dir::read_from(fd)?.filter(|entry| {
            let is_name = |entry: &DirEntry| !matches!(entry.file_name().to_bytes(), b"." | b"..");
            entry.as_ref().map_or(true, is_name)
        });
        for (count, entry) in entries.enumerate() {
            if count == most {
                return Ok((found, true));
            }
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if let Some(stat) = self.look(fd, below, &name) {
                found.push((name, stat));
            }
        }
        Ok((found, false))
    }

    /// `None` for what would not be served.
    fn look(&self, fd: &OwnedFd, below: &Path, name: &OsStr) -> Option<Stat> {
        let stat = rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Directory => Some(stat),
            FileType::Symlink => match self.open(&below.join(name)).ok()? {
                Entry::File(_, stat) => Some(stat),
                Entry::Folder(fd) => rustix::fs::fstat(fd).ok(),
            },
            _ => None,
        }
    }
}

/// Opens a path of which no part, link or not, leads above `root`, nor to what `/proc` hands out.
#[cfg(target_os = "linux")]
fn beneath(root: &OwnedFd, below: &Path) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let below = if below == Path::new("") {
        Path::new(".")
    } else {
        below
    };
    // EAGAIN: somebody renames things there at this moment (openat2(2)).
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(root, below, READ, Mode::empty(), resolve) {
            Err(Errno::AGAIN) if tries < 16 => tries += 1,
            other => return other,
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn beneath(_: &OwnedFd, _: &Path) -> rustix::io::Result<OwnedFd> {
    Err(Errno::NOSYS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

    use super::*;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    struct World {
        _temp: tempfile::TempDir,
        www: PathBuf,
        folder: Folder,
    }

    fn world() -> World {
        let temp = tempfile::tempdir().unwrap();
        let www = temp.path().join("www");
        std::fs::create_dir_all(www.join("sub")).unwrap();
        std::fs::write(www.join("sub/a.txt"), "a").unwrap();
        std::fs::write(temp.path().join("secret"), "secret").unwrap();
        let folder = Folder::new(&www).unwrap();
        World {
            _temp: temp,
            www,
            folder,
        }
    }

    fn read(folder: &Folder, below: &str) -> Result<String, Absent> {
        match folder.open(Path::new(below))? {
            Entry::File(mut file, stat) => {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                assert_eq!(stat.st_size, text.len() as i64);
                Ok(text)
            }
            Entry::Folder(_) => Ok("folder".to_owned()),
        }
    }

    #[test]
    fn files_and_folders_are_found() {
        let world = world();
        assert_eq!(read(&world.folder, "sub/a.txt").unwrap(), "a");
        assert_eq!(read(&world.folder, "sub").unwrap(), "folder");
        assert_eq!(read(&world.folder, "").unwrap(), "folder");
        for missing in ["b", "sub/b", "sub/a.txt/b"] {
            assert_eq!(read(&world.folder, missing), Err(Absent::Missing));
        }
        assert_eq!(read(&world.folder, &"x".repeat(300)), Err(Absent::Missing));
        assert!(Folder::new(&world.www.join("sub/a.txt")).is_err());
    }

    #[test]
    fn links_within_the_folder_are_followed_and_others_are_not() {
        let World { _temp, www, folder } = world();
        follow_links(&www, &folder);
    }

    #[test]
    fn an_old_kernel_lets_nobody_out_either() {
        for errno in [Errno::NOSYS, Errno::PERM] {
            let World { _temp, www, folder } = world();
            let beneath: Beneath = match errno {
                Errno::PERM => |_, _| Err(Errno::PERM),
                _ => |_, _| Err(Errno::NOSYS),
            };
            let folder = Folder { beneath, ..folder };
            follow_links(&www, &folder);
            assert_eq!(read(&folder, "sub").unwrap(), "folder");
            assert_eq!(read(&folder, "none"), Err(Absent::Missing));
        }
    }

    fn follow_links(www: &Path, folder: &Folder) {
        symlink("sub/a.txt", www.join("relative")).unwrap();
        symlink(www.join("sub/a.txt"), www.join("absolute")).unwrap();
        symlink("../www/sub/a.txt", www.join("around")).unwrap();
        for inside in ["relative", "absolute", "around"] {
            assert_eq!(read(folder, inside).unwrap(), "a", "{inside}");
        }
        symlink("../secret", www.join("up")).unwrap();
        symlink("/etc", www.join("etc")).unwrap();
        symlink("../..", www.join("sub/up")).unwrap();
        symlink("loop", www.join("loop")).unwrap();
        for outside in ["up", "etc", "etc/passwd", "sub/up", "sub/up/secret", "loop"] {
            assert_eq!(read(folder, outside), Err(Absent::LeadsOut), "{outside}");
        }
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let World { www, folder, .. } = &world();
        rustix::fs::mkfifoat(rustix::fs::CWD, www.join("pipe"), Mode::RWXU).unwrap();
        assert_eq!(read(folder, "pipe"), Err(Absent::Missing));
    }

    #[test]
    fn the_folder_may_be_a_link_that_is_exchanged() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        for release in ["1", "2"] {
            std::fs::create_dir(path(release)).unwrap();
            std::fs::write(path(release).join("v"), release).unwrap();
        }
        symlink("1", path("current")).unwrap();
        let folder = Folder::new(&path("current")).unwrap();
        assert_eq!(read(&folder, "v").unwrap(), "1");
        symlink("2", path("next")).unwrap();
        std::fs::rename(path("next"), path("current")).unwrap();
        assert_eq!(read(&folder, "v").unwrap(), "2");
    }

    #[test]
    fn a_list_is_bounded_and_has_only_what_can_be_had() {
        let World { www, folder, .. } = &world();
        std::fs::write(www.join("b"), "").unwrap();
        symlink("b", www.join("c")).unwrap();
        symlink("/etc/passwd", www.join("d")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, www.join("pipe"), Mode::RWXU).unwrap();
        let list = |most| {
            let Ok(Entry::Folder(fd)) = folder.open(Path::new("")) else {
                panic!("no folder")
            };
            let (mut list, has_more) = folder.list(&fd, Path::new(""), most).unwrap();
            list.sort_by(|a, b| a.0.cmp(&b.0));
            (
                list.into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
                has_more,
            )
        };
        assert_eq!(
            list(5),
            (["b", "c", "sub"].map(OsString::from).to_vec(), false)
        );
        assert!(list(4).1);
    }
}
