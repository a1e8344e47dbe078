//! How much, and how long?

use std::time::Duration;

/// The version of what is said over the socket. It is raised when something that was said means
/// something else or nothing; what is merely added does not raise it.
pub const VERSION: u32 = 1;

/// The longest request, in bytes with its newline. Whoever sends more is cut off.
pub const LINE_BYTES: usize = 8 * 1024 * 1024;

/// The longest line that a client reads, in bytes with its newline.
pub const ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// The time from the connection until the first request must be there as a whole.
pub const FIRST_REQUEST: Duration = Duration::from_secs(10);

/// The most connections at the same time.
pub const CONNECTIONS: usize = 256;

/// The most requests of one connection that have no reply yet.
pub const REQUESTS: usize = 64;

/// The most bytes that wait for one client to read them. When there are as many and more is to be
/// said, the client is cut off. (A single line may be longer.)
pub const UNREAD_BYTES: usize = 4 * 1024 * 1024;

/// How long a client that is being cut off, or that the daemon leaves, has for the lines that are
/// on their way.
pub const LAST_WORDS: Duration = Duration::from_secs(5);

/// How many events are remembered for those who come back.
pub const EVENTS: usize = 4096;

/// The most bytes of them.
pub const EVENT_BYTES: usize = 2 * 1024 * 1024;
