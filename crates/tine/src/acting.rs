//! How is something done to processes: asked for, shown on its way, and told at the end?

use crate::args::act::Waiting;
use crate::daemon;
use crate::exit;
use crate::interrupt;
use crate::show::acted::{failures, joined, summary};
use crate::show::progress::Progress;
use crate::trouble::Trouble;
use crate::ui::{self, Ui};
use crate::verb::list;
use tine_control::client::Client;
use tine_control::reply::Acted;
use tine_control::{Ask, ProcessStatus};

/// One command that does something to processes, in one request or several.
#[derive(Debug)]
pub(crate) struct Acting {
    pub(crate) ui: Ui,
    waiting: Waiting,
    progress: Progress,
    answers: Vec<Acted>,
}

impl Acting {
    /// `what` is what goes on when the user does not want to wait any more.
    pub(crate) fn new(ui: Ui, waiting: Waiting, what: &'static str) -> Self {
        if !waiting.no_wait {
            interrupt::says(what);
        }
        Acting {
            ui,
            waiting,
            progress: Progress::new(ui),
            answers: Vec::new(),
        }
    }

    /// Whether requests are to wait.
    pub(crate) fn waits(&self) -> bool {
        !self.waiting.no_wait
    }

    /// Asks, and keeps the answer for the end.
    ///
    /// # Errors
    /// What the daemon says. What the requests before have done stays done.
    pub(crate) fn ask<V: Ask<Answer = Acted>>(
        &mut self,
        client: &mut Client,
        verb: &V,
    ) -> Result<(), Trouble> {
        let asked = daemon::ask_showing(client, verb, |note| self.progress.note(note));
        self.progress.erase();
        self.answers.push(asked?);
        Ok(())
    }

    /// The ids of all processes that something was done to.
    pub(crate) fn ids(&self) -> Vec<u32> {
        let processes = self.answers.iter().flat_map(|acted| &acted.processes);
        processes.map(|one| one.id).collect()
    }

    /// Tells what became of it, and shows the list. `verb` is in the past: `stopped`.
    ///
    /// # Errors
    /// When the list cannot be shown.
    pub(crate) fn finish(self, client: &mut Client, verb: &str) -> Result<u8, Trouble> {
        let code = self.tell(verb)?;
        if !self.waiting.json && !self.ui.silent {
            list::show(client, self.ui)?;
        }
        Ok(code)
    }

    /// Tells what became of it, without the list.
    ///
    /// # Errors
    /// When the answer cannot be printed.
    pub(crate) fn tell(&self, verb: &str) -> Result<u8, Trouble> {
        let acted = joined(self.answers.clone());
        for warning in &acted.warnings {
            self.ui.warn(warning);
        }
        ui::talk(&failures(&acted.failed, self.ui.err));
        if self.waiting.json {
            ui::print_json(&acted)?;
        } else if !acted.processes.is_empty() && !self.ui.silent {
            let how = if acted.done { verb } else { "accepted" };
            ui::talk(&format!(
                "{how}: {}",
                summary(&acted.processes, self.ui.err)
            ));
        }
        Ok(code_of(&acted))
    }
}

/// Whether all of it did well.
pub(crate) fn code_of(acted: &Acted) -> u8 {
    if acted.failed.is_empty() {
        exit::DONE
    } else {
        exit::APP_FAILED
    }
}

/// Whether a process is up or about to be.
pub(crate) fn runs(status: ProcessStatus) -> bool {
    match status {
        ProcessStatus::Launching | ProcessStatus::Online | ProcessStatus::WaitingRestart => true,
        ProcessStatus::Stopping | ProcessStatus::Stopped | ProcessStatus::Errored => false,
    }
}
