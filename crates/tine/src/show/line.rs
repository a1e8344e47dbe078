//! How does a line that a process wrote look?

use super::words::iso;
use crate::exit;
use crate::style::{Role, Styles};
use crate::trouble::Trouble;
use crate::ui::Ui;
use serde_json::json;
use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};
use tine_control::request::Stream;
use tine_control::{ProcessInfo, Who};
use tine_logs::DateFormat;

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `0|web  | text`.
    Prefixed,
    /// As it was written, to the stream it was written to.
    Raw,
    /// A JSON object, in the fields of PM2.
    Json,
    /// `timestamp=... app=... id=... type=... message=...`.
    Format,
}

/// Writes lines in one form.
#[derive(Debug)]
pub(crate) struct Lines {
    form: Form,
    out: Styles,
    date: Option<DateFormat>,
    highlight: Option<String>,
    /// The longest `ID|NAME` so far.
    wide: usize,
}

impl Lines {
    /// `date` is the form of a date before each line.
    pub(crate) fn new(form: Form, ui: Ui, date: Option<&str>, highlight: Option<&str>) -> Self {
        Lines {
            form,
            out: ui.out,
            date: date.map(DateFormat::new),
            highlight: highlight
                .filter(|word| !word.is_empty())
                .map(ToOwned::to_owned),
            wide: 0,
        }
    }

    /// Lines of these may come.
    pub(crate) fn expect(&mut self, processes: &[ProcessInfo]) {
        for one in processes {
            self.wide = self.wide.max(label(one.id, &one.name).chars().count());
        }
    }

    /// Writes one line; false when nobody reads any more.
    ///
    /// # Errors
    /// When it cannot be written for another reason.
    pub(crate) fn line(
        &mut self,
        process: &Who,
        stream: Stream,
        at: Option<u64>,
        text: &str,
    ) -> Result<bool, Trouble> {
        let line = self.text(process, stream, at, text);
        let to_err = self.form == Form::Raw && stream == Stream::Err;
        let written = if to_err {
            io::stderr().lock().write_all(line.as_bytes())
        } else {
            // Each line by itself, so that it is seen when it comes.
            let mut out = io::stdout().lock();
            out.write_all(line.as_bytes()).and_then(|()| out.flush())
        };
        match written {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Trouble::new(
                exit::SYSTEM,
                format!("writing a line: {error}"),
            )),
        }
    }

    fn text(&mut self, process: &Who, stream: Stream, at: Option<u64>, text: &str) -> String {
        let kind = match stream {
            Stream::Out => "out",
            Stream::Err => "err",
        };
        match self.form {
            Form::Raw => format!("{text}\n"),
            Form::Json => {
                let mut object = json!({
                    "message": text,
                    "type": kind,
                    "process_id": process.id,
                    "app_name": process.name,
                });
                if let (Some(at), Some(map)) = (at, object.as_object_mut()) {
                    map.insert("timestamp".to_owned(), json!(self.date_of(at)));
                }
                format!("{object}\n")
            }
            Form::Format => {
                let kind = match stream {
                    Stream::Out => "out",
                    Stream::Err => "error",
                };
                let at = at.map_or_else(|| "-".to_owned(), |at| self.date_of(at));
                let Who { name, id, .. } = process;
                format!("timestamp={at} app={name} id={id} type={kind} message={text}\n")
            }
            Form::Prefixed => {
                let label = label(process.id, &process.name);
                self.wide = self.wide.max(label.chars().count());
                let role = match stream {
                    Stream::Out => Role::Good,
                    Stream::Err => Role::Bad,
                };
                let prefix = format!("{label:<wide$} |", wide = self.wide);
                let date = match (&self.date, at) {
                    (Some(_), Some(at)) => format!("{}: ", self.date_of(at)),
                    _ => String::new(),
                };
                let prefix = self.out.paint(role, &prefix);
                format!("{prefix} {date}{}\n", self.marked(text))
            }
        }
    }

    fn date_of(&self, at: u64) -> String {
        match &self.date {
            Some(form) => form.format(UNIX_EPOCH + Duration::from_millis(at)),
            None => iso(at),
        }
    }

    fn marked(&self, text: &str) -> String {
        match &self.highlight {
            Some(word) if !self.out.is_plain() => {
                text.replace(word, &self.out.paint(Role::Marked, word))
            }
            _ => text.to_owned(),
        }
    }
}

fn label(id: u32, name: &str) -> String {
    format!("{id}|{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: u64 = 1_763_820_001_234;

    fn who(id: u32, name: &str) -> Who {
        Who {
            id,
            name: name.to_owned(),
            slot: 0,
            generation: 1,
        }
    }

    fn lines(form: Form) -> Lines {
        let ui = Ui {
            silent: false,
            out: Styles::plain(),
            err: Styles::plain(),
        };
        Lines::new(form, ui, None, Some("t"))
    }

    #[test]
    fn prefixes_are_as_wide_as_the_widest() {
        let mut lines = lines(Form::Prefixed);
        lines.expect(&[crate::show::sample::process(
            11,
            "longer",
            tine_control::ProcessStatus::Online,
        )]);
        let text = lines.text(&who(0, "web"), Stream::Out, None, "text");
        assert_eq!(text, "0|web     | text\n");
    }

    #[test]
    fn machines_get_what_pm2_gives_them() {
        let json = lines(Form::Json).text(&who(3, "web"), Stream::Err, Some(AT), "a \"b\"");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            value,
            json!({"message": "a \"b\"", "timestamp": "2025-11-22T14:00:01.234Z", "type": "err",
                   "process_id": 3, "app_name": "web"})
        );
        let text = lines(Form::Format).text(&who(3, "web"), Stream::Err, Some(AT), "oh no");
        assert_eq!(
            text,
            "timestamp=2025-11-22T14:00:01.234Z app=web id=3 type=error message=oh no\n"
        );
        assert_eq!(
            lines(Form::Raw).text(&who(3, "web"), Stream::Out, Some(AT), "as it is"),
            "as it is\n"
        );
    }

    #[test]
    fn a_word_is_marked_where_there_are_colours() {
        let mut lines = lines(Form::Prefixed);
        lines.out = Styles::coloured();
        let text = lines.text(&who(0, "web"), Stream::Out, None, "text");
        assert_eq!(text.matches("\u{1b}[7mt").count(), 2, "{text:?}");
    }
}
