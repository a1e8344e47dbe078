//! How is one process stopped, and when is patience over?
//!
//! # The rule
//! 1. A worker that has spoken Node's cluster protocol on a channel that is still open is told to
//!    disconnect: it stops accepting and finishes what it has begun. Any other process gets the
//!    stop signal at once.
//! 2. What was told to disconnect and still lives at half of the kill timeout gets the signal,
//!    whether or not its channel has closed by then: after a disconnect a worker is an ordinary
//!    process that lives on as long as it has a socket or a timer.
//! 3. What still lives at the kill timeout gets SIGKILL, with every process it started.
//! 4. When the process has exited, whatever it started and left behind gets SIGKILL.
//!
//! A kill timeout of 0 is honoured: disconnect and signal are issued, and SIGKILL follows at once.
//! A process that gets a message of its own instead ([`Stopping::begin_unheard`]) begins with step 3.
//! Being asked again by someone who will not wait ([`Stopping::force`]) brings step 3 at once.

use std::time::Duration;

use crate::time::Millis;

/// How an app wants its processes stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopRules {
    /// The signal that asks a process to end. Default: 2, SIGINT, as in PM2.
    pub signal: i32,
    /// From the beginning of the stop until SIGKILL. Default: 1600 ms, as in PM2.
    pub kill_timeout: Duration,
}

impl Default for StopRules {
    fn default() -> Self {
        StopRules {
            signal: 2,
            kill_timeout: Duration::from_millis(1600),
        }
    }
}

/// One thing to do to the process that is being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopStep {
    /// Send the cluster message `disconnect`.
    Disconnect,
    /// Send this signal to the process.
    Signal(i32),
    /// Send SIGKILL to the process and all its descendants.
    KillTree,
}

/// The stop of one process, from its beginning until the process has exited.
///
/// Call [`step`](Self::step) until it says `None`, then again at [`next_wakeup`](Self::next_wakeup)
/// and after [`force`](Self::force); drop it when the process has exited (and then see to rule 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopping {
    begun: Millis,
    signal: i32,
    kill_at: Millis,
    stage: Stage,
}

/// How far a stop has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    DisconnectDue { signal_at: Millis },
    SignalAt(Millis),
    KillAt(Millis),
    Killed,
}

impl Stopping {
    /// Begins to stop a process. `can_disconnect` says that it has spoken the cluster protocol on
    /// a channel that is still open.
    #[must_use]
    pub fn begin(rules: &StopRules, now: Millis, can_disconnect: bool) -> Stopping {
        let stage = if can_disconnect {
            Stage::DisconnectDue {
                signal_at: now.plus(rules.kill_timeout / 2),
            }
        } else {
            Stage::SignalAt(now)
        };
        let kill_at = now.plus(rules.kill_timeout);
        Stopping {
            begun: now,
            signal: rules.signal,
            kill_at,
            stage,
        }
    }

    /// Begins to stop a process that is asked to end in another way (by a message of its own): all
    /// that is left is SIGKILL at the kill timeout.
    #[must_use]
    pub fn begin_unheard(rules: &StopRules, now: Millis) -> Stopping {
        let kill_at = now.plus(rules.kill_timeout);
        Stopping {
            begun: now,
            signal: rules.signal,
            kill_at,
            stage: Stage::KillAt(kill_at),
        }
    }

    /// When the stop was begun.
    #[must_use]
    pub fn begun(&self) -> Millis {
        self.begun
    }

    /// What is due by now, one thing at a time; `None` when nothing (more) is.
    pub fn step(&mut self, now: Millis) -> Option<StopStep> {
        match self.stage {
            Stage::DisconnectDue { signal_at } => {
                self.stage = Stage::SignalAt(signal_at);
                Some(StopStep::Disconnect)
            }
            Stage::SignalAt(due) if due <= now => {
                self.stage = Stage::KillAt(self.kill_at);
                Some(StopStep::Signal(self.signal))
            }
            Stage::KillAt(due) if due <= now => {
                self.stage = Stage::Killed;
                Some(StopStep::KillTree)
            }
            Stage::SignalAt(_) | Stage::KillAt(_) | Stage::Killed => None,
        }
    }

    /// Ends all patience: the next step, due at once, is [`StopStep::KillTree`]. Changes nothing
    /// when that has been done already.
    pub fn force(&mut self) {
        match self.stage {
            Stage::DisconnectDue { .. } | Stage::SignalAt(_) | Stage::KillAt(_) => {
                self.stage = Stage::KillAt(self.begun);
            }
            Stage::Killed => {}
        }
    }

    /// When [`step`](Self::step) will next have something to say; `None` after SIGKILL, when all
    /// there is left to wait for is the exit.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Millis> {
        match self.stage {
            Stage::DisconnectDue { .. } => Some(self.begun),
            Stage::SignalAt(due) | Stage::KillAt(due) => Some(due),
            Stage::Killed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGUN: u64 = 10_000;

    fn stopping(kill_timeout: u64, can_disconnect: bool) -> Stopping {
        let rules = StopRules {
            signal: 15,
            kill_timeout: Duration::from_millis(kill_timeout),
        };
        Stopping::begin(&rules, Millis(BEGUN), can_disconnect)
    }

    /// All steps of a stop that nothing answers, with their times after its beginning.
    fn unanswered(mut stop: Stopping) -> Vec<(u64, StopStep)> {
        let mut steps = Vec::new();
        while let Some(wakeup) = stop.next_wakeup() {
            let before = stop;
            if let Some(early) = wakeup.0.checked_sub(1).filter(|early| *early >= BEGUN) {
                assert_eq!(
                    stop.step(Millis(early)),
                    None,
                    "nothing is due before the wakeup"
                );
            }
            while let Some(step) = stop.step(wakeup) {
                steps.push((wakeup.0 - BEGUN, step));
            }
            assert_ne!(stop, before, "a wakeup must lead somewhere");
        }
        steps
    }

    #[test]
    fn a_cluster_worker_is_disconnected_then_signalled_then_killed() {
        let expected = [
            (0, StopStep::Disconnect),
            (800, StopStep::Signal(15)),
            (1600, StopStep::KillTree),
        ];
        assert_eq!(unanswered(stopping(1600, true)), expected);
    }

    #[test]
    fn any_other_process_is_signalled_then_killed() {
        let expected = [(0, StopStep::Signal(15)), (1600, StopStep::KillTree)];
        assert_eq!(unanswered(stopping(1600, false)), expected);
    }

    #[test]
    fn what_is_asked_in_another_way_is_only_killed() {
        let rules = StopRules::default();
        let stop = Stopping::begin_unheard(&rules, Millis(BEGUN));
        assert_eq!(unanswered(stop), [(1600, StopStep::KillTree)]);
    }

    #[test]
    fn no_patience_means_everything_at_once_and_in_order() {
        let expected = [
            (0, StopStep::Disconnect),
            (0, StopStep::Signal(15)),
            (0, StopStep::KillTree),
        ];
        assert_eq!(unanswered(stopping(0, true)), expected);
        assert_eq!(unanswered(stopping(0, false)), expected[1..]);
    }

    #[test]
    fn a_late_wakeup_skips_nothing() {
        let mut stop = stopping(1600, true);
        let late = Millis(BEGUN + 5_000);
        assert_eq!(stop.step(late), Some(StopStep::Disconnect));
        assert_eq!(stop.step(late), Some(StopStep::Signal(15)));
        assert_eq!(stop.step(late), Some(StopStep::KillTree));
        assert_eq!(stop.step(late), None);
    }

    #[test]
    fn force_kills_at_once_from_every_stage_and_only_once() {
        let now = Millis(BEGUN + 1);
        for can_disconnect in [true, false] {
            for steps_before in 0..2 {
                let mut stop = stopping(1600, can_disconnect);
                for _ in 0..steps_before {
                    stop.step(now);
                }
                stop.force();
                assert!(stop.next_wakeup().is_some_and(|due| due <= now));
                assert_eq!(stop.step(now), Some(StopStep::KillTree));
                stop.force();
                assert_eq!(stop.next_wakeup(), None);
                assert_eq!(stop.step(now), None);
            }
        }
    }

    #[test]
    fn the_defaults_are_those_of_pm2() {
        let expected = StopRules {
            signal: 2,
            kill_timeout: Duration::from_millis(1600),
        };
        assert_eq!(StopRules::default(), expected);
    }
}
