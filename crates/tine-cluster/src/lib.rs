//! Node.js cluster for Rust: a primary, its workers and one port, on the wire protocol of Node itself.
