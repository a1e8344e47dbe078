//! What the app may say, and when: every promise that can be broken is looked at here.

use tine_rules::{Action, Notice, Outcome, SlotStatus};

use crate::simulation::{
    Happening, KILL_LATENCY, Name, Process, SPAWN_LATENCY, Temper, Word, World, exit_code,
    exit_signal,
};

impl World {
    /// Looks at what the app wants done, and lets the world answer.
    pub(crate) fn act(&mut self, action: Action) {
        assert_eq!(self.outcome, None, "{action:?} after the end");
        match action {
            Action::Spawn { slot, generation } => {
                assert_eq!(self.stop_asked, None, "{action:?} after the stop");
                let of_slot = (slot, 0)..=(slot, u64::MAX);
                let last = self.processes.range(of_slot).next_back();
                assert!(
                    last.is_none_or(|(_, last)| last.exited),
                    "two processes in {slot}"
                );
                self.spawns[slot].push(self.now);
                assert_eq!(generation, self.spawns[slot].len() as u64);
                let name = (slot, generation);
                self.processes.insert(name, Process::default());
                let delay = self.chance.upto(SPAWN_LATENCY);
                self.later(delay, Happening::Answer(name));
            }
            Action::Disconnect { slot, generation } => {
                let name = (slot, generation);
                let process = self.process(name);
                assert!(!process.exited, "{action:?} of a process that has exited");
                assert!(process.spoke, "{action:?} to a process that never spoke");
                assert_eq!(process.signals, 0, "{action:?} after the signal");
                process.disconnects += 1;
                self.seen.insert("disconnect");
                if self.chance.percent(50) {
                    let (closes, exits) = (self.chance.upto(400), self.chance.upto(2_000));
                    self.later(closes, Happening::Speaks(name, Word::ChannelClosed));
                    self.later(closes + exits, Happening::Dies(name, exit_code(0)));
                }
            }
            Action::Signal {
                slot,
                generation,
                signal,
            } => {
                assert_eq!(signal, 15);
                let name = (slot, generation);
                let process = self.process(name);
                assert!(!process.exited, "{action:?} to a process that has exited");
                assert!(process.kills == 0, "{action:?} after SIGKILL");
                process.signals += 1;
                self.seen.insert("signal");
                if self.chance.percent(50) {
                    let delay = self.chance.upto(2_000);
                    self.later(delay, Happening::Dies(name, exit_signal(signal)));
                }
            }
            Action::KillTree { slot, generation } => {
                assert!(self.stop_asked.is_some(), "{action:?} before the stop");
                let name = (slot, generation);
                let process = self.process(name);
                if process.exited {
                    process.kills_after_exit += 1;
                    return;
                }
                process.kills += 1;
                self.seen.insert("kill");
                let delay = self.chance.upto(KILL_LATENCY);
                self.later(delay, Happening::Dies(name, exit_signal(9)));
            }
            Action::ReleaseListeners { slot } => {
                let status = self.app.status(slot);
                let ended = matches!(status, Some(SlotStatus::Errored | SlotStatus::Finished));
                assert!(ended, "{action:?} of a slot that is {status:?}");
            }
            Action::LendListeners { slot } => {
                let status = self.app.status(slot);
                let waits = matches!(status, Some(SlotStatus::Waiting { .. }));
                assert!(
                    waits || self.stop_asked.is_some(),
                    "{action:?} of a slot that is {status:?}"
                );
            }
            Action::PruneListeners => {
                let ready = |slot| self.app.status(slot) == Some(SlotStatus::Ready);
                assert!(self.stop_asked.is_some() || (0..self.app.rules().instances).all(ready));
            }
            Action::Tell(notice) => self.hear(&notice),
            Action::Finish(outcome) => self.outcome = Some((self.now, outcome)),
        }
    }

    fn process(&mut self, name: Name) -> &mut Process {
        match self.processes.get_mut(&name) {
            Some(process) => process,
            None => panic!("there never was a process {name:?}"),
        }
    }

    fn hear(&mut self, notice: &Notice) {
        match *notice {
            Notice::Ready {
                slot, generation, ..
            } => {
                assert!(self.process((slot, generation)).ready, "{notice:?}");
            }
            Notice::Killed {
                slot, generation, ..
            } => {
                let process = self.process((slot, generation));
                assert!(process.kills == 1 && !process.told_killed, "{notice:?}");
                process.told_killed = true;
            }
            Notice::Ended {
                slot, generation, ..
            }
            | Notice::Stopped {
                slot, generation, ..
            } => {
                assert!(self.process((slot, generation)).exited, "{notice:?}");
            }
            Notice::Errored { .. } => self.errored += 1,
            Notice::AllReady { .. } | Notice::SpawnFailed { .. } | Notice::Stopping => {}
        }
    }

    pub(crate) fn check_the_end(&mut self) {
        assert_eq!(self.app.poll_action(), None, "the end is the last action");
        assert_eq!(self.app.next_wakeup(), None, "what is over needs no waking");
        for (name, process) in &self.processes {
            assert!(process.exited, "{name:?} was left alive");
            let Process {
                disconnects,
                signals,
                kills,
                ..
            } = *process;
            assert!(
                disconnects.max(signals).max(kills) <= 1,
                "{name:?}: {process:?}"
            );
            // Only the leftovers of a process that was being stopped are killed, and always.
            let touched = disconnects + signals + kills > 0;
            assert!(process.kills_after_exit <= 1, "{name:?}: {process:?}");
            assert!(
                !touched || process.kills_after_exit == 1,
                "{name:?}: {process:?}"
            );
        }
        self.check_spawns();
        let Some((at, outcome)) = &self.outcome else {
            return;
        };
        let kill_timeout = self.app.rules().stop.kill_timeout.as_millis() as u64;
        let slack = SPAWN_LATENCY + KILL_LATENCY;
        if let Some(asked) = self.stop_asked {
            assert!(
                *at <= asked + kill_timeout + slack,
                "stopped only at {at}, asked at {asked}"
            );
        }
        if let Some(forced) = self.stop_now {
            assert!(
                *at <= forced + slack,
                "stopped only at {at}, forced at {forced}"
            );
        }
        self.seen.insert(match outcome {
            Outcome::Stopped => {
                // The last word may have come after the last exit.
                assert!(self.stop_asked.is_some() && self.stop_now.is_none_or(|now| now == *at));
                "stopped"
            }
            Outcome::Forced => {
                assert!(self.stop_now.is_some());
                "forced"
            }
            Outcome::AllErrored => {
                assert!(self.errored > 0);
                "all errored"
            }
            Outcome::AllFinished { codes } => {
                assert_eq!((self.errored, codes.len()), (0, self.spawns.len()));
                "all finished"
            }
        });
        let taken_back = |(slot, spawns): (usize, &Vec<u64>)| {
            self.app
                .generation(slot)
                .is_some_and(|ordered| ordered > spawns.len() as u64)
        };
        if self.spawns.iter().enumerate().any(taken_back) {
            self.seen.insert("order taken back");
        }
    }

    /// How often a slot may be filled within any span of time, from the rule:
    /// * 16 replacements out of the budget, and one for each half second (and one under way);
    /// * one stable end for each `min_uptime` (and one under way);
    /// * a failed start that is tried again at once, after each of those and once besides;
    /// * the other failed starts at least 100 ms apart (and one under way);
    /// * the process that was there first;
    /// * and nothing sooner than `restart_delay` after what was before it.
    fn check_spawns(&self) {
        let rules = &self.app.rules().restart;
        let uptime = (rules.min_uptime.as_millis() as u64).max(100);
        let delay = rules.restart_delay.as_millis() as u64;
        for spawns in &self.spawns {
            for (first, from) in spawns.iter().enumerate() {
                for (last, to) in spawns.iter().enumerate().skip(first) {
                    let (count, span) = ((last - first + 1) as u64, to - from);
                    let replaced = (16 + span / 500 + 1) + (span / uptime + 1);
                    let most = 1 + replaced + (replaced + 1) + (span / 100 + 1);
                    assert!(count <= most, "{count} processes within {span} ms");
                    if let Some(most) = span.checked_div(delay) {
                        assert!(count <= most + 1, "{count} processes within {span} ms");
                    }
                    if self.temper == Temper::LivesLong {
                        assert!(
                            count <= span / uptime + 1,
                            "{count} processes within {span} ms"
                        );
                    }
                }
            }
        }
    }
}
