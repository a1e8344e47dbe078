//! One app and all that was asked of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::action::{Action, Outcome};
use super::asks::{Kind, Pending};
use super::event::{Ask, AskId, Event, Heard};
use super::orders::Begun;
use super::queue::Queue;
use super::rules::{ChannelKind, ManagedRules};
use super::slot::{Hands, News, Slot, State};
use super::view::SlotView;
use crate::time::Millis;

/// All slots must have been up for this long, or for `min_uptime` if that is longer, before sockets
/// held for workers to come are given up.
const LEAST_SETTLING: Duration = Duration::from_secs(1);

/// The machine of one managed app. It is told what happened and says what to do.
#[derive(Debug, Clone)]
pub struct Managed {
    pub(super) rules: Arc<ManagedRules>,
    /// Boxed, because a node of the map has room for many, and most apps have one.
    pub(super) slots: BTreeMap<u32, Box<Slot>>,
    pub(super) queue: Queue,
    asks: Vec<Pending>,
    news: Vec<(u32, News)>,
    /// What was last said of each slot.
    published: BTreeMap<u32, Box<SlotView>>,
    /// Slots of which something else may have to be said.
    touched: BTreeSet<u32>,
    settling: Settling,
}

/// Whether all slots have been up since one of them had to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settling {
    /// Nobody was replaced, or it has been said.
    Done,
    /// Some are not up.
    Open,
    /// They are; at this time they will have been for long enough.
    Until(Millis),
}

impl Managed {
    /// An app without any slot.
    #[must_use]
    pub fn new(rules: ManagedRules) -> Managed {
        Managed {
            rules: Arc::new(rules),
            slots: BTreeMap::new(),
            queue: Queue::default(),
            asks: Vec::new(),
            news: Vec::new(),
            published: BTreeMap::new(),
            touched: BTreeSet::new(),
            settling: Settling::Done,
        }
    }

    /// Takes notice of what happened at `now`. Then ask for actions until there are none.
    ///
    /// Never fails: what does not fit the state (an event that is late, doubled, or about a slot or
    /// process that does not exist) changes nothing.
    pub fn handle(&mut self, now: Millis, event: Event) {
        match Heard::from(event) {
            Heard::Ask(id, ask) => self.ask(now, id, ask),
            Heard::Rules(rules) => self.rules = Arc::new(rules),
            Heard::Woken => {
                let due = |slot: &Slot| slot.next_wakeup().is_some_and(|due| due <= now);
                let due: Vec<u32> = self
                    .slots
                    .values()
                    .filter(|slot| due(slot))
                    .map(|slot| slot.number)
                    .collect();
                for slot in due {
                    self.with(now, slot, |slot, hands| slot.woken(hands));
                }
            }
            Heard::Process {
                slot,
                generation,
                event,
            } => {
                self.with(now, slot, |slot, hands| slot.hear(generation, event, hands));
            }
        }
        self.go_on(now);
    }

    /// The next thing to do, in order; `None` when there is nothing until the next event.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.queue.pop()
    }

    /// When [`Event::Woken`] is due, if no event comes before; `None`: only an event changes
    /// anything. After [`Event::Woken`] it is always later than the time that event was given.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Millis> {
        let settled = match self.settling {
            Settling::Until(until) => Some(until),
            Settling::Open | Settling::Done => None,
        };
        let slots = self.slots.values().filter_map(|slot| slot.next_wakeup());
        slots.chain(settled).min()
    }

    /// How the processes that are created from now on are treated.
    #[must_use]
    pub fn rules(&self) -> &ManagedRules {
        &self.rules
    }

    /// The numbers of all slots, in order.
    pub fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.slots.keys().copied()
    }

    /// How a slot stands; `None` when there is no such slot.
    #[must_use]
    pub fn view(&self, slot: u32) -> Option<SlotView> {
        self.slots.get(&slot).map(|slot| slot.view())
    }

    /// The asks that have no answer yet, oldest first.
    pub fn unanswered(&self) -> impl Iterator<Item = AskId> + '_ {
        self.asks.iter().map(|ask| ask.id)
    }

    fn ask(&mut self, now: Millis, id: AskId, ask: Ask) {
        match ask {
            Ask::Start { slots } => self.take_on(id, Kind::Start, usize::MAX, &slots),
            Ask::Stop { slots } => self.take_on(id, Kind::Stop, usize::MAX, &slots),
            Ask::Remove { slots } => self.take_on(id, Kind::Remove, usize::MAX, &slots),
            Ask::Restart {
                slots,
                parallel,
                until,
            } => {
                let parallel = match parallel {
                    Some(parallel) => parallel as usize,
                    None => self.known(&slots).len().div_ceil(2),
                };
                self.take_on(id, Kind::Restart(until), parallel, &slots);
            }
            Ask::Reload {
                slots,
                parallel,
                force,
            } => self.take_on_reload(now, id, &slots, parallel, force),
            Ask::Add { slots, start } => self.add(id, &slots, start),
            Ask::Reset { slots } => {
                let mut pending = Pending::new(id, Kind::Stop, 1);
                for number in slots {
                    let outcome = match self.slots.get_mut(&number) {
                        Some(slot) => {
                            slot.reset();
                            self.touched.insert(number);
                            Outcome::Reset
                        }
                        None => Outcome::NoSuchSlot,
                    };
                    pending.settle(number, outcome);
                }
                self.asks.push(pending);
            }
        }
    }

    /// Those of the slots that there are, each once, in the order given.
    fn known(&self, slots: &[u32]) -> Vec<u32> {
        let mut seen = BTreeSet::new();
        let mut known = slots.to_vec();
        known.retain(|slot| self.slots.contains_key(slot) && seen.insert(*slot));
        known
    }

    fn take_on(&mut self, id: AskId, kind: Kind, parallel: usize, slots: &[u32]) {
        let mut pending = Pending::new(id, kind, parallel);
        for slot in slots {
            if !self.slots.contains_key(slot) {
                pending.settle(*slot, Outcome::NoSuchSlot);
            }
        }
        for slot in self.known(slots) {
            for older in &mut self.asks {
                older.give_way(slot, kind);
            }
            pending.add(slot);
        }
        self.asks.push(pending);
    }

    fn take_on_reload(
        &mut self,
        now: Millis,
        id: AskId,
        slots: &[u32],
        parallel: Option<u32>,
        force: bool,
    ) {
        let under_way = |ask: &Pending| ask.kind == Kind::Reload;
        if !force && self.asks.iter().any(under_way) {
            let mut pending = Pending::new(id, Kind::Reload, 1);
            for slot in slots {
                pending.settle(*slot, Outcome::ReloadUnderWay);
            }
            return self.asks.push(pending);
        }
        let mut begun = Vec::new();
        for older in self.asks.iter_mut().filter(|ask| under_way(ask)) {
            begun.append(&mut older.give_way_wholly());
        }
        for slot in begun {
            self.with(now, slot, |slot, hands| slot.abandon_reload(hands));
        }
        self.take_on(id, Kind::Reload, parallel.unwrap_or(1) as usize, slots);
    }

    fn add(&mut self, id: AskId, slots: &[u32], start: bool) {
        let mut pending = Pending::new(id, Kind::Start, usize::MAX);
        let mut added = BTreeSet::new();
        for number in slots.iter().copied() {
            if added.contains(&number) {
                continue;
            }
            if self.slots.contains_key(&number) {
                pending.settle(number, Outcome::AlreadyThere);
                continue;
            }
            self.slots.insert(number, Box::new(Slot::new(number)));
            self.touched.insert(number);
            added.insert(number);
            if start {
                pending.add(number);
            } else {
                pending.settle(number, Outcome::Added);
            }
        }
        self.asks.push(pending);
    }

    /// Lets something happen in a slot.
    fn with<T>(
        &mut self,
        now: Millis,
        number: u32,
        happen: impl FnOnce(&mut Slot, &mut Hands<'_>) -> T,
    ) -> Option<T> {
        let slot = self.slots.get_mut(&number)?;
        let mut hands = Hands {
            now,
            rules: &self.rules,
            queue: &mut self.queue,
            news: &mut self.news,
        };
        let before = slot.generation;
        let given = happen(slot, &mut hands);
        if slot.generation > before && before > 0 {
            self.settling = Settling::Open;
        }
        self.touched.insert(number);
        if matches!(slot.state, State::Removed) {
            self.slots.remove(&number);
            self.published.remove(&number);
            self.touched.remove(&number);
            self.queue.push(Action::Removed { slot: number });
        }
        Some(given)
    }

    /// All slots are as somebody has kept them.
    pub(super) fn restored(&mut self, now: Millis) {
        self.settling = Settling::Open;
        self.touched = self.slots().collect();
        self.go_on(now);
    }

    /// Lets everybody hear what happened and take their turns, until nothing follows any more.
    fn go_on(&mut self, now: Millis) {
        loop {
            for (slot, news) in std::mem::take(&mut self.news) {
                for ask in &mut self.asks {
                    ask.hear(slot, news, self.slots.get(&slot).map(|slot| &**slot));
                }
            }
            let slots = &self.slots;
            let mut asks = self.asks.iter_mut().enumerate();
            let turn = asks.find_map(|(ask, pending)| Some((ask, pending.next_turn(slots)?)));
            let Some((ask, slot)) = turn else {
                break;
            };
            self.begin(now, ask, slot);
        }
        self.settle(now);
        for slot in std::mem::take(&mut self.touched) {
            let Some(view) = self.view(slot) else {
                continue;
            };
            if self.published.get(&slot).map(|known| &**known) != Some(&view) {
                self.published.insert(slot, Box::new(view));
                self.queue.push(Action::Changed { slot });
            }
        }
        for over in self.asks.extract_if(.., |ask| ask.is_over()) {
            let (id, outcomes) = over.answer();
            self.queue.push(Action::Answer { id, outcomes });
        }
    }

    fn begin(&mut self, now: Millis, ask: usize, slot: u32) {
        let Some(kind) = self.asks.get(ask).map(|ask| ask.kind) else {
            return;
        };
        let begun = self.with(now, slot, |slot, hands| match kind {
            Kind::Start => {
                slot.start(hands);
                Begun::Yes
            }
            Kind::Stop => {
                slot.stop(hands);
                Begun::Yes
            }
            Kind::Remove => {
                slot.remove(hands);
                Begun::Yes
            }
            Kind::Restart(_) => {
                slot.restart(hands);
                Begun::Yes
            }
            Kind::Reload => slot.reload(hands),
        });
        if let Some(pending) = self.asks.get_mut(ask) {
            pending.begun(slot, begun == Some(Begun::NotYet));
        }
        // It may be so already.
        self.news.push((slot, News::Moved));
    }

    /// A worker is up when its first server listens; its others may follow a moment later, so
    /// nothing is called unwanted at once.
    fn settle(&mut self, now: Millis) {
        if self.rules.channel != ChannelKind::Cluster {
            self.settling = Settling::Done;
            return;
        }
        if self.settling == Settling::Done {
            return;
        }
        let mut all_up = true;
        let mut some_up = false;
        for slot in self.slots.values() {
            match &slot.state {
                State::Stopped | State::Errored | State::Removed => {}
                State::Running(process) if process.is_up() && slot.leaving.is_empty() => {
                    some_up = true;
                }
                State::Running(_)
                | State::Waiting { .. }
                | State::Reloading { .. }
                | State::Stopping { .. } => all_up = false,
            }
        }
        if !(all_up && some_up) {
            self.settling = Settling::Open;
            return;
        }
        match self.settling {
            Settling::Open => {
                let long_enough = self.rules.restart.min_uptime.max(LEAST_SETTLING);
                self.settling = Settling::Until(now.plus(long_enough));
            }
            Settling::Until(until) if until <= now => {
                self.settling = Settling::Done;
                self.queue.push(Action::PruneListeners);
            }
            Settling::Until(_) | Settling::Done => {}
        }
    }
}
