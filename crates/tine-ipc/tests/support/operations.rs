//! Two channels on a link, and anything that can happen to them.

use super::ledger::Ledger;
use super::link::Link;
use super::{Choices, channels};
use tine_ipc::{Channel, Dialect, Event};

/// One thing that happens. The side is 0 or 1.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operation {
    /// A side queues a plain message.
    Say {
        side: usize,
        choice: u8,
        size: usize,
    },
    /// A side queues a message with a handle.
    Hand {
        side: usize,
        choice: u8,
        size: usize,
    },
    /// A side writes once; the link takes so many bytes at most.
    Write { side: usize, at_most: usize },
    /// A side reads once; a descriptor that comes with it may be lost.
    Read {
        side: usize,
        at_most: usize,
        lose: bool,
    },
}

impl Operation {
    fn choose(choices: &mut Choices<'_>) -> Self {
        let kind = choices.byte();
        let side = usize::from(kind & 1);
        match kind >> 1 & 7 {
            0 => Self::Say {
                side,
                choice: choices.byte(),
                size: usize::from(choices.byte()),
            },
            1 | 2 => Self::Hand {
                side,
                choice: choices.byte(),
                size: usize::from(choices.byte() & 31),
            },
            3 | 4 => Self::Write {
                side,
                at_most: 1 + usize::from(choices.byte()) * 4,
            },
            5 => Self::Write {
                side,
                at_most: usize::MAX,
            },
            _ => {
                let how = choices.byte();
                Self::Read {
                    side,
                    at_most: [64 * 1024, 1 + usize::from(how)][usize::from(how & 1)],
                    lose: how & 0xe0 == 0xe0,
                }
            }
        }
    }
}

/// Who talks to whom: what each side knows of the other's runtime.
pub(crate) const DIALECTS: [[Dialect; 2]; 5] = [
    [Dialect::Node, Dialect::Node],
    [Dialect::Deno, Dialect::Node],
    [Dialect::Deno, Dialect::Deno],
    [Dialect::Node, Dialect::Bun],
    [Dialect::Bun, Dialect::Bun],
];

/// Two sides, the links between them, and what each has sent.
#[derive(Debug)]
pub(crate) struct World {
    channels: [Channel; 2],
    /// By the side that writes.
    links: [Link; 2],
    pub(crate) ledgers: [Ledger; 2],
}

impl World {
    pub(crate) fn new(dialects: [Dialect; 2], advanced: bool, capacity: usize) -> Self {
        Self {
            channels: channels(dialects, advanced),
            links: [Link::new(capacity), Link::new(capacity)],
            ledgers: [Ledger::default(), Ledger::default()],
        }
    }

    pub(crate) fn step(&mut self, operation: Operation) {
        match operation {
            Operation::Say { side, choice, size } => {
                self.ledgers[side].say(&mut self.channels[side], choice, size);
            }
            Operation::Hand { side, choice, size } => {
                self.ledgers[side].hand(&mut self.channels[side], choice, size);
            }
            Operation::Write { side, at_most } => {
                self.write(side, at_most);
            }
            Operation::Read {
                side,
                at_most,
                lose,
            } => {
                self.read(side, at_most, lose);
            }
        }
    }

    fn write(&mut self, side: usize, at_most: usize) -> bool {
        let channel = &mut self.channels[side];
        let link = &mut self.links[side];
        if channel
            .poll_transmit()
            .is_some_and(|next| next.only_when_drained)
        {
            if link.unread() > 0 {
                return false;
            }
            channel.drained();
        }
        let dialect = channel.dialect();
        let Some(next) = channel.poll_transmit() else {
            assert_eq!(channel.queued(), 0);
            return false;
        };
        assert!(!next.bytes.is_empty());
        assert!(!next.only_when_drained);
        assert!(
            dialect != Dialect::Deno || next.fd.is_none() || link.only_handles_unread(),
            "Deno would lose this handle"
        );
        let count = link.write(next.bytes, next.fd, at_most);
        let queued = channel.queued();
        channel.transmitted(count);
        assert_eq!(channel.queued(), queued - count);
        count > 0
    }

    fn read(&mut self, side: usize, at_most: usize, lose: bool) -> bool {
        let (bytes, fd) = self.links[1 - side].read(at_most);
        if bytes.is_empty() {
            return false;
        }
        let channel = &mut self.channels[side];
        match fd {
            Some(fd) if lose => {
                self.ledgers[1 - side].lose(fd);
                channel.receive_lost_fd();
            }
            Some(fd) => channel.receive_fd(fd),
            None => {}
        }
        channel.receive(&bytes).expect("nobody broke the protocol");
        while let Some(event) = channel.poll_event() {
            match event {
                Event::HandleTaken(token) => self.ledgers[side].acknowledged(token, true),
                Event::HandleRefused(token) => self.ledgers[side].acknowledged(token, false),
                other => self.ledgers[1 - side].delivered(other),
            }
        }
        true
    }

    /// Lets everything arrive, and checks that it has.
    pub(crate) fn finish(mut self) -> [Ledger; 2] {
        loop {
            let mut moved = false;
            for side in [0, 1] {
                while self.write(side, usize::MAX) {
                    moved = true;
                }
                while self.read(side, 64 * 1024, false) {
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        for channel in &self.channels {
            assert_eq!(channel.queued(), 0);
            assert_eq!(channel.in_flight(), 0);
            assert_eq!(channel.half_received(), 0);
        }
        drop(self.channels);
        for ledger in &mut self.ledgers {
            ledger.check_complete();
        }
        self.ledgers
    }
}

/// Plays the operations that arbitrary bytes spell.
///
/// # Panics
/// When anything is lost, doubled, out of order, or held too long.
pub(crate) fn play(data: &[u8]) -> [Ledger; 2] {
    let mut choices = Choices(data);
    let first = usize::from(choices.byte());
    let dialects = DIALECTS[first % DIALECTS.len()];
    let capacity = 1 + usize::from(choices.word()) / 8;
    let mut world = World::new(dialects, first & 0x80 != 0, capacity);
    // So many handles exist at once; the machine's own limit is not what is tested here.
    for _ in 0..300 {
        if choices.is_empty() {
            break;
        }
        world.step(Operation::choose(&mut choices));
    }
    world.finish()
}
