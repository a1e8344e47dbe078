//! An app that runs while others do what makes no sense, and does not notice.

use crate::support::*;

pub(crate) struct Bystander {
    pub(crate) home: Home,
    daemon: (u32, u32),
    pids: Vec<u32>,
}

impl Bystander {
    /// A server of two processes, alone in a new home.
    pub(crate) fn new() -> Bystander {
        let home = home();
        let script = fixture("http.js").display().to_string();
        home.ok(["start", &script, "-i", "2", "--name", "bystander"]);
        Bystander {
            daemon: (home.keeper(), home.brain()),
            pids: pids(&home, "bystander"),
            home,
        }
    }

    /// The same daemon, the same processes; they answer, and nobody else is in the list.
    #[track_caller]
    pub(crate) fn is_undisturbed(&self) {
        assert_eq!(statuses(&self.home), "bystander online, bystander online");
        assert_eq!((self.home.keeper(), self.home.brain()), self.daemon);
        assert_eq!(pids(&self.home, "bystander"), self.pids);
        let list = self.home.list();
        assert!(list.iter().all(|one| one["restarts"] == 0), "{list:?}");
        let pid = self.home.get("/").unwrap().pid().unwrap();
        assert!(self.pids.contains(&pid));
        assert_eq!(self.home.workers().len(), 2);
    }
}
