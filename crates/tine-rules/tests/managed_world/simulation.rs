//! The world: what happens, when, and what is done about it by the programs and the driver.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tine_rules::managed::{
    Action, Ask, AskId, ChannelKind, Event, Exit, Managed, ManagedRules, Readiness,
};
use tine_rules::{Millis, RestartRules, StopRules};

use crate::chance::Chance;

/// The longest from an order to create a process until its answer.
pub(crate) const SPAWN_LATENCY: u64 = 20;
/// The longest from SIGKILL until a process that can be killed has ended.
pub(crate) const KILL_LATENCY: u64 = 3;
/// The slots that can be.
pub(crate) const SLOTS: u64 = 5;

/// Slot and generation of a process.
pub(crate) type Name = (u32, u64);

pub(crate) fn exit_code(code: i32) -> Exit {
    Exit {
        code: Some(code),
        signal: None,
    }
}

pub(crate) fn exit_signal(signal: i32) -> Exit {
    Exit {
        code: None,
        signal: Some(signal),
    }
}

#[derive(Debug)]
pub(crate) enum Happening {
    /// A process comes to be, or does not.
    Answer(Name),
    /// A living process makes itself heard.
    Speaks(Name, Word),
    /// A process ends, if it has not ended before.
    Dies(Name, Exit),
    /// Somebody asks for something.
    Asks,
    /// Everything is to be stopped, and then nothing more is asked.
    AsksForTheEnd,
    /// The app is changed.
    Changes,
    /// An event is late or doubled.
    Heard(Event),
    /// The brain is lost, and is back after this time.
    Restores(u64),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Word {
    Online,
    Listening,
    Ready,
    ChannelClosed,
}

#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) alive: bool,
    pub(crate) exited: bool,
    pub(crate) spoke: bool,
    pub(crate) channel_closed: bool,
    /// It was one of two in its slot.
    pub(crate) in_reload: bool,
    pub(crate) unkillable: bool,
    pub(crate) signals: u32,
    pub(crate) kills: u32,
}

/// An ask that has no answer yet.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) ask: Ask,
    pub(crate) slots: BTreeSet<u32>,
    pub(crate) at: u64,
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) chance: Chance,
    pub(crate) app: Managed,
    pub(crate) now: u64,
    /// By time, then by chance; the number keeps the keys apart.
    pub(crate) agenda: BTreeMap<(u64, u64, u64), Happening>,
    planned: u64,
    /// A process is here from the moment it is ordered.
    pub(crate) processes: BTreeMap<Name, Process>,
    /// When processes were ordered one after the other with nobody asking for anything, by slot.
    pub(crate) spawns: BTreeMap<u32, Vec<u64>>,
    pub(crate) unanswered: BTreeMap<AskId, Asked>,
    pub(crate) last_ask: u64,
    /// By slot, the last ask that named it, and of a reload that was forced, for all.
    pub(crate) named: BTreeMap<u32, u64>,
    pub(crate) forced: u64,
    /// The longest that there were.
    pub(crate) kill_timeout: u64,
    pub(crate) listen_timeout: u64,
    pub(crate) min_uptime: u64,
    spawn_fails_percent: u64,
    ignores_signals_percent: u64,
    unkillable_percent: u64,
    life: Option<u64>,
    /// All that was decided has been fetched since the last event.
    pub(crate) drained: bool,
    pub(crate) ending: bool,
    /// What this world has been through.
    pub(crate) seen: BTreeSet<&'static str>,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!(
                "seed {}, at {} ms: {:#?}\n{:?}\n{:?}",
                self.seed, self.now, self.app, self.processes, self.unanswered
            );
        }
    }
}

pub(crate) fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn some_rules(chance: &mut Chance) -> ManagedRules {
    let (channel, readiness) = chance.one_of(&[
        (ChannelKind::None, Readiness::Silent),
        (ChannelKind::Messages, Readiness::Silent),
        (ChannelKind::Messages, Readiness::Message),
        (ChannelKind::Cluster, Readiness::Cluster),
        (ChannelKind::Cluster, Readiness::Cluster),
        (ChannelKind::Cluster, Readiness::Cluster),
        (ChannelKind::Cluster, Readiness::Message),
    ]);
    ManagedRules {
        restart: RestartRules {
            autorestart: chance.percent(85),
            min_uptime: ms(chance.one_of(&[0, 100, 1_000, 1_000, 5_000])),
            max_restarts: chance.one_of(&[0, 1, 3, 16, 16]),
            restart_delay: ms(chance.one_of(&[0, 0, 0, 70, 1_000])),
            stop_exit_codes: chance.one_of(&[&[][..], &[], &[42]]).to_vec(),
        },
        exp_backoff: chance
            .one_of(&[None, None, None, Some(0), Some(1), Some(100)])
            .map(ms),
        stop: StopRules {
            signal: 15,
            kill_timeout: ms(chance.one_of(&[0, 1, 1_600, 1_600, 4_000])),
        },
        shutdown_with_message: chance.percent(20),
        channel,
        readiness,
        listen_timeout: ms(chance.one_of(&[0, 300, 3_000, 3_000])),
    }
}

impl World {
    pub(crate) fn new(seed: u64, with_restores: bool) -> World {
        let mut chance = Chance::new(seed);
        let rules = some_rules(&mut chance);
        let spawn_fails_percent = chance.one_of(&[0, 0, 0, 10, 50]);
        let ignores_signals_percent = chance.one_of(&[0, 30, 100]);
        let unkillable_percent = chance.one_of(&[0, 0, 0, 20]);
        let life = chance.one_of(&[Some(50), Some(3_000), Some(60_000), None, None]);
        let mut world = World {
            seed,
            chance,
            app: Managed::new(rules),
            now: 0,
            agenda: BTreeMap::new(),
            planned: 0,
            processes: BTreeMap::new(),
            spawns: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            last_ask: 0,
            named: BTreeMap::new(),
            forced: 0,
            kill_timeout: 0,
            listen_timeout: 0,
            min_uptime: 0,
            spawn_fails_percent,
            ignores_signals_percent,
            unkillable_percent,
            life,
            drained: true,
            ending: false,
            seen: BTreeSet::new(),
        };
        world.measure();
        let span = world.chance.one_of(&[100, 3_000, 30_000]);
        for _ in 0..world.chance.upto(12) {
            let at = world.chance.upto(span);
            world.later(at, Happening::Asks);
        }
        if world.chance.percent(20) {
            let at = world.chance.upto(span);
            world.later(at, Happening::Changes);
        }
        if with_restores {
            for _ in 0..=world.chance.upto(2) {
                let at = world.chance.upto(span);
                let away = world.chance.one_of(&[0, 0, 5, 500, 10_000]);
                world.later(at, Happening::Restores(away));
            }
        }
        world.later(span + 1, Happening::AsksForTheEnd);
        let slots = (0..=world.chance.upto(3) as u32).collect();
        let start = world.chance.percent(90);
        world.ask(Ask::Add { slots, start });
        world.fetch(u64::MAX);
        world
    }

    fn measure(&mut self) {
        let rules = self.app.rules();
        let whole = |span: Duration| span.as_millis() as u64;
        self.kill_timeout = self.kill_timeout.max(whole(rules.stop.kill_timeout));
        self.listen_timeout = self.listen_timeout.max(whole(rules.listen_timeout));
        self.min_uptime = self.min_uptime.max(whole(rules.restart.min_uptime));
    }

    /// Puts something on the agenda; what is there for the same time comes in any order.
    pub(crate) fn later(&mut self, delay: u64, happening: Happening) {
        self.planned += 1;
        let key = (self.now + delay, self.chance.next(), self.planned);
        self.agenda.insert(key, happening);
    }

    /// Runs until everything was stopped and there is nothing left to wait for.
    pub(crate) fn run(&mut self) {
        for _ in 0..20_000 {
            if !self.take_turn() {
                return self.check_the_end();
            }
        }
        panic!("the world does not come to rest");
    }

    fn take_turn(&mut self) -> bool {
        let event_at = self
            .agenda
            .first_key_value()
            .map(|(key, _)| key.0.max(self.now));
        let wakeup = self.app.next_wakeup().map(|due| due.0.max(self.now));
        let Some(next) = event_at.into_iter().chain(wakeup).min() else {
            return false;
        };
        self.now = next;
        self.check_patience();
        let due = |at: Option<u64>| at.is_some_and(|at| at <= next);
        if due(wakeup) && !(due(event_at) && self.chance.percent(50)) {
            self.wake();
        } else if let Some((_, happening)) = self.agenda.pop_first() {
            self.happen(happening);
        }
        if self.chance.percent(5) {
            self.wake();
        }
        // A driver may hear more before it has fetched everything, but not let time pass.
        let first = self.agenda.first_key_value();
        let busy = first.is_some_and(|(key, _)| key.0 <= next);
        let most = if busy && self.chance.percent(40) {
            self.chance.upto(3)
        } else {
            u64::MAX
        };
        self.fetch(most);
        true
    }

    fn wake(&mut self) {
        self.tell(Event::Woken);
        let wakeup = self.app.next_wakeup();
        assert!(
            wakeup.is_none_or(|due| due.0 > self.now),
            "woken in vain: {wakeup:?}"
        );
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.drained = false;
        self.app.handle(Millis(self.now), event);
    }

    fn fetch(&mut self, most: u64) {
        for _ in 0..most {
            let Some(action) = self.app.poll_action() else {
                self.drained = true;
                return self.compare_with_the_kernel();
            };
            self.act(action);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Answer(name) => self.answer(name),
            Happening::Speaks(name, word) => self.speak(name, word),
            Happening::Dies(name, exit) => self.die(name, exit),
            Happening::Asks => {
                let ask = self.some_ask();
                self.ask(ask);
            }
            Happening::AsksForTheEnd => {
                self.ending = true;
                let slots = self.app.slots().collect();
                self.ask(Ask::Stop { slots });
            }
            Happening::Changes => {
                let rules = some_rules(&mut self.chance);
                self.spawns.clear();
                self.tell(Event::Rules(rules));
                self.measure();
            }
            Happening::Heard(event) => self.tell(event),
            Happening::Restores(away) => self.restore(away),
        }
    }

    fn speak(&mut self, name: Name, word: Word) {
        let Some(process) = self
            .processes
            .get_mut(&name)
            .filter(|process| process.alive)
        else {
            return;
        };
        let (slot, generation) = name;
        let event = match word {
            Word::Online if process.channel_closed => return,
            Word::Online => {
                process.spoke = true;
                Event::Online { slot, generation }
            }
            Word::Listening => Event::Listening { slot, generation },
            Word::Ready if process.channel_closed => return,
            Word::Ready => Event::ReadySaid { slot, generation },
            Word::ChannelClosed => {
                process.channel_closed = true;
                Event::ChannelClosed { slot, generation }
            }
        };
        self.tell(event);
    }

    fn die(&mut self, name: Name, exit: Exit) {
        let Some(process) = self
            .processes
            .get_mut(&name)
            .filter(|process| process.alive)
        else {
            return;
        };
        process.alive = false;
        process.exited = true;
        if process.unkillable && process.kills > 0 {
            self.seen.insert("unkillable died after all");
        }
        let (slot, generation) = name;
        let exited = Event::Exited {
            slot,
            generation,
            exit,
        };
        self.tell(exited.clone());
        // The end of the channel, and what was under way, may be heard after the exit.
        for event in [
            Event::ChannelClosed { slot, generation },
            Event::Listening { slot, generation },
            Event::Spawned { slot, generation },
            exited,
        ] {
            if self.chance.percent(8) {
                let delay = self.chance.one_of(&[0, 0, 5]);
                self.later(delay, Happening::Heard(event));
            }
        }
    }

    /// A process that was ordered comes to be, with its whole life before it, or does not.
    fn answer(&mut self, name: Name) {
        let (slot, generation) = name;
        if self.chance.percent(self.spawn_fails_percent) {
            let retry_helps = self.chance.percent(90);
            if let Some(process) = self.processes.get_mut(&name) {
                process.exited = true;
            }
            return self.tell(Event::SpawnFailed {
                slot,
                generation,
                retry_helps,
            });
        }
        let unkillable = self.chance.percent(self.unkillable_percent);
        if let Some(process) = self.processes.get_mut(&name) {
            process.alive = true;
            process.unkillable = unkillable;
        }
        self.tell(Event::Spawned { slot, generation });
        if let Some(longest) = self.life.filter(|_| self.chance.percent(80)) {
            let life = self.chance.upto(longest);
            let exit = self.chance.one_of(&[
                exit_code(0),
                exit_code(1),
                exit_code(1),
                exit_code(42),
                exit_signal(11),
            ]);
            self.later(life, Happening::Dies(name, exit));
        }
        for (word, percent, longest) in [
            (Word::Online, 85, 100),
            (Word::Listening, 75, 400),
            (Word::Ready, 75, 400),
            (Word::ChannelClosed, 5, 5_000),
        ] {
            if self.chance.percent(percent) {
                let longest = self.chance.one_of(&[longest, longest, 6_000]);
                let delay = self.chance.upto(longest);
                self.later(delay, Happening::Speaks(name, word));
            }
        }
    }

    /// A process has been asked to end.
    pub(crate) fn may_obey(&mut self, name: Name, exit: Exit) {
        if !self.chance.percent(self.ignores_signals_percent) {
            let delay = self.chance.one_of(&[0, 5, 1_000, 2_000]);
            self.later(delay, Happening::Dies(name, exit));
        }
    }

    pub(crate) fn forget_slot(&mut self, slot: u32, action: &Action) {
        let view = self.app.view(slot);
        assert!(
            !self.drained || view.is_none(),
            "{action:?} and there it is: {view:?}"
        );
    }
}
