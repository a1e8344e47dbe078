//! What has been decided and not yet been fetched.

use std::collections::VecDeque;

use super::action::Action;

#[derive(Debug, Clone, Default)]
pub(super) struct Queue(VecDeque<Action>);

impl Queue {
    pub(super) fn push(&mut self, action: Action) {
        self.0.push_back(action);
    }

    pub(super) fn pop(&mut self) -> Option<Action> {
        self.0.pop_front()
    }

    /// Takes back the order to create a process, if nobody has fetched it yet.
    pub(super) fn take_back_spawn(&mut self, slot: u32, generation: u64) -> bool {
        let before = self.0.len();
        self.0
            .retain(|action| *action != Action::Spawn { slot, generation });
        self.0.len() < before
    }

    /// Takes back what was to be done to a process: it has exited.
    pub(super) fn forget_process(&mut self, slot: u32, generation: u64) {
        let its = (slot, generation);
        self.0.retain(|action| match *action {
            Action::Disconnect { slot, generation }
            | Action::Signal {
                slot, generation, ..
            }
            | Action::Message { slot, generation }
            | Action::KillTree { slot, generation } => (slot, generation) != its,
            Action::Spawn { .. }
            | Action::ReleaseListeners { .. }
            | Action::LendListeners { .. }
            | Action::PruneListeners
            | Action::Ended { .. }
            | Action::Changed { .. }
            | Action::Removed { .. }
            | Action::Answer { .. } => true,
        });
    }
}
