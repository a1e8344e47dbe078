//! What becomes of the bytes of a program in its files?

use crate::date::{DateFormat, iso};
use crate::split::Splitter;
use std::time::SystemTime;

/// One of the two streams of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    /// `out` or `err`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Stream::Out => "out",
            Stream::Err => "err",
        }
    }
}

/// How a line is written to the files. Where lines are looked at, one of more than 256 KiB counts as
/// several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// The bytes as they come, with nothing added, as soon as they come.
    Raw,
    /// `DATE: ` before each line. A line is written when it is complete.
    Dated(DateFormat),
    /// Each line as a JSON object with the fields of PM2: `message` (with its line feed; what is
    /// not UTF-8 is replaced), `timestamp`, `type` (`out` or `err`), `process_id`, `app_name`.
    Json {
        /// The form of the timestamp. Without: as JavaScript's `toISOString`, in UTC.
        date: Option<DateFormat>,
        /// The id of the process.
        process_id: u64,
        /// The name of its app.
        app_name: String,
    },
}

/// One stream on its way to its files: what it has begun and not ended is kept.
#[derive(Debug)]
pub(crate) struct Shaper {
    stream: Stream,
    splitter: Splitter,
}

impl Shaper {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            splitter: Splitter::default(),
        }
    }

    /// The lines that `chunk` completes. Not for [`Form::Raw`], where nothing is changed.
    pub(crate) fn feed(&mut self, form: &Form, at: SystemTime, chunk: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut lines = Lines::new(form, at, self.stream);
        self.splitter
            .feed(chunk, |line| lines.write(&mut out, line, true));
        out
    }

    /// What was begun and not ended.
    pub(crate) fn finish(&mut self, form: &Form, at: SystemTime) -> Vec<u8> {
        let mut out = Vec::new();
        let mut lines = Lines::new(form, at, self.stream);
        // Who shares the file begins a new line.
        self.splitter
            .finish(|line| lines.write(&mut out, line, false));
        out
    }
}

/// A line of our own in the form of the others.
pub(crate) fn note(form: &Form, at: SystemTime, text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Lines::new(form, at, Stream::Err).write(&mut out, text.as_bytes(), true);
    out
}

/// What is the same for all lines of a chunk.
struct Lines<'a> {
    form: &'a Form,
    at: SystemTime,
    before: Option<String>,
    after: String,
    stream: Stream,
}

impl<'a> Lines<'a> {
    fn new(form: &'a Form, at: SystemTime, stream: Stream) -> Self {
        Self {
            form,
            at,
            before: None,
            after: String::new(),
            stream,
        }
    }

    fn write(&mut self, out: &mut Vec<u8>, line: &[u8], has_end: bool) {
        match self.form {
            Form::Raw => out.extend_from_slice(line),
            Form::Dated(date) => {
                let before = self
                    .before
                    .get_or_insert_with(|| format!("{}: ", date.format(self.at)));
                out.extend_from_slice(before.as_bytes());
                out.extend_from_slice(line);
            }
            Form::Json {
                date,
                process_id,
                app_name,
            } => {
                if self.after.is_empty() {
                    let timestamp = match date {
                        Some(date) => date.format(self.at),
                        None => iso(self.at),
                    };
                    self.after = format!(
                        r#","timestamp":{},"type":"{}","process_id":{process_id},"app_name":{}}}"#,
                        quoted(&timestamp),
                        self.stream.word(),
                        quoted(app_name),
                    );
                }
                let mut message = String::from_utf8_lossy(line).into_owned();
                if has_end {
                    message.push('\n');
                }
                out.extend_from_slice(b"{\"message\":");
                out.extend_from_slice(quoted(&message).as_bytes());
                out.extend_from_slice(self.after.as_bytes());
            }
        }
        out.push(b'\n');
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
