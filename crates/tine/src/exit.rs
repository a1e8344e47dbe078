//! What does the exit code say? `docs/exit-codes.md` has the same table.

/// It was done: the app was stopped as asked, or finished by itself, or what was asked is so.
pub(crate) const DONE: u8 = 0;
/// The app was given up because its workers kept dying; or something that was asked for failed.
pub(crate) const APP_FAILED: u8 = 1;
/// The command line makes no sense.
pub(crate) const USAGE: u8 = 2;
/// The app could not be started: no such script, interpreter or folder, or a process file that
/// makes no sense.
pub(crate) const CANNOT_START: u8 = 3;
/// The kernel refused something that nothing works without.
pub(crate) const SYSTEM: u8 = 4;
/// What was named is not there.
pub(crate) const NOT_FOUND: u8 = 5;
/// The daemon is not there, cannot be started, or does not answer.
pub(crate) const NO_DAEMON: u8 = 6;
/// Ctrl-C: for `tine run` the second one, which ended the app at once; for all else what was begun
/// goes on. 128 + SIGINT, as shells say it.
pub(crate) const FORCED: u8 = 130;
