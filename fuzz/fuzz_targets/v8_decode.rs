//! Any bytes as a message in V8's format, read in all ways there are.
//!
//! The same function runs on seeded bytes in `crates/tine-ipc/tests/channel.rs`.
#![no_main]

#[path = "../../crates/tine-ipc/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    support::values::play(data);
});
