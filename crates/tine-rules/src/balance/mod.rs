//! Which worker gets the next connection that the primary has accepted?
//!
//! One of the workers that are free. A worker is *free* when it has answered every
//! connection handed to it, or when it is answering promptly: fewer than [`WINDOW`] are unanswered
//! and the oldest of them was handed over less than [`PATIENCE`] ago. So an idle cluster is served
//! in exact turns, a prompt worker gets several connections on the way at once (Node's primary
//! allows one, which costs a third of the throughput), and a worker whose event loop is stuck gets
//! no more until it answers.
//!
//! Of the free ones, the [`Order`] says which:
//!
//! - **Turns**: strict rotation, which is exact.
//! - **Least**: the one that holds the fewest connections, equals in rotation. What is known of a
//!   worker is what it held when they were last counted, from the outside, and all that it has
//!   taken since; what it has *closed* since is not known. So the worker chosen holds at most as
//!   many more than any other free one as that one has closed since the last count, and right after
//!   a count it is exact. Counting costs, so it is done only before a connection is given, at most
//!   every [`EVERY`], and for at most one [`SHARE`]th of the time. A worker that has just
//!   joined holds nothing and gets everything (as far as it is free) until it has caught up.
//!
//! A worker that *refuses* (it is at its `maxConnections`, or out of descriptors) is set aside for
//! a moment that doubles from [`ASIDE_FIRST`] to [`ASIDE_LONGEST`]; Node's primary offers it the
//! same connection again at once, and spins when all refuse.
//!
//! When nobody is free the primary accepts nothing: what waits, waits in the kernel's backlog,
//! where no crash can lose it.

mod recount;
mod rotation;

pub use recount::{EVERY, SHARE};
pub use rotation::{ASIDE_FIRST, ASIDE_LONGEST, Answer, Order, PATIENCE, Rotation, WINDOW};
