//! Where a line goes: from a worker's pipe to whoever shows or keeps it.
//!
//! | question | file |
//! |---|---|
//! | Where does a line end? | `split.rs` |
//! | What did it say last? | `last.rs` |
#![forbid(unsafe_code)]

mod last;
mod split;

pub use last::LastLines;
pub use split::Splitter;
