//! What the tests of this crate and its fuzz targets have in common.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

pub(crate) mod hostile;
pub(crate) mod ledger;
pub(crate) mod link;
pub(crate) mod operations;
pub(crate) mod values;
pub(crate) mod witness;

use tine_ipc::{Body, Channel, Dialect, Event, Limits, Serialization};

/// Two ends in one serialization, as far as these dialects have it.
pub(crate) fn channels(dialects: [Dialect; 2], advanced: bool) -> [Channel; 2] {
    let how = if advanced && !dialects.contains(&Dialect::Bun) {
        Serialization::Advanced
    } else {
        Serialization::Json
    };
    dialects.map(|known| Channel::with(Limits::default(), known, how).unwrap())
}

/// These bytes behind a header as the body of a message, if they may be one.
pub(crate) fn advanced_body(bytes: &[u8]) -> Option<Body> {
    let mut channel =
        Channel::with(Limits::default(), Dialect::Node, Serialization::Advanced).unwrap();
    let length = u32::try_from(bytes.len() + 2).unwrap().to_be_bytes();
    channel.receive(&length).unwrap();
    channel.receive(&[0xff, 15]).unwrap();
    channel.receive(bytes).unwrap();
    match channel.poll_event() {
        Some(Event::Message { body, .. }) => Some(body),
        _ => None,
    }
}

/// Reads choices out of arbitrary bytes; when they are used up, everything is 0.
pub(crate) struct Choices<'a>(pub(crate) &'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        head
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Bytes that look random and are the same at every run (SplitMix64).
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
