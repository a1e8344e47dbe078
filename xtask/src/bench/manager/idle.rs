//! What does a manager do when there is nothing to do?

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::contender::{Contender, Payload, Programs, Seat};
use super::visit;
use super::world::World;
use crate::{Result, proc};

/// PM2 and tine call a process up when it has lived for a second, and supervisord too: what they do then is
/// still part of its start.
const AFTER_THE_START: Duration = Duration::from_secs(3);

/// The manager's processes together, over the watch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idle {
    pub(super) processes: usize,
    pub(super) seconds: f64,
    /// Voluntary context switches: each is a time that it was awake.
    pub(super) wakes: u64,
    pub(super) cpu_ms: f64,
}

impl Idle {
    pub(super) fn json(self) -> Value {
        json!({
            "processes": self.processes,
            "seconds": self.seconds,
            "wakes": self.wakes,
            "cpu_ms": self.cpu_ms,
        })
    }
}

/// Brings a manager up with so many processes, and watches it for so long.
pub(super) fn measure(
    contender: Contender,
    programs: &Programs,
    (processes, apart): (usize, bool),
    length: Duration,
    folder: &Path,
) -> Result<Idle> {
    let payload = Payload {
        program: "/bin/sleep".into(),
        arguments: vec!["infinity".to_owned()],
        count: processes,
        apart,
        crashes: false,
    };
    let seat = Seat::new(contender, programs, folder, &payload)?;
    visit::begin(&seat, &payload)?;
    std::thread::sleep(AFTER_THE_START);
    let manager = World::look(&payload.program).manager;
    let (wakes, cpu_ms) = spent(&manager)?;
    let began = Instant::now();
    std::thread::sleep(length);
    let seconds = began.elapsed().as_secs_f64();
    let after = spent(&manager)?;
    Ok(Idle {
        processes,
        seconds,
        wakes: after.0.saturating_sub(wakes),
        cpu_ms: after.1 - cpu_ms,
    })
}

fn spent(manager: &[u32]) -> Result<(u64, f64)> {
    let (mut wakes, mut cpu_ms) = (0, 0.0);
    for pid in manager {
        wakes += proc::voluntary_switches(*pid);
        cpu_ms += proc::cpu_ms(*pid).ok_or_else(|| format!("process {pid} of it has ended"))?;
    }
    if manager.is_empty() {
        return Err("watching an idle manager: there is none".to_owned());
    }
    Ok((wakes, cpu_ms))
}
