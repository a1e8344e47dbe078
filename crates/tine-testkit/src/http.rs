mod connection;
mod failure;
mod response;

pub use connection::{Connection, Target};
pub use failure::{Failure, FailureKind};
pub use response::Response;

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

#[cfg(test)]
mod tests;
