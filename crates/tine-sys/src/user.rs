//! Who has this number, and what number has this name? (passwd(5), group(5), getpwnam(3))
//!
//! The files are read first: asking libc loads the modules of its name service into this process
//! for good, and only those know what is not in the files.

use std::ffi::{CStr, CString, OsStr, c_char, c_int};
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;

/// A user of this system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name; with other bytes replaced if it is no UTF-8.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The number of the user's own group.
    pub gid: u32,
    /// The home folder; may be empty.
    pub home: PathBuf,
}

/// A group of this system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The name; with other bytes replaced if it is no UTF-8.
    pub name: String,
    /// The number.
    pub gid: u32,
}

const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";
/// Bytes of an entry, more than which nobody is heard.
const MOST_BYTES: usize = 1 << 20;

/// The user of this name; `None` if there is none.
///
/// # Errors
/// When neither the files nor the name service can be asked.
pub fn by_name(name: &str) -> io::Result<Option<User>> {
    let Ok(c_name) = CString::new(name) else {
        return Ok(None);
    };
    let found = in_file(USERS, |line| user_of(line).filter(|user| user.name == name));
    if found.is_some() {
        return Ok(found);
    }
    ask(user_of_entry, |entry, buffer, length, result| {
        // SAFETY: `ask` gives an entry, a buffer of that length, and where to put the result; the
        // name is a C string.
        unsafe { libc::getpwnam_r(c_name.as_ptr(), entry, buffer, length, result) }
    })
}

/// The user of this number; `None` if there is none.
///
/// # Errors
/// As [`by_name`].
pub fn by_id(uid: u32) -> io::Result<Option<User>> {
    let found = in_file(USERS, |line| user_of(line).filter(|user| user.uid == uid));
    if found.is_some() {
        return Ok(found);
    }
    ask(user_of_entry, |entry, buffer, length, result| {
        // SAFETY: `ask` gives an entry, a buffer of that length, and where to put the result.
        unsafe { libc::getpwuid_r(uid, entry, buffer, length, result) }
    })
}

/// The group of this name; `None` if there is none.
///
/// # Errors
/// As [`by_name`].
pub fn group_by_name(name: &str) -> io::Result<Option<Group>> {
    let Ok(c_name) = CString::new(name) else {
        return Ok(None);
    };
    let found = in_file(GROUPS, |line| {
        group_of(line).filter(|group| group.name == name)
    });
    if found.is_some() {
        return Ok(found);
    }
    ask(group_of_entry, |entry, buffer, length, result| {
        // SAFETY: `ask` gives an entry, a buffer of that length, and where to put the result; the
        // name is a C string.
        unsafe { libc::getgrnam_r(c_name.as_ptr(), entry, buffer, length, result) }
    })
}

fn in_file<T>(path: &str, wanted: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let bytes = fs::read(path).ok()?;
    bytes.split(|byte| *byte == b'\n').find_map(wanted)
}

/// `www:x:33:33:www-data:/var/www:/usr/sbin/nologin`.
fn user_of(line: &[u8]) -> Option<User> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
    let [name, _, uid, gid, _, home, _] = fields[..] else {
        return None;
    };
    Some(User {
        name: text(name),
        uid: number(uid)?,
        gid: number(gid)?,
        home: OsStr::from_bytes(home).into(),
    })
}

/// `www:x:33:`.
fn group_of(line: &[u8]) -> Option<Group> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
    let [name, _, gid, _] = fields[..] else {
        return None;
    };
    Some(Group {
        name: text(name),
        gid: number(gid)?,
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn number(bytes: &[u8]) -> Option<u32> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn user_of_entry(entry: &libc::passwd) -> User {
    // SAFETY: a string of an entry that libc has filled, or null.
    let name = unsafe { bytes_of(entry.pw_name) };
    // SAFETY: as above.
    let home = unsafe { bytes_of(entry.pw_dir) };
    User {
        name: text(name),
        uid: entry.pw_uid,
        gid: entry.pw_gid,
        home: OsStr::from_bytes(home).into(),
    }
}

fn group_of_entry(entry: &libc::group) -> Group {
    // SAFETY: a string of an entry that libc has filled, or null.
    let name = unsafe { bytes_of(entry.gr_name) };
    Group {
        name: text(name),
        gid: entry.gr_gid,
    }
}

/// # Safety
/// Null, or a C string that outlives the result.
unsafe fn bytes_of<'a>(string: *const c_char) -> &'a [u8] {
    if string.is_null() {
        return &[];
    }
    // SAFETY: by the contract of this function.
    unsafe { CStr::from_ptr(string) }.to_bytes()
}

/// Calls one of libc's functions with more and more room.
fn ask<E, T>(
    read: impl Fn(&E) -> T,
    call: impl Fn(*mut E, *mut c_char, usize, *mut *mut E) -> c_int,
) -> io::Result<Option<T>> {
    let mut room = 1024;
    loop {
        let mut buffer = vec![0 as c_char; room];
        let mut entry = MaybeUninit::<E>::zeroed();
        let mut result = ptr::null_mut::<E>();
        let errno = call(
            entry.as_mut_ptr(),
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut result,
        );
        match errno {
            libc::ERANGE if room < MOST_BYTES => room *= 4,
            libc::EINTR => {}
            // What the manual page says that systems answer for "not found", besides 0.
            0 | libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM if result.is_null() => {
                return Ok(None);
            }
            0 => {
                // SAFETY: the result points to the entry, which libc has filled; its strings are
                // in the buffer, which lives until the end of this block.
                let entry = unsafe { &*result };
                return Ok(Some(read(entry)));
            }
            errno => return Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_by_name_and_number() {
        let root = by_name("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(by_id(0).unwrap().unwrap().uid, 0);
        assert_eq!(group_by_name("root").unwrap().unwrap().gid, 0);
    }

    #[test]
    fn libc_says_the_same_as_the_file() {
        let asked = ask(user_of_entry, |entry, buffer, length, result| {
            // SAFETY: as in `by_id`.
            unsafe { libc::getpwuid_r(0, entry, buffer, length, result) }
        });
        assert_eq!(asked.unwrap(), by_id(0).unwrap());
    }

    #[test]
    fn who_is_not_there_is_no_error() {
        assert_eq!(by_name("nobody-of-this-name").unwrap(), None);
        assert_eq!(by_name("a\0b").unwrap(), None);
        assert_eq!(by_id(3_999_999_999).unwrap(), None);
        assert_eq!(group_by_name("no-group-of-this-name").unwrap(), None);
    }

    #[test]
    fn lines_that_are_no_entries_are_passed_over() {
        assert_eq!(user_of(b"+::::::").map(|user| user.uid), None);
        assert_eq!(user_of(b"# a comment"), None);
        assert_eq!(group_of(b"www:x:33:a,b").unwrap().gid, 33);
    }
}
