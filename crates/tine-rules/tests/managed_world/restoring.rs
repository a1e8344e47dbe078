//! The brain is lost and comes back.

use tine_rules::Millis;
use tine_rules::managed::{Event, Managed, SavedState, Standing};

use crate::simulation::{Happening, World, ms};

impl World {
    /// The brain is lost with all that it had not said, and goes on from its snapshot.
    pub(crate) fn restore(&mut self, away: u64) {
        let snapshot = self.app.snapshot(Millis(self.now));
        for slot in &snapshot.slots {
            match &slot.state {
                SavedState::Waiting { .. } => self.seen.insert("restored: waiting"),
                SavedState::Reloading { .. } => self.seen.insert("restored: reload under way"),
                SavedState::Stopping { .. } => self.seen.insert("restored: being stopped"),
                SavedState::Stopped | SavedState::Errored | SavedState::Running { .. } => false,
            };
        }
        self.seen.insert("restored");
        self.now += away;
        self.unanswered.clear();
        self.spawns.clear();
        let rules = self.app.rules().clone();
        let aged = snapshot.clone().aged(ms(away));
        let now = Millis(self.now);
        self.app = Managed::restore(rules, aged, now);
        self.drained = false;
        for slot in snapshot.slots {
            let number = slot.number;
            let (first, second) = match slot.state {
                SavedState::Running { process } => (Some(process), None),
                SavedState::Reloading { old, new } => (Some(old), Some(new)),
                SavedState::Stopped
                | SavedState::Errored
                | SavedState::Waiting { .. }
                | SavedState::Stopping { .. } => (None, None),
            };
            let ordered = first.into_iter().chain(second);
            let ordered = ordered.filter(|process| process.standing == Standing::Ordered);
            let unborn = slot.leaving.iter().filter(|one| !one.exists);
            let unborn = unborn.map(|one| one.generation);
            for generation in ordered.map(|process| process.generation).chain(unborn) {
                if !self.processes.contains_key(&(number, generation)) {
                    self.seen.insert("restored: order lost");
                    self.tell(Event::OrderLost {
                        slot: number,
                        generation,
                    });
                }
            }
        }
        if self.ending {
            // Whoever wanted it stopped has got no answer, and asks again.
            self.later(0, Happening::AsksForTheEnd);
        }
    }
}
