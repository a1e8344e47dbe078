//! What is asked of a slot, begun.

use super::leaving::How;
use super::rules::{ChannelKind, Readiness};
use super::slot::{Hands, News, Slot, State, Then};
use super::view::Failure;

/// How far a reload of a slot has been begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    Yes,
    /// Something of an earlier one is still being ended.
    NotYet,
}

impl Slot {
    /// It is to run.
    pub(super) fn start(&mut self, hands: &mut Hands<'_>) {
        match &mut self.state {
            State::Stopped | State::Errored | State::Waiting { .. } => {
                self.forgive();
                self.kill_again(hands);
                self.rest(Then::Start, hands);
            }
            State::Stopping { then } => match then {
                Then::Start => {}
                Then::Stop | Then::GiveUp | Then::Remove => {
                    *then = Then::Start;
                    self.forgive();
                }
            },
            State::Running(_) | State::Reloading { .. } | State::Removed => {}
        }
    }

    /// It is not to run.
    pub(super) fn stop(&mut self, hands: &mut Hands<'_>) {
        self.leave(Then::Stop, hands);
    }

    /// It is not to be.
    pub(super) fn remove(&mut self, hands: &mut Hands<'_>) {
        self.leave(Then::Remove, hands);
    }

    /// Whatever runs in it is to be another process.
    pub(super) fn restart(&mut self, hands: &mut Hands<'_>) {
        match &self.state {
            State::Running(_) | State::Reloading { .. } => {
                self.restarts += 1;
                self.forgive();
                self.leave(Then::Start, hands);
            }
            State::Stopped
            | State::Errored
            | State::Waiting { .. }
            | State::Stopping { .. }
            | State::Removed => self.start(hands),
        }
    }

    /// Whatever runs in it is to be another process, which is up before this one is stopped.
    pub(super) fn reload(&mut self, hands: &mut Hands<'_>) -> Begun {
        match std::mem::replace(&mut self.state, State::Stopped) {
            State::Running(old) => {
                if self.waits_for_an_end() {
                    self.state = State::Running(old);
                    return Begun::NotYet;
                }
                if let Some(generation) = self.withstanding() {
                    let failure = Failure::Unkillable { generation };
                    self.state = State::Running(old);
                    self.tell(hands, News::ReloadFailed(failure));
                    return Begun::Yes;
                }
                let side_by_side = [&old.rules, hands.rules].iter().all(|rules| {
                    rules.channel == ChannelKind::Cluster && rules.readiness != Readiness::Silent
                });
                if side_by_side {
                    let mut new = self.order(hands);
                    new.must_listen = old.listening;
                    self.state = State::Reloading { old, new };
                } else {
                    self.state = State::Running(old);
                    self.restart(hands);
                }
                Begun::Yes
            }
            state @ State::Reloading { .. } => {
                self.state = state;
                self.abandon_reload(hands);
                Begun::NotYet
            }
            state @ (State::Stopped
            | State::Errored
            | State::Waiting { .. }
            | State::Stopping { .. }
            | State::Removed) => {
                self.state = state;
                self.start(hands);
                Begun::Yes
            }
        }
    }

    /// The new process of a reload, if one is under way, is not wanted any more.
    pub(super) fn abandon_reload(&mut self, hands: &mut Hands<'_>) {
        match std::mem::replace(&mut self.state, State::Stopped) {
            State::Reloading { old, new } => {
                self.state = State::Running(old);
                self.end(new, How::Kill, hands);
                self.tell(hands, News::Moved);
            }
            state @ (State::Stopped
            | State::Errored
            | State::Waiting { .. }
            | State::Running(_)
            | State::Stopping { .. }
            | State::Removed) => self.state = state,
        }
    }

    /// Its counters are to be zero.
    pub(super) fn reset(&mut self) {
        self.restarts = 0;
        self.history.forgive();
    }

    fn forgive(&mut self) {
        self.history.forgive();
        self.reason = None;
    }

    fn leave(&mut self, then: Then, hands: &mut Hands<'_>) {
        self.reason = None;
        self.kill_again(hands);
        let then = match std::mem::replace(&mut self.state, State::Stopped) {
            State::Stopped | State::Errored | State::Waiting { .. } => then,
            State::Running(process) => {
                self.end(process, How::Ask, hands);
                then
            }
            State::Reloading { old, new } => {
                self.end(old, How::Ask, hands);
                self.end(new, How::Ask, hands);
                then
            }
            State::Stopping { then: before } => match before {
                // What is stopped by being removed is stopped.
                Then::Remove => Then::Remove,
                Then::Stop | Then::GiveUp | Then::Start => then,
            },
            State::Removed => Then::Remove,
        };
        self.rest(then, hands);
    }

    /// What has withstood SIGKILL gets it again, and time to die.
    fn kill_again(&mut self, hands: &mut Hands<'_>) {
        for one in &mut self.leaving {
            if one.is_unkillable() {
                one.kill(self.number, hands.now, hands.queue);
            }
        }
    }
}
