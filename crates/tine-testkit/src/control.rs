use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// How long a line is waited for: far longer than anything takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// A connection to a daemon, made from what `docs/control.md` says and from nothing else.
#[derive(Debug)]
pub struct Control {
    write: UnixStream,
    read: BufReader<UnixStream>,
    next: u64,
    greeting: Value,
    aside: VecDeque<Value>,
}

impl Control {
    /// Connects, and reads the greeting.
    ///
    /// # Errors
    /// When nobody listens, or what comes is no JSON, or nothing comes.
    pub fn connect(socket: &Path) -> io::Result<Control> {
        let write = UnixStream::connect(socket)?;
        write.set_read_timeout(Some(DEADLINE))?;
        write.set_write_timeout(Some(DEADLINE))?;
        let mut control = Control {
            read: BufReader::new(write.try_clone()?),
            write,
            next: 1,
            greeting: Value::Null,
            aside: VecDeque::new(),
        };
        control.greeting = control.line()?;
        Ok(control)
    }

    /// The first line: who answers.
    #[must_use]
    pub fn greeting(&self) -> &Value {
        &self.greeting
    }

    /// Sends a request, whose id is added here and returned.
    ///
    /// # Errors
    /// When the connection is at an end.
    pub fn send(&mut self, mut request: Value) -> io::Result<u64> {
        let id = self.next;
        self.next += 1;
        if let Some(fields) = request.as_object_mut() {
            fields.insert("id".to_owned(), json!(id));
        }
        self.write.write_all(format!("{request}\n").as_bytes())?;
        Ok(id)
    }

    /// Asks, and waits for `ok` or `error`, whichever comes. Notes and replies to others that come
    /// in between are forgotten; events are kept.
    ///
    /// # Errors
    /// When the connection ends first.
    pub fn try_ask(&mut self, request: Value) -> io::Result<Result<Value, Value>> {
        let id = self.send(request)?;
        self.reply(id)
    }

    /// Waits for the reply to what was [sent](Self::send).
    ///
    /// # Errors
    /// When the connection ends first.
    pub fn reply(&mut self, id: u64) -> io::Result<Result<Value, Value>> {
        loop {
            let mut line = self.line()?;
            if line["id"] == json!(id) {
                if let Some(ok) = line.get_mut("ok") {
                    return Ok(Ok(ok.take()));
                }
                if let Some(error) = line.get_mut("error") {
                    return Ok(Err(error.take()));
                }
            } else if line["id"].is_null() && line.get("error").is_some() {
                return Err(io::Error::other(format!("refused: {line}")));
            } else if line.get("event").is_some() || line.get("gap").is_some() {
                self.aside.push_back(line);
            }
        }
    }

    /// Asks for what must succeed.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn ask(&mut self, request: Value) -> Value {
        match self.try_ask(request.clone()) {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => panic!("asking {request}: {error}"),
            Err(error) => panic!("asking {request}: {error}"),
        }
    }

    /// The next event or gap, after `subscribe`; one that came during a question comes first.
    ///
    /// # Errors
    /// When the connection ends first.
    pub fn told(&mut self) -> io::Result<Value> {
        if let Some(event) = self.aside.pop_front() {
            return Ok(event);
        }
        loop {
            let line = self.line()?;
            if line.get("event").is_some() || line.get("gap").is_some() {
                return Ok(line);
            }
        }
    }

    /// The next line, whatever it is.
    ///
    /// # Errors
    /// When the connection ends first, or the line is no JSON.
    pub fn line(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        if self.read.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        serde_json::from_str(&line).map_err(|error| {
            let start: String = line.chars().take(200).collect();
            io::Error::other(format!("{error} in {start:?}"))
        })
    }
}
