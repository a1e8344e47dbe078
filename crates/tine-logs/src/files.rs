//! Where does the output of one process go?

use crate::error::LogError;
use crate::file::LogFile;
use crate::form::{Form, Shaper, Stream, note};
use crate::names::Paths;
use std::time::SystemTime;

/// The log files of one process: of one generation, because half lines are kept here.
///
/// Nothing is opened before there is something to write; folders are made then too. A file is
/// opened to append, so that several processes may share it: whole lines stay whole (with
/// [`Form::Raw`] what came in one piece does). What goes wrong disturbs nobody: the bytes are lost,
/// the next ones are tried again, and when it works again the file itself says how many are
/// missing.
#[derive(Debug)]
pub struct LogFiles {
    form: Form,
    out: Way,
    err: Way,
    combined: Option<LogFile>,
}

/// From one stream to its own file.
#[derive(Debug)]
struct Way {
    shaper: Shaper,
    file: Option<LogFile>,
    /// Its own file is the combined one as well: nothing is written twice.
    is_combined: bool,
}

impl LogFiles {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(paths: Paths, form: Form) -> Self {
        let Paths {
            out,
            error,
            combined,
        } = paths;
        let way = |stream, path: Option<std::path::PathBuf>| Way {
            shaper: Shaper::new(stream),
            is_combined: path.is_some() && path == combined,
            file: path.map(LogFile::new),
        };
        Self {
            form,
            out: way(Stream::Out, out),
            err: way(Stream::Err, error),
            combined: combined.map(LogFile::new),
        }
    }

    /// Takes what has come from a stream, at the time it came. With [`Form::Raw`] this is one
    /// write to each file; else lines that are not complete wait.
    ///
    /// # Errors
    /// What went wrong, if it is new, to be told once; [`troubles`](Self::troubles) has it as long
    /// as it lasts. It need not be acted upon.
    pub fn write(&mut self, stream: Stream, at: SystemTime, chunk: &[u8]) -> Result<(), LogError> {
        match self.form {
            Form::Raw => self.append(stream, at, chunk),
            Form::Dated(_) | Form::Json { .. } => {
                let way = match stream {
                    Stream::Out => &mut self.out,
                    Stream::Err => &mut self.err,
                };
                if way.file.is_none() && self.combined.is_none() {
                    return Ok(());
                }
                let lines = way.shaper.feed(&self.form, at, chunk);
                self.append(stream, at, &lines)
            }
        }
    }

    /// The stream has ended: a last line without a line feed is written, with one.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn finish(&mut self, stream: Stream, at: SystemTime) -> Result<(), LogError> {
        let way = match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        };
        let lines = way.shaper.finish(&self.form, at);
        self.append(stream, at, &lines)
    }

    fn append(&mut self, stream: Stream, at: SystemTime, bytes: &[u8]) -> Result<(), LogError> {
        let way = match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        };
        let note = |text: &str| note(&self.form, at, text);
        let own = way.file.as_mut().and_then(|file| file.append(bytes, note));
        let combined = match &mut self.combined {
            Some(file) if !way.is_combined => file.append(bytes, note),
            Some(_) | None => None,
        };
        own.or(combined).map_or(Ok(()), Err)
    }

    /// Closes all files: what comes next goes to what then has their names. For whoever has moved
    /// them away.
    pub fn reopen(&mut self) {
        self.files_mut().for_each(LogFile::reopen);
    }

    /// Empties all files. All are tried.
    ///
    /// # Errors
    /// The first.
    pub fn truncate(&mut self) -> Result<(), LogError> {
        let mut first = Ok(());
        for file in self.files_mut() {
            first = first.and(file.truncate());
        }
        first
    }

    /// Closes the files to which nothing was written since the last call of this. The next bytes
    /// open them again.
    pub fn close_idle(&mut self) {
        self.files_mut().for_each(LogFile::close_idle);
    }

    /// How many descriptors this has: 0 to 3.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.files().filter(|file| file.is_open()).count()
    }

    /// What is wrong now, one error for each file that did not take the last bytes.
    pub fn troubles(&self) -> impl Iterator<Item = &LogError> {
        self.files().filter_map(LogFile::trouble)
    }

    /// The files.
    #[must_use]
    pub fn paths(&self) -> Paths {
        let path = |file: &Option<LogFile>| file.as_ref().map(|file| file.path().to_owned());
        Paths {
            out: path(&self.out.file),
            error: path(&self.err.file),
            combined: path(&self.combined),
        }
    }

    fn files(&self) -> impl Iterator<Item = &LogFile> {
        [&self.out.file, &self.err.file, &self.combined]
            .into_iter()
            .flatten()
    }

    fn files_mut(&mut self) -> impl Iterator<Item = &mut LogFile> {
        [&mut self.out.file, &mut self.err.file, &mut self.combined]
            .into_iter()
            .flatten()
    }
}

#[cfg(test)]
mod tests;
