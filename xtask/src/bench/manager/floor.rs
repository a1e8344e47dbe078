//! What the machine takes for the same without any manager: measured right before what it is compared with.
#![allow(clippy::disallowed_methods)] // a chore is not part of the product: it may start programs itself

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::contender::Payload;
use super::timed;
use crate::{Result, cleanup};

/// Starts a process of the payload's program; it is executed when this returns (posix_spawn(3)).
pub(super) fn spawn(payload: &Payload) -> Result<Child> {
    let mut command = Command::new(&payload.program);
    command.args(&payload.arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    cleanup::spawn(&mut command)
}

/// Starts all processes one after another and ends them: how long either took.
pub(super) fn start_and_stop(payload: &Payload) -> Result<(Duration, Duration)> {
    let began = Instant::now();
    let all = (0..payload.count).map(|_| spawn(payload));
    let mut all = all.collect::<Result<Vec<Child>>>()?;
    let started = began.elapsed();
    let began = Instant::now();
    for child in &all {
        cleanup::signal(child.id(), Signal::TERM);
    }
    for child in &mut all {
        child
            .wait()
            .map_err(|e| format!("waiting for {}: {e}", payload.program.display()))?;
    }
    Ok((started, began.elapsed()))
}

/// A whole command that does nothing.
pub(super) fn command(output: &Path) -> Result<Duration> {
    let mut command = Command::new("/bin/true");
    timed::run(&mut command, output, None).map(|took| took.whole)
}
