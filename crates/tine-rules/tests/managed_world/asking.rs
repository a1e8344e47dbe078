//! What people ask, at any time and of anything.

use std::collections::BTreeSet;

use tine_rules::managed::{Ask, AskId, Event, Until};

use crate::simulation::{Asked, SLOTS, World};

impl World {
    pub(crate) fn some_ask(&mut self) -> Ask {
        let count = self.chance.upto(4);
        let chance = &mut self.chance;
        let mut slots: Vec<u32> = (0..=count).map(|_| chance.upto(SLOTS - 1) as u32).collect();
        let parallel = chance.one_of(&[None, None, Some(0), Some(1), Some(2)]);
        match chance.upto(13) {
            0..=1 => Ask::Start { slots },
            2..=3 => Ask::Stop { slots },
            4..=5 => Ask::Restart {
                slots,
                parallel,
                until: chance.one_of(&[Until::Online, Until::Up]),
            },
            6..=9 => Ask::Reload {
                slots,
                parallel,
                force: chance.percent(30),
            },
            10 => Ask::Remove { slots },
            11..=12 => {
                let start = chance.percent(70);
                // Of a removed one nothing may be said any more.
                let used = |slot: &u32| {
                    let of_slot = (*slot, 0)..=(*slot, u64::MAX);
                    self.app.view(*slot).is_none() && self.processes.range(of_slot).next().is_some()
                };
                slots.retain(|slot| !used(slot));
                Ask::Add { slots, start }
            }
            _ => Ask::Reset { slots },
        }
    }

    pub(crate) fn ask(&mut self, ask: Ask) {
        self.last_ask += 1;
        let id = AskId(self.last_ask);
        let slots: BTreeSet<u32> = match &ask {
            Ask::Start { slots }
            | Ask::Stop { slots }
            | Ask::Restart { slots, .. }
            | Ask::Reload { slots, .. }
            | Ask::Remove { slots }
            | Ask::Add { slots, .. }
            | Ask::Reset { slots } => slots.iter().copied().collect(),
        };
        for slot in &slots {
            self.named.insert(*slot, self.last_ask);
        }
        // What follows from an ask is not bounded by the rules of replacement, and it may be some
        // time until it follows.
        self.spawns.clear();
        if let Ask::Reload { force: true, .. } = ask {
            self.forced = self.last_ask;
        }
        let asked = Asked {
            ask: ask.clone(),
            slots,
            at: self.now,
        };
        self.unanswered.insert(id, asked);
        self.tell(Event::Ask { id, ask });
    }
}
