//! A cluster as its primary's program sees it: settings, workers, events.
//!
//! | question | file |
//! |---|---|
//! | What can be asked of a cluster? | `handle.rs` |
//! | What are workers started as? | `setup.rs`, `stdio.rs`, `inspect.rs` |
//! | What can be asked of one worker? | `process.rs` |
//! | What happened? | `event.rs` |
//! | What is known, and who waits for what? | `state.rs` |
//! | Who does the work? | `driver.rs` |
//! | How does a new version take its place? | `upgrade.rs` |

mod driver;
mod event;
mod handle;
mod inspect;
mod process;
mod setup;
mod state;
mod stdio;
mod upgrade;

pub use event::{Event, Events};
pub use handle::{Cluster, ReplaceError};
pub use inspect::InspectPort;
pub use process::{Asking, Gone, Phase, Sending, WorkerProcess};
pub use setup::Setup;
pub use stdio::Stdio;
pub use upgrade::{Upgrade, UpgradeError};
