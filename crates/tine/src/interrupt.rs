//! What does Ctrl-C mean while something is waited for?
//!
//! Not that it is to be undone: what was begun goes on in the daemon. So it is said, and the
//! command ends.

use crate::exit;
use crate::ui;
use tokio::signal::unix::{SignalKind, signal};

/// The thread does next to nothing.
const STACK: usize = 128 * 1024;

/// From now on Ctrl-C says that `what` goes on, and ends this program. When that cannot be
/// arranged, Ctrl-C ends it without a word.
pub(crate) fn says(what: &'static str) {
    let (listens, listening) = std::sync::mpsc::channel::<()>();
    let watch = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
        else {
            return;
        };
        runtime.block_on(async {
            let Ok(mut interrupts) = signal(SignalKind::interrupt()) else {
                return;
            };
            drop(listens);
            if interrupts.recv().await.is_some() {
                ui::talk(&format!(
                    "\ninterrupted: {what} goes on; `tine list` shows it\n"
                ));
                std::process::exit(i32::from(exit::FORCED));
            }
        });
    };
    // Without it there is no word, and all else is the same.
    let thread = std::thread::Builder::new()
        .name("interrupt".to_owned())
        .stack_size(STACK)
        .spawn(watch);
    if thread.is_ok() {
        // Nothing is sent: it ends when the thread listens, or has given up.
        let _ = listening.recv();
    }
}
