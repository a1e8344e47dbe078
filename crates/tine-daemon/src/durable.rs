//! How does a file come to be on the disk, whole or not at all?

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Why a file was not written, or set aside. What was there before is still there.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {error}", path.display())]
pub struct DurableError {
    /// What was being done.
    pub doing: &'static str,
    /// To what.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl DurableError {
    /// What the user can do about it; may be empty.
    #[must_use]
    pub fn hint(&self) -> String {
        crate::home::refused_hint(&self.error)
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DurableError {
    move |error| DurableError {
        doing,
        path: path.to_owned(),
        error,
    }
}

/// Puts these bytes into the file, for its owner alone (mode 0600). Whoever reads it at any moment,
/// also after a loss of power, finds all of the old or all of the new. When this returns, it is on
/// the disk.
///
/// One process at a time: two would use the same name for what is not finished.
///
/// # Errors
/// [`DurableError`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), DurableError> {
    let early = beside(path, ".new");
    // One that a crash has left; and the mode counts only for a file that is made.
    remove(&early)?;
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&early)?;
        file.write_all(bytes)?;
        file.sync_all()
    })();
    if let Err(error) = written {
        let _ = fs::remove_file(&early);
        return Err(failed("write", &early)(error));
    }
    rename(&early, path)
}

/// Gives a file another name in the same folder, in place of what has it, and the folder too is on
/// the disk when this returns.
///
/// # Errors
/// [`DurableError`].
pub fn rename(from: &Path, to: &Path) -> Result<(), DurableError> {
    fs::rename(from, to).map_err(failed("put the new file in the place of", to))?;
    let folder = to.parent().unwrap_or(Path::new("/"));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed("write the folder", folder))
}

/// Moves what is no use out of the way, to a name that was free, and says which.
///
/// # Errors
/// [`DurableError`].
pub fn set_aside(path: &Path) -> Result<PathBuf, DurableError> {
    let mut number = 1_u32;
    loop {
        let aside = beside(path, &format!(".broken-{number}"));
        // Only this daemon makes such names, so nobody takes it in between.
        match fs::symlink_metadata(&aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                rename(path, &aside)?;
                return Ok(aside);
            }
            Err(error) => return Err(failed("look at", &aside)(error)),
            Ok(_) => number += 1,
        }
    }
}

/// Gives a file a second name, in place of what has it.
pub(crate) fn keep_as(path: &Path, second: &Path) -> Result<(), DurableError> {
    let early = beside(second, ".new");
    remove(&early)?;
    // Some file systems have no hard links.
    fs::hard_link(path, &early)
        .or_else(|_| fs::copy(path, &early).map(drop))
        .map_err(failed("keep a copy of", path))?;
    rename(&early, second)
}

fn remove(path: &Path) -> Result<(), DurableError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    name.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_file_is_replaced_whole_for_its_owner_alone_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        // What a crash has left.
        fs::write(beside(&path, ".new"), "half").unwrap();
        for text in ["one", "another"] {
            write(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_and_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"old").unwrap();
        // A folder with something in it, where the new file is to be made.
        fs::create_dir_all(beside(&path, ".new").join("x")).unwrap();
        let error = write(&path, b"new").unwrap_err();
        assert!(error.to_string().contains("file.new"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }

    #[test]
    fn a_full_disk_has_a_hint() {
        let error = io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        let error = failed("write", Path::new("/x"))(error);
        assert!(error.hint().contains("disk is full"), "{error}");
    }

    #[test]
    fn what_is_set_aside_never_takes_the_place_of_what_was_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut names = Vec::new();
        for text in ["a", "b"] {
            fs::write(&path, text).unwrap();
            let aside = set_aside(&path).unwrap();
            assert_eq!(fs::read_to_string(&aside).unwrap(), text);
            names.push(aside);
        }
        assert_ne!(names[0], names[1]);
        assert!(!path.exists());
    }

    #[test]
    fn a_second_name_keeps_what_the_first_loses() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("file"), folder.path().join("file.old"));
        write(&path, b"1").unwrap();
        keep_as(&path, &old).unwrap();
        write(&path, b"2").unwrap();
        keep_as(&path, &old).unwrap();
        write(&path, b"3").unwrap();
        assert_eq!(fs::read(&old).unwrap(), b"2");
        assert_eq!(fs::read(&path).unwrap(), b"3");
    }
}
