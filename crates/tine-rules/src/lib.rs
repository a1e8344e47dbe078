//! What should happen next: restart, stop, balance. Sans-IO and deterministic.
