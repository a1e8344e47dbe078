//! What has been decided and not yet been fetched.

use std::collections::VecDeque;

use super::action::{Action, Notice};

#[derive(Debug, Clone, Default)]
pub(super) struct Queue(VecDeque<Action>);

impl Queue {
    pub(super) fn push(&mut self, action: Action) {
        self.0.push_back(action);
    }

    pub(super) fn tell(&mut self, notice: Notice) {
        self.push(Action::Tell(notice));
    }

    pub(super) fn pop(&mut self) -> Option<Action> {
        self.0.pop_front()
    }

    /// Takes back the order to create a process, if nobody has fetched it yet.
    pub(super) fn take_back_spawn(&mut self, slot: usize, generation: u64) -> bool {
        self.take_back(&Action::Spawn { slot, generation })
    }

    /// Takes back what was to be done to a process: it has exited.
    pub(super) fn forget_process(&mut self, slot: usize, generation: u64) {
        if self.take_back(&Action::KillTree { slot, generation }) {
            // Nor would it be true to say that it was killed.
            self.0.retain(|action| {
                !matches!(action, Action::Tell(Notice::Killed { slot: s, generation: g, .. })
                    if (*s, *g) == (slot, generation))
            });
        }
        self.take_back(&Action::Disconnect { slot, generation });
        self.0.retain(|action| {
            !matches!(action, Action::Signal { slot: s, generation: g, .. }
                if (*s, *g) == (slot, generation))
        });
    }

    fn take_back(&mut self, unwanted: &Action) -> bool {
        let before = self.0.len();
        self.0.retain(|action| action != unwanted);
        self.0.len() < before
    }
}
