//! Whether the facts of a primary keep their promises, at every step of every test.

use std::collections::{BTreeMap, BTreeSet};
use tine_cluster::primary::Primary;

#[derive(Debug, Default)]
pub(crate) struct Witness {
    last: Option<(u64, String)>,
    glances: u32,
    /// What each name stands for now, as far as files can be told apart.
    names: BTreeMap<String, (u64, u64)>,
    gone: BTreeSet<String>,
}

impl Witness {
    /// As [`look`](Self::look) if there may be something new, and else now and then: it takes a
    /// while.
    pub(crate) fn glance(&mut self, primary: &Primary) {
        self.glances = self.glances.wrapping_add(1);
        let known = self.last.as_ref().map(|(revision, _)| *revision);
        if known != Some(primary.revision()) || self.glances.is_multiple_of(64) {
            self.look(primary);
        }
    }

    /// The facts change with the revision only, and a name stands for one open file for ever.
    pub(crate) fn look(&mut self, primary: &Primary) {
        let facts = primary.facts().unwrap();
        let revision = primary.revision();
        if let Some((before, json)) = &self.last {
            assert!(
                *before != revision || *json == facts.json,
                "the same revision {revision}, but\n{json}\nis now\n{}",
                facts.json
            );
        }
        self.last = Some((revision, facts.json));
        let mut names = BTreeMap::new();
        for (name, fd) in facts.descriptors {
            let stat = rustix::fs::fstat(fd).unwrap();
            let identity = (stat.st_dev, stat.st_ino);
            if let Some(known) = self.names.remove(&name) {
                assert_eq!(known, identity, "{name} is something else now");
            }
            assert!(!self.gone.contains(&name), "{name} is back");
            assert!(name.len() < 40, "{name}");
            let twice = names.insert(name, identity);
            assert!(twice.is_none(), "a name for two");
        }
        let gone = std::mem::replace(&mut self.names, names);
        self.gone.extend(gone.into_keys());
    }
}
