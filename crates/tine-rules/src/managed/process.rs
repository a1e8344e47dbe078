//! How far has a process come that nobody has asked to end?

use std::sync::Arc;
use std::time::Duration;

use super::event::Word;
use super::rules::{ChannelKind, ManagedRules, Readiness};
use crate::time::Millis;

/// When something began. It may have been before the zero of the clock, which is the caller's
/// choice and may be later than a process that outlived the last caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Birth {
    at: Millis,
    earlier: Duration,
}

impl Birth {
    pub(super) fn now(now: Millis) -> Birth {
        Birth {
            at: now,
            earlier: Duration::ZERO,
        }
    }

    pub(super) fn ago(now: Millis, age: Duration) -> Birth {
        let whole = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let at = Millis(now.0.saturating_sub(whole));
        Birth {
            at,
            earlier: age.saturating_sub(now.since(at)),
        }
    }

    pub(super) fn age(&self, now: Millis) -> Duration {
        now.since(self.at).saturating_add(self.earlier)
    }

    /// When it will be this old.
    fn reaches(&self, age: Duration) -> Millis {
        self.at.plus(age.saturating_sub(self.earlier))
    }
}

#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) generation: u64,
    /// Those that it was started under.
    pub(super) rules: Arc<ManagedRules>,
    /// Of the order, until it exists.
    pub(super) birth: Birth,
    pub(super) standing: Standing,
    pub(super) channel: Channel,
    pub(super) listening: bool,
    /// It takes the place of one that listens, so nothing less will do.
    pub(super) must_listen: bool,
    /// It has had its time to come up, and has not.
    pub(super) late: bool,
}

/// How far a process has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Standing {
    /// Nobody has said yet that it exists.
    Ordered,
    /// It exists.
    Launching,
    /// It is online.
    Online,
    /// It is up.
    Up,
}

/// What is known of the channel of a process, if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Channel {
    /// Not a word so far.
    Silent,
    /// It has said that it is online.
    Speaking,
    /// The process has closed its end.
    Closed,
}

/// What time alone will do to a process.
#[derive(Debug, Clone, Copy)]
enum Due {
    /// It has lived long enough to count as up.
    Up,
    Late,
}

impl Process {
    pub(super) fn ordered(generation: u64, rules: &Arc<ManagedRules>, now: Millis) -> Process {
        Process {
            generation,
            rules: Arc::clone(rules),
            birth: Birth::now(now),
            standing: Standing::Ordered,
            channel: Channel::Silent,
            listening: false,
            must_listen: false,
            late: false,
        }
    }

    pub(super) fn exists(&self) -> bool {
        self.standing > Standing::Ordered
    }

    pub(super) fn is_online(&self) -> bool {
        self.standing >= Standing::Online
    }

    pub(super) fn is_up(&self) -> bool {
        self.standing == Standing::Up
    }

    pub(super) fn can_disconnect(&self) -> bool {
        self.rules.channel == ChannelKind::Cluster && self.channel == Channel::Speaking
    }

    pub(super) fn can_be_told(&self) -> bool {
        self.rules.channel != ChannelKind::None && self.channel != Channel::Closed
    }

    pub(super) fn spawned(&mut self, now: Millis) {
        if self.exists() {
            return;
        }
        self.birth = Birth::now(now);
        self.rise(match self.rules.readiness {
            Readiness::Silent => Standing::Online,
            Readiness::Cluster | Readiness::Message => Standing::Launching,
        });
    }

    pub(super) fn said(&mut self, now: Millis, word: Word) {
        // Whatever a process says proves that it exists.
        self.spawned(now);
        match word {
            Word::Online => {
                self.speaks();
                match self.rules.readiness {
                    Readiness::Cluster => self.rise(Standing::Online),
                    Readiness::Silent | Readiness::Message => {}
                }
            }
            Word::Listening => {
                self.listening = true;
                match self.rules.readiness {
                    Readiness::Silent | Readiness::Cluster => self.rise(Standing::Up),
                    Readiness::Message => {}
                }
            }
            Word::Ready => match self.rules.readiness {
                Readiness::Message => self.rise(Standing::Up),
                Readiness::Silent | Readiness::Cluster => {}
            },
            Word::ChannelClosed => self.channel = Channel::Closed,
        }
    }

    pub(super) fn woken(&mut self, now: Millis) {
        while let Some((at, due)) = self.due() {
            if at > now {
                return;
            }
            match due {
                Due::Up => self.rise(Standing::Up),
                Due::Late => self.late = true,
            }
        }
    }

    pub(super) fn next_wakeup(&self) -> Option<Millis> {
        self.due().map(|(at, _)| at)
    }

    fn due(&self) -> Option<(Millis, Due)> {
        let steady = (self.birth.reaches(self.rules.restart.min_uptime), Due::Up);
        let late = (self.birth.reaches(self.rules.listen_timeout), Due::Late);
        let late = Some(late).filter(|_| !self.late);
        match (self.standing, self.rules.readiness) {
            (Standing::Ordered | Standing::Up, _) => None,
            (Standing::Launching | Standing::Online, Readiness::Silent) => Some(steady),
            (Standing::Launching | Standing::Online, Readiness::Message) => late,
            (Standing::Launching, Readiness::Cluster) => late,
            (Standing::Online, Readiness::Cluster) if self.must_listen => late,
            (Standing::Online, Readiness::Cluster) => Some(steady),
        }
    }

    fn speaks(&mut self) {
        match self.channel {
            Channel::Silent => self.channel = Channel::Speaking,
            Channel::Speaking | Channel::Closed => {}
        }
    }

    fn rise(&mut self, to: Standing) {
        self.standing = self.standing.max(to);
    }
}
