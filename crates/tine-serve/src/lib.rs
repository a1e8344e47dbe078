//! A server of static files: alone, or as a worker of a cluster.
//!
//! | question | file |
//! |---|---|
//! | What is to be served, and how? | `options.rs` |
//! | How does the server live and end? | `run.rs` |
//! | What is answered to a request? | `answer.rs` |
//! | Which file does a path mean? | `path.rs` |
//! | How does nobody get out of the folder? | `folder.rs` |
//! | How does a file become an answer? | `content.rs` |
//! | What is in a folder? | `listing.rs` |
//! | Who may ask? | `auth.rs` |
//! | What can go wrong? | `error.rs` |
//!
//! What differs from PM2's server: other methods than GET and HEAD are refused, files whose names
//! begin with a dot are not served unless that is asked for, symbolic links that lead out of the
//! folder are refused, and conditional requests, ranges and compression work.
#![forbid(unsafe_code)]

mod answer;
mod auth;
mod content;
mod error;
mod folder;
mod listing;
mod options;
mod path;
mod run;

pub use error::ServeError;
pub use options::{Credentials, Options};
pub use run::run;
