//! Who waits for what, whose turn is it, and when is an ask answered?

use std::collections::{BTreeMap, VecDeque};

use super::action::Outcome;
use super::event::{AskId, Until};
use super::slot::{News, Slot, State};
use super::view::Failure;

/// An ask that has no answer yet.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) id: AskId,
    pub(super) kind: Kind,
    /// How many slots can be under way at a time.
    parallel: usize,
    /// How many are.
    turns: usize,
    todo: VecDeque<u32>,
    hand: BTreeMap<u32, InHand>,
    outcomes: BTreeMap<u32, Outcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    Stop,
    Restart(Until),
    Reload,
    Remove,
}

/// A slot that was begun with.
#[derive(Debug, Clone, Copy)]
struct InHand {
    /// Whether others have to wait for it.
    in_turn: bool,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Begun,
    /// It could not be begun yet.
    Queued,
    /// The reload has failed; what it has left over is being ended.
    Failed(Failure),
}

impl Kind {
    /// Whether what is wanted first goes on when the second is asked for, because it leads to the
    /// same.
    fn goes_on_with(self, newer: Kind) -> bool {
        match newer {
            Kind::Start => match self {
                Kind::Start | Kind::Restart(_) | Kind::Reload => true,
                Kind::Stop | Kind::Remove => false,
            },
            Kind::Stop | Kind::Remove => match self {
                Kind::Stop | Kind::Remove => true,
                Kind::Start | Kind::Restart(_) | Kind::Reload => false,
            },
            Kind::Restart(_) | Kind::Reload => false,
        }
    }
}

impl Pending {
    /// With no slots yet, and outcomes that are known already.
    pub(super) fn new(id: AskId, kind: Kind, parallel: usize) -> Pending {
        Pending {
            id,
            kind,
            parallel: parallel.max(1),
            turns: 0,
            todo: VecDeque::new(),
            hand: BTreeMap::new(),
            outcomes: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, slot: u32) {
        self.todo.push_back(slot);
    }

    pub(super) fn settle(&mut self, slot: u32, outcome: Outcome) {
        if let Some(hand) = self.hand.remove(&slot) {
            self.turns -= usize::from(hand.in_turn);
        }
        self.outcomes.insert(slot, outcome);
        match (self.kind, outcome) {
            (Kind::Reload, Outcome::Failed(_)) => self.begin_no_more(),
            (Kind::Start | Kind::Stop | Kind::Restart(_) | Kind::Reload | Kind::Remove, _) => {}
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.todo.is_empty() && self.hand.is_empty()
    }

    pub(super) fn answer(self) -> (AskId, Vec<(u32, Outcome)>) {
        (self.id, self.outcomes.into_iter().collect())
    }

    /// Somebody wants something of a slot.
    pub(super) fn give_way(&mut self, slot: u32, newer: Kind) {
        if self.kind.goes_on_with(newer) {
            return;
        }
        let waits = self.todo.len();
        self.todo.retain(|todo| *todo != slot);
        if self.todo.len() < waits || self.hand.contains_key(&slot) {
            self.settle(slot, Outcome::Superseded);
        }
    }

    /// Somebody wants all of it done anew. Gives back the slots that it had begun with.
    pub(super) fn give_way_wholly(&mut self) -> Vec<u32> {
        let begun: Vec<u32> = self.hand.keys().copied().collect();
        let todo = std::mem::take(&mut self.todo);
        for slot in todo.into_iter().chain(begun.iter().copied()) {
            self.settle(slot, Outcome::Superseded);
        }
        begun
    }

    /// The slot to begin with now, if any.
    pub(super) fn next_turn(&mut self, slots: &BTreeMap<u32, Box<Slot>>) -> Option<u32> {
        if self.turns < self.parallel
            && let Some(slot) = self.todo.pop_front()
        {
            return Some(slot);
        }
        if self.kind != Kind::Reload {
            return None;
        }
        let free = |slot| slots.get(slot).is_none_or(|slot| !slot.waits_for_an_end());
        let mut hand = self.hand.iter();
        let queued = hand.find(|(slot, hand)| matches!(hand.stage, Stage::Queued) && free(slot));
        queued.map(|(slot, _)| *slot)
    }

    /// The slot was begun with, or stands in line.
    pub(super) fn begun(&mut self, slot: u32, queued: bool) {
        let stage = if queued { Stage::Queued } else { Stage::Begun };
        let before = self.hand.insert(
            slot,
            InHand {
                in_turn: true,
                stage,
            },
        );
        self.turns += usize::from(!before.is_some_and(|before| before.in_turn));
    }

    pub(super) fn hear(&mut self, number: u32, news: News, slot: Option<&Slot>) {
        let Some(hand) = self.hand.get_mut(&number) else {
            return;
        };
        match self.kind {
            Kind::Start | Kind::Restart(_) => match news {
                News::Failed(failure) => self.settle(number, Outcome::Failed(failure)),
                News::Finished(exit) => self.settle(number, Outcome::Finished { exit }),
                News::Moved | News::ReloadFailed(_) => self.look(number, slot),
            },
            Kind::Stop | Kind::Remove => match news {
                News::Failed(failure @ Failure::Unkillable { .. }) => {
                    self.settle(number, Outcome::Failed(failure));
                }
                News::Failed(_) | News::Finished(_) | News::Moved | News::ReloadFailed(_) => {
                    self.look(number, slot);
                }
            },
            Kind::Reload => {
                match hand.stage {
                    Stage::Begun => match news {
                        News::Failed(failure) | News::ReloadFailed(failure) => {
                            hand.stage = Stage::Failed(failure);
                            self.begin_no_more();
                        }
                        News::Finished(exit) => {
                            return self.settle(number, Outcome::Finished { exit });
                        }
                        News::Moved => {}
                    },
                    Stage::Queued => match news {
                        News::ReloadFailed(failure)
                        | News::Failed(failure @ Failure::Unkillable { .. }) => {
                            hand.stage = Stage::Failed(failure);
                            self.begin_no_more();
                        }
                        // It will be begun anew, whatever there is then.
                        News::Failed(_) | News::Finished(_) | News::Moved => {}
                    },
                    Stage::Failed(_) => {}
                }
                self.look(number, slot);
            }
        }
    }

    /// Looks whether what is wanted of a slot has come true.
    fn look(&mut self, number: u32, slot: Option<&Slot>) {
        let Some(hand) = self.hand.get_mut(&number) else {
            return;
        };
        let Some(slot) = slot else {
            let outcome = match self.kind {
                Kind::Stop => Outcome::Stopped,
                Kind::Remove => Outcome::Removed,
                Kind::Start | Kind::Restart(_) | Kind::Reload => Outcome::NoSuchSlot,
            };
            return self.settle(number, outcome);
        };
        let outcome = match self.kind {
            Kind::Start => match &slot.state {
                State::Reloading { old, .. } if old.is_up() => Some(Outcome::Up {
                    generation: old.generation,
                }),
                State::Stopped
                | State::Errored
                | State::Waiting { .. }
                | State::Running(_)
                | State::Reloading { .. }
                | State::Stopping { .. }
                | State::Removed => slot.came(Until::Up),
            },
            Kind::Stop => matches!(slot.state, State::Stopped).then_some(Outcome::Stopped),
            Kind::Remove => None,
            Kind::Restart(until) => {
                if hand.in_turn && slot.came(Until::Online).is_some() {
                    hand.in_turn = false;
                    self.turns -= 1;
                }
                slot.came(until)
            }
            Kind::Reload => match hand.stage {
                Stage::Queued => None,
                Stage::Begun | Stage::Failed(_) if slot.waits_for_an_end() => None,
                Stage::Begun => slot
                    .withstanding()
                    .map(|generation| Outcome::Failed(Failure::Unkillable { generation }))
                    .or_else(|| slot.came(Until::Up)),
                Stage::Failed(failure) => Some(Outcome::Failed(failure)),
            },
        };
        if let Some(outcome) = outcome {
            self.settle(number, outcome);
        }
    }

    /// A reload that has failed somewhere goes no further.
    fn begin_no_more(&mut self) {
        for slot in std::mem::take(&mut self.todo) {
            self.outcomes.insert(slot, Outcome::NotReloaded);
        }
    }
}
