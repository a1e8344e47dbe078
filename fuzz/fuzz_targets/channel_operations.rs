//! Any list of operations on two channels that are wired to each other.
//!
//! The same function runs on seeded bytes in `crates/tine-ipc/tests/channel.rs`.
#![no_main]

#[path = "../../crates/tine-ipc/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    support::operations::play(data);
});
