//! Runs one app inside this process until it has ended.
//!
//! | question | file |
//! |---|---|
//! | What happens, in which order? | `run.rs` |
//! | What became of each process? | `processes.rs` |
//! | How does a line get from a worker to the terminal? | `pipe.rs`, `output.rs` |
//! | What is the user told? | `report.rs` |

mod output;
mod pipe;
mod processes;
mod report;
mod run;

pub use output::{Output, Stream};
pub use report::{Holder, Report, Reporter};
pub use run::{RunError, block_on, run};
