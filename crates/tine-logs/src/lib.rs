//! Where a line goes: from a worker's pipe to whoever shows or keeps it.
//!
//! | question | file |
//! |---|---|
//! | Where does a line end? | `split.rs` |
//! | What did it say last? | `last.rs` |
//! | What are the files of a process called? | `names.rs` |
//! | Where does the output of one process go? | `files.rs` |
//! | What becomes of its bytes there? | `form.rs` |
//! | How is a date written? | `date.rs` |
//! | How does a line reach its file? | `file.rs` |
//! | What went wrong with it? | `error.rs` |
//! | What are the last lines of a file? | `tail.rs` |
#![forbid(unsafe_code)]

mod date;
mod error;
mod file;
mod files;
mod form;
mod last;
mod names;
mod split;
mod tail;

pub use date::DateFormat;
pub use error::LogError;
pub use file::truncate;
pub use files::LogFiles;
pub use form::{Form, Stream};
pub use last::LastLines;
pub use names::{Paths, combined_name, file_names, with_id};
pub use split::Splitter;
pub use tail::tail;
