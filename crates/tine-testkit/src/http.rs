mod connection;
mod failure;
mod response;

pub use connection::{Connection, Target};
pub use failure::{Failure, FailureKind};
pub use response::Response;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long [`get`] waits for the whole response.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks for `path` on a new connection, and reads the response whole.
///
/// # Errors
/// Whatever came instead of a whole response within 10 seconds. An error status is a response.
pub fn get(target: impl Into<Target>, path: &str) -> Result<Response, Failure> {
    get_within(target, path, TIMEOUT)
}

/// As [`get`], with a time limit of one's own.
///
/// # Errors
/// Whatever came instead of a whole response.
pub fn get_within(
    target: impl Into<Target>,
    path: &str,
    timeout: Duration,
) -> Result<Response, Failure> {
    let end = Instant::now() + timeout;
    Connection::open(&target.into(), end)?.get(path, false, end)
}

/// Asks for `/` on one new connection after another, and says whose pids the answers told.
///
/// # Panics
/// When a request fails, or an answer tells no pid.
#[must_use]
pub fn who_answers(target: impl Into<Target>, requests: usize) -> BTreeSet<u32> {
    let target = target.into();
    let ask = |_| match get(target.clone(), "/") {
        Ok(response) => match response.pid() {
            Some(pid) => pid,
            None => panic!("no pid is told by {target}: {:?}", response.text()),
        },
        Err(failure) => panic!("{failure}"),
    };
    (0..requests).map(ask).collect()
}

#[cfg(test)]
mod tests;
