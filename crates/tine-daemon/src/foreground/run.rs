//! What happens, in which order?

use super::output::{Output, Stream};
use super::processes::{Processes, StartError};
use super::report::{Holder, Report, Reporter};
use crate::spec::AppSpec;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use tine_cluster::ExitStatus;
use tine_cluster::primary::{
    Event as ClusterEvent, ForkError, ListeningAddress, Policy, Primary, Seat, Settings, Sharing,
    WorkerId,
};
use tine_rules::{Action, App, Event, Millis, Notice, Outcome};
use tine_sys::spawn::SpawnError;
use tokio::signal::unix::{SignalKind, signal};

/// A process that does not die of SIGKILL (a disk that does not answer) is not waited for longer.
const LAST_RITES: Duration = Duration::from_secs(2);

/// Addresses remembered for the summary; a program may take a new port at every start.
const MOST_ADDRESSES: usize = 32;

/// An app could not even begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The kernel refused something that nothing works without.
    #[error("{doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
}

fn system(doing: &'static str) -> impl Fn(std::io::Error) -> RunError {
    move |source| RunError::System { doing, source }
}

/// Runs an app until it has ended: by itself, or by SIGINT, SIGTERM or SIGHUP. A second SIGINT or
/// SIGTERM ends it at once.
///
/// `inherited` are the descriptors that this process was started with; workers may name them in
/// `listen({fd})`.
///
/// # Errors
/// When the kernel refuses what nothing works without.
///
/// # Panics
/// Outside of a tokio `LocalSet` on a runtime with IO and time enabled.
pub async fn run(
    spec: AppSpec,
    inherited: BTreeMap<i32, OwnedFd>,
    reporter: &mut dyn Reporter,
    output: Output,
) -> Result<Outcome, RunError> {
    // Orphans of the app come to us: they are part of it, and as PID 1 they are ours anyway.
    tine_sys::tree::become_subreaper().map_err(system("becoming the reaper of orphans"))?;
    let policy = spec
        .balance
        .resolve(|| tine_sys::steer::probe_ebpf().is_ok());
    let mut primary = Primary::new(Settings {
        policy,
        hold_listeners: true,
        wait_our_turn: matches!(policy, Policy::RoundRobin | Policy::Least),
        ..Settings::default()
    })
    .map_err(system("making an epoll set"))?;
    primary.offer_descriptors(inherited);
    let prefixes = (0..spec.rules.instances)
        .map(|slot| [Stream::Out, Stream::Err].map(|stream| reporter.prefix(slot, stream)))
        .collect();
    let processes = Processes::new(prefixes, output.clone());
    let app = App::new(spec.rules.clone());
    let zero = Instant::now();
    let mut run = Run {
        app,
        primary,
        processes,
        spec,
        listening: Vec::new(),
        refused: BTreeMap::new(),
        last: BTreeMap::new(),
        strangers: tine_sys::tree::children_of_self(),
        zero,
        reporter,
        output,
    };
    run.until_over().await
}

struct Run<'a> {
    app: App,
    primary: Primary,
    processes: Processes,
    spec: AppSpec,
    /// Where workers have said that they listen, until all are ready for the first time.
    listening: Vec<ListeningAddress>,
    /// Why a process could not be created, until it has been told.
    refused: BTreeMap<usize, String>,
    /// The process that ended last in each slot.
    last: BTreeMap<usize, Pid>,
    /// Children that we had before the app was started: a shell that became us may have left some.
    strangers: Vec<Pid>,
    zero: Instant,
    reporter: &'a mut dyn Reporter,
    output: Output,
}

impl Run<'_> {
    async fn until_over(&mut self) -> Result<Outcome, RunError> {
        let listen = |kind| signal(kind).map_err(system("listening to signals"));
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut terminate = listen(SignalKind::terminate())?;
        // Whoever started us with `nohup` wants us to outlive the terminal.
        let mut hang_up = if tine_sys::reap::is_ignored(Signal::HUP.as_raw()) {
            None
        } else {
            Some(listen(SignalKind::hangup())?)
        };
        let mut child = listen(SignalKind::child())?;
        let mut asked: Option<Instant> = None;
        self.app.handle(self.now(), Event::Start);
        loop {
            if let Some(outcome) = self.act() {
                self.end_orphans();
                if let Some(asked) = asked {
                    self.tell(&Report::Stopped {
                        after: asked.elapsed(),
                    });
                }
                return Ok(outcome);
            }
            let wakeup = self.app.next_wakeup();
            // Asked here and not only below: on a busy primary there is always something else.
            if wakeup.is_some_and(|at| at <= self.now()) {
                self.app.handle(self.now(), Event::Woken);
                continue;
            }
            let at = self.zero + Duration::from_millis(wakeup.map_or(0, |at| at.0));
            let stop = tokio::select! {
                biased;
                _ = interrupt.recv() => true,
                _ = terminate.recv() => true,
                _ = hung_up(&mut hang_up) => asked.is_none(),
                _ = child.recv() => {
                    self.reap_orphans();
                    false
                }
                event = self.primary.next_event() => {
                    self.heard(event.map_err(system("waiting for the workers"))?);
                    false
                }
                () = tokio::time::sleep_until(at.into()), if wakeup.is_some() => {
                    self.app.handle(self.now(), Event::Woken);
                    false
                }
            };
            if stop {
                asked.get_or_insert_with(Instant::now);
                self.app.handle(self.now(), Event::StopSignal);
            }
        }
    }

    fn now(&self) -> Millis {
        #[allow(clippy::cast_possible_truncation)]
        Millis(self.zero.elapsed().as_millis() as u64)
    }

    fn tell(&mut self, report: &Report) {
        let words = self.reporter.words(report);
        self.output.push(Stream::Err, words.into_bytes());
    }

    /// Does what the app's machine says.
    fn act(&mut self) -> Option<Outcome> {
        while let Some(action) = self.app.poll_action() {
            match action {
                Action::Spawn { slot, generation } => self.spawn(slot, generation),
                Action::Disconnect { slot, generation } => {
                    if let Some((worker, _)) = self.processes.find(slot, generation) {
                        self.primary.disconnect(worker);
                    }
                }
                Action::Signal {
                    slot,
                    generation,
                    signal,
                } => {
                    if let Some((worker, process)) = self.processes.find(slot, generation) {
                        // It may have ended a moment ago.
                        let _ = self.primary.signal(worker, signal);
                        if !self.spec.clustered {
                            signal_rest_of_group(process.pid, signal);
                        }
                    }
                }
                Action::KillTree { slot, generation } => {
                    if let Some((worker, process)) = self.processes.find(slot, generation) {
                        kill_tree(process.pid);
                        let _ = self.primary.signal(worker, Signal::KILL.as_raw());
                    } else if let Some(leader) = self.last.get(&slot) {
                        kill_orphans_of(*leader);
                    }
                }
                Action::ReleaseListeners { slot } => self.primary.release_seat(seat(slot)),
                Action::LendListeners { slot } => self.primary.lend_seat(seat(slot)),
                Action::PruneListeners => self.primary.prune(),
                Action::Tell(notice) => self.notice(notice),
                Action::Finish(outcome) => return Some(outcome),
            }
        }
        None
    }

    fn spawn(&mut self, slot: usize, generation: u64) {
        match self
            .processes
            .start(&mut self.primary, &self.spec, slot, generation)
        {
            Ok(process) => {
                let pid = process.pid.as_raw_nonzero().get();
                self.tell(&Report::Started { slot, pid });
                self.app
                    .handle(self.now(), Event::Spawned { slot, generation });
                if !self.spec.clustered {
                    // A plain program has no word for being ready.
                    self.app
                        .handle(self.now(), Event::Ready { slot, generation });
                }
            }
            Err(error) => {
                let retry_helps = retry_helps(&error);
                let event = Event::SpawnFailed {
                    slot,
                    generation,
                    retry_helps,
                };
                self.refused.insert(slot, error.to_string());
                self.app.handle(self.now(), event);
            }
        }
    }

    fn heard(&mut self, event: ClusterEvent) {
        let now = self.now();
        let place = |processes: &Processes, worker: WorkerId| {
            processes
                .get(worker)
                .map(|process| (process.slot, process.generation))
        };
        match event {
            ClusterEvent::Online(worker) => {
                if let Some((slot, generation)) = place(&self.processes, worker) {
                    self.app.handle(now, Event::Online { slot, generation });
                }
            }
            ClusterEvent::Listening(worker, address) => {
                if let Some((slot, generation)) = place(&self.processes, worker) {
                    if self.listening.len() < MOST_ADDRESSES && !self.listening.contains(&address) {
                        self.listening.push(address.clone());
                    }
                    self.tell(&Report::Listening { slot, address });
                    self.app.handle(now, Event::Ready { slot, generation });
                }
            }
            ClusterEvent::ListenFailed {
                worker,
                address,
                error,
            } => {
                if let Some((slot, _)) = place(&self.processes, worker) {
                    self.listen_failed(slot, address, &error);
                }
            }
            ClusterEvent::AcceptFailed { address, error } => {
                let reason = error.to_string();
                self.tell(&Report::AcceptFailed { address, reason });
            }
            ClusterEvent::Disconnect { worker, error } => {
                let Some((slot, generation)) = place(&self.processes, worker) else {
                    return;
                };
                self.app
                    .handle(now, Event::ChannelClosed { slot, generation });
                if let Some(reason) = error {
                    self.tell(&Report::ChannelBroken { slot, reason });
                }
            }
            ClusterEvent::Exit { worker, status, .. } => {
                if let Some(process) = self.processes.ended(worker) {
                    // What is left of its process group would keep its port and its files.
                    let _ = rustix::process::kill_process_group(process.pid, Signal::KILL);
                    let (code, signal) = match status {
                        ExitStatus::Code(code) => (Some(code), None),
                        ExitStatus::Signal { signal, .. } => (None, Some(signal)),
                        ExitStatus::Unknown => (None, None),
                    };
                    let (slot, generation) = (process.slot, process.generation);
                    self.last.insert(slot, process.pid);
                    self.app.handle(
                        now,
                        Event::Exited {
                            slot,
                            generation,
                            code,
                            signal,
                        },
                    );
                }
                self.reap_orphans();
            }
            _ => {}
        }
    }

    fn notice(&mut self, notice: Notice) {
        let report = match notice {
            Notice::AllReady { after } => {
                // What the beginning took will not be needed again.
                tine_sys::memory::give_back();
                let mut addresses = self.primary.addresses();
                if addresses.is_empty() {
                    let own = self.listening.drain(..);
                    addresses.extend(own.map(|address| (address, Sharing::OwnSockets)));
                }
                Report::AllReady {
                    workers: self.spec.rules.instances,
                    addresses,
                    after,
                }
            }
            Notice::Ended {
                slot,
                exit,
                lived,
                next,
                ..
            } => {
                let pid = self
                    .last
                    .get(&slot)
                    .map_or(0, |pid| pid.as_raw_nonzero().get());
                Report::Ended {
                    slot,
                    pid,
                    exit,
                    lived,
                    next,
                }
            }
            Notice::Errored { slot, ends } => Report::Errored {
                slot,
                ends,
                last_lines: self.processes.last_lines(slot),
            },
            Notice::Stopping => Report::Stopping {
                processes: self.processes.count(),
                kill_timeout: self.spec.rules.stop.kill_timeout,
            },
            Notice::Killed { slot, after, .. } => Report::Killed { slot, after },
            Notice::SpawnFailed { slot, next, .. } => {
                let reason = self.refused.remove(&slot).unwrap_or_default();
                Report::SpawnFailed { slot, reason, next }
            }
            Notice::Ready { .. } | Notice::Stopped { .. } => return,
        };
        self.tell(&report);
    }

    fn listen_failed(&mut self, slot: usize, address: ListeningAddress, error: &std::io::Error) {
        let in_use = error.raw_os_error() == Some(rustix::io::Errno::ADDRINUSE.raw_os_error());
        let holders = match &address {
            ListeningAddress::Tcp(socket) if in_use => tine_sys::port_owner::holders(socket.port())
                .into_iter()
                .map(|holder| Holder {
                    pid: holder.pid.as_raw_nonzero().get(),
                    command: holder.command,
                    address: holder.address,
                })
                .collect(),
            _ => Vec::new(),
        };
        let reason = error.to_string();
        self.tell(&Report::ListenFailed {
            slot,
            address,
            reason,
            in_use,
            holders,
        });
    }

    /// Reaps what came to us and is no worker. A worker is left to the primary, which hears of it
    /// by itself.
    fn reap_orphans(&mut self) {
        while let Ok(Some(pid)) = tine_sys::reap::peek_any() {
            if self.primary.worker_of(pid).is_some() {
                return;
            }
            if !matches!(tine_sys::reap::wait_pid(pid), Ok(Some(_))) {
                return;
            }
        }
    }

    /// Ends what is left of the app: all that is below us and was not before.
    fn end_orphans(&mut self) {
        let end = Instant::now() + LAST_RITES;
        loop {
            let mut left = tine_sys::tree::children_of_self();
            left.retain(|pid| !self.strangers.contains(pid));
            if left.is_empty() || Instant::now() > end {
                break;
            }
            // Each round makes grandchildren our children.
            let ended: Vec<OwnedFd> = left
                .iter()
                .filter_map(|pid| pidfd_open(*pid, PidfdFlags::empty()).ok())
                .collect();
            for pid in left {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
            for pidfd in ended {
                let left = end.saturating_duration_since(Instant::now());
                let mut wait = [PollFd::new(&pidfd, PollFlags::IN)];
                let _ = poll(&mut wait, Timespec::try_from(left).ok().as_ref());
            }
            self.reap_orphans();
        }
        self.reap_orphans();
    }
}

/// Resolves when the terminal has gone, if anybody cares.
async fn hung_up(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

fn seat(slot: usize) -> Seat {
    u32::try_from(slot).map_or(Seat(u32::MAX), Seat)
}

/// Ends a worker that runs, its descendants, and whatever else is in its process group.
fn kill_tree(leader: Pid) {
    for pid in tine_sys::tree::members(leader) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

/// Tells the other processes of a plain process's group what it was told, as a terminal would: a
/// shell waits for its command, and only the command can end.
fn signal_rest_of_group(leader: Pid, signal: i32) {
    for pid in tine_sys::tree::members(leader) {
        if pid != leader && rustix::process::getpgid(Some(pid)) == Ok(leader) {
            let _ = tine_sys::tree::signal(pid, signal);
        }
    }
}

/// Ends what a worker has left behind. The worker has been reaped, so its number may be another's
/// by now: only processes that have become our own children are looked at.
fn kill_orphans_of(leader: Pid) {
    for child in tine_sys::tree::children_of_self() {
        if rustix::process::getpgid(Some(child)) == Ok(leader) {
            kill_tree(child);
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
    }
}

/// Whether starting it again could end differently: out of processes or memory, yes; no such
/// program, no.
fn retry_helps(error: &StartError) -> bool {
    match error {
        StartError::Pipe(_) | StartError::Fork(ForkError::Channel(_)) => true,
        StartError::Fork(ForkError::Spawn(SpawnError { errno, .. })) => {
            use rustix::io::Errno;
            [
                Errno::AGAIN,
                Errno::NOMEM,
                Errno::MFILE,
                Errno::NFILE,
                Errno::TXTBSY,
            ]
            .contains(errno)
        }
        StartError::Fork(_) => false,
    }
}

/// [`run`], on a runtime of its own in this thread.
///
/// # Errors
/// As [`run`], or when the kernel has no descriptors for a runtime.
pub fn block_on(
    spec: AppSpec,
    inherited: BTreeMap<i32, OwnedFd>,
    reporter: &mut dyn Reporter,
    output: Output,
) -> Result<Outcome, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("starting the runtime"))?;
    let local = tokio::task::LocalSet::new();
    let outcome = local.block_on(&runtime, run(spec, inherited, reporter, output));
    // What the app has left in its pipes is carried out before they close.
    runtime.shutdown_background();
    outcome
}
