//! One process: how is it ordered, and what is held of it?

use super::app::Core;
use super::link::{Link, Place};
use super::output::Output;
use super::program::{self, Resolved};
use super::registry::Registry;
use rustix::pipe::{PipeFlags, pipe_with};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use tine_cluster::WorkerId;
use tine_cluster::primary::{Birth, Launch, Primary, Seat, Settings};
use tine_control::LogType;
use tine_keeper::client::Program;
use tine_logs::{DateFormat, Form, LogFiles};
use tine_sys::Pid;

/// One generation of a slot.
#[derive(Debug)]
pub(super) struct Process {
    /// None until it exists.
    pub(super) pid: Option<Pid>,
    pub(super) pidfd: Option<OwnedFd>,
    /// Milliseconds since 1970.
    pub(super) started: u64,
    /// As what the cluster knows it.
    pub(super) worker: Option<WorkerId>,
    /// Until it exists.
    pub(super) birth: Option<Box<Birth>>,
    /// The end that is written to; does not block.
    pub(super) stdin: Option<OwnedFd>,
    pub(super) output: Rc<Output>,
    /// Whether it has, or is to have, a channel.
    pub(super) channel: bool,
    /// The runtime of Node's kind that executes it.
    pub(super) runtime: Option<PathBuf>,
    /// The version that its `package.json` has.
    pub(super) version: Option<String>,
}

impl Process {
    /// Its number in the kernel.
    pub(super) fn number(&self) -> Option<u32> {
        self.pid
            .map(|pid| pid.as_raw_nonzero().get().unsigned_abs())
    }
}

/// Under which names the keeper holds the pipes of a process.
pub(super) fn names(place: Place) -> [String; 3] {
    let name = place.name();
    ["in", "out", "err"].map(|end| format!("{name}.{end}"))
}

/// Why it could not be ordered, and whether another attempt could go better.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) text: String,
    pub(super) retry_helps: bool,
}

impl Refusal {
    fn now(error: impl std::fmt::Display) -> Self {
        Self {
            text: error.to_string(),
            retry_helps: true,
        }
    }

    fn for_ever(error: impl std::fmt::Display) -> Self {
        Self {
            text: error.to_string(),
            retry_helps: false,
        }
    }
}

/// A process that is yet to be ordered.
pub(super) struct Order {
    pub(super) process: Process,
    start: Start,
}

/// What is to be executed, and how.
enum Start {
    /// With a channel; the process has the rest.
    Birth,
    Plain(Resolved, [OwnedFd; 3]),
}

impl Order {
    /// Sends it to the keeper. What must be known if this brain ends now was sent before.
    pub(super) fn send(self, link: &Link, place: Place) -> (Process, Result<(), Refusal>) {
        let sent = match (&self.start, &self.process.birth) {
            (Start::Plain(resolved, streams), _) => spawn(link, place, resolved, streams),
            (Start::Birth, Some(birth)) => spawn_birth(link, place, birth),
            (Start::Birth, None) => Ok(()),
        };
        if sent.is_err() {
            link.forget(names(place).to_vec());
        }
        (self.process, sent)
    }
}

/// Makes everything that a process needs.
pub(super) fn prepare(
    core: &mut Core,
    registry: &Registry,
    primary: &mut Option<Box<Primary>>,
    place: Place,
) -> Result<Order, Refusal> {
    let id = core.slots.get(&place.slot).map_or(0, |slot| slot.id);
    let home = registry.home.folder();
    let environment = program::environment(&core.spec, &core.inherited, id, place.slot, home);
    let resolved = program::resolve(&core.spec, environment).map_err(Refusal::for_ever)?;
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(Refusal::now);
    let ((stdin, input), (out, stdout), (err, stderr)) = (pipe()?, pipe()?, pipe()?);
    rustix::io::ioctl_fionbio(&input, true).map_err(Refusal::now)?;
    let held = [input.as_fd(), out.as_fd(), err.as_fd()];
    registry.link.put_for(place, names(place).to_vec(), &held);
    let channel = resolved.channel;
    let runtime = program::speaks(&resolved.program).then(|| resolved.program.clone());
    if let Some(runtime) = &runtime {
        registry.versions.ask(runtime);
    }
    let streams = [stdin, stdout, stderr];
    let prepared = if channel {
        let birth = birth(core, primary, place, resolved, streams);
        birth.map(|birth| (Some(Box::new(birth)), Start::Birth))
    } else {
        Ok((None, Start::Plain(resolved, streams)))
    };
    let (birth, start) = prepared.inspect_err(|_| registry.link.forget(names(place).to_vec()))?;
    let output = output(core, registry, place);
    output.read_from(out, err).map_err(Refusal::now)?;
    let process = Process {
        pid: None,
        pidfd: None,
        started: super::clock::wall(),
        worker: None,
        birth,
        stdin: Some(input),
        output,
        channel,
        runtime,
        version: None,
    };
    Ok(Order { process, start })
}

/// Where the output of a process goes.
pub(super) fn output(core: &Core, registry: &Registry, place: Place) -> Rc<Output> {
    let who = core.who_was(place.slot, place.generation);
    let date = core.spec.log_date_format.as_deref().map(DateFormat::new);
    let form = match (core.spec.log_type, date) {
        (LogType::Json, date) => Form::Json {
            date,
            process_id: u64::from(who.id),
            app_name: core.spec.name.clone(),
        },
        (LogType::Raw, Some(date)) => Form::Dated(date),
        (LogType::Raw, None) => Form::Raw,
    };
    let files = LogFiles::new(core.paths(who.id), form);
    Output::new(
        who,
        files,
        core.spec.disable_logs,
        registry.followers.clone(),
    )
}

/// The settings of the cluster of an app.
pub(super) fn settings(core: &Core) -> Settings {
    Settings {
        policy: core.policy(),
        hold_listeners: true,
        ..Settings::default()
    }
}

fn birth(
    core: &Core,
    primary: &mut Option<Box<Primary>>,
    place: Place,
    resolved: Resolved,
    streams: [OwnedFd; 3],
) -> Result<Birth, Refusal> {
    let primary = match primary {
        Some(primary) => primary,
        None => {
            let mut new = Primary::new(settings(core)).map_err(Refusal::now)?;
            new.tell_changes();
            primary.insert(Box::new(new))
        }
    };
    let [stdin, stdout, stderr] = streams;
    let launch = Launch {
        arguments: resolved.arguments,
        environment: resolved.environment,
        folder: Some(resolved.folder),
        stdin: Some(stdin),
        stdout: Some(stdout),
        stderr: Some(stderr),
        clustered: resolved.clustered,
        channel: true,
        uid: resolved.uid,
        gid: resolved.gid,
        seat: Seat(place.slot),
        dialect: resolved.dialect,
        ..Launch::new(resolved.program)
    };
    primary.prepare(launch).map_err(Refusal::for_ever)
}

fn spawn_birth(link: &Link, place: Place, birth: &Birth) -> Result<(), Refusal> {
    let program = Program {
        argv: birth.argv.clone(),
        env: birth.env.clone(),
        cwd: birth.cwd.clone(),
        fds: birth.fds(),
        uid: birth.uid,
        gid: birth.gid,
        new_session: true,
        ordinary_scheduling: birth.ordinary_scheduling,
        ..Program::new(place.name(), birth.program.clone())
    };
    link.spawn(place, &program).map_err(Refusal::now)
}

fn spawn(
    link: &Link,
    place: Place,
    resolved: &Resolved,
    streams: &[OwnedFd; 3],
) -> Result<(), Refusal> {
    let texts = resolved.texts().map_err(Refusal::for_ever)?;
    let fds: Vec<(BorrowedFd<'_>, i32)> = streams
        .iter()
        .zip(0..)
        .map(|(fd, number)| (fd.as_fd(), number))
        .collect();
    let program = Program {
        argv: texts.arguments,
        env: texts.environment,
        cwd: Some(texts.folder),
        fds,
        uid: resolved.uid,
        gid: resolved.gid,
        new_session: true,
        ..Program::new(place.name(), texts.program)
    };
    link.spawn(place, &program).map_err(Refusal::now)
}
