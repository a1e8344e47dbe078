//! Words for an errno.

use std::io;

use rustix::io::Errno;

/// "Permission denied" without the number that [`io::Error`] adds.
pub(crate) fn text(errno: Errno) -> String {
    let full = io::Error::from(errno).to_string();
    match full.find(" (os error") {
        Some(end) => full[..end].to_owned(),
        None => full,
    }
}

/// An error that says what was being done. The errno is in the text and in the kind only, so this
/// is for operations of several steps, where a bare errno would not say which one failed.
pub(crate) fn while_doing(what: &str, error: io::Error) -> io::Error {
    let text = error.raw_os_error().map_or_else(
        || error.to_string(),
        |number| text(Errno::from_raw_os_error(number)),
    );
    io::Error::new(error.kind(), format!("{what}: {text}"))
}
