//! `tine kill`: stops all processes and ends the daemon.

use crate::daemon;
use crate::exit;
use crate::interrupt;
use crate::show::progress::Progress;
use crate::trouble::Trouble;
use crate::ui::Ui;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use tine_control::client::{Client, ClientError};
use tine_control::request::{Kill, Version};

/// After the last process has ended, the daemon has this long to leave.
const LEAVING: Duration = Duration::from_secs(10);

/// When there is no daemon, it is as was wanted.
pub(crate) fn run(ui: Ui) -> Result<u8, Trouble> {
    let Some(mut client) = daemon::present()? else {
        ui.say("no daemon runs");
        return Ok(exit::DONE);
    };
    interrupt::says("stopping everything");
    let keeper = keeper(&mut client)?;
    let mut progress = Progress::new(ui);
    daemon::ask_showing(&mut client, &Kill {}, |note| progress.note(note))?;
    progress.erase();
    let stays = || {
        Trouble::new(
            exit::APP_FAILED,
            "the daemon has stopped everything and does not end",
        )
    };
    // The connection lasts as long as the one that answers.
    client.set_limit(Some(LEAVING));
    loop {
        match client.next_line() {
            Ok(_) => {}
            Err(ClientError::TimedOut { .. }) => return Err(stays()),
            Err(_) => break,
        }
    }
    if let Some(keeper) = keeper
        && !ends(&keeper)
    {
        return Err(stays());
    }
    ui.say("all processes are stopped and the daemon has ended");
    Ok(exit::DONE)
}

/// A hold on the process that keeps the daemon's sockets, which ends last. None when there is none,
/// or the system is too old to hold one.
fn keeper(client: &mut Client) -> Result<Option<OwnedFd>, Trouble> {
    let keeper = client.ask(&Version {})?.keeper;
    let pid = keeper.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    Ok(pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()))
}

/// Waits until a process has ended; false when it takes too long.
fn ends(process: &OwnedFd) -> bool {
    let until = Instant::now() + LEAVING;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let limit = Timespec::try_from(left).ok();
        let mut waiting = [PollFd::new(process, PollFlags::IN)];
        match poll(&mut waiting, limit.as_ref()) {
            Ok(0) => return false,
            Err(Errno::INTR) => {}
            // Whoever cannot be waited for is not waited for.
            Ok(_) | Err(_) => return true,
        }
    }
}
