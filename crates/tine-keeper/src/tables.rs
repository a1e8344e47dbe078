//! What the keeper knows: plain data and descriptors, nothing else, so that it can be written down
//! for the next image of the keeper.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use tine_sys::Pid;
use tine_sys::reap::ExitStatus;

use crate::protocol::{
    Exit, MAX_ALL_STATES, MAX_DESCRIPTORS, MAX_NAME, MAX_ORPHANS, MAX_PROCESSES, MAX_STATE,
    MAX_STATES,
};

/// A process that was started by name and is not reaped. While it is not, its number is its own,
/// so no pidfd has to be held.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    /// Milliseconds since 1970.
    pub(crate) started: u64,
}

/// A sealed memfd and how much it holds.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) memfd: OwnedFd,
    pub(crate) length: u64,
}

#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) processes: BTreeMap<String, Process>,
    /// By number. What has no name is an orphan's.
    pub(crate) exits: BTreeMap<u64, Exit>,
    pub(crate) descriptors: BTreeMap<String, OwnedFd>,
    pub(crate) states: BTreeMap<String, State>,
    pub(crate) orphans_forgotten: u64,
    orphans: usize,
    last_exit: u64,
    /// How many descriptors all tables together may hold.
    room: usize,
}

/// Why something is not held, in words.
pub(crate) type Refusal = String;

pub(crate) fn milliseconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

pub(crate) fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(format!(
            "a name has 1 to {MAX_NAME} bytes, not {}",
            name.len()
        ));
    }
    Ok(())
}

impl Tables {
    pub(crate) fn new(room: usize) -> Self {
        Self {
            processes: BTreeMap::new(),
            exits: BTreeMap::new(),
            descriptors: BTreeMap::new(),
            states: BTreeMap::new(),
            orphans_forgotten: 0,
            orphans: 0,
            last_exit: 0,
            room,
        }
    }

    /// Descriptors held.
    pub(crate) fn held(&self) -> usize {
        self.descriptors.len() + self.states.len()
    }

    /// Whether a process of this name may be started: its exit must have a place.
    pub(crate) fn check_process(&self, name: &str) -> Result<(), Refusal> {
        check_name(name)?;
        if self.processes.contains_key(name) {
            return Err(format!("a process named {name:?} runs already"));
        }
        let exits = self.exits.len() - self.orphans;
        if self.processes.len() + exits >= MAX_PROCESSES {
            return Err(format!(
                "{MAX_PROCESSES} processes run or have exits that are not acknowledged"
            ));
        }
        Ok(())
    }

    pub(crate) fn started(&mut self, name: String, pid: Pid) {
        let started = milliseconds();
        self.processes.insert(name, Process { pid, started });
    }

    /// A child that is not the brain was reaped.
    pub(crate) fn ended(&mut self, pid: Pid, status: ExitStatus) {
        let name = self.processes.iter().find(|(_, known)| known.pid == pid);
        let name = name.map(|(name, _)| name.clone());
        match &name {
            Some(name) => {
                self.processes.remove(name);
            }
            None => self.make_room_for_an_orphan(),
        }
        self.last_exit += 1;
        let exit = Exit {
            seq: self.last_exit,
            name,
            pid: pid.as_raw_pid(),
            status: status.into(),
            at: milliseconds(),
        };
        self.exits.insert(exit.seq, exit);
    }

    fn make_room_for_an_orphan(&mut self) {
        if self.orphans < MAX_ORPHANS {
            self.orphans += 1;
            return;
        }
        let oldest = self.exits.values().find(|exit| exit.name.is_none());
        if let Some(seq) = oldest.map(|exit| exit.seq) {
            self.exits.remove(&seq);
            self.orphans_forgotten += 1;
        }
    }

    pub(crate) fn acknowledge(&mut self, seq: u64) {
        if self
            .exits
            .remove(&seq)
            .is_some_and(|exit| exit.name.is_none())
        {
            self.orphans -= 1;
        }
    }

    /// All or none.
    pub(crate) fn put(&mut self, names: Vec<String>, fds: Vec<OwnedFd>) -> Result<(), Refusal> {
        let mut more = 0;
        for (index, name) in names.iter().enumerate() {
            check_name(name)?;
            if names[..index].contains(name) {
                return Err(format!("{name:?} is named twice"));
            }
            more += usize::from(!self.descriptors.contains_key(name));
        }
        if self.descriptors.len() + more > MAX_DESCRIPTORS || self.held() + more > self.room {
            return Err(format!(
                "{} descriptors are held, no more can be",
                self.held()
            ));
        }
        self.descriptors.extend(names.into_iter().zip(fds));
        Ok(())
    }

    pub(crate) fn put_state(&mut self, key: String, state: State) -> Result<(), Refusal> {
        check_name(&key)?;
        if state.length > MAX_STATE {
            return Err(format!(
                "{} bytes of state; {MAX_STATE} at most",
                state.length
            ));
        }
        let new = !self.states.contains_key(&key);
        let full = self.states.len() >= MAX_STATES || self.held() >= self.room;
        if new && full {
            return Err(format!(
                "{} state blobs are held, no more can be",
                self.states.len()
            ));
        }
        let others = self.states.iter().filter(|(other, _)| **other != key);
        let others: u64 = others.map(|(_, state)| state.length).sum();
        if others + state.length > MAX_ALL_STATES {
            return Err(format!(
                "all state together: {MAX_ALL_STATES} bytes at most"
            ));
        }
        self.states.insert(key, state);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number).unwrap()
    }

    const CODE: ExitStatus = ExitStatus::Code(3);

    fn null() -> OwnedFd {
        std::fs::File::open("/dev/null").unwrap().into()
    }

    #[test]
    fn no_process_starts_whose_exit_would_have_no_place() {
        let mut tables = Tables::new(10);
        let count = i32::try_from(MAX_PROCESSES).unwrap();
        for number in 1..=count {
            tables.check_process(&format!("p{number}")).unwrap();
            tables.started(format!("p{number}"), pid(number));
        }
        tables.check_process("more").unwrap_err();
        tables.ended(pid(1), CODE);
        tables.check_process("more").unwrap_err();
        assert_eq!(tables.exits[&1].name.as_deref(), Some("p1"));
        tables.acknowledge(1);
        tables.acknowledge(1);
        tables.check_process("more").unwrap();
        tables.check_process("p2").unwrap_err();
        tables.check_process("").unwrap_err();
        tables.check_process(&"n".repeat(MAX_NAME + 1)).unwrap_err();
    }

    #[test]
    fn the_oldest_orphan_is_forgotten_and_counted_but_no_named_exit() {
        let mut tables = Tables::new(10);
        tables.started("named".into(), pid(1));
        tables.ended(pid(1), CODE);
        for number in 0..=i32::try_from(MAX_ORPHANS).unwrap() {
            tables.ended(pid(2 + number), CODE);
        }
        assert_eq!(tables.orphans_forgotten, 1);
        assert_eq!(tables.exits.len(), MAX_ORPHANS + 1);
        assert!(tables.exits.contains_key(&1) && !tables.exits.contains_key(&2));
        tables.acknowledge(3);
        tables.ended(pid(2), CODE);
        assert_eq!(tables.orphans_forgotten, 1);
    }

    #[test]
    fn descriptors_and_state_are_held_up_to_their_limits() {
        let mut tables = Tables::new(3);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        tables
            .put(names(&["a", "b"]), vec![null(), null()])
            .unwrap();
        tables
            .put(names(&["c", "d"]), vec![null(), null()])
            .unwrap_err();
        tables
            .put(names(&["c", "c"]), vec![null(), null()])
            .unwrap_err();
        tables
            .put(names(&["a", "c"]), vec![null(), null()])
            .unwrap();
        assert_eq!(tables.held(), 3);
        let state = |length| State {
            memfd: null(),
            length,
        };
        tables.put_state("k".into(), state(1)).unwrap_err();
        tables.descriptors.clear();
        tables
            .put_state("k".into(), state(MAX_STATE + 1))
            .unwrap_err();
        let mut tables = Tables::new(100);
        let fit = MAX_ALL_STATES / MAX_STATE;
        for number in 0..fit {
            tables
                .put_state(format!("k{number}"), state(MAX_STATE))
                .unwrap();
        }
        tables.put_state("more".into(), state(1)).unwrap_err();
        tables.put_state("k0".into(), state(5)).unwrap();
        tables.put_state("more".into(), state(1)).unwrap();
    }
}
