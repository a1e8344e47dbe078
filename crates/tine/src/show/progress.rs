//! How far has it come? On a terminal: a line for each app, written anew as it goes on.

use super::list::counts;
use super::words::harmless;
use crate::style::{Role, Styles};
use crate::ui::{self, Ui};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal;
use tine_control::{Note, ProcessStatus};

/// So many apps get a line of their own; of more, only the count is shown.
const LINES: usize = 12;

/// What has been told so far, and what of it stands on the terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    ui: Ui,
    on_terminal: bool,
    apps: BTreeMap<String, BTreeMap<u32, ProcessStatus>>,
    done: Option<(u32, u32)>,
    /// Lines that stand there now.
    standing: usize,
}

impl Progress {
    pub(crate) fn new(ui: Ui) -> Self {
        Progress {
            ui,
            on_terminal: !ui.silent && std::io::stderr().is_terminal(),
            apps: BTreeMap::new(),
            done: None,
            standing: 0,
        }
    }

    /// Takes one note.
    pub(crate) fn note(&mut self, note: &Note) {
        match note {
            Note::Process {
                process, status, ..
            } => {
                let app = self.apps.entry(process.name.clone()).or_default();
                app.insert(process.id, *status);
            }
            Note::Progress { done, of } => self.done = Some((*done, *of)),
            Note::Said { text } => {
                self.erase();
                self.ui.say(&harmless(text));
            }
            Note::Line { .. } | Note::Skipped { .. } | Note::Unknown => return,
        }
        if self.on_terminal {
            self.erase();
            let text = lines(&self.apps, self.done, self.ui.err);
            self.standing = text.lines().count();
            ui::talk(&text);
        }
    }

    /// Takes away what stands on the terminal: what follows says it all.
    pub(crate) fn erase(&mut self) {
        if self.standing > 0 {
            // Up to the first of the lines, and clear from there on.
            ui::talk(&format!("\u{1b}[{}A\u{1b}[J", self.standing));
            self.standing = 0;
        }
    }
}

fn lines(
    apps: &BTreeMap<String, BTreeMap<u32, ProcessStatus>>,
    done: Option<(u32, u32)>,
    styles: Styles,
) -> String {
    let mut text = String::new();
    if apps.len() <= LINES {
        for (name, processes) in apps {
            let name = styles.paint(Role::Own, &harmless(name));
            let _ = writeln!(text, "{name}: {}", counts(processes.values()));
        }
    }
    if let Some((done, of)) = done.filter(|(_, of)| *of > 1) {
        let _ = writeln!(text, "{done} of {of}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_has_a_line_and_many_apps_a_count() {
        let mut apps = BTreeMap::new();
        let web = [
            (0, ProcessStatus::Online),
            (1, ProcessStatus::Online),
            (2, ProcessStatus::Launching),
        ];
        apps.insert("web".to_owned(), BTreeMap::from(web));
        assert_eq!(
            lines(&apps, Some((2, 3)), Styles::plain()),
            "web: 1 launching, 2 online\n2 of 3\n"
        );
        for number in 0..LINES {
            apps.insert(number.to_string(), BTreeMap::new());
        }
        assert_eq!(lines(&apps, Some((2, 30)), Styles::plain()), "2 of 30\n");
    }
}
