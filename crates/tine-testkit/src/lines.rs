use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Which of the two a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line, without its end.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where it came from.
    pub stream: Stream,
    /// When it was read.
    pub at: Instant,
    /// Its text; what is not UTF-8 is replaced.
    pub text: String,
}

/// Why no line was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLine {
    /// The deadline passed.
    Deadline,
    /// Everybody who could have written one has closed its end.
    Ended,
}

/// The lines read so far, in the order of reading. Clones are the same lines.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<Line>,
    open: usize,
}

impl Lines {
    /// Reads `from` to its end on a thread of its own.
    pub fn read(&self, stream: Stream, from: impl Read + Send + 'static) {
        self.state().open += 1;
        let lines = self.clone();
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut bytes = Vec::new();
            while from
                .read_until(b'\n', &mut bytes)
                .is_ok_and(|count| count > 0)
            {
                let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                let text = String::from_utf8_lossy(line).into_owned();
                lines.state().lines.push(Line {
                    stream,
                    at: Instant::now(),
                    text,
                });
                lines.shared.news.notify_all();
                bytes.clear();
            }
            lines.state().open -= 1;
            lines.shared.news.notify_all();
        });
    }

    /// All of them, up to now.
    #[must_use]
    pub fn all(&self) -> Vec<Line> {
        self.state().lines.clone()
    }

    /// How many there are: a mark from which to look for new ones.
    #[must_use]
    pub fn count(&self) -> usize {
        self.state().lines.len()
    }

    /// The first line from number `from` on for which `predicate` holds, as soon as there is one.
    ///
    /// # Errors
    /// When there is none and `deadline` has passed, or none can come any more.
    pub fn wait_for(
        &self,
        from: usize,
        deadline: Duration,
        mut predicate: impl FnMut(&Line) -> bool,
    ) -> Result<Line, NoLine> {
        let end = Instant::now() + deadline;
        let mut seen = from;
        let mut state = self.state();
        loop {
            if let Some(line) = state.lines.iter().skip(seen).find(|line| predicate(line)) {
                return Ok(line.clone());
            }
            seen = seen.max(state.lines.len());
            if state.open == 0 {
                return Err(NoLine::Ended);
            }
            state = self.wait_until(state, end).ok_or(NoLine::Deadline)?;
        }
    }

    /// Waits until everything is read to its end; false when `deadline` passes first.
    #[must_use]
    pub fn wait_end(&self, deadline: Duration) -> bool {
        let end = Instant::now() + deadline;
        let mut state = self.state();
        while state.open > 0 {
            match self.wait_until(state, end) {
                Some(next) => state = next,
                None => return false,
            }
        }
        true
    }

    fn wait_until<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        end: Instant,
    ) -> Option<MutexGuard<'a, State>> {
        let left = end
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())?;
        let waited = self.shared.news.wait_timeout(state, left);
        Some(waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
