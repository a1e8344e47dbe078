//! Any bytes in any pieces, with any number of descriptors, into one channel.
//!
//! The same function runs on seeded bytes in `crates/tine-ipc/tests/channel.rs`.
#![no_main]

#[path = "../../crates/tine-ipc/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::hostile::play(data));
