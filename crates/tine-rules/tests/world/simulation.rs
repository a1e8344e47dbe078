//! The world: what happens, when, and what is done about it by the program and its driver.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tine_rules::{App, AppRules, Event, Millis, Outcome, RestartRules, StopRules};

use crate::chance::Chance;

/// The longest from an order to create a process until its answer.
pub(crate) const SPAWN_LATENCY: u64 = 20;
/// The longest from SIGKILL until the process has ended.
pub(crate) const KILL_LATENCY: u64 = 3;

/// What the programs of this world are like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Temper {
    /// Never gets ready, dies soon.
    FailsToStart,
    /// Gets ready and dies soon after.
    ServesAndDies,
    /// Every end is a stable one.
    LivesLong,
    /// Anything.
    Chaos,
}

/// Slot and generation of a process.
pub(crate) type Name = (usize, u64);
/// Exit code and signal of a process that has ended.
pub(crate) type Exit = (Option<i32>, Option<i32>);

pub(crate) fn exit_code(code: i32) -> Exit {
    (Some(code), None)
}

pub(crate) fn exit_signal(signal: i32) -> Exit {
    (None, Some(signal))
}

#[derive(Debug)]
pub(crate) enum Happening {
    /// A process comes to be, or does not.
    Answer(Name),
    /// A living process makes itself heard.
    Speaks(Name, Word),
    /// A process ends, if it has not ended before.
    Dies(Name, Exit),
    /// Somebody else is heard (the user, or an event that is late or doubled).
    Heard(Event),
}

#[derive(Debug)]
pub(crate) enum Word {
    Online,
    Ready,
    ChannelClosed,
}

#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) alive: bool,
    /// What the app has been told of it.
    pub(crate) spoke: bool,
    pub(crate) ready: bool,
    pub(crate) channel_closed: bool,
    pub(crate) exited: bool,
    /// What the app has done to it.
    pub(crate) disconnects: u32,
    pub(crate) signals: u32,
    pub(crate) kills: u32,
    pub(crate) kills_after_exit: u32,
    pub(crate) told_killed: bool,
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) chance: Chance,
    pub(crate) temper: Temper,
    pub(crate) app: App,
    pub(crate) now: u64,
    /// By time, then by chance; the number keeps the keys apart.
    pub(crate) agenda: BTreeMap<(u64, u64, u64), Happening>,
    pub(crate) planned: u64,
    /// By slot and generation; a process is here from the moment it is ordered.
    pub(crate) processes: BTreeMap<(usize, u64), Process>,
    /// When processes were ordered, by slot.
    pub(crate) spawns: Vec<Vec<u64>>,
    pub(crate) spawn_fails_percent: u64,
    pub(crate) stop_asked: Option<u64>,
    pub(crate) stop_now: Option<u64>,
    pub(crate) errored: usize,
    pub(crate) outcome: Option<(u64, Outcome)>,
    /// What this world has been through.
    pub(crate) seen: BTreeSet<&'static str>,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!(
                "seed {}, {:?}, at {} ms: {:?}",
                self.seed, self.temper, self.now, self.app
            );
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64, temper: Temper) -> World {
        let mut chance = Chance::new(seed);
        let instances = 1 + chance.upto(3) as usize;
        let mut restart = RestartRules {
            min_uptime: Duration::from_millis(chance.one_of(&[0, 100, 1_000, 1_000, 5_000])),
            max_restarts: chance.one_of(&[0, 1, 3, 16, 16, 50]),
            restart_delay: Duration::from_millis(chance.one_of(&[0, 0, 0, 70])),
            ..RestartRules::default()
        };
        let mut spawn_fails_percent = 0;
        if temper == Temper::Chaos {
            restart.autorestart = chance.percent(90);
            restart.stop_exit_codes = chance.one_of(&[&[][..], &[], &[42]]).to_vec();
            restart.max_restarts = chance.one_of(&[0, 3, 16, 1_000]);
            spawn_fails_percent = chance.one_of(&[0, 0, 10, 80]);
        }
        let stop = StopRules {
            signal: 15,
            kill_timeout: Duration::from_millis(chance.one_of(&[0, 1, 1_600, 1_600, 10_000])),
        };
        World {
            seed,
            chance,
            temper,
            app: App::new(AppRules {
                instances,
                restart,
                stop,
            }),
            now: 0,
            agenda: BTreeMap::new(),
            planned: 0,
            processes: BTreeMap::new(),
            spawns: vec![Vec::new(); instances],
            spawn_fails_percent,
            stop_asked: None,
            stop_now: None,
            errored: 0,
            outcome: None,
            seen: BTreeSet::new(),
        }
    }

    /// Puts something on the agenda; what is there for the same time comes in any order.
    pub(crate) fn later(&mut self, delay: u64, happening: Happening) {
        self.planned += 1;
        let key = (self.now + delay, self.chance.next(), self.planned);
        self.agenda.insert(key, happening);
    }

    /// Runs until the app is over. Without a `stop_at` it has to end by itself before `patience`.
    pub(crate) fn run(&mut self, stop_at: Option<u64>, patience: u64) {
        self.later(0, Happening::Heard(Event::Start));
        if let Some(stop_at) = stop_at {
            self.later(stop_at, Happening::Heard(Event::StopAsked));
            if self.chance.percent(30) {
                let force_at = stop_at + self.chance.one_of(&[0, 0, 1, 100, 2_000]);
                self.later(force_at, Happening::Heard(Event::StopNow));
            }
        }
        for _ in 0..200_000 {
            if self.outcome.is_some() {
                self.check_the_end();
                return;
            }
            self.take_turn(patience);
        }
        panic!("the world does not come to rest");
    }

    fn take_turn(&mut self, patience: u64) {
        let event_at = self.agenda.first_key_value().map(|(key, _)| key.0);
        let wakeup = self.app.next_wakeup().map(|due| due.0.max(self.now));
        let next = event_at.into_iter().chain(wakeup).min();
        let Some(next) = next.filter(|next| *next <= patience) else {
            panic!("the app is not over and nothing happens before {patience} ms");
        };
        self.now = next;
        let due = |at: Option<u64>| at.is_some_and(|at| at <= next);
        if due(wakeup) && !(due(event_at) && self.chance.percent(50)) {
            self.app.handle(Millis(next), Event::Woken);
            let wakeup = self.app.next_wakeup();
            assert!(
                wakeup.is_none_or(|due| due.0 > next),
                "woken in vain: {wakeup:?}"
            );
        } else if let Some((_, happening)) = self.agenda.pop_first() {
            self.happen(happening);
        }
        if self.chance.percent(5) {
            self.app.handle(Millis(next), Event::Woken);
        }
        // A driver may hear more before it has fetched everything, but not let time pass.
        let busy = self
            .agenda
            .first_key_value()
            .is_some_and(|(key, _)| key.0 == next);
        let most = if busy && self.chance.percent(40) {
            self.chance.upto(3)
        } else {
            u64::MAX
        };
        for _ in 0..most {
            let Some(action) = self.app.poll_action() else {
                return;
            };
            self.act(action);
        }
    }

    fn happen(&mut self, happening: Happening) {
        let now = Millis(self.now);
        match happening {
            Happening::Answer(name) => self.answer(name),
            Happening::Speaks(name, word) => {
                let process = self
                    .processes
                    .get_mut(&name)
                    .filter(|process| process.alive);
                let Some(process) = process else { return };
                let (slot, generation) = name;
                let event = match word {
                    Word::Online if process.channel_closed => return,
                    Word::Online => {
                        process.spoke = true;
                        Event::Online { slot, generation }
                    }
                    Word::Ready => {
                        process.ready = true;
                        Event::Ready { slot, generation }
                    }
                    Word::ChannelClosed => {
                        process.channel_closed = true;
                        Event::ChannelClosed { slot, generation }
                    }
                };
                self.app.handle(now, event);
            }
            Happening::Dies(name, exit) => self.die(name, exit),
            Happening::Heard(event) => {
                if matches!(event, Event::StopAsked | Event::StopNow) {
                    self.stop_asked = self.stop_asked.or(Some(self.now));
                }
                if event == Event::StopNow {
                    self.stop_now = self.stop_now.or(Some(self.now));
                }
                self.app.handle(now, event);
            }
        }
    }

    fn die(&mut self, name: Name, (code, signal): Exit) {
        let process = self
            .processes
            .get_mut(&name)
            .filter(|process| process.alive);
        let Some(process) = process else { return };
        process.alive = false;
        process.exited = true;
        let (slot, generation) = name;
        let exited = Event::Exited {
            slot,
            generation,
            code,
            signal,
        };
        self.app.handle(Millis(self.now), exited);
        // The end of the channel, and what was under way, may be heard after the exit.
        for event in [
            Event::ChannelClosed { slot, generation },
            Event::Ready { slot, generation },
            Event::Spawned { slot, generation },
            exited,
        ] {
            if self.chance.percent(10) {
                let delay = self.chance.one_of(&[0, 0, 5]);
                self.later(delay, Happening::Heard(event));
            }
        }
    }

    /// A process that was ordered comes to be, with its whole life before it, or does not.
    fn answer(&mut self, name: Name) {
        let (now, (slot, generation)) = (Millis(self.now), name);
        if self.chance.percent(self.spawn_fails_percent) {
            let retry_helps = self.chance.percent(95);
            self.processes.remove(&name);
            self.app.handle(
                now,
                Event::SpawnFailed {
                    slot,
                    generation,
                    retry_helps,
                },
            );
            return;
        }
        let Some(process) = self.processes.get_mut(&name) else {
            panic!("nobody ordered {name:?}");
        };
        process.alive = true;
        self.app.handle(now, Event::Spawned { slot, generation });

        let (life, ready_after, exit) = self.destiny();
        if let Some(life) = life {
            self.later(life, Happening::Dies(name, exit));
        }
        if let Some(ready_after) = ready_after {
            self.later(ready_after, Happening::Speaks(name, Word::Ready));
        }
        if self.chance.percent(70) {
            let delay = self.chance.upto(100);
            self.later(delay, Happening::Speaks(name, Word::Online));
        }
        if self.chance.percent(10) {
            let delay = self.chance.upto(5_000);
            self.later(delay, Happening::Speaks(name, Word::ChannelClosed));
        }
    }

    /// How long a process will live (`None`: until it is stopped), when it will be ready, and how
    /// it will end.
    fn destiny(&mut self) -> (Option<u64>, Option<u64>, Exit) {
        let least_stable = (self.app.rules().restart.min_uptime.as_millis() as u64).max(100);
        let chance = &mut self.chance;
        let badly = chance.one_of(&[exit_code(1), exit_code(42), exit_signal(9)]);
        match self.temper {
            Temper::FailsToStart => (Some(chance.upto(50)), None, badly),
            Temper::ServesAndDies => {
                let life = 1 + chance.upto(least_stable - 2);
                (Some(life), Some(chance.upto(life - 1)), badly)
            }
            Temper::LivesLong => match chance.upto(2) {
                0 => (Some(least_stable + chance.upto(2_000)), Some(0), badly),
                1 => (Some(least_stable + chance.upto(9)), None, exit_code(0)),
                _ => (Some(least_stable.max(30_000)), None, badly),
            },
            Temper::Chaos => {
                let longest = chance.one_of(&[Some(0), Some(30), Some(1_500), Some(60_000), None]);
                let life = longest.map(|longest| chance.upto(longest));
                // A process that dies before it gets ready never does.
                let ready_after = chance.percent(70).then(|| chance.upto(life.unwrap_or(100)));
                (
                    life,
                    ready_after,
                    if chance.percent(20) {
                        exit_code(0)
                    } else {
                        badly
                    },
                )
            }
        }
    }
}
