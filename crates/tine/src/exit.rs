//! What does the exit code say? `docs/exit-codes.md` has the same table.

/// The app was stopped as asked, or finished by itself.
pub(crate) const DONE: u8 = 0;
/// The app was given up: its workers kept dying.
pub(crate) const APP_FAILED: u8 = 1;
/// The command line makes no sense.
pub(crate) const USAGE: u8 = 2;
/// The app could not be started: no such script, interpreter or folder.
pub(crate) const CANNOT_START: u8 = 3;
/// The kernel refused something that nothing works without.
pub(crate) const SYSTEM: u8 = 4;
/// A second Ctrl-C ended the app at once: 128 + SIGINT, as shells say it.
pub(crate) const FORCED: u8 = 130;
