//! One manager with so many processes: what its daemon needs and how long its commands take.

use std::fs;
use std::path::Path;

use super::contender::{Contender, Payload, Programs, Seat, Verb};
use super::options::Options;
use super::record::{Shown, What};
use super::world::{self, Memory, World};
use super::{floor, timed};
use crate::{Result, cleanup};

const STOP_LIMIT: std::time::Duration = std::time::Duration::from_secs(15);

/// Measures all of it, with files in `folder`. Whatever is left at the end is for the caller to kill.
pub(super) fn visit(
    contender: Contender,
    options: &Options,
    programs: &Programs,
    count: usize,
    folder: &Path,
) -> Result<Shown> {
    let payload = Payload {
        program: "/bin/sleep".into(),
        arguments: vec!["infinity".to_owned()],
        count,
        apart: options.apart,
        crashes: false,
    };
    let seat = Seat::new(contender, programs, folder, &payload)?;
    let mut visit = Visit {
        seat,
        payload,
        shown: Shown::default(),
    };
    visit.say(Verb::Begin, |_| true)?;
    if count == 0 {
        visit.shown.memory = visit.memory()?;
    }
    for cycle in 0..options.cycles(contender) * usize::from(count > 0) {
        visit.floor(Verb::Start)?;
        visit.say(Verb::Start, all_run(count))?;
        if cycle == 0 {
            visit.shown.memory = visit.memory()?;
        }
        let before = visit.world().processes;
        visit.say(Verb::Restart, |world| {
            all_run(count)(world) && world.processes.iter().all(|pid| !before.contains(pid))
        })?;
        visit.say(Verb::Stop, |world| world.processes.is_empty())?;
        visit.say(Verb::Delete, |_| true)?;
        if visit.can(Verb::StartNoWait)? {
            visit.floor(Verb::StartNoWait)?;
            visit.say(Verb::StartNoWait, all_run(count))?;
            visit.say(Verb::Stop, |world| world.processes.is_empty())?;
            visit.say(Verb::Delete, |_| true)?;
        }
    }
    if count > 0 {
        visit.say(Verb::Start, all_run(count))?;
    }
    for _ in 0..options.lists {
        let nothing = floor::command(&visit.seat.output())?;
        visit.shown.add(What::Nothing, nothing);
        for verb in [Verb::List, Verb::Jlist] {
            visit.list(verb)?;
        }
    }
    visit.shown.memory_after = visit.memory()?;
    visit.say(Verb::Kill, |_| true)?;
    visit.shown.had_to_be_killed = !cleanup::wait_for_descendants(STOP_LIMIT);
    Ok(visit.shown)
}

/// Brings a manager up with its processes. Nothing is measured.
pub(super) fn begin(seat: &Seat<'_>, payload: &Payload) -> Result<()> {
    let verbs = [Verb::Begin, Verb::Start];
    for verb in &verbs[..if payload.count > 0 { 2 } else { 1 }] {
        if let Some(mut command) = seat.say(*verb)? {
            timed::run(&mut command, &seat.output(), None)?;
        }
    }
    let what = format!("start of {}", payload.count);
    world::expect(&payload.program, timed::LIMIT, &what, |world| {
        all_run(payload.count)(world)
    })?;
    Ok(())
}

fn all_run(count: usize) -> impl Fn(&World) -> bool {
    move |world| world.processes.len() == count
}

struct Visit<'a> {
    seat: Seat<'a>,
    payload: Payload,
    shown: Shown,
}

impl Visit<'_> {
    fn floor(&mut self, before: Verb) -> Result<()> {
        let (spawned, ended) = floor::start_and_stop(&self.payload)?;
        self.shown.add(What::Spawned(before), spawned);
        self.shown.add(What::Ended, ended);
        Ok(())
    }

    fn can(&self, verb: Verb) -> Result<bool> {
        self.seat.say(verb).map(|command| command.is_some())
    }

    /// Says a verb, if this manager has it. Its time ends when the command has ended and all is as wanted.
    fn say(&mut self, verb: Verb, as_wanted: impl Fn(&World) -> bool) -> Result<()> {
        let Some(mut command) = self.seat.say(verb)? else {
            return Ok(());
        };
        let starts = matches!(verb, Verb::Start | Verb::StartNoWait) && world::tells_children();
        let manager = self.world().manager;
        let count = self.payload.count;
        let mut there = || world::children(&manager) >= count;
        let watch: Option<&mut dyn FnMut() -> bool> = if starts { Some(&mut there) } else { None };
        let took = timed::run(&mut command, &self.seat.output(), watch)?;
        let mut until_all_run = took.until_seen;
        if starts && until_all_run.is_none() {
            let came = cleanup::wait_until(timed::LIMIT, || Ok(world::children(&manager) >= count));
            until_all_run = came?.then(|| took.began.elapsed());
        }
        // The first look is not the manager's time; if that does not find it as wanted, waiting is.
        let mut whole = took.whole;
        if !as_wanted(&self.world()) {
            let what = format!("after {}", verb.name());
            world::expect(&self.payload.program, timed::LIMIT, &what, as_wanted)?;
            whole = took.began.elapsed();
        }
        // That a start which does not wait returns early is what was asked for.
        let said = if verb == Verb::StartNoWait {
            took.whole
        } else {
            whole
        };
        self.shown.add(What::Said(verb), said);
        if let Some(length) = until_all_run {
            self.shown.add(What::AllRun(verb), length);
        }
        Ok(())
    }

    /// A list counts only if it has a line of each process; those for programs, an entry.
    fn list(&mut self, verb: Verb) -> Result<()> {
        let Some(mut command) = self.seat.say(verb)? else {
            return Ok(());
        };
        let took = timed::run(&mut command, &self.seat.output(), None)?;
        let path = self.seat.output();
        let text = fs::read_to_string(&path)
            .map_err(|e| format!("reading the output of {}: {e}", verb.name()))?;
        let found = if verb == Verb::Jlist {
            let list: serde_json::Value = serde_json::from_str(text.trim())
                .map_err(|e| format!("reading the output of jlist: {e}"))?;
            list.as_array().map_or(0, Vec::len)
        } else {
            text.lines().count()
        };
        if found < self.payload.count {
            let (name, count) = (verb.name(), self.payload.count);
            return Err(format!("{name} says {found} of {count} processes"));
        }
        self.shown.add(What::Said(verb), took.whole);
        Ok(())
    }

    fn world(&self) -> World {
        World::look(&self.payload.program)
    }

    fn memory(&self) -> Result<Memory> {
        Memory::of(&self.world().manager)
    }
}
