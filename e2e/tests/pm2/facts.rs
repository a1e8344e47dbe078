//! What was seen in a run?

use crate::case::{ABSENT, Differs, fits};
use crate::list::List;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tine_testkit::process::is_alive;

/// Facts by name. A name begins with the number of the step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts(BTreeMap<String, String>);

/// Fields of `pm2_env` that are looked at whenever the list is.
const FIELDS: [&str; 8] = [
    "status",
    "restart_time",
    "exec_mode",
    "namespace",
    "instances",
    "NODE_APP_INSTANCE",
    "exit_code",
    "autorestart",
];

impl Facts {
    /// Writes a fact down.
    pub(crate) fn note(&mut self, name: String, value: impl Into<String>) {
        let former = self.0.insert(name.clone(), value.into());
        assert!(former.is_none(), "two facts are called {name}");
    }

    /// What a list tells, and which processes are no longer those of the list `before`.
    pub(crate) fn note_list(&mut self, step: &str, list: &List, before: &List) {
        for (name, process) in list.named() {
            let mut note = |what: &str, value: String| {
                self.note(format!("{step} | {name} {what}"), value);
            };
            note("pm_id", process.id().to_string());
            for field in FIELDS {
                if let Some(value) = process.field(field) {
                    note(field, value);
                }
            }
            // PM2 goes on showing the number of a process that has ended for a while.
            let lives = process.pid() != 0 && is_alive(process.pid());
            note("has a process", lives.to_string());
            let former = before.named().find(|(other, _)| *other == name);
            if let Some((_, former)) =
                former.filter(|(_, former)| lives && former.status() == "online")
            {
                let word = match former.pid() == process.pid() {
                    true => "the same",
                    false => "another",
                };
                note("process", word.to_owned());
            }
        }
    }

    /// One text for all that is not the same and not expected, and for what is expected and the
    /// same; empty if there is none.
    pub(crate) fn differences(&self, tine_facts: &Facts, expected: &[Differs]) -> String {
        let names: BTreeSet<&String> = self.0.keys().chain(tine_facts.0.keys()).collect();
        let mut text = String::new();
        let mut met = BTreeSet::new();
        for name in names {
            let of = |facts: &Facts| facts.0.get(name).cloned().unwrap_or(ABSENT.to_owned());
            let (pm2, tine) = (of(self), of(tine_facts));
            // What was looked at in vain by one of them tells nothing more.
            let (step, what) = name.rsplit_once(" | ").unwrap_or((name, ""));
            let came = format!("{step} | came");
            let in_vain = self.0.contains_key(&came) || tine_facts.0.contains_key(&came);
            if pm2 == tine || (in_vain && what != "came") {
                continue;
            }
            let mut fitting = expected.iter().enumerate().filter(|(_, one)| {
                // That something never came is no difference between two that did their thing.
                !name.ends_with("| came")
                    && fits(one.fact, name)
                    && fits(one.pm2, &pm2)
                    && fits(one.tine, &tine)
            });
            match fitting.next() {
                Some((at, _)) => {
                    met.insert(at);
                }
                None => {
                    let _ = writeln!(text, "  {name}\n    PM2:  {pm2}\n    tine: {tine}");
                }
            }
        }
        for (at, one) in expected.iter().enumerate() {
            if !met.contains(&at) {
                let _ = writeln!(
                    text,
                    "  {}: the case expects a difference ({:?}: PM2 {:?}, tine {:?}) that is not there",
                    one.fact, one.why, one.pm2, one.tine
                );
            }
        }
        text
    }

    /// All of them, for a test that fails.
    pub(crate) fn all(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.0 {
            let _ = writeln!(text, "  {name} = {value}");
        }
        text
    }
}
