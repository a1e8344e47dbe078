//! What did processes leave behind that have ended?

use std::cell::RefCell;
use std::collections::BTreeSet;
use tine_sys::Pid;
use tine_sys::tree::{children, descendants, session_of, signal};
use tokio::sync::Notify;

const KILL: i32 = 9;

/// Ends what processes left behind: one look at all orphans for many of them at once.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    leaders: RefCell<BTreeSet<i32>>,
    wanted: Notify,
}

impl Orphans {
    /// Ends what is left of the session that this process led. It has been reaped, so its number
    /// may be another's by now: only children that the keeper has adopted are looked at.
    pub(super) fn end_those_of(&self, leader: Pid) {
        let leader = leader.as_raw_nonzero().get();
        self.leaders.borrow_mut().insert(leader);
        self.wanted.notify_one();
    }

    /// Does it, as soon as all that has come at once has been heard.
    pub(super) async fn carry(&self) {
        loop {
            self.wanted.notified().await;
            let leaders = std::mem::take(&mut *self.leaders.borrow_mut());
            end(&leaders);
        }
    }
}

fn end(leaders: &BTreeSet<i32>) {
    let Some(keeper) = rustix::process::getppid() else {
        return;
    };
    for child in children(keeper).unwrap_or_default() {
        let Some(leader) = session_of(child) else {
            continue;
        };
        if leader != child && leaders.contains(&leader.as_raw_nonzero().get()) {
            for pid in descendants(child) {
                let _ = signal(pid, KILL);
            }
            let _ = signal(child, KILL);
        }
    }
}
