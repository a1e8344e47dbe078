//! Who is told of what happens, and what can still be told to those who come late?

use super::outbox::{Line, Outbox};
use crate::event::{Event, Gap, What};
use crate::limits::{EVENT_BYTES, EVENTS};
use crate::line;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The numbered stream of events. Clones are the same stream.
#[derive(Debug, Clone)]
pub struct Events(Arc<Mutex<Stream>>);

#[derive(Debug)]
struct Stream {
    /// The number of the next event.
    next: u64,
    /// The latest events as lines; the last has the number before `next`.
    latest: VecDeque<Line>,
    bytes: usize,
    subscribers: Vec<Weak<Outbox>>,
}

impl Events {
    /// A stream whose first event has this number. A daemon that comes back gives a number higher
    /// than any it can have given before (the milliseconds since 1970 times 1000 will do), so that
    /// clients who subscribe again are told of a gap and not of other events by the same numbers.
    #[must_use]
    pub fn new(first: u64) -> Self {
        Events(Arc::new(Mutex::new(Stream {
            next: first,
            latest: VecDeque::new(),
            bytes: 0,
            subscribers: Vec::new(),
        })))
    }

    fn stream(&self) -> MutexGuard<'_, Stream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all subscribers, and remembers it for those who come back. `at` is in milliseconds
    /// since 1970. Gives the number of the event.
    ///
    /// Never waits: a subscriber who does not read is cut off. An event with a path that is not
    /// UTF-8, which JSON cannot carry, is not told; its number is left out.
    pub fn publish(&self, at: u64, what: What) -> u64 {
        let mut stream = self.stream();
        let number = stream.next;
        stream.next += 1;
        let event = Event { number, at, what };
        // An empty line keeps the numbers and the places in `latest` together.
        let line: Line = line::event(&event).unwrap_or_default().into();
        stream.bytes += line.len();
        stream.latest.push_back(Arc::clone(&line));
        while stream.latest.len() > EVENTS || stream.bytes > EVENT_BYTES {
            let Some(old) = stream.latest.pop_front() else {
                break;
            };
            stream.bytes -= old.len();
        }
        if !line.is_empty() {
            stream.subscribers.retain(|subscriber| {
                subscriber
                    .upgrade()
                    .is_some_and(|outbox| outbox.put(Arc::clone(&line)))
            });
        }
        number
    }

    /// The number that the next event will have.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.stream().next
    }

    /// Tells a client from now on, and what came after the event of the number `after`. `first` is
    /// put before all that, given the number of the first event to come.
    pub(super) fn subscribe(
        &self,
        outbox: &Arc<Outbox>,
        after: Option<u64>,
        first: impl FnOnce(u64),
    ) {
        let mut stream = self.stream();
        let oldest = stream.next - stream.latest.len() as u64;
        let wanted = match after {
            None => stream.next,
            // Not `after + 1 <= next`, which overflows.
            Some(after) if after < stream.next && after.saturating_add(1) >= oldest => after + 1,
            Some(after) => {
                first(stream.next);
                if let Ok(line) = line::gap(&Gap {
                    after,
                    next: stream.next,
                }) {
                    outbox.put(line);
                }
                stream.subscribers.push(Arc::downgrade(outbox));
                return;
            }
        };
        first(wanted);
        let skip = usize::try_from(wanted - oldest).unwrap_or(usize::MAX);
        for line in stream.latest.iter().skip(skip) {
            if !line.is_empty() {
                outbox.put(Arc::clone(line));
            }
        }
        stream.subscribers.push(Arc::downgrade(outbox));
    }
}
