//! What waits to be read by one client?

use crate::limits::{LAST_WORDS, UNREAD_BYTES};
use crate::line;
use crate::reply::{ErrorCode, Failure};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

/// Lines up to this many bytes are written together.
const TOGETHER: usize = 64 * 1024;

/// A line for one client or for many.
pub(super) type Line = Arc<[u8]>;

/// The lines on their way to one client. Bounded: who does not read is cut off.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    /// Something was put in, or the end came.
    put: Notify,
    /// Something was taken out, or the end came.
    taken: Notify,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Line>,
    /// Bytes of `lines` and of what the writer holds.
    bytes: usize,
    /// No more is taken in; what is there will be delivered.
    ended: bool,
}

impl Outbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a line in; false when the client is gone or is being cut off, perhaps just now.
    pub(super) fn put(&self, line: impl Into<Line>) -> bool {
        let line = line.into();
        let mut state = self.state();
        if state.ended {
            return false;
        }
        if state.bytes >= UNREAD_BYTES {
            drop(state);
            self.cut(
                &Failure::new(
                    ErrorCode::TooSlow,
                    format!("{UNREAD_BYTES} bytes wait that you have not read"),
                )
                .hint("connect again; to go on with events, subscribe after the last one seen"),
            );
            return false;
        }
        state.bytes += line.len();
        state.lines.push_back(line);
        drop(state);
        self.put.notify_one();
        true
    }

    /// Bytes that wait to be read.
    pub(super) fn waiting(&self) -> usize {
        self.state().bytes
    }

    /// Ends it: what is there will be delivered, and no more is taken in.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.tell_all();
    }

    /// Ends it with these last words, and without what waits.
    pub(super) fn cut(&self, why: &Failure) {
        let words = line::failed(None, why).unwrap_or_default();
        let mut state = self.state();
        if state.ended {
            return;
        }
        let dropped: usize = state.lines.iter().map(|line| line.len()).sum();
        state.lines.clear();
        state.bytes = state.bytes - dropped + words.len();
        state.lines.push_back(words.into());
        state.ended = true;
        drop(state);
        self.tell_all();
    }

    /// Ends it with nothing more to deliver: there is nobody.
    fn abandon(&self) {
        let mut state = self.state();
        state.lines.clear();
        state.ended = true;
        drop(state);
        self.tell_all();
    }

    fn tell_all(&self) {
        self.put.notify_one();
        self.taken.notify_waiters();
    }

    /// Waits for the end.
    pub(super) async fn ended(&self) {
        self.taken_until(|state| state.ended).await;
    }

    /// Waits until no more than half of what may wait is waiting, or the end.
    pub(super) async fn has_room(&self) {
        self.taken_until(|state| state.ended || state.bytes <= UNREAD_BYTES / 2)
            .await;
    }

    async fn taken_until(&self, enough: impl Fn(&State) -> bool) {
        loop {
            let taken = self.taken.notified();
            tokio::pin!(taken);
            // Before looking, so that what happens in between is not missed.
            taken.as_mut().enable();
            if enough(&self.state()) {
                return;
            }
            taken.await;
        }
    }

    /// What to write next; `None` at the end.
    async fn take(&self) -> Option<Vec<Line>> {
        loop {
            {
                let mut state = self.state();
                let mut some = Vec::new();
                let mut bytes = 0;
                while let Some(line) = state.lines.front() {
                    bytes += line.len();
                    if bytes > TOGETHER && !some.is_empty() {
                        break;
                    }
                    some.extend(state.lines.pop_front());
                }
                if !some.is_empty() {
                    return Some(some);
                }
                if state.ended {
                    return None;
                }
            }
            // One writer waits here, and a permit is kept if it does not yet.
            self.put.notified().await;
        }
    }

    /// Delivers, until the end or until there is nobody. After the end each piece has
    /// [`LAST_WORDS`] to be taken.
    pub(super) async fn deliver(&self, mut to: impl AsyncWrite + Unpin) {
        while let Some(lines) = self.take().await {
            let piece: Line = match lines.as_slice() {
                [one] => Arc::clone(one),
                several => several.concat().into(),
            };
            let written = {
                let writing = to.write_all(&piece);
                tokio::pin!(writing);
                let done = tokio::select! {
                    biased;
                    done = &mut writing => Some(done),
                    () = self.ended() => None,
                };
                match done {
                    Some(done) => done,
                    None => tokio::time::timeout(LAST_WORDS, writing)
                        .await
                        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
                }
            };
            if written.is_err() {
                self.abandon();
                return;
            }
            self.state().bytes -= piece.len();
            self.taken.notify_waiters();
        }
        let _ = to.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn whoever_is_cut_off_is_told_why_and_nothing_is_miscounted() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let why = Failure::new(ErrorCode::TooLate, "too late");
            for waiting in [&[][..], &["a line\n"], &["one\n", "two\n"]] {
                let outbox = Outbox::default();
                for line in waiting {
                    assert!(outbox.put(line.as_bytes().to_vec()));
                }
                outbox.cut(&why);
                let mut to = Vec::new();
                outbox.deliver(&mut to).await;
                assert_eq!(outbox.waiting(), 0);
                let text = String::from_utf8(to).unwrap();
                assert!(text.contains("too late"), "{text}");
            }
        });
    }
}
