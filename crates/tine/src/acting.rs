//! How is something done to processes: asked for, shown on its way, and told at the end?

use crate::args::act::Waiting;
use crate::daemon;
use crate::exit;
use crate::interrupt;
use crate::show::acted::{failures, joined, summary};
use crate::show::progress::Progress;
use crate::show::words::harmless;
use crate::trouble::Trouble;
use crate::ui::{self, Ui};
use crate::verb::list;
use std::collections::{BTreeSet, HashSet};
use tine_control::client::Client;
use tine_control::reply::Acted;
use tine_control::{Ask, ProcessInfo, ProcessStatus};

/// One command that does something to processes, in one request or several.
#[derive(Debug)]
pub(crate) struct Acting {
    pub(crate) ui: Ui,
    waiting: Waiting,
    progress: Progress,
    answers: Vec<Acted>,
    ran_before: HashSet<(u32, Option<u32>)>,
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
            ran_before: HashSet::new(),
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

    /// These ran before; when they still do, nothing was done to them, and that is said.
    pub(crate) fn ran_before(&mut self, processes: &[ProcessInfo]) {
        let running = processes.iter().filter(|one| runs(one.status));
        self.ran_before = running.map(|one| (one.id, one.pid)).collect();
    }

    /// Those to which something was done; of the others it is said that they run already.
    fn touched(&self, processes: Vec<ProcessInfo>) -> Vec<ProcessInfo> {
        let (same, touched): (Vec<_>, Vec<_>) = processes
            .into_iter()
            .partition(|one| self.ran_before.contains(&(one.id, one.pid)));
        let mut said = BTreeSet::new();
        for one in same {
            if said.insert(one.name.clone()) {
                self.ui
                    .say(&format!("{} runs already", harmless(&one.name)));
            }
        }
        touched
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
        let code = code_of(&acted);
        if self.waiting.json {
            ui::print_json(&acted)?;
        } else if !acted.processes.is_empty() && !self.ui.silent {
            let how = if acted.done {
                verb.to_owned()
            } else {
                format!("accepted, to be {verb}:")
            };
            ui::talk(&summary(&how, &self.touched(acted.processes), self.ui.err));
        }
        Ok(code)
    }
}

/// Whether all of it did well.
fn code_of(acted: &Acted) -> u8 {
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
