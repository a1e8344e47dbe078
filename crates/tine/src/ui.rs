//! Where do words go? Data to standard output, talk to standard error.

use crate::style::{Role, Styles};
use crate::trouble::Trouble;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// How this command speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ui {
    /// Nothing but errors and the data that was asked for.
    pub(crate) silent: bool,
    /// Colours of standard output.
    pub(crate) out: Styles,
    /// Colours of standard error.
    pub(crate) err: Styles,
}

impl Ui {
    pub(crate) fn new(silent: bool) -> Self {
        Ui {
            silent,
            out: Styles::of(&io::stdout()),
            err: Styles::of(&io::stderr()),
        }
    }

    /// Something the user may like to know.
    pub(crate) fn say(self, text: &str) {
        if !self.silent {
            talk(&format!("{text}\n"));
        }
    }

    /// Something the user should know, although it goes on.
    pub(crate) fn warn(self, text: &str) {
        if !self.silent {
            talk(&format!(
                "{} {text}\n",
                self.err.paint(Role::Hint, "warning:")
            ));
        }
    }

    /// What to do next.
    pub(crate) fn hint(self, text: &str) {
        if !self.silent && !text.is_empty() {
            talk(&format!("{} {text}\n", self.err.paint(Role::Hint, "hint:")));
        }
    }

    /// What went wrong; also shown when all else is silent.
    pub(crate) fn error(self, trouble: &Trouble) {
        talk(&trouble.words(self.err));
    }
}

/// Writes to standard error in one piece. When nobody reads it, nobody misses it.
pub(crate) fn talk(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes text to standard output. A reader who has gone away (`tine list | head -1`) has seen
/// enough, which is no fault.
///
/// # Errors
/// When it cannot be written for another reason, such as a full disk.
pub(crate) fn print(text: &str) -> Result<(), Trouble> {
    to_out(|out| out.write_all(text.as_bytes()))
}

/// Writes a value as JSON in one line.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_json<T: serde::Serialize>(value: &T) -> Result<(), Trouble> {
    to_out(|out| {
        serde_json::to_writer(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

/// Writes to standard output through a buffer.
///
/// # Errors
/// As [`print()`].
pub(crate) fn to_out(
    write: impl FnOnce(&mut BufWriter<StdoutLock<'static>>) -> io::Result<()>,
) -> Result<(), Trouble> {
    let mut out = BufWriter::with_capacity(32 * 1024, io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            // What is still in the buffer would be tried again when it is dropped.
            let _ = out.into_parts();
            Ok(())
        }
        Err(error) => {
            let _ = out.into_parts();
            Err(Trouble::new(
                crate::exit::SYSTEM,
                format!("writing to standard output: {error}"),
            ))
        }
    }
}

/// How many columns the terminal behind standard output has; none when it is no terminal.
pub(crate) fn width() -> Option<usize> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let columns = rustix::termios::tcgetwinsize(&out).map_or(80, |size| usize::from(size.ws_col));
    // A terminal that does not know says 0.
    Some(if columns == 0 { 80 } else { columns })
}
