use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{Connection, Failure, Response};

use super::{Report, Shared};

/// How long a client whose request failed stays away.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(1);

/// One client, until no more requests are wanted.
pub(super) fn run(shared: &Shared, keep: bool) -> Report {
    let mut report = Report::new(shared.started);
    let mut connection = None;
    while shared.take_ticket() {
        let began = Instant::now();
        match request(shared, keep, &mut connection, &mut report) {
            Ok(response) => {
                shared.answered.fetch_add(1, Ordering::Relaxed);
                report.answer(&response, began.elapsed());
                pause(shared.load.pause);
            }
            Err(failure) => {
                shared.failed.fetch_add(1, Ordering::Relaxed);
                report.failure(failure);
                connection = None;
                pause(PAUSE_AFTER_FAILURE);
            }
        }
    }
    report
}

fn request(
    shared: &Shared,
    keep: bool,
    kept: &mut Option<Connection>,
    report: &mut Report,
) -> Result<Response, Failure> {
    let end = Instant::now() + shared.load.timeout;
    let mut connection = match kept.take().filter(Connection::is_open) {
        Some(connection) => connection,
        None => {
            let opened = Connection::open(&shared.load.target, end)?;
            report.connections += 1;
            opened
        }
    };
    let response = connection.get(&shared.load.path, keep, end)?;
    if keep {
        *kept = Some(connection);
    }
    Ok(response)
}

/// Pacing, not waiting for anything: an early end does no harm.
fn pause(time: Duration) {
    if !time.is_zero() {
        thread::park_timeout(time);
    }
}
