//! The words of these tests.

use std::time::Duration;

use tine_rules::managed::{
    Action, Ask, AskId, ChannelKind, Event, Exit, Failure, Managed, ManagedRules, Outcome,
    Readiness, Status, Until,
};
use tine_rules::{Millis, StopRules};

pub(crate) const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A program that says nothing.
pub(crate) fn silent() -> ManagedRules {
    ManagedRules::default()
}

/// A worker of Node's cluster.
pub(crate) fn cluster() -> ManagedRules {
    ManagedRules {
        channel: ChannelKind::Cluster,
        readiness: Readiness::Cluster,
        ..ManagedRules::default()
    }
}

/// A worker of Node's cluster that says when it is ready.
pub(crate) fn waits_for_ready() -> ManagedRules {
    ManagedRules {
        readiness: Readiness::Message,
        ..cluster()
    }
}

pub(crate) fn with_kill_timeout(rules: ManagedRules, kill_timeout: u64) -> ManagedRules {
    ManagedRules {
        stop: StopRules {
            kill_timeout: ms(kill_timeout),
            ..rules.stop
        },
        ..rules
    }
}

/// An app and its driver.
pub(crate) struct Driver {
    pub(crate) app: Managed,
    asks: u64,
}

impl Driver {
    pub(crate) fn new(rules: ManagedRules) -> Driver {
        Driver::with(Managed::new(rules))
    }

    pub(crate) fn with(app: Managed) -> Driver {
        Driver { app, asks: 0 }
    }

    /// So many slots that are up, in their first generation, at 1000.
    pub(crate) fn up(rules: ManagedRules, slots: u32) -> Driver {
        let mut driver = Driver::new(rules);
        driver.ask(0, add(0..slots));
        for slot in 0..slots {
            driver.at(0, spawned(slot, 1));
            driver.comes_up(1_000, slot, 1);
        }
        for slot in 0..slots {
            assert!(driver.app.view(slot).expect("a slot").up);
        }
        driver
    }

    /// Says all there is to say of a process that serves. Gives back all that follows.
    pub(crate) fn comes_up(&mut self, now: u64, slot: u32, generation: u64) -> Vec<Action> {
        let mut actions = self.at(now, online(slot, generation));
        actions.append(&mut self.at(now, listening(slot, generation)));
        actions.append(&mut self.at(now, ready(slot, generation)));
        actions
    }

    /// Lets the app hear something; gives back all that it says to that, except which slots have
    /// changed.
    pub(crate) fn at(&mut self, now: u64, event: Event) -> Vec<Action> {
        let mut actions = self.all_at(now, event);
        actions.retain(|action| !matches!(action, Action::Changed { .. }));
        actions
    }

    pub(crate) fn all_at(&mut self, now: u64, event: Event) -> Vec<Action> {
        self.app.handle(Millis(now), event);
        self.fetch()
    }

    pub(crate) fn fetch(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.app.poll_action()).collect()
    }

    /// Asks for something; the first ask has the number 1.
    pub(crate) fn ask(&mut self, now: u64, ask: Ask) -> Vec<Action> {
        self.asks += 1;
        let id = AskId(self.asks);
        self.at(now, Event::Ask { id, ask })
    }

    /// Asks for something and fetches nothing.
    pub(crate) fn ask_unfetched(&mut self, now: u64, ask: Ask) {
        self.asks += 1;
        let id = AskId(self.asks);
        self.app.handle(Millis(now), Event::Ask { id, ask });
    }

    pub(crate) fn status(&self, slot: u32) -> Status {
        self.app.view(slot).expect("a slot").status
    }

    pub(crate) fn wakeup(&self) -> Option<u64> {
        self.app.next_wakeup().map(|due| due.0)
    }
}

pub(crate) fn add(slots: impl IntoIterator<Item = u32>) -> Ask {
    let slots = slots.into_iter().collect();
    Ask::Add { slots, start: true }
}

pub(crate) fn start(slots: &[u32]) -> Ask {
    let slots = slots.to_vec();
    Ask::Start { slots }
}

pub(crate) fn stop(slots: &[u32]) -> Ask {
    let slots = slots.to_vec();
    Ask::Stop { slots }
}

pub(crate) fn restart(slots: &[u32]) -> Ask {
    Ask::Restart {
        slots: slots.to_vec(),
        parallel: None,
        until: Until::Online,
    }
}

pub(crate) fn reload(slots: &[u32]) -> Ask {
    Ask::Reload {
        slots: slots.to_vec(),
        parallel: None,
        force: false,
    }
}

pub(crate) fn force_reload(slots: &[u32]) -> Ask {
    Ask::Reload {
        slots: slots.to_vec(),
        parallel: None,
        force: true,
    }
}

pub(crate) fn remove(slots: &[u32]) -> Ask {
    let slots = slots.to_vec();
    Ask::Remove { slots }
}

pub(crate) fn spawned(slot: u32, generation: u64) -> Event {
    Event::Spawned { slot, generation }
}

pub(crate) fn spawn_failed(slot: u32, generation: u64, retry_helps: bool) -> Event {
    Event::SpawnFailed {
        slot,
        generation,
        retry_helps,
    }
}

pub(crate) fn online(slot: u32, generation: u64) -> Event {
    Event::Online { slot, generation }
}

pub(crate) fn listening(slot: u32, generation: u64) -> Event {
    Event::Listening { slot, generation }
}

pub(crate) fn ready(slot: u32, generation: u64) -> Event {
    Event::ReadySaid { slot, generation }
}

pub(crate) fn channel_closed(slot: u32, generation: u64) -> Event {
    Event::ChannelClosed { slot, generation }
}

pub(crate) fn code(code: i32) -> Exit {
    Exit {
        code: Some(code),
        signal: None,
    }
}

pub(crate) fn exited(slot: u32, generation: u64, with: i32) -> Event {
    Event::Exited {
        slot,
        generation,
        exit: code(with),
    }
}

pub(crate) fn spawn(slot: u32, generation: u64) -> Action {
    Action::Spawn { slot, generation }
}

pub(crate) fn disconnect(slot: u32, generation: u64) -> Action {
    Action::Disconnect { slot, generation }
}

pub(crate) fn signal(slot: u32, generation: u64) -> Action {
    Action::Signal {
        slot,
        generation,
        signal: 2,
    }
}

pub(crate) fn kill_tree(slot: u32, generation: u64) -> Action {
    Action::KillTree { slot, generation }
}

pub(crate) fn release(slot: u32) -> Action {
    Action::ReleaseListeners { slot }
}

pub(crate) fn lend(slot: u32) -> Action {
    Action::LendListeners { slot }
}

pub(crate) fn removed(slot: u32) -> Action {
    Action::Removed { slot }
}

pub(crate) fn answer(id: u64, outcomes: &[(u32, Outcome)]) -> Action {
    Action::Answer {
        id: AskId(id),
        outcomes: outcomes.to_vec(),
    }
}

pub(crate) fn is_up(generation: u64) -> Outcome {
    Outcome::Up { generation }
}

pub(crate) fn is_online(generation: u64) -> Outcome {
    Outcome::Online { generation }
}

pub(crate) fn failed_with(generation: u64, with: i32, lived: u64) -> Outcome {
    Outcome::Failed(Failure::Exited {
        generation,
        exit: code(with),
        lived: ms(lived),
    })
}

pub(crate) fn not_ready(generation: u64) -> Outcome {
    Outcome::Failed(Failure::NotReadyInTime {
        generation,
        limit: ms(3_000),
    })
}

/// Leaves out what is said of processes that have ended.
pub(crate) fn without_ends(mut actions: Vec<Action>) -> Vec<Action> {
    actions.retain(|action| !matches!(action, Action::Ended { .. }));
    actions
}

/// Only the answers.
pub(crate) fn answers(mut actions: Vec<Action>) -> Vec<Action> {
    actions.retain(|action| matches!(action, Action::Answer { .. }));
    actions
}
