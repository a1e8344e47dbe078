//! Not Linux: what the standard library knows.

use super::Cores;

/// How many processors may be used, as far as the standard library knows; no quotas.
#[must_use]
pub fn usable() -> Cores {
    Cores::new(
        std::thread::available_parallelism().map_or(1, usize::from),
        None,
    )
}
