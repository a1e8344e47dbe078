//! What does the daemon answer?
//!
//! Every request gets exactly one reply, `{"id":1,"ok":{...}}` or `{"id":1,"error":{...}}`; before
//! it there may be any number of notes, `{"id":1,"note":"...",...}`. Replies to several requests of
//! one connection come as they are ready, not in the order of the requests.

mod answer;
mod failure;
mod note;

pub use answer::*;
pub use failure::{AppProblem, ErrorCode, Failure};
pub use note::Note;
