//! What became of each process?

use super::output::{Output, Stream};
use super::pipe::Pipe;
use crate::spec::AppSpec;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use tine_cluster::primary::{ForkError, Launch, Primary, Seat, WorkerId};
use tine_logs::LastLines;

/// Lines remembered of each slot, to be shown when it is given up.
const LAST_LINES: usize = 10;

/// One generation in one slot.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) slot: usize,
    pub(super) generation: u64,
    pub(super) pid: rustix::process::Pid,
    pipes: [Rc<Pipe>; 2],
}

/// All processes that run, and the last words of those that ran.
#[derive(Debug)]
pub(super) struct Processes {
    running: BTreeMap<WorkerId, Process>,
    last: Vec<Rc<RefCell<LastLines>>>,
    /// Before lines on standard output and on standard error.
    prefixes: Vec<[String; 2]>,
    output: Output,
}

/// A process could not be created.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("making the pipes for its output: {0}")]
    Pipe(#[from] io::Error),
    #[error(transparent)]
    Fork(#[from] ForkError),
}

impl Processes {
    pub(super) fn new(prefixes: Vec<[String; 2]>, output: Output) -> Self {
        let last = prefixes
            .iter()
            .map(|_| Rc::new(RefCell::new(LastLines::new(LAST_LINES))));
        Self {
            running: BTreeMap::new(),
            last: last.collect(),
            prefixes,
            output,
        }
    }

    /// Creates the process of a generation and begins to carry its output.
    pub(super) fn start(
        &mut self,
        primary: &mut Primary,
        spec: &AppSpec,
        slot: usize,
        generation: u64,
    ) -> Result<&Process, StartError> {
        let (last, prefix) = (&self.last[slot], &self.prefixes[slot]);
        let pipe = |stream: Stream, prefix: &str| {
            Pipe::new(stream, prefix.into(), last.clone(), self.output.clone())
        };
        let (out, stdout) = pipe(Stream::Out, &prefix[0])?;
        let (err, stderr) = pipe(Stream::Err, &prefix[1])?;
        let stdin: OwnedFd = OpenOptions::new().read(true).open("/dev/null")?.into();
        let mut environment = spec.environment.clone();
        environment.retain(|(name, _)| name != "NODE_APP_INSTANCE" && name != "name");
        environment.push(("NODE_APP_INSTANCE".into(), slot.to_string().into()));
        environment.push(("name".into(), spec.name.clone().into()));
        let seat = u32::try_from(slot).map_or(Seat(u32::MAX), Seat);
        let id = primary.fork(Launch {
            arguments: spec.arguments.clone(),
            environment,
            folder: Some(spec.folder.clone()),
            stdin: Some(stdin),
            stdout: Some(stdout),
            stderr: Some(stderr),
            clustered: spec.clustered,
            channel: spec.channel,
            // Node leaves when its channel closes; nothing else would notice.
            parent_death_signal: Some(rustix::process::Signal::KILL.as_raw()),
            seat,
            dialect: spec.dialect,
            own_group: true,
            ..Launch::new(&spec.program)
        })?;
        let pid = primary
            .pid(id)
            .ok_or(rustix::io::Errno::SRCH)
            .map_err(io::Error::from)?;
        for pipe in [&out, &err] {
            tokio::task::spawn_local(pipe.clone().carry());
        }
        let process = Process {
            slot,
            generation,
            pid,
            pipes: [out, err],
        };
        Ok(self.running.entry(id).insert_entry(process).into_mut())
    }

    pub(super) fn get(&self, worker: WorkerId) -> Option<&Process> {
        self.running.get(&worker)
    }

    /// The worker that runs this generation.
    pub(super) fn find(&self, slot: usize, generation: u64) -> Option<(WorkerId, &Process)> {
        self.running
            .iter()
            .find(|(_, process)| process.slot == slot && process.generation == generation)
            .map(|(id, process)| (*id, process))
    }

    /// The process has ended: its last words are taken from the pipes.
    pub(super) fn ended(&mut self, worker: WorkerId) -> Option<Process> {
        let process = self.running.remove(&worker)?;
        process.pipes.iter().for_each(|pipe| pipe.drain());
        Some(process)
    }

    pub(super) fn count(&self) -> usize {
        self.running.len()
    }

    /// What the slot's processes said last.
    pub(super) fn last_lines(&self, slot: usize) -> Vec<String> {
        self.last.get(slot).map_or(Vec::new(), |last| {
            last.borrow().iter().map(ToOwned::to_owned).collect()
        })
    }
}
